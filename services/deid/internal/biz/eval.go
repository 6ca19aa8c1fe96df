package biz

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Case is one annotated text of an evaluation set. A span of the type NEUTRAL is neither right nor wrong to replace.
type Case struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Spans []Span `json:"spans"`
}

// MaxLine is the longest line that a JSON-lines reader accepts: a text at its limit, escaped.
const MaxLine = 8 << 20

// ReadCases reads one JSON object a line and checks that every span lies where it says.
func ReadCases(r io.Reader) ([]Case, error) {
	var out []Case
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), MaxLine)
	for n := 1; in.Scan(); n++ {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		var c Case
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			return nil, fmt.Errorf("line %d: not a case", n)
		}
		runes := []rune(c.Text)
		for _, s := range c.Spans {
			if s.Start < 0 || s.Start >= s.End || s.End > len(runes) || s.Text != "" && string(runes[s.Start:s.End]) != s.Text {
				return nil, fmt.Errorf("line %d: a span does not lie where it says", n)
			}
		}
		out = append(out, c)
	}
	return out, in.Err()
}

// Tally counts gold spans: how many there are, are touched, wholly covered, matched exactly, and touched by their type.
type Tally struct{ N, Overlap, Covered, Exact, Typed int }

func (t *Tally) add(o Tally) {
	t.N, t.Overlap, t.Covered, t.Exact, t.Typed = t.N+o.N, t.Overlap+o.Overlap, t.Covered+o.Covered, t.Exact+o.Exact, t.Typed+o.Typed
}

// Evaluation measures the engine (never a person) against annotated texts.
type Evaluation struct {
	Types                      map[Type]Tally
	Order                      []Type
	TruePositive, GoldTokens   int
	GoldCovered                int
	Documents                  int
	WithoutDirect, WithoutBoth int // documents in which no direct, no direct or indirect span leaks
	WithoutAny                 int
	Entities, EntitiesCovered  int
	Leaks, Extra               []string // the words that leaked, and those needlessly replaced
}

var evalParticles = set("van de der den het in t en te ter ten v d of met nr bis")
var evalTitles = set("dhr heer mevrouw mevr mw mej meneer dr drs mr ir ing ds prof mejuffrouw")

func evalWords(r []rune, a, b int) [][2]int {
	var out [][2]int
	for i := a; i < b; {
		if !(unicode.IsLetter(r[i]) || unicode.IsNumber(r[i]) || r[i] == '_') {
			i++
			continue
		}
		j := i
		for j < b && (unicode.IsLetter(r[j]) || unicode.IsNumber(r[j]) || r[j] == '_') {
			j++
		}
		out = append(out, [2]int{i, j})
		i = j
	}
	return out
}

// Evaluate compares predicted spans, per case id, with the annotated ones.
func Evaluate(gold []Case, predicted map[string][]Span) Evaluation {
	e := Evaluation{Types: make(map[Type]Tally), Documents: len(gold)}
	entities := make(map[string]bool)
	known := make(map[Type]int) // 1 direct, 2 indirect, 3 quasi
	for class, types := range [][]Type{DirectTypes, IndirectTypes, QuasiTypes} {
		for _, t := range types {
			known[t] = class + 1
		}
	}
	for _, c := range gold {
		e.one(c, predicted[c.ID], entities, known)
	}
	for _, types := range [][]Type{DirectTypes, IndirectTypes, QuasiTypes} {
		for _, t := range types {
			if e.Types[t].N > 0 {
				e.Order = append(e.Order, t)
			}
		}
	}
	e.Entities = len(entities)
	for _, ok := range entities {
		if ok {
			e.EntitiesCovered++
		}
	}
	return e
}

func (e *Evaluation) one(c Case, spans []Span, entities map[string]bool, known map[Type]int) {
	r := []rune(c.Text)
	mask := make([]bool, len(r))
	for _, p := range spans {
		for k := max(0, p.Start); k < min(len(r), p.End); k++ {
			mask[k] = true
		}
	}
	label := make([]int, len(r)) // 1 gold, 2 neutral
	leaks := [4]bool{}
	for _, s := range c.Spans {
		for k := s.Start; k < s.End; k++ {
			if s.Type != "NEUTRAL" {
				label[k] = 1
			} else if label[k] == 0 {
				label[k] = 2
			}
		}
		if s.Type == "NEUTRAL" {
			continue
		}
		t := Tally{N: 1}
		for k := s.Start; k < s.End && t.Overlap == 0; k++ {
			t.Overlap = b01(mask[k])
		}
		need := evalWords(r, s.Start, s.End)
		strict := need[:0:0]
		for _, w := range need {
			if !evalParticles[strings.ToLower(string(r[w[0]:w[1]]))] {
				strict = append(strict, w)
			}
		}
		if len(strict) == 0 {
			strict = need
		}
		t.Covered = 1
		for _, w := range strict {
			for k := w[0]; k < w[1]; k++ {
				t.Covered &= b01(mask[k])
			}
		}
		for _, p := range spans {
			t.Exact |= b01(p.Start == s.Start && p.End == s.End)
			t.Typed |= b01(p.Start < s.End && p.End > s.Start && p.Type == s.Type)
		}
		sum := e.Types[s.Type]
		sum.add(t)
		e.Types[s.Type] = sum
		if s.Entity != "" {
			if ok, seen := entities[s.Entity]; !seen || ok {
				entities[s.Entity] = t.Covered == 1
			}
		}
		if t.Covered == 0 {
			leaks[known[s.Type]] = true
			e.Leaks = append(e.Leaks, c.ID+" "+string(s.Type)+" "+string(r[s.Start:s.End]))
		}
	}
	e.WithoutDirect += b01(!leaks[1])
	e.WithoutBoth += b01(!leaks[1] && !leaks[2])
	e.WithoutAny += b01(!leaks[0] && !leaks[1] && !leaks[2] && !leaks[3])
	e.tokens(c.ID, r, mask, label)
}

func (e *Evaluation) tokens(id string, r []rune, mask []bool, label []int) {
	for _, w := range evalWords(r, 0, len(r)) {
		masked, touched, l := true, false, 0
		for k := w[0]; k < w[1]; k++ {
			masked, touched = masked && mask[k], touched || mask[k]
			if label[k] == 1 || l == 0 {
				l = label[k]
			}
		}
		if !mask[w[0]] {
			masked = touched
		}
		word := strings.ToLower(string(r[w[0]:w[1]]))
		if evalParticles[word] || l == 0 && evalTitles[word] {
			continue
		}
		switch {
		case l == 1:
			e.GoldTokens++
			e.GoldCovered += b01(masked)
			e.TruePositive += b01(masked)
		case masked && l == 0:
			e.Extra = append(e.Extra, id+" "+string(r[w[0]:w[1]]))
		}
	}
}

func b01(b bool) int {
	if b {
		return 1
	}
	return 0
}

func percent(a, b int) float64 {
	if b == 0 {
		return 100
	}
	return 100 * float64(a) / float64(b)
}

// Table writes the measures as text.
func (e Evaluation) Table(w io.Writer) error {
	var sb strings.Builder
	fmt.Fprintf(&sb, "%-16s %5s %8s %8s %8s %8s\n", "type", "n", "overlap", "covered", "exact", "typed")
	row := func(name string, t Tally) {
		if t.N > 0 {
			fmt.Fprintf(&sb, "%-16s %5d %7.1f%% %7.1f%% %7.1f%% %7.1f%%\n", name, t.N, percent(t.Overlap, t.N), percent(t.Covered, t.N), percent(t.Exact, t.N), percent(t.Typed, t.N))
		}
	}
	for _, t := range e.Order {
		row(string(t), e.Types[t])
	}
	sum := Tally{}
	for k, types := range [][]Type{DirectTypes, IndirectTypes, QuasiTypes} {
		for _, t := range types {
			sum.add(e.Types[t])
		}
		row([]string{"= DIRECT", "= DIRECT+INDIR", "= ALL"}[k], sum)
	}
	p, r := percent(e.TruePositive, e.TruePositive+len(e.Extra)), percent(e.GoldCovered, e.GoldTokens)
	f1 := 0.0
	if p+r > 0 {
		f1 = 2 * p * r / (p + r)
	}
	fmt.Fprintf(&sb, "token precision %.1f%%  recall %.1f%%  F1 %.1f%%  (false-positive tokens %d)\n", p, r, f1, len(e.Extra))
	fmt.Fprintf(&sb, "zero-leak documents: direct %.1f%%  direct+indirect %.1f%%  all %.1f%%  of %d\n", percent(e.WithoutDirect, e.Documents),
		percent(e.WithoutBoth, e.Documents), percent(e.WithoutAny, e.Documents), e.Documents)
	if e.Entities > 0 {
		fmt.Fprintf(&sb, "person-entity recall (all mentions covered) %.1f%% of %d\n", percent(e.EntitiesCovered, e.Entities), e.Entities)
	}
	_, err := io.WriteString(w, sb.String())
	return err
}
