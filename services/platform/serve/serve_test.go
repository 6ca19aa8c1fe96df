package serve_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/serve"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

const canary = "Fatima-belde-over-de-huur"

// node serves two internal contracts. Its handlers are chosen by a test.
type node struct {
	*servetest.Harness
	casesv1.UnimplementedCasesServiceServer
	deidv1.UnimplementedDeidServiceServer

	conn grpc.ClientConnInterface // as a service has it
	mu   sync.Mutex
	do   map[string]func(context.Context) error
	size int
}

func newNode(t *testing.T, connect servetest.Connect) *node {
	t.Helper()
	db := pgtest.New(t, pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS("../../audit/migrations")})
	n := &node{do: map[string]func(context.Context) error{}}
	n.Harness = servetest.New(t, db, os.DirFS("../../../policies"), "audit", connect, func(r grpc.ServiceRegistrar, conn grpc.ClientConnInterface) {
		n.conn = conn
		casesv1.RegisterCasesServiceServer(r, n)
		deidv1.RegisterDeidServiceServer(r, n)
	})
	return n
}

func (n *node) set(id string, do func(context.Context) error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.do[id] = do
}

func (n *node) DescribeCase(ctx context.Context, req *casesv1.DescribeCaseRequest) (*casesv1.CaseFacts, error) {
	n.mu.Lock()
	do := n.do[req.GetCaseId()]
	n.mu.Unlock()
	return &casesv1.CaseFacts{Id: req.GetCaseId()}, do(ctx)
}

func (n *node) Inspect(context.Context, *deidv1.InspectRequest) (*deidv1.InspectResponse, error) {
	return &deidv1.InspectResponse{Texts: []*deidv1.Inspected{{Spans: []*deidv1.Span{{Text: strings.Repeat("x", n.size)}}}}}, nil
}

func (n *node) ask(ctx context.Context, id string) error {
	_, err := casesv1.NewCasesServiceClient(n.Conn).DescribeCase(ctx, &casesv1.DescribeCaseRequest{CaseId: id})
	return err
}

func (n *node) worker(t *testing.T) context.Context {
	return n.As(t.Context(), servetest.Worker("w"))
}

// wire is all that a client can see of an error, less what the transport says about itself.
func wire(err error) string {
	s := status.Convert(err)
	return fmt.Sprint(s.Code(), " ", s.Message(), " ", s.Details())
}

// TestFaultsAreTheSame: reason, code, field and text of every fault are equal over both connections.
func TestFaultsAreTheSame(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	answers := map[string]string{}
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		for name, c := range map[string]struct {
			err    error
			reason faultv1.Reason
		}{
			"refused":     {fault.Refused("consent.withdrawn"), faultv1.Reason_REASON_REFUSED},
			"not found":   {fault.NotFound(), faultv1.Reason_REASON_NOT_FOUND},
			"too large":   {fault.TooLarge("text"), faultv1.Reason_REASON_TOO_LARGE},
			"invalid":     {fault.Invalid("title", "string.max_len"), faultv1.Reason_REASON_INVALID_ARGUMENT},
			"wrong state": {fault.WrongState("case.closed"), faultv1.Reason_REASON_WRONG_STATE},
			"conflict":    {fault.EditConflict(), faultv1.Reason_REASON_EDIT_CONFLICT},
			"unavailable": {fault.Unavailable(errors.New(canary)), faultv1.Reason_REASON_CHECK_UNAVAILABLE},
			"peer":        {fault.PeerUnavailable(errors.New(canary)), faultv1.Reason_REASON_PEER_UNAVAILABLE},
			"wrapped":     {fmt.Errorf("%s: %w", canary, fault.NotFound()), faultv1.Reason_REASON_NOT_FOUND},
			"plain":       {errors.New(canary), faultv1.Reason_REASON_INTERNAL},
			"status":      {status.Error(codes.NotFound, canary), faultv1.Reason_REASON_INTERNAL},
			"deadline":    {fmt.Errorf("%s: %w", canary, context.DeadlineExceeded), faultv1.Reason_REASON_TIMEOUT},
		} {
			n.set(name, func(context.Context) error { return c.err })
			err := n.ask(n.worker(t), name)
			if fault.ReasonOf(err) != c.reason || fault.HTTPStatus(fault.ReasonOf(err)) != fault.HTTPStatus(c.reason) {
				t.Errorf("%s: %v", name, err)
			}
			got := wire(err)
			if strings.Contains(got, canary) {
				t.Errorf("%s: %s leaves", name, got)
			}
			mu.Lock()
			if other, ok := answers[name]; ok && other != got {
				t.Errorf("%s: %s here and %s there", name, got, other)
			}
			answers[name] = got
			mu.Unlock()
		}
		if out := n.Output.String(); strings.Contains(out, canary) || !strings.Contains(out, "*errors.errorString") {
			t.Errorf("the log: %s", out)
		}
	})
}

// TestPanic: a panic is an internal fault, and neither the answer nor the log holds what it was about.
func TestPanic(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		for name, value := range map[string]any{"text": canary, "error": errors.New(canary), "number": 7} {
			n.set(canary, func(context.Context) error { panic(value) })
			err := n.ask(n.worker(t), canary)
			if fault.ReasonOf(err) != faultv1.Reason_REASON_INTERNAL || strings.Contains(wire(err), canary) {
				t.Errorf("%s: %v", name, err)
			}
		}
		out := n.Output.String()
		if strings.Contains(out, canary) || !strings.Contains(out, "serve_test.go") || !strings.Contains(out, `"type":"string"`) {
			t.Errorf("the log: %s", out)
		}
		n.set("well", func(context.Context) error { return nil })
		if err := n.ask(n.worker(t), "well"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestOrder: the caller comes before the contents, and what is not well formed never reaches a handler.
func TestOrder(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		deid, cases := deidv1.NewDeidServiceClient(n.Conn), casesv1.NewCasesServiceClient(n.Conn)
		ctx := n.worker(t)
		big := strings.Repeat("a", serve.MaxText+1)
		for _, c := range []struct {
			name   string
			call   func() error
			reason faultv1.Reason
			field  string
		}{
			{"too large", func() error { return err2(deid.Inspect(ctx, &deidv1.InspectRequest{Texts: []string{"a", big}})) }, faultv1.Reason_REASON_TOO_LARGE, "texts"},
			{"just not", func() error { return err2(deid.Inspect(ctx, &deidv1.InspectRequest{Texts: []string{big[1:]}})) }, 0, ""},
			{"NUL", func() error {
				return err2(deid.Inspect(ctx, &deidv1.InspectRequest{Texts: []string{canary + "\x00"}}))
			}, faultv1.Reason_REASON_INVALID_ARGUMENT, "texts"},
			{"NUL inside", func() error {
				return err2(cases.ResolveProposals(ctx, &casesv1.ResolveProposalsRequest{
					CaseId: "0190a000-0000-7000-8000-000000000001", Revision: 1, Choices: []*casesv1.Choice{{}, {Replacement: canary + "\x00"}},
				}))
			}, faultv1.Reason_REASON_INVALID_ARGUMENT, "choices.replacement"},
			{"rule", func() error { return err2(cases.GetCase(ctx, &casesv1.GetCaseRequest{CaseId: canary})) }, faultv1.Reason_REASON_INVALID_ARGUMENT, "case_id"},
			{"rule inside", func() error {
				return err2(cases.ResolveProposals(ctx, &casesv1.ResolveProposalsRequest{
					CaseId: "0190a000-0000-7000-8000-000000000001", Revision: 1, Choices: []*casesv1.Choice{{ProposalId: 1, Choice: canary}},
				}))
			}, faultv1.Reason_REASON_INVALID_ARGUMENT, "choices[0].choice"},
			{"caller first", func() error {
				return err2(cases.GetCase(t.Context(), &casesv1.GetCaseRequest{CaseId: canary}))
			}, faultv1.Reason_REASON_UNAUTHENTICATED, ""},
		} {
			err := c.call()
			if fault.ReasonOf(err) != c.reason {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			if err == nil {
				continue
			}
			if c.field != "" && !strings.Contains(wire(err), c.field) {
				t.Errorf("%s: %s", c.name, wire(err))
			}
			if strings.Contains(wire(err), canary) {
				t.Errorf("%s: the answer repeats the value", c.name)
			}
		}
		if strings.Contains(n.Output.String(), canary) {
			t.Error("the log repeats a value")
		}
	})
}

func err2[T any](_ T, err error) error { return err }

// TestMessageLimit: a message above the limit is refused the same way over both connections, asked or answered.
func TestMessageLimit(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		deid := deidv1.NewDeidServiceClient(n.Conn)
		texts := make([]string, serve.MaxMessage/serve.MaxText)
		for i := range texts {
			texts[i] = strings.Repeat("a", serve.MaxText)
		}
		if err := err2(deid.Inspect(n.worker(t), &deidv1.InspectRequest{Texts: texts})); fault.ReasonOf(err) != faultv1.Reason_REASON_TOO_LARGE {
			t.Errorf("too much asked: %v", err)
		}
		n.size = serve.MaxMessage
		if err := err2(deid.Inspect(n.worker(t), &deidv1.InspectRequest{Texts: []string{"a"}})); fault.ReasonOf(err) != faultv1.Reason_REASON_TOO_LARGE {
			t.Errorf("too much answered: %v", err)
		}
		n.size = serve.MaxMessage - 100
		if err := err2(deid.Inspect(n.worker(t), &deidv1.InspectRequest{Texts: []string{"a"}})); err != nil {
			t.Errorf("just below: %v", err)
		}
	})
}

// TestDeadlines: a call has a deadline, the caller's own when that is sooner.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		var left time.Duration
		n.set("look", func(ctx context.Context) error {
			deadline, ok := ctx.Deadline()
			if left = time.Until(deadline); !ok {
				return errors.New("no deadline")
			}
			return nil
		})
		if err := n.ask(n.worker(t), "look"); err != nil || left > 15*time.Second || left < 10*time.Second {
			t.Errorf("%v left, %v", left, err)
		}
		ctx, cancel := context.WithTimeout(n.worker(t), 4*time.Second)
		defer cancel()
		if err := n.ask(ctx, "look"); err != nil || left > 4*time.Second {
			t.Errorf("%v left, %v", left, err)
		}
		n.set("wait", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		short, cancelShort := context.WithTimeout(n.worker(t), 50*time.Millisecond)
		defer cancelShort()
		if err := n.ask(short, "wait"); fault.ReasonOf(err) != faultv1.Reason_REASON_TIMEOUT {
			t.Errorf("past the deadline: %v", err)
		}
		gone, leave := context.WithCancel(n.worker(t))
		n.set("leave", func(ctx context.Context) error { leave(); <-ctx.Done(); return ctx.Err() })
		if err := n.ask(gone, "leave"); fault.ReasonOf(err) != faultv1.Reason_REASON_TIMEOUT {
			t.Errorf("gone: %v", err)
		}
	})
}

// TestForwarding: the next service sees the same caller in the same trace, and
// nothing else of the call around it.
func TestForwarding(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		type seen struct{ raw, trace, span string }
		var calls []seen
		type leak struct{}
		note := func(ctx context.Context) {
			md, _ := metadata.FromIncomingContext(ctx)
			trace, span := telemetry.IDs(ctx)
			calls = append(calls, seen{strings.Join(md.Get(identity.Header), "|"), trace, span})
			if ctx.Value(leak{}) != nil || len(md.Get("x-other")) != 0 {
				calls = nil
			}
		}
		n.set("inner", func(ctx context.Context) error { note(ctx); return nil })
		n.set("outer", func(ctx context.Context) error {
			note(ctx)
			ctx = context.WithValue(ctx, leak{}, 1)
			return err2(casesv1.NewCasesServiceClient(n.conn).DescribeCase(ctx, &casesv1.DescribeCaseRequest{CaseId: "inner"}))
		})
		if err := n.ask(metadata.AppendToOutgoingContext(n.worker(t), "x-other", "x"), "inner"); err != nil {
			t.Fatal(err)
		}
		calls = nil
		if err := n.ask(n.worker(t), "outer"); err != nil {
			t.Fatal(err)
		}
		if len(calls) != 2 || calls[0].raw != calls[1].raw || calls[0].raw == "" || calls[0].trace != calls[1].trace || calls[0].span == calls[1].span {
			t.Fatalf("seen: %v", calls)
		}
	})
}

// TestForged: who is not the gateway can say what they like.
func TestForged(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		reached := false
		n.set("x", func(context.Context) error { reached = true; return nil })
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		forged, err := identity.NewSigner(private, servetest.Node, n.Clock.Now).Outgoing(t.Context(), servetest.Worker("w"))
		if err != nil {
			t.Fatal(err)
		}
		worker, _ := metadata.FromOutgoingContext(n.worker(t))
		good := worker.Get(identity.Header)[0]
		n.Clock.Advance(identity.Lifetime)
		for name, ctx := range map[string]context.Context{
			"other key": forged,
			"expired":   metadata.AppendToOutgoingContext(t.Context(), identity.Header, good),
			"doubled":   metadata.AppendToOutgoingContext(n.worker(t), identity.Header, good),
			"garbage":   metadata.AppendToOutgoingContext(t.Context(), identity.Header, canary),
			"missing":   t.Context(),
			"by name":   metadata.AppendToOutgoingContext(t.Context(), "zijlicht-caller", good[:0], "x-caller", "admin"),
		} {
			err := n.ask(ctx, "x")
			if fault.ReasonOf(err) != faultv1.Reason_REASON_UNAUTHENTICATED || strings.Contains(wire(err), canary) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if reached {
			t.Error("a handler was reached")
		}
		n.Recorder.Close()
		var events int
		if err := n.DB.Admin().QueryRow(t.Context(), "select count(*) from audit.security_event where what like 'caller: %'").Scan(&events); err != nil || events != 6 {
			t.Errorf("%d security events, %v", events, err)
		}
	})
}

// TestOnlyOurs: besides the contracts there is health, over TCP, and nothing else; and no stream.
func TestOnlyOurs(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		if _, ok := n.Conn.(interface{ Close() error }); ok {
			t.Error("the connection can be closed by who uses it")
		}
		_, err := n.Conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/grpc.health.v1.Health/Watch")
		if status.Code(err) != codes.Unimplemented {
			t.Errorf("stream: %v", err)
		}
		for _, method := range []string{"/kratos.api.Metadata/ListServices", "/zijlicht.audit.v1.AuditService/GetDecision", "/x.Y/Z"} {
			if err := n.Conn.Invoke(n.worker(t), method, &auditv1.GetDecisionRequest{}, &auditv1.Decision{}); err == nil {
				t.Errorf("%s answered", method)
			}
		}
	})
}

func TestHealth(t *testing.T) {
	t.Parallel()
	servetest.TCP(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		res, err := healthv1.NewHealthClient(n.Conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
		if err != nil || res.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Fatalf("health: %v, %v", res, err)
		}
	})
}

func TestRouter(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		r := serve.NewRouter()
		r.Route("cases", n.Conn)
		n.set("x", func(context.Context) error { return nil })
		if err := err2(casesv1.NewCasesServiceClient(r).DescribeCase(n.worker(t), &casesv1.DescribeCaseRequest{CaseId: "x"})); err != nil {
			t.Errorf("routed: %v", err)
		}
		err := err2(deidv1.NewDeidServiceClient(r).Inspect(n.worker(t), &deidv1.InspectRequest{}))
		if fault.ReasonOf(err) != faultv1.Reason_REASON_CHECK_UNAVAILABLE {
			t.Errorf("runs nowhere: %v", err)
		}
		if _, err := r.NewStream(t.Context(), nil, ""); status.Code(err) != codes.Unimplemented {
			t.Errorf("stream: %v", err)
		}
	})
}

// TestAway: a service where nobody listens cannot be asked.
func TestAway(t *testing.T) {
	t.Parallel()
	conn, err := serve.Dial("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	err = err2(casesv1.NewCasesServiceClient(conn).DescribeCase(t.Context(), &casesv1.DescribeCaseRequest{}))
	if fault.ReasonOf(err) != faultv1.Reason_REASON_CHECK_UNAVAILABLE {
		t.Errorf("away: %v", err)
	}
}
