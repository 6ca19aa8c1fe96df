package outbox_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

func TestAddIsPartOfTheTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, outbox.Schema(), pgdb.Schema{Name: "cases", Login: true})
	o, err := outbox.New(db.Pool("cases"))
	if err != nil {
		t.Fatal(err)
	}
	rollback := errors.New("rollback")
	err = pgdb.InTx(t.Context(), db.Pool("cases"), func(tx pgx.Tx) error {
		if err := o.Add(t.Context(), tx, outbox.LapsedArgs{CaseID: "a"}); err != nil {
			t.Fatal(err)
		}
		return rollback
	})
	if !errors.Is(err, rollback) {
		t.Fatal(err)
	}
	err = pgdb.InTx(t.Context(), db.Pool("cases"), func(tx pgx.Tx) error {
		return o.Add(t.Context(), tx, outbox.LapsedArgs{CaseID: "b"})
	})
	if err != nil {
		t.Fatal(err)
	}
	var args string
	if err := db.Admin().QueryRow(t.Context(), "select args->>'case_id' from outbox.river_job").Scan(&args); err != nil || args != "b" {
		t.Fatalf("jobs: %q, %v", args, err)
	}
	if _, err := db.Pool("cases").Exec(t.Context(), "delete from outbox.river_job"); err == nil {
		t.Fatal("a service could delete jobs")
	}
}
