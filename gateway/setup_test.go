package gateway

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-kratos/kratos/v2/middleware"

	"github.com/zijlicht/zijlicht/policies"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/serve"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

func TestMain(m *testing.M) {
	if _, err := telemetry.Setup(context.Background(), "gateway", "test"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const theCircle = "kring-oost"

// clock is the machine's, moved on by a test.
type clock struct{ offset atomic.Int64 }

func (c *clock) Now() time.Time       { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) move(d time.Duration) { c.offset.Add(int64(d)) }

// anchor serves a member document that it signs anew at every request.
type anchor struct {
	*httptest.Server
	clock *clock
	key   jose.JSONWebKey

	mu     sync.Mutex
	serial int64
	orgs   []members.Organisation
	down   bool
}

func newAnchor(t *testing.T) *anchor {
	t.Helper()
	a := &anchor{clock: &clock{}, key: newKey(t), serial: 1}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.down {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		doc := members.Document{
			Issuer: a.URL, Serial: a.serial, IssueTime: a.clock.Now(), ExpireTime: a.clock.Now().Add(10 * time.Minute), Organisations: a.orgs,
			Circles: []members.Circle{{ID: theCircle, Name: "Kring Oost", State: members.CircleActive}},
		}
		for _, o := range a.orgs {
			doc.Circles[0].Members = append(doc.Circles[0].Members, o.ID)
		}
		compact, err := members.Sign(doc, a.key)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(compact))
	}))
	t.Cleanup(a.Close)
	return a
}

func newKey(t *testing.T) jose.JSONWebKey {
	t.Helper()
	key, err := members.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *anchor) admit(id string, keys jose.JSONWebKeySet, marks ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	a.orgs = append(a.orgs, members.Organisation{
		ID: id, Name: "Wijkteam", Kind: members.Wijkteam, State: members.Active, Keys: keys, TrustMarks: marks,
		TokenEndpoint: id + "/oauth2/token", FederationBase: id + federationPath,
	})
}

func (a *anchor) change(id string, edit func(*members.Organisation)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	for i := range a.orgs {
		if a.orgs[i].ID == id {
			edit(&a.orgs[i])
		}
	}
}

func (a *anchor) suspend(id string) {
	a.change(id, func(o *members.Organisation) { o.State = members.Suspended })
}

func (a *anchor) reinstate(id string) {
	a.change(id, func(o *members.Organisation) { o.State = members.Active })
}

func (a *anchor) forget(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	for i := range a.orgs {
		if a.orgs[i].ID == id {
			a.orgs = append(a.orgs[:i:i], a.orgs[i+1:]...)
			return
		}
	}
}

func (a *anchor) stop() { a.mu.Lock(); defer a.mu.Unlock(); a.down = true }

// node is one organisation's gateway on a port of its own, with the real chain,
// policy and log before services that remember what reached them.
type node struct {
	*Gateway
	t      *testing.T
	url    string
	db     *pgtest.DB
	anchor *anchor
	clock  *clock
	log    *lines
	said   *services
	router *serve.Router
	chain  []middleware.Middleware
	key    jose.JSONWebKey // the private half of its OAuth key
	// before, when set, answers requests in the node's place if it returns true.
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

var thePolicy = sync.OnceValues(func() (*authz.Policy, error) { return authz.Load(context.Background(), policies.Bundle()) })

func schemas() []pgdb.Schema {
	// The decision log's own files: the gateway imports no service.
	audit := pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS("../services/audit/migrations")}
	return []pgdb.Schema{audit, outbox.Schema(), Schema()}
}

func startNode(t *testing.T, a *anchor, edit ...func(*Config)) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	n := &node{t: t, url: "http://" + l.Addr().String(), db: pgtest.New(t, schemas()...), anchor: a, clock: a.clock, log: &lines{}, router: serve.NewRouter()}
	logger := slog.New(slog.NewJSONHandler(n.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	file := filepath.Join(t.TempDir(), "oauth.jwk")
	public, err := EnsureKey(file)
	must(t, err)
	raw, err := os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(raw, &n.key))
	a.admit(n.url, public, markReview)
	master, err := keys.Create(filepath.Join(t.TempDir(), "master.json"))
	must(t, err)
	verify, sign, err := ed25519.GenerateKey(nil)
	must(t, err)
	policy, err := thePolicy()
	must(t, err)
	recorder := authz.NewRecorder(n.db.Pool("gateway"))
	t.Cleanup(recorder.Close)
	config := Config{
		Node: "noord", EntityURL: n.url, Pool: n.db.Pool("gateway"), Conn: n.router, Signer: identity.NewSigner(sign, n.url, n.clock.Now),
		OAuthKey: file, Keys: master, PairwiseKey: bytes.Repeat([]byte{7}, 32), AnchorIssuer: a.URL, AnchorKeys: members.Public(a.key),
		MembersURL: a.URL + "/federation/members", Security: recorder.Security, Log: logger, Now: n.clock.Now,
	}
	for _, e := range edit {
		e(&config)
	}
	n.Gateway, err = New(config)
	must(t, err)
	n.chain = serve.Chain(logger, identity.NewVerifier(verify, n.url, n.clock.Now), authz.NewGate(policy, recorder, n.url).Middleware(), recorder.Security)
	local := serve.NewLocal(n.chain)
	n.said = &services{node: n.url}
	casesv1.RegisterCasesServiceServer(local, &fakeCases{services: n.said})
	consentv1.RegisterConsentServiceServer(local, &fakeConsent{services: n.said})
	reviewv1.RegisterReviewServiceServer(local, &fakeReview{services: n.said})
	n.Register(local)
	for _, service := range []string{"cases", "consent", "review", "gateway"} { // audit runs nowhere
		n.router.Route(service, local.Conn())
	}
	server, err := n.Server("")
	must(t, err)
	handler := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := n.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(n.Listener(l)) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	must(t, n.members.Refresh(t.Context()))
	return n
}

// refresh makes the node see what the anchor says now.
func (n *node) refresh() { n.t.Helper(); must(n.t, n.members.Refresh(n.t.Context())) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("never: " + what)
		case <-tick.C:
		}
	}
}

// lines is a process log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// security is the security log so far, as "operation what".
func (n *node) security() (events []string) {
	n.t.Helper()
	rows, err := n.db.Admin().Query(n.t.Context(), `select operation || ' ' || what from audit.security_event order by id`)
	must(n.t, err)
	defer rows.Close()
	for rows.Next() {
		var e string
		must(n.t, rows.Scan(&e))
		events = append(events, e)
	}
	must(n.t, rows.Err())
	return events
}
