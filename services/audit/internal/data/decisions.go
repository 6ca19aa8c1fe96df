// Package data reads the decision log.
package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Decision is one row of the log.
type Decision struct {
	ID                 string
	TraceID            string
	SpanID             string
	EventName          string
	DecideTime         time.Time
	Service            string
	Action             string
	Allowed            bool
	Reasons            []string
	CallerKind         string
	CallerOrganisation string
	ResourceKind       string
	ResourceID         string
	PolicyRevision     string
	Evaluations        json.RawMessage
}

const columns = `id::text, trace_id, span_id, event_name, decide_time, service, action, allowed, reasons, caller_kind,
	caller_organisation, resource_kind, resource_id, policy_revision`

// Query selects decisions; empty fields select all.
type Query struct {
	ResourceID string
	TraceID    string
	Allowed    *bool
	Before     time.Time // with BeforeID, where the page before ended
	BeforeID   string
	Limit      int
	// Condition of the policy, over the columns of audit.decision, with its arguments from $7.
	Condition string
	Args      []any
}

// FirstArg is the number of the condition's first argument.
const FirstArg = 7

// List gives decisions, newest first.
func List(ctx context.Context, pool *pgxpool.Pool, q Query) ([]Decision, error) {
	args := append([]any{q.ResourceID, q.TraceID, q.Allowed, q.Before, q.BeforeID, q.Limit}, q.Args...)
	rows, err := pool.Query(ctx, fmt.Sprintf(`
		select %s, null::jsonb as evaluations
		from audit.decision as d
		where ($1 = '' or resource_id = $1)
		  and ($2 = '' or trace_id = $2)
		  and ($3::boolean is null or allowed = $3)
		  and (decide_time, id) < ($4, $5::uuid)
		  and (%s)
		order by decide_time desc, id desc
		limit $6`, columns, q.Condition), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Decision])
}

// Get gives one decision with its evaluations; ok is false when there is none.
func Get(ctx context.Context, pool *pgxpool.Pool, id string) (d Decision, ok bool, err error) {
	rows, err := pool.Query(ctx, fmt.Sprintf(`select %s, evaluations from audit.decision where id = $1`, columns), id)
	if err != nil {
		return Decision{}, false, err
	}
	d, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Decision])
	if errors.Is(err, pgx.ErrNoRows) {
		return Decision{}, false, nil
	}
	return d, err == nil, err
}
