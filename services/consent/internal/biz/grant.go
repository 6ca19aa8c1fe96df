// Package biz holds the rules of the register: how long a yes counts and how a
// receipt code is made.
package biz

import (
	"time"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// Purpose that is offered in this version.
const Purpose = "learning-in-circle"

// Months that a yes counts for when nothing else is agreed, and at most.
const (
	defaultMonths = 6
	maxMonths     = 12
)

// Period gives the time in which a yes counts. It starts after the time to think.
func Period(given time.Time, thinking time.Duration, until time.Time) (from, end time.Time, err error) {
	from = given.Add(thinking)
	end = until
	if end.IsZero() {
		end = given.AddDate(0, defaultMonths, 0)
	}
	if !end.After(from) {
		return from, end, fault.Invalid("valid_until_time", "after-the-time-to-think")
	}
	if end.After(given.AddDate(0, maxMonths, 0)) {
		return from, end, fault.Invalid("valid_until_time", "twelve-months-at-most")
	}
	return from, end, nil
}

// State of a yes as the resident reads it on the receipt.
func State(now, from, until, withdrawn time.Time, caseClosed bool) string {
	switch {
	case !withdrawn.IsZero():
		return "stopped"
	case !now.Before(until):
		return "ended"
	case caseClosed:
		return "stopped"
	case now.Before(from):
		return "waiting"
	default:
		return "shared"
	}
}
