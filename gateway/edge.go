package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/zijlicht/zijlicht/gateway/openapi"
	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
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
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(g.Log.Handler(), slog.LevelDebug),
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
	accounts := gatewayv1.File_zijlicht_gateway_v1_gateway_proto.Services()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+apiPath+"/openapi.json", serveOpenAPI)
	mux.HandleFunc("OPTIONS "+apiPath+"/openapi.json", preflightOpenAPI)
	mux.Handle(apiPath+"/", &door{
		g: g, prefix: apiPath, who: g.apiCaller, next: http.StripPrefix(apiPath, api),
		routes: routesOf(
			accounts.ByName("AccountService"),
			casesv1.File_zijlicht_cases_v1_cases_proto.Services().ByName("CasesService"),
			consentv1.File_zijlicht_consent_v1_consent_proto.Services().ByName("ConsentService"),
			reviewv1.File_zijlicht_review_v1_review_proto.Services().ByName("ReviewService"),
			auditv1.File_zijlicht_audit_v1_audit_proto.Services().ByName("AuditService"),
		),
		here: map[string]func(http.ResponseWriter, *http.Request) error{
			gatewayv1.AccountService_CreateSession_FullMethodName: g.signIn,
			gatewayv1.AccountService_DeleteSession_FullMethodName: g.signOut,
		},
	})
	mux.Handle(federationPath+"/", &door{
		g: g, prefix: federationPath, outside: true, who: g.peerCaller, next: http.StripPrefix(federationPath, peer),
		routes: routesOf(accounts.ByName("PeerService")),
	})
	mux.HandleFunc("GET /healthz", g.health)
	g.oauth.Routes(mux)
	if g.Anchor != nil {
		mux.Handle("/federation/members", g.Anchor)
	}
	nothing := func(w http.ResponseWriter, r *http.Request) { g.problem(w, r, fault.NotFound(), false) }
	for _, path := range []string{"/", apiPath, federationPath} { // without the last two the mux would redirect
		mux.HandleFunc(path, nothing)
	}
	return g.outermost(mux), nil
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
		runtime.WithOutgoingTrailerMatcher(none),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
			if malformed(err) {
				err = fault.Invalid("body", "contract")
				g.security(r, err)
			}
			g.wrongCode(r, err)
			g.problem(w, r, fault.Sanitize(err), outside)
		}),
		runtime.WithRoutingErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, _ int) {
			g.problem(w, r, fault.NotFound(), outside)
		}),
	)
}

// outermost bounds time and size, sets the headers that every answer has, begins
// or continues the trace, and answers when something broke.
func (g *Gateway) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		for name := range r.Header {
			if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Grpc-") {
				r.Header.Del(name)
			}
		}
		// The trace may be another's; what a client says beside it would travel on to other organisations.
		r.Header.Del("Tracestate")
		ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(r.Header))
		ctx, span := telemetry.Start(ctx, "http "+knownMethod(r.Method))
		defer span.End()
		securityHeaders(w.Header())
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		answer := &written{ResponseWriter: w}
		defer func() {
			if p := recover(); p != nil {
				// The value of a panic may hold what a user wrote; its type and the stack do not.
				g.Log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
				if answer.begun {
					panic(http.ErrAbortHandler) // half an answer must not look whole
				}
				g.problem(w, r, fault.Internal(fmt.Errorf("panic of type %T", p)), false)
			}
		}()
		if !plainPath(r) {
			g.problem(answer, r, fault.NotFound(), false)
			return
		}
		next.ServeHTTP(answer, r)
	})
}

// written remembers whether an answer has begun.
type written struct {
	http.ResponseWriter
	begun bool
}

func (w *written) WriteHeader(status int) { w.begun = true; w.ResponseWriter.WriteHeader(status) }

func (w *written) Write(b []byte) (int, error) { w.begun = true; return w.ResponseWriter.Write(b) }

// plainPath refuses every second spelling of a path, which the mux would redirect
// and the transcoder would read in its own way.
func plainPath(r *http.Request) bool {
	p := r.URL.Path
	return strings.HasPrefix(p, "/") && utf8.ValidString(p) && !strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == '\\' }) &&
		!strings.Contains(strings.ToLower(r.URL.RawPath), "%2f") &&
		(path.Clean(p) == p || path.Clean(p)+"/" == p)
}

// knownMethod keeps what a client made up out of traces and logs.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "API-Version")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(openapi.Document())
}

// preflightOpenAPI lets any page read the document; nothing else of the API is open to other origins.
func preflightOpenAPI(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Allow", "GET, HEAD, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
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
