// Package service answers the RPCs of practice cases. Every answer follows one
// decision on facts read just before it; a change, its notices and its record are
// one transaction.
package service

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/biz"
	"github.com/zijlicht/zijlicht/services/cases/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Service implements casesv1.CasesServiceServer.
type Service struct {
	casesv1.UnimplementedCasesServiceServer
	Pool       *pgxpool.Pool
	Keys       *keys.Master
	Node       string
	Outbox     *outbox.Outbox
	Deid       deidv1.DeidServiceClient
	Federation gatewayv1.FederationServiceClient

	turns *semaphore.Weighted
}

// turnsAtDeid at the same time: half of the service's connections.
const turnsAtDeid = 2

// New makes the service.
func New(s Service) *Service {
	s.turns = semaphore.NewWeighted(turnsAtDeid)
	return &s
}

const kind = "case"

// resource is what the policy knows of a case.
func (s *Service) resource(f data.Facts) authz.Resource {
	return authz.CaseResource(f.ID, s.describe(f))
}

// describe gives the facts of a case, for rules here and in the node's other services.
func (s *Service) describe(f data.Facts) *casesv1.CaseFacts {
	m := &casesv1.CaseFacts{
		Found: true, Id: f.ID, PublicId: f.PublicID, OwnerOrg: s.Node, Unit: f.Unit, Author: f.Author, SecondReader: f.SecondReader,
		Status: f.Status, ClosedReason: f.ClosedReason, Audience: f.Audience, Circle: f.Circle, Risk: int32(f.Risk),
		ReleasedBy: f.ReleasedBy, ReleaseRevision: uint32(f.ReleaseRevision), BasisRevision: uint32(f.BasisRevision),
		Revision: uint32(f.Revision), Invited: f.Invited, Noticed: f.Noticed, GrantState: grantState(f),
		GrantFrom: fixed(f.GrantFrom), GrantUntil: fixed(f.GrantUntil),
	}
	if f.GrantState != nil {
		m.GrantRevision, m.GrantPurpose, m.GrantCircle = uint32(*f.GrantRevision), *f.GrantPurpose, *f.GrantCircle
	}
	return m
}

func grantState(f data.Facts) string {
	if f.GrantState == nil {
		return "absent"
	}
	return *f.GrantState
}

func fixed(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(authz.TimeFormat)
}

// facts reads what a decision needs. Without them there is no decision, whatever the cause.
func facts(ctx context.Context, db data.DB, q data.FactsQuery) (data.Facts, bool, error) {
	f, ok, err := data.GetFacts(ctx, db, q)
	if err != nil {
		return data.Facts{}, false, fault.Unavailable(err)
	}
	return f, ok, nil
}

// own names a case of this organisation as its caller sees it.
func own(ctx context.Context, caseID string) data.FactsQuery {
	return data.FactsQuery{CaseID: caseID, Caller: identity.Of(ctx).GetSubject()}
}

// locked holds a case, reads its facts and decides on them. The facts that are
// returned are those decided on, but for the circle, that a publication asks for.
func (s *Service) locked(ctx context.Context, tx pgx.Tx, q data.FactsQuery) (data.Facts, error) {
	if err := data.Lock(ctx, tx, q.CaseID); err != nil {
		return data.Facts{}, err
	}
	f, ok, err := facts(ctx, tx, q)
	if err != nil {
		return data.Facts{}, err
	}
	r := authz.Resource{"kind": kind, "id": q.CaseID}
	if ok {
		r = s.resource(f)
	}
	if ok && q.Circle != "" {
		r["circle"] = q.Circle
	}
	if _, err := authz.Decide(ctx, "", r); err != nil {
		return data.Facts{}, err
	}
	if !ok {
		return data.Facts{}, fault.NotFound()
	}
	return f, nil
}

// change does a deed to a case and answers with what the caller may read of it. A
// deed that says false changed nothing.
func (s *Service) change(ctx context.Context, q data.FactsQuery, deed func(pgx.Tx, *keys.Key, *biz.Case) (bool, error)) (*casesv1.Case, error) {
	var answer *casesv1.Case
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		f, err := s.locked(ctx, tx, q)
		if err != nil {
			return err
		}
		key, err := data.Key(ctx, tx, s.Keys, f.ID)
		if err != nil {
			return err
		}
		before := f.Case
		f.UpdateTime = identity.Now(ctx)
		changed, err := deed(tx, key, &f.Case)
		if err != nil {
			return err
		}
		if changed {
			if err := data.Save(ctx, tx, f.Case); err != nil {
				return err
			}
		} else {
			f.Case = before
		}
		answer, err = s.view(ctx, tx, f.Case)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// view is a case as the caller may read it: the author reads their own words and
// the mapping, everyone else what others may read, or nothing while that is not there.
func (s *Service) view(ctx context.Context, db data.DB, c biz.Case) (*casesv1.Case, error) {
	author := c.Author == identity.Of(ctx).GetSubject()
	t, err := data.Read(ctx, db, s.Keys, c, biz.Level, author)
	if err != nil {
		return nil, err
	}
	m := message(c)
	if t.Rendered {
		m.Rendition = &casesv1.Rendition{
			WhatHappened: t.Rendition.WhatHappened, Question: t.Rendition.Question, Title: t.Rendition.Title,
			Risk: &deidv1.Risk{Level: uint32(t.Risk.Level), Sentence: t.Risk.Sentence, Factors: t.Risk.Factors},
		}
	}
	read := t.Rendition
	if author {
		read = t.Original
	}
	m.WhatHappened, m.Question, m.Title, m.Theme = read.WhatHappened, read.Question, read.Title, read.Theme
	for i, p := range t.Proposals {
		m.Proposals = append(m.Proposals, &casesv1.Proposal{
			Id: uint32(i + 1), Field: biz.FieldNames[p.Field], Choice: p.Choice,
			Span: &deidv1.Span{
				Start: p.Start, End: p.End, Type: p.Type, Text: p.Text, Entity: p.Entity, Confidence: p.Confidence,
				Proposal: p.Replacement, Why: p.Why,
			},
		})
	}
	return m, nil
}

// message is a case without its texts.
func message(c biz.Case) *casesv1.Case {
	m := &casesv1.Case{
		Id: c.ID, Status: c.Status, Revision: uint32(c.Revision), BasisRevision: uint32(c.BasisRevision), Author: c.Author,
		Unit: c.Unit, Audience: c.Audience, Circle: c.Circle, SecondReader: c.SecondReader, ReleasedBy: c.ReleasedBy,
		ClosedReason: c.ClosedReason, CreateTime: timestamppb.New(c.CreateTime), UpdateTime: timestamppb.New(c.UpdateTime),
	}
	if c.Circle != "" {
		m.PublicId = c.PublicID
	}
	return m
}

// asked is the answer to a question to another service that failed: its own refusal, or that it cannot be asked now.
func asked(err error) error {
	if fault.ReasonOf(err) == faultv1.Reason_REASON_INTERNAL {
		return fault.Unavailable(err)
	}
	return err
}

// read is the answer to a failed read after a decision. A case whose key went in between is refused the next time.
func read(err error) error {
	if errors.Is(err, data.ErrErased) {
		return fault.Unavailable(err)
	}
	return pgdb.Fault(err)
}
