package cases_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/cases/casestest"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

func (s suite) release(t *testing.T) {
	c := casestest.Create(t, s.Harness, casestest.Author())
	release := func(who *identityv1.Caller, revision uint32) error {
		return err2(s.Cases.ReleaseCase(s.As(t.Context(), who), &casesv1.ReleaseCaseRequest{CaseId: c.Id, Revision: revision}))
	}
	want(t, release(casestest.Second(), 1), notFound)
	want(t, release(casestest.Author(), 1), refused)
	ok(s.Cases.InviteReader(s.author(t), &casesv1.InviteReaderRequest{CaseId: c.Id, Colleague: casestest.SecondID, SecondReader: true}))(t)
	want(t, release(casestest.Second(), 1), refused, "risk.unknown")
	c = casestest.Accept(t, s.Harness, casestest.Author(), c)
	want(t, release(casestest.Second(), 2), conflict)
	if err := release(casestest.Second(), 1); err != nil {
		t.Fatal(err)
	}
	s.lastLogged(t, c.Id, "case.release", true, "")
	want(t, release(casestest.Second(), 1), refused, "case.wrong_step")
}

func (s suite) publish(t *testing.T) {
	publish := func(c *casesv1.Case, who *identityv1.Caller, circle string) error {
		return err2(s.Cases.PublishCase(s.As(t.Context(), who), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: c.Revision, Circle: circle}))
	}
	draft := casestest.Rendered(t, s.Harness, casestest.Author())
	s.Yes(t, draft)
	want(t, publish(draft, casestest.Author(), servetest.Circle), refused, "release.second_reader")

	c := casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
	want(t, publish(c, casestest.Author(), servetest.Circle), refused, "consent.absent")
	s.lastLogged(t, c.Id, "case.publish", false, "consent.absent")
	s.Yes(t, c)
	want(t, publish(c, casestest.Second(), servetest.Circle), refused, "case.not_yours")
	want(t, publish(c, casestest.Outsider(), servetest.Circle), notFound)
	want(t, publish(c, casestest.Author(), "kring-west"), refused)
	suspended := casestest.Author()
	suspended.OrganisationState = "suspended"
	want(t, publish(c, suspended, servetest.Circle), refused, "member.suspended")
	want(t, err2(s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 2, Circle: servetest.Circle})), conflict)
	s.Withdraw(t, c)
	want(t, publish(c, casestest.Author(), servetest.Circle), refused, "consent.withdrawn")
	wantNotices(t, s.notices(t, c.Id))

	// A yes for a circle that the anchor knows without the organisation that the yes names.
	alone := casestest.Author()
	alone.Circles = append(alone.Circles, "kring-alleen")
	c = casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
	s.Yes(t, c)
	s.exec(t, "update consent.consent_grant set circle = 'kring-alleen' where case_id = '"+c.Id+"'")
	want(t, publish(c, alone, "kring-alleen"), invalid)
	s.Gateway.AddCircle(&gatewayv1.Circle{Found: true, Id: "kring-alleen", Members: []*gatewayv1.Organisation{{Id: servetest.Node}}})
	want(t, publish(c, alone, "kring-alleen"), wrongState, "circle.no_recipients")
	if now := ok(s.get(t, casestest.Author(), c.Id))(t); now.Status != "released" {
		t.Fatalf("a refused publication left %v", now)
	}
}

func (s suite) exec(t *testing.T, sql string) {
	t.Helper()
	ok(s.DB.Admin().Exec(t.Context(), sql))(t)
}

// publishTwice, at once or later, tells the circle once.
func (s suite) publishTwice(t *testing.T) {
	c := casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
	s.Yes(t, c)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			_, err := s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 1, Circle: servetest.Circle})
			if err != nil && fault.CodeOf(err) != "case.wrong_step" {
				t.Errorf("publish: %v", err)
			}
		})
	}
	wg.Wait()
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1})
	ok(s.Open(t.Context(), ok(s.get(t, casestest.Author(), c.Id))(t).PublicId))(t)
}

// stopWhilePublishing ends closed, whoever was first, and nobody is left with an open notice.
func (s suite) stopWhilePublishing(t *testing.T) {
	for range 4 {
		c := casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
		s.Yes(t, c)
		var wg sync.WaitGroup
		wg.Go(func() {
			_, _ = s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 1, Circle: servetest.Circle})
		})
		wg.Go(func() {
			if _, err := s.Cases.StopSharing(s.author(t), &casesv1.StopSharingRequest{CaseId: c.Id}); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
		wg.Wait()
		if now := ok(s.get(t, casestest.Author(), c.Id))(t); now.Status != "closed" || now.ClosedReason != "stopped" {
			t.Fatalf("after both: %v", now)
		}
		if n := s.notices(t, c.Id); len(n) > 0 {
			wantNotices(t, n, notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
		}
	}
}

func (s suite) stop(t *testing.T) {
	for name, who := range map[string]*identityv1.Caller{"author": casestest.Author(), "second reader": casestest.Second(), "officer": casestest.Officer()} {
		c := s.Published(t)
		want(t, err2(s.Cases.StopSharing(s.As(t.Context(), casestest.Colleague()), &casesv1.StopSharingRequest{CaseId: c.Id})), refused, "case.not_yours")
		want(t, err2(s.Cases.StopSharing(s.As(t.Context(), casestest.Outsider()), &casesv1.StopSharingRequest{CaseId: c.Id})), notFound)
		ok(s.Open(t.Context(), c.PublicId))(t)
		res := ok(s.Cases.StopSharing(s.As(t.Context(), who), &casesv1.StopSharingRequest{CaseId: c.Id}))(t)
		if !res.StopTime.AsTime().Equal(s.Clock.Now()) {
			t.Fatalf("%s: %v", name, res)
		}
		s.lastLogged(t, c.Id, "case.stop", true, "")
		want(t, err2(s.Open(t.Context(), c.PublicId)), refused, "case.closed")
		s.lastLogged(t, c.Id, "case.read-shared", false, "case.stopped")
		wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
		// Again says so, and tells nobody twice.
		want(t, err2(s.Cases.StopSharing(s.As(t.Context(), who), &casesv1.StopSharingRequest{CaseId: c.Id})), refused, "case.stopped")
		wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
		// The author and their team can still open their own.
		ok(s.get(t, casestest.Author(), c.Id))(t)
		ok(s.get(t, casestest.Colleague(), c.Id))(t)
	}
}

func (s suite) remove(t *testing.T) {
	c := s.Published(t)
	remove := func(who *identityv1.Caller) error {
		return err2(s.Cases.RemoveCase(s.As(t.Context(), who), &casesv1.RemoveCaseRequest{CaseId: c.Id}))
	}
	want(t, remove(casestest.Second()), refused, "case.not_yours")
	want(t, remove(casestest.Outsider()), notFound)
	if err := remove(casestest.Author()); err != nil {
		t.Fatal(err)
	}
	s.lastLogged(t, c.Id, "case.remove", true, "")
	want(t, err2(s.get(t, casestest.Author(), c.Id)), refused, "case.removed")
	want(t, err2(s.Open(t.Context(), c.PublicId)), refused, "case.closed")
	want(t, remove(casestest.Author()), refused, "case.removed")
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
	var left int
	if err := s.DB.Admin().QueryRow(t.Context(), "select count(*) from cases.case_key where case_id = $1", c.Id).Scan(&left); err != nil || left != 0 {
		t.Fatalf("the key is still there: %d, %v", left, err)
	}
	// After a stop, too.
	c = s.Published(t)
	ok(s.Cases.StopSharing(s.author(t), &casesv1.StopSharingRequest{CaseId: c.Id}))(t)
	if err := remove(casestest.Author()); err != nil {
		t.Fatal(err)
	}
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
}

func (s suite) sharedReads(t *testing.T) {
	c := s.Published(t)
	peer := func(change func(*identityv1.Caller)) *identityv1.Caller {
		p := servetest.PeerReader("peer-2")
		change(p)
		return p
	}
	for name, test := range map[string]struct {
		who     *identityv1.Caller
		purpose string
		reason  faultv1.Reason
		code    string
		logged  string
	}{
		"another purpose":     {peer(func(*identityv1.Caller) {}), "assessment", refused, "purpose.not_agreed", "purpose.not_agreed"},
		"no purpose":          {peer(func(*identityv1.Caller) {}), "", refused, "purpose.not_agreed", "purpose.not_agreed"},
		"no role":             {peer(func(p *identityv1.Caller) { p.Roles = []string{"notifier"} }), "learning-in-circle", refused, "case.closed", "role.missing"},
		"suspended member":    {peer(func(p *identityv1.Caller) { p.OrganisationState = "suspended" }), "learning-in-circle", refused, "case.closed", "member.suspended"},
		"not in the circle":   {peer(func(p *identityv1.Caller) { p.Circles = nil }), "learning-in-circle", refused, "circle.no_agreement", "circle.no_agreement"},
		"municipality":        {peer(func(p *identityv1.Caller) { p.OrganisationKind = "municipality" }), "learning-in-circle", refused, "case.closed", "member.not_allowed"},
		"no trust mark":       {peer(func(p *identityv1.Caller) { p.TrustMarks = nil }), "learning-in-circle", refused, "case.closed", "member.not_allowed"},
		"not asked, not told": {peer(func(p *identityv1.Caller) { p.Organisation = "https://west.example" }), "learning-in-circle", notFound, "not-found", "consent.absent"},
		"our own author":      {casestest.Author(), "learning-in-circle", notFound, "not-found", "caller.not_allowed"},
	} {
		_, err := s.Cases.ReadShared(s.As(t.Context(), test.who), &casesv1.ReadSharedRequest{PublicId: c.PublicId, Purpose: test.purpose})
		if fault.ReasonOf(err) != test.reason || test.code != "" && fault.CodeOf(err) != test.code {
			t.Errorf("%s: %v (%s)", name, err, fault.CodeOf(err))
		}
		s.lastLogged(t, c.Id, "case.read-shared", false, test.logged)
	}
	// The id within the node opens nothing outside it.
	want(t, err2(s.Open(t.Context(), c.Id)), notFound)
}

// oneClosedAnswer: outside, withdrawn, expired, stopped, removed and changed look the same.
func (s suite) oneClosedAnswer(t *testing.T) {
	for name, end := range map[string]func(*casesv1.Case){
		"withdrawn": func(c *casesv1.Case) { s.Withdraw(t, c) },
		"expired": func(c *casesv1.Case) {
			s.exec(t, "update consent.consent_grant set given_time = given_time - interval '1 year', valid_from = valid_from - interval '1 year', valid_until = valid_until - interval '1 year' where case_id = '"+c.Id+"'")
		},
		"absent": func(c *casesv1.Case) {
			s.exec(t, "delete from consent.grant_organisation using consent.consent_grant where id = grant_id and case_id = '"+c.Id+"'")
		},
		"waiting": func(c *casesv1.Case) {
			s.exec(t, "update consent.consent_grant set valid_from = valid_until - interval '1 second' where case_id = '"+c.Id+"'")
		},
		"stopped": func(c *casesv1.Case) {
			ok(s.Cases.StopSharing(s.author(t), &casesv1.StopSharingRequest{CaseId: c.Id}))(t)
		},
		"removed": func(c *casesv1.Case) {
			ok(s.Cases.RemoveCase(s.author(t), &casesv1.RemoveCaseRequest{CaseId: c.Id}))(t)
		},
		"unreleased": func(c *casesv1.Case) {
			ok(s.edit(t, ok(s.get(t, casestest.Author(), c.Id))(t), "Heel iets anders."))(t)
		},
	} {
		c := s.Published(t)
		ok(s.Open(t.Context(), c.PublicId))(t)
		end(c)
		_, err := s.Open(t.Context(), c.PublicId)
		if fault.ReasonOf(err) != refused || fault.CodeOf(err) != "case.closed" {
			t.Errorf("%s: %v (%s)", name, err, fault.CodeOf(err))
		}
	}
}

func (s suite) lapsed(t *testing.T) {
	worker := s.As(t.Context(), servetest.Worker("closer"))
	closeOne := func(c *casesv1.Case) uint32 {
		return ok(s.Cases.CloseLapsed(worker, &casesv1.CloseLapsedRequest{CaseId: c.Id}))(t).Closed
	}
	c := s.Published(t)
	if n := closeOne(c); n != 0 {
		t.Fatalf("%d closed with a yes", n)
	}
	s.Withdraw(t, c)
	if n := closeOne(c); n != 1 {
		t.Fatalf("%d closed", n)
	}
	s.lastLogged(t, c.Id, "case.close-lapsed", true, "")
	if now := ok(s.get(t, casestest.Author(), c.Id))(t); now.ClosedReason != "withdrawn" || now.WhatHappened == "" {
		t.Fatalf("after the withdrawal: %v", now)
	}
	if n := closeOne(c); n != 0 {
		t.Fatal("closed twice")
	}
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
	want(t, err2(s.Cases.CloseLapsed(s.author(t), &casesv1.CloseLapsedRequest{CaseId: c.Id})), refused)

	// Time passes: only what is over is closed.
	over := s.Published(t)
	s.exec(t, "update consent.consent_grant set given_time = '2026-01-01Z', valid_from = '2026-01-01Z', valid_until = '2026-11-22 10:00Z' where case_id = '"+over.Id+"'")
	holds := s.Published(t)
	ok(s.Cases.CloseLapsed(worker, &casesv1.CloseLapsedRequest{}))(t)
	if now := ok(s.get(t, casestest.Author(), over.Id))(t); now.ClosedReason != "expired" {
		t.Fatalf("over: %v", now)
	}
	if now := ok(s.get(t, casestest.Author(), holds.Id))(t); now.Status != "published" {
		t.Fatalf("holds: %v", now)
	}

	// A case that was changed and waits for a new yes stays a draft; the circle is told.
	changed := ok(s.get(t, casestest.Author(), s.Published(t).Id))(t)
	changed = ok(s.edit(t, changed, "Er kwam veel bij."))(t)
	s.Withdraw(t, changed)
	if n := closeOne(changed); n != 0 {
		t.Fatal("a draft was closed")
	}
	wantNotices(t, s.notices(t, changed.Id), notice{"opened", servetest.Peer, 1}, notice{"closed", servetest.Peer, 2})
	want(t, err2(s.Cases.CloseLapsed(worker, &casesv1.CloseLapsedRequest{CaseId: "x"})), invalid)
}

func (s suite) describe(t *testing.T) {
	c := s.Published(t)
	f := ok(s.Cases.DescribeCase(s.As(t.Context(), servetest.PeerReader("peer-3")), &casesv1.DescribeCaseRequest{PublicId: c.PublicId, Organisation: servetest.Peer}))(t)
	if !f.Found || f.Id != c.Id || f.Status != "published" || f.GrantState != "granted" || f.GrantRevision != 1 || !f.Noticed || f.Risk != 0 ||
		f.GrantFrom != "2026-11-22T10:00:00.000000Z" || f.GrantCircle != servetest.Circle || f.ReleasedBy != casestest.SecondID {
		t.Fatalf("facts: %v", f)
	}
	f = ok(s.Cases.DescribeCase(s.author(t), &casesv1.DescribeCaseRequest{CaseId: c.Id, Organisation: "https://west.example"}))(t)
	if f.GrantState != "absent" || f.Noticed || f.Invited {
		t.Fatalf("for another organisation: %v", f)
	}
	f = ok(s.Cases.DescribeCase(s.As(t.Context(), casestest.Second()), &casesv1.DescribeCaseRequest{CaseId: c.Id}))(t)
	if f.GrantState != "granted" || !f.Invited {
		t.Fatalf("for any organisation: %v", f)
	}
	f = ok(s.Cases.DescribeCase(s.author(t), &casesv1.DescribeCaseRequest{CaseId: uuid.NewString()}))(t)
	if f.Found || f.Status != "" {
		t.Fatalf("unknown: %v", f)
	}
	want(t, err2(s.Cases.DescribeCase(s.author(t), &casesv1.DescribeCaseRequest{})), invalid)
	want(t, err2(s.Cases.DescribeCase(s.author(t), &casesv1.DescribeCaseRequest{CaseId: "1"})), invalid)
}
