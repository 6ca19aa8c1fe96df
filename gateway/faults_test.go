package gateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/serve"
)

// bare refuses an answer that says more than its problem has to.
func (a answer) bare(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range append(words, "127.0.0.1", "goroutine", "rpc error", "postgres", "secrets", "zijlicht.", ".go:") {
		if strings.Contains(a.raw, w) {
			t.Errorf("the answer holds %q: %s", w, a.raw)
		}
	}
}

func TestAServiceThatIsNotThere(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := serve.NewServer("", n.chain, kgrpc.Listener(l))
	casesv1.RegisterCasesServiceServer(s, &fakeCases{services: n.said})
	conn, err := serve.Dial(l.Addr().String())
	must(t, err)
	n.router.Route("cases", conn)
	stopped := make(chan error, 1)
	go func() { stopped <- s.Start(context.Background()) }()

	p := n.member(t, "privacy-officer", "professional")
	n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session)).wantsOK(t)
	n.do(t, http.MethodPost, "/api/v1/cases", text(strings.Repeat("a", 256<<10+1)), n.as(p.session)).wants(t, 413, "too-large")
	a := n.do(t, http.MethodGet, "/api/v1/decisions", "", n.as(p.session)) // runs nowhere
	a.wants(t, 503, "check-unavailable")
	a.bare(t)

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_ = s.Stop(ctx)
	must(t, <-stopped)
	for range 3 {
		a := n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session))
		a.wants(t, 503, "check-unavailable")
		a.bare(t)
	}
	// A peer asks through one more service, and is told the same.
	peer := n.anchor.peer(t, zuid, markReview)
	n.refresh()
	a = n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, peer.token(t, n, "case:read")))
	a.wants(t, 503, "check-unavailable")
	a.bare(t)
	if log := n.log.String(); !strings.Contains(log, a.problem.TraceID) || !strings.Contains(log, "AuditService/ListDecisions") {
		t.Error("the trace id leads nowhere")
	}
}

func TestAServiceThatBreaks(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t), func(c *Config) {
		c.Anchor = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panic(r.URL.RawQuery) })
	})
	p := n.member(t)
	for _, words := range []string{panicText, brokenText} {
		a := n.do(t, http.MethodPost, "/api/v1/cases", text(words), n.as(p.session))
		a.wants(t, 500, "internal")
		a.bare(t, words, "index out")
		if !strings.Contains(n.log.String(), a.problem.TraceID) {
			t.Error("the trace id leads nowhere")
		}
	}
	// What the contract has and the service does not.
	n.do(t, http.MethodDelete, "/api/v1/cases/"+caseID, "", n.as(p.session)).wants(t, 500, "internal")
	// At the edge itself.
	a := n.do(t, http.MethodGet, "/federation/members?"+"kanariepiet", "")
	a.wants(t, 500, "internal")
	a.bare(t, "kanariepiet")
	if strings.Contains(n.log.String(), "kanariepiet") {
		t.Error("the log holds the value of a panic")
	}
}

func TestWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	own, err := pgdb.Open(t.Context(), n.db.DSN("gateway"), pgdb.Options{})
	must(t, err)
	n.Gateway.accounts.Pool = own
	broken := startNode(t, n.anchor, func(c *Config) { c.Pool = own })
	p := n.member(t)
	peer := n.anchor.peer(t, zuid, markReview)
	broken.refresh()
	token := peer.token(t, broken, "case:read")
	n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session)).wantsOK(t)
	own.Close()
	for _, a := range []answer{
		n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session)),
		n.do(t, http.MethodDelete, "/api/v1/sessions/current", "", n.as(p.session)),
		n.signInWith(t, strings.Repeat("A", 43), n.here()),
		broken.do(t, http.MethodGet, sharedCase, "", peer.with(t, broken, token)),
	} {
		a.wants(t, 503, "check-unavailable")
		a.bare(t)
	}
	a := peer.ask(t, broken, "case:read")
	if a.status != 503 || !strings.Contains(a.raw, "temporarily_unavailable") {
		t.Errorf("a grant: %d %s", a.status, a.raw)
	}
	a.bare(t)
	if a := broken.do(t, http.MethodGet, "/healthz", ""); a.status != 503 || !strings.Contains(a.raw, `"database":"unavailable"`) {
		t.Errorf("health %d %s", a.status, a.raw)
	}
}

func TestWithoutTheLog(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	_, err := n.db.Admin().Exec(t.Context(), `revoke execute on function audit.append(jsonb) from zl_test_gateway`)
	must(t, err)
	a := n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session))
	a.wants(t, 503, "check-unavailable")
	a.bare(t, "er was eens", caseID)
}

// The process log holds operations, reasons and trace ids, and nothing of a person, a text or a secret.
func TestTheProcessLogHoldsNothing(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	peer := n.anchor.peer(t, zuid, markReview)
	n.refresh()
	token := peer.token(t, n, "case:read")
	link := n.link(t)
	const canary = "kanariepiet"
	n.do(t, http.MethodPost, "/api/v1/cases", text(canary), n.as(p.session))
	n.do(t, http.MethodPost, "/api/v1/cases", `{"`+canary+`":"`+canary+`"}`, n.as(p.session))
	n.do(t, http.MethodPost, "/api/v1/cases", `{"requestId":"`+canary+`"}`, n.as(p.session))
	n.do(t, http.MethodPost, "/api/v1/cases", text(panicText), n.as(p.session))
	n.do(t, http.MethodPost, "/api/v1/cases", canary, n.cookie(canary))
	n.do(t, http.MethodGet, "/api/v1/cases/"+caseID, "", n.as(p.session))
	n.do(t, http.MethodGet, "/api/v1/cases/"+canary, "", n.as(p.session))
	n.do(t, http.MethodGet, "/api/v1/"+canary, "", n.as(p.session))
	n.do(t, http.MethodGet, "/api/v1/cases?"+canary+"="+canary, "", n.as(p.session))
	n.do(t, http.MethodGet, "/api/v1/cases?status="+canary, "", n.as(p.session))
	n.do(t, http.MethodGet, "/api/v1/cases?pageToken="+canary, "", n.as(p.session))
	n.do(t, canary, "/api/v1/cases", "", n.as(p.session), header("X-"+canary, canary))
	n.do(t, http.MethodGet, "/api/v1/decisions?resourceId="+canary, "", n.as(p.session))
	n.do(t, http.MethodPost, "/api/v1/receipts/lookup", `{"receiptCode":"`+canary+`"}`)
	n.do(t, http.MethodGet, "/federation/v1/cases/"+canary+"?purpose="+canary, "", peer.with(t, n, token))
	n.do(t, http.MethodGet, sharedCase, "", header("Authorization", "DPoP "+canary), header("DPoP", canary))
	n.do(t, http.MethodPost, "/oauth2/token", "grant_type="+canary+"&assertion="+canary)
	n.signInWith(t, link, n.here())
	n.signInWith(t, canary, n.here())
	n.say(t, canary+"\r\n\r\n", nil)
	eventually(t, "the security log is written", func() bool { return len(n.security()) > 8 })
	security := strings.Join(n.security(), "\n")
	for name, log := range map[string]string{"process": n.log.String(), "security": security} {
		if log == "" {
			t.Errorf("the %s log is empty", name)
		}
		for _, word := range []string{canary, strings.ToUpper(canary), "Kanarie", "team-oost", panicText, p.session, p.id, link, token, caseID, "abc?"} {
			if strings.Contains(log, word) {
				t.Errorf("the %s log holds %q:\n%s", name, word, log)
			}
		}
	}
}
