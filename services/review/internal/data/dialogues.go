package data

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
)

const dialogueColumns = `d.id::text as id, d.side, d.peer, d.case_public_id, coalesce(d.notice_id::text, '') as notice_id,
	coalesce(d.writer, '') as writer, coalesce(d.request_id::text, '') as request_id, coalesce(d.case_id::text, '') as case_id,
	coalesce(d.case_author, '') as case_author, coalesce(d.writer_pairwise, '') as writer_pairwise,
	d.state, d.create_time, d.closed_time, d.draft_until`

// GetDialogue finds a dialogue.
func GetDialogue(ctx context.Context, db DB, id string) (biz.Dialogue, bool, error) {
	return one[biz.Dialogue](ctx, db, `select `+dialogueColumns+` from review.dialogue as d where d.id = $1`, id)
}

// LockDialogue is GetDialogue for as long as the transaction lasts.
func LockDialogue(ctx context.Context, db DB, id string) (biz.Dialogue, bool, error) {
	return one[biz.Dialogue](ctx, db, `select `+dialogueColumns+` from review.dialogue as d where d.id = $1 for update`, id)
}

// DialogueOf finds the writer's dialogue about a notice.
func DialogueOf(ctx context.Context, db DB, writer, noticeID string) (biz.Dialogue, bool, error) {
	return one[biz.Dialogue](ctx, db,
		`select `+dialogueColumns+` from review.dialogue as d where d.writer = $1 and d.notice_id = $2`, writer, noticeID)
}

// InsertDialogue adds a dialogue with a key of its own; false when its id, its
// request or its writer's dialogue about the notice was there before.
func InsertDialogue(ctx context.Context, db DB, master *keys.Master, d biz.Dialogue) (bool, error) {
	tag, err := db.Exec(ctx, `
		insert into review.dialogue (id, side, peer, case_public_id, notice_id, writer, request_id, case_id, case_author,
		                             writer_pairwise, state, create_time)
		values ($1, $2, $3, $4, nullif($5, '')::uuid, nullif($6, ''), nullif($7, '')::uuid, nullif($8, '')::uuid,
		        nullif($9, ''), nullif($10, ''), $11, $12)
		on conflict do nothing`,
		d.ID, d.Side, d.Peer, d.CasePublicID, d.NoticeID, d.Writer, d.RequestID, d.CaseID, d.CaseAuthor, d.WriterPairwise,
		d.State, d.CreateTime)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	wrapped, _, err := master.NewKey()
	if err != nil {
		return false, err
	}
	_, err = db.Exec(ctx, `insert into review.dialogue_key (dialogue_id, wrapped) values ($1, $2)`, d.ID, wrapped)
	return err == nil, err
}

// Key of a dialogue.
func Key(ctx context.Context, db DB, master *keys.Master, dialogueID string) (*keys.Key, error) {
	var wrapped []byte
	if err := db.QueryRow(ctx, `select wrapped from review.dialogue_key where dialogue_id = $1`, dialogueID).Scan(&wrapped); err != nil {
		return nil, err
	}
	return master.Unwrap(wrapped)
}

// SaveState keeps whether a dialogue is open.
func SaveState(ctx context.Context, db DB, d biz.Dialogue) error {
	_, err := db.Exec(ctx, `update review.dialogue set state = $2, closed_time = $3, draft_until = $4 where id = $1 and state <> $2`,
		d.ID, d.State, d.ClosedTime, d.DraftUntil)
	return err
}

// Follow brings the dialogues about another organisation's case to what its newest notice says.
func Follow(ctx context.Context, db DB, n biz.Notice, now time.Time) error {
	rows, err := db.Query(ctx, `
		select `+dialogueColumns+`
		from review.dialogue as d
		where d.side = 'reader' and d.peer = $1 and d.case_public_id = $2
		order by d.id
		for update`, n.Owner, n.CasePublicID)
	if err != nil {
		return err
	}
	dialogues, err := pgx.CollectRows(rows, pgx.RowToStructByName[biz.Dialogue])
	if err != nil {
		return err
	}
	for _, d := range dialogues {
		if !d.Follow(n.State == biz.Open, now) {
			continue
		}
		if err := SaveState(ctx, db, d); err != nil {
			return err
		}
	}
	return nil
}

// DialogueColumns are the facts that a list's condition may use. A time is a text
// of fixed width, as in a decision.
func DialogueColumns() map[string]string {
	return map[string]string{
		"resource.node_org":    "$1::text",
		"resource.id":          "d.id::text",
		"resource.side":        "d.side",
		"resource.peer":        "d.peer",
		"resource.writer":      "d.writer",
		"resource.case_author": "d.case_author",
		"resource.state":       "d.state",
		"resource.draft_until": `to_char(d.draft_until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`,
	}
}

// ListDialogues gives a page, newest first.
func ListDialogues(ctx context.Context, db DB, q ListQuery) ([]biz.Dialogue, error) {
	rows, err := db.Query(ctx, `
		select `+dialogueColumns+`
		from review.dialogue as d
		where $1::text is not null and (d.create_time, d.id) < ($2, $3::uuid) and (`+q.Condition+`)
		order by d.create_time desc, d.id desc
		limit $4`, q.args()...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[biz.Dialogue])
}
