package biz

import (
	"regexp"
	"strings"
)

// codes finds what has a form of its own: mail and web addresses, accounts, phones, numbers, plates, postcodes.
func (d *document) codes() {
	for i := range d.tok {
		switch d.tok[i].text {
		case "@":
			d.mail(i)
		default:
			d.web(i)
		}
	}
	for i := 0; i < len(d.tok); i++ {
		t := &d.tok[i]
		if !d.free(i) || t.digits == 0 && t.text != "+" && t.text != "(" && !t.word {
			continue
		}
		if t.digits == 0 && t.word {
			if len(t.text) <= 3 {
				d.plate(i)
			}
			continue
		}
		if d.iban(i) || d.phone(i) || d.bsn(i) || d.plate(i) || d.postcode(i) {
			continue
		}
	}
}

func mailRune(t *token) bool {
	return t.word || t.text == "." || t.text == "-" || t.text == "+" || t.text == "%"
}

func (d *document) mail(at int) {
	a, b := at, at+1
	for a > 0 && at-a < 40 && d.joined(a-1) && mailRune(&d.tok[a-1]) {
		a--
	}
	dot := false
	for b < len(d.tok) && b-at < 40 && d.joined(b-1) && mailRune(&d.tok[b]) {
		dot = dot || d.tok[b].text == "."
		b++
	}
	for b > at+1 && !d.tok[b-1].word {
		b--
	}
	for a < at && !d.tok[a].word {
		a++
	}
	switch {
	case b == at+1:
	case a < at:
		d.take(a, b, Email, 0.99, "e-mailadres")
	case !d.joined(at-1) || at == 0 || !d.tok[at-1].word:
		d.take(at, b, URL, 0.8, "naam op sociale media")
	}
}

var topLevel = set("nl com org net eu be de info io app gov amsterdam frl pt fr uk")

func (d *document) web(i int) {
	t := &d.tok[i]
	if !t.word || !d.free(i) || d.joined(i-1) && d.tok[i-1].word {
		return
	}
	start := false
	switch {
	case (t.lower == "http" || t.lower == "https") && d.at(i+1).text == ":" && d.joined(i) && d.at(i+2).text == "/":
		start = true
	case t.lower == "www" && d.at(i+1).text == "." && d.joined(i):
		start = true
	case d.at(i+1).text == "." && d.joined(i) && d.joined(i+1):
		for j := i + 2; j < i+10 && d.at(j).word; j += 2 {
			if topLevel[d.at(j).lower] && !d.tok[j].upper && !(d.joined(j) && d.at(j+1).text == "." && d.joined(j+1) && d.at(j+2).word) {
				start = true
				break
			}
			if !(d.joined(j) && (d.at(j+1).text == "." || d.at(j+1).text == "-") && d.joined(j+1)) {
				break
			}
		}
	}
	if !start {
		return
	}
	b := i + 1
	for b < len(d.tok) && !d.tok[b].gap && !d.tok[b].line && d.free(b) {
		b++
	}
	for b > i+1 && !d.tok[b-1].word && d.tok[b-1].text != "/" {
		b--
	}
	d.take(i, b, URL, 0.97, "webadres")
}

// window returns at most n bytes of text from token i, not past the line.
func (d *document) window(i, n int) string {
	from := d.tok[i].from
	to := min(from+n, len(d.text))
	s := d.text[from:to]
	if k := strings.IndexAny(s, "\n\r"); k >= 0 {
		s = s[:k]
	}
	return s
}

// ending returns the index after the token that ends n bytes after token i begins, or 0 if no token ends there.
func (d *document) ending(i, n int) int {
	to := d.tok[i].from + n
	for j := i; j < len(d.tok) && d.tok[j].to <= to; j++ {
		if d.tok[j].to == to {
			return j + 1
		}
	}
	return 0
}

var (
	phoneAbroad = regexp.MustCompile(`^(?:\+|00)[ ]?[1-9]\d{0,2}[ .\-/]{0,3}(?:\(0\))?(?:[ .\-/()]{0,3}\d){6,12}`)
	phoneHome   = regexp.MustCompile(`^\(?0(?:[ ]?\d){1,3}\)?(?:[ .\-/–]{0,3}\d){6,8}`)
	phoneLocal  = regexp.MustCompile(`^\d(?:[ .\-]?\d){5,9}`)
	nineDigits  = regexp.MustCompile(`^\d(?:[ .\-]?\d){7,8}`)
)

func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// cue reports whether one of the words stands within n tokens before i on the same line.
func (d *document) cue(i, n int, is func(string) bool) bool {
	for j := i; j > 0 && i-j < n; j-- {
		if d.tok[j].line {
			return false
		}
		if p := &d.tok[j-1]; p.word && is(p.lower) {
			return true
		} else if p.text == ";" {
			return false
		}
	}
	return false
}

func phoneCue(w string) bool {
	switch w {
	case "tel", "telefoon", "telefoonnummer", "mobiel", "mobiele", "gsm", "bellen", "bereikbaar", "gebeld", "bel", "appen", "whatsapp":
		return true
	}
	return false
}

func (d *document) phone(i int) bool {
	s := d.window(i, 40)
	switch {
	case s[0] == '+' || strings.HasPrefix(s, "00"):
		if m := phoneAbroad.FindString(s); m != "" {
			if b := d.ending(i, len(m)); b > 0 {
				return d.take(i, b, Phone, 0.97, "telefoonnummer")
			}
		}
	case s[0] == '0' || strings.HasPrefix(s, "(0"):
		m := phoneHome.FindString(s)
		for n := len(digitsOf(m)); n >= 9; n = len(digitsOf(m)) {
			if b := d.ending(i, len(m)); b > 0 && n == 10 {
				return d.take(i, b, Phone, 0.97, "telefoonnummer")
			}
			m = strings.TrimRight(m[:len(m)-1], " .-/–")
		}
	}
	if d.tok[i].num && d.cue(i, 4, phoneCue) {
		if m := phoneLocal.FindString(s); m != "" {
			if b := d.ending(i, len(m)); b > 0 {
				return d.take(i, b, Phone, 0.85, "telefoonnummer na een woord als 'tel'")
			}
		}
	}
	return false
}

func elfproef(n string) bool {
	if len(n) != 9 || n == "000000000" {
		return false
	}
	sum := -int(n[8] - '0')
	for k := 0; k < 8; k++ {
		sum += (9 - k) * int(n[k]-'0')
	}
	return sum%11 == 0
}

func bsnCue(w string) bool {
	return w == "bsn" || w == "burgerservicenummer" || w == "sofinummer" || w == "sofi"
}

func (d *document) bsn(i int) bool {
	if d.tok[i].digits == 0 || i > 0 && d.joined(i-1) && (d.tok[i-1].word || strings.Contains(".-/", d.tok[i-1].text)) {
		return false
	}
	m := nineDigits.FindString(d.window(i, 24))
	if m == "" {
		return false
	}
	b := d.ending(i, len(m))
	if b == 0 || d.joined(b-1) && d.tok[b].text == "-" {
		return false
	}
	told := d.cue(i, 4, bsnCue)
	if told {
		return d.take(i, b, BSN, 0.99, "nummer na 'bsn'")
	}
	if elfproef(digitsOf(m)) {
		return d.take(i, b, BSN, 0.9, "negen cijfers die de elfproef doorstaan")
	}
	return false
}

var ibanLength = map[string]int{"NL": 18, "BE": 16, "DE": 22, "FR": 27, "GB": 22, "ES": 24, "PT": 25, "IT": 27, "PL": 28, "TR": 26,
	"RO": 24, "BG": 22, "LT": 20, "LU": 20, "AT": 20, "CH": 21, "SE": 24, "DK": 18, "NO": 15, "FI": 18, "GR": 27, "HU": 28, "IE": 22,
	"CZ": 24, "UA": 29, "MA": 28, "HR": 21, "SK": 24, "LV": 21, "EE": 20, "SI": 19}

func mod97(s string) bool {
	n := 0
	for _, r := range s[4:] + s[:4] {
		switch {
		case r >= '0' && r <= '9':
			n = (n*10 + int(r-'0')) % 97
		case r >= 'A' && r <= 'Z':
			n = (n*100 + int(r-'A') + 10) % 97
		default:
			return false
		}
	}
	return n == 1
}

func (d *document) iban(i int) bool {
	t := &d.tok[i]
	if len(t.text) < 4 || t.text[0] < 'A' || t.text[2] < '0' || t.text[2] > '9' || t.text[3] < '0' || t.text[3] > '9' {
		return false
	}
	want := ibanLength[strings.ToUpper(t.text[:2])]
	var sb strings.Builder
	b := i
	for b < len(d.tok) && sb.Len() < want && !(b > i && d.tok[b].line) {
		if d.tok[b].word {
			sb.WriteString(strings.ToUpper(d.tok[b].text))
		} else if d.tok[b].text != "." && d.tok[b].text != "-" {
			break
		}
		b++
	}
	if want == 0 || sb.Len() != want {
		return false
	}
	s := sb.String()
	if mod97(s) {
		return d.take(i, b, IBAN, 0.99, "rekeningnummer dat klopt")
	}
	if s[:2] == "NL" || d.cue(i, 4, func(w string) bool { return w == "iban" || w == "rekening" || w == "rekeningnummer" }) {
		return d.take(i, b, IBAN, 0.9, "heeft de vorm van een rekeningnummer")
	}
	return false
}

// plate finds Dutch licence plates: six letters and digits in three groups.
func (d *document) plate(i int) bool {
	t := &d.tok[i]
	if !t.word {
		return false
	}
	if len(t.text) == 6 && t.digits >= 1 && t.digits <= 5 && !strings.ContainsRune(t.text, '_') && d.cue(i, 4, plateCue) {
		return d.take(i, i+1, LicencePlate, 0.9, "na het woord 'kenteken'")
	}
	if !d.freeRange(i, i+5) || d.tok[i+1].text != "-" || d.tok[i+3].text != "-" || i > 0 && d.joined(i-1) && !strings.Contains("('\"", d.tok[i-1].text) {
		return false
	}
	n, letters, digits := 0, 0, 0
	for _, k := range []int{i, i + 2, i + 4} {
		g := &d.tok[k]
		if !g.word || k > i && g.gap || k < i+4 && d.tok[k+1].gap || g.digits > 0 && !g.num || len(g.text) > 3 {
			return false
		}
		n += len(g.text)
		if g.num {
			digits++
		} else {
			letters++
		}
	}
	if n != 6 || letters == 0 || digits == 0 || d.joined(i+4) && d.at(i+5).text == "-" {
		return false
	}
	return d.take(i, i+5, LicencePlate, 0.95, "kenteken")
}

func plateCue(w string) bool { return w == "kenteken" || w == "nummerbord" || w == "kentekenplaat" }

func (d *document) postcode(i int) bool {
	t := &d.tok[i]
	if t.text[0] < '1' || t.text[0] > '9' || i > 0 && d.joined(i-1) && d.tok[i-1].text != "," && d.tok[i-1].text != "(" {
		return false
	}
	if len(t.text) == 6 && t.digits == 4 && digitsOf(t.text[:4]) == t.text[:4] && isLetters(t.text[4:]) {
		return d.take(i, i+1, Postcode, 0.97, "postcode")
	}
	if !t.num || len(t.text) != 4 || i+1 >= len(d.tok) {
		return false
	}
	n := &d.tok[i+1]
	if !n.word || n.line || len(n.text) != 2 || !isLetters(n.text) || n.start-t.end > 2 {
		return false
	}
	placed := false
	if i+2 < len(d.tok) {
		k, _ := places.match(d.tok, i+2)
		placed = k > 0
	}
	told := d.prev(i) == "postcode" || d.at(i-1).text == ":" && d.prev(i-1) == "postcode"
	if n.caps || (placed || told) && !common[n.lower] {
		return d.take(i, i+2, Postcode, 0.95, "postcode")
	}
	return false
}

func isLetters(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}
