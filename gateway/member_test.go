package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
)

const notice = `{"messageId":"0190a000-0000-7000-8000-0000000000f1","kind":"KIND","casePublicId":"AbcAbcAbcAbcAbcAbcAbcA","circle":"kring-oost","sequence":"1"}`

// A token outlives a suspension by minutes; what it opens is decided on the organisation's state of now.
func TestASuspendedMember(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	peer := n.anchor.peer(t, zuid, markReview)
	n.refresh()
	token := peer.token(t, n, "case:read notice:deliver")
	n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token)).wantsOK(t)

	n.anchor.suspend(zuid)
	n.clock.move(6 * time.Second)
	if a := peer.ask(t, n, "case:read"); a.status != 401 || !strings.Contains(a.raw, "member.suspended") {
		t.Errorf("the next grant: %d %s", a.status, a.raw)
	}
	a := n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token))
	if c := n.said.last().caller; c.GetOrganisationState() != "suspended" || len(c.GetCircles()) > 0 {
		t.Errorf("the policy was told %v", c)
	}
	if a.status != 403 && a.status != 404 {
		t.Errorf("answered %d %s", a.status, a.raw)
	}
	a.wants(t, a.status, a.problem.Reason)
	n.do(t, http.MethodPost, "/federation/v1/notices", strings.Replace(notice, "KIND", "opened", 1), peer.with(t, n, token)).
		wants(t, a.status, a.problem.Reason)
	// That a case is closed may always be said.
	n.do(t, http.MethodPost, "/federation/v1/notices", strings.Replace(notice, "KIND", "closed", 1), peer.with(t, n, token)).wantsOK(t)

	n.anchor.forget(zuid)
	n.refresh()
	before := n.said.count()
	n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token)).wants(t, 401, "unauthenticated")
	if n.said.count() != before {
		t.Error("who is no member reached a service")
	}
}

func TestPeersWithoutAMemberDocument(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	peer := n.anchor.peer(t, zuid, markReview)
	n.refresh()
	n.clock.move(8 * time.Minute)
	n.anchor.stop()
	token := peer.token(t, n, "case:read") // the document is still valid
	n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token)).wantsOK(t)
	n.clock.move(3 * time.Minute)
	before := n.said.count()
	n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token)).wants(t, 503, "check-unavailable")
	if a := peer.ask(t, n, "case:read"); a.status != 503 || !strings.Contains(a.raw, "temporarily_unavailable") {
		t.Errorf("a grant: %d %s", a.status, a.raw)
	}
	if n.said.count() != before {
		t.Error("it reached a service")
	}
}

// The OAuth endpoints keep the form that their specifications give them, under the same headers.
func TestOAuthEndpoints(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	form := func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	for name, c := range map[string]struct {
		a    answer
		want int
	}{
		"no form":         {n.do(t, http.MethodPost, "/oauth2/token", `{}`), 400},
		"unknown grant":   {n.do(t, http.MethodPost, "/oauth2/token", "grant_type=password", form), 400},
		"no proof":        {n.do(t, http.MethodPost, "/oauth2/token", "grant_type=client_credentials", form), 400},
		"too large":       {n.do(t, http.MethodPost, "/oauth2/token", "x="+strings.Repeat("a", 33<<10), form), 413},
		"another method":  {n.do(t, http.MethodGet, "/oauth2/token", ""), 405},
		"a token in view": {n.do(t, http.MethodPost, "/oauth2/token?client_assertion=x", "grant_type=client_credentials", form), 400},
	} {
		c.a.covered(t)
		if c.a.status != c.want || !strings.Contains(c.a.raw, `"error":"`) || !strings.HasPrefix(c.a.header.Get("Content-Type"), "application/json") ||
			c.a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", name, c.a.status, c.a.raw, c.a.header)
		}
	}
	for path, want := range map[string]string{"/oauth2/jwks": n.key.KeyID, "/.well-known/oauth-authorization-server": n.url + "/oauth2/token"} {
		a := n.do(t, http.MethodGet, path, "")
		a.covered(t)
		if a.status != 200 || !strings.Contains(a.raw, want) || strings.Contains(a.raw, `"d":`) {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
}

func TestMachines(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	client := n.machineClient(t, "rooster", scopeCircles)
	other := n.machineClient(t, "reviewer", "reviewer")
	token := client.token(t, n, scopeCircles)
	a := n.do(t, http.MethodGet, "/api/v1/circles", "", client.with(t, n, token))
	a.wantsOK(t)
	if !strings.Contains(a.raw, "Kring Oost") {
		t.Error(a.raw)
	}
	n.do(t, http.MethodGet, "/api/v1/circles", "", other.with(t, n, other.token(t, n, "reviewer"))).wants(t, 403, "role.missing")
	// A machine is no person, whatever its scopes are called.
	for _, h := range []holder{client, other} {
		scope := map[string]string{"rooster": scopeCircles, "reviewer": "reviewer"}[h.id]
		before := n.said.count()
		a := n.do(t, http.MethodPost, "/api/v1/cases", newCase, h.with(t, n, h.token(t, n, scope)))
		if a.status != 404 && a.status != 403 {
			t.Errorf("a machine wrote a case: %d %s", a.status, a.raw)
		}
		if c := n.said.last().caller; n.said.count() != before+1 || c.GetKind() != identityv1.Kind_KIND_MACHINE || c.GetSubject() != h.id {
			t.Errorf("caller %v", c)
		}
	}
	if a := client.ask(t, n, scopeRead); a.status != 400 {
		t.Errorf("another scope: %d %s", a.status, a.raw)
	}
	must(t, Clients{Pool: n.Pool, Now: n.Now}.Disable(t.Context(), client.id))
	if a := client.ask(t, n, scopeCircles); a.status != 401 || !strings.Contains(a.raw, "client.disabled") {
		t.Errorf("disabled: %d %s", a.status, a.raw)
	}
}
