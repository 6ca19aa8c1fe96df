package e2e_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
)

// goldCase is one of the twenty cases, with what stands in it that points at a person.
type goldCase struct {
	ID    string
	Text  string
	Spans []struct{ Type, Text string }
}

func goldCases(t *testing.T) (all []goldCase) {
	t.Helper()
	file, err := os.Open("../deid/samples/cases.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c goldCase
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// numbers are the things in a text that point at one person by themselves; they may never be left.
var numbers = []string{"BSN", "IBAN", "EMAIL", "PHONE"}

// The twenty cases go in through the interface that a person uses.
func TestTheTwentyCasesGoInAsAPersonWritesThem(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{members: 1})
	author := f.invite(f.members[0], "Aagje Molenwiek", "team-oost", "professional")
	m := &team{f: f, owner: f.members[0], author: author}
	cases := goldCases(t)
	if len(cases) != 20 {
		t.Fatalf("there are %d cases", len(cases))
	}
	hidden := 0
	for _, g := range cases {
		f.hide("the story "+g.ID, g.Text[:40])
		c := m.draft(&casesv1.CreateCaseRequest{
			RequestId: uuid.NewString(), WhatHappened: g.Text, Question: "Hoe zouden jullie dit aanpakken?", Title: "Verhaal " + g.ID,
		})
		if c.GetWhatHappened() != g.Text {
			t.Errorf("%s: the author does not read their own words", g.ID)
		}
		rendition := c.GetRendition().GetWhatHappened()
		if rendition == "" || c.GetRendition().GetRisk().GetSentence() == "" {
			t.Errorf("%s: no rendition, or no risk", g.ID)
		}
		for _, s := range g.Spans {
			if !slices.Contains(numbers, s.Type) {
				continue
			}
			hidden++
			f.hide("a "+s.Type+" of "+g.ID, s.Text)
			if strings.Contains(rendition, s.Text) || strings.Contains(squeezed(rendition), squeezed(s.Text)) {
				t.Errorf("%s: a %s is left in what others read", g.ID, s.Type)
			}
		}
	}
	if hidden == 0 {
		t.Error("the twenty cases hold no number at all: nothing was proved")
	}
	var list casesv1.ListCasesResponse
	author.must(http.MethodGet, "/cases?pageSize=100", nil, &list)
	if len(list.GetCases()) != len(cases) {
		t.Errorf("the author finds %d of %d cases", len(list.GetCases()), len(cases))
	}
	rows := f.members[0].rows(t)
	for _, g := range cases {
		nowhere(t, f.members[0], rows, "the story "+g.ID, g.Text[:40])
	}
}

// squeezed leaves out what people put between the parts of a number.
func squeezed(s string) string { return strings.NewReplacer(" ", "", "-", "", ".", "").Replace(s) }
