// Package fault makes the errors that cross a service boundary. A fault is made
// where the cause is known, wrapped with %w on its way, and rendered once, at the
// edge. It carries a stable reason and never a text that a user wrote.
package fault

import (
	"context"
	stderrors "errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-kratos/kratos/v2/errors"

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

// ReasonOf gives the reason of an error, REASON_INTERNAL when it is none of ours.
func ReasonOf(err error) faultv1.Reason {
	if err == nil {
		return faultv1.Reason_REASON_UNSPECIFIED
	}
	e := errors.FromError(err)
	if r, ok := faultv1.Reason_value[e.Reason]; ok && r != 0 {
		return faultv1.Reason(r)
	}
	if stderrors.Is(err, context.DeadlineExceeded) || e.Code == http.StatusGatewayTimeout {
		return faultv1.Reason_REASON_TIMEOUT
	}
	return faultv1.Reason_REASON_INTERNAL
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
// unchanged, a deadline into a timeout, and everything else into an internal fault.
func Sanitize(err error) error {
	if err == nil {
		return nil
	}
	var e *errors.Error
	if stderrors.As(err, &e) {
		if r, ok := faultv1.Reason_value[e.Reason]; ok && r != 0 {
			return e
		}
	}
	if g := errors.FromError(err); g != nil {
		if r, ok := faultv1.Reason_value[g.Reason]; ok && r != 0 {
			return New(faultv1.Reason(r), g.Message).WithMetadata(g.Metadata).WithCause(err)
		}
	}
	if stderrors.Is(err, context.DeadlineExceeded) || stderrors.Is(err, context.Canceled) {
		return New(faultv1.Reason_REASON_TIMEOUT, "took too long").WithCause(err)
	}
	return Internal(fmt.Errorf("unexpected: %w", err))
}
