package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

const (
	chain        = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	jwtAssertion = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// clock is the time of a test. It is far from the real time, so that nothing can lean on that.
type clock struct{ sec atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.sec.Store(time.Date(2031, 3, 14, 12, 0, 0, 0, time.UTC).Unix())
	return c
}
func (c *clock) Now() time.Time          { return time.Unix(c.sec.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.sec.Add(int64(d / time.Second)) }

// federation is the register of organisations in a test.
type federation struct {
	mu    sync.Mutex
	party map[string]oauth.Party
	fail  map[string]error
}

func newFederation() *federation {
	return &federation{party: map[string]oauth.Party{}, fail: map[string]error{}}
}

func (f *federation) Party(_ context.Context, id string) (oauth.Party, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail[id]; err != nil {
		return oauth.Party{}, err
	}
	p, ok := f.party[id]
	if !ok {
		return oauth.Party{}, oauth.ErrUnknownParty
	}
	return p, nil
}

func (f *federation) admit(id string, key jose.JSONWebKey, scopes ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.party[id] = oauth.Party{Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}, Scopes: scopes}
}

func (f *federation) failWith(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail[id] = err
}

// node is one organisation: a real server on a real port with a real database.
type node struct {
	*oauth.Server
	oauth.Config
	url     string
	pool    *pgxpool.Pool
	clients oauth.Clients
	clock   *clock
	fed     *federation
	key     jose.JSONWebKey // the private half of its signing key
	asked   atomic.Int64    // token requests
	mux     *http.ServeMux

	mu      sync.Mutex
	refused []oauth.Refused
}

func startNode(t testing.TB, c *clock, fed *federation, edit ...func(*oauth.Config)) *node {
	t.Helper()
	sql, err := os.ReadFile("../../migrations/0001_oauth.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t, pgdb.Schema{Name: "gateway", Login: true, Migrations: fstest.MapFS{"0001_oauth.sql": {Data: sql}}})
	n := &node{clock: c, fed: fed, pool: db.Pool("gateway"), mux: http.NewServeMux(), key: newKey(t)}
	n.clients = oauth.Clients{Pool: n.pool, Now: c.Now}
	routes := http.NewServeMux()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == oauth.TokenPath {
			n.asked.Add(1)
		}
		if _, pattern := n.mux.Handler(r); pattern != "" {
			n.mux.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	n.url = srv.URL
	n.Config = oauth.Config{
		Issuer: srv.URL, Resource: srv.URL + "/federation/v1", Pool: n.pool, SigningKey: load(t, n.key),
		Peers: fed, Clients: n.clients, Now: c.Now, Scopes: []string{"case:read"},
		Refused: func(_ context.Context, r oauth.Refused) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.refused = append(n.refused, r)
		},
	}
	for _, e := range edit {
		e(&n.Config)
	}
	if n.Server, err = oauth.New(n.Config); err != nil {
		t.Fatal(err)
	}
	n.Routes(routes)
	routes.HandleFunc("/federation/v1/", n.resource)
	return n
}

// resource is an edge: it shows what it was told of the caller, or the refusal.
func (n *node) resource(w http.ResponseWriter, r *http.Request) {
	access, err := n.VerifyAccess(r, n.url+r.URL.Path)
	if err != nil {
		var refusal *oauth.Refusal
		if !errors.As(err, &refusal) {
			panic(err)
		}
		refusal.SetHeaders(w.Header())
		w.WriteHeader(refusal.Status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": refusal.Code, "reason": refusal.Reason})
		return
	}
	w.Header().Set("DPoP-Nonce", n.Nonce())
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"access": access, "body": string(body)})
}

func (n *node) lastRefused() oauth.Refused {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.refused) == 0 {
		return oauth.Refused{}
	}
	return n.refused[len(n.refused)-1]
}

func (n *node) replayRows(t *testing.T, kind string) (rows int) {
	t.Helper()
	if err := n.pool.QueryRow(t.Context(), `select count(*) from gateway.replay where kind = $1`, kind).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

func newKey(t testing.TB) jose.JSONWebKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return withKID(t, jose.JSONWebKey{Key: k, Algorithm: "ES256", Use: "sig"})
}

func withKID(t testing.TB, jwk jose.JSONWebKey) jose.JSONWebKey {
	t.Helper()
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return jwk
}

// load gives a key the way a node gets it: from a file.
func load(t testing.TB, jwk jose.JSONWebKey) oauth.SigningKey {
	t.Helper()
	raw, err := json.Marshal(jwk)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signing.jwk")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := oauth.LoadSigningKey(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sign(t testing.TB, key jose.JSONWebKey, typ string, embed bool, claims any) string {
	t.Helper()
	opts := &jose.SignerOptions{EmbedJWK: embed}
	if typ != "" {
		opts.WithType(jose.ContentType(typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// unsigned is an "alg":"none" token.
func unsigned(t *testing.T, typ string, claims any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"none","typ":"`+typ+`"}`)) + "." + e(body) + "."
}

// hmacKey is the oldest trick: an HMAC whose secret is the public key.
func hmacKey(t *testing.T, public jose.JSONWebKey) jose.JSONWebKey {
	t.Helper()
	raw, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: raw, KeyID: public.KeyID, Algorithm: "HS256"}
}

func randomID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

type claims = map[string]any

// attempt is a token request that is right in every respect until a test spoils it.
type attempt struct {
	t                              testing.TB
	owner                          *node
	grant, client, proof           claims
	grantKey, clientKey, proofKey  jose.JSONWebKey
	grantType, clientType, prfType string
	rawGrant, rawClient            string
	proofs                         []string // instead of proof, when not nil
	form                           func(url.Values)
	request                        func(*http.Request)
}

// reader is an organisation that asks for access elsewhere; it needs no server of its own for that.
type reader struct {
	id        string
	key, dpop jose.JSONWebKey
}

func newReader(t testing.TB, fed *federation, id string, scopes ...string) reader {
	r := reader{id: id, key: newKey(t), dpop: newKey(t)}
	fed.admit(id, r.key.Public(), scopes...)
	return r
}

func (r reader) attempt(t testing.TB, owner *node) *attempt {
	now := owner.clock.Now().Unix()
	return &attempt{
		t: t, owner: owner, grantKey: r.key, clientKey: r.key, proofKey: r.dpop,
		grantType: "oauth-id-jag+jwt", clientType: "JWT", prfType: "dpop+jwt",
		grant: claims{
			"iss": r.id, "sub": "person-1", "aud": owner.Issuer, "client_id": r.id, "jti": randomID(), "iat": now, "exp": now + 60,
			"scope": "case:read review:write", "resource": owner.Resource, "acr": "urn:zijlicht:link", "auth_time": now - 300,
		},
		client: claims{"iss": r.id, "sub": r.id, "aud": owner.Issuer, "jti": randomID(), "iat": now, "exp": now + 60},
		proof: claims{
			"jti": randomID(), "htm": "POST", "htu": owner.url + oauth.TokenPath, "iat": now, "nonce": owner.Nonce(),
		},
	}
}

type answer struct {
	status int
	body   map[string]any
	raw    string
	header http.Header
}

func (a answer) reason() string {
	description, _ := a.body["error_description"].(string)
	reason, _, _ := strings.Cut(description, ": ")
	return reason
}

func (a answer) token() string { s, _ := a.body["access_token"].(string); return s }

func (a *attempt) send() answer {
	a.t.Helper()
	if a.rawGrant == "" {
		a.rawGrant = sign(a.t, a.grantKey, a.grantType, false, a.grant)
	}
	if a.rawClient == "" {
		a.rawClient = sign(a.t, a.clientKey, a.clientType, false, a.client)
	}
	if a.proofs == nil {
		a.proofs = []string{sign(a.t, a.proofKey, a.prfType, true, a.proof)}
	}
	form := url.Values{
		"grant_type": {chain}, "assertion": {a.rawGrant}, "client_assertion_type": {jwtAssertion}, "client_assertion": {a.rawClient},
	}
	if a.form != nil {
		a.form(form)
	}
	req, err := http.NewRequest(http.MethodPost, a.owner.url+oauth.TokenPath, strings.NewReader(form.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header["Dpop"] = a.proofs
	if a.request != nil {
		a.request(req)
	}
	return do(a.t, req)
}

func do(t testing.TB, req *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(req.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, raw: string(raw), header: res.Header}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

func (a answer) wants(t *testing.T, status int, code, reason string) {
	t.Helper()
	if a.status != status || a.body["error"] != code || a.reason() != reason {
		t.Fatalf("answered %d %s, want %d %s %s", a.status, a.raw, status, code, reason)
	}
	if a.header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Errorf("RFC 6749 §5.2: headers %v", a.header)
	}
}

func (a answer) wantsToken(t testing.TB) string {
	t.Helper()
	if a.status != 200 || a.token() == "" {
		t.Fatalf("answered %d %s, want a token", a.status, a.raw)
	}
	return a.token()
}
