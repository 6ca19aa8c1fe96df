package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
)

// client speaks the public REST interface of one node, as one person or as nobody.
type client struct {
	base    string
	http    *http.Client
	cookies []*http.Cookie
}

// refusal is a problem+json answer.
type refusal struct {
	Status   int
	Reason   string
	Detail   string
	NextStep string
	TraceID  string `json:"traceId"`
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Reason, r.Detail) }

func anonymous(base string) *client {
	return &client{base: base, http: &http.Client{Timeout: 30 * time.Second}}
}

// signIn redeems a one-time link.
func signIn(ctx context.Context, base, secret string) (*client, error) {
	c := anonymous(base)
	return c, c.call(ctx, http.MethodPost, "/sessions", &gatewayv1.CreateSessionRequest{Secret: secret}, nil)
}

// call sends one request under /api/v1 and reads the answer into out.
func (c *client) call(ctx context.Context, method, path string, in, out proto.Message) error {
	var body io.Reader
	if in != nil {
		b, err := protojson.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Origin", c.base)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, k := range c.cookies {
		req.AddCookie(k)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 8<<20))
	if err != nil {
		return err
	}
	c.cookies = append(c.cookies, res.Cookies()...)
	if res.StatusCode != http.StatusOK {
		r := &refusal{Status: res.StatusCode}
		_ = json.Unmarshal(b, r)
		return r
	}
	if out == nil {
		return nil
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, out)
}
