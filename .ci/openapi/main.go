// Command openapi turns what protoc-gen-openapiv3 wrote for one proto file into this project's part of the API document: only what
// is mounted under /api/v1, with the shared header and problem of the Dutch API design rules, and names without a package.
// It never adds a path or a field.
//
// Usage: openapi FILE (rewritten in place)
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

const schemaRef = "#/components/schemas/"

// elsewhere are services with HTTP bindings that are mounted outside /api/v1.
var elsewhere = []string{"PeerService"}

var packageName = regexp.MustCompile(`^(zijlicht\.[a-z]+|google\.[a-z]+)(\.v[0-9]+)?\.`)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi FILE")
		os.Exit(2)
	}
	if err := rewrite(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func rewrite(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	used := shapeOperations(object(doc, "paths"))
	keepTags(doc, used)
	renameSchemas(doc)
	keepReachableSchemas(doc)
	data, err = json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// shapeOperations drops operations mounted elsewhere, completes the responses of the others, and returns the tags that they use.
func shapeOperations(paths map[string]any) (tags []string) {
	for path, item := range paths {
		operations := item.(map[string]any)
		for method, value := range operations {
			operation, ok := value.(map[string]any)
			if !ok {
				continue
			}
			tag := operation["tags"].([]any)[0].(string)
			if slices.Contains(elsewhere, tag) {
				delete(operations, method)
				continue
			}
			tags = append(tags, tag)
			completeResponses(object(operation, "responses"))
		}
		if len(operations) == 0 {
			delete(paths, path)
		}
	}
	return tags
}

func completeResponses(responses map[string]any) {
	for code, value := range responses {
		if strings.HasPrefix(code, "2") {
			value.(map[string]any)["headers"] = map[string]any{"API-Version": map[string]any{"$ref": "#/components/headers/APIVersion"}}
		}
	}
	for _, code := range []string{"400", "401", "403", "404", "default"} {
		responses[code] = map[string]any{"$ref": "#/components/responses/Problem"}
	}
}

func keepTags(doc map[string]any, used []string) {
	all, _ := doc["tags"].([]any)
	doc["tags"] = slices.DeleteFunc(all, func(tag any) bool {
		return !slices.Contains(used, tag.(map[string]any)["name"].(string))
	})
}

// renameSchemas drops package names; two schemas that then share a name but not a shape are refused when the parts are merged.
func renameSchemas(doc map[string]any) {
	schemas := object(object(doc, "components"), "schemas")
	for name, schema := range schemas {
		delete(schemas, name)
		schemas[packageName.ReplaceAllString(name, "")] = schema
	}
	eachRef(doc, func(ref string) string {
		name, ok := strings.CutPrefix(ref, schemaRef)
		if !ok {
			return ref
		}
		return schemaRef + packageName.ReplaceAllString(name, "")
	})
}

// keepReachableSchemas drops the schemas that only operations mounted elsewhere used.
func keepReachableSchemas(doc map[string]any) {
	schemas := object(object(doc, "components"), "schemas")
	reached := map[string]bool{}
	var visit func(any)
	visit = func(node any) {
		eachRef(node, func(ref string) string {
			if name, ok := strings.CutPrefix(ref, schemaRef); ok && !reached[name] {
				reached[name] = true
				visit(schemas[name])
			}
			return ref
		})
	}
	visit(doc["paths"])
	for name := range schemas {
		if !reached[name] {
			delete(schemas, name)
		}
	}
}

// eachRef replaces every "$ref" below node by what change makes of it.
func eachRef(node any, change func(string) string) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if ref, ok := value.(string); ok && key == "$ref" {
				node[key] = change(ref)
				continue
			}
			eachRef(value, change)
		}
	case []any:
		for _, value := range node {
			eachRef(value, change)
		}
	}
}

// object returns the object under key, which is made when it is not there.
func object(parent map[string]any, key string) map[string]any {
	child, ok := parent[key].(map[string]any)
	if !ok {
		child = map[string]any{}
		parent[key] = child
	}
	return child
}
