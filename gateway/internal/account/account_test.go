package account_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

// clock stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type bundle struct {
	*account.Store
	clock *clock
	db    *pgtest.DB
}

// setup gives accounts in a database of their own, reached as the gateway's role.
func setup(t testing.TB) bundle {
	t.Helper()
	db := pgtest.New(t, pgdb.Schema{Name: "gateway", Login: true, Migrations: os.DirFS("../../migrations")})
	master, err := keys.Create(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := &clock{now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	return bundle{&account.Store{Pool: db.Pool("gateway"), Keys: master, Now: c.Now}, c, db}
}

func (b bundle) invite(t testing.TB, name string, roles ...string) account.Link {
	t.Helper()
	if len(roles) == 0 {
		roles = []string{account.Professional}
	}
	link, err := b.Invite(t.Context(), account.Invitation{Name: name, Unit: "team noord", Roles: roles})
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func (b bundle) signIn(t testing.TB, link account.Link) string {
	t.Helper()
	_, cookie, err := b.Redeem(t.Context(), link.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

func TestInviteAndFind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link, err := b.Invite(t.Context(), account.Invitation{
		Name: "  Anna de Vries ", Unit: "team noord", Roles: []string{account.Professional, account.PrivacyOfficer},
	})
	if err != nil {
		t.Fatal(err)
	}
	if id, err := uuid.Parse(link.AccountID); err != nil || id.Version() != 7 {
		t.Errorf("id %q", link.AccountID)
	}
	if want := b.clock.Now().Add(72 * time.Hour); !link.ExpireTime.Equal(want) {
		t.Errorf("valid until %s, want %s", link.ExpireTime, want)
	}
	got, err := b.Find(t.Context(), link.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	want := account.Account{
		ID: link.AccountID, Name: "Anna de Vries", Unit: "team noord",
		Roles: []string{account.Professional, account.PrivacyOfficer}, CreateTime: b.clock.Now(),
	}
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		t.Errorf("found %#v\nwant  %#v", got, want)
	}
	for _, id := range []string{"", "x", uuid.Nil.String(), "' or true --"} {
		if _, err := b.Find(t.Context(), id); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("find %q: %v", id, err)
		}
	}
}

func TestInviteRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := account.Invitation{Name: "Anna", Unit: "noord", Roles: []string{account.Professional}}
	for name, tc := range map[string]struct {
		change func(*account.Invitation)
		field  string
	}{
		"no name":              {func(i *account.Invitation) { i.Name = " " }, "name"},
		"a name of 201":        {func(i *account.Invitation) { i.Name = strings.Repeat("é", 201) }, "name"},
		"a name of two lines":  {func(i *account.Invitation) { i.Name = "Anna\nadmin" }, "name"},
		"a name that is bytes": {func(i *account.Invitation) { i.Name = "Anna\xff" }, "name"},
		"a name that colours":  {func(i *account.Invitation) { i.Name = "\x1b[31mAnna" }, "name"},
		"no unit":              {func(i *account.Invitation) { i.Unit = "" }, "unit"},
		"a unit of 101":        {func(i *account.Invitation) { i.Unit = strings.Repeat("a", 101) }, "unit"},
		"no role":              {func(i *account.Invitation) { i.Roles = nil }, "roles"},
		"an unknown role":      {func(i *account.Invitation) { i.Roles = []string{"manager"} }, "roles"},
		"a role twice":         {func(i *account.Invitation) { i.Roles = []string{"reviewer", "reviewer"} }, "roles"},
		"valid too long":       {func(i *account.Invitation) { i.ValidFor = 31 * 24 * time.Hour }, "validity"},
		"valid before now":     {func(i *account.Invitation) { i.ValidFor = -time.Hour }, "validity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := good
			tc.change(&i)
			var invalid *account.InvalidError
			if _, err := b.Invite(t.Context(), i); !errors.As(err, &invalid) || invalid.Field != tc.field {
				t.Errorf("got %v, want a fault in %s", err, tc.field)
			}
		})
	}
	t.Run("and nothing was made", func(t *testing.T) {
		if all, err := b.List(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("%d accounts, %v", len(all), err)
		}
	})
}

func TestListsAreByName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.invite(t, "youssef")
	b.invite(t, "Anna", account.Reviewer)
	b.invite(t, "Olga", account.Operator, account.FederationAdministrator)
	gone := b.invite(t, "Bram")
	if err := b.CloseAccount(t.Context(), gone.AccountID); err != nil {
		t.Fatal(err)
	}
	names := func(all []account.Account, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, a := range all {
			s = append(s, a.Name)
		}
		return strings.Join(s, " ")
	}
	if got := names(b.List(t.Context())); got != "Anna Bram Olga youssef" {
		t.Errorf("all: %s", got)
	}
	if got := names(b.ListColleagues(t.Context())); got != "Anna youssef" {
		t.Errorf("colleagues: %s", got)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.invite(t, "Anna")
	cookie := b.signIn(t, first)
	second, err := b.NewLink(t.Context(), first.AccountID, 0)
	if err != nil {
		t.Fatal(err)
	}
	closed := b.clock.Now()
	for range 2 {
		if err := b.CloseAccount(t.Context(), first.AccountID); err != nil {
			t.Fatal(err)
		}
		b.clock.advance(time.Hour)
	}
	if a, err := b.Find(t.Context(), first.AccountID); err != nil || !a.Closed() || !a.CloseTime.Equal(closed) {
		t.Errorf("found %#v, %v", a, err)
	}
	if _, err := b.Lookup(t.Context(), cookie); !errors.Is(err, account.ErrSession) {
		t.Errorf("the session goes on: %v", err)
	}
	if _, _, err := b.Redeem(t.Context(), second.Secret); !errors.Is(err, account.ErrLink) {
		t.Errorf("the link works: %v", err)
	}
	if _, err := b.NewLink(t.Context(), first.AccountID, 0); !errors.Is(err, account.ErrNotFound) {
		t.Errorf("a new link: %v", err)
	}
	for _, id := range []string{uuid.Nil.String(), "x"} {
		if err := b.CloseAccount(t.Context(), id); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("close %q: %v", id, err)
		}
		if _, err := b.NewLink(t.Context(), id, 0); !errors.Is(err, account.ErrNotFound) {
			t.Errorf("link for %q: %v", id, err)
		}
	}
}

// TestNothingReadableIsStored reads the tables as the administrator does and looks for what must not be there.
func TestNothingReadableIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna de Vries")
	cookie := b.signIn(t, link)
	unused := b.invite(t, "Bram Bakker")
	for _, table := range []string{"account", "sign_in_link", "session"} {
		var all []byte
		err := b.db.Admin().QueryRow(t.Context(), `select coalesce(string_agg(convert_to(t::text, 'UTF8'), '\x0a'), '')
			|| coalesce((select string_agg(name_sealed, '') from gateway.account), '') from gateway.`+table+` t`).Scan(&all)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			t.Fatalf("%s is empty", table)
		}
		for _, secret := range []string{"Anna", "Vries", "Bakker", link.Secret, unused.Secret, cookie} {
			if bytes.Contains(all, []byte(secret)) || bytes.Contains(all, []byte(fmt.Sprintf("%x", secret))) {
				t.Errorf("%s holds a name or a secret", table)
			}
		}
	}
}

func TestNameBelongsToItsRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	anna, bram := b.invite(t, "Anna"), b.invite(t, "Bram")
	_, err := b.db.Admin().Exec(t.Context(), `update gateway.account set (name_sealed, key_wrapped) =
		(select name_sealed, key_wrapped from gateway.account where id = $2) where id = $1`, anna.AccountID, bram.AccountID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Find(t.Context(), anna.AccountID); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("a name that was moved: %v", err)
	}
}

func TestNothingReachesALog(t *testing.T) {
	t.Parallel()
	a := account.Account{ID: "0199", Name: "Anna de Vries"}
	l := account.Link{AccountID: "0199", Secret: "geheim"}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "account", a, "link", l)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "account", a, "link", l)
	fmt.Fprintf(&out, "%v %+v %s %v %+v %s", a, a, a, l, l, l)
	for _, word := range []string{"Anna", "Vries", "geheim"} {
		if strings.Contains(out.String(), word) {
			t.Errorf("%s is in %s", word, out.String())
		}
	}
}

// TestGrants proves what the gateway's role can and cannot do to these tables.
func TestGrants(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna")
	b.signIn(t, link)
	for _, sql := range []string{
		`delete from gateway.account`,
		`update gateway.account set roles = '{operator}'`,
		`update gateway.account set unit = 'zuid'`,
		`update gateway.sign_in_link set expire_time = 'infinity'`,
		`update gateway.sign_in_link set account_id = account_id`,
		`update gateway.session set expire_time = 'infinity'`,
		`update gateway.session set account_id = account_id`,
		`truncate gateway.session`,
	} {
		if _, err := b.Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if !slices.Equal(account.Roles, []string{"professional", "reviewer", "privacy-officer", "federation-administrator", "operator"}) {
		t.Error("roles are data that others store: do not rename them")
	}
}
