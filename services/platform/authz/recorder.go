package authz

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Limits of a batch. A record waits at most for the batch before its own: under
// load many share one commit, and alone none waits.
const (
	maxBatch      = 256
	maxWaiting    = 4096
	maxEvents     = 1024
	appendTimeout = 5 * time.Second
)

// ErrRecorderFull says that records arrive faster than they can be kept. The answer is a refusal.
var ErrRecorderFull = fault.Note("decision log: too many records are waiting")

// ErrRecorderClosed says that the process is stopping.
var ErrRecorderClosed = fault.Note("decision log: closed")

// Recorder makes the records of reads and refusals durable, many in one commit.
type Recorder struct {
	pool   *pgxpool.Pool
	queue  chan waiting
	events chan json.RawMessage // of the security log, beside the queue so that a flood of them refuses nobody
	done   chan struct{}
	stop   chan struct{}
	once   sync.Once
}

type waiting struct {
	record json.RawMessage
	result chan error // has room for the one answer, so that nobody waits for who went away
}

// NewRecorder writes with the role of the service that decides, which may execute audit.append() and nothing else in audit.
func NewRecorder(pool *pgxpool.Pool) *Recorder {
	r := newRecorder(pool)
	go r.run()
	return r
}

func newRecorder(pool *pgxpool.Pool) *Recorder {
	return &Recorder{
		pool: pool, queue: make(chan waiting, maxWaiting), events: make(chan json.RawMessage, maxEvents),
		done: make(chan struct{}), stop: make(chan struct{}),
	}
}

// Append returns when the record is durable.
func (r *Recorder) Append(ctx context.Context, rec Record) error {
	b, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	w := waiting{record: b, result: make(chan error, 1)}
	select {
	case <-r.stop:
		return ErrRecorderClosed
	default:
	}
	select {
	case r.queue <- w:
	default:
		return ErrRecorderFull
	}
	select {
	case err := <-w.result:
		return err
	case <-r.done:
		select {
		case err := <-w.result:
			return err
		default:
			return ErrRecorderClosed
		}
	case <-ctx.Done():
		return ctx.Err() // it may become durable all the same: then the log holds one answer more than was given
	}
}

// Security notes a call that never reached a decision: malformed, or without a
// valid caller. It never blocks and never fails a call.
func (r *Recorder) Security(ctx context.Context, operation, what string) {
	traceID, _ := telemetry.IDs(ctx)
	b, err := json.Marshal(securityEvent{TraceID: traceID, Operation: operation, What: what})
	if err != nil {
		return
	}
	select {
	case r.events <- b:
	default:
	}
}

type securityEvent struct {
	TraceID   string `json:"trace_id"`
	Operation string `json:"operation"`
	What      string `json:"what"`
}

// Close writes what waits and stops.
func (r *Recorder) Close() {
	r.once.Do(func() { close(r.stop) })
	<-r.done
}

func (r *Recorder) run() {
	defer close(r.done)
	for {
		select {
		case w := <-r.queue:
			r.keep(more(w, r.queue))
		case e := <-r.events:
			r.note(more(e, r.events))
		case <-r.stop:
			for len(r.queue) > 0 {
				r.keep(more(<-r.queue, r.queue))
			}
			for len(r.events) > 0 {
				r.note(more(<-r.events, r.events))
			}
			return
		}
	}
}

// more takes what is there, up to a batch. Only one goroutine receives.
func more[T any](first T, from <-chan T) []T {
	batch := []T{first}
	for len(batch) < maxBatch && len(from) > 0 {
		batch = append(batch, <-from)
	}
	return batch
}

// keep writes a batch. One record that cannot be kept does not take the others with
// it: the batch is halved until it stands alone.
func (r *Recorder) keep(batch []waiting) {
	rows := make([]json.RawMessage, len(batch))
	for i, w := range batch {
		rows[i] = w.record
	}
	err := r.exec("select audit.append($1::jsonb)", rows)
	if half := len(batch) / 2; half > 0 && unkeepable(err) {
		r.keep(batch[:half])
		r.keep(batch[half:])
		return
	}
	for _, w := range batch {
		w.result <- err
	}
}

// unkeepable tells whether the database refused what a record holds (SQLSTATE
// classes 22, data, and 23, constraints), and not to keep anything at all.
func unkeepable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23"))
}

func (r *Recorder) note(events []json.RawMessage) {
	_ = r.exec("select audit.append_security($1::jsonb)", events) // best effort, by design
}

func (r *Recorder) exec(sql string, rows []json.RawMessage) error {
	b, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	_, err = r.pool.Exec(ctx, sql, b)
	return err
}
