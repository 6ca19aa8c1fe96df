// Package biz holds the rules of a practice case: its states, which revision the
// resident's yes and the release hold for, what others read, and when sharing is
// over. It never reads a clock, a database or a key.
package biz

import (
	"errors"
	"slices"
)

// Text is what someone wrote, or what others read of it. Every field goes through
// deid, the theme too: it leaves the organisation like the rest.
type Text struct {
	WhatHappened string
	Question     string
	Title        string
	Theme        string
}

// FieldNames in the order of Text.Fields.
var FieldNames = []string{"what-happened", "question", "title", "theme"}

// Fields in reading order.
func (t Text) Fields() []string { return []string{t.WhatHappened, t.Question, t.Title, t.Theme} }

// TextOf is the reverse of Fields.
func TextOf(fields []string) Text {
	return Text{WhatHappened: fields[0], Question: fields[1], Title: fields[2], Theme: fields[3]}
}

// Risk that is left in what others read.
type Risk struct {
	Level    int16
	Sentence string
	Factors  []string
}

// ErrSpans says that findings do not fit the text: they overlap or lie outside it.
var ErrSpans = errors.New("findings do not fit the text")

// Render gives what others read: every finding that the author did not keep is
// replaced. It fails while a choice is open.
func Render(t Text, proposals []Proposal) (Text, error) {
	fields := t.Fields()
	for i, text := range fields {
		var own []Proposal
		for _, p := range proposals {
			if p.Field == i {
				own = append(own, p)
			}
		}
		var err error
		if fields[i], err = render(text, own); err != nil {
			return Text{}, err
		}
	}
	return TextOf(fields), nil
}

func render(text string, proposals []Proposal) (string, error) {
	slices.SortFunc(proposals, func(a, b Proposal) int { return int(a.Start) - int(b.Start) })
	points := []rune(text)
	var out []rune
	at := 0
	for _, p := range proposals {
		start, end := int(p.Start), int(p.End)
		if start < at || end <= start || end > len(points) {
			return "", ErrSpans
		}
		out = append(out, points[at:start]...)
		switch p.Choice {
		case Replace:
			out = append(out, []rune(p.Replacement)...)
		case Keep:
			out = append(out, points[start:end]...)
		default:
			return "", errors.New("a choice is open")
		}
		at = end
	}
	return string(append(out, points[at:]...)), nil
}
