package authz

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

func logDatabase(t *testing.T) *pgtest.DB {
	t.Helper()
	return pgtest.New(t, pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS("../../audit/migrations")})
}

func logged(t *testing.T, db *pgtest.DB, table string) (n int) {
	t.Helper()
	if err := db.Admin().QueryRow(context.Background(), "select count(*) from audit."+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func someRecord() Record {
	return Record{
		ID: uuid.Must(uuid.NewV7()).String(), TraceID: strings.Repeat("a", 32), SpanID: strings.Repeat("b", 16),
		EventName: "adl.access_evaluation", Time: "2026-11-22T10:00:00.000000Z", Status: "Ok", Reasons: []string{},
		Evaluations: []recordEntry{{Input: json.RawMessage("{}")}},
	}
}

// TestOneBadRecord: of a full batch, those that no log would keep fail alone.
func TestOneBadRecord(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	r := newRecorder(db.Pool("audit"))
	bad := map[int]func(*Record){
		0:   func(r *Record) { r.TraceID = "none" },
		17:  func(r *Record) { r.ResourceID = "a\x00b" },
		18:  func(r *Record) { r.ID = "x" },
		255: func(r *Record) { r.Time = "soon" },
	}
	var wg sync.WaitGroup
	errs := make([]error, maxBatch)
	for i := range errs {
		rec := someRecord()
		if spoil := bad[i]; spoil != nil {
			spoil(&rec)
		}
		wg.Go(func() { errs[i] = r.Append(context.Background(), rec) })
	}
	for len(r.queue) < maxBatch { // until all have handed theirs over
		runtime.Gosched()
	}
	go r.run()
	wg.Wait()
	r.Close()
	for i, err := range errs {
		if (err != nil) != (bad[i] != nil) {
			t.Errorf("record %d: %v", i, err)
		}
	}
	if n := logged(t, db, "decision"); n != maxBatch-len(bad) {
		t.Errorf("%d kept", n)
	}
	if err := NewRecorder(db.Pool("audit")).Append(t.Context(), Record{Evaluations: []recordEntry{{Input: json.RawMessage("{")}}}); err == nil {
		t.Error("kept what cannot be written")
	}
}

// TestRecorderFull: when the log does not keep up, the answer is a refusal, at once. A flood of
// security events takes no place of a record.
func TestRecorderFull(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	r := newRecorder(db.Pool("audit")) // it does not write yet
	for range 3 * maxEvents {
		r.Security(t.Context(), "op", "flood")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range maxWaiting {
		if err := r.Append(gone, someRecord()); !errors.Is(err, context.Canceled) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if err := r.Append(t.Context(), someRecord()); !errors.Is(err, ErrRecorderFull) {
		t.Fatalf("one more: %v", err)
	}
	go r.run()
	r.Close() // writes what waits
	if n := logged(t, db, "decision"); n != maxWaiting {
		t.Errorf("%d records kept", n)
	}
	if n := logged(t, db, "security_event"); n != maxEvents {
		t.Errorf("%d events kept", n)
	}
	if err := r.Append(t.Context(), someRecord()); !errors.Is(err, ErrRecorderClosed) {
		t.Errorf("after closing: %v", err)
	}
	r.Security(t.Context(), "op", "late")
	r.Close()
}

// TestCloseWhileAppending: what Append says is kept is kept, however it falls together with Close.
func TestCloseWhileAppending(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	r := NewRecorder(db.Pool("audit"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := 0
	for i := range 64 {
		wg.Go(func() {
			for {
				err := r.Append(context.Background(), someRecord())
				switch {
				case errors.Is(err, ErrRecorderClosed):
					return
				case err != nil:
					t.Error(fmt.Errorf("writer %d: %w", i, err))
					return
				}
				mu.Lock()
				kept++
				mu.Unlock()
			}
		})
	}
	for logged(t, db, "decision") < 200 { // until the writers are well on their way
		runtime.Gosched()
	}
	r.Close()
	wg.Wait()
	if n := logged(t, db, "decision"); n != kept {
		t.Errorf("%d said to be kept, %d are", kept, n)
	}
}

// TestAllFail: when nothing can be kept, nobody is told otherwise and no record is tried by itself.
func TestAllFail(t *testing.T) {
	t.Parallel()
	db := logDatabase(t)
	if _, err := db.Admin().Exec(t.Context(), `revoke execute on function audit.append(jsonb) from "zl_test_audit"`); err != nil {
		t.Fatal(err)
	}
	r := NewRecorder(db.Pool("audit"))
	defer r.Close()
	var wg sync.WaitGroup
	for range 300 {
		wg.Go(func() {
			if err := r.Append(context.Background(), someRecord()); err == nil || unkeepable(err) {
				t.Errorf("answer %v", err)
			}
		})
	}
	wg.Wait()
}
