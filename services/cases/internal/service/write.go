package service

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
)

// CreateCase implements casesv1.CasesServiceServer.
func (s *Service) CreateCase(ctx context.Context, req *casesv1.CreateCaseRequest) (*casesv1.Case, error) {
	caller, now := identity.Of(ctx), identity.Now(ctx)
	fresh, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	c := biz.Case{
		ID: fresh.String(), PublicID: publicID(), Unit: caller.GetUnit(), Author: caller.GetSubject(), Status: biz.Draft,
		Audience: biz.Team, Revision: 1, BasisRevision: 1, Risk: biz.NoRisk, CreateTime: now, UpdateTime: now,
	}
	t := biz.Text{WhatHappened: req.GetWhatHappened(), Question: req.GetQuestion(), Title: req.GetTitle(), Theme: req.GetTheme()}
	var answer *casesv1.Case
	err = authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		id, err := data.ByRequest(ctx, tx, c.Author, req.GetRequestId())
		if err != nil {
			return err
		}
		r := s.resource(data.Facts{Case: c})
		if id != "" {
			r["id"] = id
		}
		if _, err := authz.Decide(ctx, "", r); err != nil {
			return err
		}
		if id == "" {
			added, err := data.Insert(ctx, tx, c, req.GetRequestId())
			if err != nil {
				return err
			}
			if added {
				answer, err = s.first(ctx, tx, c, t)
				return err
			}
			// The same request came twice at once, and the other was first.
			if id, err = data.ByRequest(ctx, tx, c.Author, req.GetRequestId()); err != nil {
				return err
			}
		}
		if err := s.sameStory(ctx, tx, id, t); err != nil {
			return err
		}
		f, _, err := facts(ctx, tx, own(ctx, id))
		if err != nil {
			return err
		}
		answer, err = s.view(ctx, tx, f.Case)
		if errors.Is(err, data.ErrErased) {
			answer, err = message(f.Case), nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// sameStory tells a request that was sent twice from another one under its number,
// whose words would be lost without a sign.
func (s *Service) sameStory(ctx context.Context, tx pgx.Tx, id string, t biz.Text) error {
	key, err := data.Key(ctx, tx, s.Keys, id)
	if errors.Is(err, data.ErrErased) {
		return nil
	}
	if err != nil {
		return err
	}
	told, err := data.Original(ctx, tx, key, biz.Case{ID: id, Revision: 1})
	if err == nil && told != t {
		err = fault.Invalid("request_id", "used_before")
	}
	return err
}

func (s *Service) first(ctx context.Context, tx pgx.Tx, c biz.Case, t biz.Text) (*casesv1.Case, error) {
	key, err := data.NewKey(ctx, tx, s.Keys, c.ID)
	if err != nil {
		return nil, err
	}
	if err := data.AddRevision(ctx, tx, key, c, t); err != nil {
		return nil, err
	}
	return s.view(ctx, tx, c)
}

// publicID is under which others know a case: it tells nothing, not even when the case was written.
func publicID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// EditCase implements casesv1.CasesServiceServer. Until the new revision has a
// rendition, the case is closed to others; when every finding in it was answered
// before, that is within this call.
func (s *Service) EditCase(ctx context.Context, req *casesv1.EditCaseRequest) (*casesv1.Case, error) {
	t := biz.Text{WhatHappened: req.GetWhatHappened(), Question: req.GetQuestion(), Title: req.GetTitle(), Theme: req.GetTheme()}
	done, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.change(ctx, own(ctx, req.GetCaseId()), func(tx pgx.Tx, key *keys.Key, c *biz.Case) (bool, error) {
		if err := c.At(req.GetRevision()); err != nil {
			return false, err
		}
		c.Edit()
		if err := data.AddRevision(ctx, tx, key, *c, t); err != nil {
			return false, err
		}
		if c.RenderedRevision == 0 {
			return true, nil
		}
		proposals, err := s.inspect(ctx, tx, key, *c, t)
		if err != nil {
			return false, err
		}
		if biz.AllChosen(proposals) {
			err = s.complete(ctx, tx, key, c, t, proposals)
		}
		return true, err
	})
}

// ProposeReplacements implements casesv1.CasesServiceServer. Once the author has
// chosen, what others read stays as it is: only other choices change it.
func (s *Service) ProposeReplacements(ctx context.Context, req *casesv1.ProposeReplacementsRequest) (*casesv1.Case, error) {
	done, err := s.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.change(ctx, own(ctx, req.GetCaseId()), func(tx pgx.Tx, key *keys.Key, c *biz.Case) (bool, error) {
		if err := c.At(req.GetRevision()); err != nil || c.Rendered() {
			return false, err
		}
		t, err := data.Original(ctx, tx, key, *c)
		if err != nil {
			return false, err
		}
		_, err = s.inspect(ctx, tx, key, *c, t)
		return true, err
	})
}
