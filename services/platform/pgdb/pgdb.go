// Package pgdb is how a service talks to Postgres: it opens the pool of one login role, brings every
// schema of a node to the version this program was built for, and sorts the errors a caller must
// tell apart. It never holds a query of a service, never starts a server (embedpg does) and never
// puts a value, a statement or a password in an error.
package pgdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options of a pool. The zero value is what a service uses.
type Options struct {
	// MaxConns is 4 when zero: a node has about ten roles on one small server.
	MaxConns int32
	// MinConns is zero by default, so that a service at rest holds nothing.
	MinConns int32
	// ApplicationName is what an operator sees in pg_stat_activity.
	ApplicationName string
	// StatementTimeout is 15 s when zero; negative switches it off (bench, admin work).
	StatementTimeout time.Duration
}

const (
	defaultMaxConns         = 4
	defaultStatementTimeout = 15 * time.Second
	lockTimeout             = 5 * time.Second
	idleInTxTimeout         = 30 * time.Second
	connectTimeout          = 5 * time.Second
)

// Open prepares a pool; it does not connect, so that a service can start, and refuse, while its
// database is away. Sessions run in UTC and give up on a statement, a lock or a forgotten
// transaction by themselves. Values of type timestamptz are read back in UTC.
func Open(ctx context.Context, dsn string, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", errBadDSN)
	}
	cfg.MaxConns = defaultMaxConns
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}
	cfg.MinConns = min(o.MinConns, cfg.MaxConns)
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.MaxConnLifetime = 30 * time.Minute
	cfg.MaxConnLifetimeJitter = 5 * time.Minute
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}

	params := cfg.ConnConfig.RuntimeParams
	params["timezone"] = "UTC"
	if o.ApplicationName != "" {
		params["application_name"] = o.ApplicationName
	}
	timeout := o.StatementTimeout
	if timeout == 0 {
		timeout = defaultStatementTimeout
	}
	if timeout > 0 {
		params["statement_timeout"] = milliseconds(timeout)
		params["lock_timeout"] = milliseconds(lockTimeout)
		params["idle_in_transaction_session_timeout"] = milliseconds(idleInTxTimeout)
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		readTimesInUTC(conn)
		return nil
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

var errBadDSN = errors.New("not a Postgres address that can be read (its text is withheld: it may hold a password)")

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }

// readTimesInUTC makes scanned times equal to those written; pgx would hand them out in the zone of the machine.
func readTimesInUTC(conn *pgx.Conn) {
	stamp := &pgtype.Type{
		Name:  "timestamptz",
		OID:   pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	}
	conn.TypeMap().RegisterType(stamp)
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name:  "_timestamptz",
		OID:   pgtype.TimestamptzArrayOID,
		Codec: &pgtype.ArrayCodec{ElementType: stamp},
	})
	rng := &pgtype.Type{
		Name:  "tstzrange",
		OID:   pgtype.TstzrangeOID,
		Codec: &pgtype.RangeCodec{ElementType: stamp},
	}
	conn.TypeMap().RegisterType(rng)
}

// maxTxRetries is how often InTx starts again after another transaction got in the way.
const maxTxRetries = 3

// InTx runs f in one transaction and commits it; an error or a panic of f rolls back. After a
// serialization failure or a deadlock f runs again, at most three times more, so f must have no
// effect outside the transaction.
func InTx(ctx context.Context, pool *pgxpool.Pool, f func(pgx.Tx) error) error {
	var err error
	for range maxTxRetries + 1 {
		err = pgx.BeginFunc(ctx, pool, f)
		if err == nil || !isContention(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}
