package review_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
	"github.com/zijlicht/zijlicht/services/review/reviewtest"
)

// listed gives the public ids in a reviewer's list, over all its pages.
func (s suite) listed(t *testing.T, who *identityv1.Caller, size int32) (all []string) {
	t.Helper()
	token := ""
	for {
		l := ok(s.Review.ListNotices(s.As(t.Context(), who), &reviewv1.ListNoticesRequest{PageSize: size, PageToken: token}))(t)
		if size > 0 && len(l.GetNotices()) > int(size) {
			t.Fatalf("%d on a page of %d", len(l.GetNotices()), size)
		}
		for _, n := range l.GetNotices() {
			all = append(all, n.GetCasePublicId())
		}
		if token = l.GetNextPageToken(); token == "" {
			return all
		}
	}
}

func (s suite) notices(t *testing.T) {
	id, who := uuid.NewString(), reviewtest.Reviewer()
	n := s.Noticed(t, who, id)
	if n.GetOwner() != servetest.Peer || n.GetCircle() != servetest.Circle || n.GetState() != "open" || n.GetReceiveTime() == nil {
		t.Fatalf("notice %v", n)
	}
	s.lastLogged(t, n.GetId(), "notice.receive", true, "")
	elsewhere := reviewtest.Reviewer()
	elsewhere.Circles = []string{"kring-west"}
	if slices.Contains(s.listed(t, elsewhere, 0), id) {
		t.Fatal("listed outside its circle")
	}
	_, err := s.Review.ListNotices(s.As(t.Context(), reviewtest.Author()), &reviewv1.ListNoticesRequest{})
	want(t, err, refused, "role.missing")
	_, err = s.Review.ListNotices(s.As(t.Context(), who), &reviewv1.ListNoticesRequest{PageToken: "x"})
	want(t, err, invalid)
	_, err = s.Review.ListNotices(s.As(t.Context(), who), &reviewv1.ListNoticesRequest{PageSize: 101})
	want(t, err, invalid)
}

func (s suite) noticePages(t *testing.T) {
	who, sender := reviewtest.Reviewer(), reviewtest.Notifier()
	who.Circles, sender.Circles = []string{uuid.NewString()}, nil
	sender.Circles = who.GetCircles()
	var sent []string
	for range 5 {
		id := uuid.NewString()
		sent = append(sent, id)
		ok(s.Review.ReceiveNotice(s.As(t.Context(), sender), &reviewv1.ReceiveNoticeRequest{
			MessageId: uuid.NewString(), Kind: "opened", CasePublicId: id, Circle: who.GetCircles()[0], Sequence: 1,
		}))(t)
	}
	slices.Reverse(sent)
	equal(t, s.listed(t, who, 2), sent...)
	equal(t, s.listed(t, who, 0), sent...)
}

// noticeOrder: whatever the order of arrival, the newest notice counts.
func (s suite) noticeOrder(t *testing.T) {
	kinds := []string{"opened", "closed", "opened", "closed"}
	for _, order := range [][]int64{{1, 2}, {2, 1}, {1, 2, 3}, {3, 1, 2}, {2, 3, 1}, {1, 3, 2}, {4, 3}, {3, 4, 1, 2}, {4, 1, 3, 2}} {
		who, id := reviewtest.Reviewer(), uuid.NewString()
		for _, sequence := range order {
			ok(0, s.notice(t, reviewtest.Notifier(), kinds[sequence-1], id, sequence))(t)
		}
		open := kinds[slices.Max(order)-1] == "opened"
		if slices.Contains(s.listed(t, who, 100), id) != open {
			t.Errorf("order %v: open is not %v", order, open)
		}
	}
}

func (s suite) noticeTwice(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	req := &reviewv1.ReceiveNoticeRequest{
		MessageId: uuid.NewString(), Kind: "opened", CasePublicId: id, Circle: servetest.Circle, Sequence: 5,
	}
	ctx := s.As(t.Context(), reviewtest.Notifier())
	ok(s.Review.ReceiveNotice(ctx, req))(t)
	req.Kind, req.Sequence = "closed", 6 // what one sender means by one message id never changes
	ok(s.Review.ReceiveNotice(ctx, req))(t)
	if !slices.Contains(s.listed(t, who, 100), id) {
		t.Fatal("a duplicate changed something")
	}
}

func (s suite) noticeRefusals(t *testing.T) {
	suspended, elsewhere := reviewtest.Notifier(), reviewtest.Notifier()
	suspended.OrganisationState, elsewhere.Circles = "suspended", []string{"kring-west"}
	for name, c := range map[string]struct {
		who  *identityv1.Caller
		kind string
		code string
	}{
		"suspended opens":        {suspended, "opened", "case.closed"},
		"another circle opens":   {elsewhere, "opened", "circle.no_agreement"},
		"a reviewer is no node":  {servetest.PeerReader("p"), "opened", "case.closed"},
		"suspended still closes": {suspended, "closed", ""},
		"having left the circle": {elsewhere, "closed", ""},
	} {
		id := uuid.NewString()
		err := s.notice(t, c.who, c.kind, id, 1)
		kept := one[int](t, s, "select count(*)::int from review.notice where case_public_id = $1", id)
		if c.code == "" {
			if err != nil || kept != 1 {
				t.Errorf("%s: %v, kept %d", name, err, kept)
			}
			continue
		}
		if fault.ReasonOf(err) != refused || fault.CodeOf(err) != c.code || kept != 0 {
			t.Errorf("%s: %v (%s), kept %d", name, err, fault.CodeOf(err), kept)
		}
	}
	want(t, s.notice(t, reviewtest.Notifier(), "closed", uuid.NewString(), 0), invalid)
	want(t, s.notice(t, reviewtest.Notifier(), "renamed", uuid.NewString(), 1), invalid)
}

// anothersCase: what one organisation says about a public id is nothing to another's case.
func (s suite) anothersCase(t *testing.T) {
	who, id := reviewtest.Reviewer(), uuid.NewString()
	r := s.Started(t, who, id)
	other := reviewtest.Notifier()
	other.Organisation = "https://west.example"
	ok(0, s.notice(t, other, "closed", id, 9))(t)
	ok(s.submit1(t, who, r.GetId(), "question", "Nog open?"))(t)
	ok(s.Review.StartReview(s.As(t.Context(), reviewtest.Reviewer()), &reviewv1.StartReviewRequest{
		RequestId: uuid.NewString(), NoticeId: r.GetNoticeId(),
	}))(t)
}

func (s suite) sharedCase(t *testing.T) {
	id, who := uuid.NewString(), reviewtest.Reviewer()
	n := s.Noticed(t, who, id)
	req := &reviewv1.ReadSharedCaseRequest{NoticeId: n.GetId()}
	s.Gateway.Share(&casesv1.SharedCase{
		PublicId: id, Owner: servetest.Peer, Circle: servetest.Circle, Theme: "geldzorgen", Revision: 3,
		Title: "De huur van " + id, WhatHappened: "Wat er gebeurde.", Question: "Wat had ik kunnen vragen?",
	})
	c := ok(s.Review.ReadSharedCase(s.As(t.Context(), who), req))(t)
	if c.GetNoticeId() != n.GetId() || c.GetOwner() != servetest.Peer || c.GetTitle() != "De huur van "+id || c.GetRevision() != 3 ||
		c.GetWhatHappened() == "" || c.GetQuestion() == "" || c.GetTheme() == "" || c.GetCircle() != servetest.Circle {
		t.Fatalf("case %v", c)
	}
	s.lastLogged(t, n.GetId(), "notice.open", true, "")
	// Who may not.
	elsewhere := reviewtest.Reviewer()
	elsewhere.Circles = []string{"kring-west"}
	_, err := s.Review.ReadSharedCase(s.As(t.Context(), elsewhere), req)
	want(t, err, refused, "circle.no_agreement")
	_, err = s.Review.ReadSharedCase(s.As(t.Context(), reviewtest.Author()), req)
	want(t, err, notFound)
	s.lastLogged(t, n.GetId(), "notice.open", false, "role.missing")
	// The owner's refusal passes and is recorded; the notice stays what it was.
	s.Gateway.Refuse(servetest.Peer, id, fault.Refused("case.closed"))
	_, err = s.Review.ReadSharedCase(s.As(t.Context(), who), req)
	want(t, err, refused, "case.closed")
	s.lastLogged(t, n.GetId(), "notice.open", false, "case.closed")
	s.Gateway.Refuse(servetest.Peer, id, fault.PeerUnavailable(errors.New("away")))
	_, err = s.Review.ReadSharedCase(s.As(t.Context(), who), req)
	if fault.CodeOf(err) != "peer-unavailable" || !slices.Contains(s.listed(t, who, 100), id) {
		t.Fatalf("peer away: %v", err)
	}
	// Closed by its owner: no question is asked there any more.
	s.Gateway.Refuse(servetest.Peer, id, nil)
	ok(0, s.notice(t, reviewtest.Notifier(), "closed", id, 2))(t)
	_, err = s.Review.ReadSharedCase(s.As(t.Context(), who), req)
	want(t, err, refused, "case.closed")
	if slices.Contains(s.listed(t, who, 100), id) {
		t.Fatal("a closed case is in the list")
	}
}
