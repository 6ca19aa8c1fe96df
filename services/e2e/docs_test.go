package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeFence  = regexp.MustCompile("(?ms)^```.*?^```[ \t]*$")
	codeSpan   = regexp.MustCompile("`([^`\n]+)`")
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	makeTarget = regexp.MustCompile(`\bmake ([a-z][a-z-]*)`)
	hole       = regexp.MustCompile(`<[^>]*>|…`)
)

// tops are the directories that a document can point into.
var tops = []string{".ci", "charts", "docs", "gateway", "policies", "proto", "services"}

// TestDocumentsNameWhatExists keeps documents true: a path, a link or a make target that one names is there.
func TestDocumentsNameWhatExists(t *testing.T) {
	t.Parallel()
	top := repository(t)
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range documents(t, top) {
		text, err := os.ReadFile(filepath.Join(top, document))
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range makeTarget.FindAllStringSubmatch(inCode(string(text)), -1) {
			if !strings.Contains(string(makefile), "\n"+target[1]+":") {
				t.Errorf("%s names `make %s`, which the Makefile does not have", document, target[1])
			}
		}
		for _, named := range namedPaths(string(text), filepath.Dir(document)) {
			found, err := filepath.Glob(filepath.Join(top, named))
			if err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which does not exist", document, named)
			}
		}
	}
}

func TestNamedPaths(t *testing.T) {
	t.Parallel()
	const text = "See `services/cases/` and `services/<x>/internal/biz`, `gateway/*.go:12`, `Makefile`, `go.mod`.\n" +
		"Not `consent.expired`, `application/json`, `bin/zijlicht`, `/api/v1`, `make test`.\n" +
		"```\nservices/nowhere\n```\n" +
		"[a decision](../adr/0001-record-decisions.md#why), [elsewhere](https://example.org/docs/x)."
	got := namedPaths(text, "docs/operations")
	want := []string{"services/cases", "services/*/internal/biz", "gateway/*.go", "Makefile", "go.mod", "docs/adr/0001-record-decisions.md"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// inCode is what a document shows as code, spans and blocks both: prose may say "make sure".
func inCode(text string) string {
	blocks := codeFence.FindAllString(text, -1)
	return strings.Join(append(blocks, codeSpan.FindAllString(codeFence.ReplaceAllString(text, ""), -1)...), "\n")
}

// namedPaths lists the paths of this repository in a document's code spans (from the top) and links (from the document), as globs.
func namedPaths(text, dir string) (named []string) {
	text = codeFence.ReplaceAllString(text, "")
	for _, span := range codeSpan.FindAllStringSubmatch(text, -1) {
		candidate, _, _ := strings.Cut(hole.ReplaceAllString(span[1], "*"), ":")
		if strings.ContainsAny(candidate, " (){}=\"") {
			continue
		}
		first, _, below := strings.Cut(candidate, "/")
		if below && slices.Contains(tops, first) || !below && topFile(candidate) {
			named = append(named, filepath.Clean(candidate))
		}
	}
	for _, target := range link.FindAllStringSubmatch(text, -1) {
		file, _, _ := strings.Cut(target[1], "#")
		if file == "" || strings.Contains(file, "://") || strings.HasPrefix(file, "mailto:") {
			continue
		}
		named = append(named, filepath.Join(dir, file))
	}
	return named
}

// topFile tells whether a name without a directory is meant as a file at the top.
func topFile(name string) bool {
	return slices.Contains([]string{"LICENSE", "Makefile", "go.mod", "go.sum", "publiccode.yml", "buf.yaml", "buf.gen.yaml", ".golangci.yml"}, name) ||
		strings.HasSuffix(name, ".md") && strings.ToUpper(strings.TrimSuffix(name, ".md")) == strings.TrimSuffix(name, ".md")
}

// documents lists the Markdown files of the project, from the top.
func documents(t *testing.T, top string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && outside(entry.Name()) && name != top {
			return fs.SkipDir
		}
		if !entry.IsDir() && filepath.Ext(name) == ".md" {
			local, err := filepath.Rel(top, name)
			if err != nil {
				return err
			}
			names = append(names, local)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, "README.md") {
		t.Fatal("README.md not found")
	}
	return names
}
