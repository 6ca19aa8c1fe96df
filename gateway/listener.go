package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/zijlicht/zijlicht/gateway/openapi"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Listener wraps the listener of Server. What is not HTTP, or has headers that are
// too large, net/http answers by itself, in plain text and before any handler:
// here these answers become problems like all others.
func (g *Gateway) Listener(l net.Listener) net.Listener { return &listener{Listener: l, g: g} }

type listener struct {
	net.Listener
	g *Gateway
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &protocolConn{Conn: c, g: l.g}, nil
}

type protocolConn struct {
	net.Conn
	g *Gateway
}

// own are the headers of net/http's own answers. No answer of a handler has them
// in this form: those have a date, and JSON has no line ends inside a text.
var own = []byte("\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n")

// Write implements net.Conn. net/http writes such an answer in one go.
func (c *protocolConn) Write(b []byte) (int, error) {
	line, rest, found := bytes.Cut(b, own)
	if !found || len(rest) > 200 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < len("HTTP/1.1 400") {
		return c.Conn.Write(b)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil || status < 400 {
		return c.Conn.Write(b)
	}
	if _, err := c.Conn.Write(c.g.protocolProblem(status)); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (g *Gateway) protocolProblem(status int) []byte {
	ctx, span := telemetry.Start(context.Background(), "http malformed")
	defer span.End()
	reason := faultv1.Reason_REASON_INVALID_ARGUMENT
	if status == http.StatusRequestHeaderFieldsTooLarge {
		reason = faultv1.Reason_REASON_TOO_LARGE
	}
	traceID, _ := telemetry.IDs(ctx)
	p := Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Reason: fault.Dotted(reason), Field: "request", TraceID: traceID,
	}
	p.Detail, p.NextStep = g.refusals.Sentence(p.Reason, false)
	body, err := json.Marshal(p)
	if err != nil { // only our own fixed words come here
		body = []byte("{}")
	}
	g.Security(ctx, "", p.Reason)
	h := http.Header{}
	securityHeaders(h)
	h.Set("Content-Type", problemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Connection", "close")
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", status, p.Title)
	_ = h.Write(&out) // a buffer takes everything
	out.WriteString("\r\n")
	out.Write(body)
	return out.Bytes()
}

// securityHeaders are on every answer of the node.
func securityHeaders(h http.Header) {
	h.Set("API-Version", openapi.Version)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
}
