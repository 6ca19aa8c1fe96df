package cases_test

import (
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	"github.com/zijlicht/zijlicht/services/cases/casestest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// TestWhatCannotBeAsked: without consents, log or deid there is a refusal, and nothing is half done.
func TestWhatCannotBeAsked(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		shared, released := s.Published(t), casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
		s.Yes(t, released)
		publish := func() error {
			return err2(s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: released.Id, Revision: 1, Circle: servetest.Circle}))
		}
		unchanged := func() {
			t.Helper()
			var status string
			if err := s.DB.Admin().QueryRow(t.Context(), "select status from cases.practice_case where id = $1", released.Id).Scan(&status); err != nil || status != "released" {
				t.Fatalf("after a failure: %q, %v", status, err)
			}
			wantNotices(t, s.notices(t, released.Id))
		}
		role := `"zl_test_cases"`

		s.exec(t, "revoke select on consent.effective_grant from "+role)
		want(t, err2(s.Open(t.Context(), shared.PublicId)), unavailable)
		want(t, err2(s.get(t, casestest.Author(), shared.Id)), unavailable)
		want(t, publish(), unavailable)
		want(t, err2(s.Cases.CloseLapsed(s.As(t.Context(), servetest.Worker("closer")), &casesv1.CloseLapsedRequest{})), unavailable)
		unchanged()
		s.exec(t, "grant select on consent.effective_grant to "+role)

		s.exec(t, "revoke execute on function audit.append(jsonb) from "+role)
		want(t, err2(s.Open(t.Context(), shared.PublicId)), unavailable)
		want(t, err2(s.get(t, casestest.Author(), shared.Id)), unavailable)
		want(t, err2(s.get(t, casestest.Outsider(), shared.Id)), unavailable)
		want(t, err2(s.Cases.ListCases(s.author(t), &casesv1.ListCasesRequest{})), unavailable)
		want(t, publish(), unavailable)
		before := s.count(t, "cases.practice_case")
		want(t, err2(s.Cases.CreateCase(s.author(t), &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: "x"})), unavailable)
		if s.count(t, "cases.practice_case") != before {
			t.Fatal("a case without a record")
		}
		unchanged()
		s.exec(t, "grant execute on function audit.append(jsonb) to "+role)

		// A notice that cannot be handed over takes the publication with it.
		s.exec(t, "revoke insert on outbox.river_job from "+role)
		if err := publish(); err == nil {
			t.Fatal("published without a notice")
		}
		unchanged()
		s.exec(t, "grant insert on outbox.river_job to "+role)

		s.Deid.Down.Store(true)
		c := ok(s.get(t, casestest.Author(), shared.Id))(t)
		want(t, err2(s.edit(t, c, "Nieuwe tekst.")), unavailable)
		if now := ok(s.get(t, casestest.Author(), shared.Id))(t); now.Revision != 1 || now.Status != "published" {
			t.Fatalf("half an edit: %v", now)
		}
		s.Deid.Down.Store(false)

		if err := publish(); err != nil {
			t.Fatalf("afterwards: %v", err)
		}
		ok(s.Open(t.Context(), shared.PublicId))(t)
	})
}

// TestRecognisable: what can be recognised can be released to the team and not to a circle.
func TestRecognisable(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		s.Deid.Level.Store(2)
		c := casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
		s.Yes(t, c)
		want(t, err2(s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 1, Circle: servetest.Circle})), refused, "risk.recognisable")

		s.Deid.Level.Store(0)
		s.exec(t, "insert into cases.deny_word values ('huur'); insert into cases.allow_word values ('Jan')")
		c = casestest.Rendered(t, s.Harness, casestest.Author())
		if got := c.Rendition.WhatHappened; got != "[persoon A] belde over de [persoon B]. Later kwam Jan langs." {
			t.Fatalf("with the organisation's own words: %q", got)
		}
	})
}

func (s suite) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := s.DB.Admin().QueryRow(t.Context(), "select count(*) from "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRights: the service's own role cannot rewrite what was written or reach what is not its own.
func TestRights(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		s.Published(t)
		for _, sql := range []string{
			"update cases.revision set body = ''",
			"delete from cases.revision",
			"update cases.rendition set body = ''",
			"delete from cases.rendition",
			"update cases.case_key set wrapped = ''",
			"update cases.practice_case set author = ''",
			"update cases.practice_case set public_id = ''",
			"delete from cases.practice_case",
			"update cases.notice_sent set kind = 'closed'",
			"delete from cases.notice_sent",
			"delete from cases.invitation",
			"insert into cases.allow_word values ('x')",
			"insert into consent.effective_grant select * from consent.effective_grant",
			"select from audit.decision",
			"delete from outbox.river_job",
			"create table cases.mine (id int)",
			"truncate cases.proposals",
		} {
			if _, err := s.DB.Pool("cases").Exec(t.Context(), sql); err == nil {
				t.Errorf("the role may: %s", sql)
			}
		}
	})
}
