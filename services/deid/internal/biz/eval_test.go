package biz

import (
	"os"
	"strings"
	"testing"
)

func readCases(t *testing.T) []Case {
	t.Helper()
	f, err := os.Open("../../samples/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cases, err := ReadCases(f)
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// The table is shown, not judged: a threshold here would reward tuning to these twenty texts.
func TestTable(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	predicted := make(map[string][]Span)
	for _, c := range cases {
		runes := []rune(c.Text)
		predicted[c.ID] = Inspect(c.Text, Options{}).Spans
		for _, s := range predicted[c.ID] {
			if got := string(runes[s.Start:s.End]); got != s.Text {
				t.Fatalf("%s: span text and offsets differ", c.ID)
			}
		}
	}
	e := Evaluate(cases, predicted)
	var sb strings.Builder
	if err := e.Table(&sb); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s\nleaks:\n  %s\nextra:\n  %s", sb.String(), strings.Join(e.Leaks, "\n  "), strings.Join(e.Extra, "\n  "))
}

func TestGoldAgainstItself(t *testing.T) {
	t.Parallel()
	cases := readCases(t)
	predicted := make(map[string][]Span)
	for _, c := range cases {
		predicted[c.ID] = c.Spans
	}
	e := Evaluate(cases, predicted)
	for typ, n := range e.Types {
		if n.Overlap != n.N || n.Covered != n.N || n.Exact != n.N || n.Typed != n.N {
			t.Errorf("%s: %+v", typ, n)
		}
	}
	if len(e.Leaks)+len(e.Extra) != 0 || e.WithoutAny != e.Documents || e.EntitiesCovered != e.Entities || e.GoldCovered != e.GoldTokens {
		t.Errorf("gold against itself: leaks %v, extra %v", e.Leaks, e.Extra)
	}
}
