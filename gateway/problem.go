package gateway

import (
	"context"
	"encoding/json"
	stderrors "errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Problem is an RFC 9457 answer. Detail and NextStep are Dutch sentences for
// people; Reason is stable and for programs.
type Problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Reason   string `json:"reason"`
	NextStep string `json:"nextStep,omitempty"`
	Field    string `json:"field,omitempty"`
	TraceID  string `json:"traceId"`
}

const problemType = "application/problem+json"

// retryAfter is how many seconds a client waits, when waiting helps.
const retryAfter = "30"

// errMethod is for a path that exists, with another method.
var errMethod = errors.New(http.StatusMethodNotAllowed, faultv1.Reason_REASON_INVALID_ARGUMENT.String(), "method").
	WithMetadata(map[string]string{fault.MetaField: "method"})

// problem renders every refusal and failure of the node, once.
func (g *Gateway) problem(w http.ResponseWriter, r *http.Request, err error, outside bool) {
	traceID, _ := telemetry.IDs(r.Context())
	reason := reasonOf(err)
	p := Problem{Type: "about:blank", Status: fault.HTTPStatus(reason), Reason: fault.CodeOf(err), TraceID: traceID}
	code := p.Reason
	var refusal *oauth.Refusal
	if stderrors.As(err, &refusal) {
		refusal.SetHeaders(w.Header())
		p.Status, p.Reason, code = refusal.Status, refusal.Reason, fault.Dotted(reason)
		if reason == faultv1.Reason_REASON_CHECK_UNAVAILABLE {
			p.Reason = code
		}
	} else if e := errors.FromError(err); e != nil {
		p.Field = jsonPath(e.Metadata[fault.MetaField])
		if e.Code == http.StatusMethodNotAllowed {
			p.Status = http.StatusMethodNotAllowed
		}
	}
	p.Title = http.StatusText(p.Status)
	if !g.refusals.Has(code) { // such as one that another node made up
		code = fault.Dotted(reason)
	}
	p.Detail, p.NextStep = g.refusals.Explain(code, outside, map[string]string{"trace": traceID})
	g.logFailure(r, p, err)
	h := w.Header()
	if p.Status == http.StatusUnauthorized && h.Get("WWW-Authenticate") == "" {
		h.Set("WWW-Authenticate", "DPoP")
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	h.Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// logFailure is where the trace id of an answer leads to. A refusal is not a failure.
func (g *Gateway) logFailure(r *http.Request, p Problem, err error) {
	if p.Status < http.StatusInternalServerError || stderrors.Is(r.Context().Err(), context.Canceled) {
		return
	}
	operation, _ := r.Context().Value(operationKey{}).(string)
	attrs := []slog.Attr{
		slog.String("operation", operation), slog.String("reason", p.Reason), slog.String("trace_id", p.TraceID),
	}
	if cause := stderrors.Unwrap(err); cause != nil {
		attrs = append(attrs, slog.String("cause", telemetry.Safe(cause)))
	}
	level := slog.LevelWarn
	if p.Status == http.StatusInternalServerError {
		level = slog.LevelError
	}
	g.Log.LogAttrs(r.Context(), level, "answer failed", attrs...)
}

// reasonOf is fault.ReasonOf, for the token check's refusals too.
func reasonOf(err error) faultv1.Reason {
	var refusal *oauth.Refusal
	if !stderrors.As(err, &refusal) {
		return fault.ReasonOf(err)
	}
	switch refusal.Status {
	case http.StatusServiceUnavailable:
		return faultv1.Reason_REASON_CHECK_UNAVAILABLE
	case http.StatusBadRequest:
		return faultv1.Reason_REASON_INVALID_ARGUMENT
	default:
		return faultv1.Reason_REASON_UNAUTHENTICATED
	}
}

// reasonText is the stable reason of an error, for the security log.
func reasonText(err error) string {
	var refusal *oauth.Refusal
	if stderrors.As(err, &refusal) {
		return refusal.Reason
	}
	return fault.CodeOf(err)
}

// malformed tells what the transcoder says of a request from what a service says;
// its text may repeat the request.
func malformed(err error) bool {
	return fault.ReasonOf(err) == faultv1.Reason_REASON_INTERNAL && status.Code(err) == codes.InvalidArgument
}

// jsonPath spells a field the way clients do: choices[0].proposal_id is choices[0].proposalId.
func jsonPath(field string) string {
	words := strings.Split(field, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
