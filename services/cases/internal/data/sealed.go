package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/platform/keys"
)

// ErrErased says that the key of a case was destroyed.
var ErrErased = errors.New("the case was erased")

// NewKey makes and stores the key of a new case.
func NewKey(ctx context.Context, db DB, master *keys.Master, caseID string) (*keys.Key, error) {
	wrapped, key, err := master.NewKey()
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(ctx, `insert into cases.case_key (case_id, wrapped) values ($1, $2)`, caseID, wrapped)
	return key, err
}

// Key of a case; ErrErased when it is gone.
func Key(ctx context.Context, db DB, master *keys.Master, caseID string) (*keys.Key, error) {
	var wrapped []byte
	err := db.QueryRow(ctx, `select wrapped from cases.case_key where case_id = $1`, caseID).Scan(&wrapped)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrErased
	}
	if err != nil {
		return nil, err
	}
	return master.Unwrap(wrapped)
}

// Erase destroys the key of a case: whatever was sealed under it stays closed for ever, copies included.
func Erase(ctx context.Context, db DB, caseID string) error {
	_, err := db.Exec(ctx, `delete from cases.case_key where case_id = $1`, caseID)
	return err
}

type head struct {
	Title string `json:"title"`
	Theme string `json:"theme"`
}

type body struct {
	WhatHappened string    `json:"what_happened"`
	Question     string    `json:"question"`
	Risk         *biz.Risk `json:"risk,omitempty"`
}

// about binds a ciphertext to its place, so that one moved elsewhere does not open.
func about(caseID string, revision int32, part string) []byte {
	return fmt.Appendf(nil, "case %s revision %d %s", caseID, revision, part)
}

func seal(key *keys.Key, v any, aad []byte) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("a text cannot be sealed") // the cause could hold a part of it
	}
	return key.Seal(plain, aad)
}

func open[T any](key *keys.Key, sealed, aad []byte) (v T, err error) {
	plain, err := key.Open(sealed, aad)
	if err != nil {
		return v, err
	}
	if json.Unmarshal(plain, &v) != nil {
		return v, errors.New("a sealed text is not well formed")
	}
	return v, nil
}

func sealText(key *keys.Key, caseID string, revision int32, sort string, t biz.Text, r *biz.Risk) (h, b []byte, err error) {
	if h, err = seal(key, head{t.Title, t.Theme}, about(caseID, revision, sort+" head")); err != nil {
		return nil, nil, err
	}
	b, err = seal(key, body{t.WhatHappened, t.Question, r}, about(caseID, revision, sort+" body"))
	return h, b, err
}

func openText(key *keys.Key, caseID string, revision int32, sort string, sealedHead, sealedBody []byte) (biz.Text, biz.Risk, error) {
	h, err := open[head](key, sealedHead, about(caseID, revision, sort+" head"))
	if err != nil {
		return biz.Text{}, biz.Risk{}, err
	}
	b, err := open[body](key, sealedBody, about(caseID, revision, sort+" body"))
	if err != nil {
		return biz.Text{}, biz.Risk{}, err
	}
	t := biz.Text{WhatHappened: b.WhatHappened, Question: b.Question, Title: h.Title, Theme: h.Theme}
	if b.Risk == nil {
		return t, biz.Risk{}, nil
	}
	return t, *b.Risk, nil
}

const (
	original  = "original"
	rendition = "rendition " + biz.Level
)

// AddRevision stores what the author wrote as the case's current revision.
func AddRevision(ctx context.Context, db DB, key *keys.Key, c biz.Case, t biz.Text) error {
	h, b, err := sealText(key, c.ID, c.Revision, original, t, nil)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `insert into cases.revision (case_id, revision, head, body, create_time) values ($1, $2, $3, $4, $5)`,
		c.ID, c.Revision, h, b, c.UpdateTime)
	return err
}

// Original is what the author wrote, in the current revision.
func Original(ctx context.Context, db DB, key *keys.Key, c biz.Case) (biz.Text, error) {
	var h, b []byte
	if err := db.QueryRow(ctx, `select head, body from cases.revision where case_id = $1 and revision = $2`,
		c.ID, c.Revision).Scan(&h, &b); err != nil {
		return biz.Text{}, err
	}
	t, _, err := openText(key, c.ID, c.Revision, original, h, b)
	return t, err
}

// AddRendition stores what others read of the current revision.
func AddRendition(ctx context.Context, db DB, key *keys.Key, c biz.Case, t biz.Text, r biz.Risk) error {
	h, b, err := sealText(key, c.ID, c.Revision, rendition, t, &r)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `
		insert into cases.rendition (case_id, revision, level, basis_revision, risk, head, body, create_time)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`, c.ID, c.Revision, biz.Level, c.BasisRevision, r.Level, h, b, c.UpdateTime)
	return err
}

// Rendition is what others read of a revision.
func Rendition(ctx context.Context, db DB, key *keys.Key, caseID string, revision int32) (biz.Text, error) {
	var h, b []byte
	if err := db.QueryRow(ctx, `select head, body from cases.rendition where case_id = $1 and revision = $2 and level = $3`,
		caseID, revision, biz.Level).Scan(&h, &b); err != nil {
		return biz.Text{}, err
	}
	t, _, err := openText(key, caseID, revision, rendition, h, b)
	return t, err
}

// Texts of one revision, as far as they are there and asked for.
type Texts struct {
	Original  biz.Text
	Proposals []biz.Proposal
	Rendered  bool
	Rendition biz.Text
	Risk      biz.Risk
}

// Read opens the texts of a case's revision in one statement: the rendition of a
// level, and with original what the author wrote and chose. ErrErased when the key is gone.
func Read(ctx context.Context, db DB, master *keys.Master, c biz.Case, level string, withOriginal bool) (t Texts, err error) {
	var wrapped, rh, rb, oh, ob, p []byte
	err = db.QueryRow(ctx, `
		select k.wrapped, r.head, r.body, o.head, o.body, p.sealed
		from cases.case_key as k
		left join cases.rendition as r on r.case_id = k.case_id and r.revision = $2 and r.level = $3
		left join cases.revision as o on o.case_id = k.case_id and o.revision = $2 and $4
		left join cases.proposals as p on p.case_id = k.case_id and p.revision = $2 and $4
		where k.case_id = $1`, c.ID, c.Revision, level, withOriginal).Scan(&wrapped, &rh, &rb, &oh, &ob, &p)
	if errors.Is(err, pgx.ErrNoRows) {
		return Texts{}, ErrErased
	}
	if err != nil {
		return Texts{}, err
	}
	key, err := master.Unwrap(wrapped)
	if err != nil {
		return Texts{}, err
	}
	if rh != nil {
		t.Rendered = true
		if t.Rendition, t.Risk, err = openText(key, c.ID, c.Revision, "rendition "+level, rh, rb); err != nil {
			return Texts{}, err
		}
	}
	if oh != nil {
		if t.Original, _, err = openText(key, c.ID, c.Revision, original, oh, ob); err != nil {
			return Texts{}, err
		}
	}
	if p != nil {
		t.Proposals, err = open[[]biz.Proposal](key, p, about(c.ID, c.Revision, "proposals"))
	}
	return t, err
}

// SaveProposals stores findings and choices for the current revision.
func SaveProposals(ctx context.Context, db DB, key *keys.Key, c biz.Case, proposals []biz.Proposal) error {
	sealed, err := seal(key, proposals, about(c.ID, c.Revision, "proposals"))
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, `insert into cases.proposals (case_id, revision, sealed) values ($1, $2, $3)
		on conflict (case_id, revision) do update set sealed = excluded.sealed`, c.ID, c.Revision, sealed)
	return err
}

// Proposals are the latest findings up to the current revision, and for which revision they were made; 0 without any.
func Proposals(ctx context.Context, db DB, key *keys.Key, c biz.Case) (proposals []biz.Proposal, revision int32, err error) {
	var sealed []byte
	err = db.QueryRow(ctx, `select revision, sealed from cases.proposals where case_id = $1 and revision <= $2
		order by revision desc limit 1`, c.ID, c.Revision).Scan(&revision, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	proposals, err = open[[]biz.Proposal](key, sealed, about(c.ID, revision, "proposals"))
	return proposals, revision, err
}

// Title opens the title and theme of a listed case, as its caller may read them; empty when there is nothing to read.
func Title(master *keys.Master, l Listed) (title, theme string, err error) {
	sealed, sort := l.OriginalHead, original
	if len(sealed) == 0 {
		sealed, sort = l.RenditionHead, rendition
	}
	if len(sealed) == 0 || len(l.Wrapped) == 0 {
		return "", "", nil
	}
	key, err := master.Unwrap(l.Wrapped)
	if err != nil {
		return "", "", err
	}
	h, err := open[head](key, sealed, about(l.ID, l.Revision, sort+" head"))
	return h.Title, h.Theme, err
}
