package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/zijlicht/zijlicht/policies"
	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/audit"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

type suite struct {
	*servetest.Harness
	Audit auditv1.AuditServiceClient
}

func newSuite(t *testing.T, connect servetest.Connect) suite {
	t.Helper()
	db := pgtest.New(t, audit.Schema())
	s := suite{Harness: servetest.New(t, db, policies.Bundle(), "audit", connect, func(r grpc.ServiceRegistrar, _ grpc.ClientConnInterface) {
		audit.Register(r, db.Pool("audit"), servetest.Node)
	})}
	s.Audit = auditv1.NewAuditServiceClient(s.Conn)
	return s
}

func officer() *identityv1.Caller {
	return servetest.Person(uuid.NewString(), "", "privacy-officer")
}

func (s suite) officer(t *testing.T) context.Context { return s.As(t.Context(), officer()) }

// entry is a record as a service hands it over.
type entry map[string]any

func newEntry(at time.Time) entry {
	return entry{
		"id": uuid.Must(uuid.NewV7()).String(), "trace_id": strings.Repeat("a", 32), "span_id": strings.Repeat("b", 16),
		"event_name": "adl.access_evaluation", "decide_time": at.Format(time.RFC3339Nano), "status": "Ok", "service": "cases",
		"operation": "/zijlicht.cases.v1.CasesService/GetCase", "action": "case.read", "allowed": true, "reasons": []string{},
		"caller_kind": "person", "caller_id": "someone", "caller_organisation": servetest.Node, "resource_kind": "case",
		"resource_id": "case-1", "policy_revision": "r1",
		"evaluations": []any{map[string]any{"input": map[string]any{"action": "case.read"}, "result": map[string]any{"allow": true}}},
	}
}

func (e entry) with(name string, v any) entry { e[name] = v; return e }

// add appends with the role of a service, which must exist in the database.
func add(t *testing.T, db *pgtest.DB, entries ...entry) error {
	t.Helper()
	b, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Pool("audit").Exec(t.Context(), "select audit.append($1::jsonb)", b)
	return err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s suite) listed(t *testing.T, req *auditv1.ListDecisionsRequest) []*auditv1.Decision {
	t.Helper()
	res, err := s.Audit.ListDecisions(s.officer(t), req)
	must(t, err)
	return res.GetDecisions()
}

func TestList(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		now := s.Clock.Now()
		must(t, add(t, s.DB,
			newEntry(now.Add(-3*time.Hour)).with("resource_id", "x"),
			newEntry(now.Add(-2*time.Hour)).with("resource_id", "x").with("allowed", false).with("reasons", []string{"consent.withdrawn"}),
			newEntry(now.Add(-time.Hour)).with("resource_id", "y").with("trace_id", strings.Repeat("c", 32)),
		))
		for _, c := range []struct {
			req  *auditv1.ListDecisionsRequest
			want int
		}{
			{&auditv1.ListDecisionsRequest{ResourceId: "x"}, 2},
			{&auditv1.ListDecisionsRequest{ResourceId: "x", Outcome: "refused"}, 1},
			{&auditv1.ListDecisionsRequest{ResourceId: "x", Outcome: "allowed"}, 1},
			{&auditv1.ListDecisionsRequest{TraceId: strings.Repeat("c", 32)}, 1},
			{&auditv1.ListDecisionsRequest{ResourceId: "z"}, 0},
			{&auditv1.ListDecisionsRequest{ResourceId: "y", Outcome: "refused"}, 0},
		} {
			if got := s.listed(t, c.req); len(got) != c.want {
				t.Errorf("%v: %d decisions, want %d", c.req, len(got), c.want)
			}
		}
		one := s.listed(t, &auditv1.ListDecisionsRequest{Outcome: "refused", ResourceId: "x"})[0]
		if !slices.Equal(one.GetReasons(), []string{"consent.withdrawn"}) || one.GetAllowed() || len(one.GetEvaluations()) != 0 {
			t.Fatalf("listed: %v", one)
		}
		full, err := s.Audit.GetDecision(s.officer(t), &auditv1.GetDecisionRequest{DecisionId: one.GetId()})
		must(t, err)
		if len(full.GetEvaluations()) != 1 || full.GetEvaluations()[0].GetInput().AsMap()["action"] != "case.read" ||
			full.GetEvaluations()[0].GetResult().AsMap()["allow"] != true {
			t.Fatalf("read: %v", full)
		}

		// The officer's own reading is in the log, with what a list gave.
		own := s.listed(t, &auditv1.ListDecisionsRequest{PageSize: 100})
		at := slices.IndexFunc(own, func(d *auditv1.Decision) bool { return d.GetAction() == "decision.list" })
		if at < 0 {
			t.Fatal("reading the log is not in the log")
		}
		list, err := s.Audit.GetDecision(s.officer(t), &auditv1.GetDecisionRequest{DecisionId: own[at].GetId()})
		must(t, err)
		if r := list.GetEvaluations()[0].GetResult().AsMap(); r["filter_hash"] == nil {
			t.Fatalf("a list in the log: %v", r)
		}

		for _, bad := range []*auditv1.ListDecisionsRequest{{PageSize: 101}, {PageSize: -1}, {Outcome: "maybe"}, {PageToken: "x"}, {PageToken: strings.Repeat("A", 201)}} {
			if _, err := s.Audit.ListDecisions(s.officer(t), bad); fault.ReasonOf(err) != faultv1.Reason_REASON_INVALID_ARGUMENT {
				t.Errorf("%v: %v", bad, err)
			}
		}
	})
}

func TestOnlyThePrivacyOfficer(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		e := newEntry(s.Clock.Now())
		must(t, add(t, s.DB, e))
		id, _ := e["id"].(string)
		foreign := servetest.PeerReader("x", "privacy-officer")
		for _, who := range []*identityv1.Caller{
			servetest.Person(uuid.NewString(), "team-oost", "professional", "reviewer"), foreign, servetest.Worker("w"), servetest.Receipt(),
		} {
			ctx := s.As(t.Context(), who)
			if _, err := s.Audit.GetDecision(ctx, &auditv1.GetDecisionRequest{DecisionId: id}); fault.ReasonOf(err) != faultv1.Reason_REASON_NOT_FOUND {
				t.Errorf("%v reads: %v", who.GetKind(), err)
			}
			if res, err := s.Audit.ListDecisions(ctx, &auditv1.ListDecisionsRequest{}); err == nil {
				t.Errorf("%v lists: %v", who.GetKind(), res)
			}
		}
		if _, err := s.Audit.GetDecision(s.officer(t), &auditv1.GetDecisionRequest{DecisionId: uuid.NewString()}); fault.ReasonOf(err) != faultv1.Reason_REASON_NOT_FOUND {
			t.Errorf("what is not there: %v", err)
		}
		for _, l := range s.Log(t)[1:] {
			if l.Allowed {
				t.Errorf("recorded as allowed: %+v", l)
			}
		}
	})
}

// TestPaging: rows that come in meanwhile shift nothing and none is seen twice.
func TestPaging(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		start := s.Clock.Now().Add(-24 * time.Hour)
		before := map[string]bool{}
		for i := range 40 {
			e := newEntry(start.Add(time.Duration(i/4) * time.Second)) // some at the same time
			must(t, add(t, s.DB, e))
			before[e["id"].(string)] = true //nolint:forcetypeassert // made above
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := add(t, s.DB, newEntry(start.Add(time.Duration(i%20)*time.Second))); err != nil {
					t.Error(err)
					return
				}
			}
		})
		seen := map[string]bool{}
		req := &auditv1.ListDecisionsRequest{PageSize: 7, ResourceId: "case-1"}
		for {
			res, err := s.Audit.ListDecisions(s.officer(t), req)
			must(t, err)
			for _, d := range res.GetDecisions() {
				if seen[d.GetId()] {
					t.Fatal("seen twice")
				}
				seen[d.GetId()] = true
			}
			if req.PageToken = res.GetNextPageToken(); req.PageToken == "" || len(seen) > 5000 {
				break
			}
			if allIn(before, seen) {
				break // the writer may be faster than the reader
			}
		}
		close(stop)
		writer.Wait()
		if !allIn(before, seen) {
			t.Fatal("one that was there before was passed over")
		}
	})
}

func allIn(some, all map[string]bool) bool {
	for id := range some {
		if !all[id] {
			return false
		}
	}
	return true
}

// TestAppend: the same record twice changes nothing, one that is no record is
// refused with all that came with it, and who wrote is not for the writer to say.
func TestAppend(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, audit.Schema())
	count := func(table string) (n int) {
		t.Helper()
		must(t, db.Admin().QueryRow(t.Context(), "select count(*) from audit."+table).Scan(&n))
		return n
	}
	e := newEntry(time.Unix(0, 0).UTC()).with("recorded_by", "someone else").with("record_time", "2000-01-01T00:00:00Z")
	must(t, add(t, db, e))
	must(t, add(t, db, e, e))
	if count("decision") != 1 || count("pending") != 1 {
		t.Fatalf("%d decisions, %d pending", count("decision"), count("pending"))
	}
	var by string
	var fresh bool
	must(t, db.Admin().QueryRow(t.Context(), "select recorded_by, record_time > '2001-01-01' from audit.decision").Scan(&by, &fresh))
	if by != "zl_test_audit" || !fresh {
		t.Fatalf("recorded by %q, now: %v", by, fresh)
	}
	for name, bad := range map[string]any{
		"id": "x", "trace_id": "A", "span_id": "", "status": "Fine", "decide_time": "soon", "allowed": nil, "reasons": nil,
		"evaluations": nil, "caller_kind": nil, "policy_revision": nil,
	} {
		if err := add(t, db, newEntry(time.Unix(1, 0)), newEntry(time.Unix(1, 0)).with(name, bad)); err == nil {
			t.Errorf("kept with %s %v", name, bad)
		}
	}
	if count("decision") != 1 {
		t.Fatal("half a batch was kept")
	}
}

// TestRights: a service can add records and do nothing else there.
func TestRights(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, audit.Schema())
	must(t, add(t, db, newEntry(time.Unix(0, 0))))
	for _, role := range []string{"audit", "cases", "consent", "review", "gateway"} {
		may := map[string]bool{"append(records jsonb)": true, "append_security(events jsonb)": true}
		rows, err := db.Admin().Query(t.Context(), `
			select p.proname || '(' || pg_get_function_arguments(p.oid) || ')'
			from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
			where n.nspname = 'audit' and has_function_privilege($1, p.oid, 'execute')`, "zl_test_"+role)
		must(t, err)
		for rows.Next() {
			var name string
			must(t, rows.Scan(&name))
			if !may[name] {
				t.Errorf("%s may execute %s", role, name)
			}
			delete(may, name)
		}
		must(t, rows.Err())
		if len(may) != 0 {
			t.Errorf("%s may not execute %v", role, may)
		}
		for _, table := range []string{"decision", "pending", "security_event"} {
			for _, right := range []string{"select", "insert", "update", "delete", "truncate", "references", "trigger"} {
				var has bool
				must(t, db.Admin().QueryRow(t.Context(), "select has_table_privilege($1, $2, $3)",
					"zl_test_"+role, "audit."+table, right).Scan(&has))
				if reads := role == "audit" && right == "select" && table != "pending"; has != reads {
					t.Errorf("%s may %s %s: %v", role, right, table, has)
				}
			}
		}
		var creates bool
		must(t, db.Admin().QueryRow(t.Context(), "select has_schema_privilege($1, 'audit', 'create')", "zl_test_"+role).Scan(&creates))
		if creates {
			t.Errorf("%s may create in audit", role)
		}
	}
	for _, sql := range []string{
		"update audit.decision set allowed = true", "delete from audit.decision", "truncate audit.decision",
		"insert into audit.decision select * from audit.decision", "delete from audit.pending", "drop function audit.append(jsonb)",
		"set role postgres", "create or replace function audit.append(records jsonb) returns void language sql as ''",
	} {
		if _, err := db.Pool("audit").Exec(t.Context(), sql); err == nil {
			t.Errorf("the role may: %s", sql)
		}
	}
}

// TestSecurityEvents: what never reached a decision is noted, without its content.
func TestSecurityEvents(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		const canary = "Fatima"
		_, err := s.Audit.ListDecisions(t.Context(), &auditv1.ListDecisionsRequest{ResourceId: canary})
		if fault.ReasonOf(err) != faultv1.Reason_REASON_UNAUTHENTICATED {
			t.Fatal(err)
		}
		_, err = s.Audit.ListDecisions(s.officer(t), &auditv1.ListDecisionsRequest{Outcome: canary})
		if fault.ReasonOf(err) != faultv1.Reason_REASON_INVALID_ARGUMENT {
			t.Fatal(err)
		}
		s.Recorder.Close()
		var got []string
		rows, err := s.DB.Pool("audit").Query(t.Context(), "select to_jsonb(e)::text from audit.security_event as e order by id")
		must(t, err)
		for rows.Next() {
			var row string
			must(t, rows.Scan(&row))
			got = append(got, row)
		}
		must(t, rows.Err())
		all := fmt.Sprint(got)
		if len(got) != 2 || !strings.Contains(got[0], "no caller") || !strings.Contains(got[1], "invalid-argument") || strings.Contains(all, canary) {
			t.Fatalf("security log: %s", all)
		}
		if strings.Contains(all, strings.Repeat("0", 32)) || !strings.Contains(all, "ListDecisions") || !strings.Contains(all, "zl_test_audit") {
			t.Fatalf("security log: %s", all)
		}
		if len(s.Log(t)) != 0 {
			t.Fatal("a decision about what was never decided")
		}
	})
}
