package biz

import "strings"

// uncertain is the confidence below which a direct identifier counts as a possibility.
const uncertain = 0.5

var directNames = map[Type]string{Person: "een naam", Address: "een adres", Postcode: "een postcode", Phone: "een telefoonnummer",
	Email: "een e-mailadres", URL: "een webadres of account", BSN: "een burgerservicenummer", IBAN: "een rekeningnummer",
	ID: "een dossiernummer", LicencePlate: "een kenteken"}

var otherNames = map[Type]string{Location: "een plaatsnaam", Organisation: "de naam van een organisatie", Date: "een datum", Age: "een leeftijd",
	Nationality: "afkomst", ProfessionRare: "een beroep dat weinig mensen hebben"}

var eventWords = set(`brand brandstichting ongeluk ongeval moord doodslag overval schietpartij steekpartij verdronken verdrinking ontploffing
	explosie ramp vermist vermissing krant nieuws journaal rechtszaak gijzeling overstroming instorting`)

var multiples = set("tweeling drieling vierling tweelingbroer tweelingzus")

// shapes finds what makes a family or an event stand out although no name is left.
func (d *document) shapes() []string {
	var big, multiple, event bool
	for i := range d.tok {
		t := &d.tok[i]
		if !t.word || t.placed {
			continue
		}
		switch {
		case multiples[t.lower]:
			multiple = true
		case eventWords[t.lower]:
			event = true
		case t.lower == "kinderen" || t.lower == "zonen" || t.lower == "dochters":
			n := d.numberAt(i - 1)
			if n >= 5 && n <= 15 && !d.tok[i].line {
				big = true
			}
		}
	}
	var out []string
	if big {
		out = append(out, "een groot gezin")
	}
	if multiple {
		out = append(out, "een meerling")
	}
	if event {
		out = append(out, "een gebeurtenis die mensen kennen")
	}
	return out
}

func (d *document) risk(spans []Span) Risk {
	direct, other := make(map[Type]bool), make(map[Type]bool)
	maybe := false
	for _, s := range spans {
		switch {
		case !s.Type.Direct():
			other[s.Type] = true
		case s.Confidence < uncertain:
			maybe = true
		default:
			direct[s.Type] = true
		}
	}
	factors := []string{}
	for _, t := range DirectTypes {
		if direct[t] {
			factors = append(factors, directNames[t])
		}
	}
	certain := len(factors)
	if maybe {
		factors = append(factors, "mogelijk nog een naam of nummer")
	}
	for _, group := range [][]Type{IndirectTypes, QuasiTypes} {
		for _, t := range group {
			if other[t] {
				factors = append(factors, otherNames[t])
			}
		}
	}
	factors = append(factors, d.shapes()...)
	r := Risk{Factors: factors}
	switch {
	case certain > 0:
		r.Level, r.Sentence = 3, "In deze tekst staat nog wie het is: "+enumerate(factors[:certain])+"."
	case len(factors) >= 2:
		r.Level, r.Sentence = 2, "Een buurtgenoot kan hierin iemand herkennen aan: "+enumerate(factors)+"."
	case len(factors) == 1:
		r.Level, r.Sentence = 1, "Er staat weinig in dat naar iemand wijst: "+factors[0]+"."
	default:
		r.Sentence = "Er is niets gevonden dat naar een persoon wijst. Lees zelf nog eens mee."
	}
	return r
}

func enumerate(s []string) string {
	if len(s) < 2 {
		return strings.Join(s, "")
	}
	return strings.Join(s[:len(s)-1], ", ") + " en " + s[len(s)-1]
}
