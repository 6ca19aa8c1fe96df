package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	grantMachine  = "client_credentials"
	grantChain    = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// assertionClaims are the claims of a client assertion (RFC 7523 §3). aud is a string: FAPI 2.0 §5.3.2.1 accepts the
// issuer as its only value, and an array is how one assertion is made good for two servers.
type assertionClaims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  string           `json:"aud"`
	ID        string           `json:"jti"`
	IssuedAt  *jwt.NumericDate `json:"iat,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	Expiry    *jwt.NumericDate `json:"exp"`
}

// client is an authenticated client with what the federation or the node lets it hold.
type client struct {
	fosite.DefaultClient
	party Party
}

// authenticate is the client authentication of the token endpoint: private_key_jwt and nothing else. The jti is used
// up last, when all else is right; fosite's own strategy does so before it looks at aud, so that anyone could burn
// assertions meant for another server.
func (s *Server) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	if len(r.Header.Values("Authorization")) > 0 || form.Has("client_secret") {
		return nil, invalidClient("client.method", "clients authenticate with private_key_jwt only")
	}
	if form.Get("client_assertion_type") != assertionType || form.Get("client_assertion") == "" {
		return nil, invalidClient("client.missing", "a client_assertion of type jwt-bearer is required")
	}
	refused := func(f *flaw) error { return f.as("client", invalidClient) }
	m, bad := parse(form.Get("client_assertion"), accepted...)
	if bad != nil {
		return nil, refused(bad)
	}
	switch strings.ToLower(m.typ) {
	case "", "jwt", "client-authentication+jwt":
	default:
		return nil, refused(&flaw{"type", "typ is that of another kind of token"})
	}
	var claimed assertionClaims
	if err := m.token.UnsafeClaimsWithoutVerification(&claimed); err != nil {
		return nil, refused(&flaw{"malformed", "the claims are not of the expected types"})
	}
	id := claimed.Subject
	if id == "" || len(id) > maxName || !printable(id) || form.Has("client_id") && form.Get("client_id") != id {
		return nil, refused(&flaw{"id", "sub is not the client_id"})
	}
	party, err := s.party(ctx, id)
	if err != nil {
		return nil, err
	}
	var c assertionClaims
	if bad := m.verify(party.Keys, &c); bad != nil {
		return nil, refused(bad)
	}
	if bad := s.checkAssertion(c); bad != nil {
		return nil, refused(bad)
	}
	switch err := s.spend(ctx, kindClient, id, c.ID, c.Expiry.Time().Add(leeway)); {
	case errors.Is(err, errSpent):
		return nil, refused(&flaw{"replayed", "this client assertion was used before"})
	case err != nil:
		return nil, unavailable(err)
	}
	grant := grantMachine
	if isPeer(id) {
		grant = grantChain
	}
	return &client{
		DefaultClient: fosite.DefaultClient{ID: id, GrantTypes: []string{grant}, Scopes: party.Scopes},
		party:         party,
	}, nil
}

func (s *Server) checkAssertion(c assertionClaims) *flaw {
	now := s.conf.Now()
	if c.Issuer != c.Subject {
		return &flaw{"issuer", "iss and sub must both be the client_id"}
	}
	if c.Audience != s.conf.Issuer {
		return &flaw{"audience", "aud must be this server's issuer, as a single string"}
	}
	if !validID(c.ID, minSecretID) {
		return &flaw{"identifier", "jti must hold at least 128 random bits"}
	}
	if bad := current(c.IssuedAt, c.NotBefore, c.Expiry, now); bad != nil {
		return bad
	}
	if c.Expiry.Time().Sub(now) > assertionLifetime+leeway { // iat is optional here, so the life counts from now
		return &flaw{"lifetime", "exp lies too far ahead"}
	}
	return nil
}

// party asks the right register who id is.
func (s *Server) party(ctx context.Context, id string) (Party, error) {
	trust := s.conf.Clients
	if isPeer(id) {
		if checkOrigin(id) != nil { // chainedSubject relies on it
			return Party{}, invalidClient("client.unknown", "no client goes by this client_id")
		}
		trust = s.conf.Peers
	}
	p, err := trust.Party(ctx, id)
	var out *SuspendedError
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, ErrUnknownParty):
		return Party{}, invalidClient("client.unknown", "no client goes by this client_id")
	case errors.As(err, &out):
		return Party{}, invalidClient(out.Reason, "this client may not act now")
	default:
		return Party{}, unavailable(err)
	}
}

// noSessions satisfies fosite's storage. Nothing is stored: access tokens are self-contained, and clients and
// identifiers are looked up in authenticate, so fosite's own paths to them answer that there is nothing.
type noSessions struct{}

func (noSessions) GetClient(context.Context, string) (fosite.Client, error) {
	return nil, fosite.ErrNotFound
}
func (noSessions) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }
func (noSessions) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}
func (noSessions) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}
func (noSessions) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}
func (noSessions) DeleteAccessTokenSession(context.Context, string) error { return fosite.ErrNotFound }
