package gateway

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func (n *node) link(t *testing.T) string {
	t.Helper()
	l, err := n.accounts.Invite(t.Context(), Invitation{Name: "Jannetje Kanarie", Unit: "team-oost", Roles: []string{"professional"}})
	must(t, err)
	return l.Secret
}

func (n *node) signInWith(t *testing.T, secret string, options ...option) answer {
	t.Helper()
	return n.do(t, http.MethodPost, "/api/v1/sessions", `{"secret":"`+secret+`"}`, options...)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	secret := n.link(t)
	n.signInWith(t, secret).wants(t, 403, "origin-mismatch")
	n.signInWith(t, secret, header("Origin", "https://kwaad.example")).wants(t, 403, "origin-mismatch")
	a := n.signInWith(t, secret, n.here())
	a.wantsOK(t)
	set := a.header.Get("Set-Cookie")
	for _, part := range []string{n.cookieName() + "=", "; Path=/", "; Expires=", "; HttpOnly", "; SameSite=Strict"} {
		if !strings.Contains(set, part) {
			t.Errorf("cookie %q lacks %q", set, part)
		}
	}
	if strings.Contains(set, "Domain") || strings.Contains(a.raw, secret) {
		t.Errorf("cookie %q, answer %s", set, a.raw)
	}
	for name, wrong := range map[string]string{"used": secret, "unknown": strings.Repeat("A", 43), "short": "x", "empty": "", "NUL": `\u0000`} {
		t.Run(name, func(t *testing.T) {
			a := n.signInWith(t, wrong, n.here())
			a.wants(t, 401, "unauthenticated")
			if a.header.Get("Set-Cookie") != "" {
				t.Error("a cookie")
			}
		})
	}
	late := n.link(t)
	n.clock.move(73 * time.Hour)
	n.refresh()
	n.signInWith(t, late, n.here()).wants(t, 401, "unauthenticated")
}

func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	n.signIns.Burst = 100
	secret := n.link(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			switch a := n.signInWith(t, secret, n.here()); a.status {
			case http.StatusOK:
				won.Add(1)
			case http.StatusUnauthorized:
			default:
				t.Errorf("answered %d %s", a.status, a.raw)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d signed in", won.Load())
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	secret := n.link(t)
	for range 20 {
		n.signInWith(t, "x", n.here()).wants(t, 401, "unauthenticated")
	}
	n.signInWith(t, secret, n.here()).wants(t, 429, "too-many-requests")
	n.signInWith(t, secret, n.here(), header("X-Forwarded-For", "9.9.9.9")).wants(t, 429, "too-many-requests")
	n.clock.move(6 * time.Second)
	n.signInWith(t, secret, n.here()).wantsOK(t)
}

func TestSignOut(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	out := func(options ...option) answer {
		return n.do(t, http.MethodDelete, "/api/v1/sessions/current", "", options...)
	}
	out(n.cookie(p.session)).wants(t, 403, "origin-mismatch")
	out(n.cookie(p.session), header("Sec-Fetch-Site", "cross-site")).wants(t, 403, "origin-mismatch")
	n.do(t, http.MethodGet, "/api/v1/sessions/current", "", n.as(p.session)).wantsOK(t)
	a := out(n.as(p.session))
	a.wantsOK(t)
	if set := a.header.Get("Set-Cookie"); !strings.Contains(set, n.cookieName()+"=;") || !strings.Contains(set, "Max-Age=0") {
		t.Errorf("cookie %q", set)
	}
	n.do(t, http.MethodGet, "/api/v1/sessions/current", "", n.as(p.session)).wants(t, 401, "unauthenticated")
	out(n.as(p.session)).wantsOK(t) // again changes nothing
	out(n.here()).wantsOK(t)
}

// Over https the cookie has the name that browsers tie to its attributes, also when it ends.
func TestCookieOverHTTPS(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	g := *n.Gateway
	g.EntityURL = "https://noord.example"
	for _, value := range []string{"waarde", ""} {
		h := http.Header{}
		g.setCookie(headerWriter{h}, value, time.Time{})
		set := h.Get("Set-Cookie")
		for _, part := range []string{"__Host-zijlicht=" + value, "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"} {
			if !strings.Contains(set, part) {
				t.Errorf("cookie %q lacks %q", set, part)
			}
		}
	}
}

type headerWriter struct{ h http.Header }

func (w headerWriter) Header() http.Header         { return w.h }
func (w headerWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w headerWriter) WriteHeader(int)             {}

func TestOpenAPIDocument(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	const path = "/api/v1/openapi.json"
	a := n.do(t, http.MethodGet, path, "", header("Origin", "https://elders.example"))
	a.wantsOK(t)
	if a.header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(a.raw, `"openapi"`) {
		t.Errorf("%v", a.header)
	}
	if a := n.do(t, http.MethodHead, path, ""); a.status != 200 || a.raw != "" {
		t.Errorf("HEAD: %d", a.status)
	}
	a = n.do(t, http.MethodOptions, path, "", header("Origin", "https://elders.example"), header("Access-Control-Request-Method", "GET"))
	a.covered(t)
	if a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("Access-Control-Allow-Methods") != "GET, HEAD" ||
		a.header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight %d %v", a.status, a.header)
	}
	// The rest of the API is closed to other origins.
	a = n.do(t, http.MethodOptions, "/api/v1/cases", "", header("Origin", "https://elders.example"), header("Access-Control-Request-Method", "POST"))
	a.wants(t, 405, "invalid-argument")
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s on the API", name)
		}
	}
}
