package cases_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/cases/casestest"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// readers: a draft is for its author and those they invite, and for nobody because of a role or an organisation.
func (s suite) readers(t *testing.T) {
	draft := casestest.Rendered(t, s.Harness, casestest.Author())
	ok(s.Cases.InviteReader(s.author(t), &casesv1.InviteReaderRequest{CaseId: draft.Id, Colleague: casestest.OutsiderID}))(t)
	released := casestest.Released(t, s.Harness, casestest.Author(), casestest.Second())
	for _, test := range []struct {
		name            string
		who             *identityv1.Caller
		draft, released bool
	}{
		{"author", casestest.Author(), true, true},
		{"invited to the draft, other unit", casestest.Outsider(), true, false},
		{"second reader of the other", casestest.Second(), false, true},
		{"colleague of the unit", casestest.Colleague(), false, true},
		{"same account, other role", servetest.Person(casestest.ColleagueID, casestest.Unit, "quality-coordinator"), false, false},
		{"privacy officer", casestest.Officer(), false, false},
		{"manager of the unit", servetest.Person(uuid.NewString(), casestest.Unit, "manager"), false, false},
		{"peer", servetest.PeerReader("peer-4"), false, false},
		{"worker", servetest.Worker("closer"), false, false},
		{"receipt", servetest.Receipt(), false, false},
	} {
		for id, allowed := range map[string]bool{draft.Id: test.draft, released.Id: test.released} {
			c, err := s.get(t, test.who, id)
			s.lastLogged(t, id, "case.read", allowed, "")
			switch {
			case allowed && err != nil:
				t.Errorf("%s: %v", test.name, err)
			case allowed && test.name != "author" && strings.Contains(c.String(), "Fatima"):
				t.Errorf("%s reads the original", test.name)
			case !allowed && fault.ReasonOf(err) != notFound:
				t.Errorf("%s: %v (%s)", test.name, err, fault.CodeOf(err))
			}
		}
	}
}

// texts are nowhere in the database but sealed.
func (s suite) texts(t *testing.T) {
	const secret = "Xylofoonspeler"
	c := ok(s.Cases.CreateCase(s.author(t), &casesv1.CreateCaseRequest{
		RequestId: uuid.NewString(), WhatHappened: secret, Question: secret, Title: secret, Theme: secret,
	}))(t)
	c = casestest.Accept(t, s.Harness, casestest.Author(), c)
	ok(s.edit(t, c, secret+" en "+secret))(t)
	want(t, err2(s.edit(t, c, secret)), conflict)
	for _, table := range []string{
		"cases.practice_case", "cases.revision", "cases.proposals", "cases.rendition", "cases.invitation", "cases.case_key",
		"audit.decision", "audit.security_event", "outbox.river_job",
	} {
		var found int
		if err := s.DB.Admin().QueryRow(t.Context(), `select count(*) from `+table+` as x where strpos(x::text, $1) > 0
			or strpos(x::text, encode(convert_to($1, 'UTF8'), 'hex')) > 0`, secret).Scan(&found); err != nil || found > 0 {
			t.Errorf("%s: %d rows, %v", table, found, err)
		}
	}
}

func (s suite) lists(t *testing.T) {
	author := servetest.Person(uuid.NewString(), "team-lijst", "professional")
	mate := servetest.Person(uuid.NewString(), "team-lijst", "professional")
	var drafts []string
	for range 3 {
		drafts = append(drafts, casestest.Rendered(t, s.Harness, author).Id)
	}
	released := casestest.Released(t, s.Harness, author, casestest.Second())
	removed := casestest.Create(t, s.Harness, author)
	ok(s.Cases.RemoveCase(s.As(t.Context(), author), &casesv1.RemoveCaseRequest{CaseId: removed.Id}))(t)

	list := func(who *identityv1.Caller, status string, size int32) (ids, titles []string) {
		t.Helper()
		token := ""
		for {
			res := ok(s.Cases.ListCases(s.As(t.Context(), who), &casesv1.ListCasesRequest{PageSize: size, PageToken: token, Status: status}))(t)
			for _, c := range res.Cases {
				ids, titles = append(ids, c.Id), append(titles, c.Title)
				if c.WhatHappened != "" || c.Question != "" || len(c.Proposals) > 0 {
					t.Fatalf("a list with texts: %v", c)
				}
			}
			if token = res.NextPageToken; token == "" {
				return ids, titles
			}
		}
	}
	for _, size := range []int32{0, 1, 3, 100} {
		ids, titles := list(author, "", size)
		if len(ids) != 4 || titles[0] != "De huur van Fatima" {
			t.Fatalf("the author's, by %d: %v %v", size, ids, titles)
		}
	}
	if ids, _ := list(author, "draft", 2); len(ids) != len(drafts) {
		t.Fatalf("the author's drafts: %v", ids)
	}
	if ids, titles := list(mate, "", 0); len(ids) != 1 || ids[0] != released.Id || titles[0] != "De huur van [persoon A]" {
		t.Fatalf("the colleague's: %v %v", ids, titles)
	}
	if ids, _ := list(servetest.Person(uuid.NewString(), "team-anders", "professional"), "", 0); len(ids) != 0 {
		t.Fatalf("of another unit: %v", ids)
	}
	if ids, _ := list(casestest.Officer(), "", 0); len(ids) != 0 {
		t.Fatalf("the privacy officer's: %v", ids)
	}
	found := false
	ids, _ := list(casestest.Second(), "released", 100)
	for _, id := range ids {
		found = found || id == released.Id
	}
	if !found {
		t.Fatal("the second reader misses the case")
	}
	var returned int
	if err := s.DB.Admin().QueryRow(t.Context(), `select count(*) from audit.decision where action = 'case.list' and caller_id = $1
		and evaluations->0->'returned' = to_jsonb(array[$2])`, mate.Subject, released.Id).Scan(&returned); err != nil || returned != 1 {
		t.Fatalf("recorded with what it returned: %d, %v", returned, err)
	}
	want(t, err2(s.Cases.ListCases(s.As(t.Context(), servetest.PeerReader("peer-5")), &casesv1.ListCasesRequest{})), notFound)
	want(t, err2(s.Cases.ListCases(s.author(t), &casesv1.ListCasesRequest{PageToken: "x"})), invalid)
	want(t, err2(s.Cases.ListCases(s.author(t), &casesv1.ListCasesRequest{PageSize: 101})), invalid)
	want(t, err2(s.Cases.ListCases(s.author(t), &casesv1.ListCasesRequest{Status: "open"})), invalid)
}

func (s suite) badInput(t *testing.T) {
	ctx := s.author(t)
	create := func(change func(*casesv1.CreateCaseRequest)) error {
		req := &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: "Iets."}
		change(req)
		return err2(s.Cases.CreateCase(ctx, req))
	}
	big := strings.Repeat("é", 128<<10)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.WhatHappened = big + "x" }), tooLarge)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.Question = big + "x" }), tooLarge)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.WhatHappened = "a\x00b" }), invalid)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.WhatHappened = "" }), invalid)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.Title = strings.Repeat("x", 201) }), invalid)
	want(t, create(func(r *casesv1.CreateCaseRequest) { r.RequestId = "1" }), invalid)
	if err := create(func(r *casesv1.CreateCaseRequest) { r.WhatHappened, r.Question = big, big }); err != nil {
		t.Fatalf("256 KiB: %v", err)
	}
	want(t, err2(s.Cases.GetCase(ctx, &casesv1.GetCaseRequest{CaseId: "case"})), invalid)
	want(t, err2(s.Cases.ReleaseCase(ctx, &casesv1.ReleaseCaseRequest{CaseId: uuid.NewString()})), invalid)
	want(t, err2(s.Cases.PublishCase(ctx, &casesv1.PublishCaseRequest{CaseId: uuid.NewString(), Revision: 1})), invalid)
	want(t, err2(s.Cases.ReadShared(ctx, &casesv1.ReadSharedRequest{PublicId: strings.Repeat("x", 65)})), invalid)

	// What others would read can grow past the limit, and findings past what one can choose about; then nothing changes.
	draft := func(names int) *casesv1.Case {
		return ok(s.Cases.CreateCase(ctx, &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: strings.Repeat("Jan ", names)}))(t)
	}
	propose := func(c *casesv1.Case) error {
		return err2(s.Cases.ProposeReplacements(ctx, &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 1}))
	}
	want(t, propose(draft(5001)), tooLarge)
	c := draft(1400)
	if err := propose(c); err != nil {
		t.Fatal(err)
	}
	long := &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 1}
	for i := range 1400 {
		long.Choices = append(long.Choices, &casesv1.Choice{ProposalId: uint32(i + 1), Choice: "replace", Replacement: strings.Repeat("x", 200)})
	}
	want(t, err2(s.Cases.ResolveProposals(ctx, long)), tooLarge)
	if now := ok(s.get(t, casestest.Author(), c.Id))(t); now.Rendition != nil || now.Proposals[0].Choice != "open" {
		t.Fatal("half a choice was kept")
	}
}
