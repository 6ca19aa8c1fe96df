package anchor

import (
	"errors"
	"strings"
)

// sentences say to the administrator what a rule refused and what can be done. {onderwerp} is the Refusal's subject.
var sentences = map[string]string{
	"actor.missing":              "We weten niet wie dit doet. Geef je naam op met --by.",
	"name.invalid":               "Deze naam kan niet: {onderwerp}. Gebruik 1 tot 200 gewone tekens.",
	"organisation.id":            "Dit is geen adres van een organisatie: {onderwerp}. Gebruik https:// en een naam, zonder schuine streep erachter. Bijvoorbeeld https://zijlicht.voorbeeld.nl",
	"organisation.kind":          "Deze soort kennen we niet: {onderwerp}. Kies wijkteam, municipality of anchor.",
	"organisation.endpoint":      "Dit adres hoort niet bij de organisatie: {onderwerp}. Het moet beginnen met het adres van de organisatie zelf.",
	"organisation.exists":        "Deze organisatie doet al mee: {onderwerp}.",
	"organisation.unknown":       "We kennen deze organisatie niet: {onderwerp}. Kijk met 'member list' hoe het adres precies is.",
	"organisation.removed":       "Deze organisatie is verwijderd: {onderwerp}. Dat blijft zo.",
	"organisation.suspend-first": "Deze organisatie doet nog mee: {onderwerp}. Zet haar eerst stil met 'member suspend'. Daarna kun je haar verwijderen.",
	"organisation.suspended":     "Deze organisatie staat stil: {onderwerp}. Laat haar eerst weer meedoen met 'member resume'.",
	"keys.private":               "Hier zit een geheime sleutel bij. Die mag niemand anders zien. Laat de organisatie een nieuwe sleutel maken en alleen het openbare deel geven.",
	"keys.invalid":               "Deze sleutels kunnen we niet gebruiken. Nodig zijn 1 tot 8 openbare ES256-sleutels (P-256) met elk een eigen kid.",
	"keys.taken":                 "Een van deze sleutels is al van een andere organisatie. Laat een nieuwe sleutel maken voor {onderwerp}.",
	"keys.unreadable":            "We kunnen geen sleutels lezen uit {onderwerp}. Geef met --keys een bestand of een https-adres.",
	"mark.unknown":               "Dit keurmerk kennen we niet: {onderwerp}. Kies member, municipality of lateral-review.",
	"mark.kind":                  "Dit keurmerk is alleen voor gemeenten: {onderwerp}.",
	"circle.id":                  "Deze naam voor een leerkring kan niet als --id: {onderwerp}. Gebruik kleine letters, cijfers en streepjes.",
	"circle.exists":              "Er is al een leerkring met deze naam: {onderwerp}.",
	"circle.unknown":             "We kennen deze leerkring niet: {onderwerp}. Kijk met 'circle list'.",
	"circle.ended":               "Deze leerkring is voorbij: {onderwerp}. Dat blijft zo.",
	"circle.full":                "Deze leerkring is vol: {onderwerp}. Er kunnen 9 organisaties in.",
	"circle.past":                "De einddatum van deze leerkring is al voorbij: {onderwerp}.",
	"date.invalid":               "Dit is geen datum: {onderwerp}. Schrijf hem zo: 2027-06-30.",
	"confirm.missing":            "Er is niets verwijderd. Typ het adres precies over, of gebruik --yes.",

	"federation.empty": "Let op: er doet nu geen enkele organisatie meer mee.",
	"circle.empty":     "Let op: in leerkring {onderwerp} zit nu niemand meer.",
}

func sentence(code, subject string) string {
	return strings.ReplaceAll(sentences[code], "{onderwerp}", subject)
}

// shown is an error as the administrator reads it; what it stands for can still be asked with errors.As.
type shown struct{ cause error }

func (e shown) Error() string {
	if refusal := (*Refusal)(nil); errors.As(e.cause, &refusal) && sentences[refusal.Code] != "" {
		return sentence(refusal.Code, refusal.Subject)
	}
	return "Dit is niet gelukt en er is niets veranderd. Voor de beheerder: " + e.cause.Error()
}

func (e shown) Unwrap() error { return e.cause }

var (
	stateNames  = map[string]string{"active": "doet mee", "suspended": "staat stil", "removed": "verwijderd"}
	circleNames = map[string]string{"active": "loopt", "paused": "staat stil", "ended": "voorbij"}
)
