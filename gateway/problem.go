package gateway

import (
	"encoding/json"
	stderrors "errors"
	"net/http"
	"strconv"

	"github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	"github.com/zijlicht/zijlicht/policies"
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
	Instance string `json:"instance,omitempty"`
	Reason   string `json:"reason"`
	NextStep string `json:"nextStep,omitempty"`
	Field    string `json:"field,omitempty"`
	TraceID  string `json:"traceId"`
}

// words are the sentences for reasons.
type words struct{ refusals *policies.Refusals }

func loadWords() (*words, error) {
	r, err := policies.LoadRefusals()
	if err != nil {
		return nil, err
	}
	return &words{refusals: r}, nil
}

// problem renders every refusal and failure of the node, once.
func (g *Gateway) problem(w http.ResponseWriter, r *http.Request, err error, outside bool) {
	traceID, _ := telemetry.IDs(r.Context())
	var refusal *oauth.Refusal
	p := Problem{Type: "about:blank", TraceID: traceID}
	switch {
	case stderrors.As(err, &refusal):
		refusal.SetHeaders(w.Header())
		p.Status, p.Reason = refusal.Status, refusal.Reason
		p.Detail, p.NextStep = g.words.refusals.Sentence(fault.Dotted(reasonOf(err)), outside)
	default:
		reason := reasonOf(err)
		p.Status, p.Reason = fault.HTTPStatus(reason), fault.CodeOf(err)
		p.Field = errors.FromError(err).Metadata[fault.MetaField]
		p.Detail, p.NextStep = g.words.refusals.Sentence(p.Reason, outside)
	}
	p.Title = http.StatusText(p.Status)
	if p.Status == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "DPoP")
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(30))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// reasonOf is fault.ReasonOf, for the token check's refusals too.
func reasonOf(err error) faultv1.Reason {
	var refusal *oauth.Refusal
	if !stderrors.As(err, &refusal) {
		return fault.ReasonOf(err)
	}
	switch {
	case refusal.Status == http.StatusServiceUnavailable:
		return faultv1.Reason_REASON_CHECK_UNAVAILABLE
	case refusal.Status == http.StatusBadRequest:
		return faultv1.Reason_REASON_INVALID_ARGUMENT
	default:
		return faultv1.Reason_REASON_UNAUTHENTICATED
	}
}

// isInvalid tells what the transcoder calls a malformed request.
func isInvalid(err error) bool { return status.Code(err) == codes.InvalidArgument }
