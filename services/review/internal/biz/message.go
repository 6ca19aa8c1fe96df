package biz

import (
	"slices"
	"strings"
	"time"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// How far a message of ours has come.
const (
	Waiting = "waiting"
	Refused = "refused"
)

// closingQuestions is the one kind with answers beside its words.
const closingQuestions = "closing-questions"

// kinds that a side may say.
var kinds = map[string][]string{
	Reader: {"question", "reflection", "learning-point", closingQuestions},
	Owner:  {"answer", "learning-point", closingQuestions},
}

// Words of a message.
type Words struct {
	Text           string          `json:"text"`
	ClosingAnswers []ClosingAnswer `json:"closing_answers,omitempty"`
}

// Equal tells whether the same was written.
func (w Words) Equal(o Words) bool {
	return w.Text == o.Text && slices.Equal(w.ClosingAnswers, o.ClosingAnswers)
}

// ClosingAnswer to one of the closing questions.
type ClosingAnswer struct {
	Question string `json:"question"`
	Text     string `json:"text"`
}

// Message is one turn.
type Message struct {
	ID         string
	FromSide   string
	Kind       string
	Sequence   int64
	SubmitTime time.Time
	Delivery   string // empty for what came in
	Words
}

// CheckKind refuses a kind that is the other side's to say.
func CheckKind(side, kind string) error {
	if !slices.Contains(kinds[side], kind) {
		return fault.Invalid("kind", "kind.other_side")
	}
	return nil
}

// CheckWords asks for one sentence and no more: which of the closing questions are
// answered, if any, is the writer's choice.
func CheckWords(kind string, w Words) error {
	if len(w.ClosingAnswers) > 0 && kind != closingQuestions {
		return fault.Invalid("closing_answers", "closing_answers.other_kind")
	}
	written := strings.TrimSpace(w.Text) != ""
	for _, a := range w.ClosingAnswers {
		written = written || strings.TrimSpace(a.Text) != ""
	}
	if !written {
		return fault.Invalid("text", "required")
	}
	return nil
}

// InOrder gives the order of reading. Each side's messages follow its own numbers,
// whatever its clock said and however they came in; the times only weave the two.
func InOrder(messages []Message) []Message {
	var reader, owner []Message
	for _, m := range messages {
		if m.FromSide == Reader {
			reader = append(reader, m)
		} else {
			owner = append(owner, m)
		}
	}
	number := func(a, b Message) int { return int(min(1, max(-1, a.Sequence-b.Sequence))) }
	slices.SortStableFunc(reader, number)
	slices.SortStableFunc(owner, number)
	ordered := make([]Message, 0, len(messages))
	for len(reader) > 0 && len(owner) > 0 {
		if owner[0].SubmitTime.Before(reader[0].SubmitTime) {
			ordered, owner = append(ordered, owner[0]), owner[1:]
		} else {
			ordered, reader = append(ordered, reader[0]), reader[1:]
		}
	}
	return append(append(ordered, reader...), owner...)
}
