package account_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
)

func TestRedeemOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna", account.Professional, account.Reviewer)
	session, cookie, err := b.Redeem(t.Context(), link.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if session.AccountID != link.AccountID || session.Unit != "team noord" || strings.Join(session.Roles, " ") != "professional reviewer" ||
		session.ACR != account.ACROneTimeLink || !session.ExpireTime.Equal(b.clock.Now().Add(account.Lifetime)) {
		t.Errorf("session %+v", session)
	}
	if cookie == link.Secret {
		t.Error("the cookie is the link's secret")
	}
	seen, err := b.Lookup(t.Context(), cookie)
	if err != nil {
		t.Fatal(err)
	}
	if seen.AccountID != session.AccountID || !seen.ExpireTime.Equal(session.ExpireTime) || seen.ACR != session.ACR {
		t.Errorf("looked up %+v, began %+v", seen, session)
	}
	if _, _, err := b.Redeem(t.Context(), link.Secret); !errors.Is(err, account.ErrLink) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := b.Lookup(t.Context(), link.Secret); !errors.Is(err, account.ErrSession) {
		t.Errorf("the link's secret as a cookie: %v", err)
	}
}

func TestRedeemAtTheSameTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna")
	const attempts = 40
	results := make([]error, attempts)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range attempts {
		wg.Go(func() {
			<-start
			_, _, results[i] = b.Redeem(t.Context(), link.Secret)
		})
	}
	close(start)
	wg.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, account.ErrLink):
			t.Error(err)
		}
	}
	var sessions int
	if err := b.db.Admin().QueryRow(t.Context(), `select count(*) from gateway.session`).Scan(&sessions); err != nil {
		t.Fatal(err)
	}
	if won != 1 || sessions != 1 {
		t.Errorf("%d of %d attempts won and %d sessions began", won, attempts, sessions)
	}
}

// TestLinksThatDoNotWork wants one and the same error, whatever is the matter.
func TestLinksThatDoNotWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	used, expired, replaced := b.invite(t, "Anna"), b.invite(t, "Bram"), b.invite(t, "Cas")
	b.signIn(t, used)
	b.clock.advance(71 * time.Hour)
	valid := b.invite(t, "Dirk")
	again, err := b.NewLink(t.Context(), replaced.AccountID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Hour) // the first links end at this very moment, and so does again
	for name, secret := range map[string]string{
		"used":             used.Secret,
		"expired":          expired.Secret,
		"replaced":         replaced.Secret,
		"at its last":      again.Secret,
		"unknown":          strings.Repeat("A", 43),
		"empty":            "",
		"too long":         valid.Secret + "A",
		"too short":        valid.Secret[:42],
		"not base64url":    strings.Repeat("+", 43),
		"another spelling": valid.Secret[:42] + nextSpelling(valid.Secret[42]),
		"with a line end":  valid.Secret[:41] + "\n\n",
		"a megabyte":       strings.Repeat("A", 1<<20),
		"with a zero byte": valid.Secret[:42] + "\x00",
	} {
		if _, _, err := b.Redeem(t.Context(), secret); err != account.ErrLink { //nolint:errorlint // the very same error, without anything around it
			t.Errorf("%s: %v", name, err)
		}
	}
	b.signIn(t, valid)
}

// nextSpelling is a last letter that a lax decoder would read as the same bytes.
func nextSpelling(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)+1])
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		visits []time.Duration // each after the one before
		want   bool            // whether the last visit finds the session
	}{
		"used now and then":      {[]time.Duration{4 * time.Hour, 4 * time.Hour, 3*time.Hour + 59*time.Minute}, true},
		"twelve hours old":       {[]time.Duration{4 * time.Hour, 4 * time.Hour, 4 * time.Hour}, false},
		"just not idle":          {[]time.Duration{8*time.Hour - time.Second}, true},
		"idle for eight hours":   {[]time.Duration{8 * time.Hour}, false},
		"idle after use":         {[]time.Duration{time.Hour, 8 * time.Hour}, false},
		"idle time starts again": {[]time.Duration{time.Hour, 8*time.Hour - time.Second}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			cookie := b.signIn(t, b.invite(t, "Anna"))
			for n, d := range tc.visits {
				b.clock.advance(d)
				_, err := b.Lookup(t.Context(), cookie)
				if last := n == len(tc.visits)-1; !last && err != nil {
					t.Fatal(err)
				} else if last && (err == nil) != tc.want {
					t.Errorf("found: %v, want %v (%v)", err == nil, tc.want, err)
				} else if err != nil && !errors.Is(err, account.ErrSession) {
					t.Error(err)
				}
			}
		})
	}
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna")
	here := b.signIn(t, link)
	second, err := b.NewLink(t.Context(), link.AccountID, 0)
	if err != nil {
		t.Fatal(err)
	}
	there := b.signIn(t, second)
	for _, cookie := range []string{here, here, "", "x"} {
		if err := b.End(t.Context(), cookie); err != nil {
			t.Errorf("end %q: %v", cookie, err)
		}
	}
	if _, err := b.Lookup(t.Context(), here); !errors.Is(err, account.ErrSession) {
		t.Errorf("after signing out: %v", err)
	}
	if _, err := b.Lookup(t.Context(), there); err != nil {
		t.Errorf("the other device: %v", err)
	}
}

// TestUseIsWrittenOnceAMinute reads the row's version: a look-up that writes nothing leaves it.
func TestUseIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookie := b.signIn(t, b.invite(t, "Anna"))
	version := func() (v string) {
		t.Helper()
		if _, err := b.Lookup(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		if err := b.db.Admin().QueryRow(t.Context(), `select xmin || ' ' || ctid::text from gateway.session`).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := version()
	b.clock.advance(59 * time.Second)
	if version() != first {
		t.Error("written within the minute")
	}
	b.clock.advance(time.Second)
	second := version()
	if second == first {
		t.Error("not written after a minute")
	}
	if version() != second {
		t.Error("written twice in a minute")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cookie := b.signIn(t, b.invite(t, "Anna"))
	b.invite(t, "Bram")
	b.clock.advance(account.IdleTimeout - time.Second)
	if n, err := b.Sweep(t.Context()); err != nil || n != 0 {
		t.Errorf("swept %d, %v", n, err)
	}
	if _, err := b.Lookup(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(80 * time.Hour)
	last := b.invite(t, "Cas")
	if n, err := b.Sweep(t.Context()); err != nil || n != 3 {
		t.Errorf("swept %d, %v; want a session and two links", n, err)
	}
	b.signIn(t, last)
}

// TestDatabaseAway wants neither "wrong link" nor "signed out" when the answer cannot be known.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	link := b.invite(t, "Anna")
	cookie := b.signIn(t, link)
	b.Pool.Close()
	if _, err := b.Lookup(t.Context(), cookie); err == nil || errors.Is(err, account.ErrSession) {
		t.Errorf("look up: %v", err)
	}
	if _, _, err := b.Redeem(t.Context(), link.Secret); err == nil || errors.Is(err, account.ErrLink) {
		t.Errorf("redeem: %v", err)
	}
	if _, err := b.Find(t.Context(), link.AccountID); err == nil || errors.Is(err, account.ErrNotFound) {
		t.Errorf("find: %v", err)
	}
}

// Every request of a person pays this.
func BenchmarkLookup(b *testing.B) {
	s := setup(b)
	cookie := s.signIn(b, s.invite(b, "Anna"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Lookup(b.Context(), cookie); err != nil {
			b.Fatal(err)
		}
	}
}
