package policies

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

//go:embed refusals.nl.yaml
var refusalsFile []byte

// Refusals is the product data of refusals.nl.yaml.
type Refusals struct {
	words   map[string]wording
	missing map[string]string
}

type wording struct {
	Code      string `yaml:"code"`
	Reader    string `yaml:"reader"`
	Owner     string `yaml:"owner"`
	Next      string `yaml:"next"`
	NextOwner string `yaml:"next_owner"`
}

type refusalsDocument struct {
	Format    string            `yaml:"format"`
	Version   string            `yaml:"version"`
	Language  string            `yaml:"language"`
	Level     string            `yaml:"level"`
	Missing   map[string]string `yaml:"missing"`
	Refusals  []wording         `yaml:"refusals"`
	Fallbacks []wording         `yaml:"fallbacks"`
	Transport []wording         `yaml:"transport"`
}

// hidden is the code of the sentence for what is not there, or not for this reader.
const hidden = "not_found"

// LoadRefusals reads the sentences of this version.
func LoadRefusals() (*Refusals, error) {
	r, err := parseRefusals(refusalsFile)
	if err != nil {
		return nil, fmt.Errorf("policies: refusals.nl.yaml: %w", err)
	}
	return r, nil
}

func parseRefusals(raw []byte) (*Refusals, error) {
	var doc refusalsDocument
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.Format != "zijlicht.refusals/1" {
		return nil, fmt.Errorf("format %q", doc.Format)
	}
	r := &Refusals{words: map[string]wording{}, missing: doc.Missing}
	for _, list := range [][]wording{doc.Refusals, doc.Fallbacks, doc.Transport} {
		for _, w := range list {
			if r.Has(w.Code) || w.Code == "" {
				return nil, fmt.Errorf("code %q twice or empty", w.Code)
			}
			if w.Next == "" || w.Reader == "" && w.Owner == "" {
				return nil, fmt.Errorf("code %q without a sentence or next step", w.Code)
			}
			r.words[key(w.Code)] = w
		}
	}
	if !r.Has(hidden) {
		return nil, errors.New("no sentence for what is hidden")
	}
	return r, nil
}

// Has tells whether a code has its own sentence.
func (r *Refusals) Has(code string) bool {
	_, ok := r.words[key(code)]
	return ok
}

// Sentence gives the sentence for a code and the next step, to someone of another
// organisation or, inside, of this one. A code is a policy's dotted code, or a
// transport reason; both in any of their forms ("too_large", "REASON_TOO_LARGE").
// Outside, a code without a sentence for readers reads as something that is not
// there; so does a code that is not known, wherever it is read.
func (r *Refusals) Sentence(code string, outside bool) (sentence, next string) {
	return r.Explain(code, outside, nil)
}

// Explain is Sentence with a reason's arguments in their places. A place without
// an argument gets general words, so that no braces reach a screen.
func (r *Refusals) Explain(code string, outside bool, args map[string]string) (sentence, next string) {
	w, ok := r.words[key(code)]
	if !ok || outside && w.Reader == "" {
		w = r.words[key(hidden)]
	}
	sentence, next = w.Owner, w.Next
	if outside || sentence == "" {
		sentence = w.Reader
	} else if w.NextOwner != "" {
		next = w.NextOwner
	}
	return r.fill(sentence, args), r.fill(next, args)
}

var place = regexp.MustCompile(`\{[a-z_]+\}`)

func (r *Refusals) fill(text string, args map[string]string) string {
	return place.ReplaceAllStringFunc(text, func(p string) string {
		name := p[1 : len(p)-1]
		if v := args[name]; v != "" {
			return v
		}
		return r.missing[name]
	})
}

var separators = strings.NewReplacer("_", ".", "-", ".")

// key makes the forms of a code one: consent.text_changed and CONSENT_TEXT_CHANGED,
// not_found, not-found, not.found and REASON_NOT_FOUND.
func key(code string) string {
	return separators.Replace(strings.ToLower(strings.TrimPrefix(code, "REASON_")))
}
