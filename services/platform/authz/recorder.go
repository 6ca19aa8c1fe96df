package authz

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Limits of a batch. A record waits at most for the batch before its own: under
// load many share one commit, and alone none waits.
const (
	maxBatch      = 256
	maxWaiting    = 4096
	appendTimeout = 5 * time.Second
)

// ErrRecorderFull says that records arrive faster than they can be kept. The answer is a refusal.
var ErrRecorderFull = errors.New("decision log: too many records are waiting")

// ErrRecorderClosed says that the process is stopping.
var ErrRecorderClosed = errors.New("decision log: closed")

// Recorder makes the records of reads and refusals durable, many in one commit.
type Recorder struct {
	pool  *pgxpool.Pool
	queue chan waiting
	done  chan struct{}
	stop  chan struct{}
	once  sync.Once
}

type waiting struct {
	record any
	result chan error // nil for security events, that nobody waits for
}

// NewRecorder writes with the role of the service that decides, which may execute audit.append() and nothing else in audit.
func NewRecorder(pool *pgxpool.Pool) *Recorder {
	r := &Recorder{pool: pool, queue: make(chan waiting, maxWaiting), done: make(chan struct{}), stop: make(chan struct{})}
	go r.run()
	return r
}

// Append returns when the record is durable.
func (r *Recorder) Append(ctx context.Context, rec Record) error {
	w := waiting{record: rec, result: make(chan error, 1)}
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
	select {
	case r.queue <- waiting{record: securityEvent{TraceID: traceID, Operation: operation, What: what}}:
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
			r.write(r.collect(w))
		case <-r.stop:
			for {
				select {
				case w := <-r.queue:
					r.write(r.collect(w))
				default:
					return
				}
			}
		}
	}
}

func (r *Recorder) collect(first waiting) []waiting {
	batch := []waiting{first}
	for len(batch) < maxBatch {
		select {
		case w := <-r.queue:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

func (r *Recorder) write(batch []waiting) {
	var records, events []any
	for _, w := range batch {
		if w.result == nil {
			events = append(events, w.record)
		} else {
			records = append(records, w.record)
		}
	}
	if len(events) > 0 {
		_ = r.exec("select audit.append_security($1::jsonb)", events) // best effort, by design
	}
	if len(records) == 0 {
		return
	}
	err := r.exec("select audit.append($1::jsonb)", records)
	if err != nil && len(records) > 1 {
		// One record that cannot be kept must not take the others with it.
		for _, w := range batch {
			if w.result != nil {
				w.result <- r.exec("select audit.append($1::jsonb)", []any{w.record})
			}
		}
		return
	}
	for _, w := range batch {
		if w.result != nil {
			w.result <- err
		}
	}
}

func (r *Recorder) exec(sql string, rows []any) error {
	b, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), appendTimeout)
	defer cancel()
	_, err = r.pool.Exec(ctx, sql, b)
	return err
}
