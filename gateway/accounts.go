package gateway

import (
	"context"
	"errors"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// accountService tells signed-in people about themselves, their colleagues and their circles.
type accountService struct {
	gatewayv1.UnimplementedAccountServiceServer
	g *Gateway
}

// GetSession implements gatewayv1.AccountServiceServer.
func (s accountService) GetSession(ctx context.Context, _ *gatewayv1.GetSessionRequest) (*gatewayv1.Session, error) {
	who := identity.Of(ctx).GetSubject()
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": "account", "id": who}); err != nil {
		return nil, err
	}
	person, err := s.g.accounts.Find(ctx, who)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	return s.g.sessionOf(person, account.Session{}), nil
}

// ListColleagues implements gatewayv1.AccountServiceServer.
func (s accountService) ListColleagues(ctx context.Context, _ *gatewayv1.ListColleaguesRequest) (*gatewayv1.ListColleaguesResponse, error) {
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": "account", "id": ""}); err != nil {
		return nil, err
	}
	people, err := s.g.accounts.ListColleagues(ctx)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	res := &gatewayv1.ListColleaguesResponse{}
	ids := make([]string, 0, len(people))
	for _, p := range people {
		res.Colleagues = append(res.Colleagues, colleague(p))
		ids = append(ids, p.ID)
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// ListCircles implements gatewayv1.AccountServiceServer.
func (s accountService) ListCircles(ctx context.Context, _ *gatewayv1.ListCirclesRequest) (*gatewayv1.ListCirclesResponse, error) {
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": "circle", "id": ""}); err != nil {
		return nil, err
	}
	doc, err := s.g.members.Current(ctx)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	res := &gatewayv1.ListCirclesResponse{}
	var ids []string
	for _, c := range doc.CirclesOf(s.g.EntityURL) {
		res.Circles = append(res.Circles, circle(doc, c.ID))
		ids = append(ids, c.ID)
	}
	authz.Returned(ctx, ids)
	return res, nil
}

func colleague(p account.Account) *gatewayv1.Colleague {
	return &gatewayv1.Colleague{Found: true, Id: p.ID, Name: p.Name, Unit: p.Unit, Roles: p.Roles}
}

func circle(doc members.Document, id string) *gatewayv1.Circle {
	c, ok := doc.Circle(id)
	if !ok {
		return &gatewayv1.Circle{Id: id}
	}
	m := &gatewayv1.Circle{Found: true, Id: id, Name: c.Name}
	for _, o := range doc.CircleMembers(id) {
		m.Members = append(m.Members, &gatewayv1.Organisation{Id: o.ID, Name: o.Name, Kind: string(o.Kind)})
	}
	return m
}

// LookUpColleague implements gatewayv1.FederationServiceServer.
func (s federationService) LookUpColleague(ctx context.Context, req *gatewayv1.LookUpColleagueRequest) (*gatewayv1.Colleague, error) {
	p, err := s.g.accounts.Find(ctx, req.GetAccountId())
	switch {
	case errors.Is(err, account.ErrNotFound) || err == nil && p.Closed():
		return &gatewayv1.Colleague{Id: req.GetAccountId()}, nil
	case err != nil:
		return nil, fault.Unavailable(err)
	}
	return colleague(p), nil
}
