package biz

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func find(t *testing.T, text string, o Options) map[string]Span {
	t.Helper()
	out := make(map[string]Span)
	for _, s := range Inspect(text, o).Spans {
		out[s.Text] = s
	}
	return out
}

func TestFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, span string
		typ        Type
	}{
		{"Zij sprak met mevrouw Brinkhuizen over de huur.", "Brinkhuizen", Person},
		{"mijn buurvrouw Fatma komt langs", "Fatma", Person},
		{"Het gaat om J.P. van der Zanden uit de flat.", "J.P. van der Zanden", Person},
		{"De zoon Tygo (8) slaapt slecht.", "Tygo", Person},
		{"De zoon Tygo (8) slaapt slecht.", "8", Age},
		{"gesproken met dhr van der meulen over de huur", "van der meulen", Person},
		{"Ze woont aan de Lange Nieuwstraat 12-14 met haar zus.", "Lange Nieuwstraat 12-14", Address},
		{"Hij woont op de Dorpsweg 9-1, niet meer thuis.", "Dorpsweg 9-1", Address},
		{"Het adres is 1234 AB volgens haar.", "1234 AB", Postcode},
		{"Bel 06-1234 5678 na vijf uur.", "06-1234 5678", Phone},
		{"Bel +31 (0)20 123 45 67 na vijf uur.", "+31 (0)20 123 45 67", Phone},
		{"Mail naar a.b-c@voorbeeld.nl.", "a.b-c@voorbeeld.nl", Email},
		{"Zie https://voorbeeld.nl/a?b=c, daar staat het.", "https://voorbeeld.nl/a?b=c", URL},
		{"Haar nummer is 123456782 zegt ze.", "123456782", BSN},
		{"BSN: 123456789 (klopt niet)", "123456789", BSN},
		{"Rekening NL91 ABNA 0417 1643 00 op naam.", "NL91 ABNA 0417 1643 00", IBAN},
		{"Zijn auto, 12-ABC-3, staat er nog.", "12-ABC-3", LicencePlate},
		{"Dossiernummer 2023/0456 ligt er.", "2023/0456", ID},
		{"Dat was op 17 april 2024 in de ochtend.", "17 april 2024", Date},
		{"Dat was op 3-12-2023 in de ochtend.", "3-12-2023", Date},
		{"Sinds oktober 2021 gaat het beter.", "oktober 2021", Date},
		{"Een veertienjarige jongen kwam langs.", "veertienjarige", Age},
		{"Zij is 42 jaar en werkt.", "42", Age},
		{"Haar kinderen zijn 6, 8 en 10.", "10", Age},
		{"Hij is Syrische vluchteling.", "Syrische", Nationality},
		{"Ze komt uit Ghana en werkt hier.", "Ghana", Nationality},
		{"Ze verhuisde naar Winterswijk met hem.", "Winterswijk", Location},
		{"Ze woont in Best met hem.", "Best", Location},
		{"De zoon zit op basisschool De Regenboog in groep vier.", "De Regenboog", Organisation},
		{"Ze is de enige imam van het dorp.", "imam", ProfessionRare},
	} {
		if got, ok := find(t, c.text, Options{})[c.span]; !ok || got.Type != c.typ {
			t.Errorf("%q: want %s %q, got %v", c.text, c.typ, c.span, find(t, c.text, Options{}))
		}
	}
}

func TestStaysReadable(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"Wij gebruiken Signs of Safety en bellen Veilig Thuis via Teams.",
		"De Wmo en de Jeugdwet botsen; het PGB loopt af.",
		"Best lastig. Goes het niet, dan bellen we dinsdag om 14.30 uur. De huur is 1.250 euro.",
		"In mei was er twee keer per week hulp, 2-3 uur. Samen eten helpt.",
		"Wil je dat bespreken? Mei is druk. Vertrouwen komt te voet.",
		"24/7 bereikbaar zijn kan niet. Bel 112 bij gevaar.",
		"WAT GING GOED\nWe hebben geluisterd.",
		"Ze woont al twaalf jaar hier en is tien jaar getrouwd.",
	} {
		if got := Inspect(text, Options{}).Spans; len(got) > 0 && !strings.HasPrefix(text, "Best") || len(got) > 1 {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestOneNameEverywhere(t *testing.T) {
	t.Parallel()
	r := InspectAll([]string{"Over Marijke", "Mevrouw Marijke Brinkhuizen belde. Brinkhuizen kwam later. Marijkes zus ook."}, Options{})
	if len(r[0].Spans) != 1 || len(r[1].Spans) != 3 {
		t.Fatalf("%v", r)
	}
	for _, s := range append(r[0].Spans, r[1].Spans...) {
		if s.Entity != "p1" || s.Proposal != "Persoon A" {
			t.Errorf("%+v", s)
		}
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	text := "Bel Wietske van Buurtkamer Zuid op 06-12345678, of mail wietske@voorbeeld.nl."
	got := find(t, text, Options{Allow: []string{"Wietske"}})
	if _, ok := got["Wietske"]; ok {
		t.Error("an allowed word was replaced")
	}
	if _, ok := got["wietske@voorbeeld.nl"]; !ok {
		t.Error("an address was spared because it contains an allowed word")
	}
	got = find(t, text, Options{Allow: []string{"Wietske"}, Deny: []string{"wietske", "buurtkamer zuid"}})
	if _, ok := got["Wietske"]; !ok {
		t.Error("deny yields to allow")
	}
	if _, ok := got["Buurtkamer Zuid"]; !ok {
		t.Error("a denied word was spared")
	}
	if got := find(t, text, Options{Allow: []string{"06-12345678"}}); got["06-12345678"].Text != "" {
		t.Error("an allowed number was replaced")
	}
}

func TestRisk(t *testing.T) {
	t.Parallel()
	for text, level := range map[string]int{
		"We hebben geluisterd en koffie gedronken.":                            0,
		"Er was een brand in de straat.":                                       1,
		"Een gezin met zeven kinderen, bekend van een brand.":                  2,
		"Mevrouw Brinkhuizen kwam langs.":                                      3,
		"Persoon A (in de dertig) woont in een stad en zit op een school.":     0,
		"Ze kwam in het voorjaar van een ander land naar een dorp in de regio": 0,
	} {
		if r := Inspect(text, Options{}).Risk; r.Level != level || r.Sentence == "" {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	if got, err := Apply("één twee drie", []Replacement{{9, 13, "3"}, {0, 3, "1"}}); err != nil || got != "1 twee 3" {
		t.Errorf("%q %v", got, err)
	}
	for _, reps := range [][]Replacement{{{0, 2, ""}, {1, 3, ""}}, {{-1, 2, ""}}, {{0, 99, ""}}, {{2, 2, "x"}}} {
		if _, err := Apply("één twee", reps); err == nil {
			t.Errorf("%v was accepted", reps)
		}
	}
	merged := Resolve([]Span{{Start: 4, End: 8, Text: "twee", Confidence: 0.5, Proposal: "a"}, {Start: 0, End: 6, Text: "één tw", Confidence: 0.9, Proposal: "b"}})
	if len(merged) != 1 || merged[0].End != 8 || merged[0].Text != "één twee" || merged[0].Proposal != "b" {
		t.Errorf("%+v", merged)
	}
}

// Applying the proposals twice changes nothing, leaves no text of a sure span, and only takes away.
func TestCasesAfterApply(t *testing.T) {
	t.Parallel()
	for _, c := range readCases(t) {
		spans := Inspect(c.Text, Options{}).Spans
		once, err := Apply(c.Text, Replacements(spans))
		if err != nil {
			t.Fatal(err)
		}
		if !PureRemoval(c.Text, once, Options{}) {
			t.Errorf("%s: own proposals are not a pure removal", c.ID)
		}
		again := Inspect(once, Options{}).Spans
		for _, s := range again {
			t.Errorf("%s: still finds %s %q\n%s", c.ID, s.Type, s.Text, once)
		}
	}
}

var someWords = []string{"Jan", "de", "Vries", "woont", "in", "Hoorn", "Persoon A", "een school", "mevrouw", "(27)", "is", "43", "op", "3 mei", "'s", ".",
	",", "bsn", "123456782", "é́", "🙂", "\n", "Van", "X.", "el", "Kerkstraat", "12", "tussen de 20 en 30", "kinderen", "zeven", "a@b.nl", "06", "12345678"}

func checkInspect(t interface{ Fatalf(string, ...any) }, text string, o Options) {
	runes := []rune(text)
	end := 0
	spans := Inspect(text, o).Spans
	for _, s := range spans {
		if s.Start < end || s.End <= s.Start || s.End > len(runes) || string(runes[s.Start:s.End]) != s.Text {
			t.Fatalf("offsets: %+v in %q", s, text)
		}
		if s.Confidence <= 0 || s.Confidence > 1 || s.Proposal == "" || s.Why == "" {
			t.Fatalf("incomplete: %+v", s)
		}
		end = s.End
		p := tokenise(s.Proposal)
		if labelAt(p, 0) != len(p) {
			t.Fatalf("proposal %q is not in the vocabulary", s.Proposal)
		}
	}
	out, err := Apply(text, Replacements(spans))
	if err != nil || !utf8.ValidString(out) {
		t.Fatalf("apply: %v", err)
	}
	if !PureRemoval(text, out, o) {
		t.Fatalf("not a pure removal: %q -> %q", text, out)
	}
	d := newDocument(out)
	d.hold()
	k := 0
	for _, s := range Inspect(out, o).Spans {
		for ; k < len(d.tok) && d.tok[k].end <= s.End; k++ {
			if d.tok[k].placed && d.tok[k].start >= s.Start {
				t.Fatalf("finds its own label: %+v in %q", s, out)
			}
		}
	}
}

func TestInspectProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(someWords), rapid.StringN(0, 6, 12)), 0, 30).Draw(t, "words")
		o := Options{Allow: rapid.SliceOfN(rapid.SampledFrom(someWords), 0, 2).Draw(t, "allow"), Deny: rapid.SliceOfN(rapid.SampledFrom(someWords[:6]), 0, 2).Draw(t, "deny")}
		checkInspect(t, strings.Join(words, " "), o)
	})
}

func FuzzInspect(f *testing.F) {
	for _, s := range []string{"", "\xff\xfe", "Jan de Vries (27), Kerkstraat 5", "SANTOS, Maria", "a@b.nl +31", "A.B.C.", "06-", "NL91", "bsn 1", "A.A0!A.A A.000AAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkInspect(t, s, Options{}) })
}

func FuzzApply(f *testing.F) {
	f.Add("één twee", 0, 3, "x", 4, 8)
	f.Add("\xff\xfe", 0, 1, "\xff", 1, 2)
	f.Fuzz(func(t *testing.T, s string, a, b int, by string, c, d int) {
		out, err := Apply(s, []Replacement{{a, b, by}, {c, d, by}})
		if err == nil && !utf8.ValidString(out) {
			t.Fatal("invalid output")
		}
	})
}

var longUnits = []string{"a", "A ", "Jan ", "a.", "1-", "0 ", "@", "Jan X. ", "(", "de ", "in het voorjaar ", "Kerkstraat ", "Van de ", "a@", "Persoon A ", "1 en ", "\n", "A-", "06-12345678 ", "Jan de ", "www.a.", "- ", "el al ", "1 ", "0"}

// Texts at the limit that would hurt a quadratic recogniser; the benchmark beside it shows the time.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	for _, unit := range longUnits {

		s := strings.Repeat(unit, 64<<10/len(unit))
		checkInspect(t, s, Options{})
	}
}

func BenchmarkLong(b *testing.B) {
	for _, unit := range longUnits {
		text := strings.Repeat(unit, MaxTextBytes/len(unit))
		b.Run(strings.TrimSpace(unit), func(b *testing.B) {
			for b.Loop() {
				Inspect(text, Options{})
			}
		})
	}
}

func BenchmarkInspect(b *testing.B) {
	unit := "Mevrouw Brinkhuizen (43) woont sinds mei 2021 in Hoorn en belde op 06-12345678. Haar zoon Tygo zit op basisschool De Regenboog. "
	text := strings.Repeat(unit, MaxTextBytes/len(unit))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Inspect(text, Options{})
	}
}
