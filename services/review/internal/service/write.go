package service

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
	"github.com/zijlicht/zijlicht/services/review/internal/data"
)

// StartReview implements reviewv1.ReviewServiceServer. A reviewer has one dialogue
// about a case, however often they start.
func (s *Service) StartReview(ctx context.Context, req *reviewv1.StartReviewRequest) (*reviewv1.Review, error) {
	var answer *reviewv1.Review
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		n, ok, err := data.LockNotice(ctx, tx, req.GetNoticeId())
		if err != nil {
			return fault.Unavailable(err)
		}
		r := authz.Resource{"kind": kindNotice, "id": req.GetNoticeId()}
		if ok {
			r = s.noticeResource(n)
		}
		if _, err := authz.Decide(ctx, "", r); err != nil {
			return err
		}
		writer := identity.Of(ctx).GetSubject()
		_, err = data.InsertDialogue(ctx, tx, s.Keys, biz.Dialogue{
			ID: uuid.NewString(), Side: biz.Reader, Peer: n.Owner, CasePublicID: n.CasePublicID, NoticeID: n.ID,
			Writer: writer, RequestID: req.GetRequestId(), State: biz.Open, CreateTime: identity.Now(ctx),
		})
		if err != nil {
			return err
		}
		d, ok, err := data.DialogueOf(ctx, tx, writer, n.ID)
		if err != nil {
			return err
		}
		if !ok {
			return fault.Invalid("request_id", "used_before") // for another notice
		}
		answer, err = s.view(ctx, tx, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// SaveDraft implements reviewv1.ReviewServiceServer. Of two tabs the last one stands.
func (s *Service) SaveDraft(ctx context.Context, req *reviewv1.SaveDraftRequest) (*reviewv1.Review, error) {
	return s.change(ctx, req.GetReviewId(), "", func(tx pgx.Tx, key *keys.Key, d biz.Dialogue) error {
		if err := biz.CheckKind(d.Side, req.GetKind()); err != nil {
			return err
		}
		return data.SaveDraft(ctx, tx, key, d.ID, data.Draft{
			Writer: d.Account(), Kind: req.GetKind(), Text: req.GetText(), UpdateTime: identity.Now(ctx),
		})
	})
}

// SubmitMessage implements reviewv1.ReviewServiceServer. The message, its delivery
// and the end of the draft are one transaction.
func (s *Service) SubmitMessage(ctx context.Context, req *reviewv1.SubmitMessageRequest) (*reviewv1.Review, error) {
	r, err := s.change(ctx, req.GetReviewId(), failpoint.SenderBeforeCommit, func(tx pgx.Tx, key *keys.Key, d biz.Dialogue) error {
		w := words(req.GetText(), req.GetClosingAnswers())
		if err := biz.CheckKind(d.Side, req.GetKind()); err != nil {
			return err
		}
		if err := biz.CheckWords(req.GetKind(), w); err != nil {
			return err
		}
		before, done, err := data.Submitted(ctx, tx, key, d.ID, req.GetRequestId())
		if err != nil {
			return err
		}
		if done && (before.Kind != req.GetKind() || !before.Words.Equal(w)) {
			return fault.Invalid("request_id", "used_before") // for other words, that would be lost without a sign
		}
		if done {
			return nil
		}
		sequence, err := data.NextSequence(ctx, tx, d.ID, d.Side)
		if err != nil {
			return err
		}
		m := biz.Message{
			ID: uuid.NewString(), FromSide: d.Side, Kind: req.GetKind(), Sequence: sequence, SubmitTime: identity.Now(ctx),
			Delivery: biz.Waiting, Words: w,
		}
		added, err := data.InsertMessage(ctx, tx, key, d.ID, m, req.GetRequestId())
		if err != nil {
			return err
		}
		if !added {
			return fault.Internal(errors.New("the next message of a locked dialogue was there"))
		}
		if err := data.DeleteDraft(ctx, tx, d.ID); err != nil {
			return err
		}
		return s.Outbox.Add(ctx, tx, outbox.MessageArgs{MessageID: m.ID})
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.SenderAfterCommit)
	return r, nil
}

// change does a deed to a dialogue of the caller's and answers with what became of
// it. place is the failpoint just before the commit, if any.
func (s *Service) change(ctx context.Context, id, place string, deed func(pgx.Tx, *keys.Key, biz.Dialogue) error) (*reviewv1.Review, error) {
	before, open, _, err := s.dialogue(ctx, id)
	if err != nil {
		return nil, err
	}
	var answer *reviewv1.Review
	err = authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		d, ok, err := data.LockDialogue(ctx, tx, id)
		if err != nil {
			return fault.Unavailable(err)
		}
		// On the reader's side a notice may have come in meanwhile: what is locked counts.
		changed := before.Side == biz.Owner && d.Follow(open, identity.Now(ctx))
		if _, err := authz.Decide(ctx, "", s.resourceOf(id, d, ok)); err != nil {
			return err
		}
		if changed {
			if err := data.SaveState(ctx, tx, d); err != nil {
				return err
			}
		}
		key, err := data.Key(ctx, tx, s.Keys, d.ID)
		if err != nil {
			return err
		}
		if err := deed(tx, key, d); err != nil {
			return err
		}
		if answer, err = s.view(ctx, tx, d); err != nil {
			return err
		}
		failpoint.Hit(place)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}
