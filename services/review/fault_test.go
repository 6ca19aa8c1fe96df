package review_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

var tables = []string{"inbox", "notice", "dialogue", "dialogue_key", "message", "draft"}

// content is all that the database holds of the dialogues and their deliveries.
func (s suite) content(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, table := range append(slices.Clone(tables), "outbox.river_job") {
		if !strings.Contains(table, ".") {
			table = "review." + table
		}
		rows := ok(s.DB.Admin().Query(t.Context(), fmt.Sprintf("select x::text from %s as x order by 1", table)))(t)
		for _, row := range ok(pgx.CollectRows(rows, pgx.RowTo[string]))(t) {
			b.WriteString(table + " " + row + "\n")
		}
	}
	return b.String()
}

// sealed: neither what is written nor what is read of a case lies in the database.
func (s suite) sealed(t *testing.T) {
	who, author, id := reviewtest.Reviewer(), reviewtest.Author(), uuid.NewString()
	secret := "zeldzaamwoord" + strings.ReplaceAll(uuid.NewString(), "-", "")
	r := s.Started(t, who, id)
	s.Gateway.Share(&casesv1.SharedCase{PublicId: id, Owner: servetest.Peer, Title: secret, WhatHappened: secret, Question: secret, Theme: secret})
	if c := ok(s.Review.ReadSharedCase(s.As(t.Context(), who), &reviewv1.ReadSharedCaseRequest{NoticeId: r.GetNoticeId()}))(t); c.GetTitle() != secret {
		t.Fatal("not the case")
	}
	ok(s.submit1(t, who, r.GetId(), "question", secret))(t)
	ok(s.draft(t, who, r.GetId(), "question", secret))(t)
	m := reviewtest.Answer(r.GetId(), id, 1)
	m.Text = secret
	ok(0, s.receive(t, servetest.PeerReader("p"), m))(t)
	received := s.Received(t, author, servetest.PeerReader("p-sealed"), uuid.NewString())
	ok(s.Review.SubmitMessage(s.As(t.Context(), author), &reviewv1.SubmitMessageRequest{
		RequestId: uuid.NewString(), ReviewId: received.GetId(), Kind: "closing-questions",
		ClosingAnswers: []*reviewv1.ClosingAnswer{{Question: "do-or-leave", Text: secret}},
	}))(t)
	if strings.Contains(s.content(t), secret) {
		t.Fatal("plain words in the database")
	}
	if one[bool](t, s, "select exists (select from audit.decision as d where d::text like '%' || $1 || '%')", secret) {
		t.Fatal("plain words in the decision log")
	}
	// A ciphertext moved to another row does not open.
	ok(s.DB.Admin().Exec(t.Context(), `update review.message as a set sealed = b.sealed from review.message as b
		where a.dialogue_id = $1 and b.dialogue_id = $1 and a.from_side = 'reader' and b.from_side = 'owner'`, r.GetId()))(t)
	if _, err := s.get(t, who, r.GetId()); err == nil {
		t.Fatal("a moved ciphertext opened")
	}
}

// TestNoRecordNoAnswer: while the decision log cannot be written, nothing is answered and nothing is written.
func TestNoRecordNoAnswer(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		who, author, id, received := reviewtest.Reviewer(), reviewtest.Author(), uuid.NewString(), uuid.NewString()
		r := s.Started(t, who, id)
		submitted := ok(s.submit1(t, who, r.GetId(), "question", "x"))(t)
		theirs := s.Received(t, author, servetest.PeerReader("p"), received)
		s.Gateway.Share(&casesv1.SharedCase{PublicId: id, Owner: servetest.Peer, Title: "x"})
		for _, sql := range []string{
			fmt.Sprintf("revoke execute on function audit.append(jsonb) from %s", pgx.Identifier{pgdb.RoleName(pgtest.Node, "review")}.Sanitize()),
			"alter function audit.append(jsonb) rename to append_away",
		} {
			ok(s.DB.Admin().Exec(t.Context(), sql))(t)
			before := s.content(t)
			ctx, worker := s.As(t.Context(), who), s.As(t.Context(), servetest.Worker("delivery"))
			for rpc, err := range map[string]error{
				"ListNotices":    err2(s.Review.ListNotices(ctx, &reviewv1.ListNoticesRequest{})),
				"ReadSharedCase": err2(s.Review.ReadSharedCase(ctx, &reviewv1.ReadSharedCaseRequest{NoticeId: r.GetNoticeId()})),
				"StartReview": err2(s.Review.StartReview(s.As(t.Context(), reviewtest.Reviewer()),
					&reviewv1.StartReviewRequest{RequestId: uuid.NewString(), NoticeId: r.GetNoticeId()})),
				"ListReviews":    err2(s.Review.ListReviews(ctx, &reviewv1.ListReviewsRequest{})),
				"GetReview":      err2(s.get(t, who, r.GetId())),
				"SaveDraft":      err2(s.draft(t, who, r.GetId(), "question", "x")),
				"SubmitMessage":  err2(s.submit1(t, who, r.GetId(), "question", "x")),
				"answer":         err2(s.submit1(t, author, theirs.GetId(), "answer", "x")),
				"ReceiveNotice":  s.notice(t, reviewtest.Notifier(), "closed", id, 2),
				"ReceiveMessage": s.receive(t, servetest.PeerReader("p"), reviewtest.Question(theirs.GetId(), received, 2)),
				"first message":  s.receive(t, servetest.PeerReader("p"), reviewtest.Question(uuid.NewString(), received, 1)),
				"answer received": s.receive(t, servetest.PeerReader("p"),
					reviewtest.Answer(r.GetId(), id, 1)),
				"GetOutgoing":  err2(s.Review.GetOutgoing(worker, &reviewv1.GetOutgoingRequest{MessageId: submitted.GetMessages()[0].GetId()})),
				"MarkDelivery": s.mark(t, submitted.GetMessages()[0].GetId(), "delivered"),
				"a refusal":    err2(s.get(t, reviewtest.Reviewer(), r.GetId())),
			} {
				if fault.ReasonOf(err) != unavailable {
					t.Errorf("%s, %s: %v", sql, rpc, err)
				}
			}
			if after := s.content(t); after != before {
				t.Errorf("%s: something was written:\n%s\nbefore:\n%s", sql, after, before)
			}
		}
	})
}

// TestCasesAway: while cases cannot be asked, nothing goes out or comes in about our own cases.
func TestCasesAway(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		author, id := reviewtest.Author(), uuid.NewString()
		r := s.Received(t, author, servetest.PeerReader("p"), id)
		r = ok(s.submit1(t, author, r.GetId(), "answer", "x"))(t)
		s.Cases.Down.Store(true)
		before := s.content(t)
		for rpc, err := range map[string]error{
			"GetReview":      err2(s.get(t, author, r.GetId())),
			"ListReviews":    err2(s.Review.ListReviews(s.As(t.Context(), author), &reviewv1.ListReviewsRequest{})),
			"SaveDraft":      err2(s.draft(t, author, r.GetId(), "answer", "x")),
			"SubmitMessage":  err2(s.submit1(t, author, r.GetId(), "answer", "x")),
			"ReceiveMessage": s.receive(t, servetest.PeerReader("p"), reviewtest.Question(r.GetId(), id, 2)),
			"GetOutgoing":    err2(s.outgoing(t, r.GetMessages()[1].GetId())),
		} {
			if fault.ReasonOf(err) != unavailable {
				t.Errorf("%s: %v", rpc, err)
			}
		}
		if s.content(t) != before {
			t.Error("something was written")
		}
		if _, err := s.get(t, reviewtest.Author(), r.GetId()); fault.ReasonOf(err) != notFound {
			t.Errorf("another account: %v", err)
		}
	})
}

// TestGrants: the service's role can do what the service does, and no more.
func TestGrants(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, reviewtest.Schemas()...)
	role := pgdb.RoleName(pgtest.Node, "review")
	may := map[string][]string{
		"inbox": {"INSERT", "SELECT"}, "notice": {"INSERT", "SELECT"}, "dialogue": {"INSERT", "SELECT"},
		"dialogue_key": {"INSERT", "SELECT"}, "message": {"INSERT", "SELECT"}, "draft": {"DELETE", "INSERT", "SELECT"},
	}
	columns := map[string][]string{
		"notice": {"circle", "receive_time", "sequence", "state"}, "dialogue": {"closed_time", "draft_until", "state"},
		"message": {"delivery"}, "draft": {"kind", "sealed", "update_time"},
	}
	for _, table := range tables {
		rows := ok(db.Admin().Query(t.Context(), `select privilege_type::text from information_schema.role_table_grants
			where grantee = $1 and table_schema = 'review' and table_name = $2 order by 1`, role, table))(t)
		if got := ok(pgx.CollectRows(rows, pgx.RowTo[string]))(t); !slices.Equal(got, may[table]) {
			t.Errorf("%s: %v", table, got)
		}
		rows = ok(db.Admin().Query(t.Context(), `select column_name::text from information_schema.role_column_grants
			where grantee = $1 and table_schema = 'review' and table_name = $2 and privilege_type = 'UPDATE' order by 1`, role, table))(t)
		if got := ok(pgx.CollectRows(rows, pgx.RowTo[string]))(t); !slices.Equal(got, columns[table]) {
			t.Errorf("%s, columns to update: %v", table, got)
		}
	}
	others := ok(db.Admin().Query(t.Context(), `select distinct grantee::text || ' ' || table_name from information_schema.role_table_grants
		where table_schema = 'review' and grantee <> $1 and grantee <> current_user`, role))(t)
	if got := ok(pgx.CollectRows(others, pgx.RowTo[string]))(t); len(got) != 0 {
		t.Errorf("others: %v", got)
	}
	for _, sql := range []string{
		"delete from review.message", "update review.message set sealed = ''", "update review.dialogue set peer = ''",
		"delete from review.inbox", "delete from review.dialogue_key", "truncate review.draft", "select from audit.decision",
		"create table review.more (id int)",
	} {
		if _, err := db.Pool("review").Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
