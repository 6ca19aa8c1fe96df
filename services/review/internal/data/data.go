// Package data keeps notices, dialogues, messages and drafts in Postgres. Words are
// sealed before they come here and opened after.
package data

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is a pool or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ListQuery asks for a page of what a condition lets through, from a place in the list on.
type ListQuery struct {
	Node     string
	Cursor   time.Time
	CursorID string
	Limit    int
	// Condition holds parameters from $FirstArg.
	Condition string
	Args      []any
}

// FirstArg is the number of a list condition's first parameter.
const FirstArg = 5

func (q ListQuery) args() []any {
	return append([]any{q.Node, q.Cursor, q.CursorID, q.Limit}, q.Args...)
}

// one collects a row that may not be there.
func one[T any](ctx context.Context, db DB, sql string, args ...any) (v T, ok bool, err error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return v, false, err
	}
	v, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}

// Take notes what came in; false when it had come before.
func Take(ctx context.Context, db DB, peer, messageID string, now time.Time) (bool, error) {
	tag, err := db.Exec(ctx, `insert into review.inbox (peer, message_id, receive_time) values ($1, $2, $3)
		on conflict (peer, message_id) do nothing`, peer, messageID, now)
	return err == nil && tag.RowsAffected() == 1, err
}

// Seen tells whether a message came in before.
func Seen(ctx context.Context, db DB, peer, messageID string) (seen bool, err error) {
	err = db.QueryRow(ctx, `select exists (select from review.inbox where peer = $1 and message_id = $2)`, peer, messageID).Scan(&seen)
	return seen, err
}
