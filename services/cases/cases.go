// Package cases keeps practice cases at the organisation that wrote them: drafts,
// immutable revisions, what others may read of them, four-eyes release, and
// publication to one circle. It never sends a text to another organisation by
// itself: a peer reads it here, under a decision taken then.
package cases

import (
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/cases/internal/service"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this service's part of the database. It comes after audit, outbox and
// consent, whose function, tables and view it uses.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: "cases", Migrations: files, Login: true}
}

// Deps are what the service works with.
type Deps struct {
	// Pool logs in as the service's own role.
	Pool *pgxpool.Pool
	// Conn reaches deid and the gateway's FederationService.
	Conn grpc.ClientConnInterface
	// Keys wraps the key of each case.
	Keys *keys.Master
	// Node is the entity URL of this organisation.
	Node string
	// Outbox carries notices to other organisations.
	Outbox *outbox.Outbox
}

// Register serves practice cases.
func Register(r grpc.ServiceRegistrar, d Deps) {
	casesv1.RegisterCasesServiceServer(r, service.New(service.Service{
		Pool: d.Pool, Keys: d.Keys, Node: d.Node, Outbox: d.Outbox,
		Deid: deidv1.NewDeidServiceClient(d.Conn), Federation: gatewayv1.NewFederationServiceClient(d.Conn),
	}))
}
