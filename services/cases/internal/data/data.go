// Package data keeps cases in Postgres. It never decides anything, and it never
// stores, logs or returns in an error what someone wrote other than sealed.
package data

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
)

// DB is a pool or a transaction.
type DB interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

const columns = `c.id::text, c.public_id, c.unit, c.author, c.status, c.closed_reason, c.audience, c.circle, c.revision,
	c.basis_revision, c.rendered_revision, c.kept_basis, c.kept_status, c.second_reader, c.released_by, c.release_revision,
	c.risk, c.create_time, c.update_time, c.closed_time`

// Insert adds a case and tells whether it did: it does not when the author's request was there before.
func Insert(ctx context.Context, db DB, c biz.Case, requestID string) (bool, error) {
	tag, err := db.Exec(ctx, `
		insert into cases.practice_case (id, public_id, unit, author, request_id, status, audience, revision, basis_revision,
		                                 create_time, update_time)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		on conflict on constraint one_per_request do nothing`,
		c.ID, c.PublicID, c.Unit, c.Author, requestID, c.Status, c.Audience, c.Revision, c.BasisRevision, c.CreateTime)
	return tag.RowsAffected() == 1, err
}

// ByRequest gives the id of the case that this request of the author made, if any.
func ByRequest(ctx context.Context, db DB, author, requestID string) (id string, err error) {
	err = db.QueryRow(ctx, `select id::text from cases.practice_case where author = $1 and request_id = $2`, author, requestID).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// Lock holds a case until the transaction ends. It comes before the facts are read,
// so that they are those of after the wait.
func Lock(ctx context.Context, db DB, id string) error {
	_, err := db.Exec(ctx, `select from cases.practice_case where id = $1 for update`, id)
	return err
}

// Save writes the state of a locked case.
func Save(ctx context.Context, db DB, c biz.Case) error {
	tag, err := db.Exec(ctx, `
		update cases.practice_case
		set status = $2, closed_reason = $3, audience = $4, circle = $5, revision = $6, basis_revision = $7,
		    rendered_revision = $8, kept_basis = $9, kept_status = $10, second_reader = $11, released_by = $12,
		    release_revision = $13, risk = $14, update_time = $15, closed_time = $16
		where id = $1`,
		c.ID, c.Status, c.ClosedReason, c.Audience, c.Circle, c.Revision, c.BasisRevision, c.RenderedRevision, c.KeptBasis,
		c.KeptStatus, c.SecondReader, c.ReleasedBy, c.ReleaseRevision, c.Risk, c.UpdateTime, c.ClosedTime)
	if err == nil && tag.RowsAffected() != 1 {
		err = errors.New("the case is not there")
	}
	return err
}

// Invite lets a colleague read; asking someone as second reader after all is the same invitation.
func Invite(ctx context.Context, db DB, c biz.Case, colleague string, secondReader bool) error {
	_, err := db.Exec(ctx, `
		insert into cases.invitation (case_id, colleague, second_reader, create_time) values ($1, $2, $3, $4)
		on conflict (case_id, colleague) do update set second_reader = invitation.second_reader or excluded.second_reader`,
		c.ID, colleague, secondReader, c.UpdateTime)
	return err
}

// Words are the organisation's own lists for deid.
func Words(ctx context.Context, db DB) (allow, deny []string, err error) {
	err = db.QueryRow(ctx, `
		select coalesce((select array_agg(word order by word) from cases.allow_word), '{}'),
		       coalesce((select array_agg(word order by word) from cases.deny_word), '{}')`).Scan(&allow, &deny)
	return allow, deny, err
}

// ListQuery selects a page of cases, newest change first.
type ListQuery struct {
	Caller string // $1
	Node   string // $2
	Status string // $3, empty for all
	Cursor any    // $4, with CursorID $5
	// CursorID is where the page before ended.
	CursorID string
	Limit    int // $6
	// Condition of the policy over "c", with its arguments from FirstArg.
	Condition string
	Args      []any
}

// FirstArg is the number of the condition's first argument.
const FirstArg = 7

// Listed is a case with its sealed title, as the caller may read it.
type Listed struct {
	biz.Case
	Wrapped       []byte
	OriginalHead  []byte // for the author
	RenditionHead []byte // for anyone else
}

// List gives a page.
func List(ctx context.Context, db DB, q ListQuery) ([]Listed, error) {
	args := append([]any{q.Caller, q.Node, q.Status, q.Cursor, q.CursorID, q.Limit}, q.Args...)
	rows, err := db.Query(ctx, fmt.Sprintf(`
		select %s, k.wrapped, o.head as original_head, r.head as rendition_head
		from cases.practice_case as c
		left join cases.case_key as k on k.case_id = c.id
		left join cases.revision as o on o.case_id = c.id and o.revision = c.revision and c.author = $1
		left join cases.rendition as r on r.case_id = c.id and r.revision = c.revision and r.level = 'circle' and c.author <> $1
		where $2::text is not null and ($3 = '' or c.status = $3) and (c.update_time, c.id) < ($4::timestamptz, $5::uuid)
		  and (%s)
		order by c.update_time desc, c.id desc
		limit $6`, columns, q.Condition), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[Listed])
}

// ListColumns are the facts that a list's condition may use.
func ListColumns() map[string]string {
	return map[string]string{
		"resource.owner_org":        "$2::text",
		"resource.id":               "c.id::text",
		"resource.unit":             "c.unit",
		"resource.author":           "c.author",
		"resource.second_reader":    "c.second_reader",
		"resource.status":           "c.status",
		"resource.closed_reason":    "c.closed_reason",
		"resource.audience":         "c.audience",
		"resource.circle":           "c.circle",
		"resource.risk":             "c.risk",
		"resource.revision":         "c.revision",
		"resource.basis_revision":   "c.basis_revision",
		"resource.released_by":      "c.released_by",
		"resource.release_revision": "c.release_revision",
		"resource.invited":          "c.id = any (array (select i.case_id from cases.invitation as i where i.colleague = $1))",
	}
}
