package fault_test

import (
	"context"
	stderrors "errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
)

const canary = "Fatima belde over de huur"

func TestEveryReasonHasAStatus(t *testing.T) {
	t.Parallel()
	for n, name := range faultv1.Reason_name {
		r := faultv1.Reason(n)
		if s := fault.HTTPStatus(r); r != 0 && (s < 400 || s > 599 || s == 500 && r != faultv1.Reason_REASON_INTERNAL) {
			t.Errorf("%s has status %d", name, s)
		}
	}
	if fault.HTTPStatus(99) != 500 {
		t.Error("an unknown reason is no failure")
	}
}

// TestSanitize: whatever comes in, what leaves has a reason of ours and no text of the cause.
func TestSanitize(t *testing.T) {
	t.Parallel()
	refusal := fault.Refused("consent.withdrawn")
	over := status.Convert(refusal).Err() // as it comes over a connection
	for _, c := range []struct {
		name string
		in   error
		want faultv1.Reason
		code string
	}{
		{"refusal", refusal, faultv1.Reason_REASON_REFUSED, "consent.withdrawn"},
		{"wrapped refusal", fmt.Errorf("%s: %w", canary, refusal), faultv1.Reason_REASON_REFUSED, "consent.withdrawn"},
		{"refusal over a connection", over, faultv1.Reason_REASON_REFUSED, "consent.withdrawn"},
		{"wrapped, over a connection", fmt.Errorf("%s: %w", canary, over), faultv1.Reason_REASON_REFUSED, "consent.withdrawn"},
		{"too large", fault.TooLarge("text"), faultv1.Reason_REASON_TOO_LARGE, "too-large"},
		{"plain", stderrors.New(canary), faultv1.Reason_REASON_INTERNAL, "internal"},
		{"other framework error", errors.New(404, canary, canary), faultv1.Reason_REASON_INTERNAL, "internal"},
		{"unspecified reason", errors.New(500, "REASON_UNSPECIFIED", canary), faultv1.Reason_REASON_INTERNAL, "internal"},
		{"deadline", fmt.Errorf("%s: %w", canary, context.DeadlineExceeded), faultv1.Reason_REASON_TIMEOUT, "timeout"},
		{"cancelled", context.Canceled, faultv1.Reason_REASON_TIMEOUT, "timeout"},
		{"deadline over a connection", status.Error(codes.DeadlineExceeded, canary), faultv1.Reason_REASON_TIMEOUT, "timeout"},
		{"cancelled over a connection", status.Error(codes.Canceled, canary), faultv1.Reason_REASON_TIMEOUT, "timeout"},
		{"service away", status.Error(codes.Unavailable, canary), faultv1.Reason_REASON_CHECK_UNAVAILABLE, "check-unavailable"},
		{"message too large", status.Error(codes.ResourceExhausted, canary), faultv1.Reason_REASON_TOO_LARGE, "too-large"},
		{"other status", status.Error(codes.DataLoss, canary), faultv1.Reason_REASON_INTERNAL, "internal"},
		{"wrapped status", fmt.Errorf("%s: %w", canary, status.Error(codes.Unavailable, canary)), faultv1.Reason_REASON_CHECK_UNAVAILABLE, "check-unavailable"},
		{"internal", fault.Internal(stderrors.New(canary)), faultv1.Reason_REASON_INTERNAL, "internal"},
		{"joined", stderrors.Join(stderrors.New(canary), refusal), faultv1.Reason_REASON_REFUSED, "consent.withdrawn"},
	} {
		if r := fault.ReasonOf(c.in); r != c.want {
			t.Errorf("%s: reason %v, want %v", c.name, r, c.want)
		}
		out := fault.Sanitize(c.in)
		if fault.ReasonOf(out) != c.want || fault.CodeOf(out) != c.code {
			t.Errorf("%s: %v %s", c.name, fault.ReasonOf(out), fault.CodeOf(out))
		}
		s := status.Convert(out)
		if text := fmt.Sprint(s.Message(), s.Details()); strings.Contains(text, canary) {
			t.Errorf("%s: %q leaves", c.name, text)
		}
		again := status.Convert(fault.Sanitize(s.Err()))
		if again.String() != s.String() || fmt.Sprint(again.Details()) != fmt.Sprint(s.Details()) {
			t.Errorf("%s: %v after one hop, %v after two", c.name, s, again)
		}
	}
	if fault.Sanitize(nil) != nil || fault.ReasonOf(nil) != faultv1.Reason_REASON_UNSPECIFIED || fault.CodeOf(nil) != "" {
		t.Error("nothing is something")
	}
}

func TestNoted(t *testing.T) {
	t.Parallel()
	inner := stderrors.New("inner")
	err := fault.Because("outer", inner)
	var n *fault.Noted
	if err.Error() != "outer: inner" || !stderrors.Is(err, inner) || !stderrors.As(err, &n) || n.Text() != "outer" {
		t.Fatalf("%v", err)
	}
	if fault.Note("alone").Error() != "alone" {
		t.Fatal("a note without a cause")
	}
}
