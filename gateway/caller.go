package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	"github.com/zijlicht/zijlicht/gateway/internal/limit"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// cookieName is the node's own: cookies ignore ports, and a demo has several nodes on one host.
func (g *Gateway) cookieName() string {
	if strings.HasPrefix(g.EntityURL, "https://") {
		return "__Host-zijlicht"
	}
	return "zijlicht_" + g.Node
}

var errOrigin = fault.New(faultv1.Reason_REASON_ORIGIN_MISMATCH, "not from this origin")

// apiCaller says who calls the REST API: a person by cookie, a machine by token,
// or a resident with a receipt code, which is in the body and for consent to judge.
func (g *Gateway) apiCaller(r *http.Request, operation string) (*identityv1.Caller, error) {
	cookies := r.CookiesNamed(g.cookieName())
	switch {
	case operation == consentv1.ConsentService_GetReceipt_FullMethodName, operation == consentv1.ConsentService_Withdraw_FullMethodName:
		if !g.receipts.Open(limit.Address(r.RemoteAddr)) {
			return nil, fault.New(faultv1.Reason_REASON_TOO_MANY_REQUESTS, "too many tries")
		}
		return &identityv1.Caller{Kind: identityv1.Kind_KIND_RECEIPT, Subject: "receipt"}, nil
	case len(r.Header.Values("Authorization")) == 0:
		return g.person(r, cookies)
	case len(cookies) > 0:
		return nil, fault.Invalid("authorization", "one-way-to-sign-in") // whose request would it be?
	default:
		return g.machine(r, operation)
	}
}

// wrongCode counts a receipt code that opened nothing. One that is right never
// counts: a resident who looks often is not shut out.
func (g *Gateway) wrongCode(r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/receipts/") && fault.ReasonOf(err) == faultv1.Reason_REASON_NOT_FOUND {
		g.receipts.Allow(limit.Address(r.RemoteAddr))
	}
}

// person reads the session. A request with a cookie must come from a page of this
// node, or from a client that says so: browsers let no other site set these headers.
func (g *Gateway) person(r *http.Request, cookies []*http.Cookie) (*identityv1.Caller, error) {
	if len(cookies) != 1 { // two of one name: another path or host put one there
		return nil, fault.Unauthenticated("no session")
	}
	if !g.sameOrigin(r) {
		return nil, errOrigin
	}
	s, err := g.accounts.Lookup(r.Context(), cookies[0].Value)
	switch {
	case errors.Is(err, account.ErrSession):
		return nil, fault.Unauthenticated("no session")
	case err != nil:
		return nil, fault.Unavailable(err)
	}
	c := &identityv1.Caller{
		Kind: identityv1.Kind_KIND_PERSON, Subject: s.AccountID, Organisation: g.EntityURL, Roles: s.Roles, Unit: s.Unit, Acr: s.ACR,
	}
	g.own(r.Context(), c)
	return c, nil
}

// sameOrigin needs one of the two headers, and both must be right when both are there.
func (g *Gateway) sameOrigin(r *http.Request) bool {
	site, origin := r.Header.Values("Sec-Fetch-Site"), r.Header.Values("Origin")
	only := func(values []string, want string) bool {
		return len(values) == 0 || len(values) == 1 && values[0] == want
	}
	return len(site)+len(origin) > 0 && only(site, "same-origin") && only(origin, g.EntityURL)
}

// own fills in the node's own organisation. Without a current member document it
// is in no circle: its people can go on writing, and nothing is shared.
func (g *Gateway) own(ctx context.Context, c *identityv1.Caller) {
	doc, err := g.members.Current(ctx)
	if err == nil {
		fill(c, doc)
		return
	}
	if doc, ok := g.members.Last(ctx); ok {
		fill(c, doc)
		c.Circles = nil
	}
}

// fill says of an organisation what the anchor says, and whether it says anything.
func fill(c *identityv1.Caller, doc members.Document) bool {
	o, ok := doc.Organisation(c.GetOrganisation())
	if !ok {
		return false
	}
	c.OrganisationKind, c.OrganisationState, c.TrustMarks = string(o.Kind), string(o.State), o.TrustMarks
	for _, circle := range doc.CirclesOf(o.ID) {
		c.Circles = append(c.Circles, circle.ID)
	}
	return true
}

func (g *Gateway) machine(r *http.Request, operation string) (*identityv1.Caller, error) {
	a, err := g.oauth.VerifyAccess(r, g.EntityURL+r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	if a.Issuer != "" {
		return nil, fault.NotFound() // a peer's token opens /federation/v1 and nothing else
	}
	if err := checkScope(operation, a.Scopes); err != nil {
		return nil, err
	}
	c := &identityv1.Caller{
		Kind: identityv1.Kind_KIND_MACHINE, Subject: a.ClientID, Organisation: g.EntityURL, Client: a.ClientID, Roles: a.Scopes,
	}
	g.own(r.Context(), c)
	return c, nil
}

// peerCaller says who calls from another node. What that node says about its
// person is capped by its trust mark, and what is said about the node itself
// comes from the anchor.
func (g *Gateway) peerCaller(r *http.Request, operation string) (*identityv1.Caller, error) {
	a, err := g.oauth.VerifyAccess(r, g.EntityURL+r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	if a.Issuer == "" {
		return nil, fault.NotFound()
	}
	if err := checkScope(operation, a.Scopes); err != nil {
		return nil, err
	}
	doc, err := g.members.Current(r.Context())
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	c := &identityv1.Caller{
		Kind: identityv1.Kind_KIND_PEER, Subject: a.Subject, Organisation: a.Issuer, Client: a.ClientID, Acr: a.ACR,
	}
	if !fill(c, doc) {
		return nil, fault.Unauthenticated("not a member")
	}
	for _, s := range a.Scopes {
		if role := scopeRoles[s]; role != "" && !slices.Contains(c.Roles, role) {
			c.Roles = append(c.Roles, role)
		}
	}
	return c, nil
}

// checkScope holds a token to what it was asked for. An operation without a scope
// is for people; whether this caller may do it is for its service to decide.
func checkScope(operation string, scopes []string) error {
	if scope := operationScopes[operation]; scope != "" && !slices.Contains(scopes, scope) {
		return fault.Refused("role.missing")
	}
	return nil
}

// worker is the gateway itself, doing what was put off.
func (g *Gateway) worker(name string) *identityv1.Caller {
	return &identityv1.Caller{
		Kind: identityv1.Kind_KIND_WORKER, Subject: name, Organisation: g.EntityURL, OrganisationState: string(members.Active),
	}
}
