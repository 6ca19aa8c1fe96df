package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// known is how long it may take before every node knows what the anchor decided: they ask every fifteen seconds.
const known = 40 * time.Second

// A member that is suspended reads nothing elsewhere, and goes on with what is its own.
func TestASuspendedMemberIsShutOut(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{})
	owner, other := f.members[0], f.members[1]
	m, reader := f.newTeam(owner), f.newReader(other)
	c, _ := m.shared(time.Time{})
	n := reader.noticed(t, c.GetPublicId())
	mustRead(t, reader, n)
	var ownCase casesv1.Case
	reader.must(http.MethodPost, "/cases", &casesv1.CreateCaseRequest{RequestId: uuid.NewString(), WhatHappened: "Een eigen verhaal."}, &ownCase)

	f.Anchor("member", "suspend", other.url)
	var refusal *problem
	eventually(t, known, "the suspended member's reads are refused", func() bool {
		_, refusal = reader.read(n)
		return refusal != nil
	})
	if refusal.Status != http.StatusForbidden && refusal.Status != http.StatusServiceUnavailable {
		t.Errorf("the read is refused with %d %s", refusal.Status, refusal.Reason)
	}
	// The node knows by now, or soon, that it is suspended itself; then it says so.
	eventually(t, known, "the member is told that it is suspended", func() bool {
		_, refusal = reader.read(n)
		return refusal != nil && refusal.Reason == "member.suspended"
	})
	reader.refused(http.StatusForbidden, "member.suspended", http.MethodPost, "/notices/"+n.GetId()+"/reviews",
		&reviewv1.StartReviewRequest{RequestId: uuid.NewString()})
	reader.must(http.MethodGet, "/cases/"+ownCase.GetId(), nil, &ownCase)
	reader.must(http.MethodPut, "/cases/"+ownCase.GetId()+"/text",
		&casesv1.EditCaseRequest{Revision: 1, WhatHappened: "Een eigen verhaal, iets langer."}, &ownCase)

	f.Anchor("member", "resume", other.url)
	eventually(t, known, "the member reads again", func() bool {
		_, refusal = reader.read(n)
		return refusal == nil
	})

	// Now the owner is suspended: nobody names a reader to it any more.
	f.Anchor("member", "suspend", owner.url)
	eventually(t, known, "nothing is read at a suspended member", func() bool {
		_, refusal = reader.read(n)
		return refusal != nil && refusal.Reason == "peer.not_active"
	})
	m.stop(m.author, c) // what is its own it can still stop
	f.Anchor("member", "resume", owner.url)
	eventually(t, known, "the owner takes part again, and the case is closed", func() bool {
		_, refusal = reader.read(n)
		return refusal != nil && refusal.Reason == "case.closed"
	})
}
