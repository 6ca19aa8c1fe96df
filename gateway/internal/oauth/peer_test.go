package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

// pair is two organisations that trust each other: the reader's client and the owner's node.
func pair(t testing.TB) (noord, zuid *node, client *oauth.PeerClient) {
	t.Helper()
	c, fed := newClock(), newFederation()
	noord, zuid = startNode(t, c, fed), startNode(t, c, fed)
	for _, n := range []*node{noord, zuid} {
		fed.admit(n.url, n.key.Public(), "case:read", "notice:deliver")
	}
	client, err := oauth.NewPeerClient(noord.Server)
	if err != nil {
		t.Fatal(err)
	}
	return noord, zuid, client
}

func (n *node) peer() oauth.Peer {
	return oauth.Peer{Issuer: n.Issuer, TokenEndpoint: n.url + oauth.TokenPath, Resource: n.Resource}
}

func reviewer(c *clock) oauth.Acting {
	return oauth.Acting{
		Subject: "pairwise-1", Scope: []string{"case:read"}, Roles: []string{"reviewer"}, ACR: "urn:zijlicht:link", AuthTime: c.Now().Add(-time.Hour),
	}
}

func request(t testing.TB, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func ask(t *testing.T, c *oauth.PeerClient, peer oauth.Peer, as oauth.Acting, req *http.Request) answer {
	t.Helper()
	res, err := c.Do(t.Context(), peer, as, req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, raw: string(raw), header: res.Header}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

// The whole chain between two nodes: grant, exchange, bound token, proof, verified caller (ID-JAG §4, RFC 9449 §7).
func TestPeerClientReadsAtTheOwner(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	as := reviewer(noord.clock)
	req := request(t, "POST", zuid.Resource+"/cases/7?page=2", `{"question":"?"}`)
	req.Header.Set("Cookie", "session=x")
	req.Header.Set("Authorization", "Basic x")
	got := ask(t, client, zuid.peer(), as, req)
	var seen struct {
		Access oauth.Access `json:"access"`
		Body   string       `json:"body"`
	}
	if err := json.Unmarshal([]byte(got.raw), &seen); err != nil || got.status != 200 {
		t.Fatal(got.raw, err)
	}
	want := oauth.Access{
		Subject: noord.url + "|pairwise-1", ClientID: noord.url, Issuer: noord.url, Scopes: []string{"case:read"},
		Roles: []string{"reviewer"}, ACR: "urn:zijlicht:link", AuthTime: as.AuthTime.UTC(), Expires: zuid.clock.Now().Add(5 * time.Minute).UTC(),
	}
	if fmt.Sprint(seen.Access) != fmt.Sprint(want) || seen.Body != `{"question":"?"}` {
		t.Errorf("the owner saw\n%+v %q, want\n%+v", seen.Access, seen.Body, want)
	}
}

// A notice between nodes has no person behind it; the same grant carries it.
func TestPeerClientDeliversNotice(t *testing.T) {
	t.Parallel()
	_, zuid, client := pair(t)
	as := oauth.Acting{Subject: "outbox", Scope: []string{"notice:deliver"}}
	got := ask(t, client, zuid.peer(), as, request(t, "POST", zuid.Resource+"/notices", "{}"))
	access, _ := got.body["access"].(map[string]any)
	if got.status != 200 || fmt.Sprint(access["Scopes"]) != "[notice:deliver]" || access["AuthTime"] != "0001-01-01T00:00:00Z" {
		t.Error(got.raw)
	}
}

// One exchange per person, scope and sign-in, until thirty seconds before the token ends.
func TestPeerClientHoldsTokens(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	read := func(as oauth.Acting) {
		t.Helper()
		if got := ask(t, client, zuid.peer(), as, request(t, "GET", zuid.Resource+"/cases", "")); got.status != 200 {
			t.Fatal(got.raw)
		}
	}
	exchanges := func(want int64, why string) {
		t.Helper()
		if got := zuid.asked.Swap(0); got != want {
			t.Errorf("%s: %d token requests, want %d", why, got, want)
		}
	}
	as := reviewer(noord.clock)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { read(as) })
	}
	all.Wait()
	exchanges(2, "twenty at once: the challenge and one exchange")
	read(as)
	noord.clock.advance(4*time.Minute + 29*time.Second)
	read(as)
	exchanges(0, "while it is good")
	noord.clock.advance(time.Second)
	read(as)
	exchanges(1, "thirty seconds before its end")
	other := as
	other.Subject = "pairwise-2"
	read(other)
	exchanges(1, "another person")
	other = as
	other.AuthTime = as.AuthTime.Add(time.Hour)
	read(other)
	exchanges(1, "a new sign-in")
}

// A token that the owner no longer takes is fetched anew, once.
func TestPeerClientRenewsRefusedToken(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	as := reviewer(noord.clock)
	do := func() answer {
		return ask(t, client, zuid.peer(), as, request(t, "GET", zuid.Resource+"/cases", ""))
	}
	do()
	rotated := zuid.Config
	rotated.SigningKey = load(t, newKey(t))
	var err error
	if zuid.Server, err = oauth.New(rotated); err != nil {
		t.Fatal(err)
	}
	// The token endpoint still signs with the old key, so the second token is refused as well and the answer is the
	// caller's.
	zuid.asked.Store(0)
	if got := do(); got.status != 401 || got.body["reason"] != "token.key" || zuid.asked.Load() == 0 {
		t.Errorf("%d %s after %d token requests", got.status, got.raw, zuid.asked.Load())
	}
	if zuid.Server, err = oauth.New(zuid.Config); err != nil {
		t.Fatal(err)
	}
	if got := do(); got.status != 200 {
		t.Error(got.raw)
	}
}

// RFC 9449 §8: one challenge is met, with the body once more; a server that keeps challenging is not obeyed for ever.
func TestPeerClientMeetsOneChallenge(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	var asked atomic.Int64
	var bodies sync.Map
	zuid.mux.HandleFunc("/federation/v1/fussy", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies.Store(asked.Add(1), string(body))
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		w.Header().Set("DPoP-Nonce", "fresh")
		w.WriteHeader(http.StatusUnauthorized)
	})
	got := ask(t, client, zuid.peer(), reviewer(noord.clock), request(t, "POST", zuid.Resource+"/fussy", "text"))
	if got.status != 401 || asked.Load() != 2 {
		t.Errorf("status %d after %d requests, want 401 after 2", got.status, asked.Load())
	}
	for i := int64(1); i <= 2; i++ {
		if body, _ := bodies.Load(i); body != "text" {
			t.Errorf("request %d had body %q", i, body)
		}
	}
}

// A token goes to the peer's API over a safe connection or nowhere.
func TestPeerClientKeepsTokensHome(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	as := reviewer(noord.clock)
	var followed atomic.Int64
	zuid.mux.HandleFunc("/federation/v1/moved", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, noord.url+"/elsewhere", http.StatusTemporaryRedirect)
	})
	noord.mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	_, err := client.Do(t.Context(), zuid.peer(), as, request(t, "GET", zuid.Resource+"/moved", ""))
	var failed *oauth.PeerError
	if !errors.As(err, &failed) || failed.Code != "redirect" || followed.Load() != 0 {
		t.Errorf("a redirect: %v, followed %d times", err, followed.Load())
	}
	before := zuid.asked.Load()
	for name, c := range map[string]struct{ resource, url string }{
		"another host":               {zuid.Resource, noord.url + "/federation/v1/cases"},
		"outside the API":            {zuid.Resource, zuid.url + "/api/v1/cases"},
		"beside the API":             {zuid.Resource, zuid.Resource + "evil/cases"},
		"up and out":                 {zuid.Resource, zuid.Resource + "/../api"},
		"plain http":                 {"http://zuid.example/federation/v1", "http://zuid.example/federation/v1/cases"},
		"plain http by a local name": {"http://localhost:1/federation/v1", "http://localhost:1/federation/v1/cases"},
		"a user in the URL":          {zuid.Resource, strings.Replace(zuid.Resource, "//", "//u:p@", 1) + "/cases"},
		"another scheme":             {"ftp://zuid.example/x", "ftp://zuid.example/x"},
	} {
		peer := zuid.peer()
		peer.Resource = c.resource
		if _, err := client.Do(t.Context(), peer, as, request(t, "GET", c.url, "")); err == nil {
			t.Errorf("%s was asked", name)
		}
	}
	peer := zuid.peer()
	peer.TokenEndpoint = "http://zuid.example/oauth2/token"
	as.Subject = "pairwise-9"
	if _, err := client.Do(t.Context(), peer, as, request(t, "GET", zuid.Resource+"/cases", "")); err == nil {
		t.Error("a token endpoint over plain http was asked")
	}
	if zuid.asked.Load() != before {
		t.Error("a grant was exchanged for a request that was not made")
	}
}

func TestPeerClientLimits(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	as := reviewer(noord.clock)
	zuid.mux.HandleFunc("/federation/v1/huge", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, 5<<20))
	})
	res, err := client.Do(t.Context(), zuid.peer(), as, request(t, "GET", zuid.Resource+"/huge", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if n, err := io.Copy(io.Discard, res.Body); err == nil || n > 4<<20 {
		t.Errorf("read %d bytes (%v)", n, err)
	}
	if _, err := client.Do(t.Context(), zuid.peer(), as, request(t, "POST", zuid.Resource+"/x", strings.Repeat("x", 1<<20+1))); err == nil {
		t.Error("a body of more than 1 MiB was sent")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	as.Subject = "pairwise-3"
	if _, err := client.Do(gone, zuid.peer(), as, request(t, "GET", zuid.Resource+"/cases", "")); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who went away: %v", err)
	}
}

// What a token endpoint may answer, and what is made of it: a code and a reason, never its words.
func TestTokenAnswerOfAStranger(t *testing.T) {
	t.Parallel()
	noord, _, client := pair(t)
	good := `"access_token":"abc","token_type":"DPoP","expires_in":300`
	for name, c := range map[string]struct {
		status       int
		body         string
		code, reason string
		temporary    bool
	}{
		"RFC 9449 §5: not bound":     {200, `{"access_token":"abc","token_type":"Bearer","expires_in":300}`, "malformed", "token.unbound", false},
		"RFC 6749 §5.1: fewer scope": {200, `{` + good + `,"scope":"other"}`, "malformed", "scope.narrowed", false},
		"a token with a line break":  {200, `{"access_token":"a\r\nHost: x","token_type":"DPoP","expires_in":300}`, "malformed", "", false},
		"no lifetime":                {200, `{"access_token":"abc","token_type":"DPoP"}`, "malformed", "", false},
		"not JSON":                   {200, `<html>`, "malformed", "", false},
		"huge":                       {200, `{` + good + `,"x":"` + strings.Repeat("x", 64<<10) + `"}`, "malformed", "", false},
		"RFC 6749 §5.2":              {400, `{"error":"invalid_grant","error_description":"grant.replayed: secret words"}`, "invalid_grant", "grant.replayed", false},
		"foreign words":              {400, `{"error":"invalid_grant","error_description":"secret words"}`, "invalid_grant", "", false},
		"a strange error code":       {400, `{"error":"<secret words>"}`, "malformed", "", false},
		"a gateway in between":       {502, `secret words`, "malformed", "", true},
		"busy":                       {503, `{"error":"temporarily_unavailable"}`, "temporarily_unavailable", "", true},
		"challenges for ever":        {400, `{"error":"use_dpop_nonce"}`, "use_dpop_nonce", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer srv.Close()
			peer := oauth.Peer{Issuer: srv.URL, TokenEndpoint: srv.URL + "/token", Resource: srv.URL + "/api"}
			_, err := client.Do(t.Context(), peer, reviewer(noord.clock), request(t, "GET", srv.URL+"/api/x", ""))
			var failed *oauth.PeerError
			if !errors.As(err, &failed) || failed.Code != c.code || failed.Reason != c.reason || failed.Temporary() != c.temporary {
				t.Fatalf("%v, want %s %s", err, c.code, c.reason)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Error("the stranger's words are in the error")
			}
		})
	}
}

func TestPeerErrorsSayWhatAndNotWhere(t *testing.T) {
	t.Parallel()
	noord, zuid, client := pair(t)
	as := reviewer(noord.clock)
	zuid.fed.failWith(noord.url, &oauth.SuspendedError{Reason: "member.suspended"})
	_, err := client.Do(t.Context(), zuid.peer(), as, request(t, "GET", zuid.Resource+"/cases/7", ""))
	var failed *oauth.PeerError
	if !errors.As(err, &failed) || failed.Status != 401 || failed.Reason != "member.suspended" || failed.Temporary() {
		t.Errorf("suspended: %v", err)
	}
	srv := httptest.NewServer(http.NotFoundHandler())
	gone := srv.URL
	srv.Close()
	peer := oauth.Peer{Issuer: gone, TokenEndpoint: gone + "/oauth2/token", Resource: gone + "/api"}
	_, err = client.Do(t.Context(), peer, as, request(t, "GET", gone+"/api/cases/7", ""))
	if !errors.As(err, &failed) || failed.Code != "unreachable" || !failed.Temporary() || strings.Contains(err.Error(), "/oauth2") {
		t.Errorf("unreachable: %v", err)
	}
}

func TestMintGrantRefuses(t *testing.T) {
	t.Parallel()
	owner := startNode(t, newClock(), newFederation())
	good := oauth.Grant{Audience: noord, Subject: "p", Scope: []string{"case:read"}}
	for name, spoil := range map[string]func(*oauth.Grant){
		"no audience":        func(g *oauth.Grant) { g.Audience = "" },
		"no subject":         func(g *oauth.Grant) { g.Subject = "" },
		"a subject in words": func(g *oauth.Grant) { g.Subject = "Jan de Vries" },
		"no scope":           func(g *oauth.Grant) { g.Scope = nil },
		"a scope of two":     func(g *oauth.Grant) { g.Scope = []string{"a b", "a"} },
	} {
		g := good
		spoil(&g)
		if _, err := owner.MintGrant(t.Context(), g); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, err := owner.MintGrant(t.Context(), good); err != nil {
		t.Error(err)
	}
}
