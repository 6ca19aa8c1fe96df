package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

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

type object = map[string]any

type tag struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

// document has its members in the order in which a person reads them.
type document struct {
	OpenAPI    string                       `json:"openapi"`
	Info       object                       `json:"info"`
	Servers    []object                     `json:"servers"`
	Security   []object                     `json:"security"`
	Tags       []tag                        `json:"tags"`
	Paths      map[string]map[string]object `json:"paths"`
	Components object                       `json:"components"`
}

// assemble joins the plugin's parts into one document of the operations that the outside may call.
func assemble(parts []part) (*document, error) {
	methods := rpcs()
	schemas := map[string]object{}
	doc := &document{
		OpenAPI:  "3.1.0",
		Info:     info(),
		Servers:  servers(),
		Security: []object{{"session": []string{}}, {"machine": []string{}, "proof": []string{}}},
		Paths:    map[string]map[string]object{},
	}
	used := map[string]bool{}
	for _, p := range parts {
		for path, operations := range p.Paths {
			for verb, op := range operations {
				m, ok := methods[text(op["operationId"])]
				if !ok {
					return nil, fmt.Errorf("%s %s: no RPC %q", verb, path, op["operationId"])
				}
				if m.class == accessv1.Class_CLASS_INTERNAL {
					continue
				}
				service := strings.TrimSuffix(string(m.Parent().Name()), "Service")
				used[service] = true
				op["tags"] = []string{service}
				if err := describe(op, m, verb); err != nil {
					return nil, fmt.Errorf("%s %s: %w", verb, path, err)
				}
				path := camelPath(path)
				if doc.Paths[path] == nil {
					doc.Paths[path] = map[string]object{}
				}
				if doc.Paths[path][verb] != nil {
					return nil, fmt.Errorf("%s %s is there twice", verb, path)
				}
				doc.Paths[path][verb] = op
			}
		}
		for name, schema := range p.Components.Schemas {
			schemas[name] = schema
		}
	}
	for _, p := range parts {
		for _, t := range p.Tags {
			if t.Name = strings.TrimSuffix(t.Name, "Service"); used[t.Name] {
				doc.Tags = append(doc.Tags, t)
			}
		}
	}
	slices.SortFunc(doc.Tags, func(a, b tag) int { return strings.Compare(a.Name, b.Name) })
	if err := unique(doc); err != nil {
		return nil, err
	}
	kept, err := reachable(doc, schemas)
	if err != nil {
		return nil, err
	}
	kept["Problem"] = problem()
	doc.Components = object{
		"schemas":         kept,
		"responses":       problems(),
		"headers":         headers(),
		"securitySchemes": securitySchemes(),
	}
	return doc, nil
}

// rpc is a method with its class.
type rpc struct {
	protoreflect.MethodDescriptor
	class accessv1.Class
}

// rpcs finds every RPC under the plugin's name for it.
func rpcs() map[string]rpc {
	all := map[string]rpc{}
	for _, operation := range access.Methods() {
		a, err := access.Of(operation)
		if err != nil {
			continue // an RPC without a class is refused, so it is not described
		}
		name := protoreflect.FullName(strings.ReplaceAll(operation[1:], "/", "."))
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if err != nil {
			continue
		}
		m := d.(protoreflect.MethodDescriptor)
		all[string(m.Parent().Name())+"_"+string(m.Name())] = rpc{m, a.GetClass()}
	}
	return all
}

// describe turns the plugin's operation into ours.
func describe(op object, m rpc, verb string) error {
	name := string(m.Name())
	op["operationId"] = strings.ToLower(name[:1]) + name[1:]
	words := strings.TrimPrefix(text(op["summary"]), name+" ")
	first, rest, more := strings.Cut(words, ". ")
	op["summary"] = strings.ToUpper(first[:1]) + strings.TrimSuffix(first[1:], ".")
	if more {
		op["description"] = strings.TrimSpace(rest + " " + text(op["description"]))
	}

	parameters, _ := op["parameters"].([]any)
	named := byReceipt[name] // one thing is meant, that may not be there
	for _, p := range parameters {
		p := p.(object)
		p["name"] = camel(text(p["name"]))
		named = named || p["in"] == "path"
		if _, err := constrain(p["schema"].(object), text(p["name"]), m.Input()); err != nil {
			return err
		}
	}
	body, hasBody := op["requestBody"].(object)
	if hasBody {
		// Only the top level is refused here for unknown fields; nested messages are shared with answers.
		schema := body["content"].(object)["application/json"].(object)["schema"].(object)
		schema["additionalProperties"] = false
		if err := constrainAll(schema, m.Input()); err != nil {
			return err
		}
	}
	responses := op["responses"].(object)
	for _, r := range responses {
		r.(object)["headers"] = object{"API-Version": ref("headers", "API-Version")}
	}
	anonymous := m.class == accessv1.Class_CLASS_PUBLIC || byReceipt[name]
	if anonymous {
		op["security"] = []object{}
	}
	writes := verb != "get"
	for status, applies := range map[string]bool{
		"400":     hasBody || len(parameters) > 0,
		"401":     !byReceipt[name],
		"403":     true,
		"404":     named,
		"409":     writes && !anonymous,
		"413":     hasBody,
		"429":     true,
		"503":     true,
		"default": true,
	} {
		if applies {
			responses[status] = ref("responses", problemNames[status])
		}
	}
	return nil
}

// byReceipt names the RPCs that a resident calls with a receipt code instead of a sign-in.
var byReceipt = map[string]bool{"GetReceipt": true, "Withdraw": true}

func unique(doc *document) error {
	seen := map[string]bool{}
	for _, operations := range doc.Paths {
		for _, op := range operations {
			id := text(op["operationId"])
			if seen[id] {
				return fmt.Errorf("two operations are called %s", id)
			}
			seen[id] = true
		}
	}
	return nil
}

// reachable keeps the schemas that the operations use and gives them their short names.
func reachable(doc *document, schemas map[string]object) (object, error) {
	kept := object{}
	origin := map[string]string{}
	var follow func(v any) error
	follow = func(v any) error {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				if err := follow(e); err != nil {
					return err
				}
			}
		case object:
			full, isRef := strings.CutPrefix(text(v["$ref"]), "#/components/schemas/zijlicht.")
			if !isRef {
				for _, e := range v {
					if err := follow(e); err != nil {
						return err
					}
				}
				return nil
			}
			full = "zijlicht." + full
			short := full[strings.LastIndexByte(full, '.')+1:]
			v["$ref"] = "#/components/schemas/" + short
			if before, ok := origin[short]; ok {
				if before != full {
					return fmt.Errorf("%s and %s would both be called %s", before, full, short)
				}
				return nil
			}
			schema, ok := schemas[full]
			if !ok {
				return fmt.Errorf("no schema %s", full)
			}
			origin[short], kept[short] = full, schema
			d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(full))
			if err != nil {
				return err
			}
			if err := constrainAll(schema, d.(protoreflect.MessageDescriptor)); err != nil {
				return err
			}
			return follow(schema)
		}
		return nil
	}
	for _, operations := range doc.Paths {
		for _, op := range operations {
			if err := follow(op); err != nil {
				return nil, err
			}
		}
	}
	return kept, nil
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// camelPath names a path's parameters as the fields of a body are named.
func camelPath(path string) string { return placeholder.ReplaceAllStringFunc(path, camel) }

func camel(s string) string {
	words := strings.Split(s, "_")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func ref(kind, name string) object { return object{"$ref": "#/components/" + kind + "/" + name} }

func text(v any) string { s, _ := v.(string); return s }

func servers() []object {
	return []object{{
		"url":         "https://{host}/api/v1",
		"description": "The node of one organisation",
		"variables": object{"host": object{
			"default":     "zijlicht.example",
			"description": "Host, and port if any, of the organisation's node",
		}},
	}}
}

func info() object {
	return object{
		"title":   "Zijlicht",
		"version": openapi.Version,
		"summary": "Practice cases that organisations read and answer sideways",
		"description": "The API of one organisation's node. Every answer about a resource follows a recorded decision of the " +
			"policy; without a decision there is no answer. Times are in UTC (RFC 3339). Requests with unknown fields are refused.",
		"contact": object{
			"name":  "Zijlicht beheer",
			"email": "beheer@zijlicht.example",
			"url":   "https://github.com/zijlicht/zijlicht",
		},
		"license": object{"name": "European Union Public Licence 1.2", "identifier": "EUPL-1.2"},
	}
}
