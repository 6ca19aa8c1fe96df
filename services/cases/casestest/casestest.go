// Package casestest runs the cases service for tests, its own and those of others,
// with cases in the states they need. What stands in for another service is named
// after it and does what its contract says in a simple way.
package casestest

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/cases"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// Units of the organisation under test.
const (
	Unit      = "team-oost"
	OtherUnit = "team-west"
)

// Account ids of people at the organisation under test.
const (
	AuthorID    = "0190a000-0000-7000-8000-000000000001"
	SecondID    = "0190a000-0000-7000-8000-000000000002"
	ColleagueID = "0190a000-0000-7000-8000-000000000003"
	OutsiderID  = "0190a000-0000-7000-8000-000000000004"
	OfficerID   = "0190a000-0000-7000-8000-000000000005"
)

// Author writes the cases.
func Author() *identityv1.Caller { return servetest.Person(AuthorID, Unit, "professional") }

// Second is the second reader, of another unit.
func Second() *identityv1.Caller { return servetest.Person(SecondID, OtherUnit, "professional") }

// Colleague works in the author's unit and was not asked for anything.
func Colleague() *identityv1.Caller { return servetest.Person(ColleagueID, Unit, "professional") }

// Outsider works in the other unit and was not asked for anything.
func Outsider() *identityv1.Caller { return servetest.Person(OutsiderID, OtherUnit, "professional") }

// Officer is the privacy officer.
func Officer() *identityv1.Caller { return servetest.Person(OfficerID, "", "privacy-officer") }

// Node is one organisation's cases under test.
type Node struct {
	*servetest.Harness
	Cases   casesv1.CasesServiceClient
	Deid    *Deid
	Gateway *Gateway
}

// Schemas that the service needs, in order.
func Schemas() []pgdb.Schema {
	return []pgdb.Schema{auditSchema(), outbox.Schema(), consentSchema(), cases.Schema()}
}

// New serves cases with the given policy.
func New(t *testing.T, bundle fs.FS, connect servetest.Connect) *Node {
	t.Helper()
	db := pgtest.New(t, Schemas()...)
	n := &Node{Deid: &Deid{}, Gateway: NewGateway()}
	n.Harness = servetest.New(t, db, bundle, "cases", connect, func(r grpc.ServiceRegistrar, conn grpc.ClientConnInterface) {
		Register(t, r, conn, db)
		deidv1.RegisterDeidServiceServer(r, n.Deid)
		gatewayv1.RegisterFederationServiceServer(r, n.Gateway)
	})
	n.Cases = casesv1.NewCasesServiceClient(n.Conn)
	return n
}

// Register serves cases with a new master key. Whoever uses it registers a
// DeidService and a FederationService beside it, those of this package or real ones.
func Register(t *testing.T, r grpc.ServiceRegistrar, conn grpc.ClientConnInterface, db *pgtest.DB) {
	t.Helper()
	master, err := keys.Create(filepath.Join(t.TempDir(), "master.json"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := outbox.New(db.Pool("cases"))
	if err != nil {
		t.Fatal(err)
	}
	cases.Register(r, cases.Deps{Pool: db.Pool("cases"), Conn: conn, Keys: master, Node: servetest.Node, Outbox: o})
}

// Schema is that of the cases service itself, for tests that bring the others.
func Schema() pgdb.Schema { return cases.Schema() }

// auditSchema is the real decision log's, from its files: services do not import each other.
func auditSchema() pgdb.Schema {
	return pgdb.Schema{Name: "audit", Login: true, Migrations: migrations("audit")}
}

// consentSchema is the real register's, so that what cases reads is the view it publishes.
func consentSchema() pgdb.Schema {
	return pgdb.Schema{Name: "consent", Migrations: migrations("consent")}
}

func migrations(service string) fs.FS {
	_, here, _, _ := runtime.Caller(0)
	return os.DirFS(filepath.Join(filepath.Dir(here), "../..", service, "migrations"))
}

// Yes records a resident's yes to the current basis of a case: for the circle of
// servetest, with its two organisations, from now for six months.
func (n *Node) Yes(t *testing.T, c *casesv1.Case) {
	t.Helper()
	id, now := uuid.Must(uuid.NewV7()).String(), n.Clock.Now()
	n.exec(t, `insert into consent.consent_grant (id, case_id, revision, purpose, circle, manner, recorded_by, request_id, code_hash,
		given_time, valid_from, valid_until)
		values ($1, $2, $3, 'learning-in-circle', $4, 'on-screen', $5, $1, $6, $7, $7, $8)`,
		id, c.GetId(), c.GetBasisRevision(), servetest.Circle, AuthorID, []byte(id), now, now.Add(HalfYear))
	n.exec(t, "insert into consent.grant_organisation (grant_id, organisation, name) select $1, o, o from unnest($2::text[]) as o",
		id, []string{servetest.Node, servetest.Peer})
}

// HalfYear is how long a yes of Yes holds.
const HalfYear = 183 * 24 * time.Hour

// Withdraw ends every yes to a case.
func (n *Node) Withdraw(t *testing.T, c *casesv1.Case) {
	t.Helper()
	n.exec(t, `insert into consent.withdrawal (grant_id, withdrawn_time)
		select id, $2 from consent.consent_grant where case_id = $1 on conflict do nothing`, c.GetId(), n.Clock.Now())
}

func (n *Node) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := n.DB.Admin().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// Create makes a draft about a person that Deid knows.
func Create(t *testing.T, h *servetest.Harness, author *identityv1.Caller) *casesv1.Case {
	t.Helper()
	return must(casesv1.NewCasesServiceClient(h.Conn).CreateCase(h.As(t.Context(), author), &casesv1.CreateCaseRequest{
		RequestId: uuid.NewString(), WhatHappened: "Fatima belde over de huur. Later kwam Jan langs.",
		Question: "Wat had ik Fatima kunnen vragen?", Title: "De huur van Fatima", Theme: "geldzorgen",
	}))(t)
}

// Rendered is a draft that others could read: the author accepted all proposals.
func Rendered(t *testing.T, h *servetest.Harness, author *identityv1.Caller) *casesv1.Case {
	t.Helper()
	return Accept(t, h, author, Create(t, h, author))
}

// Accept proposes replacements for the current revision and accepts them all.
func Accept(t *testing.T, h *servetest.Harness, author *identityv1.Caller, c *casesv1.Case) *casesv1.Case {
	t.Helper()
	client, ctx := casesv1.NewCasesServiceClient(h.Conn), h.As(t.Context(), author)
	must(client.ProposeReplacements(ctx, &casesv1.ProposeReplacementsRequest{CaseId: c.GetId(), Revision: c.GetRevision()}))(t)
	return must(client.ResolveProposals(ctx, &casesv1.ResolveProposalsRequest{CaseId: c.GetId(), Revision: c.GetRevision(), AcceptOpen: true}))(t)
}

// Released is a case that the second reader released.
func Released(t *testing.T, h *servetest.Harness, author, second *identityv1.Caller) *casesv1.Case {
	t.Helper()
	return Release(t, h, author, second, Rendered(t, h, author))
}

// Release invites the second reader and lets them release.
func Release(t *testing.T, h *servetest.Harness, author, second *identityv1.Caller, c *casesv1.Case) *casesv1.Case {
	t.Helper()
	client := casesv1.NewCasesServiceClient(h.Conn)
	must(client.InviteReader(h.As(t.Context(), author), &casesv1.InviteReaderRequest{
		CaseId: c.GetId(), Colleague: second.GetSubject(), SecondReader: true,
	}))(t)
	return must(client.ReleaseCase(h.As(t.Context(), second), &casesv1.ReleaseCaseRequest{CaseId: c.GetId(), Revision: c.GetRevision()}))(t)
}

// Publish takes a case all the way to the circle of servetest; yes records the resident's.
func Publish(t *testing.T, h *servetest.Harness, author, second *identityv1.Caller, yes func(*testing.T, *casesv1.Case)) *casesv1.Case {
	t.Helper()
	c := Released(t, h, author, second)
	yes(t, c)
	return must(casesv1.NewCasesServiceClient(h.Conn).PublishCase(h.As(t.Context(), author), &casesv1.PublishCaseRequest{
		CaseId: c.GetId(), Revision: c.GetRevision(), Circle: servetest.Circle,
	}))(t)
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Published is a case that the circle can read.
func (n *Node) Published(t *testing.T) *casesv1.Case {
	t.Helper()
	return Publish(t, n.Harness, Author(), Second(), n.Yes)
}

// Open reads a case as a reviewer of the other organisation.
func (n *Node) Open(ctx context.Context, publicID string) (*casesv1.SharedCase, error) {
	return n.Cases.ReadShared(n.As(ctx, servetest.PeerReader("peer-1")), &casesv1.ReadSharedRequest{
		PublicId: publicID, Purpose: "learning-in-circle",
	})
}
