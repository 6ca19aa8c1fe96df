package service

import (
	"context"
	"errors"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/page"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// GetCase implements casesv1.CasesServiceServer.
func (s *Service) GetCase(ctx context.Context, req *casesv1.GetCaseRequest) (*casesv1.Case, error) {
	f, ok, err := facts(ctx, s.Pool, own(ctx, req.GetCaseId()))
	if err != nil {
		return nil, err
	}
	r := authz.Resource{"kind": kind, "id": req.GetCaseId()}
	if ok {
		r = s.resource(f)
	}
	if _, err := authz.Decide(ctx, "", r); err != nil {
		return nil, err
	}
	m, err := s.view(ctx, s.Pool, f.Case)
	if err != nil {
		return nil, read(err)
	}
	return m, nil
}

// ListCases implements casesv1.CasesServiceServer.
func (s *Service) ListCases(ctx context.Context, req *casesv1.ListCasesRequest) (*casesv1.ListCasesResponse, error) {
	cursor, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	f, err := authz.Filtered(ctx, "", kind, data.ListColumns(), data.FirstArg)
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize())
	rows, err := data.List(ctx, s.Pool, data.ListQuery{
		Caller: identity.Of(ctx).GetSubject(), Node: s.Node, Status: req.GetStatus(), Cursor: cursor.Time, CursorID: cursor.ID,
		Limit: size + 1, Condition: f.SQL, Args: f.Args,
	})
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	rows, next := page.Next(rows, size, func(l data.Listed) page.Cursor { return page.Cursor{Time: l.UpdateTime, ID: l.ID} })
	res := &casesv1.ListCasesResponse{NextPageToken: next}
	ids := make([]string, len(rows))
	for i, l := range rows {
		m := message(l.Case)
		if m.Title, m.Theme, err = data.Title(s.Keys, l); err != nil {
			return nil, fault.Internal(err)
		}
		ids[i] = l.ID
		res.Cases = append(res.Cases, m)
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// ReadShared implements casesv1.CasesServiceServer. Case and yes are read in one
// statement, at the moment of the decision.
func (s *Service) ReadShared(ctx context.Context, req *casesv1.ReadSharedRequest) (*casesv1.SharedCase, error) {
	caller := identity.Of(ctx)
	f, ok, err := facts(ctx, s.Pool, data.FactsQuery{
		PublicID: req.GetPublicId(), Caller: caller.GetSubject(), Organisation: caller.GetOrganisation(),
	})
	if err != nil {
		return nil, err
	}
	r := authz.Resource{"kind": kind, "id": req.GetPublicId()}
	if ok {
		r = s.resource(f)
	}
	permit, err := authz.Decide(ctx, req.GetPurpose(), r)
	if err != nil {
		return nil, err
	}
	// The revision that was decided on, even when another was written since.
	texts, err := data.Read(ctx, s.Pool, s.Keys, f.Case, permit.Rendition(), false)
	if err != nil {
		return nil, read(err)
	}
	if !texts.Rendered {
		return nil, fault.Internal(errors.New("the rendition that was decided on is not there"))
	}
	t := texts.Rendition
	return &casesv1.SharedCase{
		PublicId: f.PublicID, Owner: s.Node, Circle: f.Circle, Theme: t.Theme, Revision: uint32(f.Revision),
		Title: t.Title, WhatHappened: t.WhatHappened, Question: t.Question,
	}, nil
}

// DescribeCase implements casesv1.CasesServiceServer.
func (s *Service) DescribeCase(ctx context.Context, req *casesv1.DescribeCaseRequest) (*casesv1.CaseFacts, error) {
	if req.GetCaseId() == "" && req.GetPublicId() == "" {
		return nil, fault.Invalid("case_id", "required")
	}
	if req.GetCaseId() != "" && uuid.Validate(req.GetCaseId()) != nil {
		return nil, fault.Invalid("case_id", "string.uuid")
	}
	f, ok, err := facts(ctx, s.Pool, data.FactsQuery{
		CaseID: req.GetCaseId(), PublicID: req.GetPublicId(), Caller: identity.Of(ctx).GetSubject(), Organisation: req.GetOrganisation(),
	})
	if err != nil {
		return nil, err
	}
	if !ok {
		return &casesv1.CaseFacts{Id: req.GetCaseId(), PublicId: req.GetPublicId(), Risk: biz.NoRisk, GrantState: grantState(f)}, nil
	}
	return s.describe(f), nil
}
