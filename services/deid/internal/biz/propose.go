package biz

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The labels that may stand in the place of what was found. PureRemoval and Inspect know them all, so a proposal may
// only be made of these.
const (
	labelNumber  = "[nummer weggehaald]"
	labelAddress = "[adres weggehaald]"
	labelContact = "[contactgegeven weggehaald]"
	labelDate    = "[datum weggehaald]"
	labelWord    = "[weggehaald]"
	labelName    = "[naam weggehaald]"
)

var seasons = []string{"de winter", "de winter", "het voorjaar", "het voorjaar", "het voorjaar", "de zomer", "de zomer", "de zomer",
	"het najaar", "het najaar", "het najaar", "de winter"}

// orgLabels: with an article of its own, after "de", after "het".
var orgLabels = map[orgKind][3]string{
	kindSchool:  {"een school", "school", "schoolgebouw"},
	kindCare:    {"een zorgorganisatie", "zorgorganisatie", "zorgcentrum"},
	kindHousing: {"een woningcorporatie", "woningcorporatie", "woonbedrijf"},
	kindSport:   {"een club", "club", "clubhuis"},
	kindFaith:   {"een geloofsgemeenschap", "geloofsgemeenschap", "gebedshuis"},
	kindWork:    {"een bedrijf", "werkgever", "bedrijf"},
	kindOther:   {"een organisatie", "organisatie", "bedrijf"},
}

var placeLabels = map[int][3]string{
	placeCity:    {"een stad", "stad", "gebied"},
	placeVillage: {"een dorp in de regio", "streek", "dorp"},
	placeAbroad:  {"een ander land", "buitenlandse plaats", "buitenland"},
	0:            {"een plaats in de regio", "buurt", "gebied"},
}

var ageLabels = []struct {
	below             int
	plain, range_, ad string
}{{4, "peuter", "nog geen 4", "heel jonge"}, {6, "kleuter", "tussen de 4 en 6", "jonge"}, {12, "basisschoolkind", "tussen de 6 en 12", "jonge"},
	{18, "tiener", "tussen de 12 en 18", "minderjarige"}, {20, "bijna twintig", "tussen de 18 en 20", "jongvolwassen"},
	{30, "in de twintig", "tussen de 20 en 30", "volwassen"}, {40, "in de dertig", "tussen de 30 en 40", "volwassen"},
	{50, "in de veertig", "tussen de 40 en 50", "volwassen"}, {60, "in de vijftig", "tussen de 50 en 60", "volwassen"},
	{70, "in de zestig", "tussen de 60 en 70", "oudere"}, {80, "in de zeventig", "tussen de 70 en 80", "oudere"},
	{1000, "boven de tachtig", "boven de 80", "hoogbejaarde"}}

const (
	originCountry = "een ander land"
	originNoun    = "iemand met een andere afkomst"
	originAdj     = "buitenlandse"
	workLabel     = "vakman of vakvrouw"
	workNoun      = "iemand met een bijzonder beroep"
)

var vocabulary = newPhrases(false)

func init() {
	add := func(all ...string) { vocabulary.addAll(all, 1) }
	add(labelNumber, labelAddress, labelContact, labelDate, labelWord, labelName, originCountry, originNoun, originAdj, workLabel, workNoun)
	for _, s := range seasons {
		add(s, "in "+s, "een dag in "+s)
	}
	for _, l := range orgLabels {
		add(l[0], l[1], l[2])
	}
	for _, l := range placeLabels {
		add(l[0], l[1], l[2])
	}
	for _, a := range ageLabels {
		add(a.plain, a.range_, a.ad)
	}
}

// labelAt returns the length in tokens of one of our labels at token i.
func labelAt(tok []token, i int) int {
	t := &tok[i]
	if t.lower == "persoon" && i+1 < len(tok) {
		if n := &tok[i+1]; n.word && !n.line && len(n.text) <= 4 && strings.Trim(n.text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
			return 2
		}
	}
	n, _ := vocabulary.match(tok, i)
	return n
}

// hold keeps the recognisers away from labels that an earlier round put there.
func (d *document) hold() {
	for i := 0; i < len(d.tok); {
		n := labelAt(d.tok, i)
		if n < 2 {
			i++
			continue
		}
		for k := i; k < i+n; k++ {
			d.tok[k].placed = true
		}
		i += n
	}
}

var datePrepositions = set("in sinds vanaf tot van rond voor na tijdens per begin eind medio half")

// propose chooses the label for a finding; labels are the persons' names.
func (d *document) propose(f *finding, labels []string) string {
	s := d.label(f, labels)
	if d.tok[f.a].sentence && (f.a == 0 || d.tok[f.a].line || d.tok[f.a].upper) {
		r, n := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	// A finding may end in a full stop that a word follows at once; its label would run on into that word.
	if f.a > 0 && d.tok[f.a-1].word && d.joined(f.a-1) {
		s = " " + s
	}
	if d.at(f.b).word && d.joined(f.b-1) {
		s += " "
	}
	return s
}

func byArticle(pv string, l [3]string) string {
	switch pv {
	case "de", "een", "deze", "die", "onze", "enige", "oude", "voormalige", "vroegere", "hun", "haar", "zijn", "mijn":
		return l[1]
	case "het", "dit", "dat", "ons":
		return l[2]
	}
	return l[0]
}

func (d *document) label(f *finding, labels []string) string {
	pv := d.prev(f.a)
	switch f.typ {
	case Person:
		return labels[f.entity]
	case Address:
		return labelAddress
	case Email, URL:
		return labelContact
	case Date:
		m := d.monthOf(f)
		switch {
		case m < 1 || m > 12 || pv == "geboren" || pv == "geb" || d.at(f.a-1).text == ":" || pv == "de":
			return labelDate
		case pv == "op":
			return "een dag in " + seasons[m-1]
		case datePrepositions[pv]:
			return seasons[m-1]
		}
		return "in " + seasons[m-1]
	case Age:
		n, adjective := d.ageOf(f)
		for _, a := range ageLabels {
			if n < a.below {
				nx := d.next(f.b - 1)
				switch {
				case adjective:
					return a.ad
				case pv == "van" || pv == "en" || pv == "of" || nx == "jaar" || nx == "jr" || nx == "en" || d.at(f.a-1).text == "," ||
					d.at(f.b).text == "," && d.numberAt(f.b+1) > 0:
					return a.range_
				}
				return a.plain
			}
		}
	case Location:
		return byArticle(pv, placeLabels[d.placeOf(f)])
	case Organisation:
		if orgHead(pv) != kindNone {
			return labelName
		}
		k := f.kind
		if k == kindNone {
			k = kindOther
		}
		return byArticle(pv, orgLabels[k])
	case Nationality:
		if n, _ := countries.match(d.tok, f.a); n > 0 {
			return originCountry
		}
		if strings.HasSuffix(d.tok[f.a].lower, "e") || strings.HasSuffix(d.tok[f.a].lower, "s") || strings.HasSuffix(d.tok[f.a].lower, "sch") {
			return originAdj
		}
		if pv == "een" || pv == "de" || pv == "die" {
			return originAdj
		}
		return originNoun
	case ProfessionRare:
		return byArticle(pv, [3]string{workNoun, workLabel, workLabel})
	}
	return labelNumber
}
