package biz

import "strings"

var ageBefore = set(`is was ben wordt werd zijn waren nu leeftijd pas net bijna`)

var childWords = set(`zoon zoontje dochter dochtertje kind kinderen jongen jongens meisje meisjes baby tweeling drieling broertje zusje
	broer zus kleinkind kleinkinderen kleinzoon kleindochter vrouw man dame heer moeder vader bewoner bewoonster cliënt puber tiener peuter
	kleuter weduwe weduwnaar student leerling oma opa mevrouw meneer jongeman neefje nichtje vijftiger jongere inwoner buurvrouw buurman`)

var agePronouns = set("hij zij ze ik die we wij jij je u moeder vader oma opa mevrouw meneer oudste jongste middelste kind")

// notAnAge are words after a number that make it something else.
var notAnAge = set(`keer uur dagen weken maal euro procent mensen kinderen kamers katten honden minuten verdieping stappen vragen
	getrouwd geleden lang later samen terug broers zussen andere van maanden`)

// numberAt reads a number of years at token i, in figures or in words; -1 if there is none.
func (d *document) numberAt(i int) int {
	t := d.at(i)
	if t.num && len(t.text) <= 3 {
		if n := small(t.text); n <= 109 {
			return n
		}
		return -1
	}
	if n, ok := numberWords[t.lower]; ok && t.lower != "een" && n > 0 {
		return n
	}
	return -1
}

// ages runs after the persons, whose names it leans on.
func (d *document) ages() {
	for i := range d.tok {
		if d.free(i) && d.tok[i].word {
			d.age(i)
		}
	}
}

func (d *document) age(i int) bool {
	t := &d.tok[i]
	if stem, ok := ageAdjective(t.lower); ok && stem {
		return d.take(i, i+1, Age, 0.95, "leeftijd")
	}
	if t.num && d.at(i+1).text == "-" && d.joined(i) && d.joined(i+1) && strings.HasPrefix(d.at(i+2).lower, "jarig") && d.free(i+2) {
		return d.take(i, i+3, Age, 0.95, "leeftijd")
	}
	if (t.lower == "anderhalf" || t.lower == "anderhalve") && strings.HasPrefix(d.next(i), "jaar") && (d.prev(i) == "van" || d.next(i+1) == "oud") {
		return d.take(i, i+2, Age, 0.85, "leeftijd")
	}
	n := d.numberAt(i)
	if n < 0 || d.joined(i) && d.at(i+1).word || d.joined(i) && strings.Contains(".,-/%:", d.at(i+1).text) && d.joined(i+1) && d.at(i+2).word {
		return false
	}
	if i > 0 && d.joined(i-1) && strings.Contains(".,-/€:", d.tok[i-1].text) {
		return false
	}
	nx, pv := d.next(i), d.prev(i)
	if nx == "jaar" || nx == "jr" || nx == "jarige" {
		two := d.next(i + 1)
		switch {
		case two == "oud" || two == "jong":
			return d.take(i, i+1, Age, 0.95, "leeftijd")
		case notAnAge[two] && two != "van":
			return false
		case pv == "van" && d.cue(i-1, 3, func(w string) bool { return childWords[w] }), d.at(i-1).text == "(", d.at(i-1).text == "," && d.personAt(i-2):
			return d.take(i, i+1, Age, 0.9, "leeftijd")
		case ageBefore[pv] && (agePronouns[d.prev(i-1)] || childWords[d.prev(i-1)] || d.personAt(i-2) || d.cue(i, 4, func(w string) bool { return agePronouns[w] && w != "die" })):
			return d.take(i, i+1, Age, 0.85, "leeftijd")
		}
	}
	if (nx == "maanden" || nx == "weken") && (d.next(i+1) == "oud" || pv == "van" && d.cue(i-1, 2, func(w string) bool { return childWords[w] })) {
		return d.take(i, i+1, Age, 0.9, "leeftijd")
	}
	if d.at(i-1).text == "(" && (d.personAt(i-2) || d.personAt(i-3) || childWords[d.at(i-2).lower]) {
		if e := d.at(i + 1).text; e == ")" || e == "," || e == ";" || nx == "en" || nx == "jaar" || nx == "jr" {
			return d.take(i, i+1, Age, 0.95, "leeftijd achter een naam")
		}
	}
	if d.at(i-1).text == "," && d.personAt(i-2) && d.free(i) && t.num && n >= 1 {
		if e := d.at(i + 1).text; e == "," || e == "." || e == ")" || nx == "en" || d.at(i+1).line {
			return d.take(i, i+1, Age, 0.9, "leeftijd achter een naam")
		}
	}
	ends := !d.at(i+1).word || d.at(i+1).line || nx == "en" || nx == "of"
	if ends && (pv == "leeftijd" || pv == "lft" || d.at(i-1).text == ":" && d.prev(i-1) == "leeftijd") {
		return d.take(i, i+1, Age, 0.95, "leeftijd")
	}
	if ends && d.at(i+1).text != "%" && d.at(i+1).text != "€" && ageBefore[pv] && n > 0 {
		who := d.prev(i - 1)
		if who == "nu" || who == "pas" || who == "net" || who == "ben" || who == "is" {
			who = d.prev(i - 2)
		}
		if agePronouns[who] || childWords[who] || d.personAt(i-2) || d.personAt(i-3) || pv == "nu" && d.cue(i-1, 3, func(w string) bool { return agePronouns[w] }) {
			return d.take(i, i+1, Age, 0.85, "leeftijd")
		}
		if d.at(i-2).sentence || pv == "is" && d.cue(i, 3, func(w string) bool { return agePronouns[w] }) {
			return d.take(i, i+1, Age, 0.6, "mogelijk een leeftijd")
		}
	}
	if pv == "van" && n > 0 && (childWords[d.prev(i-1)] || d.personAt(i-2)) && !notAnAge[nx] && !unitAfter[nx] && d.at(i+1).text != "%" && months[nx] == 0 {
		return d.take(i, i+1, Age, 0.85, "leeftijd")
	}
	// The rest of a list: "58 en 55", "6, 8 en 10".
	if sep := d.at(i - 1); sep.text == "," || sep.lower == "en" || sep.lower == "of" {
		if f := d.claimed(i - 2); f != nil && f.typ == Age && n > 0 && !notAnAge[nx] {
			return d.take(i, i+1, Age, 0.8, "leeftijd in een opsomming")
		}
	}
	// The beginning of a list of children's ages.
	if pv == "van" && childWords[d.prev(i-1)] || d.at(i-1).text == "(" && childWords[d.at(i-2).lower] {
		if d.at(i+1).text == "," && d.numberAt(i+2) >= 0 {
			return d.take(i, i+1, Age, 0.8, "leeftijd in een opsomming")
		}
	}
	return false
}

// ageAdjective recognises "veertienjarige", "14jarige".
func ageAdjective(w string) (bool, bool) {
	for _, suffix := range []string{"jarige", "jarig", "jarigen"} {
		if stem, ok := strings.CutSuffix(w, suffix); ok {
			_, word := numberWords[stem]
			return word || small(stem) > 0, true
		}
	}
	return false, false
}

// personAt reports whether the token ends a person that was found.
func (d *document) personAt(i int) bool {
	f := d.claimed(i)
	return f != nil && f.typ == Person
}

// ageOf reads the years of an age that was found.
func (d *document) ageOf(f *finding) (years int, adjective bool) {
	t := &d.tok[f.a]
	if strings.HasPrefix(t.lower, "anderhal") {
		return 1, false
	}
	for _, suffix := range []string{"jarigen", "jarige", "jarig"} {
		if stem, ok := strings.CutSuffix(t.lower, suffix); ok {
			if n := small(stem); n > 0 {
				return n, true
			}
			return numberWords[stem], true
		}
	}
	n := d.numberAt(f.a)
	if nx := d.next(f.b - 1); nx == "maanden" || nx == "weken" {
		return 0, false
	}
	return max(n, 0), f.b-f.a == 3
}
