package biz

import "strings"

// lowerName finds names written without a capital.
func (d *document) lowerName(i int) {
	t := &d.tok[i]
	n := t.end - t.start
	if n == 1 && d.at(i+1).text == "." && d.joined(i) && (d.at(i).low || titles[d.prev(i)]) {
		d.lowerInitials(i)
		return
	}
	if particles[t.lower] && titles[d.prev(i)] && d.prev(i) != "baby" && d.prev(i) != "kleine" {
		k := i
		for k < i+3 && particles[d.at(k).lower] && !d.at(k).line {
			k++
		}
		if w := d.at(k); w.word && !w.line && w.gap && (w.upper || !common[w.lower] && w.end-w.start >= 4) && !w.neutral {
			d.take(i, d.seqEnd(k), Person, 0.9, "staat na een aanspreekvorm")
		}
		return
	}
	if n < 3 || t.digits > 0 || common[t.lower] && !(d.at(i).low && d.ageFollows(i+1) && !numbersWord(t.lower)) {
		return
	}
	pv := d.prev(i)
	cue := titles[pv] && pv != "baby" && pv != "kleine" && pv != "meester" && pv != "juf" || relations[pv]
	known := given[t.lower] || givenAmbiguous[t.lower] && d.at(i).low
	switch {
	case placePrepositions[pv] && d.at(i).low && d.isPlace(i):
		k, _ := places.match(d.tok, i)
		d.take(i, i+k, Location, 0.8, "plaats uit de lijst")
	case d.at(i).low && n >= 5 && d.isPlace(i) && !placeWords[t.lower] && !surnames[t.lower] && !given[t.lower]:
		k, _ := places.match(d.tok, i)
		d.take(i, i+k, Location, 0.7, "plaats uit de lijst")
	case known && (d.at(i).low && (given[t.lower] || cue) || cue):
		d.person(i, 0.85, "voornaam uit de lijst")
	case d.at(i).low && titles[pv] && pv != "tante" && unusual(t):
		d.person(i, 0.7, "staat na een aanspreekvorm")
	case d.joined(i) && d.at(i+1).text != "," && d.at(i+1).text != "." && d.at(i+1).text != ":" && d.at(i+1).text != ")":
	case cue && (surnameLike(t.lower) && (titles[pv] || d.at(i).low)):
		d.person(i, 0.8, "staat na een aanspreekvorm of rol")
	case d.at(i).low && d.ageFollows(i+1) && !relations[t.lower] && !titles[t.lower] && !placePrepositions[pv] && !childWords[t.lower]:
		d.person(i, 0.8, "er volgt een leeftijd")
	case d.at(i).low && surnames[t.lower] && (d.prev(i) == "van" || particles[pv]) && !common[t.lower] && d.cue(i, 3, func(w string) bool { return titles[w] || given[w] }):
		d.person(i, 0.7, "achternaam uit de lijst")
	case d.at(i).low && n >= 4 && pv == "dat" && d.next(i) == "van":
		d.person(i, 0.5, "mogelijk een naam")
	case d.at(i).low && n >= 3 && (pv == "van" && workWords[d.prev(i-1)] || pv == "bij" && workWords[d.prev(i-1)]) && !orgNoun(t.lower):
		d.takeKind(i, i+1, Organisation, 0.6, "naam achter een woord over werk", kindWork)
	case d.at(i).low && d.at(i-1).text == "(" && d.at(i+1).text == ")" && n <= 5 && !strings.ContainsAny(t.lower, "aeiouy"):
		d.takeKind(i, i+1, Organisation, 0.6, "afkorting tussen haakjes", d.kindNear(i))
	}
}

// lowerInitials finds "g.a. naam" and "j. van der naam".
func (d *document) lowerInitials(i int) {
	b := i
	for b-i < 2*maxInitials && d.at(b).word && !d.at(b).num && d.at(b).end-d.at(b).start == 1 && d.at(b+1).text == "." && d.joined(b) {
		b += 2
	}
	for n := 0; n < 4 && particles[d.at(b).lower] && !d.at(b).line; n++ {
		b++
	}
	if n := d.at(b); n.word && !n.line && n.gap && (surnameLike(n.lower) || unusual(n)) && !d.at(i).line {
		d.take(i, d.seqEnd(b), Person, 0.8, "voorletters en een naam")
	}
}

func numbersWord(w string) bool {
	_, ok := numberWords[w]
	return ok || childWords[w] || relations[w] || titles[w]
}

// unusual reports a lower-cased word that is neither frequent nor has the ending of a verb or an ordinary noun.
func unusual(t *token) bool {
	if common[t.lower] || personVerbs[t.lower] || t.digits > 0 || t.end-t.start < 3 || nounLike(t.lower) || orgHead(t.lower) != kindNone ||
		relations[t.lower] || titles[t.lower] || t.neutral || particles[t.lower] {
		return false
	}
	for _, e := range []string{"t", "te", "de", "d", "en", "er", "je", "eren", "ig"} {
		if strings.HasSuffix(t.lower, e) {
			return false
		}
	}
	return true
}
