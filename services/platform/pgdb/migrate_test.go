package pgdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

const (
	migratorVariable = "PGDB_TEST_MIGRATE"
	node             = "noord"
)

// TestMain lets the test binary be a second process that migrates.
func TestMain(m *testing.M) {
	if dsn := os.Getenv(migratorVariable); dsn != "" {
		if err := pgdb.Migrate(context.Background(), dsn, node, twoServices(), passwords); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var passwords = map[string]string{"cases": "geheim-1", "review": "geheim'2\\"}

func files(sql ...string) fs.FS {
	out := fstest.MapFS{}
	for i, text := range sql {
		out[fmt.Sprintf("%04d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func twoServices() []pgdb.Schema {
	return []pgdb.Schema{
		{Name: "cases", Login: true, ConnLimit: -1, Migrations: files(`
			create table cases.note (id int primary key, body text not null, node text not null default '{{.Node}}');
			grant select, insert on cases.note to {{call .Role "cases"}};
			create function cases.answer() returns int language sql return 42;
			create view cases.public_note as select id from cases.note;
			grant usage on schema cases to {{call .Role "review"}}, {{call .Role "learning"}};
			grant select on cases.public_note to {{call .Role "review"}};`,
			// Not repeatable: a second run would fail.
			`insert into cases.note (id, body) values (1, 'een');`)},
		{Name: "review", Login: true, ConnLimit: -1, Migrations: files(`create table review.round (id int primary key);`)},
	}
}

func migrated(t *testing.T) *pgtest.DB {
	t.Helper()
	db := pgtest.New(t)
	if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, twoServices(), passwords); err != nil {
		t.Fatal(err)
	}
	return db
}

func as(t *testing.T, db *pgtest.DB, service, password string) *pgx.Conn {
	t.Helper()
	conn, err := tryAs(t, db, service, password)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func tryAs(t *testing.T, db *pgtest.DB, service, password string) (*pgx.Conn, error) {
	t.Helper()
	dsn, err := pgdb.DSN(db.AdminDSN(), pgdb.RoleName(node, service), password, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err == nil {
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return fmt.Sprint(err)
}

func TestMigrateTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	before := snapshot(t, db)
	if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, twoServices(), passwords); err != nil {
		t.Fatal(err)
	}
	if after := snapshot(t, db); before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if err := pgdb.Current(t.Context(), db.Admin(), twoServices()); err != nil {
		t.Fatal(err)
	}
}

// snapshot is everything a migration could change: objects, rights and the stored passwords.
func snapshot(t *testing.T, db *pgtest.DB) string {
	t.Helper()
	var out string
	if err := db.Admin().QueryRow(t.Context(), `select string_agg(line, E'\n' order by line) from (
		select format('rel %s %s %s', oid::regclass, relkind, relacl) line from pg_class where relnamespace::regnamespace::text in ('cases', 'review')
		union all select format('schema %s %s', nspname, nspacl) from pg_namespace where nspname !~ '^pg_'
		union all select format('db %s', datacl) from pg_database where datname = current_database()
		union all select format('proc %s %s', proname, proacl) from pg_proc where pronamespace = 'cases'::regnamespace
		union all select format('default %s', defaclacl) from pg_default_acl
		union all select format('role %s %s %s %s', rolname, rolpassword, rolcanlogin, rolconnlimit) from pg_authid where rolname ~ '^zl_noord_(cases|review)'
		union all select format('note %s %s %s', id, body, node) from cases.note
		union all select format('version %s', version) from cases.schema_version) s`).Scan(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMigrateFromSeveralProcessesAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var wait sync.WaitGroup
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), migratorVariable+"="+db.AdminDSN())
		wait.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		wait.Go(func() {
			if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, twoServices(), passwords); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if err := pgdb.Current(t.Context(), db.Admin(), twoServices()); err != nil {
		t.Fatal(err)
	}
}

// Roles belong to the server: nodes and test databases that migrate at the same moment meet there.
func TestMigrateSeveralDatabasesAtOnce(t *testing.T) {
	t.Parallel()
	var wait sync.WaitGroup
	for range 4 {
		db := pgtest.New(t)
		wait.Go(func() {
			for round := range 3 {
				changed := map[string]string{"cases": fmt.Sprint("p", round), "review": "p"}
				if err := pgdb.Migrate(t.Context(), db.AdminDSN(), "botsing", twoServices(), changed); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestRights(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	cases, review := as(t, db, "cases", passwords["cases"]), as(t, db, "review", passwords["review"])
	const denied = "42501"
	for _, c := range []struct {
		name string
		conn *pgx.Conn
		sql  string
		want string
	}{
		{"own table", cases, "select from cases.note", ""},
		{"own write", cases, "insert into cases.note (id, body) values (2, 'x')", ""},
		{"what was not granted", cases, "update cases.note set body = 'x'", denied},
		{"own version", cases, "select from cases.schema_version", ""},
		{"own version is not writable", cases, "update cases.schema_version set version = 9", denied},
		{"function of the schema", cases, "select cases.answer()", denied},
		{"new table in own schema", cases, "create table cases.mine (id int)", denied},
		{"new table in public", cases, "create table public.mine (id int)", denied},
		{"temporary table", cases, "create temp table mine (id int)", denied},
		{"new schema", cases, "create schema mine", denied},
		{"new role", cases, "create role mine", denied},
		{"new database", cases, "create database mine", denied},
		{"another's schema without usage", cases, "select from review.round", denied},
		{"another's published view", review, "select from cases.public_note", ""},
		{"another's table", review, "select from cases.note", denied},
		{"another's version", review, "select from cases.schema_version", denied},
		{"another's role", review, "set role zl_noord_cases", denied},
	} {
		_, err := c.conn.Exec(t.Context(), c.sql)
		if got := code(err); got != c.want && !(c.want == "" && err == nil) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	var stamped string
	if err := cases.QueryRow(t.Context(), "select node from cases.note where id = 1").Scan(&stamped); err != nil || stamped != node {
		t.Error(stamped, err)
	}

	// A database of another node is closed: CONNECT was taken from everyone else.
	other := pgtest.NewNode(t, "zuid", twoServices()...)
	dsn, err := pgdb.DSN(other.AdminDSN(), pgdb.RoleName(node, "cases"), passwords["cases"], "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pgx.Connect(t.Context(), dsn); code(err) != denied {
		t.Error("a role of another node may connect:", err)
	}
}

func TestPasswordsAndRoles(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	const own = "rotatie" // a node of its own: the roles are shared by all databases
	login := func(password string) error {
		dsn, err := pgdb.DSN(db.AdminDSN(), pgdb.RoleName(own, "cases"), password, "")
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), dsn)
		if err == nil {
			_ = conn.Close(t.Context())
		}
		return err
	}
	migrate := func(password string) error {
		return pgdb.Migrate(t.Context(), db.AdminDSN(), own, twoServices()[:1], map[string]string{"cases": password})
	}
	for _, password := range []string{"first", "second ' \\ $"} {
		if err := migrate(password); err != nil {
			t.Fatal(err)
		}
		if err := login(password); err != nil {
			t.Fatal(err)
		}
	}
	if err := login("first"); code(err) != "28P01" {
		t.Error("the old password still works:", err)
	}
	// Named in a grant, not migrated: there, without login.
	var login2, exists bool
	if err := db.Admin().QueryRow(t.Context(), "select true, rolcanlogin from pg_roles where rolname = $1",
		pgdb.RoleName(own, "review")).Scan(&exists, &login2); err != nil || login2 {
		t.Error(exists, login2, err)
	}
	for name, password := range map[string]string{"empty": "", "control character": "a\nb", "not ASCII": "café"} {
		if err := migrate(password); err == nil {
			t.Error("accepted:", name)
		}
	}

	const mighty = "machtig"
	role := pgx.Identifier{pgdb.RoleName(mighty, "cases")}.Sanitize()
	if _, err := db.Admin().Exec(t.Context(), "drop role if exists "+role+"; create role "+role+" login createrole"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Admin().Exec(context.Background(), "drop role "+role); err != nil {
			t.Error(err)
		}
	})
	err := pgdb.Migrate(t.Context(), db.AdminDSN(), mighty, twoServices()[:1], passwords)
	if err == nil || !strings.Contains(err.Error(), "more rights") {
		t.Error("a mighty role was adopted:", err)
	}
}
