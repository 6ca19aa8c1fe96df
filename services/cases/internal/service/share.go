package service

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/failpoint"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
)

// InviteReader implements casesv1.CasesServiceServer.
func (s *Service) InviteReader(ctx context.Context, req *casesv1.InviteReaderRequest) (*casesv1.Case, error) {
	return s.change(ctx, own(ctx, req.GetCaseId()), func(tx pgx.Tx, _ *keys.Key, c *biz.Case) (bool, error) {
		colleague, err := s.Federation.LookUpColleague(ctx, &gatewayv1.LookUpColleagueRequest{AccountId: req.GetColleague()})
		if err != nil {
			return false, asked(err)
		}
		switch {
		case !colleague.GetFound():
			return false, fault.Invalid("colleague", "colleague.unknown")
		case req.GetColleague() == c.Author:
			return false, fault.Invalid("colleague", "colleague.author")
		case req.GetSecondReader() && !slices.Contains(colleague.GetRoles(), "professional"):
			return false, fault.Invalid("colleague", "colleague.not_professional")
		}
		if req.GetSecondReader() {
			c.SecondReader = req.GetColleague()
		}
		return true, data.Invite(ctx, tx, *c, req.GetColleague(), req.GetSecondReader())
	})
}

// ReleaseCase implements casesv1.CasesServiceServer.
func (s *Service) ReleaseCase(ctx context.Context, req *casesv1.ReleaseCaseRequest) (*casesv1.Case, error) {
	return s.change(ctx, own(ctx, req.GetCaseId()), func(_ pgx.Tx, _ *keys.Key, c *biz.Case) (bool, error) {
		if err := c.At(req.GetRevision()); err != nil {
			return false, err
		}
		return true, c.Release(identity.Of(ctx).GetSubject())
	})
}

// PublishCase implements casesv1.CasesServiceServer. The notices are part of the
// publication: one for each member that the resident said yes to.
func (s *Service) PublishCase(ctx context.Context, req *casesv1.PublishCaseRequest) (*casesv1.Case, error) {
	q := own(ctx, req.GetCaseId())
	q.Circle = req.GetCircle()
	answer, err := s.change(ctx, q, func(tx pgx.Tx, _ *keys.Key, c *biz.Case) (bool, error) {
		if err := c.At(req.GetRevision()); err != nil {
			return false, err
		}
		if changed, err := c.Publish(req.GetCircle()); err != nil || !changed {
			return false, err
		}
		circle, err := s.Federation.GetCircle(ctx, &gatewayv1.GetCircleRequest{Circle: req.GetCircle()})
		if err != nil {
			return false, asked(err)
		}
		if !circle.GetFound() {
			return false, fault.Invalid("circle", "circle.unknown")
		}
		members := make([]string, len(circle.GetMembers()))
		for i, m := range circle.GetMembers() {
			members[i] = m.GetId()
		}
		recipients, err := data.Recipients(ctx, tx, *c, members, s.Node, identity.Now(ctx))
		if err != nil {
			return false, fault.Unavailable(err)
		}
		if len(recipients) == 0 {
			return false, fault.WrongState("circle.no_recipients")
		}
		return true, s.notify(ctx, tx, *c, data.Opened, recipients)
	})
	if err == nil {
		failpoint.Hit(failpoint.SenderAfterCommit)
	}
	return answer, err
}

// notify tells organisations that a case opened or closed to them: an id, a kind and a circle.
func (s *Service) notify(ctx context.Context, tx pgx.Tx, c biz.Case, kind string, organisations []string) error {
	if len(organisations) == 0 {
		return nil
	}
	sequence, err := data.NextSequence(ctx, tx, c.ID)
	if err != nil {
		return err
	}
	for _, organisation := range organisations {
		id, err := uuid.NewRandom() // it crosses the node, so it does not tell a time
		if err != nil {
			return err
		}
		n := data.Notice{MessageID: id.String(), Organisation: organisation, Kind: kind, Sequence: sequence}
		if err := data.Sent(ctx, tx, c, n); err != nil {
			return err
		}
		if err := s.Outbox.Add(ctx, tx, outbox.NoticeArgs{
			MessageID: n.MessageID, Peer: organisation, NoticeKind: kind, CasePublicID: c.PublicID, Circle: c.Circle, Sequence: sequence,
		}); err != nil {
			return err
		}
	}
	failpoint.Hit(failpoint.SenderBeforeCommit)
	return nil
}
