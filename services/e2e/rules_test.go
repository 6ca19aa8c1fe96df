package e2e_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// deed is something to try with a case.
type deed struct {
	name, method, path string
	body               proto.Message
}

func deedsWith(id string, f *federation, colleague string) []deed {
	return []deed{
		{"read", http.MethodGet, "/cases/" + id, nil},
		{"edit", http.MethodPut, "/cases/" + id + "/text", &casesv1.EditCaseRequest{Revision: 1, WhatHappened: "iets anders"}},
		{"propose", http.MethodPost, "/cases/" + id + "/proposals", &casesv1.ProposeReplacementsRequest{Revision: 1}},
		{"choose", http.MethodPost, "/cases/" + id + "/choices", &casesv1.ResolveProposalsRequest{Revision: 1, AcceptOpen: true}},
		{"invite", http.MethodPost, "/cases/" + id + "/invitations", &casesv1.InviteReaderRequest{Colleague: colleague}},
		{"release", http.MethodPost, "/cases/" + id + "/release", &casesv1.ReleaseCaseRequest{Revision: 1}},
		{"publish", http.MethodPost, "/cases/" + id + "/publication", &casesv1.PublishCaseRequest{Revision: 1, Circle: f.circle}},
		{"stop", http.MethodPost, "/cases/" + id + "/stop", &casesv1.StopSharingRequest{}},
		{"remove", http.MethodDelete, "/cases/" + id, nil},
		{"list the yes", http.MethodGet, "/cases/" + id + "/grants", nil},
		{"register a yes", http.MethodPost, "/cases/" + id + "/grants", &consentv1.RegisterGrantRequest{
			RequestId: uuid.NewString(), Revision: 1, Circle: f.circle, Manner: "on-paper"}},
	}
}

// officers may do these with any case of the organisation, without reading it.
var officers = []string{"stop", "list the yes"}

func TestADraftIsItsAuthorsAndNobodyElses(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{})
	owner := f.members[0]
	m := f.newTeam(owner)
	others := map[string]*person{
		"a colleague of the same unit": m.second,
		"another unit":                 f.invite(owner, "Femke Oudeboon", "team-west", "professional", "reviewer"),
		"who runs the node":            f.invite(owner, "Geert Staalman", "team-oost", "operator"),
		"who runs the federation":      f.invite(owner, "Hylke Brandsma", "team-oost", "federation-administrator"),
		"the privacy officer":          m.fg,
		"every role, in another unit": f.invite(owner, "Ids Veenstra", "bureau",
			"professional", "reviewer", "operator", "federation-administrator"),
	}
	c := m.draft(theStory())
	unknown := uuid.Must(uuid.NewV7()).String()
	for who, p := range others {
		nothing := deedsWith(unknown, f, m.author.id)
		for i, d := range deedsWith(c.GetId(), f, m.author.id) {
			if p == m.fg && slices.Contains(officers, d.name) {
				continue
			}
			got := p.refused(http.StatusNotFound, "not-found", d.method, d.path, d.body)
			absent := p.refused(http.StatusNotFound, "not-found", nothing[i].method, nothing[i].path, nothing[i].body)
			if !maps.Equal(got.told(), absent.told()) {
				t.Errorf("%s, %s: a case that is there and one that is not are told apart", who, d.name)
			}
		}
		if p.lists(c) {
			t.Errorf("%s finds the draft in a list", who)
		}
	}

	// One more can read it: whoever the author invites. Only the author has the words as written.
	guest := others["another unit"]
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/invitations", &casesv1.InviteReaderRequest{Colleague: guest.id}, c)
	var seen casesv1.Case
	guest.must(http.MethodGet, "/cases/"+c.GetId(), nil, &seen)
	if seen.GetWhatHappened() != c.GetRendition().GetWhatHappened() || len(seen.GetProposals()) != 0 || !guest.lists(c) {
		t.Error("an invited colleague reads something else than the rendition")
	}
	guest.refused(http.StatusForbidden, "release.not_asked", http.MethodPost, "/cases/"+c.GetId()+"/release", &casesv1.ReleaseCaseRequest{Revision: 1})

	// Four eyes are of two people.
	m.author.refused(http.StatusForbidden, "release.second_reader", http.MethodPost, "/cases/"+c.GetId()+"/release", &casesv1.ReleaseCaseRequest{Revision: 1})
	m.author.refused(http.StatusBadRequest, "invalid-argument", http.MethodPost, "/cases/"+c.GetId()+"/invitations",
		&casesv1.InviteReaderRequest{Colleague: m.author.id, SecondReader: true})
	if got := m.get(c); got.GetStatus() != "draft" || got.GetReleasedBy() != "" {
		t.Errorf("the draft is now %s", got.GetStatus())
	}

	// Released, it is the unit's to read. The other units of the organisation stay outside.
	m.release(c)
	mate := f.invite(owner, "Jelte Wiarda", "team-oost", "professional")
	mate.must(http.MethodGet, "/cases/"+c.GetId(), nil, &seen)
	if seen.GetWhatHappened() != c.GetRendition().GetWhatHappened() || !mate.lists(c) {
		t.Error("a colleague of the unit reads something else than the rendition")
	}
	outsider := others["every role, in another unit"]
	outsider.refused(http.StatusNotFound, "not-found", http.MethodGet, "/cases/"+c.GetId(), nil)
	if outsider.lists(c) {
		t.Error("another unit finds the case in a list")
	}
}

// lists tells whether the person finds the case in their list.
func (p *person) lists(c *casesv1.Case) bool {
	p.f.t.Helper()
	var res casesv1.ListCasesResponse
	p.must(http.MethodGet, "/cases?pageSize=100", nil, &res)
	return slices.ContainsFunc(res.GetCases(), func(l *casesv1.Case) bool { return l.GetId() == c.GetId() })
}

// Ids of one organisation open nothing at another, in whatever form.
func TestIdsOfAnotherOrganisationOpenNothing(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{members: 3})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	third := f.invite(f.members[2], "Klaske Tuinstra", "team-midden", "professional", "reviewer")
	c, _ := m.shared(time.Time{})
	n := reader.noticed(t, c.GetPublicId())
	r := reader.begin(n)
	reader.say(r, message("question", "Wat is "+canaryReview+"?"))
	own := m.author.arrives(t, delivery, c.GetPublicId(), "Wat is "+canaryReview+"?")

	// A session of one node is nothing at another.
	for _, at := range f.members[1:] {
		astray := *m.author
		astray.node = at
		astray.refused(http.StatusUnauthorized, "unauthenticated", http.MethodGet, "/cases/"+c.GetId(), nil)
	}
	thirdNotice := third.noticed(t, c.GetPublicId())
	for who, p := range map[string]*person{"the reader": reader, "a third organisation": third} {
		unknown := deedsWith(uuid.NewString(), f, p.id)
		for i, d := range deedsWith(c.GetId(), f, p.id) {
			got := p.refused(http.StatusNotFound, "not-found", d.method, d.path, d.body)
			absent := p.refused(http.StatusNotFound, "not-found", unknown[i].method, unknown[i].path, unknown[i].body)
			if !maps.Equal(got.told(), absent.told()) {
				t.Errorf("%s, %s: another's case and none are told apart", who, d.name)
			}
		}
	}
	// Notices and dialogues of one node at another, and of one person with a colleague.
	colleague := f.invite(f.members[1], "Lolke Hiemstra", "team-zuid", "professional", "reviewer")
	for who, p := range map[string]*person{"a third organisation": third, "the owner": m.author} {
		p.refused(http.StatusNotFound, "not-found", http.MethodGet, "/notices/"+n.GetId()+"/case", nil)
		p.refused(http.StatusNotFound, "not-found", http.MethodPost, "/notices/"+n.GetId()+"/reviews",
			&reviewv1.StartReviewRequest{RequestId: uuid.NewString()})
		if p == third && p.received(c.GetPublicId()) != nil {
			t.Errorf("%s has the dialogue of another", who)
		}
	}
	reader.refused(http.StatusNotFound, "not-found", http.MethodGet, "/notices/"+thirdNotice.GetId()+"/case", nil)
	for who, p := range map[string]*person{"a third organisation": third, "a colleague of the reader": colleague, "a colleague of the author": m.second} {
		id := r.GetId()
		if p == m.second {
			id = own.GetId()
		}
		for _, d := range []deed{
			{"read", http.MethodGet, "/reviews/" + id, nil},
			{"draft", http.MethodPut, "/reviews/" + id + "/draft", &reviewv1.SaveDraftRequest{Kind: "question", Text: "x"}},
			{"say", http.MethodPost, "/reviews/" + id + "/messages", message("question", "x")},
		} {
			got := p.refused(http.StatusNotFound, "not-found", d.method, d.path, d.body)
			absent := p.refused(http.StatusNotFound, "not-found", http.MethodGet, "/reviews/"+uuid.NewString(), nil)
			if !maps.Equal(got.told(), absent.told()) {
				t.Errorf("%s, %s: another's dialogue and none are told apart", who, d.name)
			}
		}
	}
	// Nobody but the privacy officer reads the decisions.
	for _, p := range []*person{m.author, m.second, reader} {
		if refusal := p.call(http.MethodGet, "/decisions", nil, nil); refusal == nil || refusal.Status != http.StatusForbidden {
			t.Errorf("the decisions are open: %v", refusal)
		}
	}
}
