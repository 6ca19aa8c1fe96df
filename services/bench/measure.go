package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// call is what is measured: one request, or one step of its inside.
type call func(context.Context) error

// samples of calls, by one or more clients.
type samples struct {
	took    []time.Duration
	elapsed time.Duration
}

func (s *samples) add(other samples) {
	s.took = append(s.took, other.took...)
	s.elapsed += other.elapsed
}

// row is one line of the report. Times are in microseconds.
type row struct {
	Part      string  `json:"part"`
	Name      string  `json:"name"`
	Clients   int     `json:"clients"`
	Samples   int     `json:"samples"`
	Min       float64 `json:"min_us"`
	Median    float64 `json:"median_us"`
	P95       float64 `json:"p95_us"`
	P99       float64 `json:"p99_us"`
	PerSecond float64 `json:"per_second"`
	// Ratio of the median to that of the floor; 0 where there is no floor.
	Ratio float64 `json:"ratio_to_floor,omitempty"`
	Floor bool    `json:"floor,omitempty"`
	// Allocs per call, where the call is in the process that measures.
	Allocs float64 `json:"allocs_per_call,omitempty"`
}

func (s samples) row(part, name string, clients int) row {
	slices.Sort(s.took)
	return row{
		Part: part, Name: name, Clients: clients, Samples: len(s.took), Min: micros(s.took[0]),
		Median: micros(rank(s.took, 0.5)), P95: micros(rank(s.took, 0.95)), P99: micros(rank(s.took, 0.99)),
		PerSecond: float64(len(s.took)) / s.elapsed.Seconds(),
	}
}

// rank is the nearest-rank percentile of sorted values.
func rank(sorted []time.Duration, p float64) time.Duration {
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// measure makes n calls, each client its share one after the other, and stops at the first error.
func measure(ctx context.Context, clients []call, n int) (samples, error) {
	each := max(1, n/len(clients))
	took := make([][]time.Duration, len(clients))
	errs := make([]error, len(clients))
	var done sync.WaitGroup
	begun := time.Now()
	for i, c := range clients {
		done.Go(func() {
			took[i] = make([]time.Duration, 0, each)
			for range each {
				start := time.Now()
				if errs[i] = c(ctx); errs[i] != nil {
					return
				}
				took[i] = append(took[i], time.Since(start))
			}
		})
	}
	done.Wait()
	s := samples{elapsed: time.Since(begun)}
	for i := range clients {
		if errs[i] != nil {
			return s, errs[i]
		}
		s.took = append(s.took, took[i]...)
	}
	return s, nil
}

// beside measures product and floor in turns, so that what else the machine does meets both.
func beside(ctx context.Context, p plan, product, floor []call) (a, b samples, err error) {
	for _, clients := range [][]call{product, floor} {
		if _, err := measure(ctx, clients, max(p.reads/10, 2*len(clients))); err != nil {
			return a, b, fmt.Errorf("warming up: %w", err)
		}
	}
	for range p.rounds {
		for _, side := range []struct {
			clients []call
			into    *samples
		}{{product, &a}, {floor, &b}} {
			s, err := measure(ctx, side.clients, p.reads/p.rounds)
			if err != nil {
				return a, b, err
			}
			side.into.add(s)
		}
	}
	return a, b, nil
}

// pair adds a measurement and its floor.
func (r *report) pair(part, name, floorName string, clients int, a, b samples) {
	top, bottom := a.row(part, name, clients), b.row(part, floorName, clients)
	top.Ratio, bottom.Floor = top.Median/bottom.Median, true
	r.Rows = append(r.Rows, top, bottom)
}
