package data

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
)

// Facts are a case with the yes that holds for it, read in one statement.
type Facts struct {
	biz.Case
	Invited       bool
	Noticed       bool
	GrantState    *string // nil without any grant
	GrantRevision *int32
	GrantPurpose  *string
	GrantCircle   *string
	GrantFrom     *time.Time
	GrantUntil    *time.Time
}

// FactsQuery names a case and for whom it is asked.
type FactsQuery struct {
	CaseID   string // or
	PublicID string
	Caller   string // whose invitation is meant
	// Organisation whose grant and notice are meant; empty means any.
	Organisation string
	// Circle whose grant is meant; empty means the case's own.
	Circle string
}

// GetFacts gives the facts; ok is false when there is no such case. The grant is
// that for the basis revision, else one for another revision: then its number
// tells that the text changed. Of several organisations, the best one's.
func GetFacts(ctx context.Context, db DB, q FactsQuery) (f Facts, ok bool, err error) {
	where, id := "c.id = $1", q.CaseID
	if id == "" {
		where, id = "c.public_id = $1", q.PublicID
	}
	rows, err := db.Query(ctx, fmt.Sprintf(`
		select %s,
		       exists (select from cases.invitation as i where i.case_id = c.id and i.colleague = $2) as invited,
		       exists (select from cases.notice_sent as n
		               where n.case_id = c.id and n.kind = 'opened' and ($3 = '' or n.organisation = $3)) as noticed,
		       g.state as grant_state, g.revision as grant_revision, g.purpose as grant_purpose, g.circle as grant_circle,
		       g.valid_from as grant_from, g.valid_until as grant_until
		from cases.practice_case as c
		left join lateral (
			select e.state, e.revision, e.purpose, e.circle, e.valid_from, e.valid_until
			from consent.effective_grant as e
			where e.case_id = c.id and e.purpose = '%s'
			  and e.circle = coalesce(nullif($4, ''), nullif(c.circle, ''), e.circle)
			  and ($3 = '' or e.organisation = $3)
			order by (e.revision = c.basis_revision) desc, (e.state = 'granted') desc, e.revision desc, e.valid_until desc,
			         e.organisation
			limit 1) as g on true
		where %s`, columns, biz.Purpose, where), id, q.Caller, q.Organisation, q.Circle)
	if err != nil {
		return Facts{}, false, err
	}
	f, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Facts])
	if errors.Is(err, pgx.ErrNoRows) {
		return Facts{}, false, nil
	}
	return f, err == nil, err
}

// Recipients are the members, other than ours, for which a yes to this revision and circle holds now.
func Recipients(ctx context.Context, db DB, c biz.Case, members []string, node string, now time.Time) ([]string, error) {
	rows, err := db.Query(ctx, `
		select distinct e.organisation
		from consent.effective_grant as e
		where e.case_id = $1 and e.revision = $2 and e.purpose = $3 and e.circle = $4 and e.state = 'granted'
		  and e.valid_from <= $5 and e.valid_until > $5 and e.organisation = any ($6) and e.organisation <> $7
		order by e.organisation`, c.ID, c.BasisRevision, biz.Purpose, c.Circle, now, members, node)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Grants are all parts of the yes for a case's circle, for whatever revision.
func Grants(ctx context.Context, db DB, c biz.Case) ([]biz.Grant, error) {
	rows, err := db.Query(ctx, `
		select e.state, e.valid_until
		from consent.effective_grant as e
		where e.case_id = $1 and e.purpose = $2 and e.circle = $3`, c.ID, biz.Purpose, c.Circle)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[biz.Grant])
}

// LockLapsed locks cases whose circle knows of them and whose yes is gone. One that is being changed waits for the next time.
func LockLapsed(ctx context.Context, db DB, now time.Time, limit int) ([]string, error) {
	rows, err := db.Query(ctx, `
		select c.id::text
		from cases.practice_case as c
		where c.status <> 'closed'
		  and (c.status in ('published', 'paused') or c.kept_status in ('published', 'paused') or exists (`+untold+`))
		  and exists (select from consent.effective_grant as e
		              where e.case_id = c.id and e.purpose = $1 and e.circle = c.circle)
		  and not exists (select from consent.effective_grant as e
		                  where e.case_id = c.id and e.purpose = $1 and e.circle = c.circle
		                    and e.state not in ('withdrawn', 'expired') and e.valid_until > $2)
		order by c.id
		limit $3
		for update of c skip locked`, biz.Purpose, now, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
