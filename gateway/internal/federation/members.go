// Package federation is a node's side of the federation: it keeps the member document of the trust anchor, so that
// the node knows who takes part, with which keys and in which circles. It never trusts what the anchor's address
// answers, only what the pinned keys signed; it never goes back to an older document; and when it has none that is
// still valid it says so, so that whoever asks refuses.
package federation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

const (
	defaultInterval = 15 * time.Second
	// freshFor is how old the anchor's word may be when a grant is exchanged. A failed attempt counts as well: an
	// anchor that does not answer is asked once in this time and not by every grant.
	freshFor = 5 * time.Second
	// fetchTimeout bounds the anchor's answer, refreshTimeout that and keeping it.
	fetchTimeout   = 4 * time.Second
	refreshTimeout = 6 * time.Second
)

// Config is what Members needs. Pool, URL, Issuer and Keys are required.
type Config struct {
	// Pool is the gateway's own pool; it holds the document.
	Pool *pgxpool.Pool
	// URL of the anchor's member document: https, or http on a loopback address.
	URL string
	// Issuer is the anchor's entity URL.
	Issuer string
	// Keys are the anchor's pinned public keys: the current one, and the next while it rotates.
	Keys jose.JSONWebKeySet
	// Interval of the background refresh; 15 s when zero.
	Interval time.Duration
	// RootCAs and the like of the way to the anchor; nil means the machine's own. Redirects are never followed.
	Transport http.RoundTripper
	// Logger hears of failed refreshes.
	Logger *slog.Logger
	// Now is the clock, Tick what makes Run refresh; nil means the real ones. Tick returns how to stop it.
	Now  func() time.Time
	Tick func(time.Duration) (<-chan time.Time, func())
}

// Members keeps the newest member document. It is safe for concurrent use, and several processes may share a table.
type Members struct {
	Config
	client http.Client
	flight singleflight.Group

	mu     sync.Mutex
	newest *held
	etag   string    // of the newest answer, while newest came from it
	asked  time.Time // start of the last fetch that succeeded, or end of the last that did not
}

// held is a document with the text it came in.
type held struct {
	doc     members.Document
	compact string
}

// newer orders documents: by serial, and of one serial the one that was signed later.
func (h *held) newer(than *held) bool {
	if than == nil {
		return h != nil
	}
	if h == nil {
		return false
	}
	if h.doc.Serial != than.doc.Serial {
		return h.doc.Serial > than.doc.Serial
	}
	return h.doc.IssueTime.After(than.doc.IssueTime)
}

// StaleError says that no valid member document is there: none was ever received, or the newest has expired. It
// comes wrapped in the fault for check.unavailable.
type StaleError struct {
	// Expired is when the newest document did; zero when there is none.
	Expired time.Time
}

func (e *StaleError) Error() string {
	if e.Expired.IsZero() {
		return "federation: no member document was received yet"
	}
	return "federation: the newest member document expired at " + e.Expired.UTC().Format(time.RFC3339)
}

// RollbackError says that the anchor's address answered with a document that is genuine and older than the one that
// is known. It is not used.
type RollbackError struct{ Have, Got int64 }

func (e *RollbackError) Error() string {
	return fmt.Sprintf("federation: refused a member document with serial %d, newer is known with serial %d", e.Got, e.Have)
}

// NewMembers checks the configuration. It reaches neither the anchor nor the database.
func NewMembers(c Config) (*Members, error) {
	if c.Pool == nil {
		return nil, errors.New("federation: Pool is required")
	}
	if err := members.CheckEntityURL(c.Issuer); err != nil {
		return nil, fmt.Errorf("federation: the anchor's issuer: %w", err)
	}
	if err := members.CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("federation: the anchor's address: %w", err)
	}
	if err := members.CheckKeys(c.Keys); err != nil {
		return nil, fmt.Errorf("federation: the anchor's keys: %w", err)
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Interval < time.Second || c.Interval > members.MaxLifetime/2 {
		return nil, fmt.Errorf("federation: refresh every 1s to %s", members.MaxLifetime/2)
	}
	if c.Transport == nil {
		c.Transport = transport()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Tick == nil {
		c.Tick = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return &Members{Config: c, client: http.Client{
		Transport:     c.Transport,
		Timeout:       fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Run refreshes at once and then at every tick until ctx ends.
func (m *Members) Run(ctx context.Context) error {
	tick, stop := m.Tick(m.Interval)
	defer stop()
	for {
		if err := m.Refresh(ctx); err != nil && ctx.Err() == nil {
			m.Logger.WarnContext(ctx, "federation: the member document was not refreshed", "cause", telemetry.Safe(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

// Current gives the newest document. Its error is a fault with the reason for check.unavailable: no answer about
// members means no access. It does not go to the anchor.
func (m *Members) Current(ctx context.Context) (members.Document, error) {
	m.mu.Lock()
	newest := m.newest
	m.mu.Unlock()
	if newest != nil && m.Now().Before(newest.doc.ExpireTime) {
		return newest.doc, nil
	}
	// After a start, or when another process reaches the anchor and this one does not.
	row, err := m.load(ctx)
	if err != nil {
		return members.Document{}, fault.Unavailable(fmt.Errorf("federation: read the member document: %w", err))
	}
	if row.held != nil {
		m.adopt(row.held, "")
		return m.valid(row.held)
	}
	if newest != nil && newest.doc.ExpireTime.After(row.expired) {
		row.expired = newest.doc.ExpireTime
	}
	return members.Document{}, fault.Unavailable(&StaleError{Expired: row.expired})
}

// valid asks the clock once more: reading took time, and another process may have been faster.
func (m *Members) valid(h *held) (members.Document, error) {
	m.mu.Lock()
	if m.newest.newer(h) {
		h = m.newest
	}
	m.mu.Unlock()
	if !m.Now().Before(h.doc.ExpireTime) {
		return members.Document{}, fault.Unavailable(&StaleError{Expired: h.doc.ExpireTime})
	}
	return h.doc, nil
}

// Fresh is Current after asking the anchor, unless that was done in the last five seconds. Whoever exchanges a grant
// uses it, so that a member who is suspended is out at the next grant. When the anchor gives no usable answer, a
// document that is still valid serves.
func (m *Members) Fresh(ctx context.Context) (members.Document, error) {
	m.mu.Lock()
	age := m.Now().Sub(m.asked)
	m.mu.Unlock()
	if age < 0 || age >= freshFor {
		if err := m.Refresh(ctx); err != nil {
			if ctx.Err() != nil {
				return members.Document{}, ctx.Err()
			}
			m.Logger.WarnContext(ctx, "federation: the member document was not refreshed", "cause", telemetry.Safe(err))
		}
	}
	return m.Current(ctx)
}

// Refresh asks the anchor now. Calls at the same time share one fetch, which goes on when a caller leaves.
func (m *Members) Refresh(ctx context.Context) error {
	done := m.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refreshTimeout)
		defer cancel()
		start := m.Now()
		err := m.refresh(ctx)
		asked := start
		if err != nil {
			// Another process may know more than the anchor's address tells this one.
			if row, readErr := m.load(ctx); readErr == nil && row.held != nil {
				m.adopt(row.held, "")
			}
			asked = m.Now()
		}
		m.mu.Lock()
		m.asked = asked
		m.mu.Unlock()
		return nil, err
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case r := <-done:
		return r.Err
	}
}

func (m *Members) refresh(ctx context.Context) error {
	m.mu.Lock()
	newest, etag := m.newest, m.etag
	m.mu.Unlock()

	compact, etag, err := m.fetch(ctx, etag)
	if err != nil || compact == "" {
		return err // an empty text: nothing new
	}
	doc, err := members.Verify(compact, m.Issuer, m.Keys, m.Now())
	if err != nil {
		return fmt.Errorf("federation: the anchor's answer is not used: %w", err)
	}
	got := &held{doc: doc, compact: compact}
	if newest != nil && doc.Serial < newest.doc.Serial {
		return &RollbackError{Have: newest.doc.Serial, Got: doc.Serial}
	}
	serial, err := m.save(ctx, got)
	if err != nil {
		return fmt.Errorf("federation: keep the member document: %w", err)
	}
	if serial > doc.Serial {
		return &RollbackError{Have: serial, Got: doc.Serial}
	}
	m.adopt(got, etag)
	return nil
}

// adopt makes h the newest document unless a newer one is there.
func (m *Members) adopt(h *held, etag string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if h.newer(m.newest) {
		m.newest, m.etag = h, etag
	}
}
