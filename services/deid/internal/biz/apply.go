package biz

import (
	"errors"
	"sort"
	"strings"
)

// Replacement puts Text in the place of code points [Start, End).
type Replacement struct {
	Start, End int
	Text       string
}

// Apply refuses these; it never quotes the text.
var (
	ErrOutside = errors.New("deid: replacement outside the text")
	ErrOverlap = errors.New("deid: replacements overlap")
)

// Apply replaces every span at once. Overlapping replacements are refused: Resolve first.
func Apply(text string, reps []Replacement) (string, error) {
	r := []rune(text)
	order := append([]Replacement(nil), reps...)
	sort.SliceStable(order, func(i, j int) bool { return order[i].Start < order[j].Start })
	var sb strings.Builder
	pos := 0
	for _, p := range order {
		if p.Start < 0 || p.End > len(r) || p.Start >= p.End {
			return "", ErrOutside
		}
		if p.Start < pos {
			return "", ErrOverlap
		}
		sb.WriteString(string(r[pos:p.Start]))
		sb.WriteString(valid(p.Text))
		pos = p.End
	}
	sb.WriteString(string(r[pos:]))
	return sb.String(), nil
}

// Resolve merges overlapping spans of one text, for instance the engine's and the author's own: the union is replaced,
// so nothing of either survives, under the type, entity and proposal of the surer one (of equals, the longer).
func Resolve(spans []Span) []Span {
	order := append([]Span(nil), spans...)
	sort.SliceStable(order, func(i, j int) bool { return order[i].Start < order[j].Start })
	out := make([]Span, 0, len(order))
	for _, s := range order {
		if s.End <= s.Start {
			continue
		}
		if len(out) == 0 || out[len(out)-1].End <= s.Start {
			out = append(out, s)
			continue
		}
		l := &out[len(out)-1]
		winner := *l
		if s.Confidence > l.Confidence || s.Confidence == l.Confidence && s.End-s.Start > l.End-l.Start {
			winner = s
		}
		text := l.Text
		if s.End > l.End {
			if tail := []rune(s.Text); len(tail) == s.End-s.Start {
				text += string(tail[l.End-s.Start:])
			}
		}
		winner.Start, winner.End, winner.Text = l.Start, max(l.End, s.End), text
		*l = winner
	}
	return out
}

// Replacements takes over every proposal.
func Replacements(spans []Span) []Replacement {
	out := make([]Replacement, len(spans))
	for i, s := range spans {
		out[i] = Replacement{Start: s.Start, End: s.End, Text: s.Proposal}
	}
	return out
}
