// Package audit keeps the decision log and reads it for the privacy officer. It
// is written through audit.append() in the database, in the transaction of the
// deed; this service never writes it and never changes a record.
package audit

import (
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	"github.com/zijlicht/zijlicht/services/audit/internal/service"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the log's part of the database; it comes first, because every service writes to it.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: "audit", Migrations: files, Login: true}
}

// Register serves the log of the node with this entity URL.
func Register(r grpc.ServiceRegistrar, pool *pgxpool.Pool, node string) {
	auditv1.RegisterAuditServiceServer(r, service.New(pool, node))
}
