package biz

import "strings"

var streetSuffix = []string{"straat", "laan", "weg", "plein", "singel", "gracht", "kade", "steeg", "dreef", "plantsoen", "pad", "dijk",
	"straatje", "laantje", "boulevard", "allee", "dwarsweg", "wegje", "str"}

var streetWeak = []string{"hof", "park", "markt", "baan", "wal", "poort", "ring", "kamp", "haven", "oord", "akker", "veld", "dam", "hoek",
	"horst", "erf", "brink", "meent", "vaart", "berg", "dal", "bos", "tuin", "werf", "zoom", "weide", "burcht", "donk", "heuvel", "einde",
	"kant", "drift", "gaarde", "stede", "rak", "waard", "lust", "zicht", "es", "waal", "zijde", "sluis", "brug", "toren", "flat", "rode", "hage"}

var notStreet = set(`onderweg vanweg halverweg snelweg fietspad voetpad aanleg wandelpad hoofdweg zandpad uitweg omweg zijstraat hoofdstraat
	winkelstraat achterstraat doorweg terugweg thuisweg levenspad zorgpad traject verweg dwarsstraat marktplein schoolplein dorpsplein heenweg
	werkweg leerpad ontwikkelpad struikelpad rijweg afweg bijweg olifantenpad padweg belastingdienst schilderijstraat buurtpad park dijk weg pad
	straat laan plein`)

// streetWord tells by its ending whether a word is a street; named says that a capital makes it a name.
func streetWord(lower string, named bool) (strong, weak bool) {
	if notStreet[lower] && !named {
		return false, false
	}
	for _, s := range streetSuffix {
		if strings.HasSuffix(lower, s) && len(lower) >= len(s)+2 {
			return true, false
		}
	}
	for _, s := range streetWeak {
		if strings.HasSuffix(lower, s) && len(lower) >= len(s)+2 {
			return false, true
		}
	}
	return false, false
}

var streetTitles = set(`burgemeester prins prinses koning koningin graaf gravin dokter doctor professor pastoor sint jan van de der den het
	op aan lange korte oude nieuwe grote kleine eerste tweede derde wethouder admiraal generaal ds dr mr prof st ter ten 't`)

// addresses finds a street with or without a number, and what stands before a postcode.
func (d *document) addresses() {
	for i := range d.tok {
		t := &d.tok[i]
		if !t.word || t.num || !d.free(i) {
			continue
		}
		strong, weak := streetWord(t.lower, t.upper && !t.sentence)
		h := d.houseNumber(i + 1)
		numbered := h > i+1
		switch {
		case strong && (t.upper || numbered || d.at(i).low && len(t.lower) > 8 && d.cue(i, 2, func(w string) bool { return w == "de" || w == "het" }) && !common[t.lower]), weak && numbered && t.upper && (!t.sentence || d.addressEnds(h)):
			conf := 0.95
			if !numbered {
				conf = 0.8
			}
			if d.at(i+1).text == "-" && d.joined(i) && d.joined(i+1) && d.at(i+2).word && !numbered {
				continue
			}
			d.take(d.streetStart(i), h, Address, conf, "straat")
		case t.upper && numbered && d.placedAt(i) && d.addressEnds(h):
			d.take(d.streetStart(i), h, Address, 0.75, "adres met huisnummer")
		}
	}
}

// addressEnds reports whether what follows a house number belongs to an address: a postcode, or a comma with a place.
func (d *document) addressEnds(i int) bool {
	if f := d.claimed(i); f != nil && f.typ == Postcode {
		return true
	}
	if d.at(i).text != "," {
		return d.at(i).line || !d.at(i).word || d.at(i).lower == "in" || d.at(i).lower == "te"
	}
	if f := d.claimed(i + 1); f != nil && f.typ == Postcode {
		return true
	}
	if i+1 < len(d.tok) {
		if n, _ := places.match(d.tok, i+1); n > 0 {
			return true
		}
	}
	return d.at(i + 1).upper
}

func (d *document) placedAt(i int) bool {
	for j := d.streetStart(i) - 1; j >= 0 && j >= i-6; j-- {
		if d.tok[j+1].line {
			return false
		}
		switch w := d.tok[j].lower; w {
		case "op", "aan", "adres", "woonadres", "verblijft", "wonend":
			return true
		case "de", "het", ":", ",", "'", "t":
		default:
			return false
		}
	}
	return false
}

// streetStart walks back over the words of a street name of several words.
func (d *document) streetStart(i int) int {
	a := i
	for k := i - 1; k >= 0 && i-k <= 9 && d.free(k) && !d.tok[k+1].line; k-- {
		t := &d.tok[k]
		if !t.word {
			if (t.text == "-" || t.text == "." || t.text == "'" || t.text == "’") && k > 0 && (d.joined(k-1) || t.text == "'") {
				continue
			}
			break
		}
		if t.sentence && common[t.lower] && !streetTitles[t.lower] || t.num || t.lower == "op" || t.lower == "aan" || t.lower == "in" {
			break
		}
		if t.upper {
			if common[t.lower] && !streetTitles[t.lower] {
				break
			}
			a = k
		} else if !streetTitles[t.lower] {
			break
		} else if d.at(i).low && t.lower != "de" && t.lower != "het" && t.lower != "van" && t.lower != "der" && t.lower != "den" {
			a = k
		}
	}
	return a
}

// houseNumber returns the index after a house number that begins at i, or i.
func (d *document) houseNumber(i int) int {
	b := i
	if d.at(b).lower == "nr" || d.at(b).lower == "nummer" {
		b++
		if d.at(b).text == "." {
			b++
		}
	}
	t := d.at(b)
	if !d.free(b) || t.line || t.digits == 0 || t.digits > 4 || t.text[0] < '1' || t.text[0] > '9' || t.end-t.start > t.digits+3 {
		return i
	}
	if _, month := months[d.next(b)]; month || unitAfter[d.next(b)] {
		return i
	}
	b++
	for n := 0; n < 3; n++ {
		s := d.at(b)
		switch {
		case (s.text == "-" || s.text == "/" || s.text == "–") && d.free(b) && d.free(b+1) && !d.at(b+1).gap && d.at(b+1).word && d.at(b+1).end-d.at(b+1).start <= 4:
			b += 2
		case s.word && !s.line && d.free(b) && s.end-s.start == 1 && isLetters(s.text) && s.lower != "u" && (s.upper || !d.at(b+1).word):
			b++
		case (s.lower == "bis" || s.lower == "hs" || s.lower == "huis" || s.lower == "rood" || s.lower == "zw") && d.free(b) && !s.line:
			b++
		case (s.lower == "en" || s.lower == "tot") && d.at(b+1).digits > 0 && d.at(b+1).digits <= 4 && d.free(b) && d.free(b+1) && !unitAfter[d.next(b+1)] && !d.at(b+1).line:
			b += 2
		case s.lower == "t" && d.at(b+1).text == "/" && d.at(b+2).lower == "m" && d.at(b+3).num && d.freeRange(b, b+4):
			b += 4
		default:
			return b
		}
	}
	return b
}
