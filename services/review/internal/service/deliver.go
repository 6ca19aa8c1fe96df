package service

import (
	"context"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
	"github.com/zijlicht/zijlicht/services/review/internal/data"
)

// GetOutgoing implements reviewv1.ReviewServiceServer. An answer that waited until
// after a withdrawal goes nowhere: it is refused here, as its submission would be now.
func (s *Service) GetOutgoing(ctx context.Context, req *reviewv1.GetOutgoingRequest) (*reviewv1.OutgoingMessage, error) {
	if _, err := authz.Decide(ctx, "", authz.Resource{"kind": kindMessage, "id": req.GetMessageId()}); err != nil {
		return nil, err
	}
	m, d, ok, err := data.Outgoing(ctx, s.Pool, s.Keys, req.GetMessageId())
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	if !ok {
		return nil, fault.NotFound()
	}
	waiting := m.Delivery == biz.Waiting
	if waiting && d.Side == biz.Owner {
		open, err := s.caseOpen(ctx, d)
		if err != nil {
			return nil, err
		}
		if !open {
			waiting = false
			err = authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
				_, err := data.MarkDelivery(ctx, tx, m.ID, biz.Refused)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if !waiting {
		return &reviewv1.OutgoingMessage{Peer: d.Peer, Writer: d.Account()}, nil
	}
	return &reviewv1.OutgoingMessage{
		Peer: d.Peer, Writer: d.Account(), Waiting: true,
		Message: &reviewv1.ReceiveMessageRequest{
			MessageId: m.ID, DialogueId: d.ID, CasePublicId: d.CasePublicID, FromSide: m.FromSide, Kind: m.Kind, Text: m.Text,
			ClosingAnswers: closingAnswers(m.Words), SubmitTime: timestamppb.New(m.SubmitTime), Sequence: uint32(m.Sequence),
		},
	}, nil
}

// MarkDelivery implements reviewv1.ReviewServiceServer. The first outcome stands.
func (s *Service) MarkDelivery(ctx context.Context, req *reviewv1.MarkDeliveryRequest) (*reviewv1.MarkDeliveryResponse, error) {
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := authz.Decide(ctx, "", authz.Resource{"kind": kindMessage, "id": req.GetMessageId()}); err != nil {
			return err
		}
		ok, err := data.MarkDelivery(ctx, tx, req.GetMessageId(), req.GetDelivery())
		if err != nil {
			return err
		}
		if !ok {
			return fault.NotFound()
		}
		return data.PurgeDrafts(ctx, tx, identity.Now(ctx))
	})
	if err != nil {
		return nil, err
	}
	return &reviewv1.MarkDeliveryResponse{}, nil
}
