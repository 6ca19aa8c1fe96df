package cases_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/zijlicht/zijlicht/policies"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/cases/casestest"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

const (
	invalid     = faultv1.Reason_REASON_INVALID_ARGUMENT
	tooLarge    = faultv1.Reason_REASON_TOO_LARGE
	notFound    = faultv1.Reason_REASON_NOT_FOUND
	unavailable = faultv1.Reason_REASON_CHECK_UNAVAILABLE
	conflict    = faultv1.Reason_REASON_EDIT_CONFLICT
	wrongState  = faultv1.Reason_REASON_WRONG_STATE
	refused     = faultv1.Reason_REASON_REFUSED
)

// suite is one node with a connection to it.
type suite struct{ *casestest.Node }

func newSuite(t *testing.T, connect servetest.Connect) suite {
	t.Helper()
	return suite{casestest.New(t, policies.Bundle(), connect)}
}

func TestService(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		for name, test := range map[string]func(suite, *testing.T){
			"journey":            suite.journey,
			"readers":            suite.readers,
			"texts":              suite.texts,
			"lists":              suite.lists,
			"create twice":       suite.createTwice,
			"edit conflict":      suite.editConflict,
			"pure removal":       suite.pureRemoval,
			"addition":           suite.addition,
			"other choices":      suite.otherChoices,
			"carried choices":    suite.carriedChoices,
			"choices":            suite.choices,
			"invitations":        suite.invitations,
			"release":            suite.release,
			"publish":            suite.publish,
			"publish twice":      suite.publishTwice,
			"stop while opening": suite.stopWhilePublishing,
			"stop":               suite.stop,
			"remove":             suite.remove,
			"shared reads":       suite.sharedReads,
			"one closed answer":  suite.oneClosedAnswer,
			"lapsed":             suite.lapsed,
			"describe":           suite.describe,
			"bad input":          suite.badInput,
			"unknown":            suite.unknown,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(s, t) })
		}
	})
}

func (s suite) author(t *testing.T) context.Context { return s.As(t.Context(), casestest.Author()) }

func (s suite) get(t *testing.T, who *identityv1.Caller, id string) (*casesv1.Case, error) {
	t.Helper()
	return s.Cases.GetCase(s.As(t.Context(), who), &casesv1.GetCaseRequest{CaseId: id})
}

// want checks the reason of an error and, when given, its outward code.
func want(t *testing.T, err error, reason faultv1.Reason, code ...string) {
	t.Helper()
	if fault.ReasonOf(err) != reason {
		t.Fatalf("answer %v, want %v", err, reason)
	}
	if len(code) > 0 && fault.CodeOf(err) != code[0] {
		t.Fatalf("code %q, want %q", fault.CodeOf(err), code[0])
	}
}

func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.CodeOf(err))
		}
		return v
	}
}

// logged gives the decisions about one resource, oldest first.
func (s suite) logged(t *testing.T, id string) []servetest.Logged {
	t.Helper()
	rows := ok(s.DB.Admin().Query(t.Context(),
		"select action, allowed, reasons from audit.decision where resource_id = $1 order by record_time, id", id))(t)
	defer rows.Close()
	var all []servetest.Logged
	for rows.Next() {
		var l servetest.Logged
		if err := rows.Scan(&l.Action, &l.Allowed, &l.Reasons); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// lastLogged checks the last decision about a resource.
func (s suite) lastLogged(t *testing.T, id, action string, allowed bool, reason string) {
	t.Helper()
	all := s.logged(t, id)
	if len(all) == 0 {
		t.Fatal("nothing was recorded")
	}
	last := all[len(all)-1]
	if last.Action != action || last.Allowed != allowed || reason != "" && !slices.Contains(last.Reasons, reason) {
		t.Fatalf("recorded %+v, want %s %v %s", last, action, allowed, reason)
	}
}

type notice struct {
	Kind         string
	Organisation string
	Sequence     int64
}

// notices gives what the outbox holds about a case, in order.
func (s suite) notices(t *testing.T, id string) (all []notice) {
	t.Helper()
	rows := ok(s.DB.Admin().Query(t.Context(), `
		select j.args->>'notice_kind', j.args->>'peer', (j.args->>'sequence')::bigint
		from outbox.river_job as j join cases.practice_case as c on c.public_id = j.args->>'case_public_id'
		join cases.notice_sent as n on n.message_id::text = j.args->>'message_id' and n.kind = j.args->>'notice_kind'
		where j.kind = 'notice' and c.id = $1 order by j.id`, id))(t)
	defer rows.Close()
	for rows.Next() {
		var n notice
		if err := rows.Scan(&n.Kind, &n.Organisation, &n.Sequence); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func wantNotices(t *testing.T, got []notice, want ...notice) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("notices %+v, want %+v", got, want)
	}
}

func (s suite) edit(t *testing.T, c *casesv1.Case, whatHappened string) (*casesv1.Case, error) {
	t.Helper()
	return s.Cases.EditCase(s.author(t), &casesv1.EditCaseRequest{
		CaseId: c.GetId(), Revision: c.GetRevision(), WhatHappened: whatHappened, Question: c.GetQuestion(), Title: c.GetTitle(), Theme: c.GetTheme(),
	})
}

// unknown: every RPC about a case that does not exist gives the one answer, and is recorded.
func (s suite) unknown(t *testing.T) {
	ctx := s.author(t)
	type call struct {
		action string
		do     func(id string) error
	}
	for _, c := range []call{
		{"case.read", func(id string) error { return err2(s.Cases.GetCase(ctx, &casesv1.GetCaseRequest{CaseId: id})) }},
		{"case.edit", func(id string) error {
			return err2(s.Cases.EditCase(ctx, &casesv1.EditCaseRequest{CaseId: id, Revision: 1, WhatHappened: "x"}))
		}},
		{"case.propose", func(id string) error {
			return err2(s.Cases.ProposeReplacements(ctx, &casesv1.ProposeReplacementsRequest{CaseId: id, Revision: 1}))
		}},
		{"case.resolve", func(id string) error {
			return err2(s.Cases.ResolveProposals(ctx, &casesv1.ResolveProposalsRequest{CaseId: id, Revision: 1}))
		}},
		{"case.invite", func(id string) error {
			return err2(s.Cases.InviteReader(ctx, &casesv1.InviteReaderRequest{CaseId: id, Colleague: casestest.SecondID}))
		}},
		{"case.release", func(id string) error {
			return err2(s.Cases.ReleaseCase(ctx, &casesv1.ReleaseCaseRequest{CaseId: id, Revision: 1}))
		}},
		{"case.publish", func(id string) error {
			return err2(s.Cases.PublishCase(ctx, &casesv1.PublishCaseRequest{CaseId: id, Revision: 1, Circle: servetest.Circle}))
		}},
		{"case.stop", func(id string) error { return err2(s.Cases.StopSharing(ctx, &casesv1.StopSharingRequest{CaseId: id})) }},
		{"case.remove", func(id string) error { return err2(s.Cases.RemoveCase(ctx, &casesv1.RemoveCaseRequest{CaseId: id})) }},
		{"case.read-shared", func(id string) error { return err2(s.Open(context.Background(), id)) }},
	} {
		id := uuid.NewString()
		want(t, c.do(id), notFound)
		s.lastLogged(t, id, c.action, false, "resource.unknown")
	}
}

func err2[T any](_ T, err error) error { return err }
