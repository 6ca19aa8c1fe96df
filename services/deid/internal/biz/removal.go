package biz

import (
	"sort"
	"strings"
)

// PureRemoval is PureRemovals for one text.
func PureRemoval(before, after string, o Options) bool {
	return PureRemovals([]string{before}, []string{after}, o)
}

// PureRemovals reports whether the new rendition of a case's texts only takes away from the old one, so that a yes to
// the old one is a yes to this one. What was dropped must not make what is left say something else, so:
//
//   - each sentence of the new text is one sentence of the old, in the same order: nothing is spelled out of parts of
//     several;
//   - a sentence that stays keeps its words of denial, doubt, condition and source ("niet", "misschien", "volgens");
//   - a label stands where the engine found what the label generalises, and one person's label is no other's.
//
// Anything else is an addition, and so is what cannot be told: then people are asked again. Capitals and white space
// are not compared: dropping the first word of a sentence changes the next one's capital.
func PureRemovals(before, after []string, o Options) bool {
	if len(before) != len(after) {
		return false
	}
	r := newRemoval(before, o)
	from := 0
	for n, text := range before {
		to := from
		for end := r.ends[n]; to < len(r.d.tok) && r.d.tok[to].from < end; to++ {
		}
		if text != after[n] && !r.field(from, to, tokenise(valid(after[n]))) {
			return false
		}
		from = to
	}
	return true
}

// removal is the old rendition, with what the engine finds in it.
type removal struct {
	d      *document
	ends   []int // byte where each text ends
	order  []int // findings by place
	limits []int // limits[i] words of denial and the like are among the first i tokens
	where  map[string][]int
	taken  map[string]bool   // persons' labels that are in the old rendition
	bearer map[string]string // label to entity and entity to label, of labels that are new
}

func newRemoval(texts []string, o Options) *removal {
	r := &removal{where: map[string][]int{}, taken: map[string]bool{}, bearer: map[string]string{}}
	var sb strings.Builder
	for i, t := range texts {
		if i > 0 {
			sb.WriteString("\n\n")
		}
		sb.WriteString(valid(t))
		r.ends = append(r.ends, sb.Len())
	}
	r.d = newDocument(sb.String())
	r.d.recognise(o)
	r.d.spans() // links the mentions of one person
	for k := range r.d.found {
		r.order = append(r.order, k)
	}
	sort.Slice(r.order, func(x, y int) bool { return r.d.found[r.order[x]].a < r.d.found[r.order[y]].a })
	r.limits = make([]int, len(r.d.tok)+1)
	for i := range r.d.tok {
		t := &r.d.tok[i]
		r.limits[i+1] = r.limits[i]
		if limiting[t.lower] {
			r.limits[i+1]++
		}
		r.where[t.lower] = append(r.where[t.lower], i)
		if i > 0 && t.placed && r.d.tok[i-1].lower == "persoon" {
			r.taken[t.text] = true
		}
	}
	return r
}

// limiting words make a sentence say less than it would without them.
var limiting = set(`niet geen nooit nimmer niemand niets niks nergens noch zonder nauwelijks amper bijna haast zelden soms
	misschien mogelijk wellicht waarschijnlijk vermoedelijk ogenschijnlijk kennelijk schijnbaar blijkbaar zogenaamd zogenaamde
	als indien tenzij mits of hoewel behalve alsof volgens onterecht onwaar onjuist vals valse
	ontken ontkent ontkende ontkenden ontkend beweer beweert beweerde beweerden zeg zegt zei zeiden zegde gezegd vertelt vertelde
	denk denkt dacht dachten vind vindt vond vonden vermoed vermoedt vermoedde vermoeden vreest vreesde bang lijkt leek leken
	schijnt scheen zou zouden wil wilde wilden kan kon konden mag mocht moet moest probeert probeerde dreigt dreigde
	minder weinig half gestopt stopte ophield ?`)

// field tells whether the old tokens [from, to) became the new ones.
func (r *removal) field(from, to int, now []token) bool {
	done := 0
	for a := from; a < to && done < len(now); {
		b := r.sentence(a, to)
		stop, ok := r.within(a, b, now, done)
		if !ok {
			return false
		}
		done, a = stop, b
	}
	return done == len(now)
}

// sentence gives the end of the sentence that begins at old token a. A mark inside a finding ends nothing.
func (r *removal) sentence(a, to int) int {
	tok := r.d.tok
	for i := a; i < to; i++ {
		if i+1 < to && tok[i].claim > 0 && tok[i+1].claim == tok[i].claim {
			continue
		}
		if i+1 == to || tok[i+1].line {
			return i + 1
		}
		if !r.endMark(i) {
			continue
		}
		for i+1 < to && !tok[i+1].gap && (r.endMark(i+1) || strings.Contains("\"'”’)]»", tok[i+1].text)) {
			i++
		}
		return i + 1
	}
	return to
}

func (r *removal) endMark(i int) bool {
	switch r.d.tok[i].text {
	case ".":
		return r.d.endsSentence(i)
	case "!", "?", "…":
		return true
	}
	return false
}

// step is how the new tokens up to some place were accounted for: the last of them stand for a finding, or are a word.
type step struct {
	least   int // old tokens used; 0 for a place that was not reached
	back    int // where the step began
	finding int // 1 + index, or 0
}

// within accounts for new tokens from start on with the old sentence [a, b), and gives the place after the last one that
// it covers: the whole rest, or up to where the sentence ends in both. A later place is never worse, because leaving
// words out stays possible. ok is false when one label would be two persons'.
func (r *removal) within(a, b int, now []token, start int) (stop int, ok bool) {
	steps := make([]step, min(longestLabel*(b-a), len(now)-start)+1)
	steps[0] = step{least: a}
	stop = start
	var last step
	reach := func(k, n int, s step, end bool) {
		if at := k + n; at < len(steps) {
			if old := &steps[at]; at > 0 && (old.least == 0 || s.least < old.least) {
				*old = s
			}
		}
		rest := start+k+n == len(now) && r.limits[b] == r.limits[s.least]
		if (end || rest) && start+k+n > stop {
			stop, last = start+k+n, s
		}
	}
	for k := 0; k < len(steps) && start+k < len(now); k++ {
		p := steps[k].least
		if k > 0 && p == 0 {
			continue
		}
		t := &now[start+k]
		at := r.where[t.lower]
		if q := sort.SearchInts(at, p); q < len(at) && at[q] < b && r.limits[at[q]] == r.limits[p] {
			reach(k, 1, step{least: at[q] + 1, back: k}, false)
		}
		if p < b && r.d.tok[b-1].lower == t.lower && r.limits[b-1] == r.limits[p] {
			reach(k, 1, step{least: b, back: k}, true)
		}
		if !opensLabel(t) {
			continue
		}
		for x := sort.Search(len(r.order), func(i int) bool { return r.d.found[r.order[i]].a >= p }); x < len(r.order); x++ {
			f := &r.d.found[r.order[x]]
			if f.b > b || r.limits[f.a] != r.limits[p] {
				break
			}
			if n := r.generalises(f, now[start+k:]); n > 0 {
				reach(k, n, step{least: f.b, back: k, finding: r.order[x] + 1}, f.b == b)
				break
			}
		}
	}
	if stop == start {
		return stop, true
	}
	for s := last; ; s = steps[s.back] {
		if s.finding > 0 && r.d.found[s.finding-1].typ == Person && !r.bears(now[start+s.back+1].text, s.finding-1) {
			return stop, false
		}
		if s.back == 0 {
			return stop, true
		}
	}
}

// bears notes who a person's new label is for, and tells whether it is for no one else.
func (r *removal) bears(label string, finding int) bool {
	who := entityID(r.d.found[finding].entity)
	if r.taken[label] || r.bearer[label] != "" && r.bearer[label] != who || r.bearer["="+who] != "" && r.bearer["="+who] != label {
		return false
	}
	r.bearer[label], r.bearer["="+who] = who, label
	return true
}

// longestLabel is the number of tokens of the longest label.
const longestLabel = 8

func opensLabel(t *token) bool {
	return t.lower == "persoon" || t.text == "[" || vocabulary.opens[t.lower] || len(vocabulary.first[t.lower]) > 0
}

// generalises gives the length of the label at the start of the new tokens if it may stand for the finding.
func (r *removal) generalises(f *finding, now []token) int {
	if f.typ == Person {
		if len(now) > 1 && now[0].lower == "persoon" {
			if n := labelAt(now, 0); n == 2 {
				return 2
			}
		}
		return 0
	}
	best := 0
	for _, l := range r.d.labelsFor(f) {
		if n := startsWith(now, tokenise(l)); n > best {
			best = n
		}
	}
	return best
}

func startsWith(now, label []token) int {
	if len(now) < len(label) {
		return 0
	}
	for i := range label {
		if now[i].lower != label[i].lower {
			return 0
		}
	}
	return len(label)
}
