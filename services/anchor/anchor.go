// Package anchor is the trust anchor of a federation: the register of organisations, their keys and marks and the
// circles they are in, the signed member document that nodes fetch, and the commands of the federation's
// administrator. It never sees a case, a story or a person of a member, and nodes do not need it to be up:
// a document stays valid for ten minutes.
package anchor

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/anchor/internal/biz"
	"github.com/zijlicht/zijlicht/services/anchor/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the register's part of the database.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	return pgdb.Schema{Name: "anchor", Migrations: files, Login: true}
}

// Refusal is a rule's no, with a stable code such as `circle.full`.
type Refusal = biz.Refusal

// Entry is one row of the change log.
type Entry = data.Entry

// Store is the register.
type Store struct {
	pool   *pgxpool.Pool
	issuer string
	now    func() time.Time
}

// NewStore opens the register on the pool of the anchor's role. The issuer is the anchor's entity URL. The pool
// stays the caller's to close.
func NewStore(pool *pgxpool.Pool, issuer string, now func() time.Time) (*Store, error) {
	if err := members.CheckEntityURL(issuer); err != nil {
		return nil, fmt.Errorf("anchor: issuer: %w", err)
	}
	return &Store{pool: pool, issuer: issuer, now: now}, nil
}

// Serial is the number of the newest change.
func (s *Store) Serial(ctx context.Context) (int64, error) { return data.Serial(ctx, s.pool) }

// Document is the register as nodes see it, to be signed now.
func (s *Store) Document(ctx context.Context) (members.Document, error) {
	now := s.now() // before reading, so that the document never claims to be newer than what it says
	var d members.Document
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		r, err := data.Load(ctx, tx)
		if err != nil {
			return err
		}
		d, err = s.document(r, now)
		return err
	})
	return d, err
}

// Changes gives the newest entries of the change log, newest first.
func (s *Store) Changes(ctx context.Context, limit int) ([]Entry, error) {
	return data.Changes(ctx, s.pool, limit)
}

func (s *Store) document(r biz.Register, now time.Time) (members.Document, error) {
	issued := now.UTC().Truncate(time.Second)
	d := members.Document{
		Issuer: s.issuer, Serial: r.Serial, IssueTime: issued, ExpireTime: issued.Add(members.MaxLifetime),
		Organisations: []members.Organisation{}, Circles: []members.Circle{},
	}
	for _, o := range r.Organisations {
		org := members.Organisation{
			ID: o.ID, Name: o.Name, Kind: members.Kind(o.Kind), State: members.State(o.State), TrustMarks: o.Marks,
			TokenEndpoint: o.TokenEndpoint, FederationBase: o.FederationBase,
			Keys: jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, len(o.Keys))},
		}
		for i, k := range o.Keys {
			if err := json.Unmarshal(k.JWK, &org.Keys.Keys[i]); err != nil {
				return d, fmt.Errorf("anchor: key of %s cannot be read: %w", o.ID, err)
			}
		}
		d.Organisations = append(d.Organisations, org)
	}
	for _, c := range r.Circles {
		d.Circles = append(d.Circles, members.Circle{
			ID: c.ID, Name: c.Name, Members: c.Members, State: members.CircleState(c.StateAt(now)), ValidUntil: c.ValidUntil,
		})
	}
	return d, nil
}

// Change is the outcome of something the administrator did.
type Change struct {
	// Serial of the register afterwards.
	Serial int64 `json:"serial"`
	// Changed is false when it was so already; then nothing was logged.
	Changed bool `json:"changed"`
	// Notes say what else the administrator should know.
	Notes []Note `json:"notes,omitempty"`
}

// Note is a consequence that deserves attention: `federation.empty`, or `circle.empty` with the circle's id.
type Note struct {
	Code    string `json:"code"`
	Subject string `json:"subject,omitempty"`
}

// change runs one change: alone, with its log entry, and only if the document that comes of it is one that nodes
// accept. f says what is to be logged, or nil when there is nothing to do.
func (s *Store) change(ctx context.Context, actor, action, subject string, f func(pgx.Tx) (map[string]any, error)) (Change, error) {
	if actor == "" {
		return Change{}, &Refusal{Code: "actor.missing"}
	}
	var out Change
	err := pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		serial, err := data.Lock(ctx, tx)
		if err != nil {
			return err
		}
		before, err := data.Load(ctx, tx)
		if err != nil {
			return err
		}
		out = Change{Serial: serial}
		details, err := f(tx)
		if err != nil || details == nil {
			return err
		}
		raw, err := json.Marshal(details)
		if err != nil {
			return err
		}
		now := s.now()
		out = Change{Serial: serial + 1, Changed: true}
		entry := Entry{Serial: out.Serial, Time: now, Actor: actor, Action: action, Subject: subject, Details: raw}
		if err := data.Record(ctx, tx, entry); err != nil {
			return err
		}
		after, err := data.Load(ctx, tx)
		if err != nil {
			return err
		}
		d, err := s.document(after, now)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Check(), d.CheckSize()); err != nil {
			return fmt.Errorf("anchor: nodes would refuse the member document: %w", err)
		}
		out.Notes = notes(before, after)
		return nil
	})
	if err != nil {
		return Change{}, err
	}
	return out, nil
}

// notes finds what became empty.
func notes(before, after biz.Register) []Note {
	var notes []Note
	if active(before) > 0 && active(after) == 0 {
		notes = append(notes, Note{Code: "federation.empty"})
	}
	had := map[string]int{}
	for _, c := range before.Circles {
		had[c.ID] = len(c.Members)
	}
	for _, c := range after.Circles {
		if had[c.ID] > 0 && len(c.Members) == 0 {
			notes = append(notes, Note{Code: "circle.empty", Subject: c.ID})
		}
	}
	return notes
}

func active(r biz.Register) int {
	n := 0
	for _, o := range r.Organisations {
		if o.State == biz.Active {
			n++
		}
	}
	return n
}
