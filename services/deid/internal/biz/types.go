// Package biz is the engine of Dutch de-identification: it finds what could point at a person, proposes what to put in
// its place, replaces it, and says how recognisable the rest is.
//
// It is pure: a text and two word lists in, spans out. It never keeps, logs or sends a text, and never asks the network,
// a file or the clock. Offsets are Unicode code points, [start, end).
package biz

// MaxTextBytes is the length of a text field that callers accept. Inspect itself has no limit: leaving the end of a
// text unread would be worse than being slow.
const MaxTextBytes = 256 << 10

// Type says what a span gives away.
type Type string

// The types of span. Direct identifiers point at one person by themselves, indirect and quasi ones only together.
const (
	Person         Type = "PERSON"
	Address        Type = "ADDRESS"
	Postcode       Type = "POSTCODE"
	Phone          Type = "PHONE"
	Email          Type = "EMAIL"
	URL            Type = "URL"
	BSN            Type = "BSN"
	IBAN           Type = "IBAN"
	ID             Type = "ID"
	LicencePlate   Type = "LICENCE_PLATE"
	Location       Type = "LOCATION"
	Organisation   Type = "ORGANISATION"
	Date           Type = "DATE"
	Age            Type = "AGE"
	Nationality    Type = "NATIONALITY"
	ProfessionRare Type = "PROFESSION_RARE"
)

// DirectTypes, IndirectTypes and QuasiTypes partition the types, in the order in which tables show them.
var (
	DirectTypes   = []Type{Person, Address, Postcode, Phone, Email, URL, BSN, IBAN, ID, LicencePlate}
	IndirectTypes = []Type{Location, Organisation, Date}
	QuasiTypes    = []Type{Age, Nationality, ProfessionRare}
)

// Direct reports whether the type points at one person by itself.
func (t Type) Direct() bool {
	for _, d := range DirectTypes {
		if d == t {
			return true
		}
	}
	return false
}

// Span is one place in a text. Start and End count code points; End is exclusive.
type Span struct {
	Start      int     `json:"start"`
	End        int     `json:"end"`
	Type       Type    `json:"type"`
	Text       string  `json:"text"`
	Entity     string  `json:"entity,omitempty"` // links the mentions of one person
	Confidence float64 `json:"confidence"`       // 0 to 1
	Proposal   string  `json:"proposal"`
	Why        string  `json:"why"` // one Dutch phrase for the author
}

// Risk says how recognisable a text is as it stands.
type Risk struct {
	Level    int      `json:"level"` // 0 nothing found, 1 a little, 2 several indirect facts, 3 a direct identifier
	Sentence string   `json:"sentence"`
	Factors  []string `json:"factors"`
}

// Result is what Inspect finds. Spans are ordered by start and do not overlap.
type Result struct {
	Spans []Span `json:"spans"`
	Risk  Risk   `json:"risk"`
}

// Options are an organisation's own words. A word on both lists is replaced.
type Options struct {
	Allow []string // never replaced
	Deny  []string // always replaced
}
