package review_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

// received: the owner's side of a dialogue, from its first message on.
func (s suite) received(t *testing.T) {
	author, reader, id := reviewtest.Author(), servetest.PeerReader("p-received"), uuid.NewString()
	r := s.Received(t, author, reader, id)
	if r.GetSide() != "owner" || r.GetPeer() != servetest.Peer || r.GetCasePublicId() != id || r.GetCaseId() == "" || r.GetState() != "open" {
		t.Fatalf("review %v", r)
	}
	if m := r.GetMessages()[0]; m.GetFromSide() != "reader" || m.GetDelivery() != "" || m.GetText() == "" {
		t.Fatalf("message %v", m)
	}
	ok(s.draft(t, author, r.GetId(), "answer", "concept"))(t)
	got := ok(s.submit1(t, author, r.GetId(), "answer", "Omdat het stil werd."))(t)
	ok(0, s.receive(t, reader, reviewtest.Question(r.GetId(), id, 2)))(t)
	got = ok(s.get(t, author, got.GetId()))(t)
	if len(got.GetMessages()) != 3 || got.GetDraft() != nil {
		t.Fatalf("dialogue %v", got)
	}
	_, err := s.get(t, reviewtest.Author(), r.GetId())
	want(t, err, notFound)
	if len(s.reviews(t, author)) != 1 || len(s.reviews(t, reviewtest.Author())) != 0 {
		t.Fatal("lists")
	}
}

// withdrawal: an answer is refused from the moment that the yes is gone, the author
// still reads, and nothing more comes in.
func (s suite) withdrawal(t *testing.T) {
	author, reader, id := reviewtest.Author(), servetest.PeerReader("p-withdrawal"), uuid.NewString()
	r := s.Received(t, author, reader, id)
	ok(s.draft(t, author, r.GetId(), "answer", "concept"))(t)
	s.Cases.Withdraw(id)
	_, err := s.submit1(t, author, r.GetId(), "answer", "te laat")
	want(t, err, refused, "case.closed")
	s.lastLogged(t, r.GetId(), "review.submit", false, "case.closed")
	_, err = s.draft(t, author, r.GetId(), "answer", "te laat")
	want(t, err, refused, "case.closed")
	if list := s.reviews(t, author); len(list) != 1 || list[0].GetState() != "closed" {
		t.Fatalf("list %v", list)
	}
	s.Cases.Close(id)
	got := ok(s.get(t, author, r.GetId()))(t)
	if got.GetState() != "closed" || got.GetDraft().GetText() != "concept" || len(got.GetMessages()) != 1 {
		t.Fatalf("review %v", got)
	}
	if state := one[string](t, s, "select state from review.dialogue where id = $1", r.GetId()); state != "closed" {
		t.Fatal("the closing is not kept")
	}
	want(t, s.receive(t, reader, reviewtest.Question(r.GetId(), id, 2)), refused, "case.closed")
	// What came in before is acknowledged all the same: its sender may not know that it did.
	again := reviewtest.Question(r.GetId(), id, 1)
	again.MessageId = got.GetMessages()[0].GetId()
	ok(0, s.receive(t, reader, again))(t)
	// The window of the draft runs from when the closing was noticed.
	over := s.later(author, 14*day)
	if got := ok(s.get(t, over, r.GetId()))(t); got.GetDraft() != nil || len(got.GetMessages()) != 1 {
		t.Fatalf("after the window %v", got)
	}
	if one[bool](t, s, "select exists (select from review.draft where dialogue_id = $1)", r.GetId()) {
		t.Fatal("the draft was not removed")
	}
	// A new yes opens the dialogue again.
	s.Cases.Publish(id, author.GetSubject())
	s.Cases.Change(id, func(f *casesv1.CaseFacts) { f.Id = r.GetCaseId() })
	author.Time = nil
	ok(0, s.receive(t, reader, reviewtest.Question(r.GetId(), id, 2)))(t)
	state := one[string](t, s, "select state from review.dialogue where id = $1", r.GetId())
	if state != "open" {
		t.Fatal("the opening is not kept")
	}
	s.Cases.Withdraw(id)
	ok(s.get(t, author, r.GetId()))(t)
	s.Cases.Change(id, func(f *casesv1.CaseFacts) { f.GrantState = "granted" })
	if got := ok(s.submit1(t, author, r.GetId(), "answer", "opnieuw"))(t); got.GetState() != "open" || got.GetDraftUntilTime() != nil {
		t.Fatalf("reopened %v", got)
	}
	if state := one[string](t, s, "select state from review.dialogue where id = $1", r.GetId()); state != "open" {
		t.Fatal("the opening is not kept")
	}
}

func (s suite) receivedLists(t *testing.T) {
	author := reviewtest.Author()
	reviewerToo := servetest.Person(author.GetSubject(), "team-oost", "professional", "reviewer")
	all := map[string]bool{s.Started(t, reviewerToo, uuid.NewString()).GetId(): true}
	for range 4 {
		all[s.Received(t, author, servetest.PeerReader(uuid.NewString()), uuid.NewString()).GetId()] = true
	}
	token, pages := "", 0
	for {
		l := ok(s.Review.ListReviews(s.As(t.Context(), author), &reviewv1.ListReviewsRequest{PageSize: 2, PageToken: token}))(t)
		for _, r := range l.GetReviews() {
			if !all[r.GetId()] || len(r.GetMessages()) != 0 {
				t.Fatalf("list holds %v", r)
			}
			delete(all, r.GetId())
		}
		pages++
		if token = l.GetNextPageToken(); token == "" {
			break
		}
	}
	if len(all) != 0 || pages != 3 {
		t.Fatalf("%d missing, %d pages", len(all), pages)
	}
}

// readerRefusals: what a reader of another organisation may be told, case by case.
func (s suite) readerRefusals(t *testing.T) {
	reader := func(change func(*identityv1.Caller)) *identityv1.Caller {
		c := servetest.PeerReader("p")
		change(c)
		return c
	}
	plain := func(*identityv1.Caller) {}
	same := func(*casesv1.CaseFacts) {}
	for name, c := range map[string]struct {
		who    func(*identityv1.Caller)
		change func(*casesv1.CaseFacts)
		reason faultv1.Reason
		code   string
	}{
		"withdrawn":            {plain, func(f *casesv1.CaseFacts) { f.GrantState = "withdrawn" }, refused, "case.closed"},
		"closed":               {plain, func(f *casesv1.CaseFacts) { f.Status, f.ClosedReason = "closed", "removed" }, refused, "case.closed"},
		"paused":               {plain, func(f *casesv1.CaseFacts) { f.Status = "paused" }, refused, "case.closed"},
		"expired":              {plain, func(f *casesv1.CaseFacts) { f.GrantUntil = "2026-11-02T00:00:00.000000Z" }, refused, "case.closed"},
		"another circle":       {func(c *identityv1.Caller) { c.Circles = nil }, same, refused, "circle.no_agreement"},
		"not a reviewer":       {func(c *identityv1.Caller) { c.Roles = []string{"notifier"} }, same, refused, "case.closed"},
		"suspended":            {func(c *identityv1.Caller) { c.OrganisationState = "suspended" }, same, refused, "case.closed"},
		"without a trust mark": {func(c *identityv1.Caller) { c.TrustMarks = nil }, same, refused, "case.closed"},
		"not told of the case": {plain, func(f *casesv1.CaseFacts) { f.Noticed, f.GrantState = false, "absent" }, notFound, ""},
	} {
		id := uuid.NewString()
		s.Cases.Publish(id, "author")
		s.Cases.Change(id, c.change)
		err := s.receive(t, reader(c.who), reviewtest.Question(uuid.NewString(), id, 1))
		if fault.ReasonOf(err) != c.reason || c.code != "" && fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v (%s)", name, err, fault.CodeOf(err))
		}
		if one[bool](t, s, "select exists (select from review.dialogue where case_public_id = $1)", id) {
			t.Errorf("%s: a dialogue was made", name)
		}
	}
	want(t, s.receive(t, servetest.PeerReader("p"), reviewtest.Question(uuid.NewString(), "no-such-case-at-all", 1)), notFound)
	s.lastLogged(t, "no-such-case-at-all", "review.receive", false, "resource.unknown")
}

// mismatches: a message of another organisation, person, case or side is not of this dialogue.
func (s suite) mismatches(t *testing.T) {
	author, id, another := reviewtest.Author(), uuid.NewString(), uuid.NewString()
	reader := servetest.PeerReader("p-mismatch")
	r := s.Received(t, author, reader, id)
	s.Cases.Publish(another, author.GetSubject())
	stranger := servetest.PeerReader("p-mismatch")
	stranger.Organisation = "https://west.example"
	rows := func() int {
		return one[int](t, s, "select count(*)::int from review.message where dialogue_id = $1", r.GetId())
	}
	for name, c := range map[string]struct {
		who *identityv1.Caller
		req *reviewv1.ReceiveMessageRequest
	}{
		"another organisation": {stranger, reviewtest.Question(r.GetId(), id, 2)},
		"another person":       {servetest.PeerReader("p-other"), reviewtest.Question(r.GetId(), id, 2)},
		"another case":         {reader, reviewtest.Question(r.GetId(), another, 2)},
		"the other side":       {reader, reviewtest.Answer(r.GetId(), id, 1)},
		"an unknown dialogue":  {reader, reviewtest.Answer(uuid.NewString(), id, 1)},
	} {
		if err := s.receive(t, c.who, c.req); fault.ReasonOf(err) != notFound {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rows() != 1 {
		t.Fatalf("%d messages", rows())
	}
	want(t, s.receive(t, stranger, reviewtest.Question(r.GetId(), id, 2)), notFound)
	s.lastLogged(t, r.GetCaseId(), "review.receive", false, "review.other_organisation")
	// Our own dialogue as a reader is not one on a case of ours, whoever knows its id.
	mine := s.Started(t, reviewtest.Reviewer(), uuid.NewString())
	want(t, s.receive(t, reader, reviewtest.Question(mine.GetId(), id, 1)), notFound)
	s.Cases.Publish(mine.GetCasePublicId(), author.GetSubject())
	want(t, s.receive(t, reader, reviewtest.Question(mine.GetId(), mine.GetCasePublicId(), 1)), notFound)
}

// answers: the reader's side takes in what the owner of the case says, and nobody else.
func (s suite) answers(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	r := s.Started(t, who, id)
	author := servetest.PeerReader("author-there")
	ok(s.submit1(t, who, r.GetId(), "question", "Wat maakte dat je bleef?"))(t)
	ok(0, s.receive(t, author, reviewtest.Answer(r.GetId(), id, 1)))(t)
	s.lastLogged(t, r.GetId(), "review.receive", true, "")
	equal(t, texts(ok(s.get(t, who, r.GetId()))(t)), "Wat maakte dat je bleef?", "Omdat het stil werd.")
	stranger := servetest.PeerReader("author-there")
	stranger.Organisation = "https://west.example"
	want(t, s.receive(t, stranger, reviewtest.Answer(r.GetId(), id, 2)), notFound)
	s.lastLogged(t, r.GetId(), "review.receive", false, "review.other_organisation")
	want(t, s.receive(t, author, reviewtest.Answer(r.GetId(), uuid.NewString(), 2)), notFound)
	ok(0, s.notice(t, reviewtest.Notifier(), "closed", id, 2))(t)
	want(t, s.receive(t, author, reviewtest.Answer(r.GetId(), id, 2)), refused, "case.closed")
	s.lastLogged(t, r.GetId(), "review.receive", false, "case.closed")
}

// order: messages are read by their writer's numbers, whatever came in first and whatever a clock said.
func (s suite) order(t *testing.T) {
	author, id := reviewtest.Author(), uuid.NewString()
	reader := servetest.PeerReader("p-order")
	s.Cases.Publish(id, author.GetSubject())
	dialogue := uuid.NewString()
	base := s.Clock.Now().Add(-time.Hour)
	for _, n := range []uint32{3, 1, 4, 2} {
		m := reviewtest.Question(dialogue, id, n)
		m.Text, m.SubmitTime = string(rune('0'+n)), timestamppb.New(base.Add(-time.Duration(n)*time.Minute))
		ok(0, s.receive(t, reader, m))(t)
		ok(0, s.receive(t, reader, m))(t) // again
	}
	equal(t, texts(ok(s.get(t, author, dialogue))(t)), "1", "2", "3", "4")
}

func (s suite) badMessages(t *testing.T) {
	author, id := reviewtest.Author(), uuid.NewString()
	reader := servetest.PeerReader("p-bad")
	r := s.Received(t, author, reader, id)
	for name, change := range map[string]func(*reviewv1.ReceiveMessageRequest){
		"no number":      func(m *reviewv1.ReceiveMessageRequest) { m.Sequence = 0 },
		"a used number":  func(m *reviewv1.ReceiveMessageRequest) { m.Sequence = 1 },
		"owner's kind":   func(m *reviewv1.ReceiveMessageRequest) { m.Kind = "answer" },
		"unknown kind":   func(m *reviewv1.ReceiveMessageRequest) { m.Kind = "grade" },
		"no words":       func(m *reviewv1.ReceiveMessageRequest) { m.Text = "" },
		"no time at all": func(m *reviewv1.ReceiveMessageRequest) { m.SubmitTime = &timestamppb.Timestamp{Nanos: -1} },
		"a used id":      func(m *reviewv1.ReceiveMessageRequest) { m.MessageId = s.usedMessage(t) },
		"not a side":     func(m *reviewv1.ReceiveMessageRequest) { m.FromSide = "both" },
		"no message id":  func(m *reviewv1.ReceiveMessageRequest) { m.MessageId = "1" },
	} {
		m := reviewtest.Question(r.GetId(), id, 2)
		change(m)
		if err := s.receive(t, reader, m); fault.ReasonOf(err) != invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A clock that is ahead comes back to ours, so that an answer does not seem to come before its question.
	m := reviewtest.Question(r.GetId(), id, 2)
	m.SubmitTime = timestamppb.New(s.Clock.Now().Add(48 * time.Hour))
	ok(0, s.receive(t, reader, m))(t)
	got := ok(s.get(t, author, r.GetId()))(t)
	if len(got.GetMessages()) != 2 || got.GetMessages()[1].GetSubmitTime().AsTime().After(s.Clock.Now()) {
		t.Fatalf("messages %v", got.GetMessages())
	}
}

// usedMessage is the id of a message of ours, that the other side knows.
func (s suite) usedMessage(t *testing.T) string {
	who := reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	return ok(s.submit1(t, who, r.GetId(), "question", "x"))(t).GetMessages()[0].GetId()
}

func (s suite) concurrentDelivery(t *testing.T) {
	author, id, reader := reviewtest.Author(), uuid.NewString(), servetest.PeerReader("p-many")
	s.Cases.Publish(id, author.GetSubject())
	m := reviewtest.Question(uuid.NewString(), id, 1)
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, err := s.Review.ReceiveMessage(s.background(reader), m); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for table, sql := range map[string]string{
		"message":  "select count(*)::int from review.message where dialogue_id = $1",
		"key":      "select count(*)::int from review.dialogue_key where dialogue_id = $1",
		"dialogue": "select count(*)::int from review.dialogue where id = $1",
	} {
		if n := one[int](t, s, sql, m.GetDialogueId()); n != 1 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if n := one[int](t, s, "select count(*)::int from review.inbox where message_id = $1", m.GetMessageId()); n != 1 {
		t.Errorf("%d in the inbox", n)
	}
	if got := ok(s.get(t, author, m.GetDialogueId()))(t); len(got.GetMessages()) != 1 {
		t.Fatalf("%d messages", len(got.GetMessages()))
	}
}

// firstMessagesAtOnce: two messages that both find no dialogue make one.
func (s suite) firstMessagesAtOnce(t *testing.T) {
	for range 5 {
		author, id, reader := reviewtest.Author(), uuid.NewString(), servetest.PeerReader("p-two")
		s.Cases.Publish(id, author.GetSubject())
		first := reviewtest.Question(uuid.NewString(), id, 1)
		second := proto.CloneOf(first)
		second.MessageId, second.Sequence = uuid.NewString(), 2
		var wg sync.WaitGroup
		for _, m := range []*reviewv1.ReceiveMessageRequest{first, second} {
			wg.Go(func() {
				if _, err := s.Review.ReceiveMessage(s.background(reader), m); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := ok(s.get(t, author, first.GetDialogueId()))(t); len(got.GetMessages()) != 2 {
			t.Fatalf("%d messages", len(got.GetMessages()))
		}
	}
}
