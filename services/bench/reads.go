package main

import (
	"context"
	"fmt"
	"time"
)

// Parts of the report.
const (
	partOwn   = "one node"
	partCross = "two nodes"
	partAlone = "alone"
)

// restAndStart starts a node a few times and looks at its memory at rest and after reads.
func restAndStart(ctx context.Context, p plan, w *world, s *shared, r *report) error {
	var started samples
	for range p.starts {
		took, err := w.restart(ctx, w.owner)
		if err != nil {
			return err
		}
		started.took = append(started.took, took)
		started.elapsed += took
	}
	r.Start = started.row("start", "from exec until /healthz answers 200", 1)
	pause(ctx, p.rest)
	if err := r.remember(w.owner, fmt.Sprintf("%s after its start, idle", p.rest)); err != nil {
		return err
	}
	if _, err := measure(ctx, []call{s.author.reading(s.ownPath())}, p.restful); err != nil {
		return err
	}
	return r.remember(w.owner, fmt.Sprintf("right after %d reads", p.restful))
}

func (r *report) remember(n *node, when string) error {
	m, err := memoryOf(n.child.cmd.Process.Pid, when)
	r.Memory = append(r.Memory, m)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ownReads are those of the author.
func ownReads(ctx context.Context, p plan, _ *world, s *shared, r *report) error {
	for _, clients := range []int{1, many} {
		var product, floor []call
		for range clients {
			product = append(product, s.author.again().reading(s.ownPath()))
			floor = append(floor, newClient(s.floor.base).reading(s.floorPath()))
		}
		a, b, err := beside(ctx, p, product, floor)
		if err != nil {
			return err
		}
		r.pair(partOwn, "own case", "floor", clients, a, b)
	}
	return nil
}

// coldReads are the first of each reader: the reader's node mints a grant and the owner's exchanges it for a token.
func coldReads(ctx context.Context, p plan, _ *world, s *shared, r *report) error {
	floor := s.hop.reading(s.hopPath())
	if _, err := measure(ctx, []call{floor}, 2*many); err != nil {
		return err
	}
	var a, b samples
	for _, reader := range s.readers[:p.cold] {
		one, err := measure(ctx, []call{reader.reading(s.crossPath())}, 1)
		if err != nil {
			return err
		}
		a.add(one)
		if one, err = measure(ctx, []call{floor}, 1); err != nil {
			return err
		}
		b.add(one)
	}
	r.pair(partCross, "case elsewhere, first time (new grant)", "floor, one hop", 1, a, b)
	return nil
}

// warmReads are by readers whose token is held.
func warmReads(ctx context.Context, p plan, _ *world, s *shared, r *report) error {
	for _, clients := range []int{1, many} {
		var product, floor []call
		for i := range clients {
			product = append(product, s.readers[i].again().reading(s.crossPath()))
			floor = append(floor, newClient(s.hop.base).reading(s.hopPath()))
		}
		a, b, err := beside(ctx, p, product, floor)
		if err != nil {
			return err
		}
		r.pair(partCross, "case elsewhere, again", "floor, one hop", clients, a, b)
	}
	return nil
}

// afterRestart is the worst first read: the reader's node holds nothing yet, not even a connection.
func afterRestart(ctx context.Context, p plan, w *world, s *shared, r *report) error {
	var a samples
	for range p.starts {
		if _, err := w.restart(ctx, w.reader); err != nil {
			return err
		}
		one, err := measure(ctx, []call{s.readers[0].again().reading(s.crossPath())}, 1)
		if err != nil {
			return err
		}
		a.add(one)
	}
	r.Rows = append(r.Rows, a.row(partCross, "case elsewhere, first after the reader's node started", 1))
	return nil
}

func memoryAtEnd(_ context.Context, _ plan, w *world, _ *shared, r *report) error {
	return r.remember(w.owner, "after the whole run")
}
