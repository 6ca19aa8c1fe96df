package biz

import (
	"sort"
	"strings"
)

// Inspect finds what could point at a person in one text.
func Inspect(text string, o Options) Result {
	return InspectAll([]string{text}, o)[0]
}

// InspectAll inspects the texts of one case together, in reading order: a person found in one text is found in all,
// with the same entity and the same proposal. Each result has offsets in its own text and a risk of its own.
func InspectAll(texts []string, o Options) []Result {
	ends := make([]int, len(texts))
	var sb strings.Builder
	pos := 0
	for k, t := range texts {
		if k > 0 {
			sb.WriteString("\n\n")
			pos += 2
		}
		t = valid(t)
		sb.WriteString(t)
		pos += len([]rune(t))
		ends[k] = pos
	}
	d := newDocument(sb.String())
	d.recognise(o)
	all := d.spans()
	out := make([]Result, len(texts))
	from, k := 0, 0
	for n := range texts {
		spans := []Span{}
		for k < len(all) && all[k].End <= ends[n] {
			s := all[k]
			s.Start, s.End = s.Start-from, s.End-from
			spans = append(spans, s)
			k++
		}
		single := d
		if len(texts) > 1 {
			single = newDocument(texts[n])
			single.hold()
		}
		out[n] = Result{Spans: spans, Risk: single.risk(spans)}
		from = ends[n] + 2
	}
	return out
}

// Assess says how recognisable the texts of one case are together, as they stand.
func Assess(texts []string, o Options) Risk {
	d := newDocument(strings.Join(texts, "\n\n"))
	d.recognise(o)
	return d.risk(d.spans())
}

func (d *document) recognise(o Options) {
	d.hold()
	d.deny(o.Deny)
	d.codes()
	allowed := d.allow(o.Allow)
	d.markNeutral()
	d.addresses() // before the dates: 9-1 behind a street is a house number
	d.dates()
	d.ids()
	d.originsAndWork()
	d.names()
	d.everywhere()
	d.ages()
	d.release(allowed)
}

// deny claims an organisation's own words before anything else can.
func (d *document) deny(words []string) {
	p := newPhrases(false)
	p.addAll(words, 1)
	if len(p.first) == 0 {
		return
	}
	for i := 0; i < len(d.tok); i++ {
		n, _ := p.match(d.tok, i)
		if n == 0 {
			continue
		}
		typ := Organisation
		if t := &d.tok[i]; given[t.lower] || givenAmbiguous[t.lower] || surnames[t.lower] {
			typ = Person
		} else if k, _ := places.match(d.tok, i); k > 0 {
			typ = Location
		}
		d.takeKind(i, i+n, typ, 1, "staat op de lijst van woorden die altijd weg moeten", kindOther)
	}
}

// allow keeps recognisers of names away from an organisation's own words. An address or number that merely contains
// such a word was claimed before, and stays claimed.
func (d *document) allow(words []string) []bool {
	p := newPhrases(false)
	p.addAll(words, 1)
	allowed := make([]bool, len(d.tok))
	if len(p.first) == 0 {
		return allowed
	}
	for i := 0; i < len(d.tok); i++ {
		n, _ := p.match(d.tok, i)
		for k := i; k < i+n; k++ {
			allowed[k] = true
			if d.tok[k].claim == 0 {
				d.tok[k].allowed = true
			}
		}
	}
	return allowed
}

// release drops findings that consist of allowed words only, unless the deny list claimed them.
func (d *document) release(allowed []bool) {
	kept := d.found[:0]
	for _, f := range d.found {
		all := f.conf < 1
		for i := f.a; i < f.b && all; i++ {
			all = allowed[i]
		}
		if !all {
			kept = append(kept, f)
		}
	}
	d.found = kept
}

func (d *document) markNeutral() {
	for i := 0; i < len(d.tok); {
		n, _ := neutral.match(d.tok, i)
		for k := i; k < i+n; k++ {
			d.tok[k].neutral = true
		}
		i += max(n, 1)
	}
}

func (d *document) spans() []Span {
	order := make([]int, len(d.found))
	for k := range order {
		order[k] = k
	}
	sort.Slice(order, func(x, y int) bool { return d.found[order[x]].a < d.found[order[y]].a })
	labels := d.personLabels(d.link(order))
	out := make([]Span, 0, len(order))
	for _, k := range order {
		f := &d.found[k]
		a, b := &d.tok[f.a], &d.tok[f.b-1]
		out = append(out, Span{Start: a.start, End: b.end, Type: f.typ, Text: d.text[a.from:b.to], Entity: entityID(f.entity),
			Confidence: f.conf, Proposal: d.propose(f, labels), Why: f.why})
	}
	return out
}
