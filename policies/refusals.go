package policies

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed refusals.nl.yaml
var refusalsFile []byte

// RefusalTexts is the product data of refusals.nl.yaml.
type RefusalTexts struct {
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

var texts = sync.OnceValue(func() *RefusalTexts {
	t, err := parseRefusals(refusalsFile)
	if err != nil {
		panic(fmt.Sprintf("policies: refusals.nl.yaml: %v", err)) // part of the binary, so a test finds it
	}
	return t
})

// Refusals gives the sentences of this version.
func Refusals() *RefusalTexts { return texts() }

func parseRefusals(raw []byte) (*RefusalTexts, error) {
	var doc refusalsDocument
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if doc.Format != "zijlicht.refusals/1" {
		return nil, fmt.Errorf("format %q", doc.Format)
	}
	t := &RefusalTexts{words: map[string]wording{}, missing: doc.Missing}
	for _, list := range [][]wording{doc.Refusals, doc.Fallbacks, doc.Transport} {
		for _, w := range list {
			if t.Has(w.Code) || w.Code == "" {
				return nil, fmt.Errorf("code %q twice or empty", w.Code)
			}
			if w.Next == "" || w.Reader == "" && w.Owner == "" {
				return nil, fmt.Errorf("code %q without a sentence or next step", w.Code)
			}
			t.words[key(w.Code)] = w
		}
	}
	if !t.Has(hidden) {
		return nil, errors.New("no sentence for what is hidden")
	}
	return t, nil
}

// Has tells whether a code has its own sentence.
func (t *RefusalTexts) Has(code string) bool {
	_, ok := t.words[key(code)]
	return ok
}

// Sentence gives the sentence for a code and the next step, to someone of another
// organisation or, inside, of this one. A code is a policy's dotted code, or a
// transport reason; both in any of their forms ("too_large", "REASON_TOO_LARGE"). Outside,
// a code without a sentence for readers reads as something that is not there; so
// does a code that is not known, wherever it is read.
func (t *RefusalTexts) Sentence(code string, outside bool) (sentence, next string) {
	w, ok := t.words[key(code)]
	if !ok || outside && w.Reader == "" {
		w = t.words[key(hidden)]
	}
	if outside || w.Owner == "" {
		return w.Reader, w.Next
	}
	if w.NextOwner != "" {
		return w.Owner, w.NextOwner
	}
	return w.Owner, w.Next
}

var place = regexp.MustCompile(`\{[a-z_]+\}`)

// Fill puts a reason's arguments in the places of a sentence. A place without an
// argument gets general words, so that no braces reach a screen.
func (t *RefusalTexts) Fill(text string, args map[string]string) string {
	return place.ReplaceAllStringFunc(text, func(p string) string {
		name := p[1 : len(p)-1]
		if v := args[name]; v != "" {
			return v
		}
		return t.missing[name]
	})
}

// key makes the forms of a code one: consent.text_changed and CONSENT_TEXT_CHANGED,
// not_found, not.found and REASON_NOT_FOUND.
func key(code string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(code, "REASON_")), "_", ".")
}
