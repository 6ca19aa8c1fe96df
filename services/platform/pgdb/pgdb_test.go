package pgdb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, err := pgdb.Open(t.Context(), db.AdminDSN(), pgdb.Options{ApplicationName: "cases"})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if got := pool.Config().MaxConns; got != 4 {
		t.Error("MaxConns", got)
	}
	for setting, want := range map[string]string{
		"TimeZone": "UTC", "application_name": "cases", "statement_timeout": "15s", "lock_timeout": "5s",
		"idle_in_transaction_session_timeout": "30s",
	} {
		var got string
		if err := pool.QueryRow(t.Context(), "select current_setting($1)", setting).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", setting, got, want, err)
		}
	}
	var at time.Time
	var list []time.Time
	if err := pool.QueryRow(t.Context(), "select t, array[t] from (select timestamptz '2026-03-29 02:30+01' t) s").Scan(&at, &list); err != nil {
		t.Fatal(err)
	}
	want := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	if at != want || len(list) != 1 || list[0] != want {
		t.Error("not in UTC:", at, list)
	}
}

func TestOpenDoesNotNeedTheServerAndKeepsThePasswordToItself(t *testing.T) {
	t.Parallel()
	pool, err := pgdb.Open(t.Context(), "postgres://u:geheim@"+deadAddress(t)+"/db?sslmode=disable", pgdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := pool.Ping(t.Context()); !pgdb.IsUnavailable(err) || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
	for _, dsn := range []string{"postgres://u:geheim@host:port/db", "host=h port=x password=geheim", "postgres://u:geheim@%zz/"} {
		if _, err := pgdb.Open(t.Context(), dsn, pgdb.Options{}); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Error(dsn, err)
		}
		if _, err := pgdb.DSN(dsn, "a", "b", "c"); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Error(dsn, err)
		}
	}
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestDSN(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ admin, host, sslmode string }{
		{"postgres://admin:x@db.example:5433/first?sslmode=disable&user=other&dbname=z", "db.example", "disable"},
		{"postgresql:///first?host=/run/pg&port=5433", "/run/pg", ""},
		{"host=db.example port=5433 user=admin password=x dbname=first sslmode=disable", "db.example", "disable"},
	} {
		for _, password := range []string{"plain", `sp ace'"\@/:?#%&=`} {
			for db, want := range map[string]string{"": "", "other": "other", "od'd / name": "od'd / name"} {
				dsn, err := pgdb.DSN(c.admin, "zl_noord_cases", password, db)
				if err != nil {
					t.Fatal(err)
				}
				cfg, err := pgx.ParseConfig(dsn)
				if err != nil {
					t.Fatal(dsn, err)
				}
				if want == "" {
					want = "first"
					if strings.Contains(c.admin, "dbname=z") {
						want = "z" // a query parameter wins over the path
					}
				}
				if cfg.Host != c.host || cfg.Port != 5433 || cfg.User != "zl_noord_cases" || cfg.Password != password || cfg.Database != want {
					t.Errorf("%s: %s %d %s %s %s", c.admin, cfg.Host, cfg.Port, cfg.User, cfg.Password, cfg.Database)
				}
			}
		}
	}
}

func TestEnsureDatabase(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	name := db.Name() + ` o"dd`
	t.Cleanup(func() {
		_, err := db.Admin().Exec(context.Background(), "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
		if err != nil {
			t.Error(err)
		}
	})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := pgdb.EnsureDatabase(t.Context(), db.AdminDSN(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var encoding string
	if err := db.Admin().QueryRow(t.Context(), "select pg_encoding_to_char(encoding) from pg_database where datname = $1", name).Scan(&encoding); err != nil || encoding != "UTF8" {
		t.Error(encoding, err)
	}
	for _, bad := range []string{"", strings.Repeat("x", 64)} {
		if err := pgdb.EnsureDatabase(t.Context(), db.AdminDSN(), bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestInTx(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool := db.Admin()
	if _, err := pool.Exec(t.Context(), "create table n (id int constraint n_key primary key)"); err != nil {
		t.Fatal(err)
	}
	insert := func(id int, then func() error) error {
		return pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "insert into n values ($1)", id); err != nil {
				return err
			}
			return then()
		})
	}
	if err := insert(1, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if err := insert(2, func() error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = insert(3, func() error { panic("in the middle") })
	}()
	err := insert(1, func() error { return nil })
	if !pgdb.IsUnique(err, "n_key") || !pgdb.IsUnique(err, "") || pgdb.IsUnique(err, "other") || pgdb.IsUnique(nil, "") {
		t.Error(err)
	}
	for failures, want := range map[int]int{0: 1, 3: 4, 4: 4} {
		tries := 0
		err := pgdb.InTx(t.Context(), pool, func(pgx.Tx) error {
			if tries++; tries <= failures {
				return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: "40001"})
			}
			return nil
		})
		if tries != want || (err != nil) != (failures > 3) {
			t.Errorf("%d failures: %d tries, %v", failures, tries, err)
		}
	}
	var ids []int32
	if err := pool.QueryRow(t.Context(), "select array_agg(id) from n").Scan(&ids); err != nil || fmt.Sprint(ids) != "[1]" {
		t.Error("rolled back badly:", ids, err)
	}
	if held := pool.Stat().AcquiredConns(); held != 0 {
		t.Error("connections not given back:", held)
	}
}

// Two transactions that lock each other's rows: Postgres ends one, which then succeeds at its second try.
func TestInTxOutlivesADeadlock(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool := db.Admin()
	if _, err := pool.Exec(t.Context(), "create table n (id int primary key, v int); insert into n values (1, 0), (2, 0)"); err != nil {
		t.Fatal(err)
	}
	var both, wait sync.WaitGroup
	both.Add(2)
	for _, order := range [][]int{{1, 2}, {2, 1}} {
		wait.Go(func() {
			var met sync.Once
			err := pgdb.InTx(t.Context(), pool, func(tx pgx.Tx) error {
				for _, id := range order {
					if _, err := tx.Exec(t.Context(), "update n set v = v + 1 where id = $1", id); err != nil {
						return err
					}
					met.Do(func() { both.Done(); both.Wait() })
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var sum int
	if err := pool.QueryRow(t.Context(), "select sum(v) from n").Scan(&sum); err != nil || sum != 4 {
		t.Error(sum, err)
	}
}

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool, err := pgdb.Open(t.Context(), db.AdminDSN(), pgdb.Options{MaxConns: 1, StatementTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, cancelExpired := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelExpired()

	_, slow := pool.Exec(t.Context(), "select pg_sleep(60)")
	_, gone := pool.Exec(cancelled, "select 1")
	_, late := pool.Exec(expired, "select 1")
	_, wrong := pool.Exec(t.Context(), "select nonsense")
	_, missing := pool.Exec(t.Context(), "select from nowhere")
	// The server ends the session in the middle of a statement, as at a shutdown.
	_, ended := pool.Exec(t.Context(), "select pg_terminate_backend(pg_backend_pid())")
	noRows := pool.QueryRow(t.Context(), "select 1 where false").Scan(new(int))

	held, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancelShort()
	_, full := pool.Exec(short, "select 1")
	held.Release()
	pool.Close()
	_, closed := pool.Exec(t.Context(), "select 1")

	_, refused := pgx.Connect(t.Context(), "postgres://u@"+deadAddress(t)+"/db?sslmode=disable")
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"none", nil, false},
		{"statement timeout", slow, true},
		{"deadline", late, true},
		{"pool exhausted", full, true},
		{"pool closed", closed, true},
		{"session ended", ended, true},
		{"connection refused", refused, true},
		{"connection cut", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), true},
		{"too many connections", &pgconn.PgError{Code: "53300"}, true},
		{"starting", &pgconn.PgError{Code: "57P03"}, true},
		{"caller went away", gone, false},
		{"wrong statement", wrong, false},
		{"no such table", missing, false},
		{"no rows", noRows, false},
	} {
		if c.want && c.err == nil {
			t.Errorf("%s: the situation was not made", c.name)
		}
		if got := pgdb.IsUnavailable(c.err); got != c.want {
			t.Errorf("%s: %t for %v", c.name, got, c.err)
		}
	}
}
