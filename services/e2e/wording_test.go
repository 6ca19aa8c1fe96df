package e2e_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// weighing are words that would make this a yardstick: no name, column, field or sentence on screen has one. English and Dutch.
var weighing = []string{
	"score", "scores", "scored", "scoring", "scorecard", "rating", "ratings", "kpi", "kpis", "compliance", "compliant",
	"ranking", "rankings", "leaderboard", "league", "benchmarked",
	"ranglijst", "rapportcijfer", "normscore",
}

var (
	word      = regexp.MustCompile(`[\pL]+`)
	humps     = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)
	acronym   = regexp.MustCompile(`(\p{Lu})(\p{Lu}\p{Ll})`)
	generated = regexp.MustCompile(`\.pb\.go$|\.pb\.gw\.go$|_templ\.go$|/openapi\.json$`)
)

// TestNothingWeighsPeople reads the product's own text, names and comments included. Test data is people's language and is left alone.
func TestNothingWeighsPeople(t *testing.T) {
	t.Parallel()
	top := repository(t)
	extensions := []string{".go", ".proto", ".sql", ".rego", ".yaml", ".yml", ".templ", ".ts", ".css"}
	read := 0
	for _, dir := range []string{"gateway", "policies", "proto/zijlicht", "services"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() && (outside(entry.Name()) || entry.Name() == "testdata") {
				return fs.SkipDir
			}
			if entry.IsDir() || entry.Name() == "wording_test.go" || generated.MatchString(filepath.ToSlash(name)) ||
				!slices.Contains(extensions, filepath.Ext(name)) {
				return nil
			}
			read++
			return weighingWords(t, name)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read == 0 {
		t.Fatal("no files read")
	}
}

func weighingWords(t *testing.T, name string) error {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		for _, found := range split(lines.Text()) {
			if slices.Contains(weighing, found) {
				t.Errorf("%s:%d: %q weighs people; say what happened instead", name, number, found)
			}
		}
	}
	return lines.Err()
}

// split gives the words of a line, also those inside a name: reviewScore, review_score and KPIName each have two.
func split(line string) (words []string) {
	line = acronym.ReplaceAllString(humps.ReplaceAllString(line, "$1 $2"), "$1 $2")
	for _, found := range word.FindAllString(line, -1) {
		words = append(words, strings.ToLower(found))
	}
	return words
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"reviewScore int":     {"review", "score", "int"},
		"review_score":        {"review", "score"},
		"KPIName":             {"kpi", "name"},
		"// Underscored text": {"underscored", "text"},
	} {
		if got := split(line); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}
