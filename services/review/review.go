// Package review keeps the dialogue between a reader in one organisation and an
// author in another, on both sides: the notices of what others opened, drafts, and
// the messages with how far each has come. It never keeps a case's title or text,
// and a message is only ever in a sealed column.
package review

import (
	"embed"
	"io/fs"

	"google.golang.org/grpc"

	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/review/internal/service"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the dialogues' part of the database.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: "review", Migrations: files, Login: true}
}

// Config of the dialogues.
type Config = service.Config

// Register serves the dialogues.
func Register(r grpc.ServiceRegistrar, c Config) {
	reviewv1.RegisterReviewServiceServer(r, service.New(c))
}
