// Package service answers the RPCs of the audit service.
package service

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	"github.com/zijlicht/zijlicht/services/audit/internal/data"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/page"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Service implements auditv1.AuditServiceServer.
type Service struct {
	auditv1.UnimplementedAuditServiceServer
	pool *pgxpool.Pool
	node string
}

// New reads the log of the node with this entity URL.
func New(pool *pgxpool.Pool, node string) *Service { return &Service{pool: pool, node: node} }

const kind = "decision"

// ListDecisions implements auditv1.AuditServiceServer.
func (s *Service) ListDecisions(ctx context.Context, req *auditv1.ListDecisionsRequest) (*auditv1.ListDecisionsResponse, error) {
	cursor, err := page.Parse(req.GetPageToken())
	if err != nil {
		return nil, err
	}
	// Every record of a node's log is about that node: its node_org is a constant.
	f, err := authz.Filtered(ctx, "", kind, authz.Columns{"resource.node_org": "$7::text"}, data.FirstArg+1)
	if err != nil {
		return nil, err
	}
	size := page.Size(req.GetPageSize())
	q := data.Query{
		ResourceID: req.GetResourceId(), TraceID: req.GetTraceId(), Before: cursor.Time, BeforeID: cursor.ID, Limit: size + 1,
		Condition: "$7::text is not null and " + f.SQL, Args: append([]any{s.node}, f.Args...),
	}
	if o := req.GetOutcome(); o != "" {
		allowed := o == "allowed"
		q.Allowed = &allowed
	}
	rows, err := data.List(ctx, s.pool, q)
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	rows, next := page.Next(rows, size, func(d data.Decision) page.Cursor { return page.Cursor{Time: d.DecideTime, ID: d.ID} })
	res := &auditv1.ListDecisionsResponse{NextPageToken: next}
	ids := make([]string, len(rows))
	for i, d := range rows {
		ids[i] = d.ID
		res.Decisions = append(res.Decisions, message(d))
	}
	authz.Returned(ctx, ids)
	return res, nil
}

// GetDecision implements auditv1.AuditServiceServer.
func (s *Service) GetDecision(ctx context.Context, req *auditv1.GetDecisionRequest) (*auditv1.Decision, error) {
	d, ok, err := data.Get(ctx, s.pool, req.GetDecisionId())
	if err != nil {
		return nil, pgdb.Fault(err)
	}
	r := authz.Resource{"kind": kind, "id": req.GetDecisionId()}
	if ok {
		r["node_org"] = s.node
	}
	if _, err := authz.Decide(ctx, "", r); err != nil {
		return nil, err
	}
	m := message(d)
	if m.Evaluations, err = evaluations(d.Evaluations); err != nil {
		return nil, fault.Internal(err)
	}
	return m, nil
}

// evaluations are what the rules were given and what they said; of a list, what it was filtered with and what it gave.
func evaluations(raw json.RawMessage) (all []*auditv1.Evaluation, err error) {
	var entries []map[string]any
	if err := json.Unmarshal(raw, &entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		input, _ := e["input"].(map[string]any)
		result, ok := e["result"].(map[string]any)
		if !ok {
			delete(e, "input")
			delete(e, "result")
			result = e
		}
		one := &auditv1.Evaluation{}
		if one.Input, err = structpb.NewStruct(input); err != nil {
			return nil, err
		}
		if one.Result, err = structpb.NewStruct(result); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func message(d data.Decision) *auditv1.Decision {
	return &auditv1.Decision{
		Id: d.ID, TraceId: d.TraceID, SpanId: d.SpanID, EventName: d.EventName, Service: d.Service, Action: d.Action,
		Allowed: d.Allowed, Reasons: d.Reasons, CallerKind: d.CallerKind, CallerOrganisation: d.CallerOrganisation,
		ResourceKind: d.ResourceKind, ResourceId: d.ResourceID, DecideTime: timestamppb.New(d.DecideTime),
		PolicyRevision: d.PolicyRevision,
	}
}
