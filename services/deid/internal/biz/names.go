package biz

import "strings"

var particles = set("van de der den het 't t ter ten te el al ben bin la le di da dos das do von du abu ould aït ait op in v d y e den")

var titles = set(`mevrouw mevr mw mej mejuffrouw dhr heer heren meneer mijnheer dr drs ir ing prof ds mr tante oom oma opa familie fam
	echtpaar zuster broeder pater juf meester pastoor dominee imam dokter weduwe baby kleine`)

var relations = set(`vader moeder zoon zoontje dochter dochtertje broer broertje zus zusje partner man vrouw vriend vriendin ex exman exvrouw
	echtgenoot echtgenote buurman buurvrouw buurmeisje buurjongen neef nicht nichtje neefje kleinzoon kleindochter stiefvader stiefmoeder
	stiefzoon stiefdochter pleegmoeder pleegvader pleegzoon pleegdochter schoonzus schoonmoeder schoonvader zwager collega huisarts stagiair
	stagiaire mentor begeleider coach gezinscoach wijkverpleegkundige verpleegkundige advocaat notaris wijkagent agent bewindvoerder
	jeugdbeschermer gezinsvoogd voogd consulent contactpersoon leerling cliënt klant patiënt bewoner bewoonster kind jongen meisje tweelingbroer
	tweelingzus conciërge leraar lerares docent leerkracht intern vrijwilliger vrijwilligster buurtbemiddelaar psycholoog
	therapeut tandarts kapper jongerenwerker ouderenadviseur opbouwwerker heet heette genaamd noemt noemen gezin mama papa kennis kameraad
	casemanager casusregisseur regisseur directeur teamleider schoolleider behandelaar maatschappelijk werker buren ouders kinderen zonen dochters`)

var personLabels = set(`naam cliënt client klant partner vader moeder ouder kind kinderen contactpersoon verwijzer inbrenger deelnemers
	casusregisseur huisarts mentor betrokkenen voornaam achternaam ouders aanwezig gezinsleden melder bewoner zoon dochter broer zus
	voorzitter notulist afzender begeleider namens groet groeten mvg aan cc auteur contact ex dochters zonen patiënt leerling`)

var salutations = set("dag beste hoi hallo lieve geachte hey hee goedemorgen goedemiddag hi ha dank bedankt sorry")

var placePrepositions = set("in te uit vanuit nabij omgeving regio dorp stad gemeente wijk buurt naar richting rondom uit plaats woonplaats buurtschap rond")

var personVerbs = set(`is was heeft had wil wilde zegt zei woont woonde werkt werkte belt belde komt kwam gaat ging vertelt vertelde vraagt
	vroeg zit zat krijgt kreeg doet deed kan kon moet moest mag mocht zal zou wordt werd blijft bleef denkt dacht vindt vond voelt voelde ziet
	zag staat stond loopt liep slaapt sliep geeft gaf neemt nam maakt maakte zoekt zocht helpt hielp oefent zingt schrijft huilt huilde lacht
	lachte reageert weet wist leeft bracht brengt kent kende raakt raakte verhuisde overleed zorgt zorgde studeert drinkt eet zelf zorgde mist
	durft slaat sloeg rookt gebruikt appt appte mailt mailde speelt speelde houdt hield heet begint begon vertrok kookt leest las`)

var nounEndings = []string{"ing", "heid", "tie", "lijk", "elijke", "ische", "atie", "isme", "schap", "teit", "ende", "baar", "loos", "ingen", "heden", "ties", "aard", "igen"}

var apposition = set("een de het die haar zijn onze mijn hun zelf inmiddels al nu net sinds afkomstig geboren")

func nounLike(w string) bool {
	for _, e := range nounEndings {
		if strings.HasSuffix(w, e) && len(w) > len(e)+2 {
			return true
		}
	}
	return false
}

var surnameEndings = []string{"stra", "sma", "inga", "ema", "enga", "mans", "ssen", "nsen", "dsen", "rsen", "meijer", "meyer", "makers", "oglu", "oğlu",
	"ović", "ovic", "enko", "ski", "ska", "wicz", "kamp", "veld", "berg", "dijk", "huis", "burg", "horst", "man", "aar", "hout", "ink", "broek",
	"beek", "stein", "boer", "oven", "ouden", "ova", "escu", "yan", "zadeh", "singh", "pal", "wala", "sz", "veen", "kerk", "woude"}

func surnameLike(w string) bool {
	if surnames[w] {
		return true
	}
	if common[w] || len(w) < 5 {
		return false
	}
	for _, e := range surnameEndings {
		if strings.HasSuffix(w, e) && len(w) > len(e)+1 {
			return true
		}
	}
	return false
}

func (d *document) isNeutral(i int) bool { return d.at(i).neutral }

// names walks the text once and decides for every capitalised word, and for lower-cased ones that a list or a word
// before them gives away, whether it is a person, a place or an organisation.
func (d *document) names() {
	for i := 0; i < len(d.tok); i++ {
		t := &d.tok[i]
		if !t.word || t.num || !d.free(i) || t.neutral && !(titles[d.prev(i)]) {
			continue
		}
		if t.upper {
			d.capitalised(i)
		} else {
			d.lowerName(i)
		}
	}
}

func (d *document) capitalised(i int) {
	t := &d.tok[i]
	cue := d.personCue(i)
	switch {
	case cue != "":
		if t.caps && t.end-t.start <= 4 && cue != "een aanspreekvorm" && cue != "een veld voor een naam" && !given[t.lower] {
			return
		}
		d.person(i, 0.95, "staat na "+cue)
		return
	case single(*t) && d.at(i+1).text == "." && d.joined(i):
		if d.initials(i) {
			return
		}
	case d.capsLine[i], abbreviations[t.lower] && d.at(i+1).text == ".":
		return
	case t.sentence && (common[t.lower] || titles[t.lower] || relations[t.lower] || orgHeads[t.lower] != kindNone || salutations[t.lower]):
		if orgHeads[t.lower] != kindNone {
			d.organisationAt(i)
		}
		if !(common[t.lower] && (particles[t.lower]) && d.at(i+1).upper && surnameLike(d.at(i+1).lower) && !d.isNeutral(i+1)) {
			d.placeAt(i)
			return
		}
	}
	if !d.free(i) {
		return
	}
	if n, _ := places.match(d.tok, i); n > 1 && d.placeAt(i) || d.organisationAt(i) {
		return
	}
	pv := d.prev(i)
	if given[t.lower] && !(placePrepositions[pv] && d.isPlace(i)) {
		d.person(i, 0.9, "voornaam uit de lijst")
		return
	}
	if d.placeAt(i) {
		return
	}
	if t.caps && t.end-t.start <= 5 || common[t.lower] && !t.sentence && !surnames[t.lower] && !givenAmbiguous[t.lower] && d.seenLow[t.lower] {
		return
	}
	if t.sentence {
		d.sentenceStart(i)
		return
	}
	d.midSentence(i, pv)
}

// midSentence decides on an unknown capitalised word that does not begin a sentence: Dutch keeps those for names.
func (d *document) midSentence(i int, pv string) {
	t := &d.tok[i]
	ambiguous := givenAmbiguous[t.lower]
	b := d.capitals(i)
	name := ambiguous || surnames[t.lower] && d.at(i+1).upper
	switch {
	case d.ageFollows(b):
		d.person(i, 0.9, "er volgt een leeftijd")
	case pv == "van" && !name && strings.HasPrefix(d.prev(i-1), "huur"):
		d.takeKind(i, b, Organisation, 0.7, "daar wordt van gehuurd", kindHousing)
	case placePrepositions[pv] && !ambiguous || pv == "dorpje" || pv == "stadje":
		d.takeKind(i, b, Location, 0.7, "naam na een woord voor een plaats", kindNone)
	case (t.lower == "de" || t.lower == "het") && b > i+1 && !relations[pv] && !titles[pv]:
		d.takeKind(i, b, Organisation, 0.7, "naam van een organisatie", d.kindNear(i))
	case (pv == "bij" || pv == "op") && !name:
		d.takeKind(i, b, Organisation, 0.7, "naam na 'bij' of 'op'", d.kindNear(i))
	case pv == "het" || pv == "de" && !name && !surnames[t.lower]:
		d.takeKind(i, b, Organisation, 0.6, "eigennaam met een lidwoord", d.kindNear(i))
	case pv == "aan" && (workWords[d.prev(i-1)] || d.prev(i-1) == "studeert" || d.prev(i-1) == "studeerde"):
		d.takeKind(i, b, Organisation, 0.7, "naam van een organisatie", kindSchool)
	default:
		d.person(i, 0.7, "hoofdletter midden in een zin")
	}
}

func (d *document) kindNear(i int) orgKind {
	for j := i - 1; j >= 0 && j >= i-7; j-- {
		if workWords[d.tok[j].lower] {
			return kindWork
		}
		if k := orgHeads[d.tok[j].lower]; k != kindNone {
			return k
		}
	}
	return kindOther
}

// sentenceStart decides on an unknown word that begins a sentence: only with a reason beyond its capital.
func (d *document) sentenceStart(i int) {
	t := &d.tok[i]
	b := d.capitals(i)
	switch {
	case t.end-t.start < 3 || t.digits > 0:
	case d.speaker(i):
		d.person(i, 0.85, "spreekt in een verslag")
	case d.ageFollows(b):
		d.person(i, 0.9, "er volgt een leeftijd")
	case b > i+1 && (surnames[t.lower] || !d.seenLow[t.lower]) && !d.isNeutral(i+1) && !d.at(i+1).caps && !nounLike(t.lower) && !common[t.lower]:
		d.person(i, 0.8, "twee hoofdletters na elkaar")
	case particles[d.next(i)] && (surnameLike(d.at(i+2).lower) || surnameLike(d.at(i+3).lower)) && !d.seenLow[t.lower] && d.seqEnd(i) > i+2:
		d.person(i, 0.8, "naam met een tussenvoegsel")
	case givenAmbiguous[t.lower]:
		if personVerbs[d.next(i)] && !common[t.lower] {
			d.person(i, 0.6, "mogelijk een voornaam")
		}
	case !d.seenLow[t.lower] && !nounLike(t.lower) && d.at(i+1).text == "," && apposition[d.at(i+2).lower]:
		d.person(i, 0.5, "mogelijk een naam, er volgt wie het is")
	case !d.seenLow[t.lower] && !nounLike(t.lower) && (personVerbs[d.next(i)] || d.next(i) == "en" && d.at(i+2).upper && !d.at(i+2).line):
		d.person(i, 0.55, "mogelijk een naam aan het begin van een zin")
	}
}

// speaker reports "[12:14] Naam:" and "Naam (team):" at the start of a line.
func (d *document) speaker(i int) bool {
	j := i - 1
	for j >= 0 && !d.tok[j+1].line && (d.tok[j].num || strings.Contains("[]:.-", d.tok[j].text)) {
		j--
	}
	if !d.tok[j+1].line || j+1 == i {
		return false
	}
	return d.at(i+1).text == ":" || d.at(i+1).text == "("
}

func (d *document) ageFollows(b int) bool {
	if d.at(b).text == "(" && d.numberAt(b+1) >= 0 && (d.at(b+2).text == ")" || d.at(b+2).text == "," || d.at(b+2).lower == "jaar" || d.at(b+2).lower == "jr") {
		return true
	}
	return d.at(b).text == "," && !d.at(b).gap && d.at(b+1).num && d.numberAt(b+1) >= 0 && (d.at(b+2).text == "," || d.at(b+2).text == "." || d.at(b+2).lower == "jaar") && !(d.at(b+2).text == "," && d.joined(b+1) && d.at(b+3).num)
}

// personCue names what before token i announces a person, or is empty.
func (d *document) personCue(i int) string {
	pv := d.prev(i)
	if titles[pv] && pv != "meester" && pv != "kleine" || (pv == "mr" || pv == "meester") && d.tok[i].upper {
		return "een aanspreekvorm"
	}
	if relations[pv] && !(d.isPlace(i) && pv != "heet") {
		return "een woord voor een familielid of rol"
	}
	t := &d.tok[i]
	if salutations[pv] && d.tok[i-1].sentence && t.upper && !d.isPlace(i) {
		return "een aanhef"
	}
	if i >= 2 && d.tok[i-1].text == "," && !t.line && relations[d.tok[i-2].lower] && !d.isPlace(i) && (d.at(i+1).text == "," || given[t.lower]) {
		return "een woord voor een familielid of rol"
	}
	// Labels of a form, and the closing of a letter.
	j := i - 1
	if j >= 0 && (d.tok[j].text == ":" || d.tok[j].text == "," || t.line) {
		k := j
		for k >= 0 && k >= j-4 && !d.tok[k].word {
			k--
		}
		if k > 0 && d.tok[k].lower == "en" && d.joined(k-1) {
			k -= 2 // Kind(eren)
		}
		if k >= 0 {
			w := d.tok[k].lower
			if d.tok[j].text == ":" && personLabels[w] && !t.line && (d.tok[k].sentence || d.at(k-2).sentence || d.at(k-1).text == ",") {
				return "een veld voor een naam"
			}
			if strings.HasPrefix(w, "groet") || strings.HasPrefix(w, "liefs") || w == "mvg" {
				return "een groet"
			}
		}
	}
	return ""
}

func (d *document) isPlace(i int) bool {
	n, _ := places.match(d.tok, i)
	return n > 0
}

func (d *document) placeAt(i int) bool {
	n, _ := places.match(d.tok, i)
	if n == 0 || !d.tok[i].upper || d.at(i+n-1).sentence && n > 1 && !d.tok[i].sentence {
		return false
	}
	t := &d.tok[i]
	if n == 1 && (placeWords[t.lower] || surnames[t.lower]) && !placePrepositions[d.prev(i)] {
		if t.sentence {
			return false
		}
	}
	b := i + n
	for d.at(b).text == "-" && d.joined(b-1) && d.joined(b) && d.at(b+1).word && d.freeRange(b, b+2) {
		b += 2
	}
	if d.at(b).upper && d.free(b) && !d.at(b).line && !d.at(b).sentence {
		switch d.at(b).lower {
		case "noord", "zuid", "oost", "west", "centrum", "binnenstad":
			b++
		default:
			if k := orgEnding(d.at(b).lower); k != kindNone {
				return d.takeKind(i, b+1, Organisation, 0.85, "naam van een organisatie", k)
			}
		}
	}
	return d.take(i, b, Location, 0.9, "plaats uit de lijst")
}

// maxInitials bounds how far a look ahead may go, so that no text takes more than linear time.
const maxInitials = 8

// initials finds "G.A. Naam" and "J. van der Naam".
func (d *document) initials(i int) bool {
	b := i
	for b-i < 2*maxInitials && single(*d.at(b)) && d.at(b+1).text == "." && d.joined(b) && (b == i || !d.at(b).line) {
		b += 2
	}
	for n := 0; n < 4 && particles[d.at(b).lower] && !d.at(b).line; n++ {
		b++
	}
	if !d.at(b).upper || d.at(b).line || d.at(b).caps && d.at(b).end-d.at(b).start < 3 || d.isNeutral(b) {
		return false
	}
	return d.take(i, d.seqEnd(b), Person, 0.95, "voorletters en een naam")
}

// person claims the name that begins at token i.
func (d *document) person(i int, conf float64, why string) bool {
	if single(d.tok[i]) && d.at(i+1).text == "." && d.joined(i) && d.initials(i) {
		return true
	}
	a, b := i, d.seqEnd(i)
	// "SANTOS, Maria" in a form.
	if d.at(b).text == "," && d.tok[b-1].caps && d.at(b+1).upper && !d.at(b+1).line && !d.at(b+1).caps && d.tok[i].caps && d.free(b) && d.free(b+1) {
		b = d.seqEnd(b + 1)
	}
	for a < b && particles[d.tok[a].lower] && b == a+1 {
		return false
	}
	return d.take(a, b, Person, conf, why)
}

// seqEnd returns the index after the name that begins at i: given names, particles, surnames, hyphens, initials.
func (d *document) seqEnd(i int) int {
	b := i + 1
	for n := 0; n < 10; n++ {
		t := d.at(b)
		switch {
		case t.text == "-" && d.joined(b-1) && d.joined(b) && d.at(b+1).word && (d.at(b+1).upper || !d.tok[i].upper) && d.freeRange(b, b+2):
			b += 2
		case (t.text == "'" || t.text == "’") && d.joined(b-1) && d.joined(b) && d.at(b+1).upper && d.freeRange(b, b+2):
			b += 2
		case t.line || !d.free(b) || !d.tok[b-1].word && d.tok[b-1].text != ".":
			return b
		case t.upper && !t.sentence && single(*t) && d.at(b+1).text == "." && d.joined(b) && d.free(b+1):
			b += 2
			if d.at(b).sentence {
				return b - 1
			}
			if !d.at(b).upper && !particles[d.at(b).lower] {
				return b
			}
		case t.upper && !t.sentence && !t.neutral && t.digits == 0 && (!t.caps || d.tok[i].caps || t.end-t.start > 4):
			b++
		case particles[t.lower] && t.word:
			k := b
			for k < b+3 && (particles[d.at(k).lower] && !d.at(k).line || (d.at(k).text == "'" || d.at(k).text == "’") && d.at(k+1).lower == "t") {
				k++
			}
			low := d.at(k)
			ok := low.upper && !low.neutral && !low.sentence && t.lower != "in" && t.lower != "op" && t.lower != "te" && !(t.lower == "het" && !given[d.tok[i].lower]) ||
				surnameLike(low.lower) && (t.lower == "van" || t.lower == "de" || t.lower == "el" || t.lower == "der" || t.lower == "den") && !orgNoun(low.lower) && !low.sentence
			if t.lower == "van" && k == b+1 && ok && (d.isPlace(k) && !surnames[low.lower] || low.caps || orgEnding(low.lower) != kindNone) {
				ok = false // "Jan van Saxion", "Jan van GGZ"
			}
			if d.at(i).low && !ok && !low.upper && unusual(low) && (t.lower == "el" || t.lower == "al" || t.lower == "ben" || t.lower == "der" || t.lower == "van" && (d.at(k-1).lower == "der" || d.at(k-1).lower == "den")) {
				ok = true
			}
			if !ok || !d.freeRange(b, k+1) || low.line {
				return b
			}
			b = k + 1
		case !d.tok[i].upper && !t.upper && t.word && t.digits == 0 && b == i+1 && !common[t.lower] && (surnameLike(t.lower) || d.at(i).low && unusual(t)):
			b++
		default:
			return b
		}
	}
	return b
}

func orgNoun(w string) bool { return orgHead(w) != kindNone || common[w] && !surnames[w] }
