package pgdb

import "github.com/zijlicht/zijlicht/services/platform/fault"

// Fault is the answer to a failed query: a refusal that can be tried again when
// the database cannot be used now, and an internal fault otherwise. A fault stays what it is.
func Fault(err error) error {
	if err == nil {
		return nil
	}
	if IsUnavailable(err) {
		return fault.Unavailable(err)
	}
	return fault.Sanitize(err)
}
