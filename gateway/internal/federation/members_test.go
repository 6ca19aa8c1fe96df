package federation_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/gateway/internal/federation"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// unavailable demands the fault for check.unavailable, and gives when the newest document expired: nil if that is not why.
func unavailable(t *testing.T, f func(context.Context) (members.Document, error)) *time.Time {
	t.Helper()
	d, err := f(t.Context())
	if len(d.Organisations) > 0 || d.Serial != 0 || fault.ReasonOf(err) != faultv1.Reason_REASON_CHECK_UNAVAILABLE {
		t.Fatalf("want check.unavailable, got %v with serial %d", err, d.Serial)
	}
	stale := (*federation.StaleError)(nil)
	if !errors.As(err, &stale) {
		return nil
	}
	return &stale.Expired
}

func TestMembersOfTheAnchor(t *testing.T) {
	t.Parallel()
	a, c := startAnchor(t), &clock{}
	db := node(t)
	m := newMembers(t, db.Pool("gateway"), a.url, members.Public(a.key), c)
	if expired := unavailable(t, m.Current); expired == nil || !expired.IsZero() {
		t.Errorf("before the first document: %v", expired)
	}
	a.admit(noord)
	a.admit(zuid)
	a.do("circle", "add", "--id", "schulden", "--name", "Schulden")
	a.do("circle", "join", "schulden", noord)
	a.do("circle", "join", "schulden", zuid)
	if d, err := m.Fresh(t.Context()); err != nil || !d.InCircle("schulden", noord) || !d.InCircle("schulden", zuid) {
		t.Fatalf("first document: %v", err)
	}

	a.do("member", "suspend", zuid)
	c.move(5 * time.Second)
	d, err := m.Fresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if org, _ := d.Organisation(zuid); org.State != members.Suspended || d.InCircle("schulden", zuid) || len(d.CirclesOf(zuid)) != 0 || !d.InCircle("schulden", noord) {
		t.Errorf("suspended: %+v", org)
	}

	a.kill()
	c.move(time.Minute)
	if err := m.Refresh(t.Context()); err == nil {
		t.Error("refreshed from an anchor that is down")
	}
	if serial(t, m.Fresh) != d.Serial || serial(t, m.Current) != d.Serial {
		t.Error("the anchor is down and the document still valid")
	}
	// A node that starts now has what the table kept.
	started := newMembers(t, db.Pool("gateway"), a.url, members.Public(a.key), c)
	if serial(t, started.Current) != d.Serial {
		t.Error("after a restart")
	}
	c.move(d.ExpireTime.Sub(c.Now()))
	for _, f := range []func(context.Context) (members.Document, error){m.Current, m.Fresh, started.Current, started.Fresh} {
		if expired := unavailable(t, f); expired == nil || !expired.Equal(d.ExpireTime) {
			t.Errorf("expired: %v", expired)
		}
	}

	c.offset = 0
	a.start()
	back := newMembers(t, db.Pool("gateway"), a.url, members.Public(a.key), c)
	if serial(t, back.Fresh) != d.Serial {
		t.Error("the anchor is back")
	}
}

func TestOlderIsRefused(t *testing.T) {
	t.Parallel()
	db, i, key, c := node(t), newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c)
	now := c.Now()
	i.gives(signed(t, key, 5, now))
	if serial(t, m.Fresh) != 5 {
		t.Fatal("first")
	}
	older := signed(t, key, 4, now.Add(time.Second))
	rollback := (*federation.RollbackError)(nil)

	i.gives(older)
	if err := m.Refresh(t.Context()); !errors.As(err, &rollback) || rollback.Have != 5 || rollback.Got != 4 {
		t.Errorf("older serial: %v", err)
	}
	// A process that just started knows from the table what it may not go back from.
	started := newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c)
	if err := started.Refresh(t.Context()); !errors.As(err, &rollback) || serial(t, started.Current) != 5 {
		t.Errorf("older serial after a restart: %v", err)
	}
	// The same serial, signed earlier: kept back, the later one stays.
	i.gives(signed(t, key, 5, now.Add(-time.Minute)))
	if err := m.Refresh(t.Context()); err != nil {
		t.Errorf("same serial, signed earlier: %v", err)
	}
	if d, err := m.Current(t.Context()); err != nil || !d.IssueTime.Equal(now.UTC().Truncate(time.Second)) {
		t.Errorf("after one that was signed earlier: %v %v", d.IssueTime, err)
	}
	// Also when what is known has expired: no answer rather than an old one.
	c.move(11 * time.Minute)
	i.gives(signed(t, key, 4, c.Now()))
	started = newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c)
	if err := started.Refresh(t.Context()); !errors.As(err, &rollback) {
		t.Errorf("older serial after the expiry: %v", err)
	}
	unavailable(t, started.Fresh)
	unavailable(t, m.Current)
	i.gives(signed(t, key, 6, c.Now()))
	if err := m.Refresh(t.Context()); err != nil || serial(t, m.Current) != 6 {
		t.Errorf("a newer one: %v", err)
	}
	if err := started.Refresh(t.Context()); err != nil || serial(t, started.Current) != 6 {
		t.Errorf("a newer one that another process kept already: %v", err)
	}
}

func TestAnswersThatAreNotUsed(t *testing.T) {
	t.Parallel()
	db, i, key, c := node(t), newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, db.Pool("gateway"), i.URL, members.Public(key), c)
	other := newKey(t)
	sameKid := other
	sameKid.KeyID = key.KeyID
	good := signed(t, key, 5, c.Now())
	elsewhere := newImpostor(t)
	elsewhere.gives(good)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	text := func(media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"another key":                   text("application/jwt", signed(t, other, 9, c.Now())),
		"another key with our kid":      text("application/jwt", signed(t, sameKid, 9, c.Now())),
		"expired":                       text("application/jwt", signed(t, key, 9, c.Now().Add(-11*time.Minute))),
		"of the future":                 text("application/jwt", signed(t, key, 9, c.Now().Add(2*time.Minute))),
		"tampered":                      text("application/jwt", good[:len(good)-8]+"AAAAAAAA"),
		"another media type":            text("text/html", good),
		"empty":                         text("application/jwt", ""),
		"too large":                     text("application/jwt", strings.Repeat("a", members.MaxSize+1)),
		"an error":                      status(http.StatusInternalServerError),
		"not modified without a reason": status(http.StatusNotModified),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		},
		"broken off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/jwt")
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write([]byte(good))
		},
		"a header without end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-A", strings.Repeat("a", 64<<10))
		},
	} {
		i.set(answer)
		if err := m.Refresh(t.Context()); err == nil {
			t.Errorf("%s: used", name)
		}
		unavailable(t, m.Current)
	}
	if elsewhere.count() != 0 {
		t.Error("a redirect was followed")
	}
	var rows int
	if err := db.Admin().QueryRow(t.Context(), `select count(*) from gateway.member_document`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d documents kept: %v", rows, err)
	}
}

func TestFreshAsksOnceInFiveSeconds(t *testing.T) {
	t.Parallel()
	i, key, c := newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, node(t).Pool("gateway"), i.URL, members.Public(key), c)
	i.gives(signed(t, key, 5, c.Now()))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := m.Fresh(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if i.count() != 1 {
		t.Errorf("twenty at once asked the anchor %d times", i.count())
	}
	i.gives(signed(t, key, 6, c.Now()))
	c.move(5 * time.Second)
	if serial(t, m.Fresh) != 6 || i.count() != 2 {
		t.Errorf("after five seconds: asked %d times", i.count())
	}
	// An anchor that fails is not asked by every grant either.
	i.set(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	c.move(5 * time.Second)
	for range 3 {
		if serial(t, m.Fresh) != 6 {
			t.Error("fell back to another document")
		}
	}
	if i.count() != 3 {
		t.Errorf("a failing anchor was asked %d times", i.count()-2)
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	i, key, c := newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, node(t).Pool("gateway"), i.URL, members.Public(key), c)
	document := signed(t, key, 5, c.Now())
	i.set(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"five"`)
		if r.Header.Get("If-None-Match") == `"five"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(document))
	})
	for range 2 {
		if err := m.Refresh(t.Context()); err != nil || serial(t, m.Current) != 5 {
			t.Error(err)
		}
	}
	c.move(10 * time.Minute)
	if err := m.Refresh(t.Context()); err != nil {
		t.Error(err)
	}
	unavailable(t, m.Current) // whatever the anchor says, an expired document is expired
}

// A caller that leaves does not wait, and does not take the fetch away from the others.
func TestACallerMayLeave(t *testing.T) {
	t.Parallel()
	i, key, c := newImpostor(t), newKey(t), &clock{}
	m := newMembers(t, node(t).Pool("gateway"), i.URL, members.Public(key), c)
	document := signed(t, key, 5, c.Now())
	asked, release := make(chan struct{}), make(chan struct{})
	i.set(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(document))
	})
	ctx, leave := context.WithCancel(t.Context())
	left, stayed := make(chan error), make(chan error)
	go func() { _, err := m.Fresh(ctx); left <- err }()
	<-asked
	go func() { _, err := m.Fresh(t.Context()); stayed <- err }()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left: %v", err)
	}
	close(release)
	if err := <-stayed; err != nil {
		t.Errorf("stayed: %v", err)
	}
	if i.count() != 1 {
		t.Errorf("asked %d times", i.count())
	}
}

func TestRunRefreshesAtEveryTick(t *testing.T) {
	t.Parallel()
	i, key, c := newImpostor(t), newKey(t), &clock{}
	tick := make(chan time.Time)
	m := newMembers(t, node(t).Pool("gateway"), i.URL, members.Public(key), c, func(config *federation.Config) {
		config.Tick = func(d time.Duration) (<-chan time.Time, func()) {
			if d != 15*time.Second {
				t.Errorf("every %s", d)
			}
			return tick, func() { close(tick) }
		}
	})
	i.gives(signed(t, key, 5, c.Now()))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	tick <- time.Time{} // taken only after the refresh at the start
	i.gives(signed(t, key, 6, c.Now()))
	tick <- time.Time{} // that of the first tick may have come before the new document,
	tick <- time.Time{} // that of the second did not
	if serial(t, m.Current) != 6 {
		t.Error("the ticks brought nothing new")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, open := <-tick; open {
		t.Error("the ticker was not stopped")
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	db, key := node(t), newKey(t)
	for name, bend := range map[string]func(*federation.Config){
		"no pool":          func(c *federation.Config) { c.Pool = nil },
		"plain http":       func(c *federation.Config) { c.URL = "http://anker.example/federation/members" },
		"user in the URL":  func(c *federation.Config) { c.URL = "https://u:p@anker.example/federation/members" },
		"issuer with path": func(c *federation.Config) { c.Issuer += "/" },
		"no keys":          func(c *federation.Config) { c.Keys = jose.JSONWebKeySet{} },
		"a private key":    func(c *federation.Config) { c.Keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}} },
		"too seldom":       func(c *federation.Config) { c.Interval = time.Hour },
	} {
		config := federation.Config{Pool: db.Pool("gateway"), URL: "https://anker.example/federation/members", Issuer: issuer, Keys: members.Public(key)}
		if _, err := federation.NewMembers(config); err != nil {
			t.Fatal(err)
		}
		bend(&config)
		if _, err := federation.NewMembers(config); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
}
