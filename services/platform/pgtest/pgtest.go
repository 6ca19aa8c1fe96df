// Package pgtest gives a test a fresh, migrated Postgres database in milliseconds, reached through
// the same login roles as in production, so that a missing or superfluous grant shows in a test. It
// is for tests only: the server behind it gives up durability, and it is never linked into the
// product.
//
// All test binaries of one user share one private server, started by the first that needs it and
// stopped when none has used it for half a minute. ZIJLICHT_DATABASE_URL names another server to
// use; its user must be allowed to create databases and roles. There the roles zl_<node>_<service>
// stay, and the template databases until the next test process sweeps them.
package pgtest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Node is the node name of databases made by New. Roles belong to the whole server, so all test
// databases share the roles zl_test_<service>; each has its own grants.
const Node = "test"

// What a test's cleanup may wait for: the server, and connections the test still holds.
const (
	cleanupTimeout = 30 * time.Second
	leakPatience   = 2 * time.Second
)

// DB is a database of one test. It is dropped when the test ends.
type DB struct {
	t      testing.TB
	server *server
	name   string
	node   string

	mu    sync.Mutex
	pools map[string]*pgxpool.Pool
}

// New makes a database with these schemas migrated in this order, for node "test".
func New(t testing.TB, schemas ...pgdb.Schema) *DB {
	t.Helper()
	return NewNode(t, Node, schemas...)
}

// NewNode is New with another node name, for tests that run several nodes side by side.
func NewNode(t testing.TB, node string, schemas ...pgdb.Schema) *DB {
	t.Helper()
	s := theServer(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	name, err := s.create(ctx, node, schemas)
	if err != nil {
		t.Fatalf("test database: %v", err)
	}
	db := &DB{t: t, server: s, name: name, node: node, pools: map[string]*pgxpool.Pool{}}
	t.Cleanup(db.close)
	return db
}

// Name of the database.
func (db *DB) Name() string { return db.name }

// Node is the name the roles of this database carry.
func (db *DB) Node() string { return db.node }

// AdminDSN is the address of this database for the server's administrator.
func (db *DB) AdminDSN() string {
	db.t.Helper()
	return db.dsn(db.server.user, db.server.password)
}

// DSN is the address of this database for a service's login role.
func (db *DB) DSN(service string) string {
	db.t.Helper()
	return db.dsn(pgdb.RoleName(db.node, service), db.server.rolePassword(service))
}

// Passwords of the services' roles, as pgdb.Migrate wants them.
func (db *DB) Passwords(services ...string) map[string]string {
	return db.server.passwords(services)
}

// Pool logs in as the service's own role. It is closed when the test ends.
func (db *DB) Pool(service string) *pgxpool.Pool {
	db.t.Helper()
	return db.pool(service, db.DSN(service))
}

// Admin logs in as the server's administrator: to prepare and inspect, never to act as a service.
func (db *DB) Admin() *pgxpool.Pool {
	db.t.Helper()
	return db.pool("", db.AdminDSN())
}

func (db *DB) dsn(user, password string) string {
	db.t.Helper()
	dsn, err := pgdb.DSN(db.server.dsn, user, password, db.name)
	if err != nil {
		db.t.Fatal(err)
	}
	return dsn
}

func (db *DB) pool(key, dsn string) *pgxpool.Pool {
	db.t.Helper()
	db.mu.Lock()
	defer db.mu.Unlock()
	if pool, ok := db.pools[key]; ok {
		return pool
	}
	pool, err := pgdb.Open(context.Background(), dsn, pgdb.Options{ApplicationName: "pgtest " + key})
	if err != nil {
		db.t.Fatal(err)
	}
	db.pools[key] = pool
	return pool
}

func (db *DB) close() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	// Close waits for connections that were not given back. The drop ends their sessions, but their
	// holder keeps them, so a test that leaks one must not hang here.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		db.mu.Lock()
		defer db.mu.Unlock()
		for _, pool := range db.pools {
			pool.Close()
		}
	}()
	select {
	case <-closed:
	case <-time.After(leakPatience):
		db.t.Log("a connection of this test was never given back")
	}
	if err := db.server.drop(ctx, db.name); err != nil {
		db.t.Errorf("drop test database: %v", err)
	}
}

// rolePassword is the same in every process that shares the server, and guessable by nobody without its password.
func (s *server) rolePassword(service string) string {
	m := hmac.New(sha256.New, []byte(s.password))
	fmt.Fprintf(m, "zijlicht test role %s", service)
	return hex.EncodeToString(m.Sum(nil)[:16])
}

func (s *server) passwords(services []string) map[string]string {
	out := map[string]string{}
	for _, service := range services {
		out[service] = s.rolePassword(service)
	}
	return out
}

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }
