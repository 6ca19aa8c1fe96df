package policies

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
)

func refusals(t *testing.T) *Refusals {
	t.Helper()
	r, err := LoadRefusals()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// codesInRules finds every dotted code that a rule can give.
func codesInRules(t *testing.T) []string {
	t.Helper()
	code := regexp.MustCompile(`"code": "([a-z_.]+)"`)
	listed := regexp.MustCompile(`(?m)^\t"([a-z]+\.[a-z_]+)",$`)
	told := regexp.MustCompile(`(?m)"([a-z_.]+)"`)
	var codes []string
	err := fs.WalkDir(Bundle(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".rego") {
			return err
		}
		raw, err := fs.ReadFile(Bundle(), name)
		for _, m := range code.FindAllSubmatch(raw, -1) {
			codes = append(codes, string(m[1]))
		}
		if name == "federation/floor.rego" {
			i := bytes.Index(raw, []byte("codes := ["))
			for _, m := range listed.FindAllSubmatch(raw[i:], -1) {
				codes = append(codes, string(m[1]))
			}
			i = bytes.Index(raw, []byte("told_outside := {"))
			for _, m := range told.FindAllSubmatch(raw[i:], -1) {
				codes = append(codes, string(m[1]))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(codes) < 60 {
		t.Fatalf("only %d codes found in the rules", len(codes))
	}
	return codes
}

func TestEveryCodeOfTheRulesHasASentence(t *testing.T) {
	t.Parallel()
	for _, code := range codesInRules(t) {
		if !refusals(t).Has(code) {
			t.Errorf("%s has no sentence", code)
		}
	}
}

func TestEveryCodeThatAServiceGivesHasASentence(t *testing.T) {
	t.Parallel()
	given := regexp.MustCompile(`fault\.(?:WrongState|Refused)\("([a-z._]+)"\)`)
	found := 0
	err := fs.WalkDir(os.DirFS("../services"), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		raw, err := fs.ReadFile(os.DirFS("../services"), name)
		for _, m := range given.FindAllSubmatch(raw, -1) {
			found++
			if !refusals(t).Has(string(m[1])) {
				t.Errorf("%s: %s has no sentence", name, m[1])
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Fatal("no codes found in the services")
	}
}

func TestEveryTransportReasonHasASentence(t *testing.T) {
	t.Parallel()
	values := faultv1.Reason(0).Descriptor().Values()
	for i := range values.Len() {
		v := values.Get(i)
		if v.Number() != 0 && !refusals(t).Has(string(v.Name())) {
			t.Errorf("%s has no sentence", v.Name())
		}
	}
}

func TestReadersSeeOneSentence(t *testing.T) {
	t.Parallel()
	sentence, next := refusals(t).Sentence("case.closed", true)
	for _, code := range []string{"consent.withdrawn", "consent.expired", "case.removed"} {
		s, n := refusals(t).Sentence(code, true)
		if s != sentence || n != next {
			t.Errorf("%s reads differently: %q %q", code, s, n)
		}
		if s, _ := refusals(t).Sentence(code, false); s == sentence {
			t.Errorf("%s: the owner does not see why", code)
		}
	}
	if s, _ := refusals(t).Sentence("case.paused", true); s != sentence {
		t.Errorf("case.paused reads differently: %q", s)
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	hiddenSentence, hiddenNext := refusals(t).Sentence("not_found", true)
	tests := map[string]struct {
		code    string
		outside bool
		want    string
		hidden  bool
	}{
		"owner only, outside":  {"consent.absent", true, "", true},
		"owner only, inside":   {"consent.absent", false, "nog geen ja", false},
		"reader only, inside":  {"group.too_small", false, "zo klein", false},
		"not known":            {"no.such_code", false, "", true},
		"transport":            {"REASON_TOO_LARGE", true, "te lang", false},
		"upper snake":          {"CONSENT_TEXT_CHANGED", false, "veranderd", false},
		"transport, dotted":    {"check.unavailable", true, "Er is niets kwijt", false},
		"transport in lower":   {"too_large", false, "te lang", false},
		"no sentence is empty": {"", false, "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sentence, next := refusals(t).Sentence(tt.code, tt.outside)
			if tt.hidden != (sentence == hiddenSentence && next == hiddenNext) || !strings.Contains(sentence, tt.want) || next == "" {
				t.Errorf("Sentence(%q, %v) = %q, %q", tt.code, tt.outside, sentence, next)
			}
		})
	}
}

func TestNoPlaceStaysOpen(t *testing.T) {
	t.Parallel()
	r := refusals(t)
	for code, w := range r.words {
		for _, text := range []string{w.Reader, w.Owner, w.Next, w.NextOwner} {
			for _, p := range place.FindAllString(text, -1) {
				if r.missing[p[1:len(p)-1]] == "" {
					t.Errorf("%s: no words for an absent %s", code, p)
				}
			}
			if strings.ContainsAny(place.ReplaceAllString(text, ""), "{}") {
				t.Errorf("%s: a place with another name than English lower case: %q", code, text)
			}
		}
	}
	got, _ := r.Explain("consent.expired", false, map[string]string{"date": "1 mei 2027"})
	if want := "De afgesproken tijd is voorbij, op 1 mei 2027."; got != want {
		t.Errorf("Explain = %q, want %q", got, want)
	}
	got, _ = r.Sentence("consent.expired", false)
	if want := "De afgesproken tijd is voorbij, op een eerdere datum."; got != want {
		t.Errorf("Sentence = %q, want %q", got, want)
	}
}

func TestMalformedTextsAreRefused(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"empty":         ``,
		"other format":  "format: zijlicht.refusals/9\n",
		"unknown field": "format: zijlicht.refusals/1\nextra: 1\n",
		"twice":         "format: zijlicht.refusals/1\nrefusals:\n- {code: a.b, owner: x, next: y}\n- {code: a.b, owner: x, next: y}\n",
		"no next":       "format: zijlicht.refusals/1\nrefusals:\n- {code: a.b, owner: x}\n",
		"no hidden":     "format: zijlicht.refusals/1\nrefusals:\n- {code: a.b, owner: x, next: y}\n",
	} {
		if _, err := parseRefusals([]byte(raw)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
