package gateway

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/zijlicht/zijlicht/gateway/internal/federation"
	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// Scopes: three between nodes, and what the node's own machine clients may be given.
const (
	scopeRead    = "case:read"
	scopeReview  = "review:write"
	scopeNotice  = "notice:deliver"
	scopeCircles = "circle:read"
)

// operationScopes is the scope that a token must hold for an operation.
var operationScopes = map[string]string{
	gatewayv1.PeerService_ReadCase_FullMethodName:       scopeRead,
	gatewayv1.PeerService_DeliverMessage_FullMethodName: scopeReview,
	gatewayv1.PeerService_DeliverNotice_FullMethodName:  scopeNotice,
	gatewayv1.AccountService_ListCircles_FullMethodName: scopeCircles,
}

// markReview is the trust mark of organisations that take part in lateral review.
const markReview = "lateral-review"

// scopeRoles is what a scope makes of its holder at the owner's side.
var scopeRoles = map[string]string{scopeRead: "reviewer", scopeReview: "reviewer", scopeNotice: "notifier"}

// peerTrust answers from the member document, asked anew at every grant, so that
// a suspended member is out at its next one.
type peerTrust struct{ members *federation.Members }

// Party implements oauth.Trust.
func (t peerTrust) Party(ctx context.Context, id string) (oauth.Party, error) {
	doc, err := t.members.Fresh(ctx)
	if err != nil {
		return oauth.Party{}, err
	}
	o, ok := doc.Organisation(id)
	switch {
	case !ok:
		return oauth.Party{}, oauth.ErrUnknownParty
	case o.State != members.Active:
		return oauth.Party{}, &oauth.SuspendedError{Reason: suspended}
	}
	p := oauth.Party{Keys: o.Keys}
	if o.HasMark(markReview) {
		p.Scopes = []string{scopeRead, scopeReview, scopeNotice}
	}
	return p, nil
}

// pairwise is a person's name towards one peer: the same on every visit there,
// and not to be joined with the name towards another peer.
func (g *Gateway) pairwise(peer, person string) string {
	m := hmac.New(sha256.New, g.PairwiseKey)
	m.Write([]byte(peer + "\x00" + person))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}
