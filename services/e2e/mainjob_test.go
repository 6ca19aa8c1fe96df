package e2e_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// The main job, in every way to run a node. The anchor learns of the organisations
// of the first as in real life: the nodes run already, and it asks them for their keys.
func TestOneSharedCaseTravels(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]options{
		"all in one process":          {layout: allInOne, perHTTP: true},
		"the gateway apart":           {layout: gatewayAlso},
		"each service in its process": {layout: apart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sharedCaseTravels(t, o)
		})
	}
}

func sharedCaseTravels(t *testing.T, o options) {
	f := newFederation(t, o)
	owner, other := f.members[0], f.members[1]
	m := f.newTeam(owner)
	reader := f.newReader(other)
	readersFG := f.invite(other, "Sjoukje Rozendal", "bureau", "privacy-officer")
	eventually(t, 40*time.Second, "both nodes know of the circle", func() bool { return m.author.inCircle() && reader.inCircle() })

	// 1. The author writes, deid proposes, the author chooses.
	var c *casesv1.Case
	trace := m.author.traced(func() { c = m.draft(theStory()) })
	if r := c.GetRendition(); strings.Contains(r.GetWhatHappened(), canaryPerson) || !strings.Contains(r.GetWhatHappened(), canaryStory) ||
		r.GetRisk().GetSentence() == "" || len(c.GetProposals()) == 0 {
		t.Fatalf("the rendition is not the story without its names: %v", c)
	}
	decided(t, "writing", ofTrace(m.fg, trace), true, "case.create", "case.propose", "case.resolve")

	// 2. The resident says yes to this revision.
	var yes *consentv1.RegisterGrantResponse
	trace = m.author.traced(func() { yes = m.yes(c, time.Time{}) })
	decided(t, "the yes", ofTrace(m.fg, trace), true, "consent.register")
	if g := yes.GetGrant(); g.GetRevision() != 1 || !slices.Equal(g.GetOrganisations(), []string{other.url}) {
		t.Fatalf("the yes is not to this revision and the circle's organisations: %v", g)
	}

	// 3. A colleague releases it, the author publishes it, a notice goes out.
	m.release(c)
	trace = m.author.traced(func() { m.publish(c) })
	decided(t, "publishing", ofTrace(m.fg, trace), true, "case.publish")
	n := reader.noticed(t, c.GetPublicId())
	if n.GetOwner() != owner.url || n.GetState() != "open" || n.GetCircle() != f.circle {
		t.Fatalf("the notice says %v", n)
	}

	// 4. A reviewer opens the case: the act here, the decision there, under one trace.
	var shared *reviewv1.SharedCase
	trace = reader.traced(func() { shared = mustRead(t, reader, n) })
	if r := m.get(c).GetRendition(); shared.GetWhatHappened() != r.GetWhatHappened() || shared.GetTitle() != r.GetTitle() ||
		shared.GetQuestion() != r.GetQuestion() || shared.GetOwner() != owner.url || shared.GetRevision() != 1 {
		t.Fatal("what is read is not the rendition at its owner")
	}
	decided(t, "reading, at the reader", ofTrace(readersFG, trace), true, "notice.open", "grant.mint")
	atOwner := ofTrace(m.fg, trace)
	decided(t, "reading, at the owner", atOwner, true, "case.read-shared")
	for _, d := range atOwner {
		if d.GetAction() == "case.read-shared" && (d.GetCallerKind() != "peer" || d.GetCallerOrganisation() != other.url || d.GetResourceId() != c.GetId()) {
			t.Errorf("the owner recorded %v", d)
		}
	}

	// 5. The review, turn by turn.
	converse(t, m, reader, n)
	for _, d := range decisions(m.fg, url.Values{"resourceId": {c.GetId()}}) {
		if d.GetAction() == "review.receive" {
			decided(t, "a message, at the reader", ofTrace(readersFG, d.GetTraceId()), true, "review.deliver", "review.mark-delivery")
		}
	}
	noContentAtRest(t, c, owner, other)
	// The one knows the other's people and cases under no name that means something elsewhere.
	nowhere(t, owner, owner.rows(t), "the account of the reader", reader.id)
	nowhere(t, other, other.rows(t), "the account of the author", m.author.id)
	nowhere(t, other, other.rows(t), "the owner's own id of the case", c.GetId())

	// 6. The resident withdraws.
	if r := m.withdraw(yes.GetReceiptCode()); r.GetState() != "stopped" || r.GetWithdrawnTime() == nil {
		t.Fatalf("the receipt says %v", r)
	}
	trace = reader.traced(func() {
		if _, refusal := reader.read(n); refusal == nil || refusal.Status != http.StatusForbidden || refusal.Reason != "case.closed" {
			t.Fatalf("the read after the withdrawal: %v", refusal)
		}
	})
	decided(t, "the refused read", append(ofTrace(readersFG, trace), ofTrace(m.fg, trace)...), false, refusedBy(readersFG, trace))
	eventually(t, delivery, "the notice leaves the reader's list", func() bool { return reader.notice(c.GetPublicId()) == nil })
	eventually(t, delivery, "the owner sees why", func() bool {
		own := m.get(c)
		return own.GetStatus() == "closed" && own.GetClosedReason() == "withdrawn"
	})
	chain := decisions(m.fg, url.Values{"resourceId": {c.GetId()}})
	decided(t, "the whole chain", chain, true, "case.create", "case.propose", "case.resolve", "consent.register", "case.invite",
		"case.release", "case.publish", "case.read-shared", "review.receive", "case.close-lapsed")
	decided(t, "the withdrawal", decisions(m.fg, url.Values{"resourceId": {yes.GetGrant().GetId()}}), true, "consent.withdraw")
	var full auditv1.Decision
	m.fg.must(http.MethodGet, "/decisions/"+chain[0].GetId(), nil, &full)
	if len(full.GetEvaluations()) == 0 || full.GetEvaluations()[0].GetInput().GetFields()["action"].GetStringValue() != chain[0].GetAction() {
		t.Error("a decision does not show the facts it was taken on")
	}
	noContentAtRest(t, c, owner, other)
}

// refusedBy is the action that refused a read: live at the owner, or here when the closing notice was faster.
func refusedBy(readersFG *person, trace string) string {
	for _, d := range ofTrace(readersFG, trace) {
		if d.GetAction() == "notice.open" && !d.GetAllowed() && len(d.GetReasons()) > 0 && d.GetReasons()[0] == "case.closed" {
			return "notice.open"
		}
	}
	return "case.read-shared"
}

// converse has reader and author say each kind of thing, and looks at both sides.
func converse(t *testing.T, m *team, reader *person, n *reviewv1.Notice) {
	t.Helper()
	r := reader.begin(n)
	reader.must(http.MethodPut, "/reviews/"+r.GetId()+"/draft", &reviewv1.SaveDraftRequest{Kind: "question", Text: canaryReview + " concept"}, r)
	if r.GetDraft().GetText() == "" || m.author.received(n.GetCasePublicId()) != nil {
		t.Fatal("a draft is not kept, or has left the reader")
	}
	question := message("question", "Wat hoorde je in het "+canaryReview+"?")
	reader.say(r, question)
	reader.say(r, question) // a click twice
	own := m.author.arrives(t, delivery, n.GetCasePublicId(), question.GetText())
	reader.delivered(t, delivery, r.GetId(), question.GetText())

	answer := message("answer", "Vooral dat er tijd was voor "+canaryReview+".")
	m.author.say(own, answer)
	reader.arrives(t, delivery, n.GetCasePublicId(), answer.GetText())
	m.author.delivered(t, delivery, own.GetId(), answer.GetText())

	closing := message("closing-questions", "Wij laten het "+canaryReview+" rusten.")
	closing.ClosingAnswers = []*reviewv1.ClosingAnswer{{Question: "whose-question", Text: "Van haar en van ons, " + canaryReview}}
	said := []*reviewv1.SubmitMessageRequest{
		message("reflection", "Ik herken het "+canaryReview+"."), message("learning-point", "Eerst luisteren naar "+canaryReview+"."), closing,
	}
	for _, s := range said {
		reader.say(r, s)
	}
	for _, s := range said {
		own = m.author.arrives(t, delivery, n.GetCasePublicId(), s.GetText())
		reader.delivered(t, delivery, r.GetId(), s.GetText())
	}
	var kinds []string
	for _, msg := range own.GetMessages() {
		kinds = append(kinds, msg.GetKind())
	}
	if want := []string{"question", "answer", "reflection", "learning-point", "closing-questions"}; !slices.Equal(kinds, want) {
		t.Errorf("the owner reads %v, want %v", kinds, want)
	}
	if last := own.GetMessages()[len(own.GetMessages())-1]; len(last.GetClosingAnswers()) != 1 || last.GetClosingAnswers()[0].GetQuestion() != "whose-question" {
		t.Errorf("the closing questions arrived as %v", last)
	}
}

func mustRead(t testing.TB, p *person, n *reviewv1.Notice) *reviewv1.SharedCase {
	t.Helper()
	c, refusal := p.read(n)
	if refusal != nil {
		t.Fatalf("reading: %d %s: %s", refusal.Status, refusal.Reason, refusal.Detail)
	}
	return c
}

// noContentAtRest: the reader has nothing of the case but ids, and neither side has words in the open.
func noContentAtRest(t *testing.T, c *casesv1.Case, owner, other *node) {
	t.Helper()
	for _, n := range []*node{owner, other} {
		rows := n.rows(t)
		if len(holding(rows, c.GetPublicId())) == 0 {
			t.Errorf("the search of %s does not find the public id that is there", n.name)
		}
		for what, text := range map[string]string{
			"the story": canaryStory, "the question": canaryQuestion, "the title": canaryTitle, "the theme": canaryTheme,
			"a resident's name": canaryPerson, "the words of the review": canaryReview, "a colleague's name": "Molenwiek",
		} {
			nowhere(t, n, rows, what, text)
		}
		jobs := 0
		for _, r := range rows {
			if r.Table == "outbox.river_job" {
				jobs++
			}
		}
		if jobs == 0 {
			t.Errorf("the search of %s looked through no job", n.name)
		}
	}
}
