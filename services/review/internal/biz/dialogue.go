// Package biz holds the rules of a dialogue: who may say what, in which order it is
// read, and how long a draft outlives it. It reads no clock and keeps nothing.
package biz

import "time"

// Sides of a dialogue.
const (
	Reader = "reader"
	Owner  = "owner"
)

// States of a notice and of a dialogue.
const (
	Open   = "open"
	Closed = "closed"
)

// Purpose of reading a case and of writing about it.
const Purpose = "learning-in-circle"

// DraftKept is how long a draft stays readable after its case was closed.
const DraftKept = 14 * 24 * time.Hour

// Notice says that a case of another organisation is open to a circle of ours, or no longer.
type Notice struct {
	ID           string
	Owner        string
	CasePublicID string
	Circle       string
	State        string
	Sequence     int64
	ReceiveTime  time.Time
}

// Dialogue about one case. What belongs to the other side is empty.
type Dialogue struct {
	ID           string
	Side         string
	Peer         string
	CasePublicID string
	// The reader's side.
	NoticeID  string
	Writer    string
	RequestID string
	// The owner's side.
	CaseID         string
	CaseAuthor     string
	WriterPairwise string

	State      string
	CreateTime time.Time
	ClosedTime *time.Time
	DraftUntil *time.Time
}

// Account is who writes at this node's side.
func (d *Dialogue) Account() string {
	if d.Side == Reader {
		return d.Writer
	}
	return d.CaseAuthor
}

// Follow brings the dialogue to whether its case is open. The first closing sets
// how long a draft is kept. It tells whether anything changed.
func (d *Dialogue) Follow(open bool, now time.Time) bool {
	if open == (d.State == Open) {
		return false
	}
	if open {
		d.State, d.ClosedTime, d.DraftUntil = Open, nil, nil
		return true
	}
	until := now.Add(DraftKept)
	d.State, d.ClosedTime, d.DraftUntil = Closed, &now, &until
	return true
}

// KeepsDraft tells whether a draft is still there for its writer.
func (d *Dialogue) KeepsDraft(now time.Time) bool {
	return d.DraftUntil == nil || now.Before(*d.DraftUntil)
}

// Sharing is what tells whether a case of this organisation is open to another one
// now. Times are fixed-width UTC texts, as the policy reads them.
type Sharing struct {
	Status     string
	GrantState string
	GrantFrom  string
	GrantUntil string
}

// Open tells whether an answer may still go out: a yes that is gone counts at once,
// also when the case itself was not closed yet.
func (s Sharing) Open(now string) bool {
	return s.Status == "published" && s.GrantState == "granted" &&
		s.GrantFrom != "" && s.GrantFrom <= now && now < s.GrantUntil
}
