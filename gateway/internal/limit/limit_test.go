package limit_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/gateway/internal/limit"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func TestAllow(t *testing.T) {
	t.Parallel()
	now := start
	l := limit.New(time.Minute, 3, func() time.Time { return now })
	for _, step := range []struct {
		after time.Duration
		key   string
		want  bool
		wait  time.Duration
	}{
		{0, "a", true, 0},
		{0, "a", true, 0},
		{0, "a", true, 0},
		{0, "a", false, time.Minute},
		{0, "b", true, 0}, // another client is not slowed down
		{20 * time.Second, "a", false, 40 * time.Second},
		{39 * time.Second, "a", false, time.Second},
		{time.Second, "a", true, 0}, // refused attempts cost nothing
		{0, "a", false, time.Minute},
		{time.Hour, "a", true, 0}, // no more than the burst is saved up
		{0, "a", true, 0},
		{0, "a", true, 0},
		{0, "a", false, time.Minute},
		{-time.Hour, "b", true, 0}, // the clock was set back
	} {
		now = now.Add(step.after)
		if ok, wait := l.Allow(step.key); ok != step.want || wait.Round(time.Millisecond) != step.wait {
			t.Errorf("%s at %s: %v, wait %s; want %v, %s", step.key, now.Format(time.TimeOnly), ok, wait, step.want, step.wait)
		}
	}
	if ok, wait := limit.New(time.Second, 0, nil).Allow("a"); ok || wait != time.Second {
		t.Errorf("a burst of none: %v, %s", ok, wait)
	}
}

// TestNeverMoreThanPromised is the rule itself: in any window no more than the burst and what the time gives.
func TestNeverMoreThanPromised(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := start
		burst := rapid.IntRange(1, 5).Draw(t, "burst")
		l := limit.New(time.Second, burst, func() time.Time { return now })
		var allowed int
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			if ok, _ := l.Allow("a"); ok {
				allowed++
			}
		}
		if most := burst + int(now.Sub(start)/time.Second); allowed > most {
			t.Fatalf("%d allowed, %d promised", allowed, most)
		}
	})
}

func TestForgetsWhoWasLeastRecent(t *testing.T) {
	t.Parallel()
	l := limit.New(time.Hour, 1, func() time.Time { return start })
	allow := func(key string) bool { ok, _ := l.Allow(key); return ok }
	allow("early")
	allow("stubborn")
	for i := range limit.Keys - 2 {
		allow(strconv.Itoa(i))
	}
	if allow("stubborn") { // refused, and now the latest
		t.Error("a full table forgot someone")
	}
	allow("one more") // pushes out early
	if allow("stubborn") {
		t.Error("who keeps trying was forgotten")
	}
	if !allow("early") {
		t.Error("who came first was not forgotten")
	}
}

func TestAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := limit.New(time.Hour, 10, func() time.Time { return start })
	var allowed atomic.Int32
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if ok, _ := l.Allow("a"); ok {
				allowed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := allowed.Load(); n != 10 {
		t.Errorf("%d allowed", n)
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7:51234":              "192.0.2.7",
		"192.0.2.7":                    "192.0.2.7",
		"[::ffff:192.0.2.7]:51234":     "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:443":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff:ffff::1":    "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":            "fe80::/64",
		"@":                            "unknown",
		"":                             "unknown",
		"192.0.2.7:51234, 198.51.100.": "unknown",
	} {
		if got := limit.Address(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
