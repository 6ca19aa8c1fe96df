package federation

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// save writes the document unless a newer one is there, and gives the serial that is there afterwards. The insert and
// the comparison are one statement: of two processes the newer document stays, in whatever order they come.
func (m *Members) save(ctx context.Context, h *held) (int64, error) {
	tag, err := m.Pool.Exec(ctx, `insert into gateway.member_document as have (issuer, serial, issue_time, expire_time, document, fetch_time)
		values ($1, $2, $3, $4, $5, $6)
		on conflict (issuer) do update set serial = excluded.serial, issue_time = excluded.issue_time,
			expire_time = excluded.expire_time, document = excluded.document, fetch_time = excluded.fetch_time
		where (have.serial, have.issue_time) < (excluded.serial, excluded.issue_time)`,
		m.Issuer, h.doc.Serial, h.doc.IssueTime, h.doc.ExpireTime, h.compact, m.Now())
	if err != nil || tag.RowsAffected() == 1 {
		return h.doc.Serial, err
	}
	var serial int64
	err = m.Pool.QueryRow(ctx, `select serial from gateway.member_document where issuer = $1`, m.Issuer).Scan(&serial)
	return serial, err
}

// row is what the table has: a document that may be used, or when the one that is there expired.
type row struct {
	held    *held
	expired time.Time
}

// load reads the table. A document that has expired, or that none of the pinned keys signed, is not used; its row
// stays, and with it the serial that older documents are measured by.
func (m *Members) load(ctx context.Context) (row, error) {
	var compact string
	var expire time.Time
	err := m.Pool.QueryRow(ctx, `select document, expire_time from gateway.member_document where issuer = $1`, m.Issuer).Scan(&compact, &expire)
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, nil
	}
	if err != nil {
		return row{}, err
	}
	doc, err := members.Verify(compact, m.Issuer, m.Keys, m.Now())
	if err != nil {
		if !errors.Is(err, members.ErrExpired) {
			m.Logger.WarnContext(ctx, "federation: the kept member document is not used", "cause", telemetry.Safe(err))
			return row{}, nil
		}
		return row{expired: expire}, nil
	}
	return row{held: &held{doc: doc, compact: compact}}, nil
}
