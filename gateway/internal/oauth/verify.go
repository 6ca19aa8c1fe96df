package oauth

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Access is what a verified access token says of the caller. It says nothing of what the caller may read.
type Access struct {
	// Subject is the person at the other organisation (`issuer|pairwise`) or the machine client. It is opaque, and
	// unique over all issuers.
	Subject string
	// ClientID is who presented the token: the peer organisation's entity URL, or the machine client.
	ClientID string
	// Issuer is the organisation whose grant the token came from; empty for a machine client of this node.
	Issuer string
	// Scopes were granted within what the party is allowed.
	Scopes []string
	// Roles, ACR and AuthTime are what Issuer asserted, unchecked; policy caps them.
	Roles    []string
	ACR      string
	AuthTime time.Time
	Expires  time.Time
}

// VerifyAccess checks the access token and the DPoP proof of a request to this node's API (RFC 9068 §4, RFC 9449 §4.3
// and §7) and uses the proof up. publicURL is the URL of the request as the client knows it. The error is a *Refusal:
// render its Status, Code and Reason, and call SetHeaders on the answer.
//
// The token is not looked up anywhere. Whether its organisation is still a member is for the decision that follows, as
// it is for everything that can change within the token's five minutes.
func (s *Server) VerifyAccess(r *http.Request, publicURL string) (Access, error) {
	raw, refusal := bearer(r)
	if refusal != nil {
		return Access{}, refusal
	}
	c, bad := s.checkToken(raw)
	if bad != nil {
		return Access{}, bad.as("token", invalidToken)
	}
	held, refusal := s.checkProof(r, publicURL, raw)
	if refusal != nil {
		refusal.Status = http.StatusUnauthorized // RFC 9449 §7.1
		return Access{}, refusal
	}
	if held.jkt != c.Confirmation.JKT {
		return Access{}, invalidToken("token.key-binding", "the token is bound to another key than the proof's")
	}
	if err := s.spendProof(r.Context(), held); err != nil {
		refusal := asRefusal(err)
		if refusal.cause == nil {
			refusal.Status = http.StatusUnauthorized
		} else {
			s.conf.Logger.ErrorContext(r.Context(), "oauth: proof cannot be checked", "error", refusal.cause)
		}
		return Access{}, refusal
	}
	a := Access{
		Subject: c.Subject, ClientID: c.ClientID, Issuer: c.IDP, Scopes: strings.Fields(c.Scope),
		Roles: c.Roles, ACR: c.ACR, Expires: c.Expiry.Time().UTC(),
	}
	if c.AuthTime != nil {
		a.AuthTime = c.AuthTime.Time().UTC()
	}
	return a, nil
}

// bearer takes the one access token of a request from its one allowed place.
func bearer(r *http.Request) (string, *Refusal) {
	if r.URL.Query().Has("access_token") {
		return "", invalidRequest("token.in-url", "an access token never goes in a URL")
	}
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", &Refusal{Status: http.StatusUnauthorized, Reason: "token.missing", Text: "an access token is required"}
	}
	if len(headers) > 1 {
		return "", invalidRequest("token.duplicate", "send one Authorization header")
	}
	scheme, raw, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "DPoP") {
		return "", invalidToken("token.scheme", "access tokens are bound to a key; use the DPoP scheme")
	}
	return strings.TrimLeft(raw, " "), nil
}

// checkToken checks the token itself. Only the node's own keys and ES256 count, and typ keeps other signed messages
// of the same node (a grant, a client assertion) from passing for an access token.
func (s *Server) checkToken(raw string) (accessClaims, *flaw) {
	var c accessClaims
	m, bad := parse(raw, jose.ES256)
	if bad != nil {
		return c, bad
	}
	if m.typ != typToken {
		return c, &flaw{"type", "typ must be " + typToken}
	}
	if bad := m.verify(s.keys, &c); bad != nil {
		return c, bad
	}
	switch {
	case c.Issuer != s.conf.Issuer:
		return c, &flaw{"issuer", "iss is not this server"}
	case string(c.Audience) != s.conf.Resource:
		return c, &flaw{"audience", "aud is not this API"}
	case c.Subject == "" || c.ClientID == "" || c.ID == "" || c.IssuedAt == nil:
		return c, &flaw{"claims", "a required claim is missing"}
	case c.Confirmation.JKT == "":
		return c, &flaw{"unbound", "the token is not bound to a key"}
	}
	return c, current(c.IssuedAt, nil, c.Expiry, s.conf.Now())
}
