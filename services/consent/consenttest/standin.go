package consenttest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// Cases stands in for the cases service: facts by id.
type Cases struct {
	casesv1.UnimplementedCasesServiceServer
	// Down makes it fail.
	Down  atomic.Bool
	mu    sync.Mutex
	facts map[string]*casesv1.CaseFacts
}

// NewCases knows no case.
func NewCases() *Cases { return &Cases{facts: map[string]*casesv1.CaseFacts{}} }

// Draft makes a case known that its author's resident can say yes to, and gives its id.
func (c *Cases) Draft(author, unit string) string {
	id := uuid.NewString()
	c.Set(&casesv1.CaseFacts{
		Found: true, Id: id, OwnerOrg: servetest.Node, Author: author, Unit: unit, Status: "draft", Audience: "circle",
		Revision: 1, BasisRevision: 1, GrantState: "absent",
	})
	return id
}

// Change alters the facts of a case.
func (c *Cases) Change(id string, alter func(*casesv1.CaseFacts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	alter(c.facts[id])
}

// Set makes a case known.
func (c *Cases) Set(f *casesv1.CaseFacts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts[f.GetId()] = f
}

// DescribeCase implements casesv1.CasesServiceServer.
func (c *Cases) DescribeCase(_ context.Context, req *casesv1.DescribeCaseRequest) (*casesv1.CaseFacts, error) {
	if c.Down.Load() {
		return nil, fault.Internal(errors.New("down"))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.facts[req.GetCaseId()]; ok {
		return &casesv1.CaseFacts{
			Found: true, Id: f.GetId(), OwnerOrg: f.GetOwnerOrg(), Author: f.GetAuthor(), Unit: f.GetUnit(), Status: f.GetStatus(),
			ClosedReason: f.GetClosedReason(), Audience: f.GetAudience(), Revision: f.GetRevision(), BasisRevision: f.GetBasisRevision(),
			Risk: f.GetRisk(), GrantState: f.GetGrantState(),
		}, nil
	}
	return &casesv1.CaseFacts{Id: req.GetCaseId(), Risk: -1}, nil
}

// Circles that the Gateway knows beside that of servetest.
const (
	// Alone has no other organisation.
	Alone = "kring-alleen"
	// Elsewhere is one that our own organisation is not in.
	Elsewhere = "kring-elders"
)

// Gateway stands in for the gateway's FederationService: circles by id.
type Gateway struct {
	gatewayv1.UnimplementedFederationServiceServer
	// Down makes it fail.
	Down atomic.Bool
}

// NewGateway knows three circles.
func NewGateway() *Gateway { return &Gateway{} }

// GetCircle implements gatewayv1.FederationServiceServer.
func (g *Gateway) GetCircle(_ context.Context, req *gatewayv1.GetCircleRequest) (*gatewayv1.Circle, error) {
	if g.Down.Load() {
		return nil, fault.Internal(errors.New("down"))
	}
	own := &gatewayv1.Organisation{Id: servetest.Node, Name: "Wijkteam Noord", Kind: "wijkteam"}
	peer := &gatewayv1.Organisation{Id: servetest.Peer, Name: "Wijkteam Zuid", Kind: "wijkteam"}
	members, ok := map[string][]*gatewayv1.Organisation{servetest.Circle: {own, peer}, Alone: {own}, Elsewhere: {peer}}[req.GetCircle()]
	return &gatewayv1.Circle{Found: ok, Id: req.GetCircle(), Name: "Leerkring", Members: members}, nil
}
