// Package consent registers what residents agree to. A yes and its withdrawal are
// records that are only added; cases reads the outcome through the view
// consent.effective_grant in the statement that reads the case, so a withdrawal's
// commit is its acknowledgement. It never keeps a reason for a no, and a lawful
// basis (grondslag) is something else and is not kept here.
package consent

import (
	"embed"
	"io/fs"

	"google.golang.org/grpc"

	consentv1 "github.com/zijlicht/zijlicht/proto/zijlicht/consent/v1"
	"github.com/zijlicht/zijlicht/services/consent/internal/service"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the register's part of the database.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: "consent", Migrations: files, Login: true}
}

// Config of the register.
type Config = service.Config

// Register serves the register.
func Register(r grpc.ServiceRegistrar, c Config) {
	consentv1.RegisterConsentServiceServer(r, service.New(c))
}
