// Package fault makes the errors that cross a service boundary. A fault is made
// where the cause is known, wrapped with %w on its way, and rendered once, at the
// edge. It carries a stable reason and never a text that a user wrote.
package fault

import (
	"context"
	stderrors "errors"
	"net/http"
	"strings"

	"github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
)

// Keys of a fault's metadata.
const (
	// MetaCode is the dotted code that the caller may see, such as "consent.absent".
	MetaCode = "code"
	// MetaField is the path of the field that is not well formed.
	MetaField = "field"
)

var httpStatus = map[faultv1.Reason]int{
	faultv1.Reason_REASON_INVALID_ARGUMENT:  http.StatusBadRequest,
	faultv1.Reason_REASON_TOO_LARGE:         http.StatusRequestEntityTooLarge,
	faultv1.Reason_REASON_NOT_FOUND:         http.StatusNotFound,
	faultv1.Reason_REASON_UNAUTHENTICATED:   http.StatusUnauthorized,
	faultv1.Reason_REASON_CHECK_UNAVAILABLE: http.StatusServiceUnavailable,
	faultv1.Reason_REASON_EDIT_CONFLICT:     http.StatusConflict,
	faultv1.Reason_REASON_TOO_MANY_REQUESTS: http.StatusTooManyRequests,
	faultv1.Reason_REASON_ORIGIN_MISMATCH:   http.StatusForbidden,
	faultv1.Reason_REASON_PEER_UNAVAILABLE:  http.StatusServiceUnavailable,
	faultv1.Reason_REASON_INTERNAL:          http.StatusInternalServerError,
	faultv1.Reason_REASON_WRONG_STATE:       http.StatusConflict,
	faultv1.Reason_REASON_TIMEOUT:           http.StatusGatewayTimeout,
	faultv1.Reason_REASON_REFUSED:           http.StatusForbidden,
}

// HTTPStatus of a reason; 500 for one that is not known.
func HTTPStatus(r faultv1.Reason) int {
	if s, ok := httpStatus[r]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// New makes a fault. The message is for developers, in English, without user text.
func New(r faultv1.Reason, message string) *errors.Error {
	return errors.New(HTTPStatus(r), r.String(), message)
}

// Invalid says which field is not well formed, and which rule it breaks.
func Invalid(field, rule string) error {
	return New(faultv1.Reason_REASON_INVALID_ARGUMENT, rule).WithMetadata(map[string]string{MetaField: field})
}

// TooLarge says which field is too large.
func TooLarge(field string) error {
	return New(faultv1.Reason_REASON_TOO_LARGE, "too large").WithMetadata(map[string]string{MetaField: field})
}

// NotFound is the one answer for what does not exist and for what the caller may not know of.
func NotFound() error { return New(faultv1.Reason_REASON_NOT_FOUND, "not found") }

// Unauthenticated is the answer to a call without a valid statement of who calls.
func Unauthenticated(message string) error {
	return New(faultv1.Reason_REASON_UNAUTHENTICATED, message)
}

// Refused is the policy's no to someone who may know that the thing exists.
func Refused(code string) error {
	return New(faultv1.Reason_REASON_REFUSED, "refused").WithMetadata(map[string]string{MetaCode: code})
}

// WrongState says that the thing is past, or not yet at, this step.
func WrongState(code string) error {
	return New(faultv1.Reason_REASON_WRONG_STATE, "wrong state").WithMetadata(map[string]string{MetaCode: code})
}

// EditConflict says that another edit came first.
func EditConflict() error { return New(faultv1.Reason_REASON_EDIT_CONFLICT, "another edit came first") }

// Unavailable says that a decision could not be taken or recorded.
func Unavailable(cause error) error {
	return New(faultv1.Reason_REASON_CHECK_UNAVAILABLE, "check unavailable").WithCause(cause)
}

// PeerUnavailable says that the other organisation's node gave no usable answer.
func PeerUnavailable(cause error) error {
	return New(faultv1.Reason_REASON_PEER_UNAVAILABLE, "peer unavailable").WithCause(cause)
}

// Internal wraps what should not have happened. The cause is logged and never sent.
func Internal(cause error) error {
	return New(faultv1.Reason_REASON_INTERNAL, "internal").WithCause(cause)
}

// ReasonOf gives the reason of an error. One that is none of ours has the reason
// that its gRPC code stands for: a service that cannot be reached, a message that
// is too large, a call that took too long. Anything else is REASON_INTERNAL.
func ReasonOf(err error) faultv1.Reason {
	if err == nil {
		return faultv1.Reason_REASON_UNSPECIFIED
	}
	if r, ok := known(err); ok {
		return r
	}
	if stderrors.Is(err, context.DeadlineExceeded) || stderrors.Is(err, context.Canceled) {
		return faultv1.Reason_REASON_TIMEOUT
	}
	if s, ok := status.FromError(err); ok {
		switch s.Code() {
		case codes.DeadlineExceeded, codes.Canceled:
			return faultv1.Reason_REASON_TIMEOUT
		case codes.Unavailable:
			return faultv1.Reason_REASON_CHECK_UNAVAILABLE
		case codes.ResourceExhausted:
			return faultv1.Reason_REASON_TOO_LARGE
		}
	}
	return faultv1.Reason_REASON_INTERNAL
}

// known gives the reason of a fault, also of one that came over a connection.
func known(err error) (faultv1.Reason, bool) {
	r, ok := faultv1.Reason_value[errors.FromError(err).Reason]
	return faultv1.Reason(r), ok && r != 0
}

// CodeOf gives the dotted code that the caller may see; for a fault without one, its reason in dotted form.
func CodeOf(err error) string {
	if err == nil {
		return ""
	}
	if c := errors.FromError(err).Metadata[MetaCode]; c != "" {
		return c
	}
	return Dotted(ReasonOf(err))
}

// Dotted is the code of a transport reason: REASON_NOT_FOUND is "not-found".
func Dotted(r faultv1.Reason) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(r.String(), "REASON_")), "_", "-")
}

// Sanitize turns any error into a fault that may leave the service: one of ours
// unchanged, and everything else into a fault that says no more than its reason.
func Sanitize(err error) error {
	if err == nil {
		return nil
	}
	r := ReasonOf(err)
	if _, ok := known(err); ok {
		var e *errors.Error
		if stderrors.As(err, &e) {
			return e
		}
		// It came over a connection; the text of what was wrapped around it since stays here.
		var over interface{ GRPCStatus() *status.Status }
		if !stderrors.As(err, &over) {
			return Internal(err)
		}
		g := errors.FromError(over.GRPCStatus().Err())
		return New(r, g.Message).WithMetadata(g.Metadata).WithCause(err)
	}
	switch r {
	case faultv1.Reason_REASON_TIMEOUT:
		return New(r, "took too long").WithCause(err)
	case faultv1.Reason_REASON_TOO_LARGE:
		return New(r, "too large").WithCause(err)
	case faultv1.Reason_REASON_CHECK_UNAVAILABLE:
		return Unavailable(err)
	default:
		return Internal(err)
	}
}
