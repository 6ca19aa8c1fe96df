package cases_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/cases/casestest"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// journey is a case from the first words to the reviewer of another organisation.
func (s suite) journey(t *testing.T) {
	c := casestest.Create(t, s.Harness, casestest.Author())
	if c.Status != "draft" || c.Revision != 1 || c.Audience != "team" || c.PublicId != "" || c.Rendition != nil || c.Author != casestest.AuthorID {
		t.Fatalf("new case: %v", c)
	}
	s.lastLogged(t, c.Id, "case.create", true, "")
	c = ok(s.Cases.ProposeReplacements(s.author(t), &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 1}))(t)
	if len(c.Proposals) != 4 || c.Proposals[0].Choice != "open" || c.Proposals[0].Field != "what-happened" || c.Proposals[3].Field != "title" || c.Rendition != nil {
		t.Fatalf("proposals: %v", c.Proposals)
	}
	c = ok(s.Cases.ResolveProposals(s.author(t), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 1, AcceptOpen: true}))(t)
	if c.Rendition.GetWhatHappened() != "[persoon A] belde over de huur. Later kwam [persoon B] langs." || c.Rendition.GetTitle() != "De huur van [persoon A]" {
		t.Fatalf("rendition: %v", c.Rendition)
	}
	if c.Rendition.Risk.GetSentence() == "" || c.WhatHappened != "Fatima belde over de huur. Later kwam Jan langs." {
		t.Fatalf("for the author: %v", c)
	}
	c = casestest.Release(t, s.Harness, casestest.Author(), casestest.Second(), c)
	if c.Status != "released" || c.ReleasedBy != casestest.SecondID || len(c.Proposals) != 0 || strings.Contains(c.String(), "Fatima") {
		t.Fatalf("for the second reader: %v", c)
	}
	s.Yes(t, c)
	c = ok(s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 1, Circle: servetest.Circle}))(t)
	if c.Status != "published" || c.Audience != "circle" || c.Circle != servetest.Circle || len(c.PublicId) != 22 {
		t.Fatalf("published: %v", c)
	}
	s.lastLogged(t, c.Id, "case.publish", true, "")
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1})
	shared := ok(s.Open(t.Context(), c.PublicId))(t)
	if shared.WhatHappened != c.Rendition.WhatHappened || shared.Question != "Wat had ik [persoon A] kunnen vragen?" || shared.Theme != "geldzorgen" ||
		shared.Owner != servetest.Node || shared.Revision != 1 || shared.Circle != servetest.Circle {
		t.Fatalf("shared: %v", shared)
	}
	s.lastLogged(t, c.Id, "case.read-shared", true, "")
}

func (s suite) createTwice(t *testing.T) {
	req := &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: "Iets."}
	ids := make([]string, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			c, err := s.Cases.CreateCase(s.author(t), req)
			if err != nil {
				t.Errorf("create: %v", err)
			}
			ids[i] = c.GetId()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("more than one case: %v", ids)
		}
	}
	want(t, err2(s.Cases.CreateCase(s.author(t), &casesv1.CreateCaseRequest{RequestId: req.RequestId, WhatHappened: "Iets anders."})), invalid)
	other := ok(s.Cases.CreateCase(s.As(t.Context(), casestest.Colleague()), req))(t)
	if other.Id == ids[0] {
		t.Fatal("another author got the case")
	}
	ok(s.Cases.RemoveCase(s.author(t), &casesv1.RemoveCaseRequest{CaseId: ids[0]}))(t)
	if again := ok(s.Cases.CreateCase(s.author(t), req))(t); again.Id != ids[0] || again.WhatHappened != "" || again.ClosedReason != "removed" {
		t.Fatalf("after removal: %v", again)
	}
	refusedWho := servetest.Person(casestest.AuthorID, casestest.Unit, "privacy-officer")
	want(t, err2(s.Cases.CreateCase(s.As(t.Context(), refusedWho), &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: "x"})), refused, "role.missing")
}

func (s suite) editConflict(t *testing.T) {
	c := casestest.Create(t, s.Harness, casestest.Author())
	results := make([]error, 6)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = err2(s.edit(t, c, "Anders.")) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		want(t, err, conflict)
	}
	if won != 1 {
		t.Fatalf("%d edits won", won)
	}
	now := ok(s.get(t, casestest.Author(), c.Id))(t)
	if now.Revision != 2 || now.BasisRevision != 2 || now.WhatHappened != "Anders." {
		t.Fatalf("after the edits: %v", now)
	}
	want(t, err2(s.Cases.EditCase(s.As(t.Context(), casestest.Colleague()), &casesv1.EditCaseRequest{CaseId: c.Id, Revision: 2, WhatHappened: "x"})), notFound)
	s.lastLogged(t, c.Id, "case.edit", false, "case.not_yours")
}

// pureRemoval leaves yes, release and publication as they were, within the edit itself.
func (s suite) pureRemoval(t *testing.T) {
	c := s.Published(t)
	c = ok(s.get(t, casestest.Author(), c.Id))(t)
	c = ok(s.edit(t, c, "Fatima belde over de huur."))(t)
	if c.Revision != 2 || c.BasisRevision != 1 || c.Status != "published" || c.Rendition.GetWhatHappened() != "[persoon A] belde over de huur." {
		t.Fatalf("after the removal: %v", c)
	}
	shared := ok(s.Open(t.Context(), c.PublicId))(t)
	if shared.Revision != 2 || shared.WhatHappened != "[persoon A] belde over de huur." {
		t.Fatalf("shared: %v", shared)
	}
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1})
}

// addition closes the case to others at once, and opens it again only when everything was asked again.
func (s suite) addition(t *testing.T) {
	c := ok(s.get(t, casestest.Author(), s.Published(t).Id))(t)
	before := c.WhatHappened
	c = ok(s.edit(t, c, before+" Mirjam wist ervan."))(t)
	if c.Status != "draft" || c.BasisRevision != 2 || c.Rendition != nil {
		t.Fatalf("with an open choice: %v", c)
	}
	want(t, err2(s.Open(t.Context(), c.PublicId)), refused, "case.closed")
	s.lastLogged(t, c.Id, "case.read-shared", false, "consent.text_changed")
	if team := ok(s.get(t, casestest.Second(), c.Id))(t); team.WhatHappened != "" || team.Title != "" || team.Rendition != nil {
		t.Fatalf("others read before the author chose: %v", team)
	}
	// Taking it back before choosing gives everything back.
	c = ok(s.edit(t, c, before))(t)
	if c.Status != "published" || c.Revision != 3 || c.BasisRevision != 1 || c.ReleasedBy != casestest.SecondID {
		t.Fatalf("taken back: %v", c)
	}
	ok(s.Open(t.Context(), c.PublicId))(t)
	// Adding for good asks release and yes again.
	c = ok(s.edit(t, c, before+" Ook Mirjam wist ervan."))(t)
	c = casestest.Accept(t, s.Harness, casestest.Author(), c)
	if c.Status != "draft" || c.BasisRevision != 4 || c.ReleasedBy != "" || c.Rendition == nil {
		t.Fatalf("added: %v", c)
	}
	want(t, err2(s.Open(t.Context(), c.PublicId)), refused, "case.closed")
	publish := func() error {
		return err2(s.Cases.PublishCase(s.author(t), &casesv1.PublishCaseRequest{CaseId: c.Id, Revision: 4, Circle: servetest.Circle}))
	}
	c = casestest.Release(t, s.Harness, casestest.Author(), casestest.Second(), c)
	want(t, publish(), refused, "consent.text_changed")
	s.Yes(t, c)
	if err := publish(); err != nil {
		t.Fatal(err)
	}
	if shared := ok(s.Open(t.Context(), c.PublicId))(t); shared.Revision != 4 || !strings.HasSuffix(shared.WhatHappened, "Ook [persoon C] wist ervan.") {
		t.Fatalf("shared: %v", shared)
	}
	wantNotices(t, s.notices(t, c.Id), notice{"opened", servetest.Peer, 1}, notice{"opened", servetest.Peer, 2})
}

// otherChoices for what others read already are another revision.
func (s suite) otherChoices(t *testing.T) {
	c := s.Published(t)
	resolve := func(revision uint32, choice *casesv1.Choice) (*casesv1.Case, error) {
		return s.Cases.ResolveProposals(s.author(t), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: revision, Choices: []*casesv1.Choice{choice}})
	}
	same := ok(resolve(1, &casesv1.Choice{ProposalId: 1, Choice: "replace"}))(t)
	if same.Revision != 1 || same.Status != "published" {
		t.Fatalf("the same choice: %v", same)
	}
	vaguer := ok(resolve(1, &casesv1.Choice{ProposalId: 2, Choice: "replace", Replacement: "[iemand]"}))(t)
	if vaguer.Revision != 2 || vaguer.BasisRevision != 1 || vaguer.Status != "published" {
		t.Fatalf("a more general word: %v", vaguer)
	}
	name := ok(resolve(2, &casesv1.Choice{ProposalId: 1, Choice: "keep"}))(t)
	if name.Revision != 3 || name.BasisRevision != 3 || name.Status != "draft" || name.Rendition.Risk.Level != 3 {
		t.Fatalf("a name kept: %v", name)
	}
	want(t, err2(s.Open(t.Context(), c.PublicId)), refused, "case.closed")
	want(t, err2(s.Cases.ReleaseCase(s.As(t.Context(), casestest.Second()), &casesv1.ReleaseCaseRequest{CaseId: c.Id, Revision: 3})), refused, "risk.recognisable")
	want(t, err2(resolve(1, &casesv1.Choice{ProposalId: 1, Choice: "keep"})), conflict)
}

// carriedChoices: what was chosen for a word holds for that word in the next revision.
func (s suite) carriedChoices(t *testing.T) {
	c := casestest.Create(t, s.Harness, casestest.Author())
	ok(s.Cases.ProposeReplacements(s.author(t), &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 1}))(t)
	ok(s.Cases.ResolveProposals(s.author(t), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 1, Choices: []*casesv1.Choice{
		{ProposalId: 2, Choice: "replace", Replacement: "de huisbaas"},
	}}))(t)
	c = ok(s.edit(t, c, "Jan belde, en Mirjam ook."))(t)
	if len(c.Proposals) != 0 {
		t.Fatalf("proposals of an older text: %v", c.Proposals)
	}
	want(t, err2(s.Cases.ResolveProposals(s.author(t), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 2, AcceptOpen: true})), wrongState, "case.not_proposed")
	c = ok(s.Cases.ProposeReplacements(s.author(t), &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 2}))(t)
	if p := c.Proposals; p[0].Choice != "replace" || p[0].Span.Proposal != "de huisbaas" || p[1].Choice != "open" {
		t.Fatalf("carried: %v", p)
	}
}

func (s suite) choices(t *testing.T) {
	c := casestest.Create(t, s.Harness, casestest.Author())
	ok(s.Cases.ProposeReplacements(s.author(t), &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 1}))(t)
	resolve := func(choices ...*casesv1.Choice) (*casesv1.Case, error) {
		return s.Cases.ResolveProposals(s.author(t), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 1, Choices: choices})
	}
	for _, bad := range []*casesv1.Choice{
		{ProposalId: 0, Choice: "keep"}, {ProposalId: 5, Choice: "keep"}, {ProposalId: 1, Choice: "open"}, {ProposalId: 1},
		{ProposalId: 1, Choice: "replace", Replacement: strings.Repeat("x", 201)},
	} {
		want(t, err2(resolve(bad)), invalid)
	}
	part := ok(resolve(&casesv1.Choice{ProposalId: 1, Choice: "keep"}))(t)
	if part.Rendition != nil || part.Proposals[0].Choice != "keep" || part.Proposals[1].Choice != "open" {
		t.Fatalf("part of the choices: %v", part)
	}
	for who, caller := range map[string]func() error{
		"colleague": func() error {
			return err2(s.Cases.ResolveProposals(s.As(t.Context(), casestest.Colleague()), &casesv1.ResolveProposalsRequest{CaseId: c.Id, Revision: 1, AcceptOpen: true}))
		},
		"proposing colleague": func() error {
			return err2(s.Cases.ProposeReplacements(s.As(t.Context(), casestest.Colleague()), &casesv1.ProposeReplacementsRequest{CaseId: c.Id, Revision: 1}))
		},
	} {
		if fault.ReasonOf(caller()) != notFound {
			t.Errorf("%s could", who)
		}
	}
}

func (s suite) invitations(t *testing.T) {
	c := casestest.Rendered(t, s.Harness, casestest.Author())
	s.Gateway.AddColleague(&gatewayv1.Colleague{Found: false, Id: uuid.Nil.String()})
	invite := func(id string, second bool) (*casesv1.Case, error) {
		return s.Cases.InviteReader(s.author(t), &casesv1.InviteReaderRequest{CaseId: c.Id, Colleague: id, SecondReader: second})
	}
	want(t, err2(invite(uuid.NewString(), false)), invalid)
	want(t, err2(invite(casestest.AuthorID, true)), invalid)
	want(t, err2(invite(casestest.OfficerID, true)), invalid)
	want(t, err2(invite("collega", false)), invalid)
	want(t, err2(s.get(t, casestest.Outsider(), c.Id)), notFound)
	ok(invite(casestest.OutsiderID, false))(t)
	read := ok(s.get(t, casestest.Outsider(), c.Id))(t)
	if read.WhatHappened != c.Rendition.WhatHappened || len(read.Proposals) != 0 || read.Rendition.GetRisk().GetSentence() == "" || strings.Contains(read.String(), "Fatima") {
		t.Fatalf("the invited colleague: %v", read)
	}
	want(t, err2(s.Cases.InviteReader(s.As(t.Context(), casestest.Outsider()), &casesv1.InviteReaderRequest{CaseId: c.Id, Colleague: casestest.ColleagueID})), refused, "case.not_yours")
	both := ok(invite(casestest.OutsiderID, true))(t)
	if both.SecondReader != casestest.OutsiderID {
		t.Fatalf("second reader: %v", both)
	}
	s.lastLogged(t, c.Id, "case.invite", true, "")
}
