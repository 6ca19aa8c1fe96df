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
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/zijlicht/zijlicht/gateway/openapi"
	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Limits of a request.
const (
	maxBody        = 1 << 20
	maxHeader      = 32 << 10
	requestTimeout = 20 * time.Second
)

// Version of the API, sent with every answer.
const Version = "1.0.0"

// Server listens for people, machines and other nodes.
func (g *Gateway) Server(address string) (*http.Server, error) {
	h, err := g.Handler()
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Addr: address, Handler: h,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: maxHeader,
	}, nil
}

// Handler answers every path of the node.
func (g *Gateway) Handler() (http.Handler, error) {
	conn := edgeConn{ClientConnInterface: g.Conn, signer: g.Signer}
	ctx := context.Background()
	api, peer := g.newMux(false), g.newMux(true)
	if err := errors.Join(
		gatewayv1.RegisterAccountServiceHandlerClient(ctx, api, gatewayv1.NewAccountServiceClient(conn)),
		casesv1.RegisterCasesServiceHandlerClient(ctx, api, casesv1.NewCasesServiceClient(conn)),
		consentv1.RegisterConsentServiceHandlerClient(ctx, api, consentv1.NewConsentServiceClient(conn)),
		reviewv1.RegisterReviewServiceHandlerClient(ctx, api, reviewv1.NewReviewServiceClient(conn)),
		auditv1.RegisterAuditServiceHandlerClient(ctx, api, auditv1.NewAuditServiceClient(conn)),
		gatewayv1.RegisterPeerServiceHandlerClient(ctx, peer, gatewayv1.NewPeerServiceClient(conn)),
	); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPath+"/openapi.json", serveOpenAPI)
	mux.HandleFunc("POST "+apiPath+"/sessions", g.signIn)
	mux.HandleFunc("DELETE "+apiPath+"/sessions/current", g.signOut)
	mux.Handle(apiPath+"/", g.guard(apiPath, false, g.apiCaller, api))
	mux.Handle(federationPath+"/", g.guard(federationPath, true, g.peerCaller, peer))
	mux.HandleFunc("GET /healthz", g.health)
	g.oauth.Routes(mux)
	if g.Anchor != nil {
		mux.Handle("/federation/members", g.Anchor)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { g.problem(w, r, fault.NotFound(), false) })
	return outermost(mux), nil
}

// newMux transcodes between JSON and the contracts. Nothing of a request becomes
// metadata, unknown fields are refused, and every error is rendered in one place.
func (g *Gateway) newMux(outside bool) *runtime.ServeMux {
	none := func(string) (string, bool) { return "", false }
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{EmitUnpopulated: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
		}),
		runtime.WithIncomingHeaderMatcher(none),
		runtime.WithOutgoingHeaderMatcher(none),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			g.problem(w, r, transcodingFault(err), outside)
		}),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
			err := fault.NotFound()
			if status == http.StatusBadRequest {
				err = fault.Invalid("path", "format")
			}
			g.problem(w, r, err, outside)
		}),
	)
}

// outermost bounds time and size, sets the headers that every answer has, and
// begins or continues the trace.
func outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
		ctx, span := telemetry.Start(ctx, "http "+r.Method)
		defer span.End()
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Grpc-") || name == "Forwarded" {
				r.Header.Del(name)
			}
		}
		h := w.Header()
		h.Set("API-Version", Version)
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// guard establishes who calls and that the body is one JSON value, then transcodes.
func (g *Gateway) guard(prefix string, outside bool, who func(*http.Request) (*identityv1.Caller, error), mux http.Handler) http.Handler {
	strip := http.StripPrefix(prefix, mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := who(r)
		if err != nil {
			g.security(r, err)
			g.problem(w, r, err, outside)
			return
		}
		if err := readJSON(r); err != nil {
			g.security(r, err)
			g.problem(w, r, err, outside)
			return
		}
		r.Header.Del("Authorization")
		r.Header.Del("DPoP")
		r.Header.Del("Cookie")
		strip.ServeHTTP(w, r.WithContext(withCaller(r.Context(), caller)))
	})
}

// readJSON reads the whole body, within the limit, and checks that it is exactly one JSON value.
func readJSON(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.TooLarge("body")
	case err != nil:
		return fault.Invalid("body", "unreadable")
	case len(body) == 0 && (r.Method == http.MethodGet || r.Method == http.MethodDelete):
		return nil
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fault.Invalid("content-type", "application/json")
	}
	if !json.Valid(body) {
		return fault.Invalid("body", "json")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// transcodingFault keeps what a service said, and replaces what the transcoder
// says of a request, because that may repeat the request.
func transcodingFault(err error) error {
	if r := fault.ReasonOf(err); r != faultv1.Reason_REASON_INTERNAL {
		return err
	}
	if isInvalid(err) {
		return fault.Invalid("body", "contract")
	}
	return fault.Sanitize(err)
}

func (g *Gateway) security(r *http.Request, err error) {
	g.Security(r.Context(), r.Method+" "+routeOf(r.URL.Path), fault.Dotted(reasonOf(err)))
}

// routeOf is a path without ids, so that what is in a path stays out of the log.
func routeOf(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.ContainsAny(p, "0123456789") && p != "v1" && p != "oauth2" || len(p) > 24 {
			parts[i] = "-"
		}
	}
	if len(parts) > 8 {
		parts = parts[:8]
	}
	return strings.Join(parts, "/")
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(openapi.Document())
}

// health says whether the node can answer: its database is there and its member document current.
func (g *Gateway) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	state := map[string]string{"database": "ok", "members": "ok"}
	status := http.StatusOK
	if err := g.Pool.Ping(ctx); err != nil {
		state["database"], status = "unavailable", http.StatusServiceUnavailable
	}
	if _, err := g.members.Current(ctx); err != nil {
		state["members"], status = "unavailable", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(state)
}
