package gateway

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/identity"
)

// services remembers what came through the gateway. Each answers after a real decision.
type services struct {
	node string

	mu      sync.Mutex
	calls   []call
	fail    func(req proto.Message) error // after the decision, when set
	waiting map[string]*reviewv1.OutgoingMessage
	marked  map[string]string
}

type call struct {
	caller *identityv1.Caller
	md     metadata.MD
	req    proto.Message
}

const (
	caseID      = "0190a000-0000-7000-8000-0000000000c1"
	goodReceipt = "goede code"
	panicText   = "panic in de dienst"
	brokenText  = "stuk in de dienst"
)

func (s *services) came(ctx context.Context, req proto.Message, purpose string, r authz.Resource) (authz.Permit, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	s.calls = append(s.calls, call{caller: identity.Of(ctx), md: md, req: req})
	fail := s.fail
	s.mu.Unlock()
	permit, err := authz.Decide(ctx, purpose, r)
	if err == nil && fail != nil {
		err = fail(req)
	}
	return permit, err
}

func (s *services) last() call {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		return call{caller: &identityv1.Caller{}}
	}
	return s.calls[len(s.calls)-1]
}

func (s *services) count() int { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) }

func (s *services) failWith(f func(proto.Message) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// facts of a case of this node that the circle may read, written by author.
func (s *services) facts(author, status string) authz.Resource {
	return authz.Resource{
		"kind": "case", "id": caseID, "owner_org": s.node, "unit": "team-oost", "author": author, "second_reader": "account-2",
		"invited": false, "status": status, "closed_reason": "", "audience": "circle", "circle": theCircle, "risk": 1, "revision": 1,
		"basis_revision": 1, "released_by": "account-2", "release_revision": 1, "grant_state": "granted", "grant_revision": 1,
		"grant_purpose": "learning-in-circle", "grant_circle": theCircle, "grant_from": "2026-01-01T00:00:00.000000Z",
		"grant_until": "2099-01-01T00:00:00.000000Z", "noticed": true,
	}
}

type fakeCases struct {
	casesv1.UnimplementedCasesServiceServer
	*services
}

func (s *fakeCases) CreateCase(ctx context.Context, req *casesv1.CreateCaseRequest) (*casesv1.Case, error) {
	who := identity.Of(ctx)
	_, err := s.came(ctx, req, "", authz.Resource{"kind": "case", "id": "", "owner_org": who.GetOrganisation(), "unit": who.GetUnit()})
	switch {
	case err != nil:
		return nil, err
	case req.GetWhatHappened() == panicText:
		panic(req.GetWhatHappened())
	case req.GetWhatHappened() == brokenText:
		return nil, errors.New("index out of reach in table of secrets")
	}
	return &casesv1.Case{Id: caseID, WhatHappened: req.GetWhatHappened()}, nil
}

func (s *fakeCases) GetCase(ctx context.Context, req *casesv1.GetCaseRequest) (*casesv1.Case, error) {
	_, err := s.came(ctx, req, "", s.facts(identity.Of(ctx).GetSubject(), "draft"))
	return &casesv1.Case{Id: req.GetCaseId()}, err
}

func (s *fakeCases) ListCases(ctx context.Context, req *casesv1.ListCasesRequest) (*casesv1.ListCasesResponse, error) {
	_, err := s.came(ctx, req, "", s.facts(identity.Of(ctx).GetSubject(), "draft"))
	return &casesv1.ListCasesResponse{}, err
}

func (s *fakeCases) ReadShared(ctx context.Context, req *casesv1.ReadSharedRequest) (*casesv1.SharedCase, error) {
	permit, err := s.came(ctx, req, req.GetPurpose(), s.facts("account-1", "published"))
	if err != nil {
		return nil, err
	}
	return &casesv1.SharedCase{PublicId: req.GetPublicId(), WhatHappened: permit.Rendition()}, nil
}

func (s *fakeCases) CloseLapsed(ctx context.Context, req *casesv1.CloseLapsedRequest) (*casesv1.CloseLapsedResponse, error) {
	_, err := s.came(ctx, req, "", authz.Resource{"kind": "case", "id": req.GetCaseId()})
	return &casesv1.CloseLapsedResponse{}, err
}

type fakeConsent struct {
	consentv1.UnimplementedConsentServiceServer
	*services
}

func (s *fakeConsent) GetReceipt(ctx context.Context, req *consentv1.GetReceiptRequest) (*consentv1.Receipt, error) {
	_, err := s.came(ctx, req, "", authz.Resource{"kind": "receipt", "id": "receipt", "found": req.GetReceiptCode() == goodReceipt})
	return &consentv1.Receipt{State: "shared"}, err
}

type fakeReview struct {
	reviewv1.UnimplementedReviewServiceServer
	*services
}

func (s *fakeReview) ReceiveNotice(ctx context.Context, req *reviewv1.ReceiveNoticeRequest) (*reviewv1.ReceiveNoticeResponse, error) {
	state := map[string]string{"opened": "open", "closed": "closed"}[req.GetKind()]
	_, err := s.came(ctx, req, "", authz.Resource{
		"kind": "notice", "id": req.GetMessageId(), "owner_org": identity.Of(ctx).GetOrganisation(), "circle": req.GetCircle(), "state": state,
	})
	return &reviewv1.ReceiveNoticeResponse{}, err
}

func (s *fakeReview) ReceiveMessage(ctx context.Context, req *reviewv1.ReceiveMessageRequest) (*reviewv1.ReceiveMessageResponse, error) {
	_, err := s.came(ctx, req, "", authz.Resource{
		"kind": "review", "id": req.GetDialogueId(), "node_org": s.node, "side": "reader", "writer": "account-5", "case_author": "",
		"state": "open", "draft_until": "", "peer": identity.Of(ctx).GetOrganisation(),
	})
	return &reviewv1.ReceiveMessageResponse{}, err
}

func (s *fakeReview) GetOutgoing(ctx context.Context, req *reviewv1.GetOutgoingRequest) (*reviewv1.OutgoingMessage, error) {
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": "message", "id": req.GetMessageId()}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := proto.CloneOf(s.waiting[req.GetMessageId()])
	out.Waiting = s.marked[req.GetMessageId()] == ""
	return out, nil
}

func (s *fakeReview) MarkDelivery(ctx context.Context, req *reviewv1.MarkDeliveryRequest) (*reviewv1.MarkDeliveryResponse, error) {
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": "message", "id": req.GetMessageId()}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marked == nil {
		s.marked = map[string]string{}
	}
	s.marked[req.GetMessageId()] = req.GetDelivery()
	return &reviewv1.MarkDeliveryResponse{}, nil
}

func (s *services) outcome(id string) string { s.mu.Lock(); defer s.mu.Unlock(); return s.marked[id] }
