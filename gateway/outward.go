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
	"time"

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

// readTime bounds reading a case at its owner.
const readTime = 8 * time.Second

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
	// Less than the call itself has, so that there is time to say who did not answer.
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
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
		return peerRefusal(res.StatusCode, b)
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(b, out); err != nil {
		return fault.PeerUnavailable(errors.New("the answer is not of the contract"))
	}
	return nil
}

// told are the reasons that one organisation gives another. Another node must not
// be able to choose a sentence about its resident, or about ours.
var told = map[string]bool{
	closed: true, suspended: true, "circle.no_agreement": true, "purpose.not_agreed": true, "reader.too_close": true,
}

// closed is what a reader outside is told when a case is open no longer, for whatever reason.
const closed = "case.closed"

// peerRefusal turns another node's problem into ours. Of what it says only the reason
// counts, and only one that organisations give each other.
func peerRefusal(status int, body []byte) error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || !told[p.Reason] {
		p.Reason = closed
	}
	switch status {
	case http.StatusNotFound:
		return fault.NotFound()
	case http.StatusForbidden, http.StatusConflict:
		return fault.Refused(p.Reason)
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		return fault.Invalid("message", "refused-by-peer")
	default:
		return fault.PeerUnavailable(fmt.Errorf("status %d", status))
	}
}
