package gateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/identity"
)

// Whatever a client sends, the caller is who the session says.
func TestNobodyForgesACaller(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t, "professional", "reviewer")
	forged, err := proto.Marshal(&identityv1.SignedCaller{Caller: []byte("x"), Signature: []byte("y")})
	must(t, err)
	for name, o := range map[string]option{
		"metadata":        header("Grpc-Metadata-"+identity.Header, base64.StdEncoding.EncodeToString(forged)),
		"other metadata":  header("Grpc-Metadata-X-Caller", "directeur"),
		"the header":      header(identity.Header, "directeur"),
		"a timeout":       header("Grpc-Timeout", "1n"),
		"forwarded":       header("Forwarded", "for=1.2.3.4"),
		"forwarded for":   header("X-Forwarded-For", "1.2.3.4"),
		"forwarded host":  header("X-Forwarded-Host", "directeur.example"),
		"forwarded roles": header("X-Forwarded-Roles", "privacy-officer"),
		"baggage":         header("Baggage", "role=directeur"),
		"trailers":        header("TE", "trailers"),
		"a user":          header("X-Remote-User", "directeur"),
	} {
		t.Run(name, func(t *testing.T) {
			n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session), o).wantsOK(t)
			got := n.said.last()
			want := &identityv1.Caller{
				Kind: identityv1.Kind_KIND_PERSON, Subject: p.id, Organisation: n.url, OrganisationKind: "wijkteam", OrganisationState: "active",
				Roles: []string{"professional", "reviewer"}, Unit: "team-oost", Circles: []string{theCircle}, TrustMarks: []string{markReview},
				Acr: "urn:zijlicht:acr:one-time-link", Time: got.caller.GetTime(), Audience: n.url, ExpireTime: got.caller.GetExpireTime(),
			}
			if !proto.Equal(got.caller, want) {
				t.Errorf("caller %v", got.caller)
			}
			for name := range got.md {
				if !slices.Contains([]string{identity.Header, "traceparent"}, name) {
					t.Errorf("metadata %s came along: %q", name, got.md.Get(name))
				}
			}
			if len(got.md.Get(identity.Header)) != 1 {
				t.Error("not one caller")
			}
		})
	}
}

func TestTraces(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	const known = "4bf92f3577b34da6a3ce929d0e0e4736"
	for name, c := range map[string]struct {
		parent string
		kept   bool
	}{
		"well formed":   {"00-" + known + "-00f067aa0ba902b7-01", true},
		"zeros":         {"00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", false},
		"capitals":      {"00-" + strings.ToUpper(known) + "-00f067aa0ba902b7-01", false},
		"markup":        {"00-<script>alert(1)</script>-00f067aa0ba902b7-01", false},
		"too long":      {"00-" + known + known + "-00f067aa0ba902b7-01", false},
		"another shape": {strings.Repeat("a", 5000), false},
	} {
		t.Run(name, func(t *testing.T) {
			a := n.do(t, http.MethodGet, "/api/v1/cases", "", header("Traceparent", c.parent), header("Tracestate", "naam=jannetje"))
			a.wants(t, 401, "unauthenticated")
			if (a.problem.TraceID == known) != c.kept {
				t.Errorf("trace %s", a.problem.TraceID)
			}
		})
	}
	p := n.member(t)
	n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session),
		header("Traceparent", "00-"+known+"-00f067aa0ba902b7-01"), header("Tracestate", "naam=jannetje")).wantsOK(t)
	md := n.said.last().md
	if len(md.Get("tracestate")) > 0 || !strings.Contains(md.Get("traceparent")[0], known) {
		t.Errorf("metadata %v", md)
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	other := n.member(t)
	none := func(*http.Request) {}
	for name, c := range map[string]struct {
		options []option
		status  int
		reason  string
	}{
		"nothing":                        {[]option{none}, 401, "unauthenticated"},
		"only an origin":                 {[]option{n.here()}, 401, "unauthenticated"},
		"another node's cookie":          {[]option{n.here(), header("Cookie", "zijlicht_zuid="+p.session)}, 401, "unauthenticated"},
		"the cookie of https":            {[]option{n.here(), header("Cookie", "__Host-zijlicht="+p.session)}, 401, "unauthenticated"},
		"no session":                     {[]option{n.as(strings.Repeat("A", 43))}, 401, "unauthenticated"},
		"no cookie of ours":              {[]option{n.as("x")}, 401, "unauthenticated"},
		"an empty one":                   {[]option{n.as("")}, 401, "unauthenticated"},
		"two sessions":                   {[]option{n.here(), n.cookie(p.session), n.cookie(other.session)}, 401, "unauthenticated"},
		"no word of where it comes from": {[]option{n.cookie(p.session)}, 403, "origin-mismatch"},
		"another site":                   {[]option{n.cookie(p.session), header("Sec-Fetch-Site", "cross-site")}, 403, "origin-mismatch"},
		"another port of this host":      {[]option{n.cookie(p.session), header("Sec-Fetch-Site", "same-site")}, 403, "origin-mismatch"},
		"typed in":                       {[]option{n.cookie(p.session), header("Sec-Fetch-Site", "none")}, 403, "origin-mismatch"},
		"another origin":                 {[]option{n.cookie(p.session), header("Origin", "https://kwaad.example")}, 403, "origin-mismatch"},
		"no origin":                      {[]option{n.cookie(p.session), header("Origin", "null")}, 403, "origin-mismatch"},
		"two that differ":                {[]option{n.as(p.session), header("Sec-Fetch-Site", "cross-site")}, 403, "origin-mismatch"},
		"two origins":                    {[]option{n.as(p.session), header("Origin", "https://kwaad.example")}, 403, "origin-mismatch"},
		"only a referer":                 {[]option{n.cookie(p.session), header("Referer", n.url)}, 403, "origin-mismatch"},
		"a cookie and a token":           {[]option{n.as(p.session), header("Authorization", "DPoP x")}, 400, "invalid-argument"},
		"a cookie and an empty token":    {[]option{n.as(p.session), header("Authorization", "")}, 400, "invalid-argument"},
		"basic":                          {[]option{header("Authorization", "Basic eDp5")}, 401, "token.scheme"},
		"bearer":                         {[]option{header("Authorization", "Bearer "+p.session)}, 401, "token.scheme"},
	} {
		t.Run(name, func(t *testing.T) {
			before := n.said.count()
			n.do(t, http.MethodPost, "/api/v1/cases", newCase, c.options...).wants(t, c.status, c.reason)
			if n.said.count() != before {
				t.Error("it reached the service")
			}
		})
	}
	t.Run("a page of this node", func(t *testing.T) {
		n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.cookie(p.session), header("Sec-Fetch-Site", "same-origin")).wantsOK(t)
		n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session), header("Sec-Fetch-Site", "same-origin")).wantsOK(t)
	})
	t.Run("the account is closed", func(t *testing.T) {
		must(t, n.accounts.CloseAccount(t.Context(), other.id))
		n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(other.session)).wants(t, 401, "unauthenticated")
	})
	t.Run("the session is over", func(t *testing.T) {
		late := startNode(t, newAnchor(t))
		p := late.member(t)
		late.clock.move(13 * time.Hour)
		late.do(t, http.MethodPost, "/api/v1/cases", newCase, late.as(p.session)).wants(t, 401, "unauthenticated")
	})
	eventually(t, "the security log holds them", func() bool {
		log := strings.Join(n.security(), "\n")
		return strings.Contains(log, "/zijlicht.cases.v1.CasesService/CreateCase origin-mismatch") &&
			strings.Contains(log, "/zijlicht.cases.v1.CasesService/CreateCase token.scheme")
	})
}

// Without the anchor people go on writing, and are in no circle; not even a restart changes that.
func TestWithoutAMemberDocument(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	n.anchor.stop()
	n.clock.move(11 * time.Minute)
	again, err := New(n.Config)
	must(t, err)
	for name, g := range map[string]*Gateway{"the same process": n.Gateway, "after a restart": again} {
		t.Run(name, func(t *testing.T) {
			members := n.Gateway.members
			n.Gateway.members = g.members
			defer func() { n.Gateway.members = members }()
			n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session)).wantsOK(t)
			c := n.said.last().caller
			if c.GetOrganisationState() != "active" || c.GetOrganisationKind() != "wijkteam" || len(c.GetCircles()) > 0 {
				t.Errorf("caller %v", c)
			}
			n.do(t, http.MethodGet, "/api/v1/circles", "", n.as(p.session)).wants(t, 503, "check-unavailable")
			if a := n.do(t, http.MethodGet, "/healthz", ""); a.status != 503 || !strings.Contains(a.raw, `"members":"unavailable"`) {
				t.Errorf("health %d %s", a.status, a.raw)
			}
		})
	}
}

func TestWhoAmI(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	for path, want := range map[string]string{
		"/api/v1/sessions/current": `"name":"Jannetje Kanarie"`,
		"/api/v1/colleagues":       p.id,
		"/api/v1/circles":          `"name":"Kring Oost"`,
	} {
		a := n.do(t, http.MethodGet, path, "", n.as(p.session))
		a.wantsOK(t)
		if !strings.Contains(strings.ReplaceAll(a.raw, `": "`, `":"`), want) {
			t.Errorf("%s: %s", path, a.raw)
		}
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	look := func(code string) answer {
		return n.do(t, http.MethodPost, "/api/v1/receipts/lookup", `{"receiptCode":"`+code+`"}`, header("X-Forwarded-For", code))
	}
	look(goodReceipt).wantsOK(t)
	if c := n.said.last().caller; c.GetKind() != identityv1.Kind_KIND_RECEIPT || c.GetOrganisation() != "" || len(c.GetRoles()) > 0 {
		t.Errorf("caller %v", c)
	}
	wrong, unknown := look("geen code"), look("7Q4M-9XKD-2VHT-58WC-1")
	for _, a := range []answer{wrong, unknown} {
		a.wants(t, 404, "not-found")
	}
	wrong.problem.TraceID, unknown.problem.TraceID = "", ""
	if wrong.problem != unknown.problem {
		t.Errorf("a wrong code and an unknown one differ: %+v, %+v", wrong.problem, unknown.problem)
	}
	// A code opens receipts and nothing else, and a session is no code.
	n.do(t, http.MethodPost, "/api/v1/receipts/withdrawal", `{"receiptCode":""}`).wants(t, 400, "invalid-argument")
	for range 20 { // what is right does not count
		look(goodReceipt).wantsOK(t)
	}
	for range 8 {
		look("geen code").wants(t, 404, "not-found")
	}
	for range 3 {
		look(goodReceipt).wants(t, 429, "too-many-requests")
	}
	n.clock.move(6 * time.Second)
	look(goodReceipt).wantsOK(t)
	look("geen code").wants(t, 404, "not-found")
	look(goodReceipt).wants(t, 429, "too-many-requests")
}
