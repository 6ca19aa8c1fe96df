package authz

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/rego"
)

// Columns names, per fact ("resource.status"), the typed SQL expression that holds
// it. It is an allow list: a rule that needs another fact is an error. An
// expression is code of the service and never made from a request.
type Columns map[string]string

// Filter is a condition for a WHERE clause.
type Filter struct {
	SQL  string
	Args []any
}

// Filter turns the rule that decides on one resource into the condition for a list
// of them, with parameters from $firstArg. The facts of in.Resource hold for every
// row ("kind" always does), the rest is read from cols. No row passes the
// condition that Evaluate would refuse, provided that a NULL is a fact left out.
func (p *Policy) Filter(ctx context.Context, in Input, cols Columns, firstArg int) (Filter, error) {
	doc, err := document(in)
	if err != nil {
		return Filter{}, err
	}
	if facts, _ := doc["resource"].(map[string]any); facts["id"] == nil {
		facts["id"] = "" // a list is about no one thing
	}
	if err := p.valid(doc); err != nil {
		return Filter{}, err
	}
	filters, err := p.list.Compile(ctx, rego.EvalInput(known(in)))
	if err != nil {
		return Filter{}, fmt.Errorf("authz: the rule for %q does not translate into a list filter: %w", in.Action, err)
	}
	query := filters.One().Query
	if query == nil {
		return Filter{SQL: "FALSE"}, nil
	}
	raw, err := json.Marshal(query)
	if err != nil {
		return Filter{}, fmt.Errorf("authz: list filter: %w", err)
	}
	var n ucastNode
	if err := json.Unmarshal(raw, &n); err != nil {
		return Filter{}, fmt.Errorf("authz: list filter: %w", err)
	}
	t := translation{facts: in.Resource, cols: cols, first: firstArg, numbers: map[string]string{}}
	tree, err := t.node(n)
	if err != nil {
		return Filter{}, fmt.Errorf("authz: list filter: %w", err)
	}
	sql, err := t.render(tree)
	if err != nil {
		return Filter{}, fmt.Errorf("authz: list filter: %w", err)
	}
	return Filter{SQL: sql, Args: t.args}, nil
}

type ucastNode struct {
	Type     string          `json:"type"`
	Operator string          `json:"operator"`
	Field    string          `json:"field"`
	Value    json.RawMessage `json:"value"`
}

// condition is a tree of "and" and "or" over comparisons. A comparison that the
// known facts settle is folded away, so that what remains is what an index serves.
type condition struct {
	op   string // "and", "or", "true", "false" or "compare"
	kids []condition
	// key tells equal comparisons apart from others; only for "compare".
	key     string
	compare ucastNode
}

var (
	always = condition{op: "true"}
	never  = condition{op: "false"}
)

type translation struct {
	facts   Resource
	cols    Columns
	first   int
	args    []any
	numbers map[string]string
}

func (t *translation) node(n ucastNode) (condition, error) {
	if n.Type == "field" {
		return t.field(n)
	}
	// Anything else is refused. In particular an empty node: it stands for "every
	// row", and also for a rule that the library could not translate. And "not",
	// that lets a NULL through or not depending on where it stands.
	if n.Type != "compound" || n.Operator != "and" && n.Operator != "or" {
		return condition{}, fmt.Errorf("node %q %q has no translation", n.Type, n.Operator)
	}
	var raw []ucastNode
	if err := json.Unmarshal(n.Value, &raw); err != nil {
		return condition{}, err
	}
	kids := make([]condition, len(raw))
	for i := range raw {
		var err error
		if kids[i], err = t.node(raw[i]); err != nil {
			return condition{}, err
		}
	}
	if n.Operator == "and" {
		return allOf(kids), nil
	}
	return anyOf(kids), nil
}

func allOf(kids []condition) condition {
	var rest []condition
	for _, k := range kids {
		switch {
		case k.op == "false":
			return never
		case k.op == "and":
			rest = append(rest, k.kids...)
		case k.op != "true":
			rest = append(rest, k)
		}
	}
	rest = distinct(rest)
	switch len(rest) {
	case 0:
		return always
	case 1:
		return rest[0]
	}
	return condition{op: "and", kids: rest}
}

// anyOf takes what all alternatives ask for out of them.
func anyOf(kids []condition) condition {
	var rest []condition
	for _, k := range kids {
		switch k.op {
		case "true":
			return always
		case "or":
			rest = append(rest, k.kids...)
		case "false":
		default:
			rest = append(rest, k)
		}
	}
	rest = distinct(rest)
	switch len(rest) {
	case 0:
		return never
	case 1:
		return rest[0]
	}
	var shared []condition
	for _, c := range conjuncts(rest[0]) {
		if !slices.ContainsFunc(rest[1:], func(k condition) bool { return !has(conjuncts(k), c.identity()) }) {
			shared = append(shared, c)
		}
	}
	if len(shared) == 0 {
		return condition{op: "or", kids: rest}
	}
	for i, k := range rest {
		rest[i] = allOf(slices.DeleteFunc(slices.Clone(conjuncts(k)), func(c condition) bool { return has(shared, c.identity()) }))
	}
	return allOf(append(shared, anyOf(rest)))
}

func conjuncts(c condition) []condition {
	if c.op == "and" {
		return c.kids
	}
	return []condition{c}
}

func has(list []condition, identity string) bool {
	return slices.ContainsFunc(list, func(c condition) bool { return c.identity() == identity })
}

func distinct(list []condition) []condition {
	var out []condition
	for _, c := range list {
		if !has(out, c.identity()) {
			out = append(out, c)
		}
	}
	return out
}

func (c condition) identity() string {
	if c.op == "compare" {
		return c.key
	}
	parts := make([]string, len(c.kids))
	for i, k := range c.kids {
		parts[i] = k.identity()
	}
	slices.Sort(parts)
	return c.op + "(" + strings.Join(parts, ",") + ")"
}

var comparisons = map[string]string{"eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}

// field settles a comparison between known facts and keeps the others.
func (t *translation) field(n ucastNode) (condition, error) {
	if _, err := operand(n.Value); err != nil {
		return condition{}, fmt.Errorf("%s %s: %w", n.Field, n.Operator, err)
	}
	if _, ok := t.cols[n.Field]; ok {
		return condition{op: "compare", key: n.Field + " " + n.Operator + " " + string(n.Value), compare: n}, nil
	}
	fact, ok := t.facts[strings.TrimPrefix(n.Field, "resource.")]
	if !ok || !strings.HasPrefix(n.Field, "resource.") {
		return condition{}, fmt.Errorf("%q is not in the list of columns", n.Field)
	}
	// Only texts are compared here: what holds for a whole list is a kind, a node or an organisation.
	text, ok := fact.(string)
	value, err := operand(n.Value)
	if err != nil || !ok {
		return condition{}, fmt.Errorf("%q holds for all rows and is not a text", n.Field)
	}
	var holds bool
	switch v := value.(type) {
	case string:
		switch n.Operator {
		case "eq":
			holds = text == v
		case "ne":
			holds = text != v
		default:
			return condition{}, fmt.Errorf("%s %s has no translation", n.Field, n.Operator)
		}
	case []string:
		if n.Operator != "in" {
			return condition{}, fmt.Errorf("%s %s has no translation", n.Field, n.Operator)
		}
		holds = slices.Contains(v, text)
	default:
		return condition{}, fmt.Errorf("%s %s %T has no translation", n.Field, n.Operator, value)
	}
	if holds {
		return always, nil
	}
	return never, nil
}

// column is a comparison's right side when that is another fact of the row.
type column struct{ Field string }

// operand reads a comparison's right side: string, bool, int64, []string or column.
func operand(raw json.RawMessage) (any, error) {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case string, bool:
		return x, nil
	case float64:
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			return nil, fmt.Errorf("%v is not an integer", x)
		}
		return int64(x), nil
	case []any:
		list := make([]string, len(x))
		for i := range x {
			s, ok := x[i].(string)
			if !ok {
				return nil, fmt.Errorf("a list with a %T has no translation", x[i])
			}
			list[i] = s
		}
		slices.Sort(list)
		return list, nil
	case map[string]any:
		field, ok := x["field"].(string)
		if ok && len(x) == 1 {
			return column{field}, nil
		}
	}
	return nil, fmt.Errorf("a %T has no translation", v)
}

func (t *translation) render(c condition) (string, error) {
	switch c.op {
	case "true":
		return "TRUE", nil
	case "false":
		return "FALSE", nil
	case "compare":
		return t.comparison(c.compare)
	}
	parts := make([]string, len(c.kids))
	for i, k := range c.kids {
		var err error
		if parts[i], err = t.render(k); err != nil {
			return "", err
		}
	}
	return "(" + strings.Join(parts, " "+strings.ToUpper(c.op)+" ") + ")", nil
}

func (t *translation) comparison(n ucastNode) (string, error) {
	left := "(" + t.cols[n.Field] + ")"
	value, err := operand(n.Value)
	if err != nil {
		return "", err
	}
	op, compares := comparisons[n.Operator]
	equality := n.Operator == "eq" || n.Operator == "ne"
	switch v := value.(type) {
	case string:
		if equality {
			return left + " " + op + " " + t.arg(v), nil
		}
		if compares {
			// The policy compares bytes; the database's own collation need not.
			return left + ` COLLATE "C" ` + op + " " + t.arg(v), nil
		}
	case int64:
		if compares {
			return left + " " + op + " " + t.arg(v), nil
		}
	case bool:
		// Bare, so that an index behind the expression can serve.
		if n.Operator == "eq" && v {
			return left, nil
		}
		if n.Operator == "eq" {
			return left + " = FALSE", nil
		}
	case []string:
		if n.Operator == "in" {
			return left + " = ANY(" + t.arg(v) + ")", nil
		}
	case column:
		if right, ok := t.cols[v.Field]; ok && equality {
			return left + " " + op + " (" + right + ")", nil
		}
		if fact, ok := t.facts[strings.TrimPrefix(v.Field, "resource.")].(string); ok && equality {
			return left + " " + op + " " + t.arg(fact), nil
		}
	}
	return "", fmt.Errorf("%s %s %T has no translation", n.Field, n.Operator, value)
}

// arg numbers a parameter; equal values share one.
func (t *translation) arg(v any) string {
	key := fmt.Sprintf("%T %q", v, v)
	if n, ok := t.numbers[key]; ok {
		return n
	}
	t.args = append(t.args, v)
	n := "$" + strconv.Itoa(t.first+len(t.args)-1)
	t.numbers[key] = n
	return n
}
