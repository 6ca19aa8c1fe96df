// Package biz holds the rules of the register: which step an organisation or a circle may take, who fits in a
// circle, who may hold which mark. It never reads a clock, a table or the network.
package biz

import (
	"slices"
	"time"
)

// MaxCircle is how many organisations a circle has at most: eight, and the one that owns the case.
const MaxCircle = 9

// States of an organisation: active ↔ suspended → removed. Nobody is removed from one moment to the next: a
// suspension comes first, and it can be taken back. A removal cannot.
const (
	Active    = "active"
	Suspended = "suspended"
	Removed   = "removed"
)

// States of a circle: active ↔ paused, and either → ended.
const (
	Paused = "paused"
	Ended  = "ended"
)

// Kinds of organisation.
const (
	Wijkteam     = "wijkteam"
	Municipality = "municipality"
	Anchor       = "anchor"
)

// Trust marks.
const (
	MarkMember        = "member"
	MarkMunicipality  = "municipality"
	MarkLateralReview = "lateral-review"
)

// Marks are all trust marks that the anchor gives.
var Marks = []string{MarkMember, MarkMunicipality, MarkLateralReview}

// Kinds are all kinds that the anchor admits.
var Kinds = []string{Wijkteam, Municipality, Anchor}

// Refusal is a rule's no. Code is stable; Subject is what it is about: an entity URL, a circle's id, a mark.
type Refusal struct {
	Code    string
	Subject string
}

func (r *Refusal) Error() string { return "anchor: " + r.Code + " (" + r.Subject + ")" }

func no(code, subject string) error { return &Refusal{Code: code, Subject: subject} }

// Organisation is one row of the register.
type Organisation struct {
	ID, Name, Kind, State         string
	TokenEndpoint, FederationBase string
	Keys                          []Key
	Marks                         []string
}

// Key is a public key as it is published.
type Key struct {
	Thumbprint string
	KID        string
	JWK        []byte
}

// Circle is a group of organisations that learn together.
type Circle struct {
	ID, Name string
	State    string
	// ValidUntil is zero for a circle without an end.
	ValidUntil time.Time
	Members    []string
}

// Register is all of it at one serial.
type Register struct {
	Serial        int64
	Organisations []Organisation
	Circles       []Circle
}

// Step is what can be done to an organisation's or a circle's state.
type Step string

const (
	Suspend Step = "suspend"
	Resume  Step = "resume"
	Remove  Step = "remove"
	Pause   Step = "pause"
	End     Step = "end"
)

// Next gives the state after a step. The same state means that the step was taken before.
func (o Organisation) Next(step Step) (string, error) {
	if o.State == Removed {
		if step == Remove {
			return Removed, nil
		}
		return "", no("organisation.removed", o.ID)
	}
	switch step {
	case Suspend:
		return Suspended, nil
	case Resume:
		return Active, nil
	case Remove:
		if o.State == Suspended {
			return Removed, nil
		}
		return "", no("organisation.suspend-first", o.ID)
	default:
		return "", no("step.unknown", string(step))
	}
}

// MayChange refuses to touch what was removed.
func (o Organisation) MayChange() error {
	if o.State == Removed {
		return no("organisation.removed", o.ID)
	}
	return nil
}

// MayHold says whether an organisation of this kind may be given a mark.
func (o Organisation) MayHold(mark string) error {
	if err := o.MayChange(); err != nil {
		return err
	}
	switch {
	case !slices.Contains(Marks, mark):
		return no("mark.unknown", mark)
	case mark == MarkMunicipality && o.Kind != Municipality:
		return no("mark.kind", mark)
	}
	return nil
}

// DefaultMarks is what an organisation holds from its admission when nothing is said. Reviewing the work of others
// is not among them: it is given apart.
func DefaultMarks(kind string) []string {
	switch kind {
	case Wijkteam:
		return []string{MarkMember}
	case Municipality:
		return []string{MarkMember, MarkMunicipality}
	default:
		return nil
	}
}

// StateAt is the state of the circle, which ends by itself when its time is over.
func (c Circle) StateAt(now time.Time) string {
	if !c.ValidUntil.IsZero() && !now.Before(c.ValidUntil) {
		return Ended
	}
	return c.State
}

// Next gives the state of a circle after a step; the same state means that the step was taken before.
func (c Circle) Next(step Step, now time.Time) (string, error) {
	state := c.StateAt(now)
	if state == Ended {
		if step == End {
			return c.State, nil
		}
		return "", no("circle.ended", c.ID)
	}
	switch step {
	case Pause:
		return Paused, nil
	case Resume:
		return Active, nil
	case End:
		return Ended, nil
	default:
		return "", no("step.unknown", string(step))
	}
}

// Join says whether the organisation may join; false without an error means that it is in already.
func (c Circle) Join(o Organisation, now time.Time) (bool, error) {
	if c.StateAt(now) == Ended {
		return false, no("circle.ended", c.ID)
	}
	if err := o.MayChange(); err != nil {
		return false, err
	}
	switch {
	case slices.Contains(c.Members, o.ID):
		return false, nil
	case o.State != Active:
		return false, no("organisation.suspended", o.ID)
	case len(c.Members) >= MaxCircle:
		return false, no("circle.full", c.ID)
	}
	return true, nil
}

// Leave says whether there is something to leave. A circle that has ended stays as it was.
func (c Circle) Leave(org string, now time.Time) (bool, error) {
	if c.StateAt(now) == Ended {
		return false, no("circle.ended", c.ID)
	}
	return slices.Contains(c.Members, org), nil
}
