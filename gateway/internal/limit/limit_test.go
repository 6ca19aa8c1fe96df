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
	l := limit.New(limit.Config{Every: time.Minute, Burst: 3, Now: func() time.Time { return now }})
	for _, step := range []struct {
		after time.Duration
		key   string
		want  bool
	}{
		{0, "a", true},
		{0, "a", true},
		{0, "a", true},
		{0, "a", false},
		{0, "b", true}, // another client is not slowed down
		{20 * time.Second, "a", false},
		{39 * time.Second, "a", false},
		{time.Second, "a", true}, // refused attempts cost nothing
		{0, "a", false},
		{time.Hour, "a", true}, // no more than the burst is saved up
		{0, "a", true},
		{0, "a", true},
		{0, "a", false},
		{-time.Hour, "b", true}, // the clock was set back
	} {
		now = now.Add(step.after)
		if ok := l.Allow(step.key); ok != step.want {
			t.Errorf("%s at %s: %v, want %v", step.key, now.Format(time.TimeOnly), ok, step.want)
		}
	}
	if limit.New(limit.Config{Every: time.Second}).Allow("a") {
		t.Error("a burst of none allows one")
	}
}

// TestNeverMoreThanPromised is the rule itself: in any window no more than the burst and what the time gives.
func TestNeverMoreThanPromised(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := start
		burst := rapid.IntRange(1, 5).Draw(t, "burst")
		l := limit.New(limit.Config{Every: time.Second, Burst: burst, Now: func() time.Time { return now }})
		var allowed int
		for range rapid.IntRange(1, 60).Draw(t, "attempts") {
			now = now.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "ms")) * time.Millisecond)
			if l.Allow("a") {
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
	l := limit.New(limit.Config{Every: time.Hour, Burst: 1, Now: func() time.Time { return start }})
	l.Allow("early")
	l.Allow("stubborn")
	for i := range limit.Keys - 2 {
		l.Allow(strconv.Itoa(i))
	}
	if l.Allow("stubborn") { // refused, and now the latest
		t.Error("a full table forgot someone")
	}
	l.Allow("one more") // pushes out early
	if l.Allow("stubborn") {
		t.Error("who keeps trying was forgotten")
	}
	if !l.Allow("early") {
		t.Error("who came first was not forgotten")
	}
}

func TestAtTheSameTime(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Config{Every: time.Hour, Burst: 10, Now: func() time.Time { return start }})
	var allowed atomic.Int32
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if l.Allow("a") {
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
