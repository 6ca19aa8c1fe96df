package biz

import (
	"math/bits"
	"strconv"
	"strings"
)

// everywhere finds what was found once in every other place of the document: later mentions, possessives, lower case.
func (d *document) everywhere() {
	known := make(map[string]float64)
	names := make(map[string]int)      // the exact words of a place or organisation
	lengths := make(map[string]uint64) // the lengths in tokens that a first word occurs with
	for k := range d.found {
		f := &d.found[k]
		switch {
		case f.typ == Person:
			for i := f.a; i < f.b; i++ {
				t := &d.tok[i]
				if t.word && t.end-t.start >= 2 && !particles[t.lower] && f.conf > known[t.lower] {
					known[t.lower] = f.conf
				}
			}
		case (f.typ == Organisation || f.typ == Location) && f.conf >= 0.6:
			if s := d.text[d.tok[f.a].from:d.tok[f.b-1].to]; names[s] == 0 && f.b-f.a < 64 && d.tok[f.a].upper && !(f.b == f.a+1 && common[d.tok[f.a].lower]) {
				names[s] = k + 1
				lengths[d.tok[f.a].text] |= 1 << (f.b - f.a)
			}
		}
	}
	for i := 0; i < len(d.tok); i++ {
		t := &d.tok[i]
		if !t.word || !d.free(i) {
			continue
		}
		if n, k := d.longest(names, lengths[t.text], i); n > 0 {
			f := d.found[k-1]
			d.takeKind(i, i+n, f.typ, f.conf, "komt vaker voor in de tekst", f.kind)
			continue
		}
		if !d.known(known, i) {
			continue
		}
		b := i + 1
		for d.free(b) && !d.tok[b].line {
			if d.tok[b].word && d.known(known, b) && d.tok[b].upper == t.upper {
				b++
			} else if d.tok[b].text == "-" && d.joined(b-1) && d.joined(b) && d.free(b+1) && d.tok[b+1].word && d.known(known, b+1) {
				b += 2
			} else {
				break
			}
		}
		d.take(i, b, Person, 0.85, "deze naam komt vaker voor in de tekst")
	}
}

// longest looks up the longest of the given lengths at token i.
func (d *document) longest(names map[string]int, lengths uint64, i int) (n, value int) {
	for lengths != 0 {
		n = bits.Len64(lengths) - 1
		lengths &^= 1 << n
		if i+n <= len(d.tok) {
			if k := names[d.text[d.tok[i].from:d.tok[i+n-1].to]]; k > 0 {
				return n, k
			}
		}
	}
	return 0, 0
}

func (d *document) known(known map[string]float64, i int) bool {
	t := &d.tok[i]
	conf, ok := known[t.lower]
	if !ok {
		if stem, cut := strings.CutSuffix(t.lower, "s"); cut && len(stem) > 2 && !common[t.lower] {
			conf, ok = known[stem]
		}
	}
	if !ok || t.neutral {
		return false
	}
	if t.upper {
		return !(t.sentence && common[t.lower] && d.seenLow[t.lower]) && !(common[t.lower] && t.sentence)
	}
	return conf >= 0.8 && t.end-t.start >= 3 && !common[t.lower] && !givenAmbiguous[t.lower] && !d.capsLine[i]
}

// link gives the mentions of one person the same entity, 1, 2, ... in order of appearance.
func (d *document) link(order []int) int {
	full := make(map[string]int)    // all words of a name
	word := make(map[string]int)    // a word to the last person who bears it
	leading := make(map[string]int) // a first word to the first person who bears it
	members := make(map[int]map[string]bool)
	count := 0
	words := func(f *finding) []string {
		var out []string
		for i := f.a; i < f.b; i++ {
			if t := &d.tok[i]; t.word && t.end-t.start > 1 && !particles[t.lower] {
				out = append(out, t.lower)
			}
		}
		if len(out) == 0 {
			out = append(out, d.tok[f.a].lower)
		}
		return out
	}
	join := func(f *finding, w []string, e int) {
		f.entity = e
		if members[e] == nil {
			members[e] = make(map[string]bool)
		}
		if _, ok := leading[w[0]]; !ok {
			leading[w[0]] = e
		}
		for _, x := range w {
			members[e][x] = true
			word[x] = e
		}
		full[strings.Join(w, " ")] = e
	}
	find := func(w []string) int {
		if e, ok := full[strings.Join(w, " ")]; ok {
			return e
		}
		for _, from := range []map[string]int{leading, word} {
			e, ok := from[w[0]]
			if !ok {
				e, ok = from[strings.TrimSuffix(w[0], "s")]
				if ok && len(w) == 1 {
					return e
				}
			}
			all := ok
			for _, x := range w {
				all = all && members[e][x]
			}
			if all {
				return e
			}
		}
		return 0
	}
	for pass := range 2 { // full names first, so that a first name alone finds them
		for _, k := range order {
			f := &d.found[k]
			if f.typ != Person || f.entity != 0 {
				continue
			}
			w := words(f)
			if (len(w) > 1) != (pass == 0) {
				continue
			}
			e := find(w)
			if e == 0 {
				count++
				e = count
			}
			join(f, w, e)
		}
	}
	renumber := make(map[int]int)
	for _, k := range order {
		if f := &d.found[k]; f.typ == Person {
			if renumber[f.entity] == 0 {
				renumber[f.entity] = len(renumber) + 1
			}
			f.entity = renumber[f.entity]
		}
	}
	return len(renumber)
}

// letters writes 1 as A, 26 as Z, 27 as AA.
func letters(n int) string {
	s := ""
	for n > 0 {
		n--
		s = string(rune('A'+n%26)) + s
		n /= 26
	}
	return s
}

// personLabels hands out labels that the text does not use yet.
func (d *document) personLabels(n int) []string {
	used := make(map[string]bool)
	for i := 0; i+1 < len(d.tok); i++ {
		if d.tok[i].placed && d.tok[i].lower == "persoon" {
			used[d.tok[i+1].text] = true
		}
	}
	labels := make([]string, 1, n+1)
	for k := 1; len(labels) <= n; k++ {
		if l := letters(k); !used[l] {
			labels = append(labels, "Persoon "+l)
		}
	}
	return labels
}

func entityID(n int) string {
	if n == 0 {
		return ""
	}
	return "p" + strconv.Itoa(n)
}
