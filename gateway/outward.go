package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// federationService is the node's only way out to other organisations.
type federationService struct {
	gatewayv1.UnimplementedFederationServiceServer
	g *Gateway
}

// ReadPeerCase implements gatewayv1.FederationServiceServer. Naming a person to
// another organisation, under a pseudonym, is itself a decision.
func (s federationService) ReadPeerCase(ctx context.Context, req *gatewayv1.ReadPeerCaseRequest) (*casesv1.SharedCase, error) {
	doc, err := s.g.members.Current(ctx)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	r := authz.Resource{"kind": "peer", "id": req.GetOwner()}
	owner, known := doc.Organisation(req.GetOwner())
	if known {
		r["state"] = string(owner.State)
	}
	if _, err := authz.Decide(ctx, req.GetPurpose(), r); err != nil {
		return nil, err
	}
	who := identity.Of(ctx)
	path := "/cases/" + url.PathEscape(req.GetPublicId()) + "?purpose=" + url.QueryEscape(req.GetPurpose())
	as := oauth.Acting{
		Subject: s.g.pairwise(owner.ID, who.GetSubject()), Scope: []string{scopeRead}, Roles: []string{scopeRoles[scopeRead]},
		ACR: who.GetAcr(),
	}
	var answer casesv1.SharedCase
	if err := s.g.callPeer(ctx, owner, as, http.MethodGet, path, nil, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// GetCircle implements gatewayv1.FederationServiceServer.
func (s federationService) GetCircle(ctx context.Context, req *gatewayv1.GetCircleRequest) (*gatewayv1.Circle, error) {
	doc, err := s.g.members.Current(ctx)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	return circle(doc, req.GetCircle()), nil
}

// callPeer sends one request to another node and reads its answer or its refusal.
func (g *Gateway) callPeer(ctx context.Context, o members.Organisation, as oauth.Acting, method, path string, in, out proto.Message) error {
	if o.FederationBase == "" {
		return fault.NotFound() // it left the federation
	}
	var body io.Reader
	if in != nil {
		b, err := protojson.Marshal(in)
		if err != nil {
			return fault.Internal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, o.FederationBase+path, body)
	if err != nil {
		return fault.Internal(errors.New("peer's address cannot be used"))
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(req.Header))
	res, err := g.peers.Do(ctx, oauth.Peer{Issuer: o.ID, TokenEndpoint: o.TokenEndpoint, Resource: o.FederationBase}, as, req)
	if err != nil {
		var pe *oauth.PeerError
		if errors.As(err, &pe) && pe.Reason == suspended {
			return fault.Refused(suspended)
		}
		return fault.PeerUnavailable(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return fault.PeerUnavailable(errors.New("the answer could not be read"))
	}
	if res.StatusCode != http.StatusOK {
		return g.peerRefusal(res.StatusCode, b)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, out); err != nil {
		return fault.PeerUnavailable(errors.New("the answer is not of the contract"))
	}
	return nil
}

// peerRefusal turns another node's problem into ours. Only a reason that this node
// knows a sentence for is passed on: whatever else is in there, a stranger wrote.
func (g *Gateway) peerRefusal(status int, body []byte) error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || !g.refusals.Has(p.Reason) {
		p.Reason = ""
	}
	switch status {
	case http.StatusNotFound:
		return fault.NotFound()
	case http.StatusForbidden:
		return fault.Refused(p.Reason)
	case http.StatusConflict:
		return fault.WrongState(p.Reason)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return fault.Invalid("message", "refused-by-peer")
	default:
		return fault.PeerUnavailable(fmt.Errorf("status %d", status))
	}
}
