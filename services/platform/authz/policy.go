package authz

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/rego/compile"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TimeFormat is the one form of a time in an input: fixed width and UTC, so
// that comparing the texts is comparing the times.
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Subject is who asks.
type Subject struct {
	Kind       string   `json:"kind"`
	ID         string   `json:"id"`
	Org        string   `json:"org"`
	OrgKind    string   `json:"org_kind"`
	OrgState   string   `json:"org_state"`
	Roles      []string `json:"roles"`
	Unit       string   `json:"unit"`
	Circles    []string `json:"circles"`
	TrustMarks []string `json:"trust_marks"`
}

// Resource holds the facts about what is asked for: strings, booleans and
// integers by name, always "kind" and "id". A fact that is not known is left out,
// never null and never a stand-in.
type Resource map[string]any

// Context is the moment and place of the question.
type Context struct {
	// Time of the request in TimeFormat.
	Time    string `json:"time"`
	TraceID string `json:"trace_id"`
	// Node is the organisation (entity URL) that decides.
	Node string `json:"node"`
}

// Input is one question to the policy.
type Input struct {
	Subject  Subject  `json:"subject"`
	Action   string   `json:"action"`
	Purpose  string   `json:"purpose"`
	Resource Resource `json:"resource"`
	Context  Context  `json:"context"`
}

// Reason says why the policy refused.
type Reason struct {
	// Code is dotted and never changes meaning, such as "consent.expired".
	Code string `json:"code"`
	// Rule is the path of the check that did not hold.
	Rule string `json:"rule"`
	// Args fill the places in the code's sentence.
	Args map[string]string `json:"args"`
}

// Obligation is what must be done to the answer before it leaves.
type Obligation struct {
	Op    string `json:"op"`
	Value string `json:"value"`
}

// Decision is the policy's answer.
type Decision struct {
	Allow bool `json:"allow"`
	// Visible is false when the caller may not know that the resource exists.
	Visible bool `json:"visible"`
	// Outward is the one code that the caller may see; empty when allowed.
	Outward string `json:"outward"`
	// Reasons are the true ones, the first to act on first. They stay in the record.
	Reasons     []Reason     `json:"reasons"`
	Obligations []Obligation `json:"obligations"`
}

// Policy is one compiled bundle, safe for concurrent use.
type Policy struct {
	revision string
	schema   *jsonschema.Schema
	decide   rego.PreparedEvalQuery
	list     *compile.Prepared
}

// The entry points of a bundle, and where its other parts are.
const (
	decisionQuery = "data.zijlicht.decision"
	allowQuery    = "data.zijlicht.allow"
	schemaFile    = "schema/input.json"
	samplesDir    = "samples"
)

// Load compiles a bundle. It fails on anything strict compilation refuses, on a
// built-in function whose answer depends on more than its arguments, and on a
// sample input that does not lead to a decision.
func Load(ctx context.Context, bundle fs.FS) (*Policy, error) {
	files, err := bundleFiles(bundle)
	if err != nil {
		return nil, err
	}
	p := &Policy{revision: revision(files)}
	if p.schema, err = inputSchema(files[schemaFile]); err != nil {
		return nil, err
	}
	options := []func(*rego.Rego){rego.Strict(true), rego.Capabilities(pure()), rego.StrictBuiltinErrors(true)}
	for _, name := range sortedNames(files) {
		if path.Ext(name) == ".rego" {
			options = append(options, rego.Module(name, string(files[name])))
		}
	}
	p.decide, err = rego.New(append(slices.Clone(options), rego.Query(decisionQuery))...).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("authz: compile policy: %w", err)
	}
	p.list, err = compile.New(
		compile.Target("ucast", "all"),
		compile.ParsedUnknowns(ast.MustParseTerm("input.resource")),
		compile.ParsedQuery(ast.MustParseBody(allowQuery)),
		compile.Rego(options...),
	).Prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("authz: compile policy for lists: %w", err)
	}
	if err := p.checkSamples(ctx, files); err != nil {
		return nil, err
	}
	return p, nil
}

// Revision is the SHA-256 over the bundle's files, in hexadecimal.
func (p *Policy) Revision() string { return p.revision }

// Evaluate decides. The returned input and result are canonical JSON, for the
// record. With an error the decision is the zero value, that allows nothing.
func (p *Policy) Evaluate(ctx context.Context, in Input) (d Decision, input, result json.RawMessage, err error) {
	doc, err := document(in)
	if err != nil {
		return Decision{}, nil, nil, err
	}
	if input, err = canonical(doc); err != nil {
		return Decision{}, nil, nil, err
	}
	if err := p.valid(doc); err != nil {
		return Decision{}, input, nil, err
	}
	value, err := ast.InterfaceToValue(doc)
	if err != nil {
		return Decision{}, input, nil, fmt.Errorf("authz: input: %w", err)
	}
	set, err := p.decide.Eval(ctx, rego.EvalParsedInput(value))
	if err != nil {
		return Decision{}, input, nil, fmt.Errorf("authz: evaluate: %w", err)
	}
	if len(set) != 1 || len(set[0].Expressions) != 1 {
		return Decision{}, input, nil, errors.New("authz: the policy is undefined for this input")
	}
	if result, err = canonical(set[0].Expressions[0].Value); err != nil {
		return Decision{}, input, nil, err
	}
	if d, err = parseDecision(result); err != nil {
		return Decision{}, input, result, err
	}
	return d, input, result, nil
}

// wireDecision tells an absent field from an empty one.
type wireDecision struct {
	Allow       *bool         `json:"allow"`
	Visible     *bool         `json:"visible"`
	Outward     *string       `json:"outward"`
	Reasons     *[]Reason     `json:"reasons"`
	Obligations *[]Obligation `json:"obligations"`
}

func parseDecision(raw json.RawMessage) (Decision, error) {
	var w wireDecision
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&w); err != nil {
		return Decision{}, fmt.Errorf("authz: malformed decision: %w", err)
	}
	if w.Allow == nil || w.Visible == nil || w.Outward == nil || w.Reasons == nil || w.Obligations == nil {
		return Decision{}, errors.New("authz: malformed decision: a field is missing")
	}
	d := Decision{Allow: *w.Allow, Visible: *w.Visible, Outward: *w.Outward, Reasons: *w.Reasons, Obligations: *w.Obligations}
	switch {
	case d.Allow && (!d.Visible || d.Outward != "" || len(d.Reasons) != 0):
		return Decision{}, errors.New("authz: malformed decision: allowed and refused at once")
	case !d.Allow && (d.Outward == "" || len(d.Reasons) == 0 || len(d.Obligations) != 0):
		return Decision{}, errors.New("authz: malformed decision: refused without a reason")
	}
	for _, r := range d.Reasons {
		if r.Code == "" || r.Rule == "" {
			return Decision{}, errors.New("authz: malformed decision: a reason without code or rule")
		}
	}
	for _, o := range d.Obligations {
		if o.Op != "rendition" || o.Value == "" {
			return Decision{}, fmt.Errorf("authz: unknown obligation %q", o.Op)
		}
	}
	return d, nil
}

// document is the input as the policy sees it. It is built by hand because a
// round trip through JSON costs more than the rest of the preparation.
func document(in Input) (map[string]any, error) {
	doc := known(in)
	resource := make(map[string]any, len(in.Resource))
	for name, fact := range in.Resource {
		switch v := fact.(type) {
		case string, bool:
			resource[name] = v
		case int:
			resource[name] = json.Number(fmt.Sprint(v))
		case int32:
			resource[name] = json.Number(fmt.Sprint(v))
		case int64:
			resource[name] = json.Number(fmt.Sprint(v))
		case uint32:
			resource[name] = json.Number(fmt.Sprint(v))
		default:
			return nil, fmt.Errorf("authz: fact %q is a %T, not a string, boolean or integer", name, fact)
		}
	}
	doc["resource"] = resource
	return doc, nil
}

// known is the input without the resource.
func known(in Input) map[string]any {
	s := in.Subject
	return map[string]any{
		"subject": map[string]any{
			"kind": s.Kind, "id": s.ID, "org": s.Org, "org_kind": s.OrgKind, "org_state": s.OrgState,
			"roles": anys(s.Roles), "unit": s.Unit, "circles": anys(s.Circles), "trust_marks": anys(s.TrustMarks),
		},
		"action":  in.Action,
		"purpose": in.Purpose,
		"context": map[string]any{"time": in.Context.Time, "trace_id": in.Context.TraceID, "node": in.Context.Node},
	}
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// canonical is JSON with sorted names and no more escapes than needed.
func canonical(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("authz: encode for the record: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// valid refuses an input with an unknown or wrongly typed field. The error names
// the place, not the value.
func (p *Policy) valid(doc map[string]any) error {
	err := p.schema.Validate(doc)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("authz: input: %w", err)
	}
	for len(invalid.Causes) > 0 {
		invalid = invalid.Causes[0]
	}
	return fmt.Errorf("authz: the input does not fit the schema at %q (%s)",
		"/"+strings.Join(invalid.InstanceLocation, "/"), strings.Join(invalid.ErrorKind.KeywordPath(), "/"))
}

func inputSchema(raw []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("authz: %s: %w", schemaFile, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:///"+schemaFile, doc); err != nil {
		return nil, fmt.Errorf("authz: %s: %w", schemaFile, err)
	}
	s, err := c.Compile("mem:///" + schemaFile)
	if err != nil {
		return nil, fmt.Errorf("authz: %s: %w", schemaFile, err)
	}
	return s, nil
}

// pure is what this version of OPA can do, less everything whose answer depends
// on more than its arguments: a decision must come out the same at every replay.
func pure() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.AllowNet = []string{}
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic || b.Name == "trace" || b.Name == "print" || strings.HasPrefix(b.Name, "io.jwt.") || strings.HasPrefix(b.Name, "crypto.")
	})
	return c
}

// checkSamples evaluates the bundle's own examples, so that a bundle that decides
// nothing is found when a node starts and not at its first caller.
func (p *Policy) checkSamples(ctx context.Context, files map[string][]byte) error {
	checked := 0
	for _, name := range sortedNames(files) {
		if path.Dir(name) != samplesDir {
			continue
		}
		var samples map[string][]Input
		dec := json.NewDecoder(bytes.NewReader(files[name]))
		dec.DisallowUnknownFields()
		dec.UseNumber()
		if err := dec.Decode(&samples); err != nil {
			return fmt.Errorf("authz: %s: %w", name, err)
		}
		for action, inputs := range samples {
			for i, in := range inputs {
				if err := in.integers(); err != nil {
					return fmt.Errorf("authz: %s: %s %d: %w", name, action, i, err)
				}
				if _, _, _, err := p.Evaluate(ctx, in); err != nil {
					return fmt.Errorf("authz: %s: %s %d: %w", name, action, i, err)
				}
				checked++
			}
		}
	}
	if checked == 0 {
		return errors.New("authz: the policy has no sample inputs")
	}
	return nil
}

// integers turns the numbers of a decoded input into int64.
func (in *Input) integers() error {
	for name, fact := range in.Resource {
		if n, ok := fact.(json.Number); ok {
			i, err := n.Int64()
			if err != nil {
				return fmt.Errorf("fact %q is not an integer", name)
			}
			in.Resource[name] = i
		}
	}
	return nil
}
