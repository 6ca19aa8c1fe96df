package authz_test

import (
	"context"
	"errors"

	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

const (
	internal    = faultv1.Reason_REASON_INTERNAL
	notFound    = faultv1.Reason_REASON_NOT_FOUND
	refused     = faultv1.Reason_REASON_REFUSED
	unavailable = faultv1.Reason_REASON_CHECK_UNAVAILABLE
	passed      = faultv1.Reason_REASON_UNSPECIFIED
)

// handler is what an RPC under test does before it answers.
type handler func(context.Context) error

// node serves real contracts with handlers that a test chooses.
type node struct {
	*servetest.Harness
	auditv1.UnimplementedAuditServiceServer
	casesv1.UnimplementedCasesServiceServer
	gatewayv1.UnimplementedAccountServiceServer

	mu sync.Mutex
	do map[string]handler // by the id in the request
}

func newNode(t *testing.T, connect servetest.Connect) *node {
	t.Helper()
	db := pgtest.New(t, pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS("../../audit/migrations")},
		pgdb.Schema{Name: "cases", Login: true, Migrations: fstest.MapFS{"0001_deed.sql": {Data: []byte(`
			create table cases.deed (id uuid primary key);
			grant select, insert on cases.deed to {{call .Role "cases"}};`)}}})
	n := &node{do: map[string]handler{}}
	n.Harness = servetest.New(t, db, os.DirFS("../../../policies"), "cases", connect, func(r grpc.ServiceRegistrar, _ grpc.ClientConnInterface) {
		auditv1.RegisterAuditServiceServer(r, n)
		casesv1.RegisterCasesServiceServer(r, n)
		gatewayv1.RegisterAccountServiceServer(r, n)
	})
	return n
}

func (n *node) run(ctx context.Context, id string) error {
	n.mu.Lock()
	do := n.do[id]
	n.mu.Unlock()
	return do(ctx)
}

func (n *node) GetDecision(ctx context.Context, req *auditv1.GetDecisionRequest) (*auditv1.Decision, error) {
	return &auditv1.Decision{Id: req.GetDecisionId()}, n.run(ctx, req.GetDecisionId())
}

func (n *node) ListDecisions(ctx context.Context, req *auditv1.ListDecisionsRequest) (*auditv1.ListDecisionsResponse, error) {
	return &auditv1.ListDecisionsResponse{}, n.run(ctx, req.GetResourceId())
}

func (n *node) ReadShared(ctx context.Context, req *casesv1.ReadSharedRequest) (*casesv1.SharedCase, error) {
	return &casesv1.SharedCase{PublicId: req.GetPublicId()}, n.run(ctx, req.GetPublicId())
}

func (n *node) DescribeCase(ctx context.Context, req *casesv1.DescribeCaseRequest) (*casesv1.CaseFacts, error) {
	return &casesv1.CaseFacts{Id: req.GetCaseId()}, n.run(ctx, req.GetCaseId())
}

func (n *node) CreateSession(context.Context, *gatewayv1.CreateSessionRequest) (*gatewayv1.Session, error) {
	return &gatewayv1.Session{}, nil
}

// get calls an RPC on a resource whose handler is do, and gives the caller's id, by which its records are found.
func (n *node) get(ctx context.Context, do handler) (caller string, err error) {
	id, caller := uuid.NewString(), uuid.NewString()
	n.mu.Lock()
	n.do[id] = do
	n.mu.Unlock()
	_, err = auditv1.NewAuditServiceClient(n.Conn).GetDecision(n.As(ctx, officer(caller)), &auditv1.GetDecisionRequest{DecisionId: id})
	return caller, err
}

func officer(id string) *identityv1.Caller { return servetest.Person(id, "", "privacy-officer") }

func allowed() authz.Resource {
	return authz.Resource{"kind": "decision", "id": "d", "node_org": servetest.Node}
}

func hidden() authz.Resource {
	return authz.Resource{"kind": "decision", "id": "d", "node_org": servetest.Peer}
}

// broken has a fact that the policy's schema does not know.
func broken() authz.Resource {
	return authz.Resource{"kind": "decision", "id": "d", "story": "geheim"}
}

func decide(r authz.Resource) handler {
	return func(ctx context.Context) error { _, err := authz.Decide(ctx, "", r); return err }
}

// careless decides and answers whatever came out.
func careless(r authz.Resource) handler {
	return func(ctx context.Context) error { _, _ = authz.Decide(ctx, "", r); return nil }
}

func both(do ...handler) handler {
	return func(ctx context.Context) error {
		for _, d := range do {
			if err := d(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func fails(err error) handler { return func(context.Context) error { return err } }

func (n *node) inTx(do handler) handler {
	return func(ctx context.Context) error {
		return authz.InTx(ctx, n.DB.Pool("cases"), func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "insert into cases.deed values ($1)", uuid.NewString()); err != nil {
				return err
			}
			return do(ctx)
		})
	}
}

type row struct {
	Allowed     bool
	Status      string
	Reasons     []string
	Evaluations int
	Trace, Span string
	Returned    []string
	FilterHash  string
}

func (n *node) records(t testing.TB, caller string) []row {
	t.Helper()
	rows, err := n.DB.Admin().Query(context.Background(), `
		select allowed, status, reasons, jsonb_array_length(evaluations), trace_id, span_id,
		       array(select jsonb_array_elements_text(evaluations->-1->'returned')), coalesce(evaluations->-1->>'filter_hash', '')
		from audit.decision where caller_id = $1`, caller)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (n *node) deeds(t testing.TB) (count int) {
	t.Helper()
	if err := n.DB.Admin().QueryRow(context.Background(), "select count(*) from cases.deed").Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}

func (n *node) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := n.DB.Admin().Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}

// TestGate: per behaviour of a handler, the answer and the one record.
func TestGate(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		secret := errors.New("Fatima zei: geheim")
		for _, c := range []struct {
			name   string
			do     handler
			answer faultv1.Reason
			record *row // Allowed, Status and Evaluations
			deeds  int
		}{
			{"allowed", decide(allowed()), passed, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 0},
			{"three", both(decide(allowed()), decide(allowed()), decide(allowed())), passed, &row{Allowed: true, Status: "Ok", Evaluations: 3}, 0},
			{"refused", decide(hidden()), notFound, &row{Status: "Ok", Evaluations: 1}, 0},
			{"no decision", fails(nil), internal, nil, 0},
			{"answers in spite of a refusal", careless(hidden()), notFound, &row{Status: "Ok", Evaluations: 1}, 0},
			{"one of two refused", both(decide(allowed()), careless(hidden())), notFound, &row{Status: "Ok", Evaluations: 2}, 0},
			{"another error after a refusal", both(careless(hidden()), fails(fault.WrongState("case.closed"))), notFound, &row{Status: "Ok", Evaluations: 1}, 0},
			{"policy fails", decide(broken()), unavailable, &row{Status: "Error", Evaluations: 1}, 0},
			{"answers without the policy", careless(broken()), unavailable, &row{Status: "Error", Evaluations: 1}, 0},
			{"answers with half the policy", both(decide(allowed()), careless(broken())), unavailable, &row{Status: "Error", Evaluations: 2}, 0},
			{"fails after a yes", both(decide(allowed()), fails(secret)), internal, &row{Status: "Error", Evaluations: 1}, 0},
			{"fails before a decision", fails(secret), internal, nil, 0},
			{"panics before a decision", func(context.Context) error { panic(secret) }, internal, nil, 0},
			{"panics after a yes", both(decide(allowed()), func(context.Context) error { panic(secret) }), internal, &row{Status: "Error", Evaluations: 1}, 0},
			{"panics in a write", n.inTx(both(decide(allowed()), func(context.Context) error { panic(secret) })), internal, &row{Status: "Error", Evaluations: 1}, 0},
			{"write", n.inTx(decide(allowed())), passed, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
			{"decided before the write", both(decide(allowed()), n.inTx(fails(nil))), passed, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
			{"write without a decision", n.inTx(fails(nil)), internal, nil, 0},
			{"write in spite of a refusal", n.inTx(careless(hidden())), notFound, &row{Status: "Ok", Evaluations: 1}, 0},
			{"write refused", n.inTx(decide(hidden())), notFound, &row{Status: "Ok", Evaluations: 1}, 0},
			{"write without the policy", n.inTx(careless(broken())), unavailable, &row{Status: "Error", Evaluations: 1}, 0},
			{"write fails", n.inTx(both(decide(allowed()), fails(secret))), internal, &row{Status: "Error", Evaluations: 1}, 0},
			{"wrong state in a write", n.inTx(both(decide(allowed()), fails(fault.WrongState("case.closed")))), faultv1.Reason_REASON_WRONG_STATE, &row{Status: "Error", Evaluations: 1}, 0},
			{"fails after a write", both(n.inTx(decide(allowed())), fails(secret)), internal, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
			{"second write", both(n.inTx(decide(allowed())), n.inTx(decide(allowed()))), internal, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
			{"decides after the record", both(n.inTx(decide(allowed())), careless(allowed())), internal, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
			{"returns after the record", both(n.inTx(decide(allowed())), func(ctx context.Context) error {
				authz.Returned(ctx, []string{"x"})
				return nil
			}), internal, &row{Allowed: true, Status: "Ok", Evaluations: 1}, 1},
		} {
			before := n.deeds(t)
			caller, err := n.get(t.Context(), c.do)
			if fault.ReasonOf(err) != c.answer {
				t.Errorf("%s: answer %v, want %v", c.name, err, c.answer)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("%s: the answer says %v", c.name, err)
			}
			if got := n.deeds(t) - before; got != c.deeds {
				t.Errorf("%s: %d deeds, want %d", c.name, got, c.deeds)
			}
			got := n.records(t, caller)
			if c.record == nil {
				if len(got) != 0 {
					t.Errorf("%s: recorded %+v", c.name, got)
				}
				continue
			}
			if len(got) != 1 || got[0].Allowed != c.record.Allowed || got[0].Status != c.record.Status || got[0].Evaluations != c.record.Evaluations {
				t.Errorf("%s: recorded %+v, want one %+v", c.name, got, *c.record)
				continue
			}
			if (len(got[0].Reasons) == 0) != c.record.Allowed {
				t.Errorf("%s: reasons %v", c.name, got[0].Reasons)
			}
			if strings.Trim(got[0].Trace, "0") == "" || strings.Trim(got[0].Span, "0") == "" {
				t.Errorf("%s: no trace in the record", c.name)
			}
		}
		if strings.Contains(n.Output.String(), "geheim") {
			t.Error("the log says what nobody may read")
		}
	})
}

// TestRetry: a transaction that is tried again decides anew, and the call is recorded once.
func TestRetry(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		tries := 0
		caller, err := n.get(t.Context(), func(ctx context.Context) error {
			return authz.InTx(ctx, n.DB.Pool("cases"), func(tx pgx.Tx) error {
				tries++
				if _, err := authz.Decide(ctx, "", allowed()); err != nil {
					return err
				}
				if tries < 3 {
					_, err := tx.Exec(ctx, "do $$ begin raise exception using errcode = '40001'; end $$")
					return err
				}
				return nil
			})
		})
		got := n.records(t, caller)
		if err != nil || tries != 3 || len(got) != 1 || got[0].Evaluations != 1 || !got[0].Allowed {
			t.Fatalf("%d tries, recorded %+v, %v", tries, got, err)
		}
	})
}

// TestCommitFails: a constraint that is checked at the commit takes write and record with it.
func TestCommitFails(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		n.exec(t, `create function cases.no() returns trigger language plpgsql as $$ begin raise exception 'geheim'; end $$;
			create constraint trigger no after insert on cases.deed deferrable initially deferred for each row execute function cases.no()`)
		caller, err := n.get(t.Context(), n.inTx(decide(allowed())))
		got := n.records(t, caller)
		if fault.ReasonOf(err) != internal || n.deeds(t) != 0 || len(got) != 1 || got[0].Allowed || got[0].Status != "Error" {
			t.Fatalf("answer %v, %d deeds, recorded %+v", err, n.deeds(t), got)
		}
		if strings.Contains(n.Output.String(), "geheim") {
			t.Error("the log says what the database said")
		}
	})
}

// TestNoRecordNoAnswer: without the log there is a refusal, for reads, refusals and writes alike.
func TestNoRecordNoAnswer(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		n.exec(t, `revoke execute on function audit.append(jsonb) from "zl_test_cases"`)
		for name, do := range map[string]handler{
			"read": decide(allowed()), "refusal": decide(hidden()), "write": n.inTx(decide(allowed())), "refused write": n.inTx(decide(hidden())),
		} {
			if _, err := n.get(t.Context(), do); fault.ReasonOf(err) != unavailable {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n.deeds(t) != 0 {
			t.Error("a deed without a record")
		}
		n.exec(t, `grant execute on function audit.append(jsonb) to "zl_test_cases"`)
		if _, err := n.get(t.Context(), decide(allowed())); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		n.Recorder.Close()
		if _, err := n.get(t.Context(), decide(allowed())); fault.ReasonOf(err) != unavailable {
			t.Errorf("after the recorder closed: %v", err)
		}
	})
}

// TestObligation: a text leaves in the rendition that was decided on, or not at all.
func TestObligation(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		shared := authz.Resource{
			"kind": "case", "id": "c", "owner_org": servetest.Node, "unit": "u", "author": "a", "second_reader": "b", "invited": false,
			"status": "published", "closed_reason": "", "audience": "circle", "circle": servetest.Circle, "risk": 0, "released_by": "b",
			"release_revision": 1, "basis_revision": 1, "revision": 1, "grant_state": "granted", "grant_revision": 1,
			"grant_purpose": "learning-in-circle", "grant_circle": servetest.Circle, "grant_from": "2026-01-01T00:00:00.000000Z",
			"grant_until": "2027-01-01T00:00:00.000000Z", "noticed": true,
		}
		permit := func(ctx context.Context) authz.Permit {
			p, err := authz.Decide(ctx, "learning-in-circle", shared)
			if err != nil {
				t.Errorf("decision: %v", err)
			}
			return p
		}
		for name, c := range map[string]struct {
			do   handler
			want faultv1.Reason
		}{
			"met":  {func(ctx context.Context) error { return wantText(permit(ctx).Rendition()) }, passed},
			"left": {func(ctx context.Context) error { permit(ctx); return nil }, unavailable},
			"one of two left": {func(ctx context.Context) error {
				p := permit(ctx)
				permit(ctx)
				p.Rendition()
				p.Rendition() // twice the one is not the other
				return nil
			}, unavailable},
			"left in a write": {n.inTx(func(ctx context.Context) error { permit(ctx); return nil }), unavailable},
		} {
			id := uuid.NewString()
			n.mu.Lock()
			n.do[id] = c.do
			n.mu.Unlock()
			_, err := casesv1.NewCasesServiceClient(n.Conn).ReadShared(n.As(t.Context(), servetest.PeerReader("p")),
				&casesv1.ReadSharedRequest{PublicId: id, Purpose: "learning-in-circle"})
			if fault.ReasonOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n.deeds(t) != 0 {
			t.Error("a write with an obligation left")
		}
		if (authz.Permit{}).Rendition() != "" {
			t.Error("a permit that nobody gave")
		}
	})
}

func wantText(s string) error {
	if s == "" {
		return errors.New("no rendition")
	}
	return nil
}

// TestLists: a list's record holds the filter's hash and what was returned; a caller
// for whom no filter exists is refused as for one thing.
func TestLists(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		list := func(who *identityv1.Caller, cols authz.Columns) error {
			id := uuid.NewString()
			n.mu.Lock()
			n.do[id] = func(ctx context.Context) error {
				_, err := authz.Filtered(ctx, "", "decision", cols, 1)
				authz.Returned(ctx, []string{"one", "two"})
				return err
			}
			n.mu.Unlock()
			_, err := auditv1.NewAuditServiceClient(n.Conn).ListDecisions(n.As(t.Context(), who), &auditv1.ListDecisionsRequest{ResourceId: id})
			return err
		}
		cols := authz.Columns{"resource.node_org": "x::text"}
		if err := list(officer("reads"), cols); err != nil {
			t.Fatal(err)
		}
		got := n.records(t, "reads")
		if len(got) != 1 || !got[0].Allowed || !slices.Equal(got[0].Returned, []string{"one", "two"}) || len(got[0].FilterHash) != 64 {
			t.Fatalf("recorded %+v", got)
		}
		if err := list(servetest.Person("other", "u", "professional"), cols); fault.ReasonOf(err) != refused {
			t.Fatalf("without the role: %v", err)
		}
		if got := n.records(t, "other"); len(got) != 1 || got[0].Allowed || !slices.Contains(got[0].Reasons, "role.missing") {
			t.Fatalf("recorded %+v", got)
		}
		if err := list(officer("narrow"), nil); fault.ReasonOf(err) != unavailable {
			t.Fatalf("a rule without its column: %v", err)
		}
		if got := n.records(t, "narrow"); len(got) != 1 || got[0].Allowed || got[0].Status != "Error" {
			t.Fatalf("recorded %+v", got)
		}
	})
}

// TestClasses: an internal RPC needs a caller and no decision, a public one neither,
// and neither can decide, also not with the decision of the call around it.
func TestClasses(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		cases := casesv1.NewCasesServiceClient(n.Conn)
		n.do["plain"] = fails(nil)
		n.do["decides"] = decide(allowed())
		n.do["writes"] = n.inTx(fails(nil))
		ask := func(ctx context.Context, id string) error {
			_, err := cases.DescribeCase(ctx, &casesv1.DescribeCaseRequest{CaseId: id})
			return err
		}
		as := n.As(t.Context(), officer("o"))
		if err := ask(as, "plain"); err != nil {
			t.Errorf("internal: %v", err)
		}
		if err := ask(t.Context(), "plain"); fault.ReasonOf(err) != faultv1.Reason_REASON_UNAUTHENTICATED {
			t.Errorf("internal without a caller: %v", err)
		}
		for _, id := range []string{"decides", "writes"} {
			if err := ask(as, id); fault.ReasonOf(err) != internal {
				t.Errorf("internal that %s: %v", id, err)
			}
			_, err := n.get(t.Context(), both(decide(allowed()), func(ctx context.Context) error { return ask(ctx, id) }))
			if fault.ReasonOf(err) != internal {
				t.Errorf("internal that %s, inside a call: %v", id, err)
			}
		}
		if _, err := gatewayv1.NewAccountServiceClient(n.Conn).CreateSession(t.Context(), &gatewayv1.CreateSessionRequest{Secret: "s"}); err != nil {
			t.Errorf("public: %v", err)
		}
		if n.deeds(t) != 0 {
			t.Error("a write without a record")
		}
	})
}

// TestCallerGone: who went away gets no answer, and what was decided is recorded all the same.
func TestCallerGone(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan struct{})
		caller, err := n.get(ctx, func(ctx context.Context) error {
			defer close(served)
			_, err := authz.Decide(ctx, "", allowed())
			cancel()
			<-ctx.Done()
			return err
		})
		if fault.ReasonOf(err) != faultv1.Reason_REASON_TIMEOUT {
			t.Errorf("answer: %v", err)
		}
		<-served
		for tries := 0; len(n.records(t, caller)) == 0; tries++ { // the server is still busy with it
			if _, err := n.get(t.Context(), decide(allowed())); err != nil || tries > 500 {
				t.Fatalf("not recorded; %v", err)
			}
		}
	})
}

// TestManyReads: reads that come in together share commits, and each has its own record by the time it is answered.
func TestManyReads(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		const reads = 200
		var decided, done sync.WaitGroup
		decided.Add(reads)
		for range reads {
			done.Go(func() {
				caller, err := n.get(t.Context(), func(ctx context.Context) error {
					_, err := authz.Decide(ctx, "", allowed())
					decided.Done()
					decided.Wait() // all of them finish together
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if got := n.records(t, caller); len(got) != 1 || !got[0].Allowed {
					t.Errorf("recorded %+v", got)
				}
			})
		}
		done.Wait()
		var commits int
		if err := n.DB.Admin().QueryRow(t.Context(), "select count(distinct xmin::text) from audit.decision").Scan(&commits); err != nil {
			t.Fatal(err)
		}
		if commits > reads/4 {
			t.Errorf("%d commits for %d reads", commits, reads)
		}
		t.Logf("%d reads in %d commits", reads, commits)
	})
}
