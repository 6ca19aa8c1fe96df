package authz

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// bundleDir is read as files: the platform is handed its bundle and knows no policy.
const bundleDir = "../../../policies"

var loaded = sync.OnceValues(func() (*Policy, error) { return Load(context.Background(), os.DirFS(bundleDir)) })

func thePolicy(t testing.TB) *Policy {
	t.Helper()
	p, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// allowedSamples are the bundle's examples, by action.
func allowedSamples(t testing.TB) map[string][]Input {
	t.Helper()
	raw, err := os.ReadFile(bundleDir + "/samples/allowed.json")
	if err != nil {
		t.Fatal(err)
	}
	var samples map[string][]Input
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&samples); err != nil {
		t.Fatal(err)
	}
	for _, inputs := range samples {
		for i := range inputs {
			if err := inputs[i].integers(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return samples
}

func sample(t testing.TB, action string, i int) Input {
	t.Helper()
	return allowedSamples(t)[action][i]
}

func TestEveryRPCHasItsRule(t *testing.T) {
	t.Parallel()
	p, samples := thePolicy(t), allowedSamples(t)
	rpcs := map[string]bool{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "zijlicht.") {
			return true
		}
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				options, _ := m.Options().(*descriptorpb.MethodOptions)
				access, _ := proto.GetExtension(options, accessv1.E_Access).(*accessv1.Access)
				switch access.GetClass() {
				case accessv1.Class_CLASS_RESOURCE:
					rpcs[access.GetAction()] = true
					if len(samples[access.GetAction()]) == 0 {
						t.Errorf("%s: no input is allowed for %q", m.FullName(), access.GetAction())
					}
				case accessv1.Class_CLASS_INTERNAL, accessv1.Class_CLASS_PUBLIC:
					if access.GetAction() != "" {
						t.Errorf("%s: an action without a decision", m.FullName())
					}
				default:
					t.Errorf("%s: no access class", m.FullName())
				}
			}
		}
		return true
	})
	if len(rpcs) < 30 {
		t.Fatalf("only %d actions found", len(rpcs))
	}
	for action, inputs := range samples {
		if !rpcs[action] {
			t.Errorf("%s: a rule without an rpc", action)
		}
		for i, in := range inputs {
			d, _, _, err := p.Evaluate(t.Context(), in)
			if err != nil || !d.Allow || in.Action != action {
				t.Errorf("%s %d: %+v %v", action, i, d, err)
			}
		}
	}
}

func TestUnknownActionIsRefused(t *testing.T) {
	t.Parallel()
	in := sample(t, "case.read", 0)
	in.Action = "case.burn"
	d, _, _, err := thePolicy(t).Evaluate(t.Context(), in)
	if err != nil || d.Allow || d.Visible || d.Reasons[0].Code != "action.unknown" || d.Outward != "not_found" {
		t.Errorf("%+v %v", d, err)
	}
}

func TestDecisionIsWhatTheRecordKeeps(t *testing.T) {
	t.Parallel()
	in := sample(t, "case.read-shared", 0)
	in.Resource["grant_state"] = "withdrawn"
	d, input, result, err := thePolicy(t).Evaluate(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"allow":false,"obligations":[],"outward":"case.closed","reasons":[{"args":{},"code":"consent.withdrawn","rule":"zijlicht.federation.consent.given"}],"visible":true}`
	if string(result) != want {
		t.Errorf("result %s", result)
	}
	if d.Outward != "case.closed" || d.Reasons[0].Rule != "zijlicht.federation.consent.given" {
		t.Errorf("decision %+v", d)
	}
	var doc map[string]any
	if err := json.Unmarshal(input, &doc); err != nil {
		t.Fatal(err)
	}
	again, err := canonical(doc)
	if err != nil || !bytes.Equal(again, input) {
		t.Errorf("the input is not canonical:\n%s\n%s", input, again)
	}
	if strings.Contains(string(input), "null") {
		t.Errorf("null in %s", input)
	}
}

func TestObligation(t *testing.T) {
	t.Parallel()
	d, _, _, err := thePolicy(t).Evaluate(t.Context(), sample(t, "case.read-shared", 0))
	if err != nil || len(d.Obligations) != 1 || d.Obligations[0] != (Obligation{Op: "rendition", Value: "circle"}) {
		t.Errorf("%+v %v", d, err)
	}
}

// The rules that reasons point at exist.
func TestReasonsPointAtRules(t *testing.T) {
	t.Parallel()
	text := map[string]string{}
	for _, dir := range []string{"federation", "organisation"} {
		names, err := fs.Glob(os.DirFS(bundleDir), dir+"/*.rego")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			raw, err := os.ReadFile(bundleDir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut("\n"+string(raw), "\npackage ")
			pkg, body, _ := strings.Cut(rest, "\n")
			text[pkg] += "\n" + body
		}
	}
	for pkg, body := range text {
		for _, part := range strings.Split(body, `"rule": "`)[1:] {
			rule, _, _ := strings.Cut(part, `"`)
			dot := strings.LastIndex(rule, ".")
			if owner, name := rule[:dot], rule[dot+1:]; !strings.Contains(text[owner], "\n"+name+" ") {
				t.Errorf("%s: no rule %s", pkg, rule)
			}
		}
	}
}

func TestInputThatDoesNotFitIsAnError(t *testing.T) {
	t.Parallel()
	p := thePolicy(t)
	tests := map[string]func(*Input){
		"unknown fact":      func(in *Input) { in.Resource["colour"] = "red" },
		"null":              func(in *Input) { in.Resource["author"] = nil },
		"text for a number": func(in *Input) { in.Resource["risk"] = "1" },
		"number for a text": func(in *Input) { in.Resource["author"] = int64(7) },
		"fraction":          func(in *Input) { in.Resource["risk"] = 1.5 },
		"list":              func(in *Input) { in.Resource["author"] = []string{"account-1"} },
		"unknown status":    func(in *Input) { in.Resource["status"] = "open" },
		"risk of 4":         func(in *Input) { in.Resource["risk"] = 4 },
		"no kind":           func(in *Input) { delete(in.Resource, "kind") },
		"no id":             func(in *Input) { delete(in.Resource, "id") },
		"unknown kind":      func(in *Input) { in.Resource["kind"] = "chair" },
		"no resource":       func(in *Input) { in.Resource = nil },
		"time in seconds":   func(in *Input) { in.Context.Time = "2026-11-22T10:00:00Z" },
		"no time":           func(in *Input) { in.Context.Time = "" },
		"no node":           func(in *Input) { in.Context.Node = "" },
		"time of a grant":   func(in *Input) { in.Resource["grant_until"] = "tomorrow" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := sample(t, "case.read", 0)
			change(&in)
			d, _, result, err := p.Evaluate(t.Context(), in)
			if err == nil || d.Allow || d.Visible || result != nil {
				t.Errorf("%+v %v", d, err)
			}
		})
	}
}

func TestCancelledContextIsAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		d, _, _, err := thePolicy(t).Evaluate(ctx, sample(t, "case.read", 0))
		if err == nil && !d.Allow || err != nil && d.Allow {
			t.Fatalf("%+v %v", d, err)
		}
	}
}

// tinyBundle is a bundle with one decision.rego and the real schema.
func tinyBundle(t testing.TB, rego string) fstest.MapFS {
	t.Helper()
	schema, err := os.ReadFile(bundleDir + "/" + schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string][]Input{"case.read": {sample(t, "case.read", 0)}})
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{
		"decision.rego":  {Data: []byte("package zijlicht\n\n" + rego)},
		schemaFile:       {Data: schema},
		"samples/a.json": {Data: raw},
	}
}

const granted = `{"allow": true, "visible": true, "outward": "", "reasons": [], "obligations": []}`

func TestLoadRefusesABundle(t *testing.T) {
	t.Parallel()
	ok := "allow if input.action == \"case.read\"\n\ndecision := " + granted + " if allow\n"
	tests := map[string]struct {
		rego   string
		change func(fstest.MapFS)
		want   string
	}{
		"sound":            {ok, nil, ""},
		"does not parse":   {"allow if {", nil, "compile"},
		"unused variable":  {ok + "x if { y := 1 }\n", nil, "unused"},
		"network":          {ok + "x := http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"})\n", nil, "undefined function http.send"},
		"lookup":           {ok + "x := net.lookup_ip_addr(\"a\")\n", nil, "undefined function net.lookup_ip_addr"},
		"clock":            {ok + "x := time.now_ns()\n", nil, "undefined function time.now_ns"},
		"chance":           {ok + "x := rand.intn(\"a\", 6)\n", nil, "undefined function rand.intn"},
		"environment":      {ok + "x := opa.runtime()\n", nil, "undefined function opa.runtime"},
		"identifiers":      {ok + "x := uuid.rfc4122(\"a\")\n", nil, "undefined function uuid.rfc4122"},
		"undefined":        {"allow if input.action == \"x\"\n\ndecision := " + granted + " if allow\n", nil, "undefined"},
		"not an object":    {"allow := true\n\ndecision := true\n", nil, "malformed"},
		"a field less":     {"allow := true\n\ndecision := {\"allow\": true}\n", nil, "a field is missing"},
		"a field more":     {"allow := true\n\ndecision := object.union(" + granted + ", {\"extra\": 1})\n", nil, "malformed"},
		"allow is a text":  {"allow := true\n\ndecision := object.union(" + granted + ", {\"allow\": \"yes\"})\n", nil, "malformed"},
		"allow, invisible": {"allow := true\n\ndecision := object.union(" + granted + ", {\"visible\": false})\n", nil, "allowed and refused"},
		"no reason":        {"allow := true\n\ndecision := object.union(" + granted + ", {\"allow\": false, \"outward\": \"x\"})\n", nil, "without a reason"},
		"reason, no code":  {"allow := true\n\ndecision := object.union(" + granted + ", {\"allow\": false, \"outward\": \"x\", \"reasons\": [{\"rule\": \"r\"}]})\n", nil, "without code"},
		"other obligation": {"allow := true\n\ndecision := object.union(" + granted + ", {\"obligations\": [{\"op\": \"mask\", \"value\": \"x\"}]})\n", nil, "unknown obligation"},
		"conflict":         {"allow := true\n\ndecision := " + granted + "\n\ndecision := {} if allow\n", nil, "evaluate"},
		"no schema":        {ok, func(m fstest.MapFS) { delete(m, schemaFile) }, schemaFile},
		"no samples":       {ok, func(m fstest.MapFS) { delete(m, "samples/a.json") }, "no sample"},
		"malformed sample": {ok, func(m fstest.MapFS) { m["samples/b.json"] = &fstest.MapFile{Data: []byte(`{"a": [{"extra": 1}]}`)} }, "samples/b.json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bundle := tinyBundle(t, tt.rego)
			if tt.change != nil {
				tt.change(bundle)
			}
			_, err := Load(t.Context(), bundle)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	rego := "allow if input.action == \"case.read\"\n\ndecision := " + granted + " if allow\n"
	bundle := tinyBundle(t, rego)
	of := func(change func(fstest.MapFS)) string {
		b := maps.Clone(bundle)
		change(b)
		files, err := bundleFiles(b)
		if err != nil {
			t.Fatal(err)
		}
		return revision(files)
	}
	p, err := Load(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	first := of(func(fstest.MapFS) {})
	if p.Revision() != first || len(first) != 64 {
		t.Errorf("revision %q", p.Revision())
	}
	for name, change := range map[string]func(fstest.MapFS){
		"another rule": func(b fstest.MapFS) { b["more.rego"] = &fstest.MapFile{Data: []byte("package more\n")} },
		"another name": func(b fstest.MapFS) { b["other.rego"] = b["decision.rego"]; delete(b, "decision.rego") },
		"another byte": func(b fstest.MapFS) {
			b["decision.rego"] = &fstest.MapFile{Data: []byte("package zijlicht\n\n" + rego + "\n")}
		},
	} {
		if of(change) == first {
			t.Errorf("%s: the same revision", name)
		}
	}
	same := of(func(b fstest.MapFS) {
		b["tests/decision_test.rego"] = &fstest.MapFile{Data: []byte("package t\n")}
		b["refusals.nl.yaml"] = &fstest.MapFile{Data: []byte("format: x\n")}
	})
	if same != first {
		t.Error("a test or a text changed the revision")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := thePolicy(t)
	allowed, list := sample(t, "case.read-shared", 0), sample(t, "case.list", 0)
	var wg sync.WaitGroup
	failures := make(chan string, 16)
	for range 8 {
		wg.Go(func() {
			for range 20 {
				d, _, _, err := p.Evaluate(t.Context(), allowed)
				if err != nil || !d.Allow {
					failures <- fmt.Sprintf("%+v %v", d, err)
					return
				}
				if _, err := p.Filter(t.Context(), list, caseColumns, 1); err != nil {
					failures <- err.Error()
					return
				}
			}
		})
	}
	wg.Wait()
	close(failures)
	for f := range failures {
		t.Error(f)
	}
}
