package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
)

// about binds a ciphertext to its place, so that one moved elsewhere does not open.
func about(dialogueID, what string) []byte {
	return fmt.Appendf(nil, "dialogue %s %s", dialogueID, what)
}

func seal(key *keys.Key, w biz.Words, aad []byte) ([]byte, error) {
	plain, err := json.Marshal(w)
	if err != nil {
		return nil, errors.New("words cannot be sealed") // the cause could hold a part of them
	}
	return key.Seal(plain, aad)
}

func open(key *keys.Key, sealed, aad []byte) (w biz.Words, err error) {
	plain, err := key.Open(sealed, aad)
	if err != nil {
		return w, err
	}
	if json.Unmarshal(plain, &w) != nil {
		return w, errors.New("sealed words are not well formed")
	}
	return w, nil
}

// InsertMessage adds a turn; false when its id, number or request was there before.
func InsertMessage(ctx context.Context, db DB, key *keys.Key, dialogueID string, m biz.Message, requestID string) (bool, error) {
	sealed, err := seal(key, m.Words, about(dialogueID, "message "+m.ID))
	if err != nil {
		return false, err
	}
	tag, err := db.Exec(ctx, `
		insert into review.message (id, dialogue_id, from_side, kind, sequence, sealed, submit_time, delivery, request_id)
		values ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), nullif($9, '')::uuid)
		on conflict do nothing`,
		m.ID, dialogueID, m.FromSide, m.Kind, m.Sequence, sealed, m.SubmitTime, m.Delivery, requestID)
	return err == nil && tag.RowsAffected() == 1, err
}

// Submitted gives the message of a request that was carried out before; ok is false when there is none.
func Submitted(ctx context.Context, db DB, key *keys.Key, dialogueID, requestID string) (m biz.Message, ok bool, err error) {
	rows, err := db.Query(ctx, `select `+messageColumns+` from review.message as m where m.dialogue_id = $1 and m.request_id = $2`,
		dialogueID, requestID)
	if err != nil {
		return m, false, err
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[messageRow])
	if errors.Is(err, pgx.ErrNoRows) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	m, err = r.open(key)
	return m, err == nil, err
}

// NextSequence numbers a side's next turn in a locked dialogue.
func NextSequence(ctx context.Context, db DB, dialogueID, side string) (n int64, err error) {
	err = db.QueryRow(ctx, `select coalesce(max(sequence), 0) + 1 from review.message where dialogue_id = $1 and from_side = $2`,
		dialogueID, side).Scan(&n)
	return n, err
}

type messageRow struct {
	ID         string
	DialogueID string
	FromSide   string
	Kind       string
	Sequence   int64
	SubmitTime time.Time
	Delivery   string
	Sealed     []byte
}

const messageColumns = `m.id::text as id, m.dialogue_id::text as dialogue_id, m.from_side, m.kind, m.sequence, m.submit_time,
	coalesce(m.delivery, '') as delivery, m.sealed`

func (r messageRow) open(key *keys.Key) (biz.Message, error) {
	words, err := open(key, r.Sealed, about(r.DialogueID, "message "+r.ID))
	return biz.Message{
		ID: r.ID, FromSide: r.FromSide, Kind: r.Kind, Sequence: r.Sequence, SubmitTime: r.SubmitTime, Delivery: r.Delivery,
		Words: words,
	}, err
}

// Messages of a dialogue, in no order.
func Messages(ctx context.Context, db DB, key *keys.Key, dialogueID string) ([]biz.Message, error) {
	rows, err := db.Query(ctx, `select `+messageColumns+` from review.message as m where m.dialogue_id = $1`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (biz.Message, error) {
		r, err := pgx.RowToStructByName[messageRow](row)
		if err != nil {
			return biz.Message{}, err
		}
		return r.open(key)
	})
}

// Outgoing finds a message of ours and its dialogue.
func Outgoing(ctx context.Context, db DB, master *keys.Master, id string) (m biz.Message, d biz.Dialogue, ok bool, err error) {
	r, ok, err := one[messageRow](ctx, db, `select `+messageColumns+` from review.message as m
		where m.id = $1 and m.delivery is not null`, id)
	if err != nil || !ok {
		return m, d, false, err
	}
	if d, ok, err = GetDialogue(ctx, db, r.DialogueID); err != nil || !ok {
		return m, d, false, err
	}
	key, err := Key(ctx, db, master, d.ID)
	if err != nil {
		return m, d, false, err
	}
	m, err = r.open(key)
	return m, d, err == nil, err
}

// MarkDelivery records an outcome; the first one stands. ok is false when there is no such message of ours.
func MarkDelivery(ctx context.Context, db DB, id, delivery string) (ok bool, err error) {
	if _, err := db.Exec(ctx, `update review.message set delivery = $2 where id = $1 and delivery = 'waiting'`, id, delivery); err != nil {
		return false, err
	}
	err = db.QueryRow(ctx, `select exists (select from review.message where id = $1 and delivery is not null)`, id).Scan(&ok)
	return ok, err
}

// Draft of a next message.
type Draft struct {
	Writer     string
	Kind       string
	Text       string
	UpdateTime time.Time
}

// SaveDraft replaces the draft of a dialogue.
func SaveDraft(ctx context.Context, db DB, key *keys.Key, dialogueID string, d Draft) error {
	sealed, err := seal(key, biz.Words{Text: d.Text}, about(dialogueID, "draft"))
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `
		insert into review.draft (dialogue_id, writer, kind, sealed, update_time) values ($1, $2, $3, $4, $5)
		on conflict (dialogue_id) do update set kind = excluded.kind, sealed = excluded.sealed, update_time = excluded.update_time`,
		dialogueID, d.Writer, d.Kind, sealed, d.UpdateTime)
	return err
}

// GetDraft finds the writer's draft.
func GetDraft(ctx context.Context, db DB, key *keys.Key, dialogueID, writer string) (d Draft, ok bool, err error) {
	type row struct {
		Writer     string
		Kind       string
		Sealed     []byte
		UpdateTime time.Time
	}
	r, ok, err := one[row](ctx, db, `select writer, kind, sealed, update_time from review.draft
		where dialogue_id = $1 and writer = $2`, dialogueID, writer)
	if err != nil || !ok {
		return d, false, err
	}
	words, err := open(key, r.Sealed, about(dialogueID, "draft"))
	return Draft{Writer: r.Writer, Kind: r.Kind, Text: words.Text, UpdateTime: r.UpdateTime}, err == nil, err
}

// DeleteDraft removes the draft of a dialogue.
func DeleteDraft(ctx context.Context, db DB, dialogueID string) error {
	_, err := db.Exec(ctx, `delete from review.draft where dialogue_id = $1`, dialogueID)
	return err
}

// PurgeDrafts removes what closed dialogues have kept long enough.
func PurgeDrafts(ctx context.Context, db DB, now time.Time) error {
	_, err := db.Exec(ctx, `
		delete from review.draft as w using review.dialogue as d
		where d.id = w.dialogue_id and d.state = 'closed' and d.draft_until <= $1`, now)
	return err
}
