package e2e_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
)

// person is somebody at the REST interface of one node: signed in, or without an account.
type person struct {
	f       *federation
	node    *node
	id      string // account
	name    string
	http    *http.Client
	cookies []*http.Cookie
	// trace is sent with every request when it is set.
	trace string
}

// problem is a refusal as it came.
type problem struct {
	Status                                    int
	Reason, Title, Detail, Instance, NextStep string
	Field, TraceID                            string
	Type                                      string

	body map[string]any
}

// told is what the caller can make of a refusal: all of it but what names this one request.
func (p *problem) told() map[string]any {
	m := maps.Clone(p.body)
	delete(m, "traceId")
	delete(m, "instance")
	return m
}

var addresses atomic.Uint32

// client connects from a loopback address of its own: the limits of a node are per
// address, and different people do not sit behind one.
func newHTTP() *http.Client {
	n := addresses.Add(1)
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(n>>8), byte(n))}
	d := &net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}
	// A connection is not kept: nodes are killed and started again.
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
}

// nobody is without an account.
func (f *federation) nobody(n *node) *person { return &person{f: f, node: n, http: newHTTP()} }

var (
	accountLine = regexp.MustCompile(`Account: ([0-9a-f-]{36})`)
	linkLine    = regexp.MustCompile(`/sign-in#(\S+)`)
)

// invite gives a person an account, through the command, and signs them in with the link.
func (f *federation) invite(n *node, name, unit string, roles ...string) *person {
	f.t.Helper()
	args := []string{"account", "invite", "--config", n.file, "--name", name, "--unit", unit}
	for _, r := range roles {
		args = append(args, "--role", r)
	}
	out, err := command(args...)
	if err != nil {
		f.t.Fatal(err)
	}
	account, link := accountLine.FindStringSubmatch(out), linkLine.FindStringSubmatch(out)
	if account == nil || link == nil {
		f.t.Fatal("the invitation names no account or no link")
	}
	p := f.nobody(n)
	p.id, p.name = account[1], name
	f.hide("a name", name)
	f.hide("the secret of a link", link[1])
	var s gatewayv1.Session
	p.must(http.MethodPost, "/sessions", &gatewayv1.CreateSessionRequest{Secret: link[1]}, &s)
	if s.GetAccountId() != p.id || s.GetOrganisation() != n.url {
		f.t.Fatalf("signed in as %s of %s", s.GetAccountId(), s.GetOrganisation())
	}
	for _, c := range p.cookies {
		f.hide("a session cookie", c.Value)
	}
	return p
}

// call sends a request under /api/v1. It answers with a refusal, or reads the answer into out.
func (p *person) call(method, path string, in, out proto.Message) *problem {
	p.f.t.Helper()
	refusal, err := p.try(method, path, in, out)
	if err != nil {
		p.f.t.Fatalf("%s %s: %v", method, path, err)
	}
	return refusal
}

// try is call for a node that may die on the way.
func (p *person) try(method, path string, in, out proto.Message) (*problem, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = protojson.Marshal(in); err != nil {
			return nil, err
		}
	}
	status, header, answer, err := p.send(method, "/api/v1"+path, body)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		if out == nil {
			return nil, nil
		}
		return nil, protojson.Unmarshal(answer, out) // what the contract does not know is an error
	}
	refusal := &problem{}
	if ct := header.Get("Content-Type"); ct != "application/problem+json" {
		p.f.t.Errorf("%s %s: a refusal of %d comes as %q", method, path, status, ct)
	}
	if err := json.Unmarshal(answer, refusal); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(answer, &refusal.body); err != nil {
		return nil, err
	}
	if refusal.Status != status || refusal.Reason == "" || refusal.Detail == "" || len(refusal.TraceID) != 32 {
		p.f.t.Errorf("%s %s: a refusal of %d is not complete: %s", method, path, status, answer)
	}
	return refusal, nil
}

// send sends a body as it is.
func (p *person) send(method, path string, body []byte) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(p.f.t.Context(), method, p.node.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	req.Header.Set("Origin", p.node.url)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.trace != "" {
		req.Header.Set("Traceparent", "00-"+p.trace+"-0102030405060708-01")
	}
	for _, c := range p.cookies {
		req.AddCookie(c)
	}
	res, err := p.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	p.cookies = append(p.cookies, res.Cookies()...)
	return res.StatusCode, res.Header, answer, err
}

// must is call for what has to succeed.
func (p *person) must(method, path string, in, out proto.Message) {
	p.f.t.Helper()
	if r := p.call(method, path, in, out); r != nil {
		p.f.t.Fatalf("%s %s: %d %s %s: %s", method, path, r.Status, r.Reason, r.Field, r.Detail)
	}
}

// refused is call for what has to be refused, with this status and reason.
func (p *person) refused(status int, reason, method, path string, in proto.Message) *problem {
	p.f.t.Helper()
	r := p.call(method, path, in, nil)
	if r == nil {
		p.f.t.Fatalf("%s %s was done, want %d %s", method, path, status, reason)
	}
	if r.Status != status || r.Reason != reason {
		p.f.t.Fatalf("%s %s: %d %s, want %d %s", method, path, r.Status, r.Reason, status, reason)
	}
	return r
}

// newTrace is a trace id of the client's own.
func newTrace() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// inCircle tells whether this person's node knows that it is in the circle, with others.
func (p *person) inCircle() bool {
	p.f.t.Helper()
	var res gatewayv1.ListCirclesResponse
	if r := p.call(http.MethodGet, "/circles", nil, &res); r != nil {
		return false
	}
	for _, c := range res.GetCircles() {
		if c.GetId() == p.f.circle {
			return len(c.GetMembers()) == len(p.f.members)
		}
	}
	return false
}
