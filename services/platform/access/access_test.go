package access_test

import (
	"regexp"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1" // every contract
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	_ "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/access"
)

var (
	action  = regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)
	segment = regexp.MustCompile(`^([a-z]+(-[a-z]+)*|\{[a-z]+(_[a-z]+)*\})$`)
)

// TestContracts walks every RPC: it has a class, a resource has an action, what is
// internal is not on the web, a path is in kebab case, and nothing is a stream.
func TestContracts(t *testing.T) {
	t.Parallel()
	operations := access.Methods()
	if len(operations) < 30 {
		t.Fatalf("only %d RPCs", len(operations))
	}
	for _, op := range operations {
		a, err := access.Of(op)
		if err != nil {
			t.Error(err)
			continue
		}
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(op[1:], "/", ".")))
		if err != nil {
			t.Fatal(err)
		}
		m, ok := d.(protoreflect.MethodDescriptor)
		if !ok {
			t.Fatalf("%s is no method", op)
		}
		if m.IsStreamingClient() || m.IsStreamingServer() {
			t.Errorf("%s is a stream", op)
		}
		resource := a.GetClass() == accessv1.Class_CLASS_RESOURCE
		if resource != (a.GetAction() != "") || resource && !action.MatchString(a.GetAction()) {
			t.Errorf("%s: class %v with action %q", op, a.GetClass(), a.GetAction())
		}
		rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		if rule == nil {
			continue
		}
		if a.GetClass() == accessv1.Class_CLASS_INTERNAL && !peers(op) {
			t.Errorf("%s is internal and on the web", op)
		}
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			for _, path := range []string{r.GetGet(), r.GetPost(), r.GetPut(), r.GetPatch(), r.GetDelete(), r.GetCustom().GetPath()} {
				for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
					if path != "" && (path[0] != '/' || !segment.MatchString(part)) {
						t.Errorf("%s: path %s", op, path)
					}
				}
			}
		}
	}
}

// peers tells whether the paths are those of another node's door: the gateway there
// checks the token and passes the call on to the RPC of the service that decides.
func peers(op string) bool { return strings.HasPrefix(op, "/zijlicht.gateway.v1.PeerService/") }

// TestOneActionOneRPC: two RPCs with one action would share a rule without saying so.
func TestOneActionOneRPC(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, op := range access.Methods() {
		a, err := access.Of(op)
		if err != nil || a.GetAction() == "" || peers(op) {
			continue
		}
		if other := seen[a.GetAction()]; other != "" {
			t.Errorf("%s and %s are both %s", other, op, a.GetAction())
		}
		seen[a.GetAction()] = op
	}
}

func TestUnknownIsRefused(t *testing.T) {
	t.Parallel()
	for _, op := range []string{
		"", "/", "x", "GetCase", "/GetCase", "//", "/zijlicht.cases.v1.CasesService/", "/zijlicht.cases.v1.CasesService/Nothing",
		"/zijlicht.cases.v1.Case/GetCase", "/grpc.health.v1.Health/Watch", "/kratos.api.Metadata/ListServices",
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
	} {
		if a, err := access.Of(op); err == nil {
			t.Errorf("%q is %v", op, a)
		}
	}
	if a, err := access.Of("/grpc.health.v1.Health/Check"); err != nil || a.GetClass() != accessv1.Class_CLASS_PUBLIC {
		t.Errorf("health: %v, %v", a, err)
	}
}
