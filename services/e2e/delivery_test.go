package e2e_test

import (
	"net/http"
	"testing"
	"time"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
)

// rescued is how long a delivery may take whose process died in the middle: the outbox first waits until
// it is sure that nobody works on it any more.
const rescued = 150 * time.Second

// retried is how long a delivery may take that the receiver did not answer.
const retried = 60 * time.Second

// Whoever dies, and wherever, each notice and each message is there once.
func TestADeliveryIsMadeExactlyOnce(t *testing.T) {
	t.Parallel()
	for _, place := range []string{failpoint.SenderBeforeCommit, failpoint.SenderAfterCommit, failpoint.SenderAfterAck} {
		t.Run("message, "+place, func(t *testing.T) {
			t.Parallel()
			messageFromADyingSender(t, place)
		})
	}
	for _, place := range []string{failpoint.ReceiverBeforeCommit, failpoint.ReceiverAfterCommit} {
		t.Run("message and notice, "+place, func(t *testing.T) {
			t.Parallel()
			toADyingReceiver(t, place)
		})
	}
	for _, place := range []string{failpoint.SenderBeforeCommit, failpoint.SenderAfterCommit, failpoint.SenderAfterAck} {
		t.Run("notice, "+place, func(t *testing.T) {
			t.Parallel()
			noticeFromADyingSender(t, place)
		})
	}
}

// only gives one member of a federation a failpoint in its first run.
func only(member int, place string) func(int) []string {
	return func(i int) []string {
		if i == member {
			return failAt(place)
		}
		return nil
	}
}

func messageFromADyingSender(t *testing.T, place string) {
	f := newFederation(t, options{env: only(1, place)})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	sender := f.members[1]
	c, _ := m.shared(time.Time{})
	r := reader.begin(reader.noticed(t, c.GetPublicId()))
	req := message("question", "Hoe klonk het "+canaryReview+"?")

	refusal, err := reader.try(http.MethodPost, "/reviews/"+r.GetId()+"/messages", req, nil)
	if place != failpoint.SenderAfterAck && err == nil {
		t.Fatalf("the sender answered (%v) at a place where it dies", refusal)
	}
	sender.process("review").killed(t)
	sender.again(t)
	switch place {
	case failpoint.SenderBeforeCommit:
		if len(reader.review(r.GetId()).GetMessages()) != 0 || m.author.received(c.GetPublicId()) != nil {
			t.Fatal("something is left of a message that was not committed")
		}
	case failpoint.SenderAfterAck:
		m.author.arrives(t, delivery, c.GetPublicId(), req.GetText()) // before the sender knows
	}
	reader.say(r, req) // the client never got its answer, and tries again
	// The outbox may have begun the delivery in the moment between the commit and the end.
	m.author.arrives(t, rescued, c.GetPublicId(), req.GetText())
	reader.delivered(t, rescued, r.GetId(), req.GetText())
	once(t, m.author, c, reader, r, req)
}

func toADyingReceiver(t *testing.T, place string) {
	f := newFederation(t, options{env: func(int) []string { return failAt(place) }})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	c, _ := m.shared(time.Time{})
	f.members[1].process("review").killed(t)
	f.members[1].again(t)
	n := noticedWithin(t, retried, reader, c)

	r := reader.begin(n)
	req := message("question", "Hoe klonk het "+canaryReview+"?")
	reader.say(r, req)
	f.members[0].process("review").killed(t)
	f.members[0].again(t)
	m.author.arrives(t, retried, c.GetPublicId(), req.GetText())
	reader.delivered(t, retried, r.GetId(), req.GetText())
	once(t, m.author, c, reader, r, req)
	// The owner may have died before it had noted that its notice had arrived.
	deliveredNotices(t, f.members[0], f.members[1], rescued)
}

func noticeFromADyingSender(t *testing.T, place string) {
	f := newFederation(t, options{env: only(0, place)})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	sender := f.members[0]
	c := m.draft(theStory())
	m.yes(c, time.Time{})
	m.release(c)
	req := &casesv1.PublishCaseRequest{Revision: c.GetRevision(), Circle: f.circle}
	refusal, err := m.author.try(http.MethodPost, "/cases/"+c.GetId()+"/publication", req, c)
	if place != failpoint.SenderAfterAck && err == nil {
		t.Fatalf("the sender answered (%v) at a place where it dies", refusal)
	}
	sender.process("cases").killed(t)
	sender.again(t)
	c = m.get(c)
	if published := c.GetStatus() == "published"; published != (place != failpoint.SenderBeforeCommit) {
		t.Fatalf("after the restart the case is %s", c.GetStatus())
	}
	if place != failpoint.SenderAfterAck {
		refusal, err := m.author.try(http.MethodPost, "/cases/"+c.GetId()+"/publication", req, c) // the client tries again
		if err != nil || refusal != nil && refusal.Status != http.StatusForbidden && refusal.Status != http.StatusConflict {
			t.Fatalf("trying again: %v %v", refusal, err)
		}
		if refusal != nil && place == failpoint.SenderBeforeCommit {
			t.Fatalf("nothing was committed, and trying again is refused: %v", refusal)
		}
		c = m.get(c)
	}
	n := noticedWithin(t, rescued, reader, c)
	mustRead(t, reader, n)
	deliveredNotices(t, sender, f.members[1], rescued)
}

func noticedWithin(t *testing.T, within time.Duration, reader *person, c *casesv1.Case) (n *reviewv1.Notice) {
	t.Helper()
	eventually(t, within, "the notice arrives", func() bool {
		n = reader.notice(c.GetPublicId())
		return n != nil
	})
	return n
}

// deliveredNotices waits until the sender has nothing under way; the receiver then took in one notice.
func deliveredNotices(t *testing.T, sender, receiver *node, within time.Duration) {
	t.Helper()
	at, in := sender.admin(t), receiver.admin(t)
	eventually(t, within, "the sender knows that its notice was delivered", func() bool {
		var jobs, completed int
		err := at.QueryRow(t.Context(), `select count(*), count(*) filter (where state = 'completed')
			from outbox.river_job where kind = 'notice'`).Scan(&jobs, &completed)
		if err != nil || jobs != 1 {
			t.Fatalf("%d notices were to be sent (%v)", jobs, err)
		}
		return completed == 1
	})
	var taken, notices int
	err := in.QueryRow(t.Context(), `select (select count(*) from review.inbox where peer = $1), (select count(*) from review.notice where owner = $1)`,
		sender.url).Scan(&taken, &notices)
	if err != nil || taken != 1 || notices != 1 {
		t.Errorf("the receiver took in %d messages and has %d notices (%v)", taken, notices, err)
	}
}

// once looks at both sides: the people's and the tables'.
func once(t *testing.T, author *person, c *casesv1.Case, reader *person, r *reviewv1.Review, req *reviewv1.SubmitMessageRequest) {
	t.Helper()
	if n := len(reader.review(r.GetId()).GetMessages()); n != 1 {
		t.Errorf("the sender has %d messages", n)
	}
	if n := len(saying(author.received(c.GetPublicId()), req.GetText())); n != 1 {
		t.Errorf("the receiver has %d messages", n)
	}
	for _, at := range []*node{author.node, reader.node} {
		var messages int
		if err := at.admin(t).QueryRow(t.Context(), `select count(*) from review.message`).Scan(&messages); err != nil || messages != 1 {
			t.Errorf("%s keeps %d messages (%v)", at.name, messages, err)
		}
	}
}

// A peer that is down for a while loses nothing, and gets it in order.
func TestAPeerThatIsDownGetsEverythingLater(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{})
	owner, other := f.members[0], f.members[1]
	m, reader := f.newTeam(owner), f.newReader(other)
	first, _ := m.shared(time.Time{})
	n := reader.noticed(t, first.GetPublicId())
	r := reader.begin(n)

	if err := owner.stopAll(); err != nil {
		t.Fatal(err)
	}
	said := []*reviewv1.SubmitMessageRequest{
		message("question", "Eerst "+canaryReview), message("reflection", "Dan "+canaryReview), message("learning-point", "Tot slot "+canaryReview),
	}
	for _, s := range said {
		reader.say(r, s)
	}
	for _, msg := range reader.review(r.GetId()).GetMessages() {
		if msg.GetDelivery() != "waiting" {
			t.Errorf("a message to a node that is down is %s", msg.GetDelivery())
		}
	}
	if _, refusal := reader.read(n); refusal == nil || refusal.Status != http.StatusServiceUnavailable || refusal.Reason != "peer-unavailable" {
		t.Errorf("reading at a node that is down: %v", refusal)
	}
	owner.again(t)
	for _, s := range said {
		m.author.arrives(t, retried, first.GetPublicId(), s.GetText())
		reader.delivered(t, retried, r.GetId(), s.GetText())
	}
	for i, msg := range m.author.received(first.GetPublicId()).GetMessages() {
		if msg.GetText() != said[i].GetText() {
			t.Errorf("message %d is another one", i+1)
		}
	}

	// The other way: a notice and its withdrawal, while the reader is down.
	if err := other.stopAll(); err != nil {
		t.Fatal(err)
	}
	second, _ := m.shared(time.Time{})
	third, yes := m.shared(time.Time{})
	m.withdraw(yes.GetReceiptCode())
	other.again(t)
	noticedWithin(t, retried, reader, second)
	closed := func() bool {
		var state string
		err := other.admin(t).QueryRow(t.Context(), `select state from review.notice where case_public_id = $1`, third.GetPublicId()).Scan(&state)
		return err == nil && state == "closed"
	}
	eventually(t, retried, "the notice of the case that was withdrawn is closed", closed)
	if reader.notice(third.GetPublicId()) != nil {
		t.Error("a case that was withdrawn is in the list")
	}
}
