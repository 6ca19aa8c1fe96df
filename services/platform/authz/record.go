package authz

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Record is one entry of the decision log: one call, one or more evaluations
// (Authorization Decision Log 1.0.0, levels 1 to 3; the policy revision makes it
// replayable). Field names are the parameters of audit.append().
type Record struct {
	ID           string        `json:"id"`
	TraceID      string        `json:"trace_id"`
	SpanID       string        `json:"span_id"`
	EventName    string        `json:"event_name"`
	Time         string        `json:"decide_time"`
	Status       string        `json:"status"` // Ok, or Error when the answer did not leave for another reason than a refusal
	Service      string        `json:"service"`
	Operation    string        `json:"operation"`
	Action       string        `json:"action"`
	Allowed      bool          `json:"allowed"`
	Reasons      []string      `json:"reasons"`
	CallerKind   string        `json:"caller_kind"`
	CallerID     string        `json:"caller_id"`
	CallerOrg    string        `json:"caller_organisation"`
	ResourceKind string        `json:"resource_kind"`
	ResourceID   string        `json:"resource_id"`
	Policy       string        `json:"policy_revision"`
	Evaluations  []recordEntry `json:"evaluations"`
}

type recordEntry struct {
	Input      json.RawMessage `json:"input"`
	Result     json.RawMessage `json:"result,omitempty"`
	FilterHash string          `json:"filter_hash,omitempty"`
	Returned   []string        `json:"returned,omitempty"`
}

type evaluation struct {
	resource Resource
	decision Decision
	input    json.RawMessage
	result   json.RawMessage
	filter   *Filter
	returned []string
	met      bool  // the handler chose the rendition it was obliged to
	failed   error // no decision could be taken
}

func newRecord(ctx context.Context, c *call) Record {
	who := identity.Of(ctx)
	traceID, spanID := telemetry.IDs(ctx)
	return Record{
		ID: uuid.Must(uuid.NewV7()).String(), TraceID: traceID, SpanID: spanID,
		Time: identity.Now(ctx).Format(TimeFormat), Service: serviceOf(c.operation), Operation: c.operation, Action: c.action,
		CallerKind: identity.KindName(who.GetKind()), CallerID: who.GetSubject(), CallerOrg: who.GetOrganisation(),
		Policy: c.gate.policy.Revision(),
	}
}

// serviceOf gives "cases" for "/zijlicht.cases.v1.CasesService/GetCase".
func serviceOf(operation string) string {
	parts := strings.Split(operation, ".")
	if len(parts) < 3 {
		return operation
	}
	return parts[1]
}

// complete fills in the outcome: err is what keeps the answer from leaving, if anything does.
func (r *Record) complete(evaluations []*evaluation, err error) {
	r.EventName = "adl.access_evaluation"
	if len(evaluations) > 1 {
		r.EventName = "adl.access_evaluations"
	}
	r.Allowed, r.Status, r.Reasons, r.Evaluations = true, "Ok", []string{}, nil
	note := func(code string) {
		if !slices.Contains(r.Reasons, code) { // several checks may have one code
			r.Reasons = append(r.Reasons, code)
		}
	}
	refused := false
	for _, e := range evaluations {
		entry := recordEntry{Input: e.input, Result: e.result, Returned: e.returned}
		if entry.Input == nil { // the facts could not even be written down
			entry.Input = json.RawMessage("{}")
		}
		if e.filter != nil {
			entry.FilterHash = e.filter.hash()
		}
		r.Evaluations = append(r.Evaluations, entry)
		for _, reason := range e.decision.Reasons {
			note(reason.Code)
		}
		refused = refused || e.failed == nil && !e.decision.Allow
		r.ResourceKind, _ = e.resource["kind"].(string)
		r.ResourceID, _ = e.resource["id"].(string)
	}
	r.Allowed = err == nil && !refused
	if err != nil && !refused { // a refusal is a good answer; anything else is not
		r.Status = "Error"
		note(fault.CodeOf(err))
	}
}

func (f *Filter) hash() string {
	h := sha256.New()
	h.Write([]byte(f.SQL))
	for _, a := range f.Args {
		fmt.Fprintf(h, "\x00%T\x00%v", a, a)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// AppendTx writes a record in the transaction of the deed.
func AppendTx(ctx context.Context, tx pgx.Tx, r Record) error {
	b, err := json.Marshal([]Record{r})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "select audit.append($1::jsonb)", b)
	return err
}
