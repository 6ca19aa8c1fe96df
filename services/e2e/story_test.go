package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// What people write in these tests. The words here are nowhere else, so
// that a search for them tells where the text is.
const (
	canaryStory    = "kwikstaartnest"
	canaryQuestion = "lepelaarsveer"
	canaryTitle    = "grutto op het dak"
	canaryTheme    = "schuldenrust"
	canaryPerson   = "Johanna Terpstra"
	canaryReview   = "roerdompgezang"
)

func theStory() *casesv1.CreateCaseRequest {
	return &casesv1.CreateCaseRequest{
		RequestId: uuid.NewString(),
		WhatHappened: "Bij mevrouw " + canaryPerson + " stond de post ongeopend in de kast. We hebben samen het " + canaryStory +
			" bekeken en toen begon het gesprek vanzelf. Ze belde later met 06-12345678.",
		Question: "Hoe begin je rustig over de " + canaryQuestion + "?",
		Title:    "Een " + canaryTitle, Theme: canaryTheme,
	}
}

// team is who a story needs on the side of its owner.
type team struct {
	f              *federation
	owner          *node
	author, second *person
	fg             *person
}

func (f *federation) newTeam(owner *node) *team {
	f.t.Helper()
	for what, text := range map[string]string{
		"a story": canaryStory, "a question": canaryQuestion, "a title": canaryTitle, "a theme": canaryTheme,
		"the name of a resident": canaryPerson, "a review": canaryReview,
	} {
		f.hide(what, text)
	}
	return &team{
		f: f, owner: owner,
		author: f.invite(owner, "Aagje Molenwiek", "team-oost", "professional", "reviewer"),
		second: f.invite(owner, "Wobbe Klaversma", "team-oost", "professional"),
		fg:     f.invite(owner, "Trijntje Zonderland", "bureau", "privacy-officer"),
	}
}

// draft is a case whose proposals the author accepted.
func (m *team) draft(req *casesv1.CreateCaseRequest) *casesv1.Case {
	m.f.t.Helper()
	var c casesv1.Case
	m.author.must(http.MethodPost, "/cases", req, &c)
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/proposals", &casesv1.ProposeReplacementsRequest{Revision: c.GetRevision()}, &c)
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/choices",
		&casesv1.ResolveProposalsRequest{Revision: c.GetRevision(), AcceptOpen: true}, &c)
	return &c
}

// yes registers what the resident agreed to; without a time it is six months.
func (m *team) yes(c *casesv1.Case, until time.Time) *consentv1.RegisterGrantResponse {
	m.f.t.Helper()
	req := &consentv1.RegisterGrantRequest{
		RequestId: uuid.NewString(), Revision: c.GetRevision(), Circle: m.f.circle, Manner: "aloud-with-colleague",
	}
	if !until.IsZero() {
		req.ValidUntilTime = timestamppb.New(until)
	}
	var res consentv1.RegisterGrantResponse
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/grants", req, &res)
	m.f.hide("a receipt code", res.GetReceiptCode())
	return &res
}

// release is the second reader's word.
func (m *team) release(c *casesv1.Case) {
	m.f.t.Helper()
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/invitations",
		&casesv1.InviteReaderRequest{Colleague: m.second.id, SecondReader: true}, c)
	m.second.must(http.MethodPost, "/cases/"+c.GetId()+"/release", &casesv1.ReleaseCaseRequest{Revision: c.GetRevision()}, nil)
}

func (m *team) publish(c *casesv1.Case) {
	m.f.t.Helper()
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/publication",
		&casesv1.PublishCaseRequest{Revision: c.GetRevision(), Circle: m.f.circle}, c)
}

// shared is a case that the circle can read.
func (m *team) shared(until time.Time) (*casesv1.Case, *consentv1.RegisterGrantResponse) {
	m.f.t.Helper()
	c := m.draft(theStory())
	y := m.yes(c, until)
	m.release(c)
	m.publish(c)
	return c, y
}

func (m *team) get(c *casesv1.Case) *casesv1.Case {
	m.f.t.Helper()
	var got casesv1.Case
	m.author.must(http.MethodGet, "/cases/"+c.GetId(), nil, &got)
	return &got
}

// withdraw is the resident, with the code of the receipt and nothing else.
func (m *team) withdraw(code string) *consentv1.Receipt {
	m.f.t.Helper()
	var r consentv1.Receipt
	m.f.nobody(m.owner).must(http.MethodPost, "/receipts/withdrawal", &consentv1.WithdrawRequest{ReceiptCode: code}, &r)
	return &r
}

func (f *federation) newReader(n *node) *person {
	f.t.Helper()
	return f.invite(n, "Douwe Hoekzema", "team-zuid", "professional", "reviewer")
}

// notice is what arrived about a case, if it has.
func (p *person) notice(publicID string) *reviewv1.Notice {
	p.f.t.Helper()
	var res reviewv1.ListNoticesResponse
	p.must(http.MethodGet, "/notices?pageSize=100", nil, &res)
	for _, n := range res.GetNotices() {
		if n.GetCasePublicId() == publicID {
			return n
		}
	}
	return nil
}

// delivery is how long a message may be under way when nothing is wrong.
const delivery = 20 * time.Second

// noticed waits for the notice of a case.
func (p *person) noticed(t testing.TB, publicID string) *reviewv1.Notice {
	t.Helper()
	var n *reviewv1.Notice
	eventually(t, delivery, "the notice arrives", func() bool {
		n = p.notice(publicID)
		return n != nil
	})
	return n
}

// read opens a case at its owner, live.
func (p *person) read(n *reviewv1.Notice) (*reviewv1.SharedCase, *problem) {
	p.f.t.Helper()
	var c reviewv1.SharedCase
	if r := p.call(http.MethodGet, "/notices/"+n.GetId()+"/case", nil, &c); r != nil {
		return nil, r
	}
	return &c, nil
}

// begin starts a review of a noticed case.
func (p *person) begin(n *reviewv1.Notice) *reviewv1.Review {
	p.f.t.Helper()
	var r reviewv1.Review
	p.must(http.MethodPost, "/notices/"+n.GetId()+"/reviews", &reviewv1.StartReviewRequest{RequestId: uuid.NewString()}, &r)
	return &r
}

func message(kind, text string) *reviewv1.SubmitMessageRequest {
	return &reviewv1.SubmitMessageRequest{RequestId: uuid.NewString(), Kind: kind, Text: text}
}

// say submits a message and gives its request, to send it again.
func (p *person) say(r *reviewv1.Review, req *reviewv1.SubmitMessageRequest) {
	p.f.t.Helper()
	p.must(http.MethodPost, "/reviews/"+r.GetId()+"/messages", req, r)
}

// review as it is now.
func (p *person) review(id string) *reviewv1.Review {
	p.f.t.Helper()
	var r reviewv1.Review
	p.must(http.MethodGet, "/reviews/"+id, nil, &r)
	return &r
}

// received gives the dialogue about a case that this person's node has, if it has one.
func (p *person) received(publicID string) *reviewv1.Review {
	p.f.t.Helper()
	var res reviewv1.ListReviewsResponse
	p.must(http.MethodGet, "/reviews?pageSize=100", nil, &res)
	for _, r := range res.GetReviews() {
		if r.GetCasePublicId() == publicID {
			return p.review(r.GetId())
		}
	}
	return nil
}

// saying gives the messages of a review with this text.
func saying(r *reviewv1.Review, text string) (found []*reviewv1.Message) {
	for _, m := range r.GetMessages() {
		if m.GetText() == text {
			found = append(found, m)
		}
	}
	return found
}

// arrives waits until exactly one message with this text is there.
func (p *person) arrives(t testing.TB, within time.Duration, publicID, text string) *reviewv1.Review {
	t.Helper()
	var r *reviewv1.Review
	eventually(t, within, "the message arrives", func() bool {
		r = p.received(publicID)
		return r != nil && len(saying(r, text)) > 0
	})
	if n := len(saying(r, text)); n != 1 {
		t.Fatalf("the message arrived %d times", n)
	}
	return r
}

// delivered waits until the sender's own side says that the message has arrived.
func (p *person) delivered(t testing.TB, within time.Duration, review, text string) {
	t.Helper()
	eventually(t, within, "the sender knows of the delivery", func() bool {
		own := saying(p.review(review), text)
		if len(own) != 1 {
			t.Fatalf("the sender has the message %d times", len(own))
		}
		return own[0].GetDelivery() == "delivered"
	})
}

// choose accepts what deid proposes for a revision that was edited, where that is still open.
func (m *team) choose(c *casesv1.Case) {
	m.f.t.Helper()
	m.author.must(http.MethodPost, "/cases/"+c.GetId()+"/choices",
		&casesv1.ResolveProposalsRequest{Revision: c.GetRevision(), AcceptOpen: true}, c)
}

func receipt(code string) *consentv1.GetReceiptRequest {
	return &consentv1.GetReceiptRequest{ReceiptCode: code}
}
