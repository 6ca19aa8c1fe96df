package biz

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// The order of reading depends on nothing but the messages, loses none and follows each side's numbers.
func TestInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var all []Message
		for _, side := range []string{Reader, Owner} {
			for n := range rapid.IntRange(0, 6).Draw(t, side) {
				all = append(all, Message{
					FromSide: side, Sequence: int64(n + 1),
					SubmitTime: noon.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "minutes")) * time.Minute),
				})
			}
		}
		key := func(m Message) string { return m.FromSide + string(rune('0'+m.Sequence)) }
		order := func(messages []Message) (keys []string) {
			next := map[string]int64{Reader: 1, Owner: 1}
			for _, m := range InOrder(messages) {
				if m.Sequence != next[m.FromSide] {
					t.Fatalf("%s out of order", key(m))
				}
				next[m.FromSide]++
				keys = append(keys, key(m))
			}
			return keys
		}
		want := order(all)
		if len(want) != len(all) {
			t.Fatalf("%d of %d", len(want), len(all))
		}
		if got := order(rapid.Permutation(all).Draw(t, "arrival")); !slices.Equal(got, want) {
			t.Fatalf("%v and %v", got, want)
		}
	})
}

func TestInOrderWeavesByTime(t *testing.T) {
	t.Parallel()
	at := func(side string, sequence int64, minute int) Message {
		return Message{FromSide: side, Sequence: sequence, SubmitTime: noon.Add(time.Duration(minute) * time.Minute)}
	}
	got := InOrder([]Message{at(Owner, 2, 4), at(Reader, 3, 5), at(Reader, 1, 0), at(Owner, 1, 1), at(Reader, 2, 3)})
	var order string
	for _, m := range got {
		order += m.FromSide[:1] + string(rune('0'+m.Sequence)) + " "
	}
	if order != "r1 o1 r2 o2 r3 " {
		t.Fatal(order)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := Dialogue{State: Open}
		now := noon
		for _, open := range rapid.SliceOf(rapid.Bool()).Draw(t, "notices") {
			now = now.Add(time.Hour)
			before := d
			changed := d.Follow(open, now)
			if changed != (before.State != d.State) || (d.State == Open) != open || (d.State == Closed) != (d.DraftUntil != nil) ||
				(d.ClosedTime == nil) != (d.DraftUntil == nil) {
				t.Fatalf("%+v", d)
			}
			if !changed && before.DraftUntil != d.DraftUntil {
				t.Fatal("a repeated closing moves the window")
			}
			if d.State == Closed && (!d.KeepsDraft(d.ClosedTime.Add(DraftKept-1)) || d.KeepsDraft(d.ClosedTime.Add(DraftKept))) {
				t.Fatal("window")
			}
		}
	})
}

func TestSharing(t *testing.T) {
	t.Parallel()
	const now, before, after = "2026-11-22T12:00:00.000000Z", "2026-11-22T11:59:59.999999Z", "2026-11-22T12:00:00.000001Z"
	for name, c := range map[string]struct {
		sharing Sharing
		open    bool
	}{
		"in force":        {Sharing{"published", "granted", before, after}, true},
		"from now":        {Sharing{"published", "granted", now, after}, true},
		"until now":       {Sharing{"published", "granted", before, now}, false},
		"not yet":         {Sharing{"published", "granted", after, after}, false},
		"withdrawn":       {Sharing{"published", "withdrawn", before, after}, false},
		"absent":          {Sharing{"published", "absent", "", ""}, false},
		"without a start": {Sharing{"published", "granted", "", after}, false},
		"paused":          {Sharing{"paused", "granted", before, after}, false},
		"closed":          {Sharing{"closed", "granted", before, after}, false},
		"nothing known":   {Sharing{}, false},
	} {
		if got := c.sharing.Open(now); got != c.open {
			t.Errorf("%s: %v", name, got)
		}
	}
}
