package biz

import "strings"

type orgKind int

const (
	kindNone orgKind = iota
	kindSchool
	kindCare
	kindHousing
	kindSport
	kindFaith
	kindWork
	kindOther
)

var orgHeads = make(map[string]orgKind)

func init() {
	for kind, words := range map[orgKind]string{
		kindSchool: `school basisschool middelbare lyceum gymnasium hogeschool universiteit mbo roc academie kinderdagverblijf dagverblijf
			peuterspeelzaal crèche kinderopvang bso kdv opleiding scholengemeenschap speelzaal naschoolse praktijkschool schoolbestuur`,
		kindCare: `ziekenhuis apotheek huisartsenpraktijk huisartsenpost gezondheidscentrum verzorgingshuis verpleeghuis zorginstelling
			thuiszorg thuiszorgorganisatie zorgaanbieder zorgorganisatie jeugdhulpaanbieder jeugdzorginstelling kliniek zorgboerderij
			zorgboerderij dagbesteding gezinshuis woonvorm verslavingszorg woonzorgcentrum hospice fysiotherapiepraktijk tandartspraktijk
			welzijnsorganisatie welzijnsstichting opvang opvanghuis instelling zorggroep ggz-instelling voogdijinstelling wooncentrum`,
		kindHousing: `woningcorporatie woningstichting woonstichting corporatie verhuurder woningbouwvereniging woningbouw huisbaas`,
		kindSport: `voetbalclub sportclub hockeyclub tennisclub club voetbalvereniging sportvereniging zwembad sportschool gymvereniging
			turnvereniging judoclub manege scouting harmonie fanfare muziekvereniging koor boksschool`,
		kindFaith: `moskee kerk kerkgemeente gemeente parochie tempel synagoge gurdwara kathedraal`,
		kindWork: `bedrijf firma supermarkt winkel restaurant café bakkerij slagerij garage uitzendbureau hotel pension camping boekhandel
			fabriek werkgever kantoor drukkerij kwekerij boerderij transportbedrijf schoonmaakbedrijf bouwbedrijf aannemer kapsalon eetcafé
			snackbar pizzeria bioscoop theater museum bloemist cafetaria platform onderneming`,
		kindOther: `stichting vereniging bewindvoerderskantoor advocatenkantoor incassobureau deurwaarder deurwaarderskantoor buurthuis
			wijkcentrum buurtcentrum organisatie bureau fonds partij instituut centrum bank verzekeraar dienst bewonerscommissie inloophuis`,
	} {
		for w := range set(words) {
			orgHeads[w] = kind
		}
	}
	delete(orgHeads, "gemeente") // a municipality is a place
}

var orgSuffix = []struct {
	s    string
	kind orgKind
}{{"college", kindSchool}, {"lyceum", kindSchool}, {"gymnasium", kindSchool}, {"school", kindSchool}, {"academie", kindSchool},
	{"universiteit", kindSchool}, {"ziekenhuis", kindCare}, {"umc", kindCare}, {"zorg", kindCare}, {"kliniek", kindCare}, {"hospitaal", kindCare},
	{"zorggroep", kindCare}, {"opvang", kindCare}, {"apotheek", kindCare}, {"hospice", kindCare}, {"wonen", kindHousing}, {"wonenplus", kindHousing},
	{"woningstichting", kindHousing}, {"kerk", kindFaith}, {"moskee", kindFaith}, {"stichting", kindOther}, {"instituut", kindOther},
	{"centrum", kindOther}, {"groep", kindOther}, {"bv", kindWork}, {"museum", kindWork}, {"boys", kindSport}, {"fonds", kindOther}}

func orgEnding(lower string) orgKind {
	for _, o := range orgSuffix {
		if strings.HasSuffix(lower, o.s) {
			return o.kind
		}
	}
	return kindNone
}

// orgHead returns the kind when the word announces an organisation's name: "basisschool", "stichting".
func orgHead(lower string) orgKind {
	if k, ok := orgHeads[lower]; ok {
		return k
	}
	for _, suffix := range []string{"organisatie", "instelling", "corporatie", "stichting", "vereniging", "school", "praktijk", "winkel", "bedrijf", "club", "aanbieder", "kantoor", "moskee", "kerk"} {
		if strings.HasSuffix(lower, suffix) && len(lower) > len(suffix)+2 {
			return orgHeads[suffix] | kindOther*b2i(orgHeads[suffix] == 0)
		}
	}
	return kindNone
}

func b2i(b bool) orgKind {
	if b {
		return 1
	}
	return 0
}

var workWords = set("werkt werkte werken baan dienst baas stage ontslagen vakkenvuller chauffeur magazijn manager leidinggevende collega's")

// organisationAt finds an organisation whose name begins at token i, and reports whether it did.
func (d *document) organisationAt(i int) bool {
	t := &d.tok[i]
	if !t.upper || !d.free(i) {
		return false
	}
	// "Apotheek X", "Basisschool De Y": the head itself has a capital.
	if k := orgHeads[t.lower]; k != kindNone && d.at(i+1).upper && !d.at(i+1).line && d.free(i+1) && !d.isNeutral(i+1) {
		b := d.capitals(i + 1)
		if t.sentence {
			return d.takeKind(i+1, b, Organisation, 0.8, "naam van een organisatie", k)
		}
		return d.takeKind(i, b, Organisation, 0.85, "naam van een organisatie", k)
	}
	b := d.capitals(i)
	if k := orgEnding(d.tok[b-1].lower); k != kindNone && !(b == i+1 && orgHead(t.lower) != kindNone && t.sentence) && !(t.sentence && b == i+1 && (common[t.lower] || d.seenLow[t.lower])) && !common[t.lower] {
		return d.takeKind(i, b, Organisation, 0.85, "naam van een organisatie", k)
	}
	if t.sentence {
		return false
	}
	// "basisschool X", "verhuurder, X", "van de moskee Y".
	if p := d.before(i); p >= 0 {
		if d.tok[p].lower == "de" || d.tok[p].lower == "het" || d.tok[p].lower == "van" {
			p = d.before(p)
		}
		if p >= 0 {
			if k := orgHead(d.tok[p].lower); k != kindNone && !given[t.lower] {
				return d.takeKind(i, b, Organisation, 0.85, "naam achter een woord voor een organisatie", k)
			}
		}
	}
	return false
}

// capitals returns the index after a run of capitalised words that begins at i, with particles inside it.
func (d *document) capitals(i int) int {
	b := i + 1
	for n := 0; n < 8; n++ {
		switch {
		case d.at(b).upper && !d.at(b).line && d.free(b) && !d.at(b).sentence && (b == i+1 || d.tok[b-1].word):
			b++
		case (d.at(b).text == "-" || d.at(b).text == "'" || d.at(b).text == "’" || d.at(b).text == "&") && !d.at(b).line && d.free(b) && d.at(b+1).word && (d.at(b).text == "&" || d.joined(b-1) && d.joined(b)) && d.free(b+1) && !d.at(b+1).line:
			b += 2
		case particles[d.at(b).lower] && !d.at(b).line && d.free(b) && d.at(b+1).upper && d.at(b+1).gap && !d.at(b+1).line && d.free(b+1) && !d.at(b+1).sentence && d.at(b).lower != "in" && d.at(b).lower != "en" && d.at(b).lower != "van":
			b += 2
		default:
			return b
		}
	}
	return b
}
