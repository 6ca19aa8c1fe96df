package authz

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	"github.com/zijlicht/zijlicht/services/platform/access"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Gate makes "no decision, no answer" true: an answer of a resource RPC leaves
// only after a decision that allows it, whose record is durable and whose
// obligations were met. Refusals are recorded too.
type Gate struct {
	policy   *Policy
	recorder *Recorder
	node     string
}

// NewGate decides with policy and records with recorder, for the node with this entity URL.
func NewGate(policy *Policy, recorder *Recorder, node string) *Gate {
	return &Gate{policy: policy, recorder: recorder, node: node}
}

// call is what the gate knows of one RPC while it is served.
type call struct {
	gate      *Gate
	operation string
	action    string

	mu          sync.Mutex
	evaluations []evaluation
	open        []string // obligations not yet met
	recorded    bool     // the record is part of a transaction that committed
	record      Record
}

type callKey struct{}

// Middleware is the last step before the handler.
func (g *Gate) Middleware() middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			tr, ok := transport.FromServerContext(ctx)
			if !ok {
				return nil, fault.Internal(errors.New("no transport"))
			}
			a, err := access.Of(tr.Operation())
			if err != nil {
				return nil, fault.Internal(err)
			}
			if a.GetClass() != accessv1.Class_CLASS_RESOURCE {
				return next(ctx, req)
			}
			if _, ok := identity.FromContext(ctx); !ok {
				return nil, fault.Unauthenticated("no caller")
			}
			c := &call{gate: g, operation: tr.Operation(), action: a.GetAction()}
			c.record = newRecord(ctx, c)
			reply, err := next(context.WithValue(ctx, callKey{}, c), req)
			if err := c.finish(ctx, err); err != nil {
				return nil, err
			}
			return reply, nil
		}
	}
}

// finish decides whether the answer may leave.
func (c *call) finish(ctx context.Context, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.check()
	}
	if len(c.evaluations) == 0 || c.recorded {
		return err
	}
	c.record.complete(c.evaluations, err)
	if rerr := c.gate.recorder.Append(ctx, c.record); rerr != nil {
		return fault.Unavailable(fmt.Errorf("record: %w", rerr))
	}
	return err
}

// check finds the handlers' mistakes: an answer without a decision, in spite of one, or with an obligation left.
func (c *call) check() error {
	if len(c.evaluations) == 0 {
		return fault.Internal(fmt.Errorf("%s answered without a decision", c.operation))
	}
	for _, e := range c.evaluations {
		if !e.decision.Allow {
			return fault.Internal(fmt.Errorf("%s answered in spite of a refusal", c.operation))
		}
	}
	if len(c.open) > 0 {
		return fault.Unavailable(fmt.Errorf("%s left obligation %s", c.operation, c.open[0]))
	}
	return nil
}

// Permit is an allowing decision with its obligations.
type Permit struct {
	call        *call
	obligations []Obligation
}

// Rendition meets the obligation to answer with one rendition of a text, and
// names it. Empty when there is no such obligation.
func (p Permit) Rendition() string {
	p.call.mu.Lock()
	defer p.call.mu.Unlock()
	value := ""
	for _, o := range p.obligations {
		if o.Op == "rendition" {
			value = o.Value
			for i, op := range p.call.open {
				if op == "rendition" {
					p.call.open = append(p.call.open[:i], p.call.open[i+1:]...)
					break
				}
			}
		}
	}
	return value
}

// Decide asks the policy whether the caller may do what the RPC does, to this
// resource, for this purpose. The error is the refusal to answer with.
func Decide(ctx context.Context, purpose string, r Resource) (Permit, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return Permit{}, fault.Internal(errors.New("decide outside a resource rpc"))
	}
	d, input, result, err := c.gate.policy.Evaluate(ctx, c.input(ctx, purpose, r))
	if err != nil {
		return Permit{}, fault.Unavailable(fmt.Errorf("policy: %w", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evaluations = append(c.evaluations, evaluation{resource: r, decision: d, input: input, result: result})
	if !d.Allow {
		if !d.Visible {
			return Permit{}, fault.NotFound()
		}
		return Permit{}, fault.Refused(d.Outward)
	}
	for _, o := range d.Obligations {
		c.open = append(c.open, o.Op)
	}
	return Permit{call: c, obligations: d.Obligations}, nil
}

// Filtered gives the condition, over the columns named, of the rows of a kind
// that the caller may list. It never widens: what cannot be translated is an
// error, and no condition at all is a refusal.
func Filtered(ctx context.Context, purpose, kind string, cols Columns, firstArg int) (Filter, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return Filter{}, fault.Internal(errors.New("filter outside a resource rpc"))
	}
	in := c.input(ctx, purpose, Resource{"kind": kind})
	f, err := c.gate.policy.Filter(ctx, in, cols, firstArg)
	if err != nil {
		return Filter{}, fault.Unavailable(fmt.Errorf("policy: %w", err))
	}
	if f.SQL == "FALSE" {
		_, err := Decide(ctx, purpose, Resource{"kind": kind, "id": ""})
		if err == nil {
			err = fault.Internal(fmt.Errorf("%s: filter and decision differ", c.operation))
		}
		return Filter{}, err
	}
	input, err := canonical(in)
	if err != nil {
		return Filter{}, fault.Unavailable(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evaluations = append(c.evaluations, evaluation{
		resource: in.Resource, decision: Decision{Allow: true, Visible: true}, input: input, filter: &f,
	})
	return f, nil
}

// Returned notes which rows a list answers with, by id.
func Returned(ctx context.Context, ids []string) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.mu.Lock()
		defer c.mu.Unlock()
		if n := len(c.evaluations); n > 0 {
			c.evaluations[n-1].returned = ids
		}
	}
}

// InTx runs a write and the record of its decisions in one transaction: neither
// is ever there without the other. When it does not commit, the gate records on
// its own that the answer did not leave.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return fault.Internal(errors.New("write outside a resource rpc"))
	}
	before, open := len(c.evaluations), len(c.open)
	err := pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		c.mu.Lock()
		c.evaluations, c.open = c.evaluations[:before], c.open[:open] // a retried transaction decides anew
		c.mu.Unlock()
		if err := fn(tx); err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.check(); err != nil {
			return err
		}
		c.record.complete(c.evaluations, nil)
		if err := AppendTx(ctx, tx, c.record); err != nil {
			return fault.Unavailable(fmt.Errorf("record: %w", err))
		}
		return nil
	})
	if err == nil {
		c.mu.Lock()
		c.recorded = true
		c.mu.Unlock()
		return nil
	}
	return pgdb.Fault(err)
}

func (c *call) input(ctx context.Context, purpose string, r Resource) Input {
	who := identity.Of(ctx)
	traceID, _ := telemetry.IDs(ctx)
	return Input{
		Subject: Subject{
			Kind: identity.KindName(who.GetKind()), ID: who.GetSubject(),
			Org: who.GetOrganisation(), OrgKind: who.GetOrganisationKind(), OrgState: who.GetOrganisationState(),
			Roles: who.GetRoles(), Unit: who.GetUnit(), Circles: who.GetCircles(), TrustMarks: who.GetTrustMarks(),
		},
		Action: c.action, Purpose: purpose, Resource: r,
		Context: Context{Time: identity.Now(ctx).Format(TimeFormat), TraceID: traceID, Node: c.gate.node},
	}
}
