package biz

import (
	"time"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// States of a case.
const (
	Draft     = "draft"
	Released  = "released"
	Published = "published"
	Paused    = "paused"
	Closed    = "closed"
)

// Reasons for which a case is closed.
const (
	Withdrawn = "withdrawn"
	Expired   = "expired"
	Stopped   = "stopped"
	Removed   = "removed"
)

// Audiences of a case.
const (
	Team       = "team"
	InOneGroup = "circle"
)

// Purpose for which a case can be shared in this version.
const Purpose = "learning-in-circle"

// Level of the one rendition in this version.
const Level = "circle"

// NoRisk says that there is nothing others could read yet.
const NoRisk = -1

// Case is the state of one case, without its texts.
//
// BasisRevision is the oldest revision whose yes and release still hold for the
// current one. A new revision closes the case to others at once: it is its own
// basis and a draft, and what was before is kept aside. When its rendition is
// there and is the earlier one with only words removed, that is given back; with
// anything added, release and yes are asked again.
type Case struct {
	ID               string
	PublicID         string
	Unit             string
	Author           string
	Status           string
	ClosedReason     string
	Audience         string
	Circle           string
	Revision         int32
	BasisRevision    int32
	RenderedRevision int32 // the last revision with a rendition; 0 without
	KeptBasis        int32
	KeptStatus       string
	SecondReader     string
	ReleasedBy       string
	ReleaseRevision  int32
	Risk             int16
	CreateTime       time.Time
	UpdateTime       time.Time
	ClosedTime       *time.Time
}

// Rendered tells whether others can read the current revision.
func (c *Case) Rendered() bool { return c.RenderedRevision == c.Revision }

// Shared tells whether the case is open to others, or will be again when a change turns out to remove only.
func (c *Case) Shared() bool {
	return c.Status == Published || c.Status == Paused || c.KeptStatus == Published || c.KeptStatus == Paused
}

// At checks that the caller saw the current revision.
func (c *Case) At(revision uint32) error {
	if int64(revision) != int64(c.Revision) {
		return fault.EditConflict()
	}
	return nil
}

// Edit starts a new revision.
func (c *Case) Edit() {
	if c.Rendered() {
		c.KeptBasis, c.KeptStatus = c.BasisRevision, c.Status
	}
	c.Revision++
	c.BasisRevision = c.Revision
	c.Status = Draft
	c.Risk = NoRisk
}

// Complete notes that others can read the current revision, and whether that is
// the earlier rendition with only words removed.
func (c *Case) Complete(risk int16, pureRemoval bool) {
	switch {
	case c.KeptBasis == 0:
	case pureRemoval:
		c.BasisRevision, c.Status = c.KeptBasis, c.KeptStatus
	default:
		c.ReleasedBy, c.ReleaseRevision = "", 0
	}
	c.KeptBasis, c.KeptStatus = 0, ""
	c.RenderedRevision = c.Revision
	c.Risk = risk
}

// Release is the second reader's word for the current revision.
func (c *Case) Release(reader string) error {
	if c.Status != Draft || !c.Rendered() {
		return fault.WrongState("case.wrong_step")
	}
	c.Status, c.ReleasedBy, c.ReleaseRevision = Released, reader, c.BasisRevision
	return nil
}

// Publish opens the case to a circle, also anew when its time was over and there
// is a new yes. It tells whether anything changed.
func (c *Case) Publish(circle string) (bool, error) {
	if c.Status == Published && c.Circle == circle {
		return false, nil
	}
	if c.Status != Released && !(c.Status == Closed && c.ClosedReason == Expired) {
		return false, fault.WrongState("case.wrong_step")
	}
	c.Status, c.Audience, c.Circle = Published, InOneGroup, circle
	c.ClosedReason, c.ClosedTime = "", nil
	return true, nil
}

// Close ends sharing for good. A removal also follows another reason.
func (c *Case) Close(reason string, now time.Time) {
	c.Status, c.ClosedReason = Closed, reason
	c.KeptBasis, c.KeptStatus = 0, ""
	if c.ClosedTime == nil {
		c.ClosedTime = &now
	}
}

// Grant is one organisation's part of a yes.
type Grant struct {
	State      string
	ValidUntil time.Time
}

// Lapsed tells whether nothing is left of a yes that was there, and why.
func Lapsed(grants []Grant, now time.Time) (reason string, lapsed bool) {
	reason = Expired
	for _, g := range grants {
		switch {
		case g.State == Withdrawn:
			reason = Withdrawn
		case g.State != Expired && g.ValidUntil.After(now):
			return "", false
		}
	}
	return reason, len(grants) > 0
}
