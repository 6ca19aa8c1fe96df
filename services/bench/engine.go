package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/policies"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// callers is how many write records at once, where commits are shared.
const callers = 64

// engine measures the two parts of a read that the floor does not have, in this process.
func engine(ctx context.Context, p plan, w *world, _ *shared, r *report) error {
	policy, err := authz.Load(ctx, policies.Bundle())
	if err != nil {
		return err
	}
	inputs, err := allowed()
	if err != nil {
		return err
	}
	own, elsewhere := inputs["case.read"][0], inputs["case.read-shared"][0]
	withdrawn := elsewhere
	withdrawn.Resource = authz.Resource{}
	for name, fact := range elsewhere.Resource {
		withdrawn.Resource[name] = fact
	}
	withdrawn.Resource["grant_state"] = "withdrawn"
	list := inputs["case.list"][0]
	list.Resource = authz.Resource{"kind": "case"}
	decide := func(in authz.Input) call {
		return func(ctx context.Context) error { _, _, _, err := policy.Evaluate(ctx, in); return err }
	}
	for _, c := range []struct {
		name string
		do   call
	}{
		{"decision: own case", decide(own)},
		{"decision: case elsewhere", decide(elsewhere)},
		{"decision: case elsewhere, withdrawn", decide(withdrawn)},
		{"filter of a list", func(ctx context.Context) error {
			_, err := policy.Filter(ctx, list, listColumns, 1)
			return err
		}},
	} {
		one, err := inProcess(ctx, p.calls, c.do)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		r.Rows = append(r.Rows, one.named(c.name))
	}
	_, input, result, err := policy.Evaluate(ctx, elsewhere)
	if err != nil {
		return err
	}
	return records(ctx, p, w, r, policy.Revision(), input, result)
}

// inProcess measures a call of this process, with what it allocates.
func inProcess(ctx context.Context, n int, c call) (row, error) {
	if _, err := measure(ctx, []call{c}, n/10); err != nil {
		return row{}, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s, err := measure(ctx, []call{c}, n)
	if err != nil {
		return row{}, err
	}
	runtime.ReadMemStats(&after)
	one := s.row(partAlone, "", 1)
	one.Allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	return one, nil
}

func (r row) named(name string) row { r.Name = name; return r }

// records measures the decision log, beside a commit of one small row on the same disk.
func records(ctx context.Context, p plan, w *world, r *report, revision string, input, result json.RawMessage) error {
	dsn, err := w.owner.role("cases")
	if err != nil {
		return err
	}
	pool, err := pgdb.Open(ctx, dsn, pgdb.Options{ApplicationName: "bench/records"})
	if err != nil {
		return err
	}
	defer pool.Close()
	recorder := authz.NewRecorder(pool)
	defer recorder.Close()
	record := func(ctx context.Context) error {
		rec, err := newRecord(revision, input, result)
		if err != nil {
			return err
		}
		return recorder.Append(ctx, rec)
	}
	bare, closeBare, err := bareCommit(ctx, w)
	if err != nil {
		return err
	}
	defer closeBare()
	for _, c := range []struct {
		name    string
		clients int
	}{{"record, its own commit", 1}, {"records that share commits", callers}} {
		product, floor := make([]call, c.clients), make([]call, c.clients)
		for i := range product {
			product[i], floor[i] = record, bare
		}
		q := p
		q.reads = max(p.calls, 4*p.rounds*c.clients)
		a, b, err := beside(ctx, q, product, floor)
		if err != nil {
			return err
		}
		r.pair(partAlone, c.name, "floor: one small row, own commit", c.clients, a, b)
	}
	return nil
}

// bareCommit writes one small row durably, with a pool as large as a service's.
func bareCommit(ctx context.Context, w *world) (call, func(), error) {
	pool, err := pgdb.Open(ctx, w.owner.database, pgdb.Options{ApplicationName: "bench/commit"})
	if err != nil {
		return nil, nil, err
	}
	if _, err := pool.Exec(ctx, "create schema bench; create table bench.small (id uuid primary key)", pgx.QueryExecModeSimpleProtocol); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return func(ctx context.Context) error {
		_, err := pool.Exec(ctx, "insert into bench.small (id) values ($1)", uuid.Must(uuid.NewV7()))
		return err
	}, pool.Close, nil
}

// newRecord is one as a read across nodes leaves it.
func newRecord(revision string, input, result json.RawMessage) (rec authz.Record, err error) {
	evaluations, err := json.Marshal(map[string]any{"evaluations": []any{map[string]any{"input": input, "result": result}}})
	if err != nil {
		return rec, err
	}
	if err := json.Unmarshal(evaluations, &rec); err != nil {
		return rec, err
	}
	id := uuid.Must(uuid.NewV7())
	rec.ID, rec.TraceID, rec.SpanID = id.String(), strings.ReplaceAll(id.String(), "-", ""), "0102030405060708"
	rec.EventName, rec.Status, rec.Time = "adl.access_evaluation", "Ok", time.Now().UTC().Format(authz.TimeFormat)
	rec.Service, rec.Operation, rec.Action = "cases", "/zijlicht.cases.v1.CasesService/ReadShared", "case.read-shared"
	rec.Allowed, rec.Reasons, rec.Policy = true, []string{}, revision
	rec.CallerKind, rec.CallerID, rec.CallerOrg = "peer", "bench", "https://reader.example"
	rec.ResourceKind, rec.ResourceID = "case", id.String()
	return rec, nil
}

// listColumns are those of a list of cases.
var listColumns = authz.Columns{
	"resource.owner_org": "$2::text", "resource.id": "c.id::text", "resource.unit": "c.unit", "resource.author": "c.author",
	"resource.second_reader": "c.second_reader", "resource.status": "c.status", "resource.closed_reason": "c.closed_reason",
	"resource.audience": "c.audience", "resource.circle": "c.circle", "resource.risk": "c.risk",
	"resource.invited": "exists (select from cases.invitation as i where i.case_id = c.id and i.colleague = $1)",
}

// allowed are the bundle's own examples, by action.
func allowed() (inputs map[string][]authz.Input, err error) {
	raw, err := fs.ReadFile(policies.Bundle(), "samples/allowed.json")
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&inputs); err != nil {
		return nil, err
	}
	for _, action := range []string{"case.read", "case.read-shared", "case.list"} {
		if len(inputs[action]) == 0 {
			return nil, errors.New("the bundle has no example of " + action)
		}
		for _, in := range inputs[action] {
			for name, fact := range in.Resource {
				if n, ok := fact.(json.Number); ok {
					if in.Resource[name], err = n.Int64(); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return inputs, nil
}
