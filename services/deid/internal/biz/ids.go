package biz

import "strings"

// ids runs after the dates and addresses, because its shapes are the loosest.
func (d *document) ids() {
	for i := 0; i < len(d.tok); i++ {
		if d.free(i) && (d.tok[i].word || d.tok[i].text == "#") {
			d.id(i)
		}
	}
}

var idWords = set(`nr nummer kenmerk dossier registratie referentie ref polis zaak beschikking aanvraag id zorgdomein code
	parketnummer rolnummer cliëntcode pas paspoort rijbewijs vreemdelingennummer v-nummer casus meldingsnummer klant cliënt zaaknummer factuur`)

func idCue(w string) bool {
	return idWords[w] || strings.HasSuffix(w, "nummer") || strings.HasSuffix(w, "nr") || strings.HasSuffix(w, "aanvraag")
}

// id finds client, policy, case and other reference numbers: after a word that announces one, or by their shape.
func (d *document) id(i int) bool {
	if i > 0 && d.joined(i-1) && strings.Contains("-./", d.tok[i-1].text) && d.joined(i-2) {
		return false
	}
	b, digits, letters, seps := i, 0, 0, 0
	for ; d.free(b) && b-i < 24; b++ {
		t := &d.tok[b]
		if b > i && (t.gap || t.line) {
			break
		}
		if !t.word {
			if !strings.Contains("-./_#", t.text) {
				break
			}
			seps++
			continue
		}
		if t.digits == 0 && (t.end-t.start > 6 || !t.upper && t.end-t.start > 3) {
			return false
		}
		digits += t.digits
		if t.digits < t.end-t.start {
			letters++
		}
	}
	for b > i && !d.tok[b-1].word {
		b--
		seps--
	}
	if b == i || digits < 3 {
		return false
	}
	last := &d.tok[b-1]
	if money(d, i, b, letters) || last.digits > 0 && (strings.HasSuffix(last.lower, "u") || strings.HasSuffix(last.lower, "uur") || strings.HasSuffix(last.lower, "h")) {
		return false
	}
	told := d.cue(i, 4, idCue)
	for told && letters == 0 && d.free(b) && d.tok[b].num && !d.tok[b].line && d.tok[b].digits >= 2 && b-i < 24 {
		b++
	}
	year := letters == 0 && seps == 0 && digits <= 4
	switch {
	case told && (!year || digits == 4 && d.cue(i, 2, idCue)) && !(digits == 3 && (d.tok[i].text == "112" || d.tok[i].text == "113")):
		return d.take(i, b, ID, 0.9, "na een woord als 'nummer' of 'kenmerk'")
	case letters > 0 && digits >= 4 && d.tok[i].end > d.tok[i].start && (d.tok[i].upper || seps > 0):
		return d.take(i, b, ID, 0.8, "heeft de vorm van een dossiernummer")
	case letters == 0 && digits >= 7:
		return d.take(i, b, ID, 0.7, "lang nummer")
	}
	return false
}

// money reports amounts and times, which stay readable.
func money(d *document, i, b, letters int) bool {
	if p := d.at(i - 1).text; p == "€" || p == "$" {
		return true
	}
	switch d.at(b).lower {
	case "euro", "eur", "€", "uur", "m2", "kilometer", "km", "meter", "gram", "procent", "%", "inwoners", "mensen", "gezinnen":
		return true
	}
	if letters > 0 || b-i < 3 {
		return false
	}
	for k := i; k < b; k += 2 {
		if k > i && (d.tok[k].digits != 3 || d.tok[k-1].text != ".") {
			return false
		}
	}
	return d.tok[i].digits <= 3
}
