package oauth

import (
	"context"
	"errors"
	"regexp"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// grantClaims are the claims of an ID-JAG grant. Consent is never among them: it is read when the case is.
type grantClaims struct {
	Issuer       string           `json:"iss"`
	Subject      string           `json:"sub"`
	Audience     single           `json:"aud"`
	ClientID     string           `json:"client_id"`
	ID           string           `json:"jti"`
	IssuedAt     *jwt.NumericDate `json:"iat"`
	NotBefore    *jwt.NumericDate `json:"nbf,omitempty"`
	Expiry       *jwt.NumericDate `json:"exp"`
	Scope        string           `json:"scope,omitempty"`
	Resource     single           `json:"resource,omitempty"`
	Confirmation *confirmation    `json:"cnf,omitempty"`
	asserted
}

// asserted is what the grant's issuer says about the person; it goes into the access token as it came.
type asserted struct {
	Roles    []string         `json:"roles,omitempty"`
	ACR      string           `json:"acr,omitempty"`
	AuthTime *jwt.NumericDate `json:"auth_time,omitempty"`
}

// confirmation is the key that the holder must prove to have (RFC 7800, RFC 9449 §6).
type confirmation struct {
	JKT string `json:"jkt"`
}

// chainGrant is the jwt-bearer grant under the ID-JAG profile. It stands in for fosite's rfc7523 handler, which checks
// neither typ nor client_id nor a single audience, copies the assertion's aud into the access token, and looks for a
// used jti before it marks it, so that the loser of a race gets a server error.
type chainGrant struct {
	server *Server
	issue  *oauth2.HandleHelper
}

var _ fosite.TokenEndpointHandler = (*chainGrant)(nil)

func (*chainGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

func (*chainGrant) CanHandleTokenEndpointRequest(_ context.Context, req fosite.AccessRequester) bool {
	return req.GetGrantTypes().ExactOne(grantChain)
}

// HandleTokenEndpointRequest checks the grant and uses it up.
func (h *chainGrant) HandleTokenEndpointRequest(ctx context.Context, req fosite.AccessRequester) error {
	s := h.server
	from, sess, err := participants(req, grantChain)
	if err != nil {
		return err
	}
	refused := func(f *flaw) error { return f.as("grant", invalidGrant) }
	form := req.GetRequestForm()
	if form.Get("assertion") == "" {
		return invalidRequest("grant.missing", "assertion is missing")
	}
	m, bad := parse(form.Get("assertion"), accepted...)
	if bad != nil {
		return refused(bad)
	}
	if m.typ != typGrant {
		return refused(&flaw{"type", "typ must be " + typGrant})
	}
	var g grantClaims
	if bad := m.verify(from.party.Keys, &g); bad != nil {
		return refused(bad)
	}
	if bad := s.checkGrant(g, from.ID, sess.proof.jkt); bad != nil {
		return refused(bad)
	}
	if err := s.checkResource(string(g.Resource), form.Get("resource")); err != nil {
		return err
	}
	granted, err := chainScopes(form.Get("scope"), g.Scope, from.party.Scopes)
	if err != nil {
		return err
	}
	if err := s.spendProof(ctx, sess.proof); err != nil {
		return err
	}
	switch err := s.spend(ctx, kindGrant, g.Issuer, g.ID, g.Expiry.Time().Add(leeway)); {
	case errors.Is(err, errSpent):
		return refused(&flaw{"replayed", "this grant was used before"})
	case err != nil:
		return unavailable(err)
	}
	for _, scope := range granted {
		req.GrantScope(scope)
	}
	sess.subject, sess.idp, sess.asserted = chainedSubject(g.Issuer, g.Subject), g.Issuer, g.asserted
	return nil
}

// PopulateTokenEndpointResponse issues the access token.
func (h *chainGrant) PopulateTokenEndpointResponse(ctx context.Context, req fosite.AccessRequester, resp fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, req) {
		return fosite.ErrUnknownRequest
	}
	_, err := h.issue.IssueAccessToken(ctx, tokenLifetime, req, resp)
	return err
}

// The length bounds keep what a peer asserts small enough to go into a token and a caller header.
var role = regexp.MustCompile(`^[a-z][a-z0-9-]{0,47}$`)

// checkGrant checks the claims of a grant whose signature holds. The signer's keys were taken from the authenticated
// client, so iss must be that client: an organisation presents its own grants only.
func (s *Server) checkGrant(g grantClaims, clientID, jkt string) *flaw {
	now := s.conf.Now()
	switch {
	case g.Issuer != clientID:
		return &flaw{"issuer", "iss must be the organisation that presents the grant"}
	case g.ClientID != clientID:
		return &flaw{"client", "client_id must be the authenticated client"}
	case string(g.Audience) != s.conf.Issuer:
		return &flaw{"audience", "aud must be this server's issuer and nothing else"}
	case g.Subject == "" || len(g.Subject) > maxName || !printable(g.Subject):
		return &flaw{"subject", "sub must be a short printable identifier"}
	case !validID(g.ID, minSecretID):
		return &flaw{"identifier", "jti must hold at least 128 random bits"}
	case g.IssuedAt == nil:
		return &flaw{"issued-at", "iat is missing"}
	case g.Confirmation != nil && g.Confirmation.JKT != jkt:
		return &flaw{"confirmation", "the grant is bound to another key than the proof's"}
	case len(g.ACR) > maxName || !printable(g.ACR):
		return &flaw{"acr", "acr must be a short printable identifier"}
	case len(g.Roles) > 16:
		return &flaw{"roles", "roles must be at most sixteen"}
	}
	for _, r := range g.Roles {
		if !role.MatchString(r) {
			return &flaw{"roles", "a role must be a short kebab-case word"}
		}
	}
	if bad := current(g.IssuedAt, g.NotBefore, g.Expiry, now); bad != nil {
		return bad
	}
	if life := g.Expiry.Time().Sub(g.IssuedAt.Time()); life <= 0 || life > assertionLifetime {
		return &flaw{"lifetime", "exp must be within sixty seconds after iat"}
	}
	return nil
}

// checkResource holds the resource named in the grant or the request to this node's API (RFC 8707 §2).
func (s *Server) checkResource(named ...string) error {
	for _, r := range named {
		if r != "" && r != s.conf.Resource {
			return &Refusal{Status: 400, Code: "invalid_target", Reason: "resource.unknown", Text: "resource is not an API of this server"}
		}
	}
	return nil
}

// chainScopes are the scopes to grant: those asked for, else those of the grant. Each must be in the grant and allowed
// to the peer; a scope too many is refused and not silently dropped.
func chainScopes(asked, inGrant string, allowed []string) ([]string, error) {
	held, ok := scopes(inGrant)
	if !ok {
		return nil, invalidGrant("grant.scope", "the grant's scope is malformed")
	}
	want, ok := scopes(asked)
	if !ok {
		return nil, invalidScope("scope.malformed", "scope is malformed")
	}
	if len(want) == 0 {
		want = held
	}
	switch {
	case len(want) == 0:
		return nil, invalidScope("scope.missing", "neither the request nor the grant names a scope")
	case !within(want, held):
		return nil, invalidScope("scope.not-in-grant", "a scope asked for is not in the grant")
	case !within(want, allowed):
		return nil, invalidScope("scope.not-allowed", "a scope asked for is not allowed to this organisation")
	}
	return want, nil
}

// chainedSubject keeps the persons of two organisations apart whatever their issuers choose as sub: an issuer is an
// origin, which holds no bar, so the part before the first one is always the whole issuer.
func chainedSubject(issuer, subject string) string { return issuer + "|" + subject }

// participants unpacks the client and session that this package gave to the framework.
func participants(req fosite.AccessRequester, grant string) (*client, *session, error) {
	from, ok := req.GetClient().(*client)
	sess, mine := req.GetSession().(*session)
	if !ok || !mine {
		return nil, nil, unavailable(errors.New("oauth: request without client or session"))
	}
	if !from.GetGrantTypes().Has(grant) {
		return nil, nil, &Refusal{
			Status: 400, Code: "unauthorized_client", Reason: "client.grant-type",
			Text: "this client may not use this grant type",
		}
	}
	return from, sess, nil
}
