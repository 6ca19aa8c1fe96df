package biz

import "strings"

var fromWords = set("uit afkomstig gevlucht geboren herkomst nationaliteit nat origine achtergrond")

// languageBefore are words that make an adjective the name of a language.
var languageBefore = set("het spreekt spreken sprak begrijpt leest schrijft goed vloeiend gebrekkig geen weinig")

func originWord(w string) bool {
	if origins[w] {
		return true
	}
	for _, s := range []string{"e", "en", "s", "es", "se"} {
		if stem, ok := strings.CutSuffix(w, s); ok && len(stem) > 3 && origins[stem] {
			return true
		}
	}
	// Afghaanse, Marokkaanse, Turkse: the adjective in -s takes an e; Syriërs, Afghanen, Turken.
	if stem, ok := strings.CutSuffix(w, "nen"); ok && (origins[stem+"an"] || origins[stem+"aan"] || origins[strings.TrimSuffix(stem, "a")+"aan"]) {
		return true
	}
	return false
}

// originsAndWork finds nationality and origin, countries, and work that few people have.
func (d *document) originsAndWork() {
	for i := range d.tok {
		t := &d.tok[i]
		if !t.word || t.num || !d.free(i) {
			continue
		}
		if originWord(t.lower) && (t.upper || d.at(i).low && len(t.text) > 4) {
			stem := d.joined(i) && d.at(i+1).text == "-" && d.joined(i+1)
			if !languageBefore[d.prev(i)] || strings.HasSuffix(t.lower, "se") {
				d.take(i, i+1, Nationality, 0.85, "afkomst")
			}
			if stem && d.free(i+2) && (originWord(d.tok[i+2].lower) || strings.HasPrefix(d.tok[i+2].lower, "nederland")) {
				d.take(i+2, i+3, Nationality, 0.8, "afkomst")
			}
			continue
		}
		if n, _ := countries.match(d.tok, i); n > 0 && (t.upper || d.at(i).low && (fromWords[d.prev(i)] || d.prev(i) == "in" || d.prev(i) == "naar")) {
			typ := Location
			if fromWords[d.prev(i)] || d.at(i-1).text == "(" || d.at(i-1).text == ":" || d.cue(i, 4, func(w string) bool { return fromWords[w] && w != "geboren" }) {
				typ = Nationality
			}
			d.take(i, i+n, typ, 0.85, "land")
			continue
		}
		if (professions[t.lower] || strings.HasSuffix(t.lower, "wachter") && len(t.lower) > 9) && d.worksAs(i) {
			d.take(i, i+1, ProfessionRare, 0.6, "werk dat weinig mensen hebben")
		}
	}
}

var workBefore = set("is was als onze enige werd wordt geworden worden voormalig voormalige oud vroegere gewezen bekende")

// worksAs reports whether a rare profession is said of someone, rather than named in passing.
func (d *document) worksAs(i int) bool {
	if d.tok[i].upper && !d.tok[i].sentence {
		return false
	}
	if n := d.next(i); n == "geweest" || n == "van" || n == "bij" || n == "in" {
		return d.prev(i) != "een" || d.cue(i, 4, func(w string) bool { return workBefore[w] || w == "de" })
	}
	if d.at(i-1).text == "," || d.at(i-1).text == "(" {
		return true
	}
	return d.cue(i, 3, func(w string) bool { return workBefore[w] })
}
