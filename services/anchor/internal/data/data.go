// Package data reads and writes the tables of the register. It never decides: the rules are biz's, and every
// change is a transaction that the caller opens with Begin's lock.
package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/anchor/internal/biz"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("anchor: not found")

// Entry is one row of the change log.
type Entry struct {
	Serial  int64           `json:"serial"`
	Time    time.Time       `json:"time"`
	Actor   string          `json:"actor"`
	Action  string          `json:"action"`
	Subject string          `json:"subject"`
	Details json.RawMessage `json:"details"`
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Lock takes the serial for a change: changes come one after the other.
func Lock(ctx context.Context, tx pgx.Tx) (int64, error) {
	var serial int64
	err := tx.QueryRow(ctx, `select value from anchor.serial for update`).Scan(&serial)
	return serial, err
}

// Serial is the current one.
func Serial(ctx context.Context, db querier) (int64, error) {
	var serial int64
	err := db.QueryRow(ctx, `select value from anchor.serial`).Scan(&serial)
	return serial, err
}

// Record raises the serial and writes the change log's row.
func Record(ctx context.Context, tx pgx.Tx, e Entry) error {
	if _, err := tx.Exec(ctx, `update anchor.serial set value = $1`, e.Serial); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `insert into anchor.change (serial, time, actor, action, subject, details) values ($1, $2, $3, $4, $5, $6)`,
		e.Serial, e.Time, e.Actor, e.Action, e.Subject, e.Details)
	return err
}

// Changes gives the newest rows of the change log, newest first.
func Changes(ctx context.Context, db querier, limit int) ([]Entry, error) {
	rows, _ := db.Query(ctx, `select serial, time, actor, action, subject, details from anchor.change order by serial desc limit $1`, limit)
	return pgx.CollectRows(rows, pgx.RowToStructByName[Entry])
}

const selectOrganisation = `select id, name, kind, state, token_endpoint, federation_base,
	array(select mark from anchor.trust_mark where organisation = o.id order by mark) as marks,
	coalesce((select jsonb_agg(jsonb_build_object('Thumbprint', thumbprint, 'KID', kid, 'JWK', jwk) order by kid)
		from anchor.organisation_key where organisation = o.id), '[]') as keys
	from anchor.organisation o `

const selectCircle = `select id, name, state, valid_until,
	array(select organisation from anchor.circle_member where circle = c.id order by organisation) as members
	from anchor.circle c `

func scanOrganisation(row pgx.CollectableRow) (biz.Organisation, error) {
	var o biz.Organisation
	var keys []struct {
		Thumbprint, KID string
		JWK             json.RawMessage
	}
	err := row.Scan(&o.ID, &o.Name, &o.Kind, &o.State, &o.TokenEndpoint, &o.FederationBase, &o.Marks, &keys)
	for _, k := range keys {
		o.Keys = append(o.Keys, biz.Key{Thumbprint: k.Thumbprint, KID: k.KID, JWK: k.JWK})
	}
	return o, err
}

func scanCircle(row pgx.CollectableRow) (biz.Circle, error) {
	var c biz.Circle
	var until *time.Time
	err := row.Scan(&c.ID, &c.Name, &c.State, &until, &c.Members)
	if until != nil {
		c.ValidUntil = *until
	}
	return c, err
}

// Load reads everything; the transaction makes it one moment.
func Load(ctx context.Context, tx pgx.Tx) (biz.Register, error) {
	var r biz.Register
	var err error
	if r.Serial, err = Serial(ctx, tx); err != nil {
		return r, err
	}
	rows, _ := tx.Query(ctx, selectOrganisation+`order by id`)
	if r.Organisations, err = pgx.CollectRows(rows, scanOrganisation); err != nil {
		return r, err
	}
	rows, _ = tx.Query(ctx, selectCircle+`order by id`)
	r.Circles, err = pgx.CollectRows(rows, scanCircle)
	return r, err
}

// Organisation reads one.
func Organisation(ctx context.Context, db querier, id string) (biz.Organisation, error) {
	rows, _ := db.Query(ctx, selectOrganisation+`where id = $1`, id)
	o, err := pgx.CollectExactlyOneRow(rows, scanOrganisation)
	return o, found(err)
}

// Circle reads one.
func Circle(ctx context.Context, db querier, id string) (biz.Circle, error) {
	rows, _ := db.Query(ctx, selectCircle+`where id = $1`, id)
	c, err := pgx.CollectExactlyOneRow(rows, scanCircle)
	return c, found(err)
}

func found(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// AddOrganisation writes a new organisation with its keys and marks.
func AddOrganisation(ctx context.Context, tx pgx.Tx, o biz.Organisation, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into anchor.organisation (id, name, kind, state, token_endpoint, federation_base, create_time)
		values ($1, $2, $3, $4, $5, $6, $7)`, o.ID, o.Name, o.Kind, o.State, o.TokenEndpoint, o.FederationBase, now)
	if err != nil {
		return err
	}
	for _, m := range o.Marks {
		if err := GrantMark(ctx, tx, o.ID, m, now); err != nil {
			return err
		}
	}
	return addKeys(ctx, tx, o.ID, o.Keys)
}

func addKeys(ctx context.Context, tx pgx.Tx, org string, keys []biz.Key) error {
	for _, k := range keys {
		_, err := tx.Exec(ctx, `insert into anchor.organisation_key (thumbprint, organisation, kid, jwk) values ($1, $2, $3, $4)`,
			k.Thumbprint, org, k.KID, k.JWK)
		if err != nil {
			return err
		}
	}
	return nil
}

// ReplaceKeys puts these keys in the place of all others.
func ReplaceKeys(ctx context.Context, tx pgx.Tx, org string, keys []biz.Key) error {
	if _, err := tx.Exec(ctx, `delete from anchor.organisation_key where organisation = $1`, org); err != nil {
		return err
	}
	return addKeys(ctx, tx, org, keys)
}

// SetOrganisationState writes a state that biz allowed.
func SetOrganisationState(ctx context.Context, tx pgx.Tx, org, state string) error {
	_, err := tx.Exec(ctx, `update anchor.organisation set state = $2 where id = $1`, org, state)
	return err
}

// StripOrganisation takes away everything a removed organisation could act with, and gives the circles it was in.
func StripOrganisation(ctx context.Context, tx pgx.Tx, org string) ([]string, error) {
	for _, sql := range []string{
		`delete from anchor.organisation_key where organisation = $1`,
		`delete from anchor.trust_mark where organisation = $1`,
		`update anchor.organisation set token_endpoint = '', federation_base = '' where id = $1`,
	} {
		if _, err := tx.Exec(ctx, sql, org); err != nil {
			return nil, err
		}
	}
	rows, _ := tx.Query(ctx, `delete from anchor.circle_member where organisation = $1 returning circle`, org)
	circles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("leave circles: %w", err)
	}
	return circles, nil
}

// GrantMark gives a trust mark.
func GrantMark(ctx context.Context, tx pgx.Tx, org, mark string, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into anchor.trust_mark (organisation, mark, grant_time) values ($1, $2, $3)`, org, mark, now)
	return err
}

// RevokeMark takes a trust mark back.
func RevokeMark(ctx context.Context, tx pgx.Tx, org, mark string) error {
	_, err := tx.Exec(ctx, `delete from anchor.trust_mark where organisation = $1 and mark = $2`, org, mark)
	return err
}

// AddCircle writes a new circle without members.
func AddCircle(ctx context.Context, tx pgx.Tx, c biz.Circle, now time.Time) error {
	var until *time.Time
	if !c.ValidUntil.IsZero() {
		until = &c.ValidUntil
	}
	_, err := tx.Exec(ctx, `insert into anchor.circle (id, name, state, valid_until, create_time) values ($1, $2, $3, $4, $5)`,
		c.ID, c.Name, c.State, until, now)
	return err
}

// SetCircleState writes a state that biz allowed.
func SetCircleState(ctx context.Context, tx pgx.Tx, circle, state string) error {
	_, err := tx.Exec(ctx, `update anchor.circle set state = $2 where id = $1`, circle, state)
	return err
}

// Join puts an organisation in a circle.
func Join(ctx context.Context, tx pgx.Tx, circle, org string, now time.Time) error {
	_, err := tx.Exec(ctx, `insert into anchor.circle_member (circle, organisation, join_time) values ($1, $2, $3)`, circle, org, now)
	return err
}

// Leave takes an organisation out of a circle.
func Leave(ctx context.Context, tx pgx.Tx, circle, org string) error {
	_, err := tx.Exec(ctx, `delete from anchor.circle_member where circle = $1 and organisation = $2`, circle, org)
	return err
}
