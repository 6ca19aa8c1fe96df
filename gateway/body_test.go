package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// text is a new case with this as its text, as JSON spells it.
func text(escaped string) string {
	return `{"requestId":"0190a000-0000-7000-8000-0000000000aa","whatHappened":"` + escaped + `"}`
}

func TestBodies(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	contentType := func(v string) option { return func(r *http.Request) { r.Header.Set("Content-Type", v) } }
	for name, c := range map[string]struct {
		body   string
		option option
		status int
		reason string
		field  string
	}{
		"malformed":            {body: `{"whatHappened":`, status: 400, reason: "invalid-argument", field: "body"},
		"trailing garbage":     {body: newCase + `x`, status: 400, reason: "invalid-argument", field: "body"},
		"two values":           {body: newCase + newCase, status: 400, reason: "invalid-argument", field: "body"},
		"a list":               {body: `[` + newCase + `]`, status: 400, reason: "invalid-argument", field: "body"},
		"null":                 {body: `null`, status: 400, reason: "invalid-argument", field: "body"},
		"a byte order mark":    {body: "\ufeff" + newCase, status: 400, reason: "invalid-argument", field: "body"},
		"wrong type":           {body: `{"whatHappened":7}`, status: 400, reason: "invalid-argument", field: "body"},
		"unknown field":        {body: strings.Replace(newCase, `{`, `{"status":"released",`, 1), status: 400, reason: "invalid-argument", field: "body"},
		"a field twice":        {body: strings.Replace(newCase, `{`, `{"whatHappened":"x",`, 1), status: 400, reason: "invalid-argument", field: "body"},
		"a field by two names": {body: strings.Replace(newCase, `{`, `{"what_happened":"x",`, 1), status: 400, reason: "invalid-argument", field: "body"},
		"no body":              {option: contentType("application/json"), status: 400, reason: "invalid-argument", field: "body"},
		"invalid UTF-8":        {body: text("caf\xe9"), status: 400, reason: "invalid-argument", field: "body"},
		"half a surrogate":     {body: text(`\ud800`), status: 400, reason: "invalid-argument", field: "body"},
		"NUL":                  {body: text(`\u0000`), status: 400, reason: "invalid-argument", field: "whatHappened"},
		"required field":       {body: text(""), status: 400, reason: "invalid-argument", field: "whatHappened"},
		"no uuid":              {body: strings.Replace(newCase, "0190a000", "x", 1), status: 400, reason: "invalid-argument", field: "requestId"},
		"a text too large":     {body: text(strings.Repeat("a", 256<<10+1)), status: 413, reason: "too-large", field: "whatHappened"},
		"a body too large":     {body: newCase + strings.Repeat(" ", 1<<20), status: 413, reason: "too-large", field: "body"},
		"deep nesting":         {body: `{"whatHappened":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, status: 400, reason: "invalid-argument", field: "body"},
		"a huge number":        {body: `{"revision":1e400}`, status: 400, reason: "invalid-argument", field: "body"},
		"no content type":      {body: newCase, option: func(r *http.Request) { r.Header.Del("Content-Type") }, status: 400, reason: "invalid-argument", field: "content-type"},
		"a form":               {body: newCase, option: contentType("application/x-www-form-urlencoded"), status: 400, reason: "invalid-argument", field: "content-type"},
		"another charset":      {body: newCase, option: contentType("application/json; charset=utf-16"), status: 400, reason: "invalid-argument", field: "content-type"},
		"two content types":    {body: newCase, option: header("Content-Type", "text/plain"), status: 400, reason: "invalid-argument", field: "content-type"},
		"compressed":           {body: "\x1f\x8b\x08\x00", option: header("Content-Encoding", "gzip"), status: 400, reason: "invalid-argument", field: "body"},
	} {
		t.Run(name, func(t *testing.T) {
			option := c.option
			if option == nil {
				option = func(*http.Request) {}
			}
			before := n.said.count()
			a := n.do(t, http.MethodPost, "/api/v1/cases", c.body, n.as(p.session), option)
			a.wants(t, c.status, c.reason)
			if a.problem.Field != c.field {
				t.Errorf("field %q, want %q", a.problem.Field, c.field)
			}
			if n.said.count() != before {
				t.Error("it reached the service")
			}
		})
	}
	t.Run("as large as it may be", func(t *testing.T) {
		n.do(t, http.MethodPost, "/api/v1/cases", text(strings.Repeat("a", 256<<10))+strings.Repeat(" ", 1000), n.as(p.session)).wantsOK(t)
	})
	t.Run("what is allowed", func(t *testing.T) {
		n.do(t, http.MethodPost, "/api/v1/cases", text(`\ud83d\ude00 é`), n.as(p.session), contentType("application/json; charset=UTF-8")).wantsOK(t)
	})
	eventually(t, "the security log holds the 400s", func() bool {
		log := strings.Join(n.security(), "\n")
		return strings.Contains(log, "/zijlicht.cases.v1.CasesService/CreateCase invalid-argument") &&
			strings.Contains(log, "/zijlicht.cases.v1.CasesService/CreateCase invalid: ")
	})
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	p := n.member(t)
	before := n.said.count()
	for _, c := range []struct {
		method, path, body string
		status             int
		reason, field      string
	}{
		{"GET", "/", "", 404, "not-found", ""},
		{"GET", "/api/v1", "", 404, "not-found", ""},
		{"GET", "/api/v1/", "", 404, "not-found", ""},
		{"GET", "/federation/v1", "", 404, "not-found", ""},
		{"GET", "/federation/v1/what", "", 404, "not-found", ""},
		{"GET", "/federation/members", "", 404, "not-found", ""},
		{"GET", "/api/v1/cases/", "", 404, "not-found", ""},
		{"GET", "/api/v1/cases/" + caseID + "/", "", 404, "not-found", ""},
		{"GET", "/api/v1//cases", "", 404, "not-found", ""},
		{"GET", "//api/v1/cases", "", 404, "not-found", ""},
		{"GET", "/api/v1/x/../cases", "", 404, "not-found", ""},
		{"GET", "/api/v1/receipts/../cases", "", 404, "not-found", ""},
		{"GET", "/api/v1/receipts/%2e%2e/cases", "", 404, "not-found", ""},
		{"GET", "/api/v1/receipts%2f..%2fcases", "", 404, "not-found", ""},
		{"GET", "/api/v1/cases%2F" + caseID, "", 404, "not-found", ""},
		{"GET", "/api/v1/cases/..%5c" + caseID, "", 404, "not-found", ""},
		{"GET", "/api/v1/cases/%00", "", 404, "not-found", ""},
		{"GET", "/api/v1/cases/%ff", "", 404, "not-found", ""},
		{"GET", "/API/v1/cases", "", 404, "not-found", ""},
		{"GET", "/api/v1/zijlicht.cases.v1.CasesService/GetCase", "", 404, "not-found", ""},
		{"POST", "/zijlicht.cases.v1.CasesService/GetCase", `{}`, 404, "not-found", ""},
		{"POST", "/zijlicht.gateway.v1.FederationService/LookUpColleague", `{}`, 404, "not-found", ""},
		{"GET", "/api/v1/cases/geen-id", "", 400, "invalid-argument", "caseId"},
		{"GET", "/api/v1/cases/" + caseID + ":read", "", 400, "invalid-argument", "caseId"},
		{"PUT", "/api/v1/cases", `{}`, 405, "invalid-argument", "method"},
		{"PATCH", "/api/v1/cases/" + caseID, `{}`, 405, "invalid-argument", "method"},
		{"OPTIONS", "/api/v1/cases", "", 405, "invalid-argument", "method"},
		{"TRACE", "/api/v1/cases", "", 405, "invalid-argument", "method"},
		{"BREW", "/api/v1/cases", "", 405, "invalid-argument", "method"},
		{"GET", "/api/v1/sessions", "", 405, "invalid-argument", "method"},
		{"DELETE", "/federation/v1/notices", "", 405, "invalid-argument", "method"},
		{"POST", "/api/v1/openapi.json", `{}`, 404, "not-found", ""},
		{"DELETE", "/healthz", "", 404, "not-found", ""},
		{"PUT", "/oauth2/jwks", `{}`, 404, "not-found", ""},
		{"GET", "/api/v1/cases", `{}`, 400, "invalid-argument", "body"},
		{"DELETE", "/api/v1/sessions/current", `{}`, 400, "invalid-argument", "body"},
		{"GET", "/api/v1/cases?pageSize=101", "", 400, "invalid-argument", "pageSize"},
		{"GET", "/api/v1/cases?pageSize=-1", "", 400, "invalid-argument", "pageSize"},
		{"GET", "/api/v1/cases?pageSize=many", "", 400, "invalid-argument", "body"},
		{"GET", "/api/v1/cases?pageSize=99999999999999999999", "", 400, "invalid-argument", "body"},
		{"GET", "/api/v1/cases?pageSize=1&pageSize=2", "", 400, "invalid-argument", "pageSize"},
		{"GET", "/api/v1/cases?page_size=1", "", 400, "invalid-argument", "query"},
		{"GET", "/api/v1/cases?stauts=draft", "", 400, "invalid-argument", "query"},
		{"GET", "/api/v1/cases?status=geheim", "", 400, "invalid-argument", "status"},
		{"GET", "/api/v1/cases?status=%ff", "", 400, "invalid-argument", "status"},
		{"GET", "/api/v1/cases?status=draft;pageSize=1", "", 400, "invalid-argument", "query"},
		{"GET", "/api/v1/cases?access_token=x", "", 400, "invalid-argument", "query"},
		{"GET", "/api/v1/cases/" + caseID + "?caseId=" + caseID, "", 400, "invalid-argument", "query"},
		{"POST", "/api/v1/cases?theme=x", newCase, 400, "invalid-argument", "query"},
		{"POST", "/api/v1/sessions?secret=x", `{}`, 400, "invalid-argument", "query"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			a := n.do(t, c.method, c.path, c.body, n.as(p.session))
			a.wants(t, c.status, c.reason)
			if a.problem.Field != c.field {
				t.Errorf("field %q, want %q", a.problem.Field, c.field)
			}
		})
	}
	if n.said.count() != before {
		t.Error("one of them reached a service")
	}
	t.Run("HEAD", func(t *testing.T) {
		if a := n.do(t, http.MethodHead, "/api/v1/cases", "", n.as(p.session)); a.status != 405 || a.header.Get("Allow") != "POST, GET" || a.raw != "" {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a list", func(t *testing.T) {
		n.do(t, http.MethodGet, "/api/v1/cases?pageSize=100&status=draft", "", n.as(p.session)).wantsOK(t)
	})
	t.Run("another method in a header", func(t *testing.T) {
		n.do(t, http.MethodPost, "/api/v1/cases/"+caseID, `{}`, n.as(p.session), header("X-HTTP-Method-Override", "DELETE")).wants(t, 405, "invalid-argument")
		n.do(t, http.MethodPost, "/api/v1/cases", newCase, n.as(p.session), header("X-HTTP-Method-Override", "GET")).wantsOK(t)
	})
}

// say writes raw bytes to the node and reads its answer.
func (n *node) say(t *testing.T, raw string, more io.Reader) answer {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(n.url, "http://"))
	must(t, err)
	defer func() { _ = c.Close() }()
	go func() {
		if _, err := io.WriteString(c, raw); err == nil && more != nil {
			_, _ = io.Copy(c, more)
		}
	}()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	must(t, err)
	return read(t, res)
}

// What net/http answers before any handler looks like every other answer.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	long := strings.Repeat("a", 64<<10)
	for name, c := range map[string]struct {
		raw    string
		status int
		reason string
	}{
		"not HTTP":                  {"hallo\r\n\r\n", 400, "invalid-argument"},
		"no host":                   {"GET / HTTP/1.1\r\n\r\n", 400, "invalid-argument"},
		"two hosts":                 {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "invalid-argument"},
		"a header with a line end":  {"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "invalid-argument"},
		"a header without a name":   {"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400, "invalid-argument"},
		"two lengths":               {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "invalid-argument"},
		"an unknown encoding":       {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 501, "invalid-argument"},
		"another version":           {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505, "invalid-argument"},
		"a very long URL":           {"GET /api/v1/" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 431, "too-large"},
		"very long headers":         {"GET / HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n", 431, "too-large"},
		"a URL that is just enough": {"GET /api/v1/" + long[:30<<10] + " HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not-found"},
		"options of everything":     {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not-found"},
		"a proxy":                   {"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", 404, "not-found"},
		"another's address":         {"GET http://example.org/geheim HTTP/1.1\r\nHost: example.org\r\n\r\n", 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n.say(t, c.raw, nil).wants(t, c.status, c.reason)
		})
	}
	t.Run("an endless body", func(t *testing.T) {
		t.Parallel()
		p := n.member(t)
		raw := fmt.Sprintf("POST /api/v1/cases HTTP/1.1\r\nHost: a\r\nOrigin: %s\r\nCookie: %s=%s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
			n.url, n.cookieName(), p.session)
		n.say(t, raw, endless{}).wants(t, 413, "too-large")
	})
	t.Run("an endless body of nobody", func(t *testing.T) {
		t.Parallel()
		n.say(t, "POST /api/v1/cases HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", endless{}).wants(t, 401, "unauthenticated")
	})
}

// endless is a chunked body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	chunk := "400\r\n" + strings.Repeat("1", 1024) + "\r\n"
	return copy(p[:len(chunk)], chunk), nil
}
