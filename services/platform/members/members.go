// Package members is the member document of a federation: which organisations take part, with which keys
// and trust marks, and in which circles, as the trust anchor signed it. It makes, checks and reads that
// document. It never fetches or stores one (the gateway's federation package does) and never decides what a
// member may read: it says who is who at the moment of signing.
package members

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// Type is the JOSE `typ` of a signed document.
	Type = "zijlicht-members+jwt"
	// MaxLifetime bounds exp-iat: a member that was removed is out within this time, also at a node that
	// cannot reach the anchor.
	MaxLifetime = 10 * time.Minute
	// Skew is how far ahead the clock of the anchor may run. It is not applied to the expiry: a document
	// lives long enough for a node whose own clock is ahead.
	Skew = 60 * time.Second
	// MaxSize of a signed document, in bytes.
	MaxSize = 1 << 20
	// MaxCircle is how many organisations a circle has at most: eight, and the one that owns the case.
	MaxCircle = 9
	// MaxKeys of one organisation: the current key, the next and previous one, and room.
	MaxKeys = 8
)

// Kind of an organisation.
type Kind string

const (
	Wijkteam     Kind = "wijkteam"
	Municipality Kind = "municipality"
	Anchor       Kind = "anchor"
)

// State of an organisation. Only an active one takes part. Removed is final.
type State string

const (
	Active    State = "active"
	Suspended State = "suspended"
	Removed   State = "removed"
)

// CircleState is the state of a circle. Only in an active one is anything shared. Ended is final.
type CircleState string

const (
	CircleActive CircleState = "active"
	CirclePaused CircleState = "paused"
	CircleEnded  CircleState = "ended"
)

// Document is the federation at one moment. Its slices are shared between readers: do not change them.
type Document struct {
	// Issuer is the anchor's entity URL.
	Issuer string
	// Serial rises with every change of what the document says.
	Serial int64
	// IssueTime and ExpireTime are whole seconds, UTC.
	IssueTime  time.Time
	ExpireTime time.Time

	Organisations []Organisation
	Circles       []Circle
}

// Organisation is one member. A removed one stays in the document, without keys, marks and endpoints.
type Organisation struct {
	// ID is the entity URL; it is also the issuer and the client_id of the organisation's node.
	ID    string `json:"id"`
	Name  string `json:"name"`
	Kind  Kind   `json:"kind"`
	State State  `json:"state"`
	// Keys are the public ES256 keys with which the node signs grants and proves who it is.
	Keys jose.JSONWebKeySet `json:"keys"`
	// TrustMarks cap the roles that the organisation's people may have elsewhere.
	TrustMarks []string `json:"trust_marks"`
	// TokenEndpoint is where a grant is exchanged, FederationBase what the paths between nodes start with.
	// Both lie at the entity URL's own origin.
	TokenEndpoint  string `json:"token_endpoint,omitempty"`
	FederationBase string `json:"federation_base,omitempty"`
}

// HasMark says whether the organisation holds a trust mark and may use it now.
func (o Organisation) HasMark(mark string) bool {
	return o.State == Active && slices.Contains(o.TrustMarks, mark)
}

// Circle is a named group of organisations that learn together.
type Circle struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Members are the entity URLs of organisations, whatever their state: ask CircleMembers who takes part.
	Members []string    `json:"members"`
	State   CircleState `json:"state"`
	// ValidUntil is when the circle ends by itself; zero means it has no end.
	ValidUntil time.Time `json:"valid_until,omitzero"`
}

// ActiveAt says whether the circle is active and has not passed its end.
func (c Circle) ActiveAt(t time.Time) bool {
	return c.State == CircleActive && (c.ValidUntil.IsZero() || t.Before(c.ValidUntil))
}

// Organisation finds a member by its entity URL, in any state.
func (d Document) Organisation(id string) (Organisation, bool) {
	i := slices.IndexFunc(d.Organisations, func(o Organisation) bool { return o.ID == id })
	if i < 0 {
		return Organisation{}, false
	}
	return d.Organisations[i], true
}

// Circle finds a circle by its id, in any state.
func (d Document) Circle(id string) (Circle, bool) {
	i := slices.IndexFunc(d.Circles, func(c Circle) bool { return c.ID == id })
	if i < 0 {
		return Circle{}, false
	}
	return d.Circles[i], true
}

// CirclesOf gives the circles, active when the document was signed, that an active organisation is in. An
// organisation that is not active is in none.
func (d Document) CirclesOf(org string) []Circle {
	if !d.isActive(org) {
		return nil
	}
	var circles []Circle
	for _, c := range d.Circles {
		if c.ActiveAt(d.IssueTime) && slices.Contains(c.Members, org) {
			circles = append(circles, c)
		}
	}
	return circles
}

// CircleMembers gives the active organisations of a circle that was active when the document was signed.
// It is empty for a circle that is paused, ended or unknown.
func (d Document) CircleMembers(circle string) []Organisation {
	c, ok := d.Circle(circle)
	if !ok || !c.ActiveAt(d.IssueTime) {
		return nil
	}
	var active []Organisation
	for _, id := range c.Members {
		if o, ok := d.Organisation(id); ok && o.State == Active {
			active = append(active, o)
		}
	}
	return active
}

// InCircle says whether an active organisation takes part in an active circle.
func (d Document) InCircle(circle, org string) bool {
	return slices.ContainsFunc(d.CircleMembers(circle), func(o Organisation) bool { return o.ID == org })
}

func (d Document) isActive(org string) bool {
	o, ok := d.Organisation(org)
	return ok && o.State == Active
}
