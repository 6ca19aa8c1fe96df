package data

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/review/internal/biz"
)

const noticeColumns = `n.id::text as id, n.owner, n.case_public_id, n.circle, n.state, n.sequence, n.receive_time`

// GetNotice finds a notice.
func GetNotice(ctx context.Context, db DB, id string) (biz.Notice, bool, error) {
	return one[biz.Notice](ctx, db, `select `+noticeColumns+` from review.notice as n where n.id = $1`, id)
}

// LockNotice is GetNotice for as long as the transaction lasts, so that no closing comes in between.
func LockNotice(ctx context.Context, db DB, id string) (biz.Notice, bool, error) {
	return one[biz.Notice](ctx, db, `select `+noticeColumns+` from review.notice as n where n.id = $1 for update`, id)
}

// NoticeID finds the notice about an owner's case; empty when there is none.
func NoticeID(ctx context.Context, db DB, owner, casePublicID string) (id string, err error) {
	err = db.QueryRow(ctx, `select coalesce((select id::text from review.notice where owner = $1 and case_public_id = $2), '')`,
		owner, casePublicID).Scan(&id)
	return id, err
}

// ApplyNotice takes a notice in; false when a newer one was there.
func ApplyNotice(ctx context.Context, db DB, n biz.Notice) (bool, error) {
	tag, err := db.Exec(ctx, `
		insert into review.notice as kept (id, owner, case_public_id, circle, state, sequence, receive_time)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (owner, case_public_id) do update
		set circle = excluded.circle, state = excluded.state, sequence = excluded.sequence,
		    receive_time = case when excluded.state = 'open' then excluded.receive_time else kept.receive_time end
		where kept.sequence < excluded.sequence`,
		n.ID, n.Owner, n.CasePublicID, n.Circle, n.State, n.Sequence, n.ReceiveTime)
	return err == nil && tag.RowsAffected() == 1, err
}

// NoticeColumns are the facts that a list's condition may use.
func NoticeColumns() map[string]string {
	return map[string]string{
		"resource.node_org":  "$1::text",
		"resource.id":        "n.id::text",
		"resource.owner_org": "n.owner",
		"resource.circle":    "n.circle",
		"resource.state":     "n.state",
	}
}

// ListNotices gives a page, newest first.
func ListNotices(ctx context.Context, db DB, q ListQuery) ([]biz.Notice, error) {
	rows, err := db.Query(ctx, `
		select `+noticeColumns+`
		from review.notice as n
		where $1::text is not null and (n.receive_time, n.id) < ($2, $3::uuid) and (`+q.Condition+`)
		order by n.receive_time desc, n.id desc
		limit $4`, q.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[biz.Notice])
}
