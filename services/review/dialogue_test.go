package review_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

const day = 24 * time.Hour

func (s suite) start(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	n := s.Noticed(t, who, id)
	req := &reviewv1.StartReviewRequest{RequestId: uuid.NewString(), NoticeId: n.GetId()}
	ctx := s.As(t.Context(), who)
	r := ok(s.Review.StartReview(ctx, req))(t)
	if r.GetSide() != "reader" || r.GetPeer() != servetest.Peer || r.GetCasePublicId() != id || r.GetNoticeId() != n.GetId() ||
		r.GetCaseId() != "" || r.GetState() != "open" || r.GetDraft() != nil || len(r.GetMessages()) != 0 {
		t.Fatalf("review %v", r)
	}
	if uuid.MustParse(r.GetId()).Version() != 4 {
		t.Fatal("an id that crosses organisations tells its time")
	}
	s.lastLogged(t, n.GetId(), "review.start", true, "")
	again := ok(s.Review.StartReview(ctx, req))(t)
	req.RequestId = uuid.NewString()
	anew := ok(s.Review.StartReview(ctx, req))(t)
	if again.GetId() != r.GetId() || anew.GetId() != r.GetId() {
		t.Fatal("more than one review of one case by one reviewer")
	}
	if other := ok(s.Review.StartReview(s.As(t.Context(), reviewtest.Reviewer()), req))(t); other.GetId() == r.GetId() {
		t.Fatal("two reviewers in one dialogue")
	}
	// One request starts one review: for another case it starts nothing.
	req.NoticeId = s.Noticed(t, who, uuid.NewString()).GetId()
	ok(s.Review.StartReview(ctx, req))(t)
	_, err := s.Review.StartReview(ctx, &reviewv1.StartReviewRequest{
		RequestId: req.GetRequestId(), NoticeId: s.Noticed(t, who, uuid.NewString()).GetId(),
	})
	want(t, err, invalid)
	req.NoticeId = n.GetId()
	_, err = s.Review.StartReview(s.As(t.Context(), reviewtest.Author()), req)
	want(t, err, notFound)
	ok(0, s.notice(t, reviewtest.Notifier(), "closed", id, 2))(t)
	_, err = s.Review.StartReview(s.As(t.Context(), reviewtest.Reviewer()), req)
	want(t, err, refused, "case.closed")
	s.lastLogged(t, n.GetId(), "review.start", false, "case.closed")
}

// startWhileClosing: a dialogue that starts while its case closes is closed as well.
func (s suite) startWhileClosing(t *testing.T) {
	for range 8 {
		who, id := reviewtest.Reviewer(), uuid.NewString()
		n := s.Noticed(t, who, id)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = s.Review.StartReview(s.background(who), &reviewv1.StartReviewRequest{RequestId: uuid.NewString(), NoticeId: n.GetId()})
		})
		wg.Go(func() {
			if err := s.notice(t, reviewtest.Notifier(), "closed", id, 2); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if one[bool](t, s, "select exists (select from review.dialogue where case_public_id = $1 and state = 'open')", id) {
			t.Fatal("an open dialogue about a closed case")
		}
	}
}

// drafts: of two tabs one text stays, whole.
func (s suite) drafts(t *testing.T) {
	who := reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	both := []string{strings.Repeat("een ", 500), strings.Repeat("twee ", 500)}
	var wg sync.WaitGroup
	for i, text := range both {
		wg.Go(func() {
			for range 5 {
				if _, err := s.draft(t, who, r.GetId(), []string{"question", "reflection"}[i], text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d := ok(s.get(t, who, r.GetId()))(t).GetDraft()
	if !(d.GetKind() == "question" && d.GetText() == both[0]) && !(d.GetKind() == "reflection" && d.GetText() == both[1]) {
		t.Fatalf("a mixture of two drafts: %s", d.GetKind())
	}
	if d.GetUpdateTime() == nil {
		t.Fatal("no time")
	}
	if got := ok(s.draft(t, who, r.GetId(), "reflection", "drie"))(t); got.GetDraft().GetText() != "drie" {
		t.Fatalf("draft %v", got.GetDraft())
	}
	s.lastLogged(t, r.GetId(), "review.draft", true, "")
	_, err := s.draft(t, who, r.GetId(), "answer", "dat is aan de schrijver")
	want(t, err, invalid)
	if list := s.reviews(t, who); len(list) != 1 || list[0].GetDraft() != nil || len(list[0].GetMessages()) != 0 {
		t.Fatalf("list %v", list)
	}
}

func (s suite) reviews(t *testing.T, who *identityv1.Caller) []*reviewv1.Review {
	t.Helper()
	return ok(s.Review.ListReviews(s.As(t.Context(), who), &reviewv1.ListReviewsRequest{}))(t).GetReviews()
}

// anothersReview: a colleague with the same role gets the answer of what is not there.
func (s suite) anothersReview(t *testing.T) {
	who, colleague := reviewtest.Reviewer(), reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	ok(s.draft(t, who, r.GetId(), "question", "concept"))(t)
	_, err := s.get(t, colleague, r.GetId())
	want(t, err, notFound)
	s.lastLogged(t, r.GetId(), "review.read", false, "review.not_yours")
	_, err = s.draft(t, colleague, r.GetId(), "question", "van een ander")
	want(t, err, notFound)
	_, err = s.submit1(t, colleague, r.GetId(), "question", "van een ander")
	want(t, err, notFound)
	if len(s.reviews(t, colleague)) != 0 {
		t.Fatal("in another's list")
	}
	if got := ok(s.get(t, who, r.GetId()))(t); got.GetDraft().GetText() != "concept" {
		t.Fatal("the draft is another one")
	}
}

func (s suite) submit(t *testing.T) {
	who := reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	ok(s.draft(t, who, r.GetId(), "question", "Wat maakte"))(t)
	req := &reviewv1.SubmitMessageRequest{RequestId: uuid.NewString(), ReviewId: r.GetId(), Kind: "question", Text: "Wat maakte dat je bleef?"}
	ctx := s.As(t.Context(), who)
	first := ok(s.Review.SubmitMessage(ctx, req))(t)
	s.lastLogged(t, r.GetId(), "review.submit", true, "")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Review.SubmitMessage(s.background(who), req); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	other := &reviewv1.SubmitMessageRequest{RequestId: req.GetRequestId(), ReviewId: r.GetId(), Kind: "question", Text: "Iets anders?"}
	_, err := s.Review.SubmitMessage(ctx, other)
	want(t, err, invalid)
	got := ok(s.submit1(t, who, r.GetId(), "reflection", "Je wachtte."))(t)
	equal(t, texts(got), "Wat maakte dat je bleef?", "Je wachtte.")
	m := got.GetMessages()[0]
	if first.GetDraft() != nil || m.GetId() != first.GetMessages()[0].GetId() || m.GetDelivery() != "waiting" || m.GetFromSide() != "reader" ||
		m.GetSubmitTime() == nil {
		t.Fatalf("message %v", m)
	}
	jobs := one[int](t, s, `select count(*)::int from outbox.river_job as j join review.message as m on m.id::text = j.args->>'message_id'
		where j.kind = 'message' and m.dialogue_id = $1`, r.GetId())
	if jobs != 2 {
		t.Fatalf("%d deliveries of two messages", jobs)
	}
}

// submitAtOnce: messages of one side get numbers of their own, without a gap.
func (s suite) submitAtOnce(t *testing.T) {
	who := reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	const many = 12
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			if _, err := s.submit1(t, who, r.GetId(), "question", "x"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := one[int](t, s, "select max(sequence)::int from review.message where dialogue_id = $1 having count(*) = $2", r.GetId(), many); n != many {
		t.Fatalf("the last of %d messages has number %d", many, n)
	}
}

// submitWhileClosing: of two at once one comes first; a message that was taken is one from before the closing.
func (s suite) submitWhileClosing(t *testing.T) {
	for range 8 {
		who, id := reviewtest.Reviewer(), uuid.NewString()
		r := s.Started(t, who, id)
		var taken bool
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := s.submit1(t, who, r.GetId(), "question", "x")
			if taken = err == nil; !taken && fault.CodeOf(err) != "case.closed" {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := s.notice(t, reviewtest.Notifier(), "closed", id, 2); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		got := ok(s.get(t, who, r.GetId()))(t)
		if got.GetState() != "closed" || (len(got.GetMessages()) == 1) != taken {
			t.Fatalf("taken %v, review %v", taken, got)
		}
	}
}

// closedMeanwhile: what counts is the state that the message's transaction found, not the one read before.
func (s suite) closedMeanwhile(t *testing.T) {
	who := reviewtest.Reviewer()
	r := s.Started(t, who, uuid.NewString())
	tx := ok(s.DB.Admin().Begin(t.Context()))(t)
	defer tx.Rollback(context.Background())
	ok(tx.Exec(t.Context(), "select from review.dialogue where id = $1 for update", r.GetId()))(t)
	pid := ok(pgx.CollectExactlyOneRow(ok(tx.Query(t.Context(), "select pg_backend_pid()"))(t), pgx.RowTo[int32]))(t)
	answer := make(chan error, 1)
	go func() {
		_, err := s.submit1(t, who, r.GetId(), "question", "x")
		answer <- err
	}()
	for !one[bool](t, s, "select exists (select from pg_stat_activity where $1 = any(pg_blocking_pids(pid)))", pid) {
		runtime.Gosched()
	}
	ok(tx.Exec(t.Context(), "update review.dialogue set state = 'closed', closed_time = $2, draft_until = $3 where id = $1",
		r.GetId(), s.Clock.Now(), s.Clock.Now().Add(14*day)))(t)
	ok(0, tx.Commit(t.Context()))(t)
	want(t, <-answer, refused, "case.closed")
}

func (s suite) words(t *testing.T) {
	reader, author := reviewtest.Reviewer(), reviewtest.Author()
	mine := s.Started(t, reader, uuid.NewString())
	theirs := s.Received(t, author, servetest.PeerReader("p"), uuid.NewString())
	answers := []*reviewv1.ClosingAnswer{{Question: "whose-question", Text: "Van de bewoner."}}
	empty := []*reviewv1.ClosingAnswer{{Question: "whose-question", Text: " "}}
	for name, c := range map[string]struct {
		who     *identityv1.Caller
		id      string
		kind    string
		text    string
		answers []*reviewv1.ClosingAnswer
		ok      bool
	}{
		"question":                     {reader, mine.GetId(), "question", "x", nil, true},
		"reflection":                   {reader, mine.GetId(), "reflection", "x", nil, true},
		"reader's learning point":      {reader, mine.GetId(), "learning-point", "x", nil, true},
		"reader's closing":             {reader, mine.GetId(), "closing-questions", "", answers, true},
		"reader's answer":              {reader, mine.GetId(), "answer", "x", nil, false},
		"answer":                       {author, theirs.GetId(), "answer", "x", nil, true},
		"owner's learning point":       {author, theirs.GetId(), "learning-point", "x", nil, true},
		"owner's closing":              {author, theirs.GetId(), "closing-questions", "", answers, true},
		"owner's question":             {author, theirs.GetId(), "question", "x", nil, false},
		"owner's reflection":           {author, theirs.GetId(), "reflection", "x", nil, false},
		"no words":                     {reader, mine.GetId(), "question", " \n", nil, false},
		"only empty answers":           {reader, mine.GetId(), "closing-questions", "", empty, false},
		"words alone close as well":    {reader, mine.GetId(), "closing-questions", "We laten het zo.", nil, true},
		"closing answers elsewhere":    {reader, mine.GetId(), "question", "x", answers, false},
		"a kind that nobody may write": {reader, mine.GetId(), "grade", "x", nil, false},
	} {
		r, err := s.Review.SubmitMessage(s.As(t.Context(), c.who), &reviewv1.SubmitMessageRequest{
			RequestId: uuid.NewString(), ReviewId: c.id, Kind: c.kind, Text: c.text, ClosingAnswers: c.answers,
		})
		if c.ok {
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			found := false
			for _, m := range r.GetMessages() {
				found = found || m.GetKind() == c.kind && m.GetText() == c.text && len(m.GetClosingAnswers()) == len(c.answers)
			}
			if !found {
				t.Errorf("%s: not among the messages", name)
			}
			continue
		}
		want(t, err, invalid)
	}
}

// closing: nothing is added after the notice; the draft stays readable, and a newer
// opening gives everything back.
func (s suite) closing(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	r := s.Started(t, who, id)
	ok(s.draft(t, who, r.GetId(), "question", "concept"))(t)
	ok(0, s.notice(t, reviewtest.Notifier(), "closed", id, 3))(t)
	_, err := s.submit1(t, who, r.GetId(), "question", "te laat")
	want(t, err, refused, "case.closed")
	s.lastLogged(t, r.GetId(), "review.submit", false, "case.closed")
	_, err = s.draft(t, who, r.GetId(), "question", "te laat")
	want(t, err, refused, "case.closed")
	got := ok(s.get(t, who, r.GetId()))(t)
	until := s.Clock.Now().Add(14 * day)
	if got.GetState() != "closed" || got.GetDraft().GetText() != "concept" || !got.GetDraftUntilTime().AsTime().Equal(until) {
		t.Fatalf("closed review %v", got)
	}
	ok(0, s.notice(t, reviewtest.Notifier(), "opened", id, 2))(t) // late
	_, err = s.submit1(t, who, r.GetId(), "question", "te laat")
	want(t, err, refused, "case.closed")
	ok(0, s.notice(t, reviewtest.Notifier(), "opened", id, 4))(t)
	got = ok(s.submit1(t, who, r.GetId(), "question", "op tijd"))(t)
	if got.GetState() != "open" || got.GetDraftUntilTime() != nil {
		t.Fatalf("reopened review %v", got)
	}
}

func (s suite) draftWindow(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	r := s.Started(t, who, id)
	ok(s.draft(t, who, r.GetId(), "question", "concept"))(t)
	ok(0, s.notice(t, reviewtest.Notifier(), "closed", id, 2))(t)
	drafts := func() int {
		return one[int](t, s, "select count(*)::int from review.draft where dialogue_id = $1", r.GetId())
	}
	almost := s.later(who, 14*day-time.Second)
	if got := ok(s.get(t, almost, r.GetId()))(t); got.GetDraft().GetText() != "concept" || len(s.reviews(t, almost)) != 1 {
		t.Fatalf("the draft is gone too early: %v", got)
	}
	// Another notice comes in, a second too early and then in time.
	ok(0, s.notice(t, s.later(reviewtest.Notifier(), 14*day-time.Second), "opened", uuid.NewString(), 1))(t)
	if drafts() != 1 {
		t.Fatal("purged too early")
	}
	over := s.later(who, 14*day)
	_, err := s.get(t, over, r.GetId())
	want(t, err, refused, "case.closed")
	if len(s.reviews(t, over)) != 0 {
		t.Fatal("still in the list")
	}
	ok(0, s.notice(t, s.later(reviewtest.Notifier(), 14*day), "opened", uuid.NewString(), 1))(t)
	if drafts() != 0 {
		t.Fatal("kept too long")
	}
}
