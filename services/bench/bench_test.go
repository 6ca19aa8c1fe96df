package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestRank(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		sorted []time.Duration
		p      float64
		want   time.Duration
	}{
		{hundred, 0.5, 50}, {hundred, 0.95, 95}, {hundred, 0.99, 99},
		{hundred[:1], 0.5, 1}, {hundred[:1], 0.99, 1}, {hundred[:2], 0.5, 1}, {hundred[:3], 0.5, 2}, {hundred[:8], 0.99, 8},
	} {
		if got := rank(c.sorted, c.p); got != c.want {
			t.Errorf("the %v of %d values is %d, want %d", c.p, len(c.sorted), got, c.want)
		}
	}
}

func TestMeasureSharesTheCalls(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	count := func(context.Context) error { calls.Add(1); return nil }
	s, err := measure(t.Context(), []call{count, count, count}, 12)
	if err != nil || calls.Load() != 12 || len(s.took) != 12 {
		t.Errorf("%d calls, %d samples, %v", calls.Load(), len(s.took), err)
	}
	r := s.row("part", "name", 3)
	if r.Samples != 12 || r.Min > r.Median || r.Median > r.P95 || r.P95 > r.P99 {
		t.Errorf("%+v", r)
	}
}

func TestMeasureStopsAtARefusal(t *testing.T) {
	t.Parallel()
	refused, calls := errors.New("refused"), 0
	_, err := measure(t.Context(), []call{func(context.Context) error { calls++; return refused }}, 10)
	if !errors.Is(err, refused) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestReplaced(t *testing.T) {
	t.Parallel()
	got, err := replaced([]byte("before\n"+beginMark+"old\n"+endMark+"after\n"), "new\n")
	if want := "before\n" + beginMark + "new\n" + endMark + "after\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	for _, document := range []string{"", beginMark, endMark + beginMark} {
		if _, err := replaced([]byte(document), "new\n"); err == nil {
			t.Errorf("%q was accepted", document)
		}
	}
}
