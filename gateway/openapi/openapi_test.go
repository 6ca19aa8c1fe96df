package openapi_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/zijlicht/zijlicht/gateway/openapi"
	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/access"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Document())
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestDocumentIsValid(t *testing.T) {
	t.Parallel()
	doc := load(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.Info.Version != openapi.Version {
		t.Errorf("info.version is %q, the header says %q", doc.Info.Version, openapi.Version)
	}
}

// TestDocumentHoldsTheContracts walks the contracts: what the outside may call is described, and nothing else is.
func TestDocumentHoldsTheContracts(t *testing.T) {
	t.Parallel()
	contracts := map[string]string{} // "get /cases/{}" → RPC
	for _, operation := range access.Methods() {
		a, err := access.Of(operation)
		if err != nil {
			t.Fatal(err)
		}
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(operation[1:], "/", ".")))
		if err != nil {
			t.Fatal(err)
		}
		rule, _ := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
		if rule == nil || a.GetClass() == accessv1.Class_CLASS_INTERNAL {
			continue
		}
		contracts[route(t, rule)] = operation
	}
	described := map[string]bool{}
	for path, item := range load(t).Paths.Map() {
		for verb := range item.Operations() {
			described[shape(verb, path)] = true
		}
	}
	if len(contracts) == 0 {
		t.Fatal("no contract has a route")
	}
	for r, operation := range contracts {
		if !described[r] {
			t.Errorf("%s (%s) is not in the document", operation, r)
		}
	}
	for _, r := range slices.Sorted(maps.Keys(described)) {
		if contracts[r] == "" {
			t.Errorf("%s is in the document and in no contract for the outside", r)
		}
	}
}

func TestEveryAnswerIsDescribed(t *testing.T) {
	t.Parallel()
	for path, item := range load(t).Paths.Map() {
		for verb, op := range item.Operations() {
			if op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s has no summary or no tag", verb, path)
			}
			if op.Responses.Default() == nil {
				t.Errorf("%s %s: no default answer", verb, path)
			}
			for status, r := range op.Responses.Map() {
				if r.Value.Headers["API-Version"] == nil {
					t.Errorf("%s %s %s: no API-Version", verb, path, status)
				}
				if !strings.HasPrefix(status, "2") && r.Value.Content.Get("application/problem+json") == nil {
					t.Errorf("%s %s %s is not a problem", verb, path, status)
				}
			}
		}
	}
}

func TestContractRulesAreDescribed(t *testing.T) {
	t.Parallel()
	schema := load(t).Paths.Find("/cases").Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	for name, tc := range map[string]struct {
		body string
		want bool
	}{
		"two fields and an id":  {`{"requestId":"0199d3a0-0000-7000-8000-000000000001","whatHappened":"x","question":"y"}`, true},
		"nothing happened":      {`{"requestId":"0199d3a0-0000-7000-8000-000000000001","whatHappened":""}`, false},
		"no request id":         {`{"whatHappened":"x"}`, false},
		"a field that is not":   {`{"requestId":"0199d3a0-0000-7000-8000-000000000001","whatHappened":"x","status":"released"}`, false},
		"a number for the text": {`{"requestId":"0199d3a0-0000-7000-8000-000000000001","whatHappened":7}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body any
			if err := json.Unmarshal([]byte(tc.body), &body); err != nil {
				t.Fatal(err)
			}
			if err := schema.VisitJSON(body); (err == nil) != tc.want {
				t.Errorf("accepted: %v, want %v (%v)", err == nil, tc.want, err)
			}
		})
	}
}

func route(t *testing.T, rule *annotations.HttpRule) string {
	t.Helper()
	switch p := rule.Pattern.(type) {
	case *annotations.HttpRule_Get:
		return shape(http.MethodGet, p.Get)
	case *annotations.HttpRule_Put:
		return shape(http.MethodPut, p.Put)
	case *annotations.HttpRule_Post:
		return shape(http.MethodPost, p.Post)
	case *annotations.HttpRule_Delete:
		return shape(http.MethodDelete, p.Delete)
	case *annotations.HttpRule_Patch:
		return shape(http.MethodPatch, p.Patch)
	}
	t.Fatalf("a route of an unknown kind: %T", rule.Pattern)
	return ""
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// shape is a route without the names of its parameters.
func shape(verb, path string) string {
	return strings.ToLower(verb) + " " + placeholder.ReplaceAllString(path, "{}")
}
