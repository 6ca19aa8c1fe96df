package reviewtest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// Cases stands in for the cases service: facts by public id or id.
type Cases struct {
	casesv1.UnimplementedCasesServiceServer
	// Down makes it fail.
	Down  atomic.Bool
	mu    sync.Mutex
	facts map[string]*casesv1.CaseFacts
}

// NewCases knows no case.
func NewCases() *Cases { return &Cases{facts: map[string]*casesv1.CaseFacts{}} }

// Publish makes a case that the circle of servetest can read.
func (c *Cases) Publish(publicID, author string) {
	c.put(&casesv1.CaseFacts{
		Found: true, Id: uuid.NewString(), PublicId: publicID, OwnerOrg: servetest.Node, Unit: "team-oost", Author: author,
		SecondReader: "second-reader", Status: "published", Audience: "circle", Circle: servetest.Circle, Risk: 1,
		ReleasedBy: "second-reader", ReleaseRevision: 1, BasisRevision: 1, Revision: 1, Noticed: true,
		GrantState: "granted", GrantRevision: 1, GrantPurpose: "learning-in-circle", GrantCircle: servetest.Circle,
		GrantFrom: "2026-11-01T00:00:00.000000Z", GrantUntil: "2027-05-01T00:00:00.000000Z",
	})
}

func (c *Cases) put(f *casesv1.CaseFacts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts[f.GetPublicId()] = f
}

// Change changes a case's facts.
func (c *Cases) Change(publicID string, change func(*casesv1.CaseFacts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c.facts[publicID])
}

// Withdraw ends the yes to a case, before anything closed it.
func (c *Cases) Withdraw(publicID string) {
	c.Change(publicID, func(f *casesv1.CaseFacts) { f.GrantState = "withdrawn" })
}

// Close closes a case after a withdrawal.
func (c *Cases) Close(publicID string) {
	c.Change(publicID, func(f *casesv1.CaseFacts) {
		f.Status, f.ClosedReason, f.GrantState = "closed", "withdrawn", "withdrawn"
	})
}

// DescribeCase implements casesv1.CasesServiceServer. The yes is the other organisation's of servetest.
func (c *Cases) DescribeCase(_ context.Context, req *casesv1.DescribeCaseRequest) (*casesv1.CaseFacts, error) {
	if c.Down.Load() {
		return nil, fault.Unavailable(context.DeadlineExceeded)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.facts {
		if f.GetPublicId() != req.GetPublicId() && f.GetId() != req.GetCaseId() {
			continue
		}
		f = proto.CloneOf(f)
		if o := req.GetOrganisation(); o != "" && o != servetest.Peer {
			f.GrantState, f.GrantRevision, f.GrantPurpose, f.GrantCircle, f.GrantFrom, f.GrantUntil = "absent", 0, "", "", "", ""
			f.Noticed = false
		}
		return f, nil
	}
	return &casesv1.CaseFacts{Id: req.GetCaseId(), PublicId: req.GetPublicId(), Risk: -1, GrantState: "absent"}, nil
}

// Gateway stands in for the gateway's FederationService: what other organisations answer.
type Gateway struct {
	gatewayv1.UnimplementedFederationServiceServer
	mu       sync.Mutex
	shared   map[string]*casesv1.SharedCase
	refusals map[string]error
}

// NewGateway knows no case.
func NewGateway() *Gateway {
	return &Gateway{shared: map[string]*casesv1.SharedCase{}, refusals: map[string]error{}}
}

// Share makes the owner answer with this case.
func (g *Gateway) Share(c *casesv1.SharedCase) {
	if c.GetCircle() == "" {
		c.Circle = servetest.Circle
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shared[c.GetOwner()+" "+c.GetPublicId()] = c
}

// Refuse makes the owner refuse a case from now on.
func (g *Gateway) Refuse(owner, publicID string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusals[owner+" "+publicID] = err
}

// ReadPeerCase implements gatewayv1.FederationServiceServer. Every organisation is an active member here.
func (g *Gateway) ReadPeerCase(ctx context.Context, req *gatewayv1.ReadPeerCaseRequest) (*casesv1.SharedCase, error) {
	_, err := authz.Decide(ctx, req.GetPurpose(), authz.Resource{"kind": "peer", "id": req.GetOwner(), "state": "active"})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	key := req.GetOwner() + " " + req.GetPublicId()
	if err := g.refusals[key]; err != nil {
		return nil, err
	}
	c, ok := g.shared[key]
	if !ok || req.GetPurpose() != "learning-in-circle" {
		return nil, fault.NotFound()
	}
	return c, nil
}
