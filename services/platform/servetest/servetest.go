// Package servetest runs services for tests the way a node does: behind the real
// chain, with the real policy and a real decision log, in process and over TCP.
package servetest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-kratos/kratos/v2/middleware"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/serve"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Node is the entity URL of the organisation under test.
const Node = "https://noord.example"

// Peer is the entity URL of another organisation.
const Peer = "https://zuid.example"

// Circle that both are in.
const Circle = "kring-oost"

// Both runs a suite over the two connections, each with a server of its own.
func Both(t *testing.T, suite func(t *testing.T, connect Connect)) {
	t.Run("in process", func(t *testing.T) { t.Parallel(); suite(t, local) })
	t.Run("tcp", func(t *testing.T) { t.Parallel(); suite(t, tcp) })
}

// TCP runs a suite over TCP alone, for what only a listener has.
func TCP(t *testing.T, suite func(t *testing.T, connect Connect)) { suite(t, tcp) }

// Connect serves what is registered behind a chain and gives the client side.
type Connect func(t *testing.T, chain []middleware.Middleware, register func(grpc.ServiceRegistrar, grpc.ClientConnInterface)) grpc.ClientConnInterface

// Harness is one node's services under test.
type Harness struct {
	// Conn reaches every registered service.
	Conn grpc.ClientConnInterface
	// DB is the node's database.
	DB *pgtest.DB
	// Clock is the node's time; tests set it.
	Clock *Clock
	// Recorder of the service under test.
	Recorder *authz.Recorder
	// Output is the process log.
	Output Output

	signer *identity.Signer
}

// Output collects what is written, also from several goroutines.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String gives what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Clock is a settable time.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now implements the clock that production code takes.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// traced sets up tracing once for the process: it belongs to the process, and tests run side by side.
var traced = sync.OnceValue(func() error {
	_, err := telemetry.Setup(context.Background(), "test", "test")
	return err
})

// New serves what register registers, deciding with bundle, recording with the
// role of service. register is given a connection to the same services.
func New(t *testing.T, db *pgtest.DB, bundle fs.FS, service string, connect Connect, register func(grpc.ServiceRegistrar, grpc.ClientConnInterface)) *Harness {
	t.Helper()
	if err := traced(); err != nil {
		t.Fatal(err)
	}
	policy, err := authz.Load(context.Background(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &Harness{DB: db, Clock: &Clock{now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)}}
	h.signer = identity.NewSigner(private, Node, h.Clock.Now)
	h.Recorder = authz.NewRecorder(db.Pool(service))
	t.Cleanup(h.Recorder.Close)
	gate := authz.NewGate(policy, h.Recorder, Node)
	log := slog.New(slog.NewJSONHandler(&h.Output, &slog.HandlerOptions{Level: slog.LevelDebug}))
	chain := serve.Chain(log, identity.NewVerifier(public, Node, h.Clock.Now), gate.Middleware(), h.Recorder.Security)
	h.Conn = connect(t, chain, register)
	return h
}

func local(_ *testing.T, chain []middleware.Middleware, register func(grpc.ServiceRegistrar, grpc.ClientConnInterface)) grpc.ClientConnInterface {
	l := serve.NewLocal(chain)
	register(l, l.Conn())
	return l.Conn()
}

func tcp(t *testing.T, chain []middleware.Middleware, register func(grpc.ServiceRegistrar, grpc.ClientConnInterface)) grpc.ClientConnInterface {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := serve.NewServer("", chain, kgrpc.Listener(listener))
	conn, err := serve.Dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	register(s, conn)
	done := make(chan error, 1)
	go func() { done <- s.Start(context.Background()) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Stop(ctx), <-done); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// As gives the context of a call by this caller.
func (h *Harness) As(ctx context.Context, c *identityv1.Caller) context.Context {
	ctx, err := h.signer.Outgoing(ctx, c)
	if err != nil {
		panic(err)
	}
	return ctx
}

// Person signed in at the node.
func Person(id, unit string, roles ...string) *identityv1.Caller {
	return &identityv1.Caller{
		Kind: identityv1.Kind_KIND_PERSON, Subject: id, Organisation: Node, OrganisationKind: "wijkteam",
		OrganisationState: "active", Roles: roles, Unit: unit, Circles: []string{Circle}, TrustMarks: []string{"lateral-review"},
	}
}

// PeerReader is a reviewer of the other organisation.
func PeerReader(id string, roles ...string) *identityv1.Caller {
	if len(roles) == 0 {
		roles = []string{"reviewer"}
	}
	return &identityv1.Caller{
		Kind: identityv1.Kind_KIND_PEER, Subject: id, Organisation: Peer, OrganisationKind: "wijkteam",
		OrganisationState: "active", Roles: roles, Circles: []string{Circle}, TrustMarks: []string{"lateral-review"},
	}
}

// Worker is deferred work of the node itself.
func Worker(name string) *identityv1.Caller {
	return &identityv1.Caller{Kind: identityv1.Kind_KIND_WORKER, Subject: name, Organisation: Node, OrganisationState: "active"}
}

// Receipt is someone with a receipt code.
func Receipt() *identityv1.Caller {
	return &identityv1.Caller{Kind: identityv1.Kind_KIND_RECEIPT, Subject: "receipt"}
}

// Logged is what the decision log holds of one call.
type Logged struct {
	Action  string
	Allowed bool
	Reasons []string
}

// Log gives the decisions recorded so far, oldest first.
func (h *Harness) Log(t *testing.T) []Logged {
	t.Helper()
	rows, err := h.DB.Admin().Query(t.Context(), "select action, allowed, reasons from audit.decision order by record_time, id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []Logged
	for rows.Next() {
		var l Logged
		if err := rows.Scan(&l.Action, &l.Allowed, &l.Reasons); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
