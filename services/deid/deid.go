package deid

import (
	"google.golang.org/grpc"

	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	"github.com/zijlicht/zijlicht/services/deid/internal/biz"
	"github.com/zijlicht/zijlicht/services/deid/internal/service"
)

// MaxTextBytes is the length of a text field that callers accept.
const MaxTextBytes = biz.MaxTextBytes

// The engine's words; see the fields for units.
type (
	Type        = biz.Type
	Span        = biz.Span
	Risk        = biz.Risk
	Result      = biz.Result
	Options     = biz.Options
	Replacement = biz.Replacement
	Case        = biz.Case
	Evaluation  = biz.Evaluation
)

// The types of span.
const (
	Person         = biz.Person
	Address        = biz.Address
	Postcode       = biz.Postcode
	Phone          = biz.Phone
	Email          = biz.Email
	URL            = biz.URL
	BSN            = biz.BSN
	IBAN           = biz.IBAN
	ID             = biz.ID
	LicencePlate   = biz.LicencePlate
	Location       = biz.Location
	Organisation   = biz.Organisation
	Date           = biz.Date
	Age            = biz.Age
	Nationality    = biz.Nationality
	ProfessionRare = biz.ProfessionRare
)

// Errors of Apply.
var (
	ErrOutside = biz.ErrOutside
	ErrOverlap = biz.ErrOverlap
)

// Inspect finds what could point at a person in one text. It never panics: bytes that are no UTF-8 count as one code
// point each.
func Inspect(text string, o Options) Result { return biz.Inspect(text, o) }

// InspectAll inspects the texts of one case together: a person found in one is found in all.
func InspectAll(texts []string, o Options) []Result { return biz.InspectAll(texts, o) }

// Assess says how recognisable the texts of one case are together, as they stand.
func Assess(texts []string, o Options) Risk { return biz.Assess(texts, o) }

// Apply replaces spans. It fails with ErrOverlap or ErrOutside and then changes nothing.
func Apply(text string, reps []Replacement) (string, error) { return biz.Apply(text, reps) }

// Resolve merges overlapping spans, so that nothing of either survives Apply.
func Resolve(spans []Span) []Span { return biz.Resolve(spans) }

// Replacements takes over every proposal.
func Replacements(spans []Span) []Replacement { return biz.Replacements(spans) }

// PureRemoval reports whether after is before with words dropped or replaced by a more general label of this engine, in
// a way that makes what is left say nothing else.
func PureRemoval(before, after string, o Options) bool { return biz.PureRemoval(before, after, o) }

// Register adds the gRPC service to a server.
func Register(s grpc.ServiceRegistrar) { deidv1.RegisterDeidServiceServer(s, service.New()) }
