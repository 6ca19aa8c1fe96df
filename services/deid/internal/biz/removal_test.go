package biz

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPureRemoval(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, after string
		pure          bool
	}{
		{"Jan woont in Hoorn.", "Persoon A woont in een stad.", true},
		{"Jan woont in Hoorn.", "woont.", true},
		{"Jan woont in Hoorn.", "Jan woont niet in Hoorn.", false},
		{"Jan woont in Hoorn.", "In Hoorn woont Jan.", false},
		{"Jan woont in Hoorn.", "Jan woont in een school Hoorn.", false},
		{"Persoon A sloeg Persoon B.", "Persoon B sloeg Persoon B.", false},
		{"Jan belt.", "Jan belt?", false},
		{"", "", true},
		{"Jan", "", true},
		{"", "Persoon A", false},
		{"Jan belt.", "Persoon A Persoon B.", false},
		{"Jan belt.", "Persoon A Persoon B Persoon C.", false},
	} {
		if got := PureRemoval(c.before, c.after, Options{}); got != c.pure {
			t.Errorf("%q -> %q: %v", c.before, c.after, got)
		}
	}
}

// An author alone can make a shared case say something that neither the resident nor the second reader ever saw, if
// dropping words keeps their word. None of these may pass for a removal.
func TestRemovalCannotAddMeaning(t *testing.T) {
	t.Parallel()
	const sentence = "Persoon A sloeg zijn vrouw niet. De wijkagent kwam langs. Het kind bleef veilig bij oma."
	for name, c := range map[string]struct{ before, after string }{
		"a denial dropped":           {sentence, "Persoon A sloeg zijn vrouw. De wijkagent kwam langs. Het kind bleef veilig bij oma."},
		"spelled out of two":         {sentence, "Persoon A sloeg Het kind."},
		"spelled out, last dropped":  {sentence, "Persoon A sloeg Het kind bij oma"},
		"two sentences joined":       {"Zij belde. Persoon A kwam dronken thuis.", "Zij kwam dronken thuis."},
		"doubt dropped":              {"Misschien drinkt zij.", "drinkt zij."},
		"the source dropped":         {"Volgens de buurman slaat zij.", "slaat zij."},
		"a question made a fact":     {"Slaat zij?", "Slaat zij"},
		"a condition dropped":        {"Zij zou slaan als zij dronk.", "Zij zou slaan dronk."},
		"a label with a new fact":    {"Het meisje huilde.", "Het minderjarige huilde."},
		"another age":                {"Zij is 43 jaar.", "Zij is tiener."},
		"a person for any word":      {"De buurman sloeg.", "Persoon A sloeg."},
		"one label for two":          {"Jan Bakker sloeg Piet Smit.", "Persoon A sloeg Persoon A."},
		"a label that was another's": {"Persoon A sloeg. Piet Smit huilde.", "Persoon A sloeg. Persoon A huilde."},
		"label for label":            {"Persoon A sloeg Persoon B.", "Persoon B sloeg Persoon A."},
		"words joined":               {"Zij heeft een ex man.", "Zij heeft een exman."},
		"words split":                {"Zij is onschuldig.", "Zij is on schuldig."},
		"zero width":                 {"Zij is weg.", "Zij is\u200b weg."},
		"a look-alike":               {"Zij is weg.", "Zij i\u0455 weg."},
		"a combining mark":           {"Zij is een.", "Zij is e\u0301e\u0301n."},
		"a digit dropped":            {"Zij heeft 120 euro.", "Zij heeft 12 euro."},
		"a mark dropped inside":      {"Zij heeft 1.200 euro.", "Zij heeft 1200 euro."},
		"moved":                      {"Zij sloeg hem. Hij huilde.", "Hij huilde. Zij sloeg hem."},
	} {
		if PureRemoval(c.before, c.after, Options{}) {
			t.Errorf("%s: %q -> %q", name, c.before, c.after)
		}
	}
}

func TestRemovalOfWholeSentencesAndNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, after string }{
		{"Zij belde niet. Hij kwam langs. Wij praatten.", "Zij belde niet. Wij praatten."},
		{"Zij belde niet. Hij kwam langs.", "Hij kwam langs."},
		{"Zij belde niet. Hij kwam langs.", ""},
		{"Zij belde gisteren heel lang met de school.", "Zij belde lang."},
		{"Jan Bakker belde Piet Smit. Jan Bakker kwam niet.", "Persoon A belde Persoon B. Persoon A kwam niet."},
		{"Zij zei: \"Ga weg!\" Hij ging.", "Zij zei: \"Ga weg!\""},
		{"Eerste\nJan kwam langs.", "Jan kwam langs."},
	} {
		if !PureRemoval(c.before, c.after, Options{}) {
			t.Errorf("%q -> %q", c.before, c.after)
		}
	}
}

// A name that only another text of the case gives away may be replaced there too.
func TestRemovalReadsTheTextsTogether(t *testing.T) {
	t.Parallel()
	before := []string{"Mevrouw Wietske Bakker belde.", "wietske kwam."}
	after := make([]string, len(before))
	for i, r := range InspectAll(before, Options{}) {
		var err error
		if after[i], err = Apply(before[i], Replacements(r.Spans)); err != nil {
			t.Fatal(err)
		}
	}
	if after[1] == before[1] || !PureRemovals(before, after, Options{}) {
		t.Errorf("%q", after)
	}
}

func TestRemovalProperties(t *testing.T) {
	t.Parallel()
	plain := []string{"zij", "belde", "de", "school", "gisteren", "heel", "lang", "over", "kinderen", "thuis"}
	rapid.Check(t, func(t *rapid.T) {
		sentences := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(append(plain, "niet", "misschien")), 1, 8), 1, 8).Draw(t, "sentences")
		var before, after, added []string
		for _, words := range sentences {
			s := strings.Join(words, " ") + "."
			before = append(before, s)
			if rapid.Bool().Draw(t, "keep") {
				after = append(after, s)
			}
		}
		old := strings.Join(before, " ")
		if !PureRemoval(old, strings.Join(after, " "), Options{}) {
			t.Fatalf("removing sentences is not pure: %q -> %q", before, after)
		}
		at := rapid.IntRange(0, len(after)).Draw(t, "at")
		added = append(append(append(added, after[:at]...), "fietsbel"), after[at:]...)
		if PureRemoval(old, strings.Join(added, " "), Options{}) {
			t.Fatalf("adding a word is pure: %q", added)
		}
	})
}
