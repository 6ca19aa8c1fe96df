package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/embedpg"
)

// undone asks for something that cannot be checked now: the answer is a refusal that says so.
func (p *person) undone(method, path string, in proto.Message) {
	p.f.t.Helper()
	p.refused(http.StatusServiceUnavailable, "check-unavailable", method, path, in)
}

// shutForReader tells that a read at the owner is refused as something that cannot be had now.
func shutForReader(t *testing.T, reader *person, n *reviewv1.Notice) {
	t.Helper()
	c, refusal := reader.read(n)
	if refusal == nil {
		t.Fatalf("revision %d was read", c.GetRevision())
	}
	if refusal.Status != http.StatusServiceUnavailable {
		t.Fatalf("the read is refused with %d %s", refusal.Status, refusal.Reason)
	}
}

// What a decision needs can go away while the node runs. Then there is no answer, and nothing is lost.
func TestWithoutTheMeansToDecideThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, right := range map[string]string{
		"the log":          "execute on function audit.append(jsonb)",
		"the consent view": "select on consent.effective_grant",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFederation(t, options{})
			m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
			c, _ := m.shared(time.Time{})
			n := reader.noticed(t, c.GetPublicId())
			before := mustRead(t, reader, n)
			db, role := m.owner.admin(t), m.owner.role("cases")
			edit := &casesv1.EditCaseRequest{Revision: c.GetRevision(), WhatHappened: "Iets heel anders."}

			if _, err := db.Exec(t.Context(), fmt.Sprintf("revoke %s from %s", right, role)); err != nil {
				t.Fatal(err)
			}
			m.author.undone(http.MethodGet, "/cases/"+c.GetId(), nil)
			m.author.undone(http.MethodPut, "/cases/"+c.GetId()+"/text", edit)
			m.author.undone(http.MethodPost, "/cases/"+c.GetId()+"/stop", &casesv1.StopSharingRequest{})
			m.author.undone(http.MethodDelete, "/cases/"+c.GetId(), nil)
			shutForReader(t, reader, n)
			if right == "execute on function audit.append(jsonb)" {
				m.author.undone(http.MethodGet, "/cases", nil)
				m.author.undone(http.MethodPost, "/cases", theStory())
				m.author.undone(http.MethodGet, "/cases/"+uuid.NewString(), nil) // a refusal is recorded too
			}

			if _, err := db.Exec(t.Context(), fmt.Sprintf("grant %s to %s", right, role)); err != nil {
				t.Fatal(err)
			}
			if got := m.get(c); !proto.Equal(got, m.get(c)) || got.GetRevision() != c.GetRevision() || got.GetStatus() != "published" {
				t.Errorf("after the fault the case is %s at revision %d", got.GetStatus(), got.GetRevision())
			}
			if after := mustRead(t, reader, n); !proto.Equal(before, after) {
				t.Error("after the fault something else is read")
			}
			var list casesv1.ListCasesResponse
			m.author.must(http.MethodGet, "/cases", nil, &list)
			if len(list.GetCases()) != 1 {
				t.Errorf("after the fault there are %d cases", len(list.GetCases()))
			}
		})
	}
}

// Postgres stops in the middle of the day and comes back.
func TestPostgresGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	cluster, err := theWorld.cluster("stopping", 100)
	if err != nil {
		t.Fatal(err)
	}
	f := newFederation(t, options{cluster: cluster})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	c, yes := m.shared(time.Time{})
	n := reader.noticed(t, c.GetPublicId())
	before := mustRead(t, reader, n)
	r := reader.begin(n)
	reader.must(http.MethodPut, "/reviews/"+r.GetId()+"/draft", &reviewv1.SaveDraftRequest{Kind: "question", Text: canaryReview}, r)

	stop, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := cluster.Stop(stop); err != nil {
		t.Fatal(err)
	}
	m.author.undone(http.MethodGet, "/cases/"+c.GetId(), nil)
	m.author.undone(http.MethodPost, "/cases", theStory())
	reader.undone(http.MethodGet, "/notices", nil)
	reader.undone(http.MethodPost, "/reviews/"+r.GetId()+"/messages", message("question", canaryReview))
	f.nobody(m.owner).undone(http.MethodPost, "/receipts/withdrawal", &consentv1.WithdrawRequest{ReceiptCode: yes.GetReceiptCode()})
	for _, at := range f.members {
		if at.healthy() {
			t.Errorf("%s says that it is healthy", at.name)
		}
	}

	again, err := embedpg.Start(ctxOf(t), embedpg.Options{Dir: filepath.Join(theWorld.dir, "postgres-stopping"), MaxConnections: 100, FastUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Stop(context.WithoutCancel(t.Context())) })
	if again.Port() != cluster.Port() {
		t.Fatal("the server came back at another port")
	}
	for _, at := range f.members {
		at.cluster = again
		at.up(t)
	}
	// Each service finds out for itself that its connections are gone, and refuses until then.
	eventually(t, retried, "reading again", func() bool {
		after, refusal := reader.read(n)
		return refusal == nil && proto.Equal(before, after)
	})
	if got := reader.review(r.GetId()); got.GetDraft().GetText() != canaryReview || len(got.GetMessages()) != 0 {
		t.Error("the draft is not what it was")
	}
	req := message("question", canaryReview)
	reader.say(r, req)
	m.author.arrives(t, retried, c.GetPublicId(), req.GetText())
	reader.delivered(t, retried, r.GetId(), req.GetText())
	m.withdraw(yes.GetReceiptCode())
	closedFor(t, reader, n)
}

// One service of a node dies while the others go on.
func TestAServiceDiesAndComesBack(t *testing.T) {
	t.Parallel()
	f := newFederation(t, options{layout: apart})
	m, reader := f.newTeam(f.members[0]), f.newReader(f.members[1])
	c, yes := m.shared(time.Time{})
	n := reader.noticed(t, c.GetPublicId())
	mustRead(t, reader, n)
	withdrawal := &consentv1.WithdrawRequest{ReceiptCode: yes.GetReceiptCode()}
	grant := &consentv1.RegisterGrantRequest{RequestId: uuid.NewString(), Revision: c.GetRevision(), Circle: f.circle, Manner: "on-paper"}

	// Without the register's process nothing is registered or withdrawn; its view in the database still decides.
	m.owner.process("consent").kill()
	f.nobody(m.owner).undone(http.MethodPost, "/receipts/withdrawal", withdrawal)
	m.author.undone(http.MethodPost, "/cases/"+c.GetId()+"/grants", grant)
	mustRead(t, reader, n)
	// Without cases there is nothing to read, and without deid nothing to share.
	m.owner.process("deid").kill()
	draft := theStory()
	var d casesv1.Case
	m.author.must(http.MethodPost, "/cases", draft, &d)
	m.author.undone(http.MethodPost, "/cases/"+d.GetId()+"/proposals", &casesv1.ProposeReplacementsRequest{Revision: 1})
	m.owner.process("cases").kill()
	m.author.undone(http.MethodGet, "/cases/"+c.GetId(), nil)
	shutForReader(t, reader, n)
	// Without the log nobody looks into it; decisions are written in the database, by whoever takes them.
	m.owner.process("audit").kill()
	m.fg.undone(http.MethodGet, "/decisions", nil)

	m.owner.again(t)
	eventually(t, retried, "the node works again", func() bool {
		_, refusal := reader.read(n)
		return refusal == nil
	})
	eventually(t, retried, "deid answers again", func() bool {
		return m.author.call(http.MethodPost, "/cases/"+d.GetId()+"/proposals", &casesv1.ProposeReplacementsRequest{Revision: 1}, &d) == nil
	})
	eventually(t, retried, "the yes can be registered", func() bool {
		return m.author.call(http.MethodPost, "/cases/"+c.GetId()+"/grants", grant, nil) == nil
	})
	var r consentv1.Receipt
	f.nobody(m.owner).must(http.MethodPost, "/receipts/withdrawal", withdrawal, &r)
	if r.GetState() != "stopped" {
		t.Errorf("the receipt says %s", r.GetState())
	}
}
