package data

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
)

// Kinds of notice.
const (
	Opened = "opened"
	Closed = "closed"
)

// Notice to one organisation.
type Notice struct {
	MessageID    string
	Organisation string
	Kind         string
	Sequence     int64
}

// untold selects the organisations that were told of the opening of "c" last, and not of its end.
const untold = `select n.organisation from cases.notice_sent as n
	where n.case_id = c.id and n.kind = 'opened'
	  and not exists (select from cases.notice_sent as later
	                  where later.case_id = n.case_id and later.organisation = n.organisation and later.sequence > n.sequence)`

// ToldOpen are the organisations that have the end of sharing still to be told.
func ToldOpen(ctx context.Context, db DB, caseID string) ([]string, error) {
	rows, err := db.Query(ctx, `select x.organisation from cases.practice_case as c, lateral (`+untold+`) as x
		where c.id = $1 order by x.organisation`, caseID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// NextSequence orders the notices about a locked case.
func NextSequence(ctx context.Context, db DB, caseID string) (n int64, err error) {
	err = db.QueryRow(ctx, `select coalesce(max(sequence), 0) + 1 from cases.notice_sent where case_id = $1`, caseID).Scan(&n)
	return n, err
}

// Sent remembers a notice.
func Sent(ctx context.Context, db DB, c biz.Case, n Notice) error {
	_, err := db.Exec(ctx, `
		insert into cases.notice_sent (case_id, organisation, sequence, kind, message_id, create_time)
		values ($1, $2, $3, $4, $5, $6)`, c.ID, n.Organisation, n.Sequence, n.Kind, n.MessageID, c.UpdateTime)
	return err
}
