package pgdb_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

func TestVersionsThatDoNotFit(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	pool := as(t, db, "cases", passwords["cases"])
	step := "create table cases.more (id int);"
	newer := []pgdb.Schema{{Name: "cases", Login: true, Migrations: files("select 1;", "select 2;", step)}}
	older := []pgdb.Schema{{Name: "cases", Login: true, Migrations: files("select 1;")}}
	unknown := []pgdb.Schema{{Name: "stories", Login: true, Migrations: files("select 1;")}}
	for _, c := range []struct {
		name       string
		schemas    []pgdb.Schema
		have, want int32
		says       string
	}{
		{"database is old", newer, 2, 3, "run the migration first"},
		{"database is newer", older, 2, 1, "newer than"},
		{"never migrated", unknown, 0, 1, "run the migration first"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := pgdb.Current(t.Context(), pool, c.schemas)
			var version *pgdb.VersionError
			if !errors.As(err, &version) || version.Have != c.have || version.Want != c.want || !strings.Contains(err.Error(), c.says) {
				t.Fatal(err)
			}
		})
	}
	var version *pgdb.VersionError
	if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, older, passwords); !errors.As(err, &version) {
		t.Fatal("an older program migrated:", err)
	}
	if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, newer, passwords); err != nil {
		t.Fatal(err)
	}
	if err := pgdb.Current(t.Context(), pool, newer); err != nil {
		t.Fatal(err)
	}
	if err := pgdb.Current(t.Context(), as(t, db, "review", passwords["review"]), newer); err == nil || !strings.Contains(err.Error(), "may not read") {
		t.Fatal(err)
	}
}

func TestBeforeAndSharedSchema(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var runs atomic.Int32
	outbox := pgdb.Schema{Name: "outbox", Migrations: files(`grant insert on outbox.job to {{call .Role "cases"}};`),
		Before: func(ctx context.Context, conn *pgx.Conn) error {
			runs.Add(1)
			_, err := conn.Exec(ctx, "set search_path = outbox; create table if not exists job (id int)")
			return err
		}}
	all := append([]pgdb.Schema{outbox}, twoServices()...)
	for range 2 {
		if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, all, passwords); err != nil {
			t.Fatal(err)
		}
	}
	if runs.Load() != 2 {
		t.Error("Before ran", runs.Load(), "times")
	}
	cases := as(t, db, "cases", passwords["cases"])
	if _, err := cases.Exec(t.Context(), "insert into outbox.job values (1)"); err != nil {
		t.Error(err)
	}
	if err := pgdb.Current(t.Context(), cases, all[:2]); err != nil {
		t.Error("a service cannot see the version of the shared ground:", err)
	}
}

func TestBrokenInput(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	schema := func(name string, sql ...string) []pgdb.Schema {
		return []pgdb.Schema{{Name: name, Login: true, Migrations: files(sql...)}}
	}
	const secret = "mevrouw-verhaal"
	for _, c := range []struct {
		name, node string
		schemas    []pgdb.Schema
		says       string
	}{
		{"node name", `a"b`, schema("cases", "select 1;"), "node name"},
		{"schema name", node, schema("Cases; drop", "select 1;"), "schema name"},
		{"public", node, schema("public", "select 1;"), "schema name"},
		{"twice", node, append(schema("cases", "select 1;"), schema("cases", "select 1;")...), "twice"},
		{"no password", node, schema("stories", "select 1;"), "no password"},
		{"no files", node, schema("cases"), "migrations not found"},
		{"role name", node, schema("cases", `grant x to {{call .Role "a\"b"}};`), "not a service name"},
		{"template", node, schema("cases", `{{.Role`), "cases"},
		{"a way back", node, schema("cases", "select 1;\n---- create above / drop below ----\nselect 2;"), "forward only"},
		{"failing file", node, schema("cases", "select 1;", "create table cases.a (id int); insert into cases.a values ('"+secret+"');"), "0002_step.sql"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := pgdb.Migrate(t.Context(), db.AdminDSN(), c.node, c.schemas, passwords)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatal(err)
			}
		})
	}
	// A failed file is undone whole, the ones before it stay, and the next run goes on there.
	repaired := schema("cases", "select 1;", "create table cases.a (id int);")
	if err := pgdb.Migrate(t.Context(), db.AdminDSN(), node, repaired, passwords); err != nil {
		t.Fatal(err)
	}
}

// On a managed server the administrator is no superuser.
func TestMigrateWithoutSuperuser(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	admins := db.Name() + "_admin"
	role := pgx.Identifier{admins}.Sanitize()
	for _, sql := range []string{
		"create role " + role + " login createrole password 'beheer'",
		"alter database " + pgx.Identifier{db.Name()}.Sanitize() + " owner to " + role,
	} {
		if _, err := db.Admin().Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if _, err := db.Admin().Exec(context.Background(), "reassign owned by "+role+" to current_user; drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	admin, err := pgdb.DSN(db.AdminDSN(), admins, "beheer", "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := pgdb.Migrate(t.Context(), admin, "beheer", twoServices(), passwords); err != nil {
			t.Fatal(err)
		}
	}
	dsn, err := pgdb.DSN(admin, pgdb.RoleName("beheer", "cases"), passwords["cases"], "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := pgdb.Current(t.Context(), conn, twoServices()[:1]); err != nil {
		t.Fatal(err)
	}
}
