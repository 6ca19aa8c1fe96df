package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Party is one that may authenticate at the token endpoint: its keys, and the scopes it may ever hold here.
type Party struct {
	Keys   jose.JSONWebKeySet
	Scopes []string
}

// Trust answers who a client is at this moment. The answer is used once and not kept, so that a member who is
// suspended, or a key that is withdrawn, is out at the next grant.
//
// The error is ErrUnknownParty, a *SuspendedError, or anything else for "cannot be known now", which the endpoint
// answers with temporarily_unavailable and never with a token.
type Trust interface {
	Party(ctx context.Context, id string) (Party, error)
}

// ErrUnknownParty says that nobody goes by that client_id.
var ErrUnknownParty = errors.New("oauth: unknown party")

var (
	// ErrClientExists says that the id is taken, also when that client is disabled: an id is one client forever.
	ErrClientExists = errors.New("oauth: there is a client with this id")
	// ErrClientID says that the id has another form than a client's.
	ErrClientID = errors.New("oauth: a client's id is 1 to 63 small letters, digits and hyphens")
)

// SuspendedError says that the party exists and may not act now. Reason is stable: `member.suspended`.
type SuspendedError struct{ Reason string }

func (e *SuspendedError) Error() string { return "oauth: " + e.Reason }

// isPeer tells a peer organisation (its client_id is its entity URL) from a machine client of this node.
func isPeer(clientID string) bool { return strings.Contains(clientID, "://") }

// Clients is the table of the node's own machine clients. It never holds a secret: clients bring public keys.
type Clients struct {
	Pool *pgxpool.Pool
	Now  func() time.Time
}

var _ Trust = Clients{}

// Party looks a machine client up.
func (c Clients) Party(ctx context.Context, id string) (Party, error) {
	rows, _ := c.Pool.Query(ctx, `select jwks, scopes, disabled is not null as disabled from gateway.client where id = $1`, id)
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[struct {
		JWKS     []byte `db:"jwks"`
		Scopes   []string
		Disabled bool
	}])
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return Party{}, ErrUnknownParty
	case err != nil:
		return Party{}, fmt.Errorf("oauth: read client: %w", err)
	case row.Disabled:
		return Party{}, &SuspendedError{Reason: "client.disabled"}
	}
	p := Party{Scopes: row.Scopes}
	if err := json.Unmarshal(row.JWKS, &p.Keys); err != nil {
		return Party{}, fmt.Errorf("oauth: keys of client %s: %w", id, err)
	}
	return p, nil
}

// Add registers a machine client with its public keys. Private or unusable keys are refused.
func (c Clients) Add(ctx context.Context, id string, keys jose.JSONWebKeySet, scopes []string) error {
	if len(keys.Keys) == 0 {
		return errors.New("oauth: a client needs a public key")
	}
	for _, k := range keys.Keys {
		if k.KeyID == "" || !fits(k, jose.ES256) && !fits(k, jose.PS256) {
			return errors.New("oauth: a client's keys are public P-256 or RSA (2048 to 4096 bits) keys with a kid")
		}
	}
	for _, s := range scopes {
		if !validScope(s) {
			return fmt.Errorf("oauth: %q is not a scope", s)
		}
	}
	raw, err := json.Marshal(keys)
	if err != nil {
		return fmt.Errorf("oauth: keys of client: %w", err)
	}
	_, err = c.Pool.Exec(ctx, `insert into gateway.client (id, jwks, scopes, created) values ($1, $2, $3, $4)`,
		id, raw, scopes, c.Now())
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg) && pg.Code == "23505":
		return ErrClientExists
	case errors.As(err, &pg) && pg.Code == "23514":
		return ErrClientID
	case err != nil:
		return fmt.Errorf("oauth: add client: %w", err)
	}
	return nil
}

// Client is a machine client as its operator sees it.
type Client struct {
	ID      string
	Scopes  []string
	Created time.Time
	// Disabled is nil while the client may be used.
	Disabled *time.Time
}

// List gives every machine client, disabled ones included.
func (c Clients) List(ctx context.Context) ([]Client, error) {
	rows, _ := c.Pool.Query(ctx, `select id, scopes, created, disabled from gateway.client order by id`)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[Client])
	if err != nil {
		return nil, fmt.Errorf("oauth: list clients: %w", err)
	}
	return all, nil
}

// Disable ends a client: its next token request is refused, and what it holds ends within five minutes.
func (c Clients) Disable(ctx context.Context, id string) error {
	tag, err := c.Pool.Exec(ctx, `update gateway.client set disabled = coalesce(disabled, $2) where id = $1`, id, c.Now())
	if err != nil {
		return fmt.Errorf("oauth: disable client: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrUnknownParty
	}
	return nil
}
