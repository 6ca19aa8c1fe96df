package service

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
)

// StopSharing implements casesv1.CasesServiceServer. Its commit is its effect: reads that start later are refused.
func (s *Service) StopSharing(ctx context.Context, req *casesv1.StopSharingRequest) (*casesv1.StopSharingResponse, error) {
	res := &casesv1.StopSharingResponse{}
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		f, err := s.locked(ctx, tx, own(ctx, req.GetCaseId()))
		if err != nil {
			return err
		}
		if f.Status != biz.Closed {
			if err := s.close(ctx, tx, &f.Case, biz.Stopped); err != nil {
				return err
			}
		}
		res.StopTime = timestamppb.New(*f.ClosedTime)
		return nil
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.SenderAfterCommit)
	return res, nil
}

// RemoveCase implements casesv1.CasesServiceServer.
func (s *Service) RemoveCase(ctx context.Context, req *casesv1.RemoveCaseRequest) (*casesv1.RemoveCaseResponse, error) {
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		f, err := s.locked(ctx, tx, own(ctx, req.GetCaseId()))
		if err != nil {
			return err
		}
		if err := s.close(ctx, tx, &f.Case, biz.Removed); err != nil {
			return err
		}
		return data.Erase(ctx, tx, f.ID)
	})
	if err != nil {
		return nil, err
	}
	failpoint.Hit(failpoint.SenderAfterCommit)
	return &casesv1.RemoveCaseResponse{}, nil
}

// close ends sharing and tells everyone who was told of its beginning. The notice does not say why.
func (s *Service) close(ctx context.Context, tx pgx.Tx, c *biz.Case, reason string) error {
	c.UpdateTime = identity.Now(ctx)
	c.Close(reason, c.UpdateTime)
	if err := s.tellClosed(ctx, tx, *c); err != nil {
		return err
	}
	return data.Save(ctx, tx, *c)
}

func (s *Service) tellClosed(ctx context.Context, tx pgx.Tx, c biz.Case) error {
	told, err := data.ToldOpen(ctx, tx, c.ID)
	if err != nil {
		return err
	}
	return s.notify(ctx, tx, c, data.Closed, told)
}

// maxLapsed bounds one round of closing; the next takes the rest.
const maxLapsed = 100

// CloseLapsed implements casesv1.CasesServiceServer. Reads are refused as soon as
// the yes is gone; this tells the circle. A case that was changed since and waits
// for a new yes stays a draft: its author works on.
func (s *Service) CloseLapsed(ctx context.Context, req *casesv1.CloseLapsedRequest) (*casesv1.CloseLapsedResponse, error) {
	if req.GetCaseId() != "" && uuid.Validate(req.GetCaseId()) != nil {
		return nil, fault.Invalid("case_id", "string.uuid")
	}
	res := &casesv1.CloseLapsedResponse{}
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		res.Closed = 0
		ids := []string{req.GetCaseId()}
		if req.GetCaseId() == "" {
			var err error
			if ids, err = data.LockLapsed(ctx, tx, identity.Now(ctx), maxLapsed); err != nil {
				return fault.Unavailable(err)
			}
			if len(ids) == 0 {
				_, err = authz.Decide(ctx, "", authz.Resource{"kind": kind, "id": ""})
				return err
			}
		}
		for _, id := range ids {
			closed, err := s.closeLapsed(ctx, tx, id)
			if err != nil {
				return err
			}
			if closed {
				res.Closed++
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s *Service) closeLapsed(ctx context.Context, tx pgx.Tx, id string) (bool, error) {
	f, err := s.locked(ctx, tx, own(ctx, id))
	if err != nil {
		return false, err
	}
	grants, err := data.Grants(ctx, tx, f.Case)
	if err != nil {
		return false, fault.Unavailable(err)
	}
	reason, lapsed := biz.Lapsed(grants, identity.Now(ctx))
	switch {
	case !lapsed || f.Status == biz.Closed:
		return false, nil
	case f.Shared():
		return true, s.close(ctx, tx, &f.Case, reason)
	default:
		f.UpdateTime = identity.Now(ctx)
		return false, s.tellClosed(ctx, tx, f.Case)
	}
}
