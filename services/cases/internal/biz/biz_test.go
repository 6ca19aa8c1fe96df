package biz

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// spans draws findings in order without overlap, each with a choice.
func spans(t *rapid.T, field int, text string) (all []Proposal) {
	points := []rune(text)
	for at := 0; at < len(points); {
		start := at + rapid.IntRange(0, 5).Draw(t, "gap")
		end := start + rapid.IntRange(1, 6).Draw(t, "length")
		if end > len(points) {
			break
		}
		all = append(all, Proposal{
			Field: field, Start: uint32(start), End: uint32(end), Type: "PERSON", Text: string(points[start:end]),
			Replacement: rapid.SampledFrom([]string{"", "[persoon]", "é"}).Draw(t, "label"),
			Choice:      rapid.SampledFrom([]string{Replace, Keep}).Draw(t, "choice"),
		})
		at = end
	}
	return all
}

var texts = rapid.StringMatching(`[a-zé😀 ]{0,60}`)

func TestRender(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := texts.Draw(t, "text")
		all := spans(t, 1, text)
		got, err := Render(Text{WhatHappened: text, Question: text}, rapid.Permutation(all).Draw(t, "order"))
		if err != nil {
			t.Fatal(err)
		}
		// What is outside every finding stays, and nothing else does.
		var want strings.Builder
		at := uint32(0)
		points := []rune(text)
		for _, p := range all {
			want.WriteString(string(points[at:p.Start]))
			if p.Choice == Keep {
				want.WriteString(p.Text)
			} else {
				want.WriteString(p.Replacement)
			}
			at = p.End
		}
		want.WriteString(string(points[at:]))
		if got.Question != want.String() || got.WhatHappened != text || !utf8.ValidString(got.Question) {
			t.Fatalf("rendered %q, want %q", got.Question, want.String())
		}
	})
}

func TestRenderRefuses(t *testing.T) {
	t.Parallel()
	for name, all := range map[string][]Proposal{
		"an open choice": {{Start: 0, End: 1, Choice: Open}},
		"overlap":        {{Start: 0, End: 3, Choice: Keep}, {Start: 2, End: 4, Choice: Keep}},
		"past the end":   {{Start: 3, End: 5, Choice: Replace}},
		"empty":          {{Start: 1, End: 1, Choice: Replace}},
		"backwards":      {{Start: 3, End: 1, Choice: Replace}},
	} {
		if _, err := Render(Text{WhatHappened: "Jan."}, all); err == nil {
			t.Errorf("%s was rendered", name)
		}
	}
}

func TestCarry(t *testing.T) {
	t.Parallel()
	earlier := []Proposal{
		{Type: "PERSON", Text: "Jan", Choice: Replace, Replacement: "de buurman"},
		{Type: "PERSON", Text: "Fatima", Choice: Keep},
		{Type: "PERSON", Text: "Mirjam", Choice: Open},
		{Type: "PERSON", Text: "Bos", Choice: Keep},
		{Type: "PERSON", Text: "Bos", Choice: Replace, Replacement: "[achternaam]"},
	}
	found := []Proposal{
		{Type: "PERSON", Text: "Jan", Replacement: "[persoon A]"}, {Type: "PERSON", Text: "Fatima"}, {Type: "PERSON", Text: "Mirjam"},
		{Type: "PERSON", Text: "Bos", Replacement: "x"}, {Type: "LOCATION", Text: "Jan"}, {Type: "PERSON", Text: "Piet"},
	}
	want := []string{Replace, Keep, Open, Open, Open, Open}
	for i, p := range Carry(earlier, found) {
		if p.Choice != want[i] {
			t.Errorf("%s: %s, want %s", p.Text, p.Choice, want[i])
		}
		if p.Text == "Jan" && p.Type == "PERSON" && p.Replacement != "de buurman" {
			t.Errorf("renamed to %q", p.Replacement)
		}
	}
}

// TestCarryTellsPeopleApart: people come and go between revisions, and no two ever share a label.
func TestCarryTellsPeopleApart(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var earlier []Proposal
		labels := map[string]string{}
		for range rapid.IntRange(1, 5).Draw(t, "revisions") {
			people := rapid.SliceOfN(rapid.SampledFrom([]string{"Jan", "Fatima", "Mirjam", "Piet", "Bos"}), 0, 8).Draw(t, "mentions")
			var found []Proposal
			fresh := map[string]string{}
			for _, who := range people {
				if fresh[who] == "" {
					fresh[who] = "Persoon " + string(rune('A'+len(fresh)))
				}
				form := rapid.SampledFrom([]string{who, "meneer " + who}).Draw(t, "form")
				found = append(found, Proposal{Type: "PERSON", Text: form, Entity: who, Replacement: fresh[who]})
			}
			carried := Carry(earlier, found)
			now := map[string]string{}
			for _, p := range carried {
				if other, ok := now[p.Replacement]; ok && other != p.Entity {
					t.Fatalf("%s and %s are both %s", other, p.Entity, p.Replacement)
				}
				now[p.Replacement] = p.Entity
				if p.Choice != Open && labels[p.Entity] != p.Replacement {
					t.Fatalf("%s was %s and is %s", p.Entity, labels[p.Entity], p.Replacement)
				}
			}
			earlier, _, _ = Choose(carried, nil, true)
			labels = map[string]string{}
			for _, p := range earlier {
				labels[p.Entity] = p.Replacement
			}
		}
	})
}

// TestNothingWidens walks random lives of a case: it is never open to others
// without a release and a rendition of what is there now, and only a pure removal
// keeps an earlier basis.
func TestNothingWidens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := Case{Status: Draft, Audience: Team, Revision: 1, BasisRevision: 1, Risk: NoRisk}
		now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			before := c
			switch rapid.SampledFrom([]string{"edit", "complete", "release", "publish", "close"}).Draw(t, "step") {
			case "edit":
				if c.Status != Closed {
					c.Edit()
					if c.Status != Draft || c.BasisRevision != c.Revision || c.Rendered() {
						t.Fatalf("open after an edit: %+v", c)
					}
				}
			case "complete":
				if c.Rendered() || c.Status == Closed {
					continue
				}
				pure := rapid.Bool().Draw(t, "pure removal")
				c.Complete(0, pure)
				if !pure && (c.Status != Draft || c.BasisRevision != c.Revision) {
					t.Fatalf("an addition kept its basis: %+v", c)
				}
				if pure && before.KeptBasis > 0 && (c.BasisRevision != before.KeptBasis || c.Status != before.KeptStatus) {
					t.Fatalf("a removal lost its basis: %+v", c)
				}
			case "release":
				_ = c.Release("second")
			case "publish":
				_, _ = c.Publish("kring")
			case "close":
				c.Close(Stopped, now)
			}
			if before.Status == Closed && c.Status != Closed {
				t.Fatalf("opened again: %+v", c)
			}
			if (c.Status == Released || c.Status == Published) && (!c.Rendered() || c.ReleasedBy == "" || c.ReleaseRevision != c.BasisRevision) {
				t.Fatalf("open without release or rendition: %+v", c)
			}
			if c.BasisRevision > c.Revision || c.BasisRevision < 1 || (c.KeptBasis == 0) != (c.KeptStatus == "") {
				t.Fatalf("impossible: %+v", c)
			}
		}
	})
}

func TestLapsed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	past, later := now, now.Add(time.Hour)
	for name, test := range map[string]struct {
		grants []Grant
		reason string
		lapsed bool
	}{
		"none":                {nil, Expired, false},
		"holds":               {[]Grant{{"granted", later}}, "", false},
		"over at this moment": {[]Grant{{"granted", past}}, Expired, true},
		"withdrawn":           {[]Grant{{Withdrawn, later}, {Expired, past}}, Withdrawn, true},
		"one of two":          {[]Grant{{Withdrawn, later}, {"granted", later}}, "", false},
		"a signer missing":    {[]Grant{{"guardian-missing", later}}, "", false},
	} {
		if reason, lapsed := Lapsed(test.grants, now); lapsed != test.lapsed || lapsed && reason != test.reason {
			t.Errorf("%s: %q, %v", name, reason, lapsed)
		}
	}
}
