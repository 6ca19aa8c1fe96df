// Package failpoint kills the process at named places, as a power cut would, so
// that tests can prove that nothing is lost or done twice. Without the
// environment variable it does nothing.
package failpoint

import (
	"os"
	"strings"
	"sync"
	"syscall"
)

// Variable names the places, separated by commas: ZIJLICHT_FAILPOINT=outbox.sender.before-commit.
const Variable = "ZIJLICHT_FAILPOINT"

// The places of a delivery, in the order in which it passes them.
const (
	SenderBeforeCommit   = "outbox.sender.before-commit"
	SenderAfterCommit    = "outbox.sender.after-commit"
	SenderAfterAck       = "outbox.sender.after-ack"
	ReceiverBeforeCommit = "outbox.receiver.before-commit"
	ReceiverAfterCommit  = "outbox.receiver.after-commit"
)

var places = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for p := range strings.SplitSeq(os.Getenv(Variable), ",") {
		if p != "" {
			m[p] = true
		}
	}
	return m
})

// Hit ends the process with SIGKILL when the place is named: no deferred call runs and nothing is flushed.
func Hit(place string) {
	if !places()[place] {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}
