package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// demoCircle is the one circle of the demo.
const demoCircle = "leerkring-oost"

// demoNode is one organisation of the demo.
type demoNode struct {
	config
	title string
	kind  members.Kind
	file  string
}

// nodes of the demo. The anchor comes first, because the others ask it who takes part.
func (d *demo) nodes() []*demoNode {
	make := func(name, title string, kind members.Kind, port int) *demoNode {
		url := fmt.Sprintf("http://127.0.0.1:%d", port)
		return &demoNode{
			title: title, kind: kind, file: filepath.Join(d.dir, name, "zijlicht.yaml"),
			config: config{
				Node: name, EntityURL: url, Listen: fmt.Sprintf("127.0.0.1:%d", port), Secrets: "secrets",
				Anchor: anchorConfig{Issuer: "http://127.0.0.1:8400", Keys: "../anchor-keys.json", Serve: kind == members.Anchor},
				dir:    filepath.Join(d.dir, name),
			},
		}
	}
	return []*demoNode{
		make("associatie", "de Associatie (vertrouwensanker)", members.Anchor, 8400),
		make("noord", "Wijkteams Noord", members.Wijkteam, 8410),
		make("zuid", "Wijkteams Zuid", members.Wijkteam, 8420),
	}
}

func withDatabase(dsn, db string) (string, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", errors.New("ZIJLICHT_DATABASE_URL kan niet gelezen worden")
	}
	return pgdb.DSN(dsn, c.User, c.Password, db)
}

// prepare makes what is not there yet: configuration, keys, databases, and the federation itself.
func (d *demo) prepare(ctx context.Context, admin func(db string) (string, error)) ([]*demoNode, error) {
	nodes := d.nodes()
	for _, n := range nodes {
		if err := os.MkdirAll(n.dir, 0o700); err != nil {
			return nil, err
		}
		server, err := admin("postgres")
		if err != nil {
			return nil, err
		}
		if err := pgdb.EnsureDatabase(ctx, server, "zl_"+n.Node); err != nil {
			return nil, err
		}
		own, err := admin("zl_" + n.Node)
		if err != nil {
			return nil, err
		}
		// A node never holds the administrator's password: only the migration uses it.
		if n.Database, err = pgdb.Address(own, "zl_"+n.Node); err != nil {
			return nil, err
		}
		if err := n.write(n.file); err != nil {
			return nil, err
		}
		if err := initSecrets(n.config); err != nil {
			return nil, err
		}
		if err := migrate(ctx, n.config, own); err != nil {
			return nil, err
		}
	}
	d.say("✓ Databases, rollen en sleutels zijn klaar, voor elke organisatie apart")
	return nodes, d.federate(ctx, nodes)
}

// federate admits the organisations to the federation and to the circle, once.
func (d *demo) federate(ctx context.Context, nodes []*demoNode) error {
	store, err := openAnchor(ctx, nodes[0].config)
	if err != nil {
		return err
	}
	doc, err := store.Document(ctx)
	if err != nil {
		return err
	}
	const by = "demo"
	for _, n := range nodes {
		if _, ok := doc.Organisation(n.EntityURL); ok {
			continue
		}
		keys, err := gateway.EnsureKey(n.secret(oauthFile))
		if err != nil {
			return err
		}
		o := anchor.NewOrganisation{ID: n.EntityURL, Name: n.title, Kind: n.kind, Keys: keys}
		if n.kind == members.Wijkteam {
			o.TrustMarks = []string{"member", "lateral-review"}
		}
		if n.kind == members.Anchor {
			o.Name = "Associatie Wijkteams"
		}
		if _, err := store.AddOrganisation(ctx, by, o); err != nil {
			return err
		}
	}
	if _, ok := doc.Circle(demoCircle); !ok {
		if _, err := store.AddCircle(ctx, by, anchor.NewCircle{ID: demoCircle, Name: "Leerkring Oost"}); err != nil {
			return err
		}
	}
	for _, n := range nodes[1:] {
		if doc.InCircle(demoCircle, n.EntityURL) {
			continue
		}
		if _, err := store.JoinCircle(ctx, by, demoCircle, n.EntityURL); err != nil {
			return err
		}
	}
	d.say("✓ De Associatie kent twee wijkteams, samen in Leerkring Oost")
	return nil
}

// person of the demo.
type person struct {
	key, node, name, unit string
	roles                 []string
	does                  string // empty for who is not shown
}

var demoPeople = []person{
	{"auteur", "noord", "Sanne Kramer", "team-oost", []string{"professional", "reviewer"}, "schrijft verhalen en leest mee"},
	{"tweede-lezer", "noord", "Youssef Amrani", "team-oost", []string{"professional"}, "leest na als tweede lezer"},
	{"ander-team", "noord", "Marit de Boer", "team-west", []string{"professional"}, "werkt bij Noord, in een ander team"},
	{"fg-noord", "noord", "Ineke Vos", "bureau", []string{"privacy-officer"}, "is privacy-functionaris (FG)"},
	{"beheer-noord", "noord", "Tom Willems", "bureau", []string{"operator"}, "houdt het knooppunt draaiend"},
	{"lezer", "zuid", "Fatima El Idrissi", "team-zuid", []string{"professional", "reviewer"}, "leest mee in de leerkring"},
	{"collega-zuid", "zuid", "Bram Jansen", "team-zuid", []string{"professional"}, "leest na als tweede lezer"},
	{"fg-zuid", "zuid", "Harold Pinas", "bureau", []string{"privacy-officer"}, "is privacy-functionaris (FG)"},
	{"associatie", "associatie", "Nora Visser", "bureau", []string{"federation-administrator"}, "beheert de federatie"},
	// The walkthrough's own people. A new link ends the one before, so it does not sign in as someone whose link was printed.
	{"rondje-auteur", "noord", "Hanna Bos", "team-oost", []string{"professional"}, ""},
	{"rondje-tweede-lezer", "noord", "Karim Aziz", "team-oost", []string{"professional"}, ""},
	{"rondje-fg-noord", "noord", "Els Mulder", "bureau", []string{"privacy-officer"}, ""},
	{"rondje-lezer", "zuid", "Lotte Smit", "team-zuid", []string{"professional", "reviewer"}, ""},
	{"rondje-fg-zuid", "zuid", "Omar Yilmaz", "bureau", []string{"privacy-officer"}, ""},
}

// people gives everyone an account, once.
func (d *demo) people(ctx context.Context, nodes []*demoNode) (map[string]string, error) {
	m, err := d.readMarker()
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		accounts, err := openAccounts(ctx, n.config)
		if err != nil {
			return nil, err
		}
		for _, p := range demoPeople {
			if p.node != n.Node || m.Accounts[p.key] != "" {
				continue
			}
			link, err := accounts.Invite(ctx, gateway.Invitation{Name: p.name, Unit: p.unit, Roles: p.roles, ValidFor: time.Hour})
			if err != nil {
				return nil, err
			}
			m.Accounts[p.key] = link.AccountID
			if err := d.writeMarker(m); err != nil {
				return nil, err
			}
		}
		accounts.Pool.Close()
	}
	return m.Accounts, nil
}

// link makes a fresh one-time link for a person of the demo.
func link(ctx context.Context, n *demoNode, account string) (secret string, err error) {
	accounts, err := openAccounts(ctx, n.config)
	if err != nil {
		return "", err
	}
	defer accounts.Pool.Close()
	l, err := accounts.NewLink(ctx, account, 24*time.Hour)
	return l.Secret, err
}

func nodeOf(nodes []*demoNode, name string) *demoNode {
	for _, n := range nodes {
		if n.Node == name {
			return n
		}
	}
	return nil
}
