package service

import (
	"context"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/page"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/review/internal/biz"
	"github.com/zijlicht/zijlicht/services/review/internal/data"
)

// ListNotices implements reviewv1.ReviewServiceServer.
func (s *Service) ListNotices(ctx context.Context, req *reviewv1.ListNoticesRequest) (*reviewv1.ListNoticesResponse, error) {
	q, err := s.listQuery(ctx, kindNotice, data.NoticeColumns(), req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	rows, err := data.ListNotices(ctx, s.Pool, q)
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	rows, next := page.Next(rows, q.Limit-1, func(n biz.Notice) page.Cursor { return page.Cursor{Time: n.ReceiveTime, ID: n.ID} })
	res := &reviewv1.ListNoticesResponse{NextPageToken: next}
	ids := make([]string, len(rows))
	for i, n := range rows {
		ids[i] = n.ID
		res.Notices = append(res.Notices, &reviewv1.Notice{
			Id: n.ID, Owner: n.Owner, CasePublicId: n.CasePublicID, Circle: n.Circle, State: n.State,
			ReceiveTime: timestamppb.New(n.ReceiveTime),
		})
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// listQuery asks for one row more than the page holds, to see whether there is a next one.
func (s *Service) listQuery(ctx context.Context, kind string, columns authz.Columns, token string, size int32) (data.ListQuery, error) {
	cursor, err := page.Parse(token)
	if err != nil {
		return data.ListQuery{}, err
	}
	f, err := authz.Filtered(ctx, "", kind, columns, data.FirstArg)
	if err != nil {
		return data.ListQuery{}, err
	}
	return data.ListQuery{
		Node: s.Node, Cursor: cursor.Time, CursorID: cursor.ID, Limit: page.Size(size) + 1, Condition: f.SQL, Args: f.Args,
	}, nil
}

// ReadSharedCase implements reviewv1.ReviewServiceServer. The owner decides anew;
// its answer passes through and nothing of it stays. Only a notice closes what is
// here, so that a refusal over there changes nothing.
func (s *Service) ReadSharedCase(ctx context.Context, req *reviewv1.ReadSharedCaseRequest) (*reviewv1.SharedCase, error) {
	n, ok, err := data.GetNotice(ctx, s.Pool, req.GetNoticeId())
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	r := authz.Resource{"kind": kindNotice, "id": req.GetNoticeId()}
	if ok {
		r = s.noticeResource(n)
	}
	if _, err := authz.Decide(ctx, biz.Purpose, r); err != nil {
		return nil, err
	}
	c, err := s.federation.ReadPeerCase(ctx, &gatewayv1.ReadPeerCaseRequest{
		Owner: n.Owner, PublicId: n.CasePublicID, Purpose: biz.Purpose,
	})
	if err != nil {
		return nil, asked(err)
	}
	if !biz.Presentable(c.GetCircle() == n.Circle, c.GetTheme(), c.GetTitle(), c.GetWhatHappened(), c.GetQuestion()) {
		return nil, fault.PeerUnavailable(fault.Note("the owner's answer is not of the contract"))
	}
	return &reviewv1.SharedCase{
		NoticeId: n.ID, Owner: n.Owner, Circle: c.GetCircle(), Theme: c.GetTheme(), Revision: c.GetRevision(),
		Title: c.GetTitle(), WhatHappened: c.GetWhatHappened(), Question: c.GetQuestion(),
	}, nil
}

// ListReviews implements reviewv1.ReviewServiceServer.
func (s *Service) ListReviews(ctx context.Context, req *reviewv1.ListReviewsRequest) (*reviewv1.ListReviewsResponse, error) {
	q, err := s.listQuery(ctx, kindReview, data.DialogueColumns(), req.GetPageToken(), req.GetPageSize())
	if err != nil {
		return nil, err
	}
	rows, err := data.ListDialogues(ctx, s.Pool, q)
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	rows, next := page.Next(rows, q.Limit-1, func(d biz.Dialogue) page.Cursor { return page.Cursor{Time: d.CreateTime, ID: d.ID} })
	res := &reviewv1.ListReviewsResponse{NextPageToken: next}
	ids := make([]string, len(rows))
	known := map[[2]string]bool{} // one question for each case and reader's organisation
	for i, d := range rows {
		ids[i] = d.ID
		if d.Side == biz.Owner {
			key := [2]string{d.CaseID, d.Peer}
			open, told := known[key]
			if !told {
				if open, err = s.caseOpen(ctx, d); err != nil {
					return nil, err
				}
				known[key] = open
			}
			d.Follow(open, identity.Now(ctx))
		}
		res.Reviews = append(res.Reviews, reviewMessage(d))
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// GetReview implements reviewv1.ReviewServiceServer. On the owner's side the
// dialogue follows the case, and reading it is when that is noticed and kept. A
// draft whose time is over goes before anything is read.
func (s *Service) GetReview(ctx context.Context, req *reviewv1.GetReviewRequest) (*reviewv1.Review, error) {
	d, open, ok, err := s.dialogue(ctx, req.GetReviewId())
	if err != nil {
		return nil, err
	}
	now := identity.Now(ctx)
	changed := ok && d.Follow(open, now)
	if _, err := authz.Decide(ctx, "", s.resourceOf(req.GetReviewId(), d, ok)); err != nil {
		return nil, err
	}
	if changed || !d.KeepsDraft(now) {
		err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
			if changed {
				if err := data.SaveState(ctx, tx, d); err != nil {
					return err
				}
			}
			return data.PurgeDrafts(ctx, tx, now)
		})
		if err != nil {
			return nil, err
		}
	}
	r, err := s.view(ctx, s.Pool, d)
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	return r, nil
}

// dialogue reads a dialogue and, for those it belongs to, whether its case is open.
func (s *Service) dialogue(ctx context.Context, id string) (d biz.Dialogue, open, ok bool, err error) {
	d, ok, err = data.GetDialogue(ctx, s.Pool, id)
	if err != nil {
		return d, false, false, fault.Unavailable(err)
	}
	open = d.State == biz.Open
	if ok && d.Account() == identity.Of(ctx).GetSubject() {
		open, err = s.caseOpen(ctx, d)
	}
	return d, open, ok, err
}

// resourceOf gives the facts of a dialogue, or what is known of one that is not there.
func (s *Service) resourceOf(id string, d biz.Dialogue, ok bool) authz.Resource {
	if !ok {
		return authz.Resource{"kind": kindReview, "id": id}
	}
	return s.reviewResource(d)
}
