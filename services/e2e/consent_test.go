package e2e_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// closedFor reads as an outsider what may not be read any more, and gives the words of the refusal.
func closedFor(t *testing.T, reader *person, n *reviewv1.Notice) map[string]any {
	t.Helper()
	c, refusal := reader.read(n)
	if refusal == nil {
		t.Fatalf("revision %d was read", c.GetRevision())
	}
	if refusal.Status != http.StatusForbidden || refusal.Reason != "case.closed" {
		t.Fatalf("refused with %d %s", refusal.Status, refusal.Reason)
	}
	return refusal.told()
}

// What ended the sharing cannot be told from the answer: withdrawn, expired, removed and stopped read the same,
// before the closing notice has come and after it.
func TestAReaderOutsideNeverLearnsWhyACaseIsClosed(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])

	told := map[string]map[string]any{}
	ways := map[string]func(c *casesv1.Case, code string){
		"withdrawn": func(_ *casesv1.Case, code string) { m.withdraw(code) },
		"removed": func(c *casesv1.Case, _ string) {
			m.author.must(http.MethodDelete, "/cases/"+c.GetId(), nil, nil)
		},
		"stopped by the author":          func(c *casesv1.Case, _ string) { m.stop(m.author, c) },
		"stopped by the second reader":   func(c *casesv1.Case, _ string) { m.stop(m.second, c) },
		"stopped by the privacy officer": func(c *casesv1.Case, _ string) { m.stop(m.fg, c) },
	}
	// The yes of this one has a few seconds: long enough to publish it and read it once.
	expiring, _ := m.shared(time.Now().Add(6 * time.Second))
	notices := map[string]*reviewv1.Notice{"expired": reader.noticed(t, expiring.GetPublicId())}
	mustRead(t, reader, notices["expired"])

	for way, end := range ways {
		c, yes := m.shared(time.Time{})
		n := reader.noticed(t, c.GetPublicId())
		mustRead(t, reader, n)
		r := reader.begin(n)
		reader.must(http.MethodPut, "/reviews/"+r.GetId()+"/draft", &reviewv1.SaveDraftRequest{Kind: "question", Text: canaryReview}, r)
		end(c, yes.GetReceiptCode())
		told[way] = closedFor(t, reader, n)
		notices[way] = n
		eventually(t, delivery, "the closed notice arrives after: "+way, func() bool { return reader.notice(c.GetPublicId()) == nil })
		told[way+", after the notice"] = closedFor(t, reader, n)

		// The draft stays the reader's, and goes nowhere.
		if got := reader.review(r.GetId()); got.GetState() != "closed" || got.GetDraft().GetText() != canaryReview || got.GetDraftUntilTime() == nil {
			t.Errorf("%s: the draft of a closed review is %v", way, got)
		}
		told[way+", submitting"] = reader.refused(http.StatusForbidden, "case.closed", http.MethodPost, "/reviews/"+r.GetId()+"/messages",
			message("question", canaryReview)).told()
		if m.author.received(c.GetPublicId()) != nil {
			t.Errorf("%s: the draft has left the reader", way)
		}
	}
	eventually(t, 20*time.Second, "the yes has expired", func() bool {
		_, refusal := reader.read(notices["expired"])
		return refusal != nil
	})
	told["expired"] = closedFor(t, reader, notices["expired"])
	if got := m.get(expiring); got.GetStatus() == "published" {
		// Not closed yet by the round that comes every minute: the refusal was live, at the owner.
		told["expired, before it was closed"] = closedFor(t, reader, notices["expired"])
	}
	want := told["withdrawn"]
	for way, words := range told {
		if !maps.Equal(words, want) {
			t.Errorf("%s tells %v, and withdrawn tells %v", way, words, want)
		}
	}
	for _, secret := range []string{"ingetrokken", "verlopen", "verwijderd", "withdrawn", "expired", "removed", "stopped"} {
		for _, v := range want {
			if s, ok := v.(string); ok && strings.Contains(strings.ToLower(s), secret) {
				t.Errorf("the refusal says %q", secret)
			}
		}
	}
}

func (m *team) stop(by *person, c *casesv1.Case) {
	m.f.t.Helper()
	var res casesv1.StopSharingResponse
	by.must(http.MethodPost, "/cases/"+c.GetId()+"/stop", &casesv1.StopSharingRequest{}, &res)
	if res.GetStopTime() == nil {
		m.f.t.Error("stopping tells no time")
	}
}

// What the owner is told, and what a yes is bound to.
func TestTheYesIsBoundToTheTextThatWasRead(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])

	// Without a yes nothing leaves, whoever released it.
	c := m.draft(theStory())
	m.release(c)
	publish := &casesv1.PublishCaseRequest{Revision: c.GetRevision(), Circle: f.circle}
	m.author.refused(http.StatusForbidden, "consent.absent", http.MethodPost, "/cases/"+c.GetId()+"/publication", publish)
	yes := m.yes(c, time.Time{})
	m.publish(c)
	n := reader.noticed(t, c.GetPublicId())
	mustRead(t, reader, n)

	// Words dropped: still what the resident read.
	edit := &casesv1.EditCaseRequest{
		Revision: c.GetRevision(), WhatHappened: strings.Replace(c.GetWhatHappened(), " Ze belde later met 06-12345678.", "", 1),
		Question: c.GetQuestion(), Title: c.GetTitle(), Theme: c.GetTheme(),
	}
	m.author.must(http.MethodPut, "/cases/"+c.GetId()+"/text", edit, c)
	m.choose(c)
	if c.GetRevision() == 1 || c.GetBasisRevision() != 1 || c.GetStatus() != "published" {
		t.Fatalf("after dropping words: %s, revision %d on basis %d", c.GetStatus(), c.GetRevision(), c.GetBasisRevision())
	}
	if got := mustRead(t, reader, n); got.GetRevision() != c.GetRevision() || strings.Contains(got.GetWhatHappened(), "belde") {
		t.Errorf("outside, revision %d is read", got.GetRevision())
	}

	// A fact added: closed to others, also before the author has looked at the findings.
	edit = &casesv1.EditCaseRequest{
		Revision: c.GetRevision(), WhatHappened: edit.GetWhatHappened() + " Haar oudste kind ging die week uit huis.",
		Question: c.GetQuestion(), Title: c.GetTitle(), Theme: c.GetTheme(),
	}
	m.author.must(http.MethodPut, "/cases/"+c.GetId()+"/text", edit, c)
	closedFor(t, reader, n)
	m.choose(c)
	closedFor(t, reader, n)
	if c.GetBasisRevision() != c.GetRevision() || c.GetStatus() != "draft" || c.GetReleasedBy() != "" {
		t.Fatalf("after adding a fact: %s, revision %d on basis %d", c.GetStatus(), c.GetRevision(), c.GetBasisRevision())
	}

	// The old yes is not one to the new text; a new one is, with a new release.
	m.second.must(http.MethodPost, "/cases/"+c.GetId()+"/release", &casesv1.ReleaseCaseRequest{Revision: c.GetRevision()}, nil)
	publish.Revision = c.GetRevision()
	refusal := m.author.call(http.MethodPost, "/cases/"+c.GetId()+"/publication", publish, nil)
	if refusal == nil || refusal.Status != http.StatusForbidden || !slices.Contains([]string{"consent.text_changed", "consent.absent"}, refusal.Reason) {
		t.Fatalf("publishing on the old yes: %v", refusal)
	}
	again := m.yes(c, time.Time{})
	m.publish(c)
	eventually(t, delivery, "the case is open again", func() bool {
		_, refusal := reader.read(n)
		return refusal == nil
	})

	// Whoever stops with the older receipt, typed as people do, means what was agreed and not one paper.
	if m.withdraw(strings.ToLower(strings.ReplaceAll(yes.GetReceiptCode(), "-", " "))).GetState() != "stopped" {
		t.Error("the first yes is not stopped")
	}
	closedFor(t, reader, n)
	var newer consentv1.Receipt
	f.nobody(m.owner).must(http.MethodPost, "/receipts/lookup", receipt(again.GetReceiptCode()), &newer)
	if newer.GetState() != "stopped" {
		t.Errorf("the newer receipt says %s", newer.GetState())
	}

	// A wrong code and a malformed one get one answer, and change nothing.
	wrong := f.nobody(m.owner).refused(http.StatusNotFound, "not-found", http.MethodPost, "/receipts/lookup", receipt("0000-0000-0000-0000-0"))
	malformed := f.nobody(m.owner).refused(http.StatusNotFound, "not-found", http.MethodPost, "/receipts/lookup", receipt("hallo"))
	if !maps.Equal(wrong.told(), malformed.told()) {
		t.Error("a wrong code and a malformed one are told apart")
	}
}
