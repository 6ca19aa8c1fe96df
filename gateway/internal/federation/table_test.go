package federation_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/zijlicht/zijlicht/gateway/internal/federation"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Two processes on one table, with documents coming in any order: the newest stays, and both end with it.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	db, key, c := node(t), newKey(t), &clock{}
	now := c.Now()
	var both []*federation.Members
	var wg sync.WaitGroup
	for p := range 2 {
		i := newImpostor(t)
		pool, err := pgdb.Open(t.Context(), db.DSN("gateway"), pgdb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(pool.Close)
		m := newMembers(t, pool, i.URL, members.Public(key), c)
		both = append(both, m)
		wg.Go(func() {
			for n := range 20 {
				i.gives(signed(t, key, int64(n*2+p+1), now))
				rollback := (*federation.RollbackError)(nil)
				if err := m.Refresh(t.Context()); err != nil && !errors.As(err, &rollback) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var kept int64
	if err := db.Pool("gateway").QueryRow(t.Context(), `select serial from gateway.member_document`).Scan(&kept); err != nil || kept != 40 {
		t.Errorf("kept %d: %v", kept, err)
	}
	_ = both[0].Refresh(t.Context()) // answers with 39: refused, and 40 is taken from the table
	for p, m := range both {
		if serial(t, m.Current) != 40 {
			t.Errorf("process %d", p)
		}
	}
}

func TestTheTableOnlyGoesForward(t *testing.T) {
	t.Parallel()
	db, i, key, c := node(t), newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c)
	i.gives(signed(t, key, 5, c.Now()))
	if err := m.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`update gateway.member_document set serial = 4`,
		`update gateway.member_document set issue_time = issue_time - interval '1 second'`,
		`update gateway.member_document set issuer = 'https://x.example'`,
		`delete from gateway.member_document`,
	} {
		if _, err := db.Pool("gateway").Exec(t.Context(), sql); err == nil {
			t.Errorf("the gateway may: %s", sql)
		}
	}
	// What lies in the table is not believed either: only what the pinned keys signed.
	if _, err := db.Admin().Exec(t.Context(), `update gateway.member_document set document = $1, serial = 9`, signed(t, newKey(t), 9, c.Now())); err != nil {
		t.Fatal(err)
	}
	unavailable(t, newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c).Current)
}

func TestWithoutADatabase(t *testing.T) {
	t.Parallel()
	db, i, key, c := node(t), newImpostor(t), newKey(t), &clock{}
	pool, err := pgdb.Open(t.Context(), db.DSN("gateway"), pgdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := newMembers(t, pool, i.URL, members.Public(key), c)
	i.gives(signed(t, key, 5, c.Now()))
	if serial(t, m.Fresh) != 5 {
		t.Fatal("first")
	}
	pool.Close()
	i.gives(signed(t, key, 6, c.Now()))
	if err := m.Refresh(t.Context()); err == nil || serial(t, m.Current) != 5 {
		t.Errorf("used a document that could not be kept: %v", err)
	}
	c.move(10 * time.Minute)
	unavailable(t, m.Current)
}
