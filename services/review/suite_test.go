package review_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zijlicht/zijlicht/policies"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

const (
	invalid     = faultv1.Reason_REASON_INVALID_ARGUMENT
	notFound    = faultv1.Reason_REASON_NOT_FOUND
	unavailable = faultv1.Reason_REASON_CHECK_UNAVAILABLE
	refused     = faultv1.Reason_REASON_REFUSED
)

// suite is one node with a connection to it.
type suite struct{ *reviewtest.Node }

func newSuite(t *testing.T, connect servetest.Connect) suite {
	t.Helper()
	return suite{reviewtest.New(t, policies.Bundle(), connect)}
}

func TestService(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		s := newSuite(t, connect)
		for name, test := range map[string]func(suite, *testing.T){
			"notices":              suite.notices,
			"notice pages":         suite.noticePages,
			"notice order":         suite.noticeOrder,
			"notice twice":         suite.noticeTwice,
			"notice refusals":      suite.noticeRefusals,
			"another's case":       suite.anothersCase,
			"shared case":          suite.sharedCase,
			"start":                suite.start,
			"start and close":      suite.startWhileClosing,
			"drafts":               suite.drafts,
			"another's review":     suite.anothersReview,
			"submit":               suite.submit,
			"submit at once":       suite.submitAtOnce,
			"submit and close":     suite.submitWhileClosing,
			"closed meanwhile":     suite.closedMeanwhile,
			"words":                suite.words,
			"closing":              suite.closing,
			"received":             suite.received,
			"received lists":       suite.receivedLists,
			"reader's refusals":    suite.readerRefusals,
			"mismatches":           suite.mismatches,
			"answers":              suite.answers,
			"order":                suite.order,
			"bad messages":         suite.badMessages,
			"concurrent":           suite.concurrentDelivery,
			"first two at once":    suite.firstMessagesAtOnce,
			"deliver":              suite.deliver,
			"answer too late":      suite.answerTooLate,
			"unknown":              suite.unknown,
			"wrong sort of caller": suite.wrongCaller,
			"sealed":               suite.sealed,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(s, t) })
		}
	})
}

// TestLater holds what asks at later times: a node of their own, as they remove other dialogues' drafts as well.
func TestLater(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		for name, test := range map[string]func(suite, *testing.T){
			"draft window": suite.draftWindow,
			"withdrawal":   suite.withdrawal,
		} {
			t.Run(name, func(t *testing.T) { t.Parallel(); test(newSuite(t, connect), t) })
		}
	})
}

// want checks the reason of an error and, when given, its outward code.
func want(t *testing.T, err error, reason faultv1.Reason, code ...string) {
	t.Helper()
	if fault.ReasonOf(err) != reason {
		t.Fatalf("answer %v, want %v", err, reason)
	}
	if len(code) > 0 && fault.CodeOf(err) != code[0] {
		t.Fatalf("code %q, want %q", fault.CodeOf(err), code[0])
	}
}

func ok[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%v (%s)", err, fault.CodeOf(err))
		}
		return v
	}
}

func err2[T any](_ T, err error) error { return err }

// later is a caller at another time of the request.
func (s suite) later(c *identityv1.Caller, d time.Duration) *identityv1.Caller {
	c.Time = timestamppb.New(s.Clock.Now().Add(d))
	return c
}

func (s suite) get(t *testing.T, who *identityv1.Caller, id string) (*reviewv1.Review, error) {
	t.Helper()
	return s.Review.GetReview(s.As(t.Context(), who), &reviewv1.GetReviewRequest{ReviewId: id})
}

func (s suite) submit1(t *testing.T, who *identityv1.Caller, id, kind, text string) (*reviewv1.Review, error) {
	t.Helper()
	return s.Review.SubmitMessage(s.As(t.Context(), who), &reviewv1.SubmitMessageRequest{
		RequestId: uuid.NewString(), ReviewId: id, Kind: kind, Text: text,
	})
}

func (s suite) draft(t *testing.T, who *identityv1.Caller, id, kind, text string) (*reviewv1.Review, error) {
	t.Helper()
	return s.Review.SaveDraft(s.As(t.Context(), who), &reviewv1.SaveDraftRequest{ReviewId: id, Kind: kind, Text: text})
}

// receive takes in a message of the other organisation.
func (s suite) receive(t *testing.T, who *identityv1.Caller, req *reviewv1.ReceiveMessageRequest) error {
	t.Helper()
	return err2(s.Review.ReceiveMessage(s.As(t.Context(), who), req))
}

// notice takes in a notice of the other organisation.
func (s suite) notice(t *testing.T, who *identityv1.Caller, kind, publicID string, sequence int64) error {
	t.Helper()
	return err2(s.Review.ReceiveNotice(s.As(t.Context(), who), &reviewv1.ReceiveNoticeRequest{
		MessageId: uuid.NewString(), Kind: kind, CasePublicId: publicID, Circle: servetest.Circle, Sequence: sequence,
	}))
}

// texts of a review's messages in the order in which they are read.
func texts(r *reviewv1.Review) (all []string) {
	for _, m := range r.GetMessages() {
		all = append(all, m.GetText())
	}
	return all
}

func equal[T comparable](t *testing.T, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// one reads one value as the administrator.
func one[T any](t *testing.T, s suite, sql string, args ...any) (v T) {
	t.Helper()
	if err := s.DB.Admin().QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lastLogged checks the last decision about a resource.
func (s suite) lastLogged(t *testing.T, id, action string, allowed bool, reason string) {
	t.Helper()
	var l servetest.Logged
	err := s.DB.Admin().QueryRow(t.Context(), `select action, allowed, reasons from audit.decision
		where resource_id = $1 and service = 'review' order by record_time desc, id desc limit 1`, id).Scan(&l.Action, &l.Allowed, &l.Reasons)
	if err != nil {
		t.Fatal(err)
	}
	if l.Action != action || l.Allowed != allowed || reason != "" && !slices.Contains(l.Reasons, reason) {
		t.Fatalf("recorded %+v, want %s %v %s", l, action, allowed, reason)
	}
}

func (s suite) background(who *identityv1.Caller) context.Context {
	return s.As(context.Background(), who)
}
