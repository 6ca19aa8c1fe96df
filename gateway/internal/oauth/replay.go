package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The kinds of identifier that are good for one use.
const (
	kindClient = "client"
	kindGrant  = "grant"
	kindProof  = "dpop"
)

// errSpent says that the identifier was used before.
var errSpent = errors.New("oauth: identifier used before")

// The insert is the check: two requests that race for one identifier meet at the primary key, and one of them sees no
// row inserted. A look before the insert would let both through.
const (
	spendDurable = `insert into gateway.replay (kind, issuer, jti, expires_at) values ($1, $2, $3, $4) on conflict do nothing`
	// A proof lives a minute and is made for every request; losing the last moments in a crash of the database
	// costs less than a disk flush on every read.
	spendQuick = `insert into gateway.replay (kind, issuer, jti, expires_at) select $1, $2, $3, $4
		where set_config('synchronous_commit', 'off', true) = 'off' on conflict do nothing`
	sweep = `delete from gateway.replay where ctid = any (array(
		select ctid from gateway.replay where expires_at < $1 order by expires_at limit 10000))`
)

// spend uses an identifier up. until is the last moment at which the artefact would be accepted for its age.
func (s *Server) spend(ctx context.Context, kind, issuer, jti string, until time.Time) error {
	query := spendDurable
	if kind == kindProof {
		query = spendQuick
	}
	tag, err := s.conf.Pool.Exec(ctx, query, kind, issuer, jti, until)
	if err != nil {
		return fmt.Errorf("oauth: replay table: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errSpent
	}
	return nil
}

// Sweep removes identifiers that are refused for their age alone and says how many (at most 10,000 a call).
func (s *Server) Sweep(ctx context.Context) (int64, error) {
	tag, err := s.conf.Pool.Exec(ctx, sweep, s.conf.Now())
	if err != nil {
		return 0, fmt.Errorf("oauth: sweep: %w", err)
	}
	return tag.RowsAffected(), nil
}
