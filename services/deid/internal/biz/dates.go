package biz

import "strings"

var months = map[string]int{"januari": 1, "februari": 2, "maart": 3, "april": 4, "mei": 5, "juni": 6, "juli": 7, "augustus": 8,
	"september": 9, "oktober": 10, "november": 11, "december": 12}

var monthShort = map[string]int{"jan": 1, "feb": 2, "febr": 2, "mrt": 3, "apr": 4, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "sept": 9,
	"okt": 10, "nov": 11, "dec": 12}

var weekdays = set("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag ma di wo do vr za zo")

var feasts = set(`pinksterdag paasdag kerstdag kerst kerstavond pasen pinksteren koningsdag koninginnedag oudjaarsdag oudejaarsdag
	oudjaar nieuwjaarsdag bevrijdingsdag hemelvaartsdag hemelvaart sinterklaas sinterklaasavond dodenherdenking suikerfeest offerfeest
	moederdag vaderdag prinsjesdag aswoensdag carnaval`)

var numberWords = map[string]int{"nul": 0, "een": 1, "één": 1, "twee": 2, "drie": 3, "vier": 4, "vijf": 5, "zes": 6, "zeven": 7,
	"acht": 8, "negen": 9, "tien": 10, "elf": 11, "twaalf": 12, "dertien": 13, "veertien": 14, "vijftien": 15, "zestien": 16,
	"zeventien": 17, "achttien": 18, "negentien": 19, "twintig": 20, "dertig": 30, "veertig": 40, "vijftig": 50, "zestig": 60,
	"zeventig": 70, "tachtig": 80, "negentig": 90, "honderd": 100}

var ordinals = map[string]int{"eerste": 1, "tweede": 2, "derde": 3, "vierde": 4, "vijfde": 5, "zesde": 6, "zevende": 7, "achtste": 8,
	"negende": 9, "tiende": 10, "elfde": 11, "twaalfde": 12, "dertiende": 13, "veertiende": 14, "vijftiende": 15, "zestiende": 16,
	"zeventiende": 17, "achttiende": 18, "negentiende": 19, "twintigste": 20, "dertigste": 30}

func init() {
	for u, n := range map[string]int{"een": 1, "één": 1, "twee": 2, "drie": 3, "vier": 4, "vijf": 5, "zes": 6, "zeven": 7, "acht": 8, "negen": 9} {
		for _, t := range []string{"twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig"} {
			join := "en"
			if strings.HasSuffix(u, "e") {
				join = "ën"
			}
			numberWords[u+join+t] = n + numberWords[t]
			numberWords[u+"en"+t] = n + numberWords[t]
			if t == "twintig" || t == "dertig" {
				ordinals[u+join+t+"ste"] = n + numberWords[t]
			}
		}
	}
}

func small(s string) int {
	n := 0
	for _, r := range s {
		if r < '0' || r > '9' || n > 99999 {
			return -1
		}
		n = n*10 + int(r-'0')
	}
	if s == "" {
		return -1
	}
	return n
}

// dayAt reads a day of the month at token i: 17, 17e, zeventien, zeventiende.
func (d *document) dayAt(i int) bool {
	t := d.at(i)
	if !t.word {
		return false
	}
	if n := small(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(t.lower, "ste"), "de"), "e")); n >= 1 && n <= 31 {
		return true
	}
	if n, ok := numberWords[t.lower]; ok && n >= 1 && n <= 31 {
		return true
	}
	_, ok := ordinals[t.lower]
	return ok
}

func (d *document) yearAt(i int) int {
	t := d.at(i)
	if t.num && !t.line && len(t.text) == 4 && (t.text[:2] == "19" || t.text[:2] == "20") {
		return i + 1
	}
	if (t.text == "'" || t.text == "’") && d.joined(i) && d.at(i+1).num && len(d.at(i+1).text) == 2 {
		return i + 2
	}
	return i
}

func (d *document) dates() {
	for i := range d.tok {
		if !d.free(i) || !d.tok[i].word {
			continue
		}
		if d.tok[i].num && d.dateInFigures(i) {
			continue
		}
		d.dateInWords(i)
	}
}

// unitAfter are words that make "2-3" a quantity instead of a day.
var unitAfter = set(`keer uur dagen dag weken week maanden maand jaar jaren kinderen personen mensen x maal euro procent minuten gezinnen
	gesprekken huizen stuks kilometer km sessies bezoeken afspraken u`)

func (d *document) dateInFigures(i int) bool {
	t := &d.tok[i]
	if i > 0 && d.joined(i-1) && (d.tok[i-1].word || strings.Contains("-/.", d.tok[i-1].text) && d.joined(i-2)) {
		return false
	}
	sep := d.at(i + 1).text
	if sep != "-" && sep != "/" && sep != "." {
		return false
	}
	m := d.at(i + 2)
	spaced := d.tok[i+1].gap || m.gap
	if !m.num || m.line || d.tok[i+1].line {
		return false
	}
	third := d.at(i+3).text == sep && d.at(i+4).num && !d.at(i+4).line && (spaced || !d.at(i+3).gap && !d.at(i+4).gap)
	first, second := small(t.text), small(m.text)
	if third && len(t.text) == 4 && second >= 1 && second <= 12 && len(d.tok[i+4].text) <= 2 {
		return d.take(i, i+5, Date, 0.95, "datum")
	}
	if len(t.text) > 2 || first < 1 || first > 31 {
		return false
	}
	if third && len(m.text) <= 2 && second >= 1 && second <= 12 && (len(d.tok[i+4].text) == 4 || len(d.tok[i+4].text) == 2 && !spaced) {
		return d.take(i, i+5, Date, 0.95, "datum")
	}
	if spaced || third || sep == "." && d.prev(i) != "dd" && d.prev(i) != "op" || d.joined(i+2) && d.at(i+3).text == sep && d.joined(i+3) && d.at(i+4).word {
		return false
	}
	if second == 0 && len(m.text) == 4 || len(m.text) == 4 && first <= 12 && d.yearAt(i+2) > i+2 && sep != "." {
		return d.take(i, i+3, Date, 0.85, "maand en jaar")
	}
	if len(m.text) > 2 || second < 1 || second > 12 || unitAfter[d.next(i+2)] || sep == "/" && (first <= 3 && second <= 4 || first == 24) {
		return false
	}
	return d.take(i, i+3, Date, 0.7, "dag en maand")
}

func (d *document) dateInWords(i int) bool {
	t := &d.tok[i]
	if d.dayAt(i) {
		j := i + 1
		if d.at(j).text == "." && !d.at(j).gap {
			j++
		}
		m := d.at(j)
		_, long := months[m.lower]
		_, short := monthShort[m.lower]
		if (long || short && t.digits > 0) && !m.line && d.free(j) {
			b := d.yearAt(j + 1)
			if b == j+1 && d.at(j+1).text == "." && d.yearAt(j+2) > j+2 {
				b = d.yearAt(j + 2)
			}
			return d.take(i, b, Date, 0.95, "dag en maand")
		}
		if feasts[d.at(i+1).lower] && !d.at(i+1).line {
			if b := d.yearAt(i + 2); b > i+2 {
				return d.take(i, b, Date, 0.9, "feestdag met jaartal")
			}
		}
		_, ordinal := ordinals[t.lower]
		if (ordinal || t.digits > 0 && !t.num) && d.prev(i) == "de" && weekdays[d.prev(i-1)] {
			return d.take(i, i+1, Date, 0.75, "dag van de maand")
		}
	}
	_, long := months[t.lower]
	_, short := monthShort[t.lower]
	if long || short {
		if b := d.yearAt(i + 1); b > i+1 && (long || d.tok[b-1].digits == 4) {
			return d.take(i, b, Date, 0.9, "maand en jaar")
		}
	}
	if feasts[t.lower] {
		if b := d.yearAt(i + 1); b > i+1 {
			return d.take(i, b, Date, 0.85, "feestdag met jaartal")
		}
	}
	return false
}

// monthOf reads the month of a date that was found; 0 when it has none.
func (d *document) monthOf(f *finding) int {
	nums := make([]int, 0, 3)
	for k := f.a; k < f.b; k++ {
		t := &d.tok[k]
		if m := months[t.lower]; m > 0 {
			return m
		}
		if m := monthShort[t.lower]; m > 0 {
			return m
		}
		switch {
		case strings.HasPrefix(t.lower, "kerst"), strings.HasPrefix(t.lower, "sinterklaas"), strings.HasPrefix(t.lower, "oud"):
			return 12
		case strings.HasPrefix(t.lower, "nieuwjaar"), t.lower == "carnaval":
			return 1
		case strings.HasPrefix(t.lower, "pinkster"), strings.HasPrefix(t.lower, "hemelvaart"), t.lower == "bevrijdingsdag", t.lower == "moederdag":
			return 5
		case strings.HasPrefix(t.lower, "paas"), t.lower == "pasen", strings.HasPrefix(t.lower, "koning"):
			return 4
		case t.num:
			nums = append(nums, small(t.text))
		}
	}
	if len(nums) >= 2 {
		if len(nums) == 2 && nums[1] > 31 {
			return nums[0]
		}
		return nums[1]
	}
	return 0
}
