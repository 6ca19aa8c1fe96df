package anchor_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

const (
	issuer = "http://127.0.0.1:8400"
	noord  = "http://127.0.0.1:8410"
	zuid   = "https://zuid.example"
	admin  = "beheerder"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) advance(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

type bench struct {
	db    *pgtest.DB
	store *anchor.Store
	clock *clock
}

func setup(t *testing.T) bench {
	t.Helper()
	b := bench{db: pgtest.New(t, anchor.Schema()), clock: &clock{now: start}}
	store, err := anchor.NewStore(b.db.Pool("anchor"), issuer, b.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	b.store = store
	return b
}

func newKey(t *testing.T) jose.JSONWebKey {
	t.Helper()
	key, err := members.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (b bench) admit(t *testing.T, id string) {
	t.Helper()
	must(t)(b.store.AddOrganisation(t.Context(), admin, anchor.NewOrganisation{ID: id, Name: "Wijkteam", Kind: members.Wijkteam, Keys: members.Public(newKey(t))}))
}

// must demands that something changed.
func must(t *testing.T) func(anchor.Change, error) anchor.Change {
	return func(c anchor.Change, err error) anchor.Change {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !c.Changed {
			t.Fatal("nothing changed")
		}
		return c
	}
}

func refused(t *testing.T, want string) func(anchor.Change, error) {
	return func(_ anchor.Change, err error) {
		t.Helper()
		if refusal := (*anchor.Refusal)(nil); !errors.As(err, &refusal) || refusal.Code != want {
			t.Errorf("want %s, got %v", want, err)
		}
	}
}

func (b bench) document(t *testing.T) members.Document {
	t.Helper()
	d, err := b.store.Document(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheLifeOfAMember(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.admit(t, noord)
	b.admit(t, zuid)
	must(t)(b.store.AddCircle(ctx, admin, anchor.NewCircle{ID: "schulden", Name: "Schulden"}))
	must(t)(b.store.JoinCircle(ctx, admin, "schulden", noord))
	must(t)(b.store.JoinCircle(ctx, admin, "schulden", zuid))
	must(t)(b.store.GrantMark(ctx, admin, zuid, "lateral-review"))

	d := b.document(t)
	org, _ := d.Organisation(zuid)
	if !d.InCircle("schulden", zuid) || !org.HasMark("lateral-review") || !org.HasMark("member") || org.TokenEndpoint != zuid+"/oauth2/token" || len(org.Keys.Keys) != 1 {
		t.Fatalf("admitted: %+v", org)
	}

	refused(t, "organisation.suspend-first")(b.store.RemoveOrganisation(ctx, admin, zuid))
	must(t)(b.store.SuspendOrganisation(ctx, admin, zuid))
	if b.document(t).InCircle("schulden", zuid) {
		t.Error("suspended, and still in the circle")
	}
	must(t)(b.store.ResumeOrganisation(ctx, admin, zuid))
	if !b.document(t).InCircle("schulden", zuid) {
		t.Error("resumed, and not in the circle")
	}
	must(t)(b.store.SuspendOrganisation(ctx, admin, zuid))
	must(t)(b.store.RemoveOrganisation(ctx, admin, zuid))
	d = b.document(t)
	org, _ = d.Organisation(zuid)
	circle, _ := d.Circle("schulden")
	if org.State != members.Removed || len(org.Keys.Keys) != 0 || len(org.TrustMarks) != 0 || len(circle.Members) != 1 {
		t.Errorf("removed: %+v in %+v", org, circle)
	}
	for _, err := range []func(){
		func() { refused(t, "organisation.removed")(b.store.ResumeOrganisation(ctx, admin, zuid)) },
		func() { refused(t, "organisation.removed")(b.store.GrantMark(ctx, admin, zuid, "member")) },
		func() { refused(t, "organisation.removed")(b.store.JoinCircle(ctx, admin, "schulden", zuid)) },
		func() {
			refused(t, "organisation.removed")(b.store.ReplaceKeys(ctx, admin, zuid, members.Public(newKey(t))))
		},
		func() {
			refused(t, "organisation.removed")(b.store.AddOrganisation(ctx, admin, anchor.NewOrganisation{ID: zuid, Name: "Terug", Kind: members.Wijkteam, Keys: members.Public(newKey(t))}))
		},
	} {
		err()
	}

	must(t)(b.store.SuspendOrganisation(ctx, admin, noord))
	last := must(t)(b.store.RemoveOrganisation(ctx, admin, noord))
	if len(last.Notes) != 1 || last.Notes[0] != (anchor.Note{Code: "circle.empty", Subject: "schulden"}) {
		t.Errorf("notes of the last removal: %+v", last.Notes)
	}
	if d = b.document(t); d.Serial != last.Serial {
		t.Errorf("serial %d, last change %d", d.Serial, last.Serial)
	}
	if _, err := members.Sign(d, newKey(t)); err != nil {
		t.Errorf("a federation of nobody: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.admit(t, noord)
	key := newKey(t)
	fits := anchor.NewOrganisation{ID: zuid, Name: "Zuid", Kind: members.Wijkteam, Keys: members.Public(key)}
	for code, bend := range map[string]func(*anchor.NewOrganisation){
		"organisation.id":       func(n *anchor.NewOrganisation) { n.ID = "http://zuid.example" },
		"organisation.kind":     func(n *anchor.NewOrganisation) { n.Kind = "bank" },
		"organisation.endpoint": func(n *anchor.NewOrganisation) { n.TokenEndpoint = "https://elders.example/token" },
		"organisation.exists":   func(n *anchor.NewOrganisation) { n.ID = noord },
		"name.invalid":          func(n *anchor.NewOrganisation) { n.Name = " " },
		"keys.invalid":          func(n *anchor.NewOrganisation) { n.Keys = jose.JSONWebKeySet{} },
		"keys.private":          func(n *anchor.NewOrganisation) { n.Keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}} },
		"keys.taken":            func(n *anchor.NewOrganisation) { n.Keys = b.document(t).Organisations[0].Keys },
		"mark.unknown":          func(n *anchor.NewOrganisation) { n.TrustMarks = []string{"best"} },
		"mark.kind":             func(n *anchor.NewOrganisation) { n.TrustMarks = []string{"municipality"} },
	} {
		n := fits
		bend(&n)
		refused(t, code)(b.store.AddOrganisation(ctx, admin, n))
	}
	refused(t, "actor.missing")(b.store.AddOrganisation(ctx, "", fits))
	refused(t, "organisation.unknown")(b.store.SuspendOrganisation(ctx, admin, "https://niemand.example"))
	refused(t, "circle.id")(b.store.AddCircle(ctx, admin, anchor.NewCircle{ID: "Een kring", Name: "K"}))
	refused(t, "circle.past")(b.store.AddCircle(ctx, admin, anchor.NewCircle{ID: "k", Name: "K", ValidUntil: start}))
	refused(t, "circle.unknown")(b.store.JoinCircle(ctx, admin, "k", noord))

	must(t)(b.store.AddCircle(ctx, admin, anchor.NewCircle{ID: "k", Name: "K", ValidUntil: start.Add(time.Hour)}))
	refused(t, "circle.exists")(b.store.AddCircle(ctx, admin, anchor.NewCircle{ID: "k", Name: "K"}))
	for i := range members.MaxCircle {
		id := fmt.Sprintf("https://n%d.example", i)
		b.admit(t, id)
		must(t)(b.store.JoinCircle(ctx, admin, "k", id))
	}
	refused(t, "circle.full")(b.store.JoinCircle(ctx, admin, "k", noord))
	b.clock.advance(time.Hour)
	refused(t, "circle.ended")(b.store.LeaveCircle(ctx, admin, "k", "https://n1.example"))
	if c, _ := b.document(t).Circle("k"); c.State != members.CircleEnded {
		t.Errorf("after its end: %+v", c)
	}
}

func TestEveryChangeIsLoggedOnce(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	before := b.document(t).Serial
	b.admit(t, noord)
	must(t)(b.store.SuspendOrganisation(ctx, "jo", noord))
	if again, err := b.store.SuspendOrganisation(ctx, admin, noord); err != nil || again.Changed || again.Serial != before+2 {
		t.Errorf("suspended twice: %+v %v", again, err)
	}
	refused(t, "organisation.exists")(b.store.AddOrganisation(ctx, admin, anchor.NewOrganisation{ID: noord, Name: "N", Kind: members.Wijkteam, Keys: members.Public(newKey(t))}))
	log, err := b.store.Changes(ctx, 10)
	if err != nil || len(log) != 2 {
		t.Fatalf("log: %+v %v", log, err)
	}
	if e := log[0]; e.Serial != before+2 || e.Actor != "jo" || e.Action != "organisation.suspend" || e.Subject != noord || !e.Time.Equal(start) {
		t.Errorf("entry: %+v", e)
	}
	if d := b.document(t); d.Serial != before+2 {
		t.Errorf("serial %d", d.Serial)
	}
}

func TestTheLogIsOnlyAddedTo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.admit(t, noord)
	for _, sql := range []string{`delete from anchor.change`, `update anchor.change set actor = 'x'`, `truncate anchor.change`} {
		if _, err := b.db.Pool("anchor").Exec(t.Context(), sql); err == nil {
			t.Errorf("the service may: %s", sql)
		}
		if _, err := b.db.Admin().Exec(t.Context(), sql); err == nil {
			t.Errorf("the administrator may: %s", sql)
		}
	}
	for _, sql := range []string{`delete from anchor.organisation`, `update anchor.organisation set id = 'x'`, `delete from anchor.serial`} {
		if _, err := b.db.Pool("anchor").Exec(t.Context(), sql); err == nil {
			t.Errorf("the service may: %s", sql)
		}
	}
}

// Changes at the same time come one after the other, each with a serial of its own.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.admit(t, noord)
	before := b.document(t).Serial
	const n = 12
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := b.store.AddCircle(t.Context(), admin, anchor.NewCircle{ID: fmt.Sprintf("k%d", i), Name: "K"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	log, err := b.store.Changes(t.Context(), n)
	if err != nil || len(log) != n || log[0].Serial != before+n || log[n-1].Serial != before+1 {
		t.Errorf("log of %d entries: %v", len(log), err)
	}
}

func TestKeysAreReplaced(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	b.admit(t, noord)
	next := newKey(t)
	must(t)(b.store.ReplaceKeys(ctx, admin, noord, members.Public(next)))
	if again, err := b.store.ReplaceKeys(ctx, admin, noord, members.Public(next)); err != nil || again.Changed {
		t.Errorf("the same keys: %+v %v", again, err)
	}
	if keys := b.document(t).Organisations[0].Keys; len(keys.Keys) != 1 || keys.Keys[0].KeyID != next.KeyID {
		t.Errorf("keys: %+v", keys)
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	b, ctx := setup(t), t.Context()
	key, err := anchor.EnsureKey(filepath.Join(t.TempDir(), "key.json"))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := anchor.NewHandler(b.store, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, etag string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, method, path, nil)
		if etag != "" {
			r.Header.Set("If-None-Match", etag)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	read := func(w *httptest.ResponseRecorder) members.Document {
		t.Helper()
		if w.Code != http.StatusOK {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		d, err := members.Verify(w.Body.String(), issuer, members.Public(key), b.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}

	first := ask("GET", anchor.MembersPath, "")
	d := read(first)
	etag := first.Header().Get("ETag")
	if first.Header().Get("Content-Type") != "application/jwt" || first.Header().Get("Cache-Control") != "max-age=30" || etag == "" {
		t.Errorf("header: %v", first.Header())
	}
	b.clock.advance(29 * time.Second)
	if w := ask("GET", anchor.MembersPath, `"x", W/`+etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("not modified: %d", w.Code)
	}
	if w := ask("GET", anchor.MembersPath, ""); w.Body.String() != first.Body.String() {
		t.Error("signed again within half a minute")
	}
	b.clock.advance(time.Second)
	if again := read(ask("GET", anchor.MembersPath, etag)); again.Serial != d.Serial || !again.IssueTime.After(d.IssueTime) {
		t.Errorf("after half a minute: %+v", again)
	}
	b.admit(t, noord)
	if changed := read(ask("GET", anchor.MembersPath, etag)); changed.Serial <= d.Serial || len(changed.Organisations) != 1 {
		t.Errorf("after a change: %+v", changed)
	}
	if w := ask("HEAD", anchor.MembersPath, ""); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d", w.Code)
	}
	if w := ask("POST", anchor.MembersPath, ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
	if w := ask("GET", "/", ""); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("elsewhere: %d", w.Code)
	}

	gone, err := pgdb.Open(ctx, b.db.DSN("anchor"), pgdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	store, _ := anchor.NewStore(gone, issuer, b.clock.Now)
	handler, _ = anchor.NewHandler(store, key, nil)
	if w := ask("GET", anchor.MembersPath, ""); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "pool") {
		t.Errorf("without a database: %d %s", w.Code, w.Body)
	}
}
