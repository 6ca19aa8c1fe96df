package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// door is where requests for the contracts come in: it finds the operation,
// establishes who calls and that the body is one JSON value, and lets the
// transcoder do the rest.
type door struct {
	g       *Gateway
	prefix  string
	outside bool // whether those who come here are of other organisations
	routes  []route
	who     func(r *http.Request, operation string) (*identityv1.Caller, error)
	next    http.Handler
	// here are the operations that the edge serves itself.
	here map[string]func(http.ResponseWriter, *http.Request) error
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, allow := find(d.routes, r.Method, strings.TrimPrefix(r.URL.Path, d.prefix))
	switch {
	case len(allow) > 0:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		d.g.problem(w, r, errMethod, d.outside)
		return
	case found.operation == "":
		d.g.problem(w, r, fault.NotFound(), d.outside)
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), operationKey{}, found.operation))
	if err := d.serve(w, r, found); err != nil {
		d.g.security(r, err)
		d.g.problem(w, r, err, d.outside)
	}
}

func (d *door) serve(w http.ResponseWriter, r *http.Request, found route) error {
	if serve := d.here[found.operation]; serve != nil {
		if err := found.checkQuery(r.URL.RawQuery); err != nil {
			return err
		}
		return serve(w, r)
	}
	caller, err := d.who(r, found.operation)
	if err != nil {
		return err
	}
	if err := found.checkQuery(r.URL.RawQuery); err != nil {
		return err
	}
	if err := readJSON(r); err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "DPoP", "Cookie", "TE"} {
		r.Header.Del(name)
	}
	d.next.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
	return nil
}

// readJSON reads the whole body, within the limit, and checks that it is exactly one JSON value, in UTF-8.
func readJSON(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.TooLarge("body")
	case err != nil:
		return fault.Invalid("body", "unreadable")
	}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		if len(body) > 0 {
			return fault.Invalid("body", "not-with-this-method")
		}
		return nil
	}
	if !jsonType(r.Header.Values("Content-Type")) {
		return fault.Invalid("content-type", "application/json")
	}
	if !utf8.Valid(body) {
		return fault.Invalid("body", "utf-8")
	}
	if !json.Valid(body) {
		return fault.Invalid("body", "json")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// jsonType tells whether the content type is JSON, which is always UTF-8 (RFC 8259 §8.1).
func jsonType(values []string) bool {
	if len(values) != 1 {
		return false
	}
	media, params, err := mime.ParseMediaType(values[0])
	charset, given := params["charset"]
	return err == nil && media == "application/json" && (!given || strings.EqualFold(charset, "utf-8"))
}

type operationKey struct{}

// security notes a call that never reached a service, by its operation: a path has ids in it.
func (g *Gateway) security(r *http.Request, err error) {
	operation, _ := r.Context().Value(operationKey{}).(string)
	g.Security(r.Context(), operation, reasonText(err))
}
