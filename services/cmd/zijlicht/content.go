package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	"github.com/zijlicht/zijlicht/services/deid/samples"
)

// story is one of the samples, made up and with made-up people in it.
type story struct{ ID, Style, Text string }

func stories() ([]story, error) {
	var all []story
	sc := bufio.NewScanner(bytes.NewReader(samples.Cases))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var s story
		if err := json.Unmarshal(sc.Bytes(), &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, sc.Err()
}

// load puts the stories in through the interface that people use, once: half by
// an author in Noord, half by one in Zuid. One of Zuid's is shared with the circle.
func (d *demo) load(ctx context.Context, nodes []*demoNode, accounts map[string]string) error {
	m, err := d.readMarker()
	if err != nil || m.Loaded {
		return err
	}
	all, err := stories()
	if err != nil {
		return err
	}
	half := len(all) / 2
	if err := d.write(ctx, nodes, accounts, "auteur", all[:half]); err != nil {
		return err
	}
	if err := d.write(ctx, nodes, accounts, "lezer", all[half:]); err != nil {
		return err
	}
	author, err := d.as(ctx, nodes, accounts, "lezer")
	if err != nil {
		return err
	}
	second, err := d.as(ctx, nodes, accounts, "collega-zuid")
	if err != nil {
		return err
	}
	var list casesv1.ListCasesResponse
	if err := author.call(ctx, http.MethodGet, "/cases?pageSize=100", nil, &list); err != nil {
		return err
	}
	if _, err := share(ctx, author, second, accounts["collega-zuid"], shareable(list.GetCases())); err != nil {
		return err
	}
	d.say("✓ %d verzonnen verhalen staan klaar; één daarvan is gedeeld met Leerkring Oost", len(all))
	m.Loaded = true
	return d.writeMarker(m)
}

// shareable is a story with little risk left, if there is one.
func shareable(cs []*casesv1.Case) *casesv1.Case {
	best := cs[0]
	for _, c := range cs {
		if c.GetRendition().GetRisk().GetLevel() < best.GetRendition().GetRisk().GetLevel() {
			best = c
		}
	}
	return best
}

// write tells the stories as one author. The ids of the requests are made of the
// stories', so that a demo that was stopped half-way does not tell one twice.
func (d *demo) write(ctx context.Context, nodes []*demoNode, accounts map[string]string, who string, all []story) error {
	author, err := d.as(ctx, nodes, accounts, who)
	if err != nil {
		return err
	}
	for _, s := range all {
		c, err := tell(ctx, author, uuid.NewSHA1(uuid.NameSpaceURL, []byte("zijlicht demo "+s.ID)).String(), s)
		if err != nil {
			return fmt.Errorf("verhaal %s: %w", s.ID, err)
		}
		if _, err := pseudonymise(ctx, author, c); err != nil {
			return fmt.Errorf("verhaal %s: %w", s.ID, err)
		}
	}
	return nil
}

// as signs a person of the demo in.
func (d *demo) as(ctx context.Context, nodes []*demoNode, accounts map[string]string, who string) (*client, error) {
	for _, p := range demoPeople {
		if p.key != who {
			continue
		}
		n := nodeOf(nodes, p.node)
		secret, err := link(ctx, n, accounts[who])
		if err != nil {
			return nil, err
		}
		return signIn(ctx, n.EntityURL, secret)
	}
	return nil, fmt.Errorf("%s doet niet mee in de demo", who)
}

// tell writes one story down.
func tell(ctx context.Context, author *client, requestID string, s story) (*casesv1.Case, error) {
	what, question := s.Text, ""
	if i := strings.LastIndexAny(strings.TrimRight(s.Text, "?"), ".!?"); i > 0 && strings.HasSuffix(s.Text, "?") {
		what, question = s.Text[:i+1], strings.TrimSpace(s.Text[i+1:])
	}
	c := &casesv1.Case{}
	return c, author.call(ctx, http.MethodPost, "/cases", &casesv1.CreateCaseRequest{
		RequestId: requestID, WhatHappened: what, Question: question,
		Title: strings.ToUpper(s.Style[:1]) + s.Style[1:], Theme: "demo",
	}, c)
}

// pseudonymise takes every proposal over as it is.
func pseudonymise(ctx context.Context, author *client, c *casesv1.Case) (*casesv1.Case, error) {
	proposed := &casesv1.Case{}
	if err := author.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/proposals",
		&casesv1.ProposeReplacementsRequest{Revision: c.GetRevision()}, proposed); err != nil {
		return nil, err
	}
	done := &casesv1.Case{}
	return done, author.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/choices",
		&casesv1.ResolveProposalsRequest{Revision: proposed.GetRevision(), AcceptOpen: true}, done)
}

// agree records the resident's yes and gives the receipt code.
func agree(ctx context.Context, author *client, c *casesv1.Case) (string, error) {
	var res consentv1.RegisterGrantResponse
	err := author.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/grants", &consentv1.RegisterGrantRequest{
		RequestId: uuid.NewString(), Revision: c.GetRevision(), Circle: demoCircle, Manner: "on-paper",
	}, &res)
	return res.GetReceiptCode(), err
}

// share takes a story with a rendition all the way to the circle, and gives the receipt code.
func share(ctx context.Context, author, second *client, secondID string, c *casesv1.Case) (code string, err error) {
	if code, err = agree(ctx, author, c); err != nil {
		return "", err
	}
	if err := invite(ctx, author, c, secondID); err != nil {
		return "", err
	}
	if err := release(ctx, second, c); err != nil {
		return "", err
	}
	return code, publish(ctx, author, c)
}

func invite(ctx context.Context, author *client, c *casesv1.Case, colleague string) error {
	return author.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/invitations",
		&casesv1.InviteReaderRequest{Colleague: colleague, SecondReader: true}, nil)
}

func release(ctx context.Context, reader *client, c *casesv1.Case) error {
	return reader.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/release", &casesv1.ReleaseCaseRequest{Revision: c.GetRevision()}, nil)
}

func publish(ctx context.Context, author *client, c *casesv1.Case) error {
	return author.call(ctx, http.MethodPost, "/cases/"+c.GetId()+"/publication",
		&casesv1.PublishCaseRequest{Revision: c.GetRevision(), Circle: demoCircle}, nil)
}

// next says what there is to try.
func (d *demo) next(nodes []*demoNode, accounts map[string]string, took time.Duration) {
	d.say("✓ Klaar in %s seconden\n", strings.Replace(fmt.Sprintf("%.1f", took.Seconds()), ".", ",", 1))
	d.say("Inloglinks (elk één keer te gebruiken, een dag lang). Pagina's zijn er nog niet: de code achter # ruil je in over REST.")
	for _, n := range nodes {
		d.say("\n  %s, %s", n.title, n.EntityURL)
		for _, p := range demoPeople {
			if p.node != n.Node || p.does == "" {
				continue
			}
			secret, err := link(context.Background(), n, accounts[p.key])
			if err != nil {
				secret = "(geen link: " + err.Error() + ")"
			}
			d.say("    %-18s %-34s %s/sign-in#%s", p.name, p.does, n.EntityURL, secret)
		}
	}
	d.say(`
Probeer nu, in een tweede venster:
  # de zes stappen van een gedeeld verhaal, met elk besluit
  bin/zijlicht demo --walkthrough
  # wat het knooppunt kan
  curl %[1]s/api/v1/openapi.json
  # inloggen: zet op de puntjes wat achter # staat in de link; de sessie komt in het bestand kookje
  curl -c kookje -H 'Origin: %[1]s' -H 'Content-Type: application/json' -d '{"secret":"…"}' %[1]s/api/v1/sessions
  # je verhalen
  curl -b kookje -H 'Origin: %[1]s' %[1]s/api/v1/cases

In deze demo telt een ja van een bewoner meteen. In het echt is er een week bedenktijd.
Wat de organisaties melden, staat in %[2]s.
Stop met Ctrl-C, of van elders met: kill -INT %[3]d. Alles blijft bewaard. Met make demo-reset begin je opnieuw.`,
		nodes[1].EntityURL, filepath.Join(d.dir, "*.log"), os.Getpid())
}
