// Package data keeps grants and withdrawals.
package data

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Grant is one recorded yes.
type Grant struct {
	ID            string
	CaseID        string
	Revision      uint32
	Purpose       string
	Circle        string
	Manner        string
	RecordedBy    string
	RequestID     string
	CodeHash      []byte
	GivenTime     time.Time
	ValidFrom     time.Time
	ValidUntil    time.Time
	WithdrawnTime *time.Time
	Organisations []string
	Names         []string
}

const selectGrant = `
	select g.id::text, g.case_id::text, g.revision, g.purpose, g.circle, g.manner, g.recorded_by::text, g.request_id::text,
	       g.code_hash, g.given_time, g.valid_from, g.valid_until, g.withdrawn_time,
	       array(select organisation from consent.grant_organisation where grant_id = g.id order by organisation) as organisations,
	       array(select name from consent.grant_organisation where grant_id = g.id order by organisation) as names
	from consent.standing as g `

// Insert adds a yes. ok is false when the same request was recorded before.
func Insert(ctx context.Context, tx pgx.Tx, g Grant) (ok bool, err error) {
	tag, err := tx.Exec(ctx, `
		insert into consent.consent_grant (id, case_id, revision, purpose, circle, manner, recorded_by, request_id, code_hash,
		                                   given_time, valid_from, valid_until)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		on conflict (recorded_by, request_id) do nothing`,
		g.ID, g.CaseID, g.Revision, g.Purpose, g.Circle, g.Manner, g.RecordedBy, g.RequestID, g.CodeHash,
		g.GivenTime, g.ValidFrom, g.ValidUntil)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	_, err = tx.Exec(ctx, `insert into consent.grant_organisation (grant_id, organisation, name)
		select $1, * from unnest($2::text[], $3::text[])`, g.ID, g.Organisations, g.Names)
	return err == nil, err
}

// ByRequest finds the yes that a request recorded.
func ByRequest(ctx context.Context, tx pgx.Tx, recordedBy, requestID string) (Grant, error) {
	rows, err := tx.Query(ctx, selectGrant+"where g.recorded_by = $1 and g.request_id = $2", recordedBy, requestID)
	if err != nil {
		return Grant{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Grant])
}

// ByCase lists every yes to a case, newest first.
func ByCase(ctx context.Context, pool *pgxpool.Pool, caseID string) ([]Grant, error) {
	rows, err := pool.Query(ctx, selectGrant+"where g.case_id = $1 order by g.given_time desc, g.id desc limit 200", caseID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Grant])
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ByCode finds the yes of a receipt code; ok is false when there is none.
func ByCode(ctx context.Context, q querier, hash []byte) (g Grant, ok bool, err error) {
	rows, err := q.Query(ctx, selectGrant+"where g.code_hash = $1", hash)
	if err != nil {
		return Grant{}, false, err
	}
	g, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Grant])
	if errors.Is(err, pgx.ErrNoRows) {
		return Grant{}, false, nil
	}
	return g, err == nil, err
}

// Withdraw adds a withdrawal. The first one by a receipt stands; ok is false when there was one.
func Withdraw(ctx context.Context, tx pgx.Tx, id string, at time.Time) (ok bool, err error) {
	tag, err := tx.Exec(ctx, `insert into consent.withdrawal (grant_id, withdrawn_time) values ($1, $2)
		on conflict (grant_id) do nothing`, id, at)
	return err == nil && tag.RowsAffected() == 1, err
}

// Lock lets one yes or withdrawal of a case at a time through, until the transaction ends.
func Lock(ctx context.Context, tx pgx.Tx, caseID string) error {
	_, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('consent ' || $1, 0))`, caseID)
	return err
}

// Withdrawn takes the lock and tells whether somebody stopped the sharing of a case.
func Withdrawn(ctx context.Context, tx pgx.Tx, caseID string) (withdrawn bool, err error) {
	if err := Lock(ctx, tx, caseID); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, `select exists (select from consent.withdrawal as w
		join consent.consent_grant as g on g.id = w.grant_id where g.case_id = $1)`, caseID).Scan(&withdrawn)
	return withdrawn, err
}
