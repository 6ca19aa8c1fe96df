package oauth_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Forty requests with one and the same identifier: one is served, the others are refused for what they are, and none
// meets a server error. fosite looks before it marks (handler.go:290 to :96), so that the losers of the race got 500.
func TestReplayFortyAtOnce(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		share        func(a, first *attempt)
		status       int
		code, reason string
	}{
		"RFC 7523 §3: one grant":            {func(a, first *attempt) { a.rawGrant = first.rawGrant }, 400, "invalid_grant", "grant.replayed"},
		"RFC 7523 §3: one client assertion": {func(a, first *attempt) { a.rawClient = first.rawClient }, 401, "invalid_client", "client.replayed"},
		"RFC 9449 §11.1: one proof":         {func(a, first *attempt) { a.proofs = first.proofs }, 400, "invalid_dpop_proof", "dpop.replayed"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fed := newFederation()
			owner := startNode(t, newClock(), fed)
			r := newReader(t, fed, noord, "case:read", "review:write")
			first := r.attempt(t, owner)
			first.rawGrant = sign(t, first.grantKey, first.grantType, false, first.grant)
			first.rawClient = sign(t, first.clientKey, first.clientType, false, first.client)
			first.proofs = []string{sign(t, first.proofKey, first.prfType, true, first.proof)}
			answers := make([]answer, 40)
			var start, done sync.WaitGroup
			start.Add(1)
			for i := range answers {
				a := r.attempt(t, owner)
				c.share(a, first)
				done.Go(func() {
					start.Wait()
					answers[i] = a.send()
				})
			}
			start.Done()
			done.Wait()
			served := 0
			for _, a := range answers {
				if a.status == 200 {
					served++
					continue
				}
				a.wants(t, c.status, c.code, c.reason)
			}
			if served != 1 {
				t.Errorf("%d of 40 were served, want 1", served)
			}
		})
	}
}

// One after the other as well, and by another server process on the same database.
func TestReplayedGrant(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	a := r.attempt(t, owner)
	a.send().wantsToken(t)
	for _, after := range []time.Duration{0, 69 * time.Second} {
		owner.clock.advance(after)
		b := r.attempt(t, owner)
		b.rawGrant = a.rawGrant
		if _, err := owner.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.send().wants(t, 400, "invalid_grant", "grant.replayed")
	}
	if got := owner.lastRefused(); got.Client != noord || got.Reason != "grant.replayed" {
		t.Errorf("security log got %+v", got)
	}
	owner.clock.advance(time.Second)
	b := r.attempt(t, owner)
	b.rawGrant = a.rawGrant
	b.send().wants(t, 400, "invalid_grant", "grant.expired")
}

// The table keeps an identifier as long as it could be used, and no longer.
func TestSweep(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	r.attempt(t, owner).send().wantsToken(t)
	for _, c := range []struct {
		after time.Duration
		swept int64
	}{{70 * time.Second, 0}, {time.Second, 3}, {time.Hour, 0}} {
		owner.clock.advance(c.after)
		if n, err := owner.Sweep(t.Context()); err != nil || n != c.swept {
			t.Errorf("after %v: swept %d (%v), want %d", c.after, n, err, c.swept)
		}
	}
}

// Run ends with its context and has no other end.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	owner := startNode(t, newClock(), newFederation())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := owner.Run(ctx); err != nil {
		t.Error(err)
	}
}

// Least privilege: the gateway's role neither rewrites what was spent nor removes a client.
func TestGrantsOfTheRole(t *testing.T) {
	t.Parallel()
	owner := startNode(t, newClock(), newFederation())
	for _, sql := range []string{
		`update gateway.replay set expires_at = now()`, `truncate gateway.replay`,
		`delete from gateway.client`, `update gateway.client set id = 'x'`, `update gateway.client set created = now()`,
	} {
		if _, err := owner.pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("allowed: %s", sql)
		}
	}
}
