package e2e_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/zijlicht/zijlicht/"

// goFile is one Go file of this repository and what it imports.
type goFile struct {
	dir     string // from the top, slashes
	name    string
	imports []string
}

func (f goFile) test() bool { return strings.HasSuffix(f.name, "_test.go") }

// TestImportsFollowTheHousePlan keeps the hops short: rules know nothing, data knows rules, a service knows no other service.
// It reads every file, whatever its build constraints, so that no platform or tag is a way around.
func TestImportsFollowTheHousePlan(t *testing.T) {
	t.Parallel()
	for _, file := range goFiles(t) {
		for _, imported := range file.imports {
			if why := forbidden(file, imported); why != "" {
				t.Errorf("%s imports %s: %s", path.Join(file.dir, file.name), imported, why)
			}
		}
	}
}

func TestForbiddenImports(t *testing.T) {
	t.Parallel()
	const own = modulePath
	for _, c := range []struct {
		dir, name, imported string
		allowed             bool
	}{
		{"services/cases/internal/biz", "case.go", "errors", true},
		{"services/cases/internal/biz", "case.go", own + "services/platform/fault", true},
		{"services/cases/internal/biz", "case.go", own + "services/cases/internal/biz/state", true},
		{"services/cases/internal/biz", "case.go", own + "services/platform/authz", false},
		{"services/cases/internal/biz", "case.go", own + "proto/zijlicht/cases/v1", false},
		{"services/cases/internal/biz", "case.go", "net/url", false},
		{"services/cases/internal/biz", "case.go", "os", false},
		{"services/cases/internal/biz", "case.go", "github.com/jackc/pgx/v5", false},
		{"services/cases/internal/biz", "case_test.go", "pgregory.net/rapid", true},
		{"services/cases/internal/biz", "case_test.go", own + "services/cases/internal/data", false},
		{"services/cases/internal/data", "read.go", "github.com/jackc/pgx/v5/pgxpool", true},
		{"services/cases/internal/data", "read.go", own + "services/cases/internal/biz", true},
		{"services/cases/internal/data", "read.go", own + "services/platform/pgdb", true},
		{"services/cases/internal/data", "read.go", own + "services/cases/internal/service", false},
		{"services/cases/internal/data", "read.go", own + "proto/zijlicht/cases/v1", false},
		{"services/cases/internal/data", "read.go", "google.golang.org/grpc", false},
		{"services/cases/internal/service", "read.go", own + "proto/zijlicht/deid/v1", true},
		{"services/cases/internal/service", "read.go", own + "services/deid", false},
		{"services/cases/internal/service", "read.go", own + "policies", false},
		{"services/cases/internal/service", "read_test.go", own + "policies", true},
		{"services/cases/internal/service", "read_test.go", own + "services/consent/consenttest", true},
		{"services/cases/internal/service", "read_test.go", own + "services/consent", false},
		{"services/cases/internal/service", "read.go", own + "services/consent/consenttest", false},
		{"services/cases", "cases.go", own + "gateway", false},
		{"services/cases", "cases_test.go", own + "gateway", false},
		{"services/platform/authz", "gate.go", own + "proto/zijlicht/access/v1", true},
		{"services/platform/authz", "gate.go", own + "policies", false},
		{"services/platform/authz", "gate_test.go", own + "services/cases/casestest", false},
		{"gateway/internal/oauth", "token.go", own + "services/platform/keys", true},
		{"gateway/internal/oauth", "token.go", own + "policies", true},
		{"gateway/internal/oauth", "token.go", own + "services/cases", false},
		{"policies", "bundle.go", "embed", true},
		{"policies", "bundle.go", own + "services/platform/authz", false},
		{"proto/zijlicht/cases/v1", "cases.pb.go", own + "services/platform/fault", false},
		{"services/cmd/zijlicht", "main.go", own + "gateway", true},
		{"services/e2e", "share_test.go", own + "services/cases", true},
	} {
		why := forbidden(goFile{dir: c.dir, name: c.name}, c.imported)
		if (why == "") != c.allowed {
			t.Errorf("%s/%s importing %s: allowed %v, want %v (%s)", c.dir, c.name, c.imported, why == "", c.allowed, why)
		}
	}
}

// reaching are the packages of the standard library through which a rule would reach outside itself.
var reaching = []string{"database/sql", "io/fs", "net", "os", "plugin", "syscall"}

// forbidden says why file may not import the package, and nothing when it may.
func forbidden(file goFile, imported string) string {
	local, ours := strings.CutPrefix(imported, modulePath)
	top, rest, _ := strings.Cut(file.dir, "/")
	switch top {
	case "proto":
		return unless(!ours || under(local, "proto"), "contracts know contracts only")
	case "policies":
		return unless(!ours || under(local, "policies") || file.test() && under(local, "services/platform", "proto"), "the bundle knows nothing of what uses it")
	case "gateway":
		return unless(!ours || under(local, "gateway", "policies", "proto", "services/platform"), "the gateway speaks to services through proto")
	case "services":
		service, inside, _ := strings.Cut(rest, "/")
		return forbiddenInService(file, service, inside, imported)
	default:
		return unless(!ours || under(local, top), "only services/cmd, services/e2e and services/bench import everything")
	}
}

func forbiddenInService(file goFile, service, inside, imported string) string {
	local, ours := strings.CutPrefix(imported, modulePath)
	own := "services/" + service
	switch {
	case slices.Contains([]string{"cmd", "e2e", "bench"}, service):
		return ""
	case service == "platform":
		return unless(!ours || under(local, "services/platform", "proto"), "the platform knows proto only")
	case service == "portal":
		return unless(!ours || under(local, own, "services/platform", "policies", "proto"), "the portal speaks to services through proto")
	case under(inside, "internal/biz"):
		if ours {
			return unless(under(local, own+"/internal/biz", "services/platform/fault"), "rules know their own kind and fault")
		}
		return unless(file.test() || standard(imported) && !under(imported, reaching...), "rules are pure and reach nothing")
	case under(inside, "internal/data"):
		if ours {
			return unless(under(local, own+"/internal/biz", own+"/internal/data", own+"/migrations", "services/platform") ||
				file.test() && under(local, own), "data knows its own rules and the platform")
		}
		return unless(file.test() || standard(imported) || under(imported, "github.com/jackc/pgx/v5", "github.com/google/uuid"), "data speaks to Postgres and to nothing else")
	case !ours || under(local, own, "services/platform", "proto"):
		return ""
	case file.test() && (under(local, "policies") || fixtures(local)):
		return ""
	default:
		return "a service knows its own packages, the platform and proto"
	}
}

// fixtures tells whether the package is one that a service offers to the tests of others.
func fixtures(local string) bool {
	parts := strings.Split(local, "/")
	return len(parts) == 3 && parts[0] == "services" && parts[2] == parts[1]+"test"
}

func unless(allowed bool, why string) string {
	if allowed {
		return ""
	}
	return why
}

// under tells whether dir is one of tops or lies below one.
func under(dir string, tops ...string) bool {
	return slices.ContainsFunc(tops, func(top string) bool { return dir == top || strings.HasPrefix(dir, top+"/") })
}

func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// goFiles reads the imports of every Go file, tests included.
func goFiles(t *testing.T) (files []goFile) {
	t.Helper()
	top := repository(t)
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && outside(entry.Name()) && name != top {
			return fs.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		local, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		file := goFile{dir: path.Dir(filepath.ToSlash(local)), name: entry.Name()}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			file.imports = append(file.imports, imported)
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	return files
}

// outside names directories that are not the project's own text: tools, caches, the demo's data, what a build leaves.
func outside(name string) bool {
	return strings.HasPrefix(name, ".") || name == "bin" || name == "node_modules"
}

// repository is the directory of go.mod.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("go.mod not found above the working directory")
		}
		dir = parent
	}
}
