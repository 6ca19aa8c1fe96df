package biz

import (
	_ "embed" // the word lists beside this file
	"strings"
)

//go:embed lists/given.txt
var givenText string

//go:embed lists/given_ambiguous.txt
var givenAmbiguousText string

//go:embed lists/surnames.txt
var surnamesText string

//go:embed lists/cities.txt
var citiesText string

//go:embed lists/villages.txt
var villagesText string

//go:embed lists/abroad.txt
var abroadText string

//go:embed lists/countries.txt
var countriesText string

//go:embed lists/nationality.txt
var nationalityText string

//go:embed lists/professions.txt
var professionsText string

//go:embed lists/neutral.txt
var neutralText string

//go:embed lists/common.txt
var commonText string

func uncomment(s string) string {
	lines := strings.Split(s, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.HasPrefix(l, "#") {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

func set(s string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(uncomment(s)) {
		m[strings.ToLower(w)] = true
	}
	return m
}

func list(s string) []string {
	var out []string
	for _, l := range strings.Split(uncomment(s), "\n") {
		for _, p := range strings.Split(l, ";") {
			if p = strings.TrimSpace(p); p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}

// phrases finds phrases of one or more tokens; value is the caller's.
type phrases struct {
	exact bool                // capitals count
	first map[string][]phrase // by the first word, or the first two
	opens map[string]bool     // words that begin a phrase of two or more
}

type phrase struct {
	tok   []token
	value int
}

func newPhrases(exact bool) *phrases {
	return &phrases{exact: exact, first: make(map[string][]phrase), opens: make(map[string]bool)}
}

func (p *phrases) add(s string, value int) {
	tok := tokenise(valid(s))
	if len(tok) == 0 {
		return
	}
	key := tok[0].lower
	if len(tok) > 1 {
		p.opens[key] = true
		key += " " + tok[1].lower
	}
	p.first[key] = append(p.first[key], phrase{tok, value})
}

func (p *phrases) addAll(all []string, value int) {
	for _, s := range all {
		p.add(s, value)
	}
}

// match returns the length in tokens of the longest phrase at i, and its value; 0 if there is none.
func (p *phrases) match(tok []token, i int) (n, value int) {
	n, value = p.among(tok, i, p.first[tok[i].lower])
	if i+1 < len(tok) && p.opens[tok[i].lower] {
		if n2, v2 := p.among(tok, i, p.first[tok[i].lower+" "+tok[i+1].lower]); n2 > n {
			return n2, v2
		}
	}
	return n, value
}

func (p *phrases) among(tok []token, i int, all []phrase) (n, value int) {
	for _, ph := range all {
		if len(ph.tok) <= n || i+len(ph.tok) > len(tok) {
			continue
		}
		ok := true
		for k := range ph.tok {
			a, b := &ph.tok[k], &tok[i+k]
			if a.lower != b.lower || k > 0 && (a.gap != b.gap || b.line) || p.exact && a.upper && a.text != b.text && !b.caps {
				ok = false
				break
			}
		}
		if ok {
			n, value = len(ph.tok), ph.value
		}
	}
	return n, value
}

const (
	placeCity = iota + 1
	placeVillage
	placeAbroad
)

var (
	common         = set(commonText)
	given          = set(givenText)
	givenAmbiguous = set(givenAmbiguousText)
	surnames       = set(surnamesText)
	professions    = set(professionsText)
	origins        = set(nationalityText)
	places         = newPhrases(false)
	countries      = newPhrases(false)
	neutral        = newPhrases(true)
)

// placeWords are places that are ordinary words or names: they need a preposition of place.
var placeWords = set(`best goes made balk enter grave horn son stein velden doorn dieren buren huizen houten leek roden rijen axel
	echt elst ede laren haren borne bergen dalen dongen duiven monster putten putte erica drunen zetten waarder someren beers beek
	horst sluis zeeland waterland mill hulst berkel heeze bladel epe kapelle lemmer stratum laak rolde olst kampen rijp twente
	waal hoorn weert delft joure baarn druten beers holten gestel bloemhof transvaal lombok koog essen`)

func init() {
	for w := range givenAmbiguous {
		delete(given, w)
	}
	for w := range given {
		if common[w] {
			delete(given, w)
			givenAmbiguous[w] = true
		}
	}
	places.addAll(list(villagesText), placeVillage)
	places.addAll(list(citiesText), placeCity)
	places.addAll(list(abroadText), placeAbroad)
	countries.addAll(list(countriesText), placeAbroad)
	neutral.addAll(list(neutralText), 1)
}
