package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// answer of a node.
type answer struct {
	status  int
	header  http.Header
	raw     string
	problem Problem
}

type option func(*http.Request)

func header(name, value string) option {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

// here says that the request comes from a page of the node.
func (n *node) here() option { return header("Origin", n.url) }

func (n *node) cookie(value string) option { return header("Cookie", n.cookieName()+"="+value) }

// as is a request of a signed-in person, from a page of the node.
func (n *node) as(session string) option {
	return func(r *http.Request) { n.here()(r); n.cookie(session)(r) }
}

var client = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do sends a request; a body goes as JSON unless an option says otherwise.
func (n *node) do(t *testing.T, method, path, body string, options ...option) answer {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, n.url+path, reader)
	must(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(r)
	}
	res, err := client.Do(r)
	must(t, err)
	return read(t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.problem)
	return a
}

var (
	dutch   = regexp.MustCompile(`(?i)\b(je|we|er|dit|de|dat|het|niet|iemand)\b`)
	traceID = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// covered checks what every answer of a node has.
func (a answer) covered(t *testing.T) {
	t.Helper()
	for name, want := range map[string]string{
		"API-Version": "1.0.0", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
	} {
		if got := a.header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// wants checks a problem: its status and reason, and what every problem has.
func (a answer) wants(t *testing.T, status int, reason string) {
	t.Helper()
	a.covered(t)
	p := a.problem
	if a.status != status || p.Status != status || p.Reason != reason {
		t.Errorf("answered %d %s, want %d %s", a.status, a.raw, status, reason)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("headers %v", a.header)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || !traceID.MatchString(p.TraceID) || p.TraceID == strings.Repeat("0", 32) {
		t.Errorf("problem %+v", p)
	}
	if !dutch.MatchString(p.Detail) || !dutch.MatchString(p.NextStep) || strings.ContainsAny(p.Detail+p.NextStep, "{}") {
		t.Errorf("sentences %q, %q", p.Detail, p.NextStep)
	}
	switch status {
	case http.StatusUnauthorized:
		if a.header.Get("WWW-Authenticate") == "" {
			t.Error("no challenge")
		}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if a.header.Get("Retry-After") != "30" {
			t.Error("no Retry-After")
		}
	case http.StatusMethodNotAllowed:
		if a.header.Get("Allow") == "" {
			t.Error("no Allow")
		}
	}
}

func (a answer) wantsOK(t *testing.T) {
	t.Helper()
	a.covered(t)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("answered %d %s", a.status, a.raw)
	}
}

// person has an account and a session.
type person struct{ id, session string }

// member invites a person and signs them in over HTTP.
func (n *node) member(t *testing.T, roles ...string) person {
	t.Helper()
	if len(roles) == 0 {
		roles = []string{"professional"}
	}
	link, err := n.accounts.Invite(t.Context(), Invitation{Name: "Jannetje Kanarie", Unit: "team-oost", Roles: roles})
	must(t, err)
	a := n.do(t, http.MethodPost, "/api/v1/sessions", `{"secret":"`+link.Secret+`"}`, n.here())
	a.wantsOK(t)
	cookies := (&http.Response{Header: a.header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	return person{id: link.AccountID, session: cookies[0].Value}
}

const newCase = `{"requestId":"0190a000-0000-7000-8000-0000000000aa","whatHappened":"er was eens"}`
