// Command gen writes the OpenAPI document of the API under /api/v1. Paths, fields and words come from the contracts
// through protoc-gen-openapiv3; what a contract cannot say (problems, headers, sign-in) is added here, once for all
// operations. It never invents an operation, and fails when two would collide.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	root := flag.String("root", ".", "directory of the module")
	out := flag.String("out", "gateway/openapi/openapi.json", "file to write")
	flag.Parse()
	if err := run(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(root, out string) error {
	parts, err := plugin(root)
	if err != nil {
		return err
	}
	doc, err := assemble(parts)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	return os.WriteFile(out, text.Bytes(), 0o644)
}

// part is what the plugin makes of one proto file.
type part struct {
	Paths      map[string]map[string]object `json:"paths"`
	Components struct {
		Schemas map[string]object `json:"schemas"`
	} `json:"components"`
	Tags []tag `json:"tags"`
}

// plugin runs protoc-gen-openapiv3 over the contracts.
func plugin(root string) ([]part, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "openapi-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	template, err := json.Marshal(object{
		"version": "v2",
		"inputs":  []object{{"directory": "proto", "paths": []string{"proto/zijlicht"}}},
		"plugins": []object{{
			"local":    filepath.Join(root, ".cache/tools/protoc-gen-openapiv3"),
			"out":      dir,
			"strategy": "all",
			"opt":      []string{"disable_default_errors=true"},
		}},
	})
	if err != nil {
		return nil, err
	}
	buf := exec.Command(filepath.Join(root, ".cache/tools/buf"), "generate", "--template", string(template))
	buf.Dir, buf.Stderr = root, os.Stderr
	if err := buf.Run(); err != nil {
		return nil, fmt.Errorf("buf generate (make builds the tools): %w", err)
	}
	var parts []part
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".openapi.json") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var p part
		if err := json.Unmarshal(raw, &p); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
		parts = append(parts, p)
		return nil
	})
	if err == nil && len(parts) == 0 {
		err = errors.New("the plugin wrote nothing")
	}
	return parts, err
}
