package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

const (
	// Lifetime ends a session however busy it is: a working day.
	Lifetime = 12 * time.Hour
	// IdleTimeout ends a session that is not used.
	IdleTimeout = 8 * time.Hour
	// ACROneTimeLink is the authentication context class of a sign-in with a one-time link.
	ACROneTimeLink = "urn:zijlicht:acr:one-time-link"

	defaultValidity = 72 * time.Hour
	longestValidity = 30 * 24 * time.Hour
	// seenEvery is how often a session's use is written down at most.
	seenEvery = time.Minute
	// secretBytes of randomness are in a link's secret and in a session's cookie.
	secretBytes = 32
)

var (
	// ErrLink is the one answer to a link that is wrong, used, expired, replaced or of a closed account.
	ErrLink = errors.New("account: the link cannot be used")
	// ErrSession says that nobody is signed in with this cookie.
	ErrSession = errors.New("account: no session")
)

// Link lets one person in once. Secret is shown to the inviter and stored nowhere.
type Link struct {
	AccountID  string
	Secret     string
	ExpireTime time.Time
}

// String and LogValue leave the secret out, so that it reaches no log by accident.
func (l Link) String() string { return "link for account " + l.AccountID }

// LogValue is String for structured logs.
func (l Link) LogValue() slog.Value { return slog.StringValue(l.String()) }

// Session of a person: what every request needs to know of them. Their name is not in it; Find gives it.
type Session struct {
	AccountID string
	Unit      string
	Roles     []string
	// ACR is how they signed in.
	ACR string
	// ExpireTime is when it ends at the latest.
	ExpireTime time.Time
}

// NewLink makes another link for an open account: for a new device, or when the first was lost. Links of that account
// that were not used yet end, since nobody can tell who has them. validFor is as in Invitation.
func (s *Store) NewLink(ctx context.Context, accountID string, validFor time.Duration) (Link, error) {
	if _, err := uuid.Parse(accountID); err != nil {
		return Link{}, ErrNotFound
	}
	link, err := s.newLink(accountID, validFor)
	if err != nil {
		return Link{}, err
	}
	err = pgdb.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		// The lock keeps the account from being closed, and another link from being made, until this one is there.
		err := tx.QueryRow(ctx, `select id from gateway.account where id = $1 and close_time is null for no key update`,
			accountID).Scan(&link.AccountID)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from gateway.sign_in_link where account_id = $1 and redeem_time is null`, accountID)
		if err != nil {
			return err
		}
		return insertLink(ctx, tx, link)
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return Link{}, ErrNotFound
	case err != nil:
		return Link{}, fmt.Errorf("account: new link: %w", err)
	}
	return link, nil
}

func (s *Store) newLink(accountID string, validFor time.Duration) (Link, error) {
	if validFor == 0 {
		validFor = defaultValidity
	}
	if validFor < 0 || validFor > longestValidity {
		return Link{}, &InvalidError{"validity", "must be at most 30 days"}
	}
	secret, err := s.secret()
	if err != nil {
		return Link{}, err
	}
	return Link{AccountID: accountID, Secret: secret, ExpireTime: s.now().Add(validFor).Truncate(time.Microsecond)}, nil
}

func insertLink(ctx context.Context, tx pgx.Tx, l Link) error {
	hash, err := hashSecret(l.Secret)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into gateway.sign_in_link (secret_hash, account_id, expire_time) values ($1, $2, $3)`,
		hash, l.AccountID, l.ExpireTime)
	return err
}

// Redeem uses a link up and begins a session. Of any number of attempts with one link, at the same time or not, one
// succeeds. The cookie's value is returned once and stored nowhere.
func (s *Store) Redeem(ctx context.Context, secret string) (Session, string, error) {
	hash, err := hashSecret(secret)
	if err != nil {
		return Session{}, "", ErrLink
	}
	cookie, err := s.secret()
	if err != nil {
		return Session{}, "", err
	}
	token, err := hashSecret(cookie)
	if err != nil {
		return Session{}, "", err
	}
	now := s.now()
	// One statement, so that a link is never used up without a session. Attempts at the same time wait for the row and
	// then find it used.
	rows, _ := s.Pool.Query(ctx, `
		with used as (
			update gateway.sign_in_link l set redeem_time = $3
			from gateway.account a
			where l.secret_hash = $1 and l.redeem_time is null and l.expire_time > $3
			  and a.id = l.account_id and a.close_time is null
			returning a.id, a.unit, a.roles
		), begun as (
			insert into gateway.session (token_hash, account_id, create_time, expire_time, last_seen_time, acr)
			select $2, id, $3, $4, $3, $5 from used
			returning expire_time, acr
		)
		select used.id as account_id, unit, roles, acr, expire_time from used, begun`,
		hash, token, now, now.Add(Lifetime), ACROneTimeLink)
	session, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Session])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Session{}, "", ErrLink
	case err != nil:
		return Session{}, "", fmt.Errorf("account: redeem link: %w", err)
	}
	return session, cookie, nil
}

// Lookup tells who is signed in with a cookie. It is one query, and a write at most once a minute.
func (s *Store) Lookup(ctx context.Context, cookie string) (Session, error) {
	hash, err := hashSecret(cookie)
	if err != nil {
		return Session{}, ErrSession
	}
	now := s.now()
	rows, _ := s.Pool.Query(ctx, `
		with current as (
			select s.token_hash, s.account_id, a.unit, a.roles, s.acr, s.expire_time
			from gateway.session s join gateway.account a on a.id = s.account_id
			where s.token_hash = $1 and s.expire_time > $2 and s.last_seen_time > $3 and a.close_time is null
		), seen as (
			update gateway.session s set last_seen_time = $2
			from current
			where s.token_hash = current.token_hash and s.last_seen_time <= $4
		)
		select account_id, unit, roles, acr, expire_time from current`,
		hash, now, now.Add(-IdleTimeout), now.Add(-seenEvery))
	session, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Session])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Session{}, ErrSession
	case err != nil:
		return Session{}, fmt.Errorf("account: look up session: %w", err)
	}
	return session, nil
}

// End ends the session of a cookie. A cookie that belongs to none is ended already.
func (s *Store) End(ctx context.Context, cookie string) error {
	hash, err := hashSecret(cookie)
	if err != nil {
		return nil //nolint:nilerr // what is no cookie has no session
	}
	if _, err := s.Pool.Exec(ctx, `delete from gateway.session where token_hash = $1`, hash); err != nil {
		return fmt.Errorf("account: end session: %w", err)
	}
	return nil
}

// Sweep removes links and sessions whose time is over and says how many.
func (s *Store) Sweep(ctx context.Context) (int64, error) {
	now := s.now()
	links, err := s.Pool.Exec(ctx, `delete from gateway.sign_in_link where expire_time <= $1`, now)
	if err != nil {
		return 0, fmt.Errorf("account: sweep links: %w", err)
	}
	sessions, err := s.Pool.Exec(ctx, `delete from gateway.session where expire_time <= $1 or last_seen_time <= $2`,
		now, now.Add(-IdleTimeout))
	if err != nil {
		return links.RowsAffected(), fmt.Errorf("account: sweep sessions: %w", err)
	}
	return links.RowsAffected() + sessions.RowsAffected(), nil
}

// encoding of secrets; strict, so that one secret has one spelling.
var encoding = base64.RawURLEncoding.Strict()

func (s *Store) secret() (string, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(s.random(), raw); err != nil {
		return "", fmt.Errorf("account: make secret: %w", err)
	}
	return encoding.EncodeToString(raw), nil
}

var errSecret = errors.New("account: not a secret of ours")

// hashSecret is what is stored of a secret. What cannot be one is refused before the database is asked.
func hashSecret(secret string) ([]byte, error) {
	if len(secret) != encoding.EncodedLen(secretBytes) {
		return nil, errSecret
	}
	raw, err := encoding.DecodeString(secret)
	if err != nil || len(raw) != secretBytes {
		return nil, errSecret
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}
