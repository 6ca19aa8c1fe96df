package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
)

// client speaks HTTP with one server over connections of its own, as a person or as nobody.
type client struct {
	base    string
	id      string // account
	http    *http.Client
	cookies []*http.Cookie
}

var addresses atomic.Uint32

// newClient connects from a loopback address of its own: signing in is limited per address.
func newClient(base string) *client {
	n := addresses.Add(1)
	from := &net.TCPAddr{IP: net.IPv4(127, 2, byte(n>>8), byte(n))}
	d := &net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}
	return &client{base: base, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: d.DialContext}}}
}

// again is the same person over another connection.
func (c *client) again() *client {
	other := newClient(c.base)
	other.id, other.cookies = c.id, c.cookies
	return other
}

var (
	accountLine = regexp.MustCompile(`Account: ([0-9a-f-]{36})`)
	linkLine    = regexp.MustCompile(`/sign-in#(\S+)`)
)

// invite gives a person an account, through the command, and signs them in with the link.
func (w *world) invite(ctx context.Context, n *node, name, unit string, roles ...string) (*client, error) {
	args := []string{"account", "invite", "--config", n.file, "--name", name, "--unit", unit}
	for _, r := range roles {
		args = append(args, "--role", r)
	}
	out, err := w.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	account, link := accountLine.FindStringSubmatch(out), linkLine.FindStringSubmatch(out)
	if account == nil || link == nil {
		return nil, errors.New("the invitation names no account or no link")
	}
	c := newClient(n.url)
	c.id = account[1]
	return c, c.api(ctx, http.MethodPost, "/sessions", &gatewayv1.CreateSessionRequest{Secret: link[1]}, nil)
}

// api sends one request under /api/v1 and reads the answer into out.
func (c *client) api(ctx context.Context, method, path string, in, out proto.Message) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = protojson.Marshal(in); err != nil {
			return err
		}
	}
	answer, err := c.do(ctx, method, "/api/v1"+path, body)
	if err != nil || out == nil {
		return err
	}
	return protojson.Unmarshal(answer, out)
}

// do sends a request and reads the whole answer. Anything but 200 is an error.
func (c *client) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Origin", c.base)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, k := range c.cookies {
		req.AddCookie(k)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	c.cookies = append(c.cookies, res.Cookies()...)
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	return answer, nil
}

// reading is the call that is measured.
func (c *client) reading(path string) call {
	return func(ctx context.Context) error {
		_, err := c.do(ctx, http.MethodGet, path, nil)
		return err
	}
}
