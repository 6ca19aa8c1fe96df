package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
	"google.golang.org/protobuf/proto"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

const (
	// rescueAfter is when a job whose process died is taken up again; longer than a delivery can take.
	rescueAfter = 45 * time.Second
	// lapsedEvery is how often cases whose time is over are closed. Their reads were refused already.
	lapsedEvery = time.Minute
)

// startDeliveries works the outbox: the receiver's inbox makes a delivery that is
// repeated the same as one.
func (g *Gateway) startDeliveries(ctx context.Context) (*river.Client[pgx.Tx], error) {
	conn := edgeConn{ClientConnInterface: g.Conn, signer: g.Signer}
	workers := river.NewWorkers()
	river.AddWorker(workers, &noticeWorker{g: g})
	river.AddWorker(workers, &messageWorker{g: g, review: reviewv1.NewReviewServiceClient(conn)})
	river.AddWorker(workers, &lapsedWorker{g: g, cases: casesv1.NewCasesServiceClient(conn)})
	client, err := river.NewClient(riverpgxv5.New(g.Pool), &river.Config{
		Schema: outbox.Name, Workers: workers, MaxAttempts: outbox.MaxAttempts,
		Queues:     map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}},
		JobTimeout: g.peerTime + 5*time.Second, RescueStuckJobsAfter: rescueAfter,
		RetryPolicy: pauses{now: g.Now}, FetchCooldown: 50 * time.Millisecond, FetchPollInterval: 500 * time.Millisecond,
		PeriodicJobs: []*river.PeriodicJob{river.NewPeriodicJob(
			river.PeriodicInterval(lapsedEvery),
			func() (river.JobArgs, *river.InsertOpts) {
				return outbox.LapsedArgs{}, &river.InsertOpts{MaxAttempts: 1}
			}, nil)},
		Logger: telemetry.Library(g.Log, "outbox"),
	})
	if err != nil {
		return nil, err
	}
	return client, client.Start(context.WithoutCancel(ctx))
}

// pauses doubles from a second to ten minutes, and after some hours it is one hour:
// the tries that a job has then last for a week.
type pauses struct{ now func() time.Time }

// NextRetry implements river.ClientRetryPolicy.
func (p pauses) NextRetry(job *rivertype.JobRow) time.Time {
	pause := 10 * time.Minute
	switch n := len(job.Errors); {
	case n < 10:
		pause = min(time.Second<<n, pause)
	case n >= 40:
		pause = time.Hour
	}
	return p.now().Add(pause)
}

// messagesPath is where another node takes in a message.
const messagesPath = "/messages"

// suspended is the reason for a member that may not take part now. It may again tomorrow.
const suspended = "member.suspended"

// refusedForGood tells an answer that will be the same tomorrow from one that may not.
func refusedForGood(err error) bool {
	switch fault.ReasonOf(err) {
	case faultv1.Reason_REASON_NOT_FOUND, faultv1.Reason_REASON_WRONG_STATE,
		faultv1.Reason_REASON_INVALID_ARGUMENT, faultv1.Reason_REASON_TOO_LARGE:
		return true
	case faultv1.Reason_REASON_REFUSED:
		return fault.CodeOf(err) != suspended
	}
	return false
}

// deliver posts one message or notice to another node.
func (g *Gateway) deliver(ctx context.Context, peer string, as oauth.Acting, path string, in, out proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, g.peerTime)
	defer cancel()
	doc, err := g.members.Current(ctx)
	if err != nil {
		return fault.Unavailable(err)
	}
	o, _ := doc.Organisation(peer)
	if path == messagesPath && o.State == members.Suspended {
		return fault.Refused(suspended) // words wait until it takes part again; a notice has none
	}
	return g.callPeer(ctx, o, as, http.MethodPost, path, in, out)
}

// plain is an error for the queue's own table: a reason, and nothing of a message.
func plain(err error) error { return errors.New(fault.CodeOf(err)) }

type noticeWorker struct {
	river.WorkerDefaults[outbox.NoticeArgs]
	g *Gateway
}

// Work implements river.Worker.
func (w *noticeWorker) Work(ctx context.Context, job *river.Job[outbox.NoticeArgs]) error {
	ctx, span := telemetry.Start(ctx, "deliver notice")
	defer span.End()
	a := job.Args
	req := &reviewv1.ReceiveNoticeRequest{
		MessageId: a.MessageID, Kind: a.NoticeKind, CasePublicId: a.CasePublicID, Circle: a.Circle, Sequence: a.Sequence,
	}
	as := oauth.Acting{Subject: "worker", Scope: []string{scopeNotice}}
	err := w.g.deliver(ctx, a.Peer, as, "/notices", req, &reviewv1.ReceiveNoticeResponse{})
	if err == nil {
		failpoint.Hit(failpoint.SenderAfterAck)
		return nil
	}
	if refusedForGood(err) {
		return river.JobCancel(plain(err))
	}
	return plain(err)
}

type messageWorker struct {
	river.WorkerDefaults[outbox.MessageArgs]
	g      *Gateway
	review reviewv1.ReviewServiceClient
}

// Work implements river.Worker. The text is read now, so that the queue never holds it.
func (w *messageWorker) Work(ctx context.Context, job *river.Job[outbox.MessageArgs]) error {
	ctx, span := telemetry.Start(ctx, "deliver message")
	defer span.End()
	ctx = withCaller(ctx, w.g.worker("delivery"))
	out, err := w.review.GetOutgoing(ctx, &reviewv1.GetOutgoingRequest{MessageId: job.Args.MessageID})
	if err != nil {
		return plain(err)
	}
	if !out.GetWaiting() {
		return nil
	}
	as := oauth.Acting{
		Subject: w.g.pairwise(out.GetPeer(), out.GetWriter()), Scope: []string{scopeReview},
		Roles: []string{scopeRoles[scopeReview]},
	}
	outcome := "delivered"
	err = w.g.deliver(ctx, out.GetPeer(), as, messagesPath, out.GetMessage(), &reviewv1.ReceiveMessageResponse{})
	switch {
	case err == nil:
		failpoint.Hit(failpoint.SenderAfterAck)
	case refusedForGood(err) || job.Attempt >= job.MaxAttempts:
		outcome = "refused"
	default:
		return plain(err)
	}
	if _, err := w.review.MarkDelivery(ctx, &reviewv1.MarkDeliveryRequest{MessageId: job.Args.MessageID, Delivery: outcome}); err != nil {
		return plain(err)
	}
	return nil
}

type lapsedWorker struct {
	river.WorkerDefaults[outbox.LapsedArgs]
	g     *Gateway
	cases casesv1.CasesServiceClient
}

// Work implements river.Worker.
func (w *lapsedWorker) Work(ctx context.Context, job *river.Job[outbox.LapsedArgs]) error {
	ctx, span := telemetry.Start(ctx, "close lapsed")
	defer span.End()
	ctx = withCaller(ctx, w.g.worker("lapsed"))
	if _, err := w.cases.CloseLapsed(ctx, &casesv1.CloseLapsedRequest{CaseId: job.Args.CaseID}); err != nil {
		return plain(err)
	}
	return nil
}
