package biz

import "github.com/zijlicht/zijlicht/services/platform/fault"

// Choices of the author for one finding.
const (
	Open    = "open"
	Replace = "replace"
	Keep    = "keep"
)

// Proposal is one finding of deid with the author's choice. Offsets are code points.
type Proposal struct {
	Field       int
	Start       uint32
	End         uint32
	Type        string
	Text        string
	Entity      string
	Confidence  float64
	Replacement string
	Why         string
	Choice      string
}

// Choice for the proposal with this number, from 1.
type Choice struct {
	Proposal    uint32
	Choice      string
	Replacement string // other words than proposed; empty means as proposed
}

// AllChosen tells whether no choice is open.
func AllChosen(proposals []Proposal) bool {
	for _, p := range proposals {
		if p.Choice == Open {
			return false
		}
	}
	return true
}

// Choose applies choices to a copy, and tells whether anything changed.
func Choose(proposals []Proposal, choices []Choice, acceptOpen bool) (chosen []Proposal, changed bool, err error) {
	chosen = append([]Proposal(nil), proposals...)
	for _, c := range choices {
		if c.Proposal < 1 || int(c.Proposal) > len(chosen) {
			return nil, false, fault.Invalid("choices", "proposal.unknown")
		}
		p := &chosen[c.Proposal-1]
		p.Choice = c.Choice
		if c.Choice == Replace && c.Replacement != "" {
			p.Replacement = c.Replacement
		}
	}
	for i := range chosen {
		if acceptOpen && chosen[i].Choice == Open {
			chosen[i].Choice = Replace
		}
		changed = changed || chosen[i] != proposals[i]
	}
	return chosen, changed, nil
}

// Carry takes earlier choices over for the same words found as the same thing. The
// words put in their place stay too, so that a change elsewhere in the text does
// not rename people, and nobody new gets a name that someone else has already.
// Where earlier choices differ, the author is asked again.
func Carry(earlier, found []Proposal) []Proposal {
	type key struct{ Type, Text string }
	type answer struct{ choice, replacement string }
	answers := map[key]answer{}
	unclear := map[key]bool{}
	for _, p := range earlier {
		if p.Choice == Open {
			continue
		}
		k, a := key{p.Type, p.Text}, answer{p.Choice, p.Replacement}
		if known, ok := answers[k]; ok && known != a {
			unclear[k] = true
		}
		answers[k] = a
	}
	carried := append([]Proposal(nil), found...)
	for i, p := range carried {
		carried[i].Choice = Open
		k := key{p.Type, p.Text}
		if a, ok := answers[k]; ok && !unclear[k] {
			carried[i].Choice, carried[i].Replacement = a.choice, a.replacement
		}
	}
	relabel(found, carried)
	return carried
}

// relabel settles what deid, that numbers people afresh, proposes for the open
// mentions: the label that the same person carries, else one that nobody does.
func relabel(found, carried []Proposal) {
	type mention struct{ entity, label string }
	settled := map[mention]string{}
	holder := map[string]string{}
	for i, p := range carried {
		if p.Entity != "" && p.Choice == Replace {
			settled[mention{p.Entity, found[i].Replacement}] = p.Replacement
			holder[p.Replacement] = p.Entity
		}
	}
	for i, p := range carried {
		if p.Entity == "" || p.Choice != Open {
			continue
		}
		m := mention{p.Entity, p.Replacement}
		label, ok := settled[m]
		if !ok {
			label = p.Replacement
			if who := holder[label]; who != "" && who != p.Entity {
				label = unheld(found, p, holder)
			}
			settled[m], holder[label] = label, p.Entity
		}
		carried[i].Replacement = label
	}
}

// unheld is a label among those proposed for the same type that no person has; there are as many labels as people.
func unheld(found []Proposal, p Proposal, holder map[string]string) string {
	for _, f := range found {
		if f.Entity != "" && f.Type == p.Type && holder[f.Replacement] == "" {
			return f.Replacement
		}
	}
	return p.Replacement
}
