package authz

import (
	"context"
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
	evaluations []*evaluation
	late        bool // something was decided or returned after the record was written
	recorded    bool // the record is part of a transaction that committed
	record      Record
}

type callKey struct{}

// Middleware is the last step before the handler.
func (g *Gate) Middleware() middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			tr, ok := transport.FromServerContext(ctx)
			if !ok {
				return nil, fault.Internal(fault.Note("no transport"))
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
			return c.serve(ctx, next, req)
		}
	}
}

func (c *call) serve(ctx context.Context, next middleware.Handler, req any) (any, error) {
	returned := false
	defer func() {
		if !returned { // a panic is on its way out: what was decided is recorded all the same
			_ = c.finish(ctx, fault.Internal(fault.Note("panic")))
		}
	}()
	reply, err := next(context.WithValue(ctx, callKey{}, c), req)
	returned = true
	if err := c.finish(ctx, err); err != nil {
		return nil, err
	}
	return reply, nil
}

// finish decides whether the answer may leave.
func (c *call) finish(ctx context.Context, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		err = c.check()
	} else if refusal := c.refusal(); refusal != nil {
		err = refusal // what else went wrong could tell that the thing exists
	}
	if len(c.evaluations) == 0 || c.recorded {
		return err
	}
	c.record.complete(c.evaluations, err)
	if rerr := c.gate.recorder.Append(ctx, c.record); rerr != nil {
		return fault.Unavailable(fault.Because("record", rerr))
	}
	return err
}

// refusal is the first no that the policy gave.
func (c *call) refusal() error {
	for _, e := range c.evaluations {
		if e.failed == nil && !e.decision.Allow {
			return e.decision.refusal()
		}
	}
	return nil
}

func (d Decision) refusal() error {
	if !d.Visible {
		return fault.NotFound()
	}
	return fault.Refused(d.Outward)
}

// check finds what a handler overlooked: an answer without a decision, in spite of
// one, or with an obligation left.
func (c *call) check() error {
	if len(c.evaluations) == 0 {
		return fault.Internal(fault.Note("answer without a decision"))
	}
	if c.late {
		return fault.Internal(fault.Note("decision after the record"))
	}
	for _, e := range c.evaluations {
		if e.failed != nil {
			return e.failed
		}
	}
	if err := c.refusal(); err != nil {
		return err
	}
	for _, e := range c.evaluations {
		if len(e.decision.Obligations) > 0 && !e.met {
			return fault.Unavailable(fault.Note("obligation left"))
		}
	}
	return nil
}

// Permit is an allowing decision with its obligations.
type Permit struct {
	call       *call
	evaluation *evaluation
}

// Rendition meets the obligation to answer with one rendition of a text, and
// names it. Empty when there is no such obligation.
func (p Permit) Rendition() string {
	if p.call == nil {
		return ""
	}
	p.call.mu.Lock()
	defer p.call.mu.Unlock()
	p.evaluation.met = true
	if o := p.evaluation.decision.Obligations; len(o) > 0 {
		return o[0].Value
	}
	return ""
}

// Decide asks the policy whether the caller may do what the RPC does, to this
// resource, for this purpose. The error is the refusal to answer with.
func Decide(ctx context.Context, purpose string, r Resource) (Permit, error) {
	c, err := callOf(ctx)
	if err != nil {
		return Permit{}, err
	}
	e := &evaluation{resource: r}
	e.decision, e.input, e.result, err = c.gate.policy.Evaluate(ctx, c.input(ctx, purpose, r))
	if err == nil && len(e.decision.Obligations) > 1 {
		err = fault.Note("more than one obligation")
	}
	if err != nil {
		e.decision, e.failed = Decision{}, fault.Unavailable(fault.Because("policy", err))
	}
	if err := c.add(e); err != nil {
		return Permit{}, err
	}
	switch {
	case e.failed != nil:
		return Permit{}, e.failed
	case !e.decision.Allow:
		return Permit{}, e.decision.refusal()
	}
	return Permit{call: c, evaluation: e}, nil
}

func callOf(ctx context.Context) (*call, error) {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return nil, fault.Internal(fault.Note("decision outside a resource rpc"))
	}
	return c, nil
}

// add takes in an evaluation, unless the record is written already: then it would be in none.
func (c *call) add(e *evaluation) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recorded {
		c.late = true
		return fault.Internal(fault.Note("decision after the record"))
	}
	c.evaluations = append(c.evaluations, e)
	return nil
}

// Filtered gives the condition, over the columns named, of the rows of a kind
// that the caller may list. It never widens: what cannot be translated is an
// error, and no condition at all is a refusal.
func Filtered(ctx context.Context, purpose, kind string, cols Columns, firstArg int) (Filter, error) {
	c, err := callOf(ctx)
	if err != nil {
		return Filter{}, err
	}
	in := c.input(ctx, purpose, Resource{"kind": kind})
	f, err := c.gate.policy.Filter(ctx, in, cols, firstArg)
	if err == nil && f.SQL == "FALSE" {
		_, err := Decide(ctx, purpose, Resource{"kind": kind, "id": ""})
		if err == nil {
			err = fault.Internal(fault.Note("filter and decision differ"))
		}
		return Filter{}, err
	}
	in.Resource["id"] = "" // a list is about no one thing
	e := &evaluation{resource: in.Resource, decision: Decision{Allow: true, Visible: true}, filter: &f}
	if err == nil {
		var doc map[string]any
		if doc, err = document(in); err == nil {
			e.input, err = canonical(doc)
		}
	}
	if err != nil {
		e.decision, e.filter, e.failed = Decision{}, nil, fault.Unavailable(fault.Because("policy", err))
	}
	if err := c.add(e); err != nil {
		return Filter{}, err
	}
	if e.failed != nil {
		return Filter{}, e.failed
	}
	return f, nil
}

// Returned notes which rows a list answers with, by id.
func Returned(ctx context.Context, ids []string) {
	c, err := callOf(ctx)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = c.late || c.recorded
	if n := len(c.evaluations); n > 0 {
		c.evaluations[n-1].returned = ids
	}
}

// InTx runs a write and the record of its decisions in one transaction: neither
// is ever there without the other. When it does not commit, the gate records on
// its own that the answer did not leave. An RPC has one such transaction, because
// it has one record.
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	c, err := callOf(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	before, recorded := len(c.evaluations), c.recorded
	c.mu.Unlock()
	if recorded {
		return fault.Internal(fault.Note("a second write after the record"))
	}
	err = pgdb.InTx(ctx, pool, func(tx pgx.Tx) error {
		c.mu.Lock()
		c.evaluations = c.evaluations[:before] // a retried transaction decides anew
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
			return fault.Unavailable(fault.Because("record", err)) // contention shows through, and is tried again
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
