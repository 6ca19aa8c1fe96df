// Package account keeps the people of one organisation: who may sign in, with which roles and in which unit, the
// one-time links that let them in, and their sessions. It implements the sign-in of a node that has no identity
// provider of its own.
//
// It never stores a secret or a readable name: secrets are kept as hashes, and a name is sealed under the account's own
// key. It never decides what a person may do, and it logs nothing.
package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Roles that an account can have.
const (
	Professional            = "professional"
	Reviewer                = "reviewer"
	PrivacyOfficer          = "privacy-officer"
	FederationAdministrator = "federation-administrator"
	Operator                = "operator"
)

// Roles lists every role.
var Roles = []string{Professional, Reviewer, PrivacyOfficer, FederationAdministrator, Operator}

// ErrNotFound says that there is no such account.
var ErrNotFound = errors.New("account: not found")

// InvalidError says which part of an invitation is not usable: name, unit, roles or validity.
type InvalidError struct{ Field, Rule string }

func (e *InvalidError) Error() string { return "account: " + e.Field + " " + e.Rule }

// Store is the accounts of one node. Pool is the gateway's own and Keys the node's master key. Now and Rand are the
// clock and the source of ids and secrets; nil means the real ones. It is safe for concurrent use.
type Store struct {
	Pool *pgxpool.Pool
	Keys *keys.Master
	Now  func() time.Time
	Rand io.Reader
}

// Account of a person.
type Account struct {
	ID   string
	Name string
	Unit string
	// Roles in the order in which they were given.
	Roles      []string
	CreateTime time.Time
	// CloseTime is zero while the account is open.
	CloseTime time.Time
}

// Closed says that the person can no longer sign in.
func (a Account) Closed() bool { return !a.CloseTime.IsZero() }

// String and LogValue leave the name out, so that it reaches no log by accident.
func (a Account) String() string { return "account " + a.ID }

// LogValue is String for structured logs.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.String()) }

// Invitation describes a new account.
type Invitation struct {
	// Name as colleagues know it: 1 to 200 characters.
	Name string
	// Unit within the organisation, 1 to 100 characters. "Own team" means the same unit, so nobody is without one.
	Unit string
	// Roles, at least one of those in the list Roles.
	Roles []string
	// ValidFor is how long the link can be used: 72 hours when zero, at most 30 days.
	ValidFor time.Duration
}

func (i *Invitation) check() error {
	i.Name, i.Unit = strings.TrimSpace(i.Name), strings.TrimSpace(i.Unit)
	if !printable(i.Name, 200) {
		return &InvalidError{"name", "must be 1 to 200 printable characters"}
	}
	if !printable(i.Unit, 100) {
		return &InvalidError{"unit", "must be 1 to 100 printable characters"}
	}
	if len(i.Roles) == 0 {
		return &InvalidError{"roles", "must hold at least one role"}
	}
	for n, r := range i.Roles {
		if !slices.Contains(Roles, r) || slices.Contains(i.Roles[:n], r) {
			return &InvalidError{"roles", "must each be known and be given once"}
		}
	}
	return nil
}

func printable(s string, most int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Invite makes an account and the link with which its person signs in for the first time.
func (s *Store) Invite(ctx context.Context, i Invitation) (Link, error) {
	if err := i.check(); err != nil {
		return Link{}, err
	}
	id, err := uuid.NewV7FromReader(s.random())
	if err != nil {
		return Link{}, fmt.Errorf("account: make id: %w", err)
	}
	link, err := s.newLink(id.String(), i.ValidFor)
	if err != nil {
		return Link{}, err
	}
	wrapped, key, err := s.Keys.NewKey()
	if err != nil {
		return Link{}, fmt.Errorf("account: %w", err)
	}
	sealed, err := key.Seal([]byte(i.Name), nameContext(link.AccountID))
	if err != nil {
		return Link{}, fmt.Errorf("account: %w", err)
	}
	err = pgdb.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into gateway.account (id, name_sealed, key_wrapped, unit, roles, create_time)
			values ($1, $2, $3, $4, $5, $6)`, link.AccountID, sealed, wrapped, i.Unit, i.Roles, s.now())
		if err != nil {
			return err
		}
		return insertLink(ctx, tx, link)
	})
	if err != nil {
		return Link{}, fmt.Errorf("account: invite: %w", err)
	}
	return link, nil
}

// CloseAccount ends an account, its sessions and its links. Closing it again changes nothing.
func (s *Store) CloseAccount(ctx context.Context, id string) error {
	if _, err := uuid.Parse(id); err != nil {
		return ErrNotFound
	}
	err := pgdb.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `update gateway.account set close_time = coalesce(close_time, $2) where id = $1`, id, s.now())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return ErrNotFound
		}
		if _, err := tx.Exec(ctx, `delete from gateway.sign_in_link where account_id = $1`, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from gateway.session where account_id = $1`, id)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("account: close: %w", err)
	}
	return err
}

const columns = `select id, name_sealed, key_wrapped, unit, roles, create_time, close_time from gateway.account `

// Find gives one account, closed ones included.
func (s *Store) Find(ctx context.Context, id string) (Account, error) {
	if _, err := uuid.Parse(id); err != nil {
		return Account{}, ErrNotFound
	}
	all, err := s.query(ctx, columns+`where id = $1`, id)
	if err != nil {
		return Account{}, err
	}
	if len(all) == 0 {
		return Account{}, ErrNotFound
	}
	return all[0], nil
}

// ListColleagues gives, by name, the open accounts (at most 500) whose person can be asked to read along: those who do
// the work themselves or read for others.
func (s *Store) ListColleagues(ctx context.Context) ([]Account, error) {
	return s.query(ctx, columns+`where close_time is null and roles && $1 order by id limit 500`,
		[]string{Professional, Reviewer})
}

// List gives every account by name, closed ones included; for the node's operator.
func (s *Store) List(ctx context.Context) ([]Account, error) { return s.query(ctx, columns) }

func (s *Store) query(ctx context.Context, sql string, args ...any) ([]Account, error) {
	rows, _ := s.Pool.Query(ctx, sql, args...)
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Account, error) {
		var (
			a               Account
			sealed, wrapped []byte
			closed          *time.Time
		)
		if err := row.Scan(&a.ID, &sealed, &wrapped, &a.Unit, &a.Roles, &a.CreateTime, &closed); err != nil {
			return a, err
		}
		if closed != nil {
			a.CloseTime = *closed
		}
		key, err := s.Keys.Unwrap(wrapped)
		if err != nil {
			return a, err
		}
		name, err := key.Open(sealed, nameContext(a.ID))
		a.Name = string(name)
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("account: read: %w", err)
	}
	slices.SortStableFunc(found, func(a, b Account) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return found, nil
}

// nameContext binds a sealed name to its row.
func nameContext(id string) []byte { return []byte("account name " + id) }

// now has the precision of the database, so that what is returned equals what is stored.
func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC().Truncate(time.Microsecond)
	}
	return s.Now().UTC().Truncate(time.Microsecond)
}

func (s *Store) random() io.Reader {
	if s.Rand == nil {
		return rand.Reader
	}
	return s.Rand
}
