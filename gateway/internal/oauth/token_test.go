package oauth_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

// What never comes as far as a client: RFC 6749 §3.2 and §5.2.
func TestTokenRequestRefused(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	body := func(s string) func(*http.Request) {
		return func(q *http.Request) {
			q.Body = http.NoBody
			q.ContentLength = int64(len(s))
			q.Body = readCloser{strings.NewReader(s)}
		}
	}
	contentType := func(s string) func(*http.Request) {
		return func(q *http.Request) { q.Header.Set("Content-Type", s) }
	}
	for name, c := range map[string]struct {
		edit         func(*http.Request)
		status       int
		code, reason string
	}{
		"GET":                     {func(q *http.Request) { q.Method, q.Body, q.ContentLength = "GET", nil, 0 }, 405, "invalid_request", "request.method"},
		"parameters in the URL":   {func(q *http.Request) { q.URL.RawQuery = "grant_type=client_credentials" }, 400, "invalid_request", "request.query"},
		"JSON":                    {contentType("application/json"), 400, "invalid_request", "request.content-type"},
		"multipart":               {contentType("multipart/form-data; boundary=x"), 400, "invalid_request", "request.content-type"},
		"no content type":         {func(q *http.Request) { q.Header.Del("Content-Type") }, 400, "invalid_request", "request.content-type"},
		"another charset":         {contentType("application/x-www-form-urlencoded; charset=utf-16"), 400, "invalid_request", "request.content-type"},
		"huge form":               {body("grant_type=" + strings.Repeat("x", 33<<10)), 413, "invalid_request", "request.too-large"},
		"duplicated parameter":    {body("grant_type=client_credentials&grant_type=" + url.QueryEscape(chain)), 400, "invalid_request", "request.duplicate"},
		"duplicated, both empty":  {body("scope=&scope="), 400, "invalid_request", "request.duplicate"},
		"not a form":              {body("a=%zz"), 400, "invalid_request", "request.malformed"},
		"invalid UTF-8":           {body("scope=%ff"), 400, "invalid_request", "request.encoding"},
		"empty":                   {body(""), 400, "unsupported_grant_type", "grant-type.unsupported"},
		"unknown grant type":      {body("grant_type=password"), 400, "unsupported_grant_type", "grant-type.unsupported"},
		"two grant types in one":  {body("grant_type=client_credentials+" + url.QueryEscape(chain)), 400, "unsupported_grant_type", "grant-type.unsupported"},
		"token exchange, not yet": {body("grant_type=" + url.QueryEscape("urn:ietf:params:oauth:grant-type:token-exchange")), 400, "unsupported_grant_type", "grant-type.unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := r.attempt(t, owner)
			a.request = c.edit
			got := a.send()
			got.wants(t, c.status, c.code, c.reason)
			if c.status == 405 && got.header.Get("Allow") != "POST" {
				t.Error("RFC 9110 §15.5.6: no Allow")
			}
		})
	}
	t.Run("a parameter without value is left out", func(t *testing.T) {
		t.Parallel()
		a := r.attempt(t, owner)
		a.form = func(f url.Values) { f.Set("scope", ""); f.Set("resource", ""); f.Set("unknown", "x") }
		a.send().wantsToken(t)
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// Without its database the node gives no token and believes no proof, and its log says nothing of either.
func TestWithoutDatabaseNothingIsGiven(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	var log bytes.Buffer
	owner := startNode(t, newClock(), fed, func(c *oauth.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	r := newReader(t, fed, noord, "case:read", "review:write")
	token := r.attempt(t, owner).send().wantsToken(t)
	a := r.attempt(t, owner)
	owner.pool.Close()
	a.send().wants(t, 503, "temporarily_unavailable", "oauth.unavailable")
	owner.read(t, r.dpop, token, nil).wantsRefusal(t, 503, "temporarily_unavailable", "oauth.unavailable")
	if log.Len() == 0 {
		t.Error("nobody hears of it")
	}
	for _, secret := range []string{a.rawClient, a.rawGrant, a.proofs[0], token, "person-1"} {
		if strings.Contains(log.String(), secret) {
			t.Error("the log holds a token or a name")
		}
	}
}

// The metadata promises what the server does, and the key set holds public keys alone (RFC 8414 §2, RFC 7517).
func TestMetadataAndKeySet(t *testing.T) {
	t.Parallel()
	next := newKey(t)
	owner := startNode(t, newClock(), newFederation(), func(c *oauth.Config) { c.OtherKeys = append(c.OtherKeys, next) })
	get := func(path string) answer {
		req, err := http.NewRequest(http.MethodGet, owner.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return do(t, req)
	}
	m := get(oauth.MetadataPath)
	if m.header.Get("Content-Type") != "application/json" {
		t.Errorf("RFC 8414 §3.2: %v", m.header)
	}
	want := claims{
		"issuer": owner.Issuer, "token_endpoint": owner.Issuer + "/oauth2/token", "jwks_uri": owner.Issuer + "/oauth2/jwks",
		"response_types_supported":                         []string{},
		"grant_types_supported":                            []string{chain, "client_credentials"},
		"scopes_supported":                                 []string{"case:read"},
		"token_endpoint_auth_methods_supported":            []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256", "PS256"},
		"dpop_signing_alg_values_supported":                []string{"ES256", "PS256"},
		"authorization_grant_profiles_supported":           []string{"urn:ietf:params:oauth:grant-profile:id-jag"},
		"protected_resources":                              []string{owner.Resource},
	}
	x, _ := json.Marshal(want)
	y, _ := json.Marshal(m.body)
	if string(x) != string(y) {
		t.Errorf("metadata\n%s, want\n%s", y, x)
	}
	set := get(oauth.JWKSPath)
	keys, _ := set.body["keys"].([]any)
	if len(keys) != 2 || set.header.Get("Content-Type") != "application/jwk-set+json" {
		t.Fatalf("key set %s", set.raw)
	}
	for i, kid := range []string{owner.key.KeyID, next.KeyID} {
		key, _ := keys[i].(map[string]any)
		if key["kid"] != kid || key["alg"] != "ES256" || key["use"] != "sig" || key["d"] != nil {
			t.Errorf("key %v", key)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	owner := startNode(t, newClock(), newFederation())
	for name, spoil := range map[string]func(*oauth.Config){
		"issuer with a path":      func(c *oauth.Config) { c.Issuer += "/x" },
		"issuer with a slash":     func(c *oauth.Config) { c.Issuer += "/" },
		"plain http by name":      func(c *oauth.Config) { c.Issuer = "http://localhost:8410" },
		"plain http elsewhere":    func(c *oauth.Config) { c.Issuer = "http://192.0.2.1" },
		"no issuer":               func(c *oauth.Config) { c.Issuer = "" },
		"resource is no URL":      func(c *oauth.Config) { c.Resource = "cases" },
		"no pool":                 func(c *oauth.Config) { c.Pool = nil },
		"no peers":                func(c *oauth.Config) { c.Peers = nil },
		"no signing key":          func(c *oauth.Config) { c.SigningKey = oauth.SigningKey{} },
		"a short nonce key":       func(c *oauth.Config) { c.NonceKey = []byte("short") },
		"an unusable another key": func(c *oauth.Config) { c.OtherKeys = append(c.OtherKeys, hmacKey(t, owner.SigningKey.Public())) },
	} {
		c := owner.Config
		spoil(&c)
		if _, err := oauth.New(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
