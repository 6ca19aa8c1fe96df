package authz

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"pgregory.net/rapid"
)

// These tests put malformed inputs before the rules themselves, past the schema
// that would refuse them: a rule must not lean on it.

// rulesAlone evaluates allow on any document.
func rulesAlone(t testing.TB) func(map[string]any) bool {
	t.Helper()
	files, err := bundleFiles(os.DirFS(bundleDir))
	if err != nil {
		t.Fatal(err)
	}
	options := []func(*rego.Rego){rego.Query(allowQuery)}
	for name, raw := range files {
		if strings.HasSuffix(name, ".rego") {
			options = append(options, rego.Module(name, string(raw)))
		}
	}
	q, err := rego.New(options...).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func(doc map[string]any) bool {
		v, err := ast.InterfaceToValue(doc)
		if err != nil {
			t.Fatal(err)
		}
		set, err := q.Eval(t.Context(), rego.EvalParsedInput(v))
		return err == nil && set.Allowed()
	}
}

type leaf struct{ path string }

// leaves are the places in a document, lists as a whole.
func leaves(doc map[string]any) []leaf {
	var out []leaf
	for section, v := range doc {
		if inner, ok := v.(map[string]any); ok {
			for name := range inner {
				out = append(out, leaf{section + "." + name})
			}
		}
		out = append(out, leaf{section})
	}
	slices.SortFunc(out, func(a, b leaf) int { return strings.Compare(a.path, b.path) })
	return out
}

type absent struct{}

// with gives a copy of the document with another value, or none, at the leaf.
func (l leaf) with(doc map[string]any, v any) map[string]any {
	out := map[string]any{}
	section, name, inner := strings.Cut(l.path, ".")
	for k, old := range doc {
		if k == section && inner {
			m, _ := old.(map[string]any) // an earlier change may have replaced it
			fresh := map[string]any{}
			maps.Copy(fresh, m)
			put(fresh, name, v)
			out[k] = fresh
			continue
		}
		out[k] = old
	}
	if !inner {
		put(out, section, v)
	}
	return out
}

func put(m map[string]any, name string, v any) {
	if _, gone := v.(absent); gone {
		delete(m, name)
		return
	}
	m[name] = v
}

func (l leaf) of(doc map[string]any) any {
	section, name, inner := strings.Cut(l.path, ".")
	if !inner {
		return doc[section]
	}
	m, _ := doc[section].(map[string]any)
	return m[name]
}

const elsewhere = "elsewhere"

func number(i int) json.Number { return json.Number(fmt.Sprint(i)) }

// corruptions are values a leaf should never have; for a text also one that means nothing.
func corruptions(old any) []any {
	common := []any{absent{}, nil, "", []any{}, map[string]any{}, []any{"x"}, map[string]any{"x": "x"}}
	switch old.(type) {
	case string:
		return append(common, number(0), number(1), true, false, elsewhere, "~", "\x00")
	case bool:
		return append(common, number(0), number(1), "true", elsewhere)
	case json.Number:
		return append(common, "1", true, false, number(-99), number(3_000_000_000), elsewhere)
	default:
		return append(common, number(1), true, elsewhere)
	}
}

// sound are the values that a leaf has in some sample, and what it could be besides.
func sound(docs map[string][]map[string]any) map[string][]any {
	out := map[string][]any{}
	seen := map[string]bool{}
	add := func(path string, v any) {
		raw, _ := json.Marshal(v)
		if key := path + string(raw); !seen[key] {
			seen[key] = true
			out[path] = append(out[path], v)
		}
	}
	for _, list := range docs {
		for _, doc := range list {
			for _, l := range leaves(doc) {
				v := l.of(doc)
				if v == "" {
					continue // for most facts that is a corruption
				}
				switch v.(type) {
				case map[string]any:
					continue
				case bool:
					add(l.path, true)
					add(l.path, false)
				case json.Number:
					for i := range 4 {
						add(l.path, number(i))
					}
				case []any:
					add(l.path, []any{})
					add(l.path, []any{elsewhere})
				}
				add(l.path, v)
			}
		}
	}
	return out
}

func documents(t testing.TB) map[string][]map[string]any {
	t.Helper()
	docs := map[string][]map[string]any{}
	for action, inputs := range allowedSamples(t) {
		for _, in := range inputs {
			doc, err := document(in)
			if err != nil {
				t.Fatal(err)
			}
			docs[action] = append(docs[action], doc)
		}
	}
	return docs
}

// Two different names where a rule asks for two different names are no corruption.
// Nothing else may ever be widened by a value that means nothing.
var mayBeAnyOther = map[string][]string{
	"case.release":     {"resource.author"},
	"case.publish":     {"resource.released_by"},
	"case.read-shared": {"resource.author", "resource.released_by", "subject.org"},
	"review.receive":   {"resource.author", "resource.released_by", "subject.org"},
}

// For every sample and every field: if the sample is still allowed with the field
// missing or corrupt, it must be allowed with every sound value of it. Otherwise
// corrupting the field would turn a refusal into a permission.
func TestNoMissingOrCorruptFieldWidens(t *testing.T) {
	t.Parallel()
	allow := rulesAlone(t)
	docs := documents(t)
	values := sound(docs)
	for action, list := range docs {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			for i, doc := range list {
				if !allow(doc) {
					t.Fatalf("sample %d is refused", i)
				}
				for _, l := range leaves(doc) {
					widest := func() (any, bool) {
						for _, v := range values[l.path] {
							if !allow(l.with(doc, v)) {
								return v, true
							}
						}
						return nil, false
					}
					for _, bad := range corruptions(l.of(doc)) {
						if !allow(l.with(doc, bad)) {
							continue
						}
						if text, ok := bad.(string); ok && text != "" && slices.Contains(mayBeAnyOther[action], l.path) {
							continue
						}
						if v, refused := widest(); refused {
							t.Errorf("sample %d: %s = %#v is allowed, and %#v is refused", i, l.path, bad, v)
						}
					}
				}
			}
		})
	}
}

// Several at once: a refused input stays refused, whichever fields go missing or corrupt.
func TestNoMissingOrCorruptFieldsWiden(t *testing.T) {
	t.Parallel()
	allow := rulesAlone(t)
	docs := documents(t)
	values := sound(docs)
	actions := slices.Sorted(maps.Keys(docs))
	rapid.Check(t, func(t *rapid.T) {
		doc := rapid.SampledFrom(docs[rapid.SampledFrom(actions).Draw(t, "action")]).Draw(t, "sample")
		fields := leaves(doc)
		for range rapid.IntRange(1, 2).Draw(t, "changes") {
			l := rapid.SampledFrom(fields).Draw(t, "changed")
			if options := values[l.path]; len(options) > 0 && l.path != "action" {
				doc = l.with(doc, rapid.SampledFrom(options).Draw(t, "value"))
			}
		}
		if allow(doc) {
			return
		}
		bad := doc
		for range rapid.IntRange(1, 3).Draw(t, "corruptions") {
			l := rapid.SampledFrom(fields).Draw(t, "corrupted")
			options := slices.DeleteFunc(corruptions(l.of(doc)), func(v any) bool { return v == elsewhere || v == "~" || v == "\x00" })
			bad = l.with(bad, options[rapid.IntRange(0, len(options)-1).Draw(t, "corruption")])
		}
		if allow(bad) {
			raw, _ := json.Marshal(bad)
			t.Fatalf("refused, and allowed once corrupted: %s", raw)
		}
	})
}

// Whatever fact is absent or different, a refusal says why: without a reason it
// would be an error, that tells the caller nothing.
func TestEveryRefusalHasAReason(t *testing.T) {
	t.Parallel()
	p := thePolicy(t)
	docs := documents(t)
	values := sound(docs)
	for action, list := range docs {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			for i, doc := range list {
				for _, l := range leaves(doc) {
					for _, v := range append([]any{absent{}, ""}, values[l.path]...) {
						changed := l.with(doc, v)
						if p.valid(changed) != nil {
							continue
						}
						input, err := ast.InterfaceToValue(changed)
						if err != nil {
							t.Fatal(err)
						}
						set, err := p.decide.Eval(t.Context(), rego.EvalParsedInput(input))
						if err != nil || len(set) != 1 {
							t.Fatalf("sample %d: %s = %#v: %v", i, l.path, v, err)
						}
						raw, err := canonical(set[0].Expressions[0].Value)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := parseDecision(raw); err != nil {
							t.Errorf("sample %d: %s = %#v: %v", i, l.path, v, err)
						}
					}
				}
			}
		})
	}
}
