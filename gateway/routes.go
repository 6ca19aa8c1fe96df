package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// route is one operation as its contract maps it to HTTP. The transcoder matches
// paths itself; it does not tell a wrong method from a wrong path, and it ignores
// query parameters that the contract does not have. A client that misspells one
// would get an answer to another question.
type route struct {
	operation string // such as /zijlicht.cases.v1.CasesService/GetCase
	method    string
	segments  []string // an empty one is a parameter
	query     []string // names of the parameters, as JSON spells them
}

// routesOf reads the routes of services from their contracts.
func routesOf(services ...protoreflect.ServiceDescriptor) (all []route) {
	for _, s := range services {
		for i := range s.Methods().Len() {
			m := s.Methods().Get(i)
			rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			if rule == nil {
				continue
			}
			r := route{operation: "/" + string(s.FullName()) + "/" + string(m.Name())}
			var template string
			switch p := rule.GetPattern().(type) {
			case *annotations.HttpRule_Get:
				r.method, template = http.MethodGet, p.Get
			case *annotations.HttpRule_Put:
				r.method, template = http.MethodPut, p.Put
			case *annotations.HttpRule_Post:
				r.method, template = http.MethodPost, p.Post
			case *annotations.HttpRule_Delete:
				r.method, template = http.MethodDelete, p.Delete
			default:
				panic("gateway: " + r.operation + " has a route of an unknown kind") // the contracts are compiled in
			}
			var inPath []string
			for _, segment := range strings.Split(template[1:], "/") {
				if name, ok := strings.CutPrefix(segment, "{"); ok {
					inPath, segment = append(inPath, strings.TrimSuffix(name, "}")), ""
				}
				r.segments = append(r.segments, segment)
			}
			for i := range m.Input().Fields().Len() {
				f := m.Input().Fields().Get(i)
				if rule.GetBody() == "" && !slices.Contains(inPath, string(f.Name())) {
					r.query = append(r.query, f.JSONName())
				}
			}
			all = append(all, r)
		}
	}
	return all
}

// find gives the route of a path below the mount, or the methods that the path does have.
func find(all []route, method, path string) (found route, allow []string) {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for _, r := range all {
		if !slices.EqualFunc(r.segments, segments, func(want, have string) bool { return have != "" && (want == "" || want == have) }) {
			continue
		}
		if r.method == method {
			return r, nil
		}
		allow = append(allow, r.method)
	}
	return route{}, allow
}

// checkQuery refuses what the contract does not have, and what is given twice.
func (r route) checkQuery(raw string) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return fault.Invalid("query", "format")
	}
	for name, given := range values {
		if !slices.Contains(r.query, name) {
			return fault.Invalid("query", "unknown") // the name is a client's, so it is not repeated
		}
		if len(given) != 1 || !utf8.ValidString(given[0]) {
			return fault.Invalid(name, "format")
		}
	}
	return nil
}
