package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"

	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Paths that Routes serves. The public URL of each is the issuer followed by the path.
const (
	TokenPath    = "/oauth2/token"
	JWKSPath     = "/oauth2/jwks"
	MetadataPath = "/.well-known/oauth-authorization-server"
)

const (
	// tokenLifetime is the longest that an access token lives across organisations (FAPI 2.0, NL GOV).
	tokenLifetime = 5 * time.Minute
	// assertionLifetime bounds exp-iat of a grant and exp-now of a client assertion.
	assertionLifetime = 60 * time.Second
	// proofWindow is how far a DPoP proof's iat may lie from now (RFC 9449 §11.1).
	proofWindow = 60 * time.Second
	// leeway is the clock skew tolerated in signed times.
	leeway = 10 * time.Second
	// sweepEvery is how often Run removes replay rows that have no more use.
	sweepEvery = time.Minute
)

// Config is what a Server needs. Issuer, Resource, Pool, SigningKey, Peers and Clients are required.
type Config struct {
	// Issuer is the node's entity URL: an origin without path or trailing slash.
	Issuer string
	// Resource identifies the node's API (RFC 8707); it is the audience of every access token issued here.
	Resource string
	// Pool is the gateway's own pool; it holds the replay table.
	Pool *pgxpool.Pool
	// SigningKey signs access tokens, grants and client assertions.
	SigningKey SigningKey
	// OtherKeys are published and accepted beside SigningKey while keys are rotated: the next and the previous one.
	OtherKeys []jose.JSONWebKey
	// NonceKey makes DPoP nonces (at least 32 bytes). Empty means a fresh one; nodes that share an address share it.
	NonceKey []byte
	// Peers knows the organisations of the federation, Clients the node's own machine clients.
	Peers, Clients Trust
	// Scopes are published as scopes_supported.
	Scopes []string
	// Refused, if set, hears of every refusal at the token endpoint, for the security log.
	Refused func(context.Context, Refused)
	// Logger hears of faults, never of requests.
	Logger *slog.Logger
	// Now and Rand are the clock and the source of identifiers; nil means the real ones.
	Now  func() time.Time
	Rand io.Reader
}

// Refused describes one refusal at the token endpoint. Client is empty unless the client proved who it is.
type Refused struct {
	Client string
	// Code is the OAuth error code, Reason this package's stable reason (`grant.replayed`).
	Code, Reason string
}

// Server is the authorization server, the token check and the maker of grants of one node. It is safe for
// concurrent use.
type Server struct {
	conf     Config
	provider *fosite.Fosite
	keys     jose.JSONWebKeySet // public; SigningKey first
	nonces   nonces
}

// New checks the configuration and returns a Server.
func New(c Config) (*Server, error) {
	if err := checkOrigin(c.Issuer); err != nil {
		return nil, fmt.Errorf("oauth: issuer: %w", err)
	}
	if _, err := parseEndpoint(c.Resource); err != nil {
		return nil, fmt.Errorf("oauth: resource: %w", err)
	}
	if c.Pool == nil || c.Peers == nil || c.Clients == nil {
		return nil, errors.New("oauth: Pool, Peers and Clients are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if len(c.NonceKey) == 0 {
		c.NonceKey = make([]byte, 32)
		if _, err := io.ReadFull(c.Rand, c.NonceKey); err != nil {
			return nil, fmt.Errorf("oauth: nonce key: %w", err)
		}
	}
	if len(c.NonceKey) < 32 {
		return nil, errors.New("oauth: the nonce key is shorter than 32 bytes")
	}
	set, err := publicSet(c.SigningKey, c.OtherKeys)
	if err != nil {
		return nil, err
	}
	s := &Server{conf: c, keys: set, nonces: nonces{key: c.NonceKey, issuer: c.Issuer}}
	s.provider = s.newProvider()
	return s, nil
}

// newProvider sets fosite up with the two grants and with our own client authentication, tokens and clock; none of
// its optional parts (sessions, introspection, key fetching) is reachable.
func (s *Server) newProvider() *fosite.Fosite {
	conf := &fosite.Config{
		AccessTokenLifespan:          tokenLifetime,
		ScopeStrategy:                fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:     fosite.ExactAudienceMatchingStrategy,
		ClientAuthenticationStrategy: s.authenticate,
		TokenURL:                     s.conf.Issuer,
		AccessTokenIssuer:            s.conf.Issuer,
	}
	issue := &oauth2.HandleHelper{AccessTokenStrategy: tokenStrategy{s}, AccessTokenStorage: noSessions{}, Config: conf}
	conf.TokenEndpointHandlers.Append(&chainGrant{server: s, issue: issue})
	conf.TokenEndpointHandlers.Append(&machineGrant{
		ClientCredentialsGrantHandler: &oauth2.ClientCredentialsGrantHandler{HandleHelper: issue, Config: conf},
		server:                        s,
	})
	return fosite.NewOAuth2Provider(noSessions{}, conf)
}

// Routes mounts the token endpoint, the key set and the metadata.
func (s *Server) Routes(mux *http.ServeMux) {
	mux.HandleFunc(TokenPath, s.token)
	mux.HandleFunc("GET "+JWKSPath, s.jwks)
	mux.HandleFunc("GET "+MetadataPath, s.metadata)
}

// Run removes spent identifiers once a minute until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.conf.Logger.ErrorContext(ctx, "oauth: sweep of the replay table failed", "cause", telemetry.Safe(err))
			}
		}
	}
}

// checkOrigin accepts an entity URL: https (or http on loopback), no user, path, query or fragment.
func checkOrigin(raw string) error {
	u, err := parseEndpoint(raw)
	if err != nil {
		return err
	}
	if u.Path != "" || u.RawQuery != "" {
		return errors.New("an issuer is an origin without path")
	}
	return nil
}

// parseEndpoint accepts an absolute URL to which a token may travel: https, or http on a loopback address.
func parseEndpoint(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if err := secureURL(u); err != nil {
		return nil, err
	}
	return u, nil
}
