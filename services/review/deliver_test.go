package review_test

import (
	"testing"

	"github.com/google/uuid"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

func (s suite) outgoing(t *testing.T, id string) (*reviewv1.OutgoingMessage, error) {
	t.Helper()
	return s.Review.GetOutgoing(s.As(t.Context(), servetest.Worker("delivery")), &reviewv1.GetOutgoingRequest{MessageId: id})
}

func (s suite) mark(t *testing.T, id, delivery string) error {
	t.Helper()
	return err2(s.Review.MarkDelivery(s.As(t.Context(), servetest.Worker("delivery")),
		&reviewv1.MarkDeliveryRequest{MessageId: id, Delivery: delivery}))
}

func (s suite) deliver(t *testing.T) {
	who, author, id := reviewtest.Reviewer(), reviewtest.Author(), uuid.NewString()
	r := s.Started(t, who, id)
	r = ok(s.Review.SubmitMessage(s.As(t.Context(), who), &reviewv1.SubmitMessageRequest{
		RequestId: uuid.NewString(), ReviewId: r.GetId(), Kind: "closing-questions", Text: "Tot slot.",
		ClosingAnswers: []*reviewv1.ClosingAnswer{{Question: "do-or-leave", Text: "We laten het zo."}},
	}))(t)
	m := r.GetMessages()[0]
	out := ok(s.outgoing(t, m.GetId()))(t)
	w := out.GetMessage()
	if !out.GetWaiting() || out.GetPeer() != servetest.Peer || out.GetWriter() != who.GetSubject() ||
		w.GetMessageId() != m.GetId() || w.GetDialogueId() != r.GetId() || w.GetCasePublicId() != id || w.GetFromSide() != "reader" ||
		w.GetKind() != "closing-questions" || w.GetText() != "Tot slot." || len(w.GetClosingAnswers()) != 1 || w.GetSequence() != 1 ||
		!w.GetSubmitTime().AsTime().Equal(s.Clock.Now()) {
		t.Fatalf("outgoing %v", out)
	}
	s.lastLogged(t, m.GetId(), "review.deliver", true, "")
	ok(0, s.mark(t, m.GetId(), "delivered"))(t)
	ok(0, s.mark(t, m.GetId(), "refused"))(t) // the first outcome stands
	s.lastLogged(t, m.GetId(), "review.mark-delivery", true, "")
	if got := ok(s.get(t, who, r.GetId()))(t); got.GetMessages()[0].GetDelivery() != "delivered" {
		t.Fatalf("delivery %v", got.GetMessages()[0])
	}
	if out := ok(s.outgoing(t, m.GetId()))(t); out.GetWaiting() || out.GetMessage() != nil {
		t.Fatalf("delivered and still going out: %v", out)
	}
	// The owner's side sends in the author's name.
	received := s.Received(t, author, servetest.PeerReader("p"), uuid.NewString())
	answered := ok(s.submit1(t, author, received.GetId(), "answer", "Omdat het stil werd."))(t)
	for _, m := range answered.GetMessages() {
		if m.GetFromSide() == "owner" {
			if out := ok(s.outgoing(t, m.GetId()))(t); !out.GetWaiting() || out.GetWriter() != author.GetSubject() || out.GetMessage().GetFromSide() != "owner" {
				t.Fatalf("outgoing %v", out)
			}
			continue
		}
		_, err := s.outgoing(t, m.GetId()) // came in
		want(t, err, notFound)
		want(t, s.mark(t, m.GetId(), "delivered"), notFound)
	}
	want(t, s.mark(t, m.GetId(), "lost"), invalid)
}

// answerTooLate: what waited until after a withdrawal is not sent.
func (s suite) answerTooLate(t *testing.T) {
	author, id := reviewtest.Author(), uuid.NewString()
	r := s.Received(t, author, servetest.PeerReader("p-late"), id)
	r = ok(s.submit1(t, author, r.GetId(), "answer", "Omdat het stil werd."))(t)
	m := r.GetMessages()[1]
	s.Cases.Withdraw(id)
	if out := ok(s.outgoing(t, m.GetId()))(t); out.GetWaiting() || out.GetMessage() != nil {
		t.Fatalf("outgoing %v", out)
	}
	if got := ok(s.get(t, author, r.GetId()))(t); got.GetMessages()[1].GetDelivery() != "refused" {
		t.Fatalf("delivery %v", got.GetMessages()[1])
	}
}

type call struct {
	action string
	do     func(who *identityv1.Caller, id string) error
}

// calls are all RPCs on one resource.
func (s suite) calls(t *testing.T) []call {
	return []call{
		{"notice.open", func(who *identityv1.Caller, id string) error {
			return err2(s.Review.ReadSharedCase(s.As(t.Context(), who), &reviewv1.ReadSharedCaseRequest{NoticeId: id}))
		}},
		{"review.start", func(who *identityv1.Caller, id string) error {
			return err2(s.Review.StartReview(s.As(t.Context(), who), &reviewv1.StartReviewRequest{RequestId: uuid.NewString(), NoticeId: id}))
		}},
		{"review.read", func(who *identityv1.Caller, id string) error { return err2(s.get(t, who, id)) }},
		{"review.draft", func(who *identityv1.Caller, id string) error { return err2(s.draft(t, who, id, "question", "x")) }},
		{"review.submit", func(who *identityv1.Caller, id string) error { return err2(s.submit1(t, who, id, "question", "x")) }},
		{"review.deliver", func(who *identityv1.Caller, id string) error {
			return err2(s.Review.GetOutgoing(s.As(t.Context(), who), &reviewv1.GetOutgoingRequest{MessageId: id}))
		}},
		{"review.mark-delivery", func(who *identityv1.Caller, id string) error {
			return err2(s.Review.MarkDelivery(s.As(t.Context(), who), &reviewv1.MarkDeliveryRequest{MessageId: id, Delivery: "delivered"}))
		}},
		{"review.receive", func(who *identityv1.Caller, id string) error {
			return s.receive(t, who, reviewtest.Answer(id, "no-such-case-at-all", 1))
		}},
	}
}

// unknown: every RPC about what does not exist gives the one answer, and is recorded.
func (s suite) unknown(t *testing.T) {
	for _, c := range s.calls(t) {
		who := reviewtest.Reviewer()
		switch c.action {
		case "review.deliver", "review.mark-delivery":
			who = servetest.Worker("delivery")
		case "review.receive":
			who = servetest.PeerReader("p")
		}
		id := uuid.NewString()
		if err := c.do(who, id); fault.ReasonOf(err) != notFound {
			t.Errorf("%s: %v", c.action, err)
		}
		s.lastLogged(t, id, c.action, false, "")
	}
}

// wrongCaller: every RPC refuses, and records, a caller of another sort.
func (s suite) wrongCaller(t *testing.T) {
	for _, c := range s.calls(t) {
		id := uuid.NewString()
		who := servetest.PeerReader("p")
		if c.action == "review.receive" {
			who = reviewtest.Reviewer()
		}
		if err := c.do(who, id); fault.ReasonOf(err) != notFound {
			t.Errorf("%s: %v", c.action, err)
		}
		s.lastLogged(t, id, c.action, false, "caller.not_allowed")
	}
	for name, err := range map[string]error{
		"notices": err2(s.Review.ListNotices(s.As(t.Context(), servetest.PeerReader("p")), &reviewv1.ListNoticesRequest{})),
		"reviews": err2(s.Review.ListReviews(s.As(t.Context(), servetest.PeerReader("p")), &reviewv1.ListReviewsRequest{})),
		"notice":  s.notice(t, reviewtest.Reviewer(), "opened", uuid.NewString(), 1),
	} {
		if err == nil {
			t.Errorf("%s: answered", name)
		}
	}
}
