// Package consenttest runs the consent register for tests, its own and those of
// others, and records yeses for them. What stands in for another service is named
// after it and does what its contract says in a simple way.
package consenttest

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/consent"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// Purpose that is offered.
const Purpose = "learning-in-circle"

// Node is one organisation's register under test.
type Node struct {
	*servetest.Harness
	Consent consentv1.ConsentServiceClient
	Cases   *Cases
	Gateway *Gateway
}

// Schema is that of the register itself, for tests that bring the others.
func Schema() pgdb.Schema { return consent.Schema() }

// Schemas that the service needs, in order.
func Schemas() []pgdb.Schema {
	return []pgdb.Schema{auditSchema(), outbox.Schema(), consent.Schema(), {Name: "cases", Login: true}}
}

// auditSchema is the real decision log's, from its files: services do not import each other.
func auditSchema() pgdb.Schema {
	_, here, _, _ := runtime.Caller(0)
	return pgdb.Schema{Name: "audit", Login: true, Migrations: os.DirFS(filepath.Join(filepath.Dir(here), "../../audit/migrations"))}
}

// New serves the register with the given policy. A yes counts after thinking.
func New(t *testing.T, bundle fs.FS, connect servetest.Connect, thinking time.Duration) *Node {
	t.Helper()
	db := pgtest.New(t, Schemas()...)
	n := &Node{Cases: NewCases(), Gateway: NewGateway()}
	n.Harness = servetest.New(t, db, bundle, "consent", connect, func(r grpc.ServiceRegistrar, conn grpc.ClientConnInterface) {
		Register(t, r, conn, db, thinking)
		casesv1.RegisterCasesServiceServer(r, n.Cases)
		gatewayv1.RegisterFederationServiceServer(r, n.Gateway)
	})
	n.Consent = consentv1.NewConsentServiceClient(n.Conn)
	return n
}

// Register serves the register with a new key. Whoever uses it registers a
// CasesService and a FederationService beside it, those of this package or real ones.
func Register(t *testing.T, r grpc.ServiceRegistrar, conn grpc.ClientConnInterface, db *pgtest.DB, thinking time.Duration) {
	t.Helper()
	o, err := outbox.New(db.Pool("consent"))
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	consent.Register(r, consent.Config{
		Pool: db.Pool("consent"), Outbox: o, Conn: conn, Node: servetest.Node, CodeKey: key, ThinkingTime: thinking,
	})
}

// Yes is what a resident agreed to.
type Yes struct {
	CaseID        string
	Revision      uint32
	Circle        string
	Organisations []string // that may read, without our own
	Given         time.Time
	From, Until   time.Time
}

// Grant records a yes as the register does and gives its id. Empty fields of y are
// filled in: the circle of servetest with the other organisation, counting at once
// and for half a year.
func Grant(t *testing.T, db *pgtest.DB, y Yes) string {
	t.Helper()
	if y.Circle == "" {
		y.Circle = servetest.Circle
	}
	if y.Organisations == nil {
		y.Organisations = []string{servetest.Peer}
	}
	if y.From.IsZero() {
		y.From = y.Given
	}
	if y.Until.IsZero() {
		y.Until = y.Given.AddDate(0, 6, 0)
	}
	id := uuid.Must(uuid.NewV7()).String()
	hash := make([]byte, 32)
	if _, err := rand.Read(hash); err != nil {
		t.Fatal(err)
	}
	exec(t, db, `insert into consent.consent_grant (id, case_id, revision, purpose, circle, manner, recorded_by, request_id, code_hash,
		given_time, valid_from, valid_until) values ($1, $2, $3, $4, $5, 'on-screen', $6, $7, $8, $9, $10, $11)`,
		id, y.CaseID, y.Revision, Purpose, y.Circle, uuid.NewString(), uuid.NewString(), hash, y.Given, y.From, y.Until)
	exec(t, db, "insert into consent.grant_organisation (grant_id, organisation, name) select $1, o, o from unnest($2::text[]) as o", id, y.Organisations)
	return id
}

// Withdraw ends a yes of Grant.
func Withdraw(t *testing.T, db *pgtest.DB, id string, at time.Time) {
	t.Helper()
	exec(t, db, "insert into consent.withdrawal (grant_id, withdrawn_time) values ($1, $2)", id, at)
}

func exec(t *testing.T, db *pgtest.DB, sql string, args ...any) {
	t.Helper()
	if _, err := db.Admin().Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}
