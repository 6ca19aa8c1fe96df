package biz

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a run of letters and digits, or one other character. Every span begins and ends at a token's edge.
type token struct {
	start, end  int // code points
	from, to    int // bytes
	text, lower string
	word        bool // letters or digits
	upper       bool // begins with a capital
	caps        bool // two letters or more, all capitals
	digits      int
	num         bool // digits only
	gap         bool // white space before it
	line        bool // begins a line
	sentence    bool // begins a sentence
	placed      bool // part of a label of ours
	allowed     bool // on the allow list
	neutral     bool // a law, method, national body or tool
	low         bool // its line, or all of the text, is written without capitals
	claim       int  // 1 + index of the finding it belongs to
}

// finding is a span in tokens, [a, b).
type finding struct {
	a, b   int
	typ    Type
	conf   float64
	why    string
	kind   orgKind
	entity int
}

// document is a text cut into tokens, with what was found so far. A token belongs to one finding at most, so the
// order of the recognisers is their precedence and findings never overlap.
type document struct {
	text     string
	tok      []token
	found    []finding
	seenLow  map[string]bool // words that also occur without a capital
	capsLine map[int]bool    // token index of lines wholly in capitals
}

// valid makes invalid bytes visible as one U+FFFD each, so that code points count the same as in a []rune conversion.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

func isWordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_'
}

func tokenise(text string) []token {
	tok := make([]token, 0, len(text)/4+1)
	pos, gap, line := 0, false, true
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if unicode.IsSpace(r) {
			gap = true
			if r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029' {
				line = true
			}
			i, pos = i+n, pos+1
			continue
		}
		t := token{start: pos, from: i, gap: gap, line: line}
		if isWordRune(r) {
			t.word, t.num, t.upper = true, true, unicode.IsUpper(r) || unicode.IsTitle(r)
			letters, capitals := 0, 0
			for i < len(text) {
				r, n = utf8.DecodeRuneInString(text[i:])
				if !isWordRune(r) {
					break
				}
				switch {
				case r >= '0' && r <= '9':
					t.digits++
				default:
					t.num = false
					if unicode.IsLetter(r) {
						letters++
						if unicode.IsUpper(r) {
							capitals++
						}
					}
				}
				i, pos = i+n, pos+1
			}
			t.caps = letters >= 2 && letters == capitals
		} else {
			i, pos = i+n, pos+1
		}
		t.end, t.to, t.text = pos, i, text[t.from:i]
		t.lower = strings.ToLower(t.text)
		tok = append(tok, t)
		gap, line = false, false
	}
	return tok
}

var abbreviations = set(`dhr mw mevr dr drs mr ir ing prof ds nr tel geb nat st ca evt bijv bv enz vgl jl blz pag min max etc no
	v d mej fam zgn resp o.a i.v.m a.s art lid jr sr mej`)

func newDocument(text string) *document {
	d := &document{text: valid(text)}
	d.tok = tokenise(d.text)
	d.seenLow = make(map[string]bool)
	starts, capital := 0, 0
	begin := true
	for i := range d.tok {
		t := &d.tok[i]
		if t.line {
			begin = true
		}
		if !t.word {
			switch t.text {
			case ".":
				begin = begin || d.endsSentence(i)
			case "!", "?", ":", "•", "…":
				begin = true
			}
			continue
		}
		if begin && !t.num {
			t.sentence = true
			starts++
			if t.upper {
				capital++
			}
		}
		begin = false
		if !t.upper {
			d.seenLow[t.lower] = true
		}
	}
	d.markLines(starts > 0 && capital*3 < starts)
	return d
}

// markLines finds headings, which are lines of two words or more wholly in capitals, and lines without capitals.
func (d *document) markLines(lowered bool) {
	d.capsLine = make(map[int]bool)
	for i := 0; i < len(d.tok); {
		j, words, caps, starts, capital := i, 0, 0, 0, 0
		for ; j < len(d.tok) && (j == i || !d.tok[j].line); j++ {
			if d.tok[j].word && !d.tok[j].num {
				words++
				if d.tok[j].sentence {
					starts++
					if d.tok[j].upper {
						capital++
					}
				}
				if d.tok[j].caps {
					caps++
				}
			}
		}
		if lowered || starts > 0 && capital*3 < starts {
			for k := i; k < j; k++ {
				d.tok[k].low = true
			}
		}
		if words >= 2 && caps == words {
			for k := i; k < j; k++ {
				d.capsLine[k] = true
			}
		}
		i = j
	}
}

// endsSentence reports whether the full stop at token i is more than the mark of an abbreviation or initial.
func (d *document) endsSentence(i int) bool {
	if i == 0 || d.tok[i].gap {
		return true
	}
	p := &d.tok[i-1]
	switch {
	case single(*p):
		n := d.at(i + 1)
		return i > 1 && d.tok[i-2].lower == "persoon" || n.gap && n.upper && common[n.lower] && !surnames[n.lower]
	}
	return !abbreviations[p.lower]
}

func single(t token) bool { return t.upper && t.end-t.start == 1 }

// outside stands for what lies before the first and after the last token; it is only read.
var outside = token{line: true}

// at returns the token or an empty one, so that recognisers can look around without bounds.
func (d *document) at(i int) *token {
	if i < 0 || i >= len(d.tok) {
		return &outside
	}
	return &d.tok[i]
}

// free reports whether the token may still become part of a finding.
func (d *document) free(i int) bool {
	if i < 0 || i >= len(d.tok) {
		return false
	}
	t := &d.tok[i]
	return t.claim == 0 && !t.placed && !t.allowed
}

func (d *document) freeRange(a, b int) bool {
	for i := a; i < b; i++ {
		if !d.free(i) {
			return false
		}
	}
	return a < b && b <= len(d.tok)
}

// take claims tokens [a, b) for a finding, or reports that one of them is not free.
func (d *document) take(a, b int, typ Type, conf float64, why string) bool {
	return d.takeKind(a, b, typ, conf, why, kindNone)
}

func (d *document) takeKind(a, b int, typ Type, conf float64, why string, kind orgKind) bool {
	if !d.freeRange(a, b) {
		return false
	}
	d.found = append(d.found, finding{a: a, b: b, typ: typ, conf: conf, why: why, kind: kind})
	for i := a; i < b; i++ {
		d.tok[i].claim = len(d.found)
	}
	return true
}

// claimed returns the finding a token belongs to, or nil.
func (d *document) claimed(i int) *finding {
	if c := d.at(i).claim; c > 0 {
		return &d.found[c-1]
	}
	return nil
}

// joined reports whether tokens i and i+1 touch.
func (d *document) joined(i int) bool { return i >= 0 && i+1 < len(d.tok) && !d.tok[i+1].gap }

// before returns the index of the previous word on the same line, skipping commas, quotes and brackets; -1 if a
// sentence or line ends first.
func (d *document) before(i int) int {
	for j := i - 1; j >= 0 && j >= i-4; j-- {
		if d.tok[j+1].line {
			return -1
		}
		if d.tok[j].word {
			return j
		}
		switch d.tok[j].text {
		case ",", "'", "\"", "‘", "’", "“", "”", "(", "`", ":", "/":
		case ".":
			if d.tok[j].gap || !abbreviations[d.at(j-1).lower] {
				return -1
			}
		default:
			return -1
		}
	}
	return -1
}

// prev returns the lower-cased previous word when nothing but a space stands between, else "".
func (d *document) prev(i int) string {
	if i <= 0 || i >= len(d.tok) || d.tok[i].line {
		return ""
	}
	p := &d.tok[i-1]
	if p.text == "." && i >= 2 && !p.gap && abbreviations[d.tok[i-2].lower] {
		return d.tok[i-2].lower
	}
	if !p.word {
		return ""
	}
	return p.lower
}

// next returns the lower-cased word that follows directly, else "".
func (d *document) next(i int) string {
	t := d.at(i + 1)
	if !t.word || t.line {
		return ""
	}
	return t.lower
}
