package oauth

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

// RFC 9449 §4.3: htu is compared after the normalisation of RFC 3986 §6.2.2 and §6.2.3, without query and fragment.
func TestSameURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://noord.example/a", "https://noord.example/a", true},
		{"HTTPS://Noord.Example:443/a?x=1#y", "https://noord.example/a", true},
		{"http://127.0.0.1:8410", "http://127.0.0.1:8410/", true},
		{"https://noord.example/A", "https://noord.example/a", false},
		{"https://noord.example/a/", "https://noord.example/a", false},
		{"https://noord.example/a%2Fb", "https://noord.example/a/b", false},
		{"http://noord.example/a", "https://noord.example/a", false},
		{"https://noord.example:8443/a", "https://noord.example/a", false},
		{"https://u@noord.example/a", "https://noord.example/a", false},
		{"/a", "/a", false},
		{"", "", false},
		{"https://noord.example/a", "%zz", false},
	} {
		if sameURL(c.a, c.b) != c.same {
			t.Errorf("sameURL(%q, %q) is %v", c.a, c.b, !c.same)
		}
	}
}

// Two different (issuer, sub) pairs never make one subject, whatever a peer puts into its sub.
func TestChainedSubjectIsInjective(t *testing.T) {
	t.Parallel()
	issuer := rapid.StringMatching(`https://[a-z|.]{1,4}\.nl`)
	rapid.Check(t, func(t *rapid.T) {
		i, j := issuer.Draw(t, "i"), issuer.Draw(t, "j")
		a, b := rapid.StringMatching(`[a|.:/]{1,6}`).Draw(t, "a"), rapid.StringMatching(`[a|.:/]{1,6}`).Draw(t, "b")
		if checkOrigin(i) != nil || checkOrigin(j) != nil {
			t.Skip("not an issuer")
		}
		if chainedSubject(i, a) == chainedSubject(j, b) && (i != j || a != b) {
			t.Fatalf("(%q, %q) and (%q, %q) collide", i, a, j, b)
		}
	})
}

// Granted scopes are never more than what was asked, than the grant holds, or than the peer is allowed.
func TestChainScopesNeverWiden(t *testing.T) {
	t.Parallel()
	some := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "a:b", "ab"}), rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		asked, held, allowed := some.Draw(t, "asked"), some.Draw(t, "held"), some.Draw(t, "allowed")
		granted, err := chainScopes(strings.Join(asked, " "), strings.Join(held, " "), allowed)
		if err != nil {
			return
		}
		if len(granted) == 0 || !within(granted, held) || !within(granted, allowed) || len(asked) > 0 && !within(granted, asked) {
			t.Fatalf("granted %v of asked %v, held %v, allowed %v", granted, asked, held, allowed)
		}
	})
}

// A proof's row is written without waiting for the disk, the others with; the setting ends with the statement.
func TestOnlyProofsSkipTheDisk(t *testing.T) {
	t.Parallel()
	sql, err := os.ReadFile("../../migrations/0001_oauth.sql")
	if err != nil {
		t.Fatal(err)
	}
	db := pgtest.New(t, pgdb.Schema{Name: "gateway", Login: true, Migrations: fstest.MapFS{"0001_oauth.sql": {Data: sql}}})
	conn, err := db.Pool("gateway").Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if _, err := conn.Exec(t.Context(), `set synchronous_commit = on`); err != nil {
		t.Fatal(err)
	}
	const seen = ` returning current_setting('synchronous_commit')`
	for _, c := range []struct{ query, kind, want string }{
		{spendQuick, kindProof, "off"}, {spendDurable, kindGrant, "on"}, {spendDurable, kindClient, "on"},
	} {
		var got string
		err := conn.QueryRow(t.Context(), c.query+seen, c.kind, "issuer", strings.Repeat("x", 22), time.Unix(2e9, 0)).Scan(&got)
		if err != nil || got != c.want {
			t.Errorf("%s: synchronous_commit %q, want %q (%v)", c.kind, got, c.want, err)
		}
	}
}

// A stranger's header neither crashes the parser nor becomes a signed message.
func FuzzParse(f *testing.F) {
	key, err := NewSigningKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := signWith(key.jwk, true, typProof, proofClaims{ID: "x"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("a.b.c")
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, raw string) {
		m, bad := parse(raw, accepted...)
		if (bad == nil) == (m.token == nil) {
			t.Fatal("neither a message nor a flaw")
		}
		if bad == nil && m.jwk != nil && fits(*m.jwk, m.alg) {
			var c proofClaims
			_ = m.verifyWith(*m.jwk, &c)
		}
	})
}

// A form gives one value per parameter or a refusal.
func FuzzReadForm(f *testing.F) {
	f.Add("grant_type=x&scope=a+b")
	f.Add("a=1&a=2")
	f.Add("%zz")
	f.Fuzz(func(t *testing.T, body string) {
		r, _ := http.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		form, refusal := readForm(nil, r)
		if (form == nil) == (refusal == nil) {
			t.Fatal("neither a form nor a refusal")
		}
		for name, values := range form {
			if len(values) != 1 || values[0] == "" {
				t.Fatalf("%q has %d values", name, len(values))
			}
		}
	})
}

// The URL checks hold for whatever a member document or a message may say.
func FuzzSecureURL(f *testing.F) {
	f.Add("http://127.0.0.1:8410/a")
	f.Add("http://[::1]/")
	f.Add("http://127.0.0.1.evil.example/")
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.Parse(raw)
		if err != nil || secureURL(u) != nil {
			return
		}
		if u.Scheme != "https" && !strings.HasPrefix(u.Hostname(), "127.") && !strings.Contains(u.Hostname(), ":") {
			t.Fatalf("%q may carry a token", raw)
		}
	})
}
