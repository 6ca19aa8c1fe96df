package authz_test

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// TestNoAnswerWithoutARecord: whatever a handler does, an answer leaves only with
// one durable record that allows it, a deed is there only with such a record, and no
// call has two.
func TestNoAnswerWithoutARecord(t *testing.T) {
	t.Parallel()
	servetest.Both(t, func(t *testing.T, connect servetest.Connect) {
		n := newNode(t, connect)
		rapid.Check(t, func(rt *rapid.T) {
			var step func(depth int) handler
			step = func(depth int) handler {
				var steps []handler
				for range rapid.IntRange(0, 3).Draw(rt, "steps") {
					var s handler
					switch kind := rapid.IntRange(0, 9).Draw(rt, "kind"); {
					case kind <= 2:
						s = decide(allowed())
					case kind == 3:
						s = decide(hidden())
					case kind == 4:
						s = careless(hidden())
					case kind == 5:
						s = careless(broken())
					case kind == 6:
						s = fails(errors.New("x"))
					case kind == 7:
						s = func(context.Context) error { panic("x") }
					case depth < 2:
						inner := n.inTx(step(depth + 1))
						s = inner
						if kind == 9 { // and does not look how it went
							s = func(ctx context.Context) error { _ = inner(ctx); return nil }
						}
					default:
						s = fails(nil)
					}
					steps = append(steps, s)
				}
				return both(steps...)
			}
			do := step(0)
			before := n.deeds(t)
			caller, err := n.get(t.Context(), do)
			got := n.records(t, caller)
			if len(got) > 1 {
				rt.Fatalf("two records: %+v", got)
			}
			recorded := len(got) == 1 && got[0].Allowed && got[0].Status == "Ok" && got[0].Evaluations > 0
			if err == nil && !recorded {
				rt.Fatalf("an answer with record %+v", got)
			}
			if n.deeds(t) != before && !recorded {
				rt.Fatalf("a deed with record %+v", got)
			}
		})
	})
}
