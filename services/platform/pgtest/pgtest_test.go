package pgtest_test

import (
	"testing"
	"testing/fstest"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

func schemas() []pgdb.Schema {
	return []pgdb.Schema{
		{Name: "cases", Login: true, Migrations: fstest.MapFS{"0001_case.sql": {Data: []byte(`
			create table cases.note (id int primary key, body text not null);
			grant select, insert on cases.note to {{call .Role "cases"}};`)}}},
		{Name: "review", Login: true, Migrations: fstest.MapFS{"0001_review.sql": {Data: []byte(`
			create table review.round (id int primary key);`)}}},
	}
}

func TestEachDatabaseIsItsOwn(t *testing.T) {
	t.Parallel()
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t, schemas()...)
			pool := db.Pool("cases")
			if _, err := pool.Exec(t.Context(), "insert into cases.note values (1, 'x')"); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := pool.QueryRow(t.Context(), "select count(*) from cases.note").Scan(&n); err != nil || n != 1 {
				t.Fatal(n, err)
			}
			if err := pgdb.Current(t.Context(), pool, schemas()[:1]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestPoolIsTheServicesOwnRole(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, schemas()...)
	var user string
	if err := db.Pool("review").QueryRow(t.Context(), "select session_user").Scan(&user); err != nil || user != "zl_test_review" {
		t.Fatal(user, err)
	}
	if _, err := db.Pool("review").Exec(t.Context(), "select from cases.note"); err == nil {
		t.Fatal("review reads cases")
	}
}

// The time of one database, without that of the server and the template.
func BenchmarkNew(b *testing.B) {
	pgtest.New(b, schemas()...)
	for b.Loop() {
		pgtest.New(b, schemas()...)
	}
}
