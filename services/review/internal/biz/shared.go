package biz

import (
	"strings"
	"unicode/utf8"
)

// Limits of what an owner may answer with, as its own node keeps them.
const (
	maxText  = 256 << 10
	maxTitle = 4 << 10
)

// Presentable tells whether another organisation's answer can be shown: it is about
// the circle of the notice, no larger than a case can be, and without characters
// that turn the reading order around or hide what is there.
func Presentable(rightCircle bool, theme, title string, texts ...string) bool {
	if !rightCircle || len(theme) > maxTitle || len(title) > maxTitle {
		return false
	}
	for _, t := range append(texts, theme, title) {
		if len(t) > maxText || !utf8.ValidString(t) || strings.ContainsFunc(t, hides) {
			return false
		}
	}
	return true
}

// hides: NUL, and the overrides and isolates of the bidirectional algorithm (UAX 9).
func hides(r rune) bool {
	return r == 0 || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}
