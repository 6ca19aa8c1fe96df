package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// arrival is how long the walkthrough waits for something to travel between nodes.
const arrival = 30 * time.Second

// walkStory is told by the walkthrough.
const walkStory = `Mevrouw Hanneke Dijkhuis (71) belde zelf. Haar man Gerrit is vorig jaar gevallen en zij doet alles alleen, op de Vossenlaan 12 in Ommen. Haar telefoon is 06-12345678. Zij zegt dat het wel gaat, maar ze slaapt slecht. Ik ben twee keer langsgegaan zonder iets te regelen. De derde keer vroeg zij zelf om hulp bij het wassen.`

// walk is one run of the six steps.
type walk struct {
	d                          *demo
	author, second, reader, fg *client
	fgZuid                     *client
	secondID                   string
	c                          *casesv1.Case
	code                       string
	notice                     *reviewv1.Notice
	review                     *reviewv1.Review
	ownReview                  *reviewv1.Review
	decisions                  int
}

// walkthrough does what the main job promises, over the public interfaces, and
// checks at each step that it is so.
func (d *demo) walkthrough(ctx context.Context) error {
	m, err := d.readMarker()
	if err != nil || m.Accounts["rondje-auteur"] == "" {
		return errors.New("er draait geen demo in deze map: start hem eerst met make demo")
	}
	var nodes []*demoNode
	for _, n := range d.nodes() {
		c, err := loadConfig(n.file)
		if err != nil {
			return err
		}
		n.config = c
		if !healthy(ctx, anonymous(n.EntityURL).http, n.EntityURL) {
			return fmt.Errorf("%s geeft geen antwoord: draait de demo nog?", n.title)
		}
		nodes = append(nodes, n)
	}
	w := &walk{d: d, secondID: m.Accounts["rondje-tweede-lezer"]}
	for who, c := range map[string]**client{
		"rondje-auteur": &w.author, "rondje-tweede-lezer": &w.second, "rondje-lezer": &w.reader, "rondje-fg-noord": &w.fg, "rondje-fg-zuid": &w.fgZuid,
	} {
		if *c, err = d.as(ctx, nodes, m.Accounts, who); err != nil {
			return err
		}
	}
	steps := []struct {
		title string
		do    func(context.Context) error
	}{
		{"Een professional in Noord schrijft een verhaal; Zijlicht vindt wat naar mensen wijst", w.write},
		{"De bewoner leest het en zegt ja, voor één leerkring", w.agree},
		{"Een collega leest het na en de auteur deelt het met de leerkring", w.share},
		{"Iemand van Zuid opent het verhaal, bij Noord, onder een besluit van dat moment", w.open},
		{"Vraag, antwoord, reflectie, leerpunt en slotvragen gaan heen en weer", w.talk},
		{"De bewoner stopt; vanaf dat moment kan niemand buiten Noord het nog lezen", w.stop},
	}
	d.say("Het rondje heeft eigen mensen: de inloglinks van de demo blijven werken.")
	done := 0
	for i, s := range steps {
		d.say("\nStap %d. %s", i+1, s.title)
		if err := s.do(ctx); err != nil {
			d.say("  ✗ %v", err)
			d.say("\n%d van de %d stappen gelukt; stap %d niet.", done, len(steps), i+1)
			return errors.New("het rondje is niet gelukt")
		}
		done++
	}
	d.say("\n%d van de %d stappen gelukt; %d besluiten over dit verhaal staan vast bij de FG van Noord.", done, len(steps), w.decisions)
	return nil
}

func (w *walk) ok(format string, args ...any) { w.d.say("  ✓ "+format, args...) }

// refused checks that something is refused, and for the right reason.
func (w *walk) refused(what string, err error, reason string) error {
	var r *refusal
	if !errors.As(err, &r) || r.Reason != reason {
		return fmt.Errorf("%s: dat hoort geweigerd te worden met %s: %w", what, reason, errors.Join(err, errors.New("het ging anders")))
	}
	w.ok("%s: geweigerd (%s). “%s”", what, r.Reason, r.Detail)
	return nil
}

func (w *walk) write(ctx context.Context) error {
	c, err := tell(ctx, w.author, uuid.NewString(), story{
		Style: "zij zei dat het wel ging", Text: walkStory + " Had ik eerder iets moeten regelen?",
	})
	if err != nil {
		return err
	}
	w.ok("opgeslagen als concept; alleen de auteur kan het lezen")
	open := func(who *client) error { return who.call(ctx, http.MethodGet, "/cases/"+c.GetId(), nil, nil) }
	if err := w.refused("een collega uit hetzelfde team opent het concept", open(w.second), "not-found"); err != nil {
		return err
	}
	if err := w.refused("de FG opent het concept", open(w.fg), "not-found"); err != nil {
		return err
	}
	if w.c, err = pseudonymise(ctx, w.author, c); err != nil {
		return err
	}
	for _, p := range w.c.GetProposals() {
		w.ok("%-10s %-20s wordt %q", inDutch(p.GetSpan().GetType()), strconv.Quote(p.GetSpan().GetText()), p.GetSpan().GetProposal())
	}
	risk := w.c.GetRendition().GetRisk()
	w.ok("hoe herkenbaar het nog is: %d, op een schaal van 0 tot 3. “%s”", risk.GetLevel(), risk.GetSentence())
	return nil
}

func (w *walk) agree(ctx context.Context) (err error) {
	if err := w.refused("delen zonder ja van de bewoner", publish(ctx, w.author, w.c), "consent.absent"); err != nil {
		return err
	}
	if w.code, err = agree(ctx, w.author, w.c); err != nil {
		return err
	}
	w.ok("het ja hoort bij deze tekst, bij leren in deze leerkring en bij een einddatum; de bewoner krijgt een code")
	var r consentv1.Receipt
	if err := anonymous(w.author.base).call(ctx, http.MethodPost, "/receipts/lookup", &consentv1.GetReceiptRequest{ReceiptCode: w.code}, &r); err != nil {
		return err
	}
	w.ok("met die code ziet de bewoner, zonder inlog: %s mag het lezen, tot %s",
		strings.Join(r.GetOrganisations(), ", "), r.GetValidUntilTime().AsTime().Local().Format("02-01-2006"))
	return nil
}

func (w *walk) share(ctx context.Context) error {
	if err := w.refused("de auteur leest zichzelf na", release(ctx, w.author, w.c), "release.second_reader"); err != nil {
		return err
	}
	if err := invite(ctx, w.author, w.c, w.secondID); err != nil {
		return err
	}
	if err := release(ctx, w.second, w.c); err != nil {
		return err
	}
	w.ok("nagelezen door een collega die de auteur zelf koos")
	if err := publish(ctx, w.author, w.c); err != nil {
		return err
	}
	if err := w.author.call(ctx, http.MethodGet, "/cases/"+w.c.GetId(), nil, w.c); err != nil {
		return err
	}
	w.ok("gedeeld met Leerkring Oost; er gaat alleen een bericht met een nummer uit, geen tekst")
	return until(ctx, "het bericht komt niet aan bij Zuid", func(ctx context.Context) (bool, error) {
		var l reviewv1.ListNoticesResponse
		if err := w.reader.call(ctx, http.MethodGet, "/notices", nil, &l); err != nil {
			return false, err
		}
		for _, n := range l.GetNotices() {
			if n.GetCasePublicId() == w.c.GetPublicId() {
				w.notice = n
				w.ok("Zuid heeft het bericht")
				return true, nil
			}
		}
		return false, nil
	})
}

func (w *walk) open(ctx context.Context) error {
	var shared reviewv1.SharedCase
	if err := w.reader.call(ctx, http.MethodGet, "/notices/"+w.notice.GetId()+"/case", nil, &shared); err != nil {
		return err
	}
	w.ok("gelezen: %q", firstWords(shared.GetWhatHappened()))
	own, err := w.last(ctx, w.fg, w.c.GetId(), "case.read-shared")
	if err != nil {
		return err
	}
	if !own.GetAllowed() {
		return errors.New("bij Noord staat een weigering vast, en er is gelezen")
	}
	w.ok("besluit bij Noord: %s, toegestaan, regels %.12s, spoor %s", own.GetAction(), own.GetPolicyRevision(), own.GetTraceId())
	var there auditv1.ListDecisionsResponse
	if err := w.fgZuid.call(ctx, http.MethodGet, "/decisions?traceId="+own.GetTraceId(), nil, &there); err != nil {
		return err
	}
	for _, x := range there.GetDecisions() {
		w.ok("besluit bij Zuid:  %s, zelfde spoor", x.GetAction())
	}
	if len(there.GetDecisions()) == 0 {
		return errors.New("Zuid heeft van dit lezen niets vastgelegd")
	}
	return nil
}

func (w *walk) talk(ctx context.Context) error {
	w.review = &reviewv1.Review{}
	if err := w.reader.call(ctx, http.MethodPost, "/notices/"+w.notice.GetId()+"/reviews", &reviewv1.StartReviewRequest{RequestId: uuid.NewString()}, w.review); err != nil {
		return err
	}
	turns := []struct {
		reader     bool
		kind, text string
		closing    []*reviewv1.ClosingAnswer
	}{
		{true, "question", "Wat maakte dat je de eerste twee keer niets regelde?", nil},
		{false, "answer", "Zij wilde eerst weten wie ik was. Dat voelde ik aan haar.", nil},
		{true, "reflection", "Je wachtte en je bleef. Misschien was dat de hulp.", nil},
		{false, "learning-point", "Ik zeg voortaan hardop dat ik alleen kom kijken hoe het gaat.", nil},
		{true, "closing-questions", "", []*reviewv1.ClosingAnswer{
			{Question: "whose-question", Text: "Van de bewoner, en ook van jou."},
			{Question: "do-or-leave", Text: "We laten het zo, en dat is een keuze."},
		}},
	}
	for i, t := range turns {
		from, to := w.reader, w.author
		if !t.reader {
			from, to = to, from
		}
		id := w.review.GetId()
		if !t.reader {
			id = w.ownReview.GetId()
		}
		req := &reviewv1.SubmitMessageRequest{RequestId: uuid.NewString(), Kind: t.kind, Text: t.text, ClosingAnswers: t.closing}
		if err := from.call(ctx, http.MethodPost, "/reviews/"+id+"/messages", req, nil); err != nil {
			return err
		}
		if err := until(ctx, inDutch(t.kind)+" komt niet aan", func(ctx context.Context) (bool, error) {
			r, err := w.dialogue(ctx, to)
			if err != nil || r == nil || len(r.GetMessages()) < i+1 {
				return false, err
			}
			if len(r.GetMessages()) > i+1 {
				return false, fmt.Errorf("%s kwam meer dan één keer aan", inDutch(t.kind))
			}
			if to == w.author {
				w.ownReview = r
			}
			return true, nil
		}); err != nil {
			return err
		}
		w.ok("%-10s aangekomen", inDutch(t.kind))
	}
	for _, side := range []*client{w.reader, w.author} {
		r, err := w.dialogue(ctx, side)
		if err != nil {
			return err
		}
		if n := len(r.GetMessages()); n != len(turns) {
			return fmt.Errorf("er staan %d berichten, en er zijn er %d gestuurd", n, len(turns))
		}
	}
	w.ok("bij Noord en bij Zuid staat elk bericht er precies één keer")
	return nil
}

// dialogue finds the review of the walk's story on one side.
func (w *walk) dialogue(ctx context.Context, c *client) (*reviewv1.Review, error) {
	var l reviewv1.ListReviewsResponse
	if err := c.call(ctx, http.MethodGet, "/reviews", nil, &l); err != nil {
		return nil, err
	}
	for _, r := range l.GetReviews() {
		if r.GetCasePublicId() == w.c.GetPublicId() {
			whole := &reviewv1.Review{}
			return whole, c.call(ctx, http.MethodGet, "/reviews/"+r.GetId(), nil, whole)
		}
	}
	return nil, nil
}

func (w *walk) stop(ctx context.Context) error {
	var r consentv1.Receipt
	if err := anonymous(w.author.base).call(ctx, http.MethodPost, "/receipts/withdrawal", &consentv1.WithdrawRequest{ReceiptCode: w.code}, &r); err != nil {
		return err
	}
	w.ok("gestopt met alleen de code, zonder inlog en zonder reden")
	if err := w.refused("Zuid leest het meteen daarna", w.reader.call(ctx, http.MethodGet, "/notices/"+w.notice.GetId()+"/case", nil, nil), "case.closed"); err != nil {
		return err
	}
	d, err := w.last(ctx, w.fg, w.c.GetId(), "case.read-shared")
	if err != nil {
		return err
	}
	if err := w.onlyOwnerKnows(ctx, d); err != nil {
		return err
	}
	if err := until(ctx, "het bericht van sluiten komt niet aan", func(ctx context.Context) (bool, error) {
		var l reviewv1.ListNoticesResponse
		err := w.reader.call(ctx, http.MethodGet, "/notices", nil, &l)
		for _, n := range l.GetNotices() {
			if n.GetId() == w.notice.GetId() {
				return n.GetState() == "closed", err
			}
		}
		return err == nil, err
	}); err != nil {
		return err
	}
	w.ok("bij Zuid staat het niet meer tussen de open verhalen")
	var l auditv1.ListDecisionsResponse
	if err := w.fg.call(ctx, http.MethodGet, "/decisions?pageSize=100&resourceId="+w.c.GetId(), nil, &l); err != nil {
		return err
	}
	w.decisions = len(l.GetDecisions())
	w.ok("de FG van Noord ziet elk besluit over dit verhaal, ook de weigeringen: %d", w.decisions)
	return nil
}

// onlyOwnerKnows checks that the true reason of a refusal is recorded at the owner and nowhere at the reader.
func (w *walk) onlyOwnerKnows(ctx context.Context, own *auditv1.Decision) error {
	var there auditv1.ListDecisionsResponse
	if err := w.fgZuid.call(ctx, http.MethodGet, "/decisions?traceId="+own.GetTraceId(), nil, &there); err != nil {
		return err
	}
	var told []string
	for _, d := range there.GetDecisions() {
		told = append(told, d.GetReasons()...)
	}
	slices.Sort(told)
	told = slices.Compact(told)
	const why = "consent.withdrawn"
	if own.GetAllowed() || !slices.Contains(own.GetReasons(), why) || len(told) == 0 || slices.Contains(told, why) {
		return fmt.Errorf("Noord legde vast %v, Zuid %v", own.GetReasons(), told)
	}
	w.ok("alleen Noord weet waarom: bij Noord staat %s vast, bij Zuid %s", strings.Join(own.GetReasons(), ", "), strings.Join(told, ", "))
	return nil
}

// last finds the newest decision of an action about a resource.
func (w *walk) last(ctx context.Context, fg *client, resource, action string) (*auditv1.Decision, error) {
	var l auditv1.ListDecisionsResponse
	if err := fg.call(ctx, http.MethodGet, "/decisions?pageSize=100&resourceId="+resource, nil, &l); err != nil {
		return nil, err
	}
	for _, d := range l.GetDecisions() {
		if d.GetAction() == action {
			return d, nil
		}
	}
	return nil, fmt.Errorf("geen besluit %s gevonden", action)
}

// until asks again until it is so.
func until(ctx context.Context, otherwise string, so func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, arrival)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := so(ctx)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New(otherwise)
		case <-tick.C:
		}
	}
}

// inDutch is the word that people read for a name in the contract.
func inDutch(name string) string {
	words := map[string]string{
		"PERSON": "naam", "AGE": "leeftijd", "ADDRESS": "adres", "LOCATION": "plaats", "PHONE": "telefoon",
		"question": "vraag", "answer": "antwoord", "reflection": "reflectie", "learning-point": "leerpunt", "closing-questions": "slotvragen",
	}
	if w, ok := words[name]; ok {
		return w
	}
	return strings.ToLower(name)
}

func firstWords(s string) string {
	r := []rune(s)
	if len(r) > 70 {
		return string(r[:70]) + "…"
	}
	return s
}
