// Package service answers the RPCs of notices and dialogues. Every answer follows
// a decision on facts read just before it; what changes, what must be delivered
// and the record of the decision are one transaction.
package service

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
	"github.com/zijlicht/zijlicht/services/review/internal/data"
)

// Config of the dialogues.
type Config struct {
	Pool   *pgxpool.Pool
	Outbox *outbox.Outbox
	// Conn reaches cases and the gateway.
	Conn grpc.ClientConnInterface
	// Keys wraps the dialogues' keys.
	Keys *keys.Master
	// Node is the organisation's entity URL.
	Node string
}

// Service implements reviewv1.ReviewServiceServer.
type Service struct {
	reviewv1.UnimplementedReviewServiceServer
	Config
	cases      casesv1.CasesServiceClient
	federation gatewayv1.FederationServiceClient
}

// New makes the service.
func New(c Config) *Service {
	return &Service{Config: c, cases: casesv1.NewCasesServiceClient(c.Conn), federation: gatewayv1.NewFederationServiceClient(c.Conn)}
}

// Kinds of resource.
const (
	kindNotice  = "notice"
	kindReview  = "review"
	kindMessage = "message"
)

// noticeResource is what the policy knows of a notice.
func (s *Service) noticeResource(n biz.Notice) authz.Resource {
	return authz.Resource{
		"kind": kindNotice, "id": n.ID, "node_org": s.Node, "owner_org": n.Owner, "circle": n.Circle, "state": n.State,
	}
}

// reviewResource is what the policy knows of a dialogue. A fact that is not known is left out.
func (s *Service) reviewResource(d biz.Dialogue) authz.Resource {
	r := authz.Resource{
		"kind": kindReview, "id": d.ID, "node_org": s.Node, "side": d.Side, "peer": d.Peer, "state": d.State,
	}
	if d.Writer != "" {
		r["writer"] = d.Writer
	}
	if d.CaseAuthor != "" {
		r["case_author"] = d.CaseAuthor
	}
	if d.DraftUntil != nil {
		r["draft_until"] = d.DraftUntil.UTC().Format(authz.TimeFormat)
	}
	return r
}

// caseOpen asks cases whether the case of an owner's dialogue is open to the reader's
// organisation now. A reader's dialogue goes by its notices.
func (s *Service) caseOpen(ctx context.Context, d biz.Dialogue) (bool, error) {
	if d.Side != biz.Owner {
		return d.State == biz.Open, nil
	}
	f, err := s.cases.DescribeCase(ctx, &casesv1.DescribeCaseRequest{CaseId: d.CaseID, Organisation: d.Peer})
	if err != nil {
		return false, asked(err)
	}
	sharing := biz.Sharing{
		Status: f.GetStatus(), GrantState: f.GetGrantState(), GrantFrom: f.GetGrantFrom(), GrantUntil: f.GetGrantUntil(),
	}
	return sharing.Open(identity.Now(ctx).Format(authz.TimeFormat)), nil
}

// view is a dialogue with its messages, and the draft of whoever asks.
func (s *Service) view(ctx context.Context, db data.DB, d biz.Dialogue) (*reviewv1.Review, error) {
	key, err := data.Key(ctx, db, s.Keys, d.ID)
	if err != nil {
		return nil, err
	}
	messages, err := data.Messages(ctx, db, key, d.ID)
	if err != nil {
		return nil, err
	}
	r := reviewMessage(d)
	for _, m := range biz.InOrder(messages) {
		r.Messages = append(r.Messages, &reviewv1.Message{
			Id: m.ID, FromSide: m.FromSide, Kind: m.Kind, Text: m.Text, ClosingAnswers: closingAnswers(m.Words),
			SubmitTime: timestamppb.New(m.SubmitTime), Delivery: m.Delivery,
		})
	}
	draft, ok, err := data.GetDraft(ctx, db, key, d.ID, identity.Of(ctx).GetSubject())
	if err != nil {
		return nil, err
	}
	if ok {
		r.Draft = &reviewv1.Draft{Kind: draft.Kind, Text: draft.Text, UpdateTime: timestamppb.New(draft.UpdateTime)}
	}
	return r, nil
}

// reviewMessage is a dialogue without its messages.
func reviewMessage(d biz.Dialogue) *reviewv1.Review {
	return &reviewv1.Review{
		Id: d.ID, Side: d.Side, Peer: d.Peer, CasePublicId: d.CasePublicID, CaseId: d.CaseID, NoticeId: d.NoticeID,
		State: d.State, CreateTime: timestamppb.New(d.CreateTime), DraftUntilTime: timestamp(d.DraftUntil),
	}
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func closingAnswers(w biz.Words) []*reviewv1.ClosingAnswer {
	var out []*reviewv1.ClosingAnswer
	for _, a := range w.ClosingAnswers {
		out = append(out, &reviewv1.ClosingAnswer{Question: a.Question, Text: a.Text})
	}
	return out
}

func words(text string, answers []*reviewv1.ClosingAnswer) biz.Words {
	w := biz.Words{Text: text}
	for _, a := range answers {
		w.ClosingAnswers = append(w.ClosingAnswers, biz.ClosingAnswer{Question: a.GetQuestion(), Text: a.GetText()})
	}
	return w
}

// asked is the answer to a question to another service that failed: its own refusal, or that it cannot be asked now.
func asked(err error) error {
	if fault.ReasonOf(err) == faultv1.Reason_REASON_INTERNAL {
		return fault.Unavailable(err)
	}
	return err
}
