package service

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
	"github.com/zijlicht/zijlicht/services/review/internal/data"
)

// states that a kind of notice brings a case to.
var states = map[string]string{"opened": biz.Open, "closed": biz.Closed}

// ReceiveNotice implements reviewv1.ReviewServiceServer. A notice is about a case
// of the organisation that sends it: there is no way to name another's.
func (s *Service) ReceiveNotice(ctx context.Context, req *reviewv1.ReceiveNoticeRequest) (*reviewv1.ReceiveNoticeResponse, error) {
	now := identity.Now(ctx)
	n := biz.Notice{
		Owner: identity.Of(ctx).GetOrganisation(), CasePublicID: req.GetCasePublicId(), Circle: req.GetCircle(),
		State: states[req.GetKind()], Sequence: req.GetSequence(), ReceiveTime: now,
	}
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		var err error
		if n.ID, err = data.NoticeID(ctx, tx, n.Owner, n.CasePublicID); err != nil {
			return fault.Unavailable(err)
		}
		if n.ID == "" {
			n.ID = uuid.Must(uuid.NewV7()).String()
		}
		if _, err := authz.Decide(ctx, "", s.noticeResource(n)); err != nil {
			return err
		}
		if n.Sequence < 1 {
			return fault.Invalid("sequence", "int64.gte")
		}
		if err := s.applyNotice(ctx, tx, req.GetMessageId(), n); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ReceiverBeforeCommit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ReceiverAfterCommit)
	return &reviewv1.ReceiveNoticeResponse{}, nil
}

func (s *Service) applyNotice(ctx context.Context, tx pgx.Tx, messageID string, n biz.Notice) error {
	if fresh, err := data.Take(ctx, tx, n.Owner, messageID, n.ReceiveTime); err != nil || !fresh {
		return err
	}
	if newer, err := data.ApplyNotice(ctx, tx, n); err != nil || !newer {
		return err
	}
	if err := data.Follow(ctx, tx, n, n.ReceiveTime); err != nil {
		return err
	}
	return data.PurgeDrafts(ctx, tx, n.ReceiveTime)
}

// ReceiveMessage implements reviewv1.ReviewServiceServer.
func (s *Service) ReceiveMessage(ctx context.Context, req *reviewv1.ReceiveMessageRequest) (*reviewv1.ReceiveMessageResponse, error) {
	var facts *casesv1.CaseFacts // of our case, when a reader writes about it
	if req.GetFromSide() == biz.Reader {
		var err error
		facts, err = s.cases.DescribeCase(ctx, &casesv1.DescribeCaseRequest{
			PublicId: req.GetCasePublicId(), Organisation: identity.Of(ctx).GetOrganisation(),
		})
		if err != nil {
			return nil, asked(err)
		}
	}
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		// The acknowledgement may have been lost, and the case be closed since: what is here, is here.
		seen, err := data.Seen(ctx, tx, identity.Of(ctx).GetOrganisation(), req.GetMessageId())
		if err != nil {
			return fault.Unavailable(err)
		}
		if seen {
			_, err := authz.Decide(ctx, "", authz.Resource{
				"kind": "message", "id": req.GetMessageId(), "peer_org": identity.Of(ctx).GetOrganisation(), "found": true,
			})
			return err
		}
		d, known, err := data.LockDialogue(ctx, tx, req.GetDialogueId())
		if err != nil {
			return fault.Unavailable(err)
		}
		if err := s.decideMessage(ctx, req, d, known, facts); err != nil {
			return err
		}
		if err := s.take(ctx, tx, req, d, known, facts); err != nil {
			return err
		}
		failpoint.Hit(failpoint.ReceiverBeforeCommit)
		return nil
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.ReceiverAfterCommit)
	return &reviewv1.ReceiveMessageResponse{}, nil
}

// decideMessage decides on what an owner answers by the facts of the dialogue here,
// and on what a reader writes by those of our case as it is now. The first message
// makes the dialogue the caller's organisation's.
func (s *Service) decideMessage(ctx context.Context, req *reviewv1.ReceiveMessageRequest, d biz.Dialogue, known bool, facts *casesv1.CaseFacts) error {
	if facts == nil {
		_, err := authz.Decide(ctx, "", s.resourceOf(req.GetDialogueId(), d, known))
		return err
	}
	r := authz.CaseResource(req.GetCasePublicId(), facts)
	r["peer_org"] = identity.Of(ctx).GetOrganisation()
	if known {
		r["peer_org"] = d.Peer
	}
	_, err := authz.Decide(ctx, biz.Purpose, r)
	return err
}

// take keeps a message that was decided on. One that came in before changes nothing.
func (s *Service) take(ctx context.Context, tx pgx.Tx, req *reviewv1.ReceiveMessageRequest, d biz.Dialogue, known bool, facts *casesv1.CaseFacts) error {
	m, err := received(ctx, req)
	if err != nil {
		return err
	}
	if known && !belongs(ctx, req, d) {
		return fault.NotFound()
	}
	now := identity.Now(ctx)
	if fresh, err := data.Take(ctx, tx, identity.Of(ctx).GetOrganisation(), m.ID, now); err != nil || !fresh {
		return err
	}
	if !known {
		if d, err = s.open(ctx, tx, req, facts); err != nil {
			return err
		}
	}
	// The case of an owner's dialogue was just decided to be open.
	if d.Follow(true, now) {
		if err := data.SaveState(ctx, tx, d); err != nil {
			return err
		}
	}
	key, err := data.Key(ctx, tx, s.Keys, d.ID)
	if err != nil {
		return err
	}
	added, err := data.InsertMessage(ctx, tx, key, d.ID, m, "")
	if err != nil {
		return err
	}
	if !added {
		return fault.Invalid("sequence", "used_before") // by another message
	}
	return nil
}

// belongs tells whether a message is one of this dialogue's: about its case, from
// its other side and, for a reader's, from the person who began it.
func belongs(ctx context.Context, req *reviewv1.ReceiveMessageRequest, d biz.Dialogue) bool {
	who := identity.Of(ctx)
	if d.Side == req.GetFromSide() || d.Peer != who.GetOrganisation() || d.CasePublicID != req.GetCasePublicId() {
		return false
	}
	return d.Side == biz.Reader || d.WriterPairwise == who.GetSubject()
}

// open makes the owner's side of a dialogue at its first message.
func (s *Service) open(ctx context.Context, tx pgx.Tx, req *reviewv1.ReceiveMessageRequest, facts *casesv1.CaseFacts) (biz.Dialogue, error) {
	who := identity.Of(ctx)
	_, err := data.InsertDialogue(ctx, tx, s.Keys, biz.Dialogue{
		ID: req.GetDialogueId(), Side: biz.Owner, Peer: who.GetOrganisation(), CasePublicID: req.GetCasePublicId(),
		CaseID: facts.GetId(), CaseAuthor: facts.GetAuthor(), WriterPairwise: who.GetSubject(), State: biz.Open,
		CreateTime: identity.Now(ctx),
	})
	if err != nil {
		return biz.Dialogue{}, err
	}
	// Another message may have made it at the same moment.
	d, ok, err := data.LockDialogue(ctx, tx, req.GetDialogueId())
	if err != nil {
		return d, err
	}
	if !ok || !belongs(ctx, req, d) {
		return d, fault.NotFound()
	}
	return d, nil
}

// received reads a message as it came in. A clock that is ahead is brought back to ours.
func received(ctx context.Context, req *reviewv1.ReceiveMessageRequest) (biz.Message, error) {
	m := biz.Message{
		ID: req.GetMessageId(), FromSide: req.GetFromSide(), Kind: req.GetKind(), Sequence: int64(req.GetSequence()),
		SubmitTime: identity.Now(ctx), Words: words(req.GetText(), req.GetClosingAnswers()),
	}
	if err := biz.CheckKind(m.FromSide, m.Kind); err != nil {
		return m, err
	}
	if err := biz.CheckWords(m.Kind, m.Words); err != nil {
		return m, err
	}
	if m.Sequence < 1 {
		return m, fault.Invalid("sequence", "uint32.gte")
	}
	if t := req.GetSubmitTime(); t != nil {
		if !t.IsValid() {
			return m, fault.Invalid("submit_time", "timestamp")
		}
		if at := t.AsTime().Truncate(time.Microsecond); at.Before(m.SubmitTime) {
			m.SubmitTime = at
		}
	}
	return m, nil
}
