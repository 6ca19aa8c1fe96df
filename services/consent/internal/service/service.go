// Package service answers the RPCs of the consent register.
package service

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/consent/internal/biz"
	"github.com/zijlicht/zijlicht/services/consent/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Config of the register.
type Config struct {
	Pool   *pgxpool.Pool
	Outbox *outbox.Outbox
	// Conn reaches cases and the gateway.
	Conn grpc.ClientConnInterface
	// Node is the organisation's entity URL.
	Node string
	// CodeKey makes and hashes receipt codes.
	CodeKey []byte
	// ThinkingTime passes before a yes counts.
	ThinkingTime time.Duration
}

// Service implements consentv1.ConsentServiceServer.
type Service struct {
	consentv1.UnimplementedConsentServiceServer
	Config
	cases      casesv1.CasesServiceClient
	federation gatewayv1.FederationServiceClient
}

// New makes the service.
func New(c Config) *Service {
	return &Service{Config: c, cases: casesv1.NewCasesServiceClient(c.Conn), federation: gatewayv1.NewFederationServiceClient(c.Conn)}
}

// RegisterGrant implements consentv1.ConsentServiceServer.
func (s *Service) RegisterGrant(ctx context.Context, req *consentv1.RegisterGrantRequest) (*consentv1.RegisterGrantResponse, error) {
	facts, err := s.describe(ctx, req.GetCaseId())
	if err != nil {
		return nil, err
	}
	if _, err := authz.Decide(ctx, "", authz.CaseResource(req.GetCaseId(), facts)); err != nil {
		return nil, err
	}
	if req.GetRevision() != facts.GetRevision() {
		return nil, fault.EditConflict()
	}
	if facts.GetRisk() < 0 {
		return nil, fault.WrongState("risk.unknown") // there is nothing yet that the resident could have read
	}
	g := data.Grant{
		ID: uuid.Must(uuid.NewV7()).String(), CaseID: req.GetCaseId(), Revision: facts.GetBasisRevision(), Purpose: biz.Purpose,
		Circle: req.GetCircle(), Manner: req.GetManner(), RecordedBy: identity.Of(ctx).GetSubject(), RequestID: req.GetRequestId(),
		GivenTime: identity.Now(ctx),
	}
	if err := s.agree(ctx, req, &g); err != nil {
		return nil, err
	}
	code := biz.Code(s.CodeKey, g.RecordedBy, g.RequestID)
	normal, _ := biz.Normalize(code)
	g.CodeHash = biz.Hash(s.CodeKey, normal)
	var kept data.Grant
	err = authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		kept = g
		// A withdrawal that came in meanwhile stands: the facts above are from before it.
		withdrawn, err := data.Withdrawn(ctx, tx, g.CaseID)
		if err != nil {
			return err
		}
		if withdrawn {
			return fault.Refused("consent.withdrawn")
		}
		added, err := data.Insert(ctx, tx, g)
		if err != nil || added {
			return err
		}
		if kept, err = data.ByRequest(ctx, tx, g.RecordedBy, g.RequestID); err != nil {
			return err
		}
		if kept.CaseID != g.CaseID || kept.Revision != g.Revision || kept.Circle != g.Circle {
			return fault.Invalid("request_id", "used_before") // for another yes, whose code this would give away
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &consentv1.RegisterGrantResponse{Grant: message(kept), ReceiptCode: code}, nil
}

// agree fills in whom and how long the yes is for: the circle's organisations of today.
func (s *Service) agree(ctx context.Context, req *consentv1.RegisterGrantRequest, g *data.Grant) error {
	var until time.Time
	if req.GetValidUntilTime() != nil {
		until = req.GetValidUntilTime().AsTime().Truncate(time.Microsecond) // as Postgres keeps it
	}
	var err error
	if g.ValidFrom, g.ValidUntil, err = biz.Period(g.GivenTime, s.ThinkingTime, until); err != nil {
		return err
	}
	circle, err := s.federation.GetCircle(ctx, &gatewayv1.GetCircleRequest{Circle: req.GetCircle()})
	if err != nil {
		return asked(err)
	}
	member := false
	for _, m := range circle.GetMembers() {
		if m.GetId() == s.Node {
			member = true
			continue
		}
		g.Organisations = append(g.Organisations, m.GetId())
		g.Names = append(g.Names, m.GetName())
	}
	if !member || len(g.Organisations) == 0 {
		return fault.Refused("circle.no_agreement")
	}
	return nil
}

// ListGrants implements consentv1.ConsentServiceServer.
func (s *Service) ListGrants(ctx context.Context, req *consentv1.ListGrantsRequest) (*consentv1.ListGrantsResponse, error) {
	facts, err := s.describe(ctx, req.GetCaseId())
	if err != nil {
		return nil, err
	}
	if _, err := authz.Decide(ctx, "", authz.CaseResource(req.GetCaseId(), facts)); err != nil {
		return nil, err
	}
	grants, err := data.ByCase(ctx, s.Pool, req.GetCaseId())
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	res := &consentv1.ListGrantsResponse{}
	ids := make([]string, 0, len(grants))
	for _, g := range grants {
		res.Grants = append(res.Grants, message(g))
		ids = append(ids, g.ID)
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// GetReceipt implements consentv1.ConsentServiceServer.
func (s *Service) GetReceipt(ctx context.Context, req *consentv1.GetReceiptRequest) (*consentv1.Receipt, error) {
	g, err := s.byCode(ctx, s.Pool, req.GetReceiptCode())
	if err != nil {
		return nil, err
	}
	facts, err := s.describe(ctx, g.CaseID)
	if err != nil {
		return nil, err
	}
	return receipt(ctx, g, facts.GetStatus() == "closed"), nil
}

// Withdraw implements consentv1.ConsentServiceServer. It needs nothing but this register.
func (s *Service) Withdraw(ctx context.Context, req *consentv1.WithdrawRequest) (*consentv1.Receipt, error) {
	var g data.Grant
	err := authz.InTx(ctx, s.Pool, func(tx pgx.Tx) error {
		var err error
		if g, err = s.byCode(ctx, tx, req.GetReceiptCode()); err != nil || g.WithdrawnTime != nil {
			return err
		}
		if err := data.Lock(ctx, tx, g.CaseID); err != nil {
			return err
		}
		now := identity.Now(ctx)
		added, err := data.Withdraw(ctx, tx, g.ID, now)
		if err != nil {
			return err
		}
		if !added { // another was first, and its time stands
			g, _, err = data.ByCode(ctx, tx, g.CodeHash)
			return err
		}
		g.WithdrawnTime = &now
		// From this commit on no read is allowed; closing the case and telling the circle follows.
		return s.Outbox.Add(ctx, tx, outbox.LapsedArgs{CaseID: g.CaseID})
	})
	if err != nil {
		return nil, err
	}
	return receipt(ctx, g, false), nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// byCode decides on what a code opens. A wrong code and one that never was get the same answer.
func (s *Service) byCode(ctx context.Context, q querier, typed string) (data.Grant, error) {
	r := authz.Resource{"kind": "receipt", "id": "", "found": false}
	normal, ok := biz.Normalize(typed)
	g, found, err := data.ByCode(ctx, q, biz.Hash(s.CodeKey, normal)) // also for a malformed code: the same work
	if err != nil {
		return g, pgdb.Fault(err)
	}
	if ok && found {
		r["id"], r["found"] = g.ID, true
	}
	_, err = authz.Decide(ctx, "", r)
	return g, err
}

// describe asks cases for the facts. No answer is a refusal that can be tried again.
func (s *Service) describe(ctx context.Context, caseID string) (*casesv1.CaseFacts, error) {
	facts, err := s.cases.DescribeCase(ctx, &casesv1.DescribeCaseRequest{CaseId: caseID})
	return facts, asked(err)
}

// asked is the answer to a question to another service that failed: its own refusal, or that it cannot be asked now.
func asked(err error) error {
	if fault.ReasonOf(err) == faultv1.Reason_REASON_INTERNAL {
		return fault.Unavailable(err)
	}
	return err
}

func receipt(ctx context.Context, g data.Grant, caseClosed bool) *consentv1.Receipt {
	var withdrawn time.Time
	if g.WithdrawnTime != nil {
		withdrawn = *g.WithdrawnTime
	}
	r := &consentv1.Receipt{
		State:   biz.State(identity.Now(ctx), g.ValidFrom, g.ValidUntil, withdrawn, caseClosed),
		Purpose: g.Purpose, Organisations: g.Names, GivenTime: timestamppb.New(g.GivenTime),
		ValidFromTime: timestamppb.New(g.ValidFrom), ValidUntilTime: timestamppb.New(g.ValidUntil),
	}
	if !withdrawn.IsZero() {
		r.WithdrawnTime = timestamppb.New(withdrawn)
	}
	return r
}

func message(g data.Grant) *consentv1.Grant {
	m := &consentv1.Grant{
		Id: g.ID, CaseId: g.CaseID, Revision: g.Revision, Purpose: g.Purpose, Circle: g.Circle, Organisations: g.Organisations,
		State: "granted", GivenTime: timestamppb.New(g.GivenTime),
		ValidFromTime: timestamppb.New(g.ValidFrom), ValidUntilTime: timestamppb.New(g.ValidUntil),
	}
	if g.WithdrawnTime != nil {
		m.State, m.WithdrawnTime = "withdrawn", timestamppb.New(*g.WithdrawnTime)
	}
	return m
}
