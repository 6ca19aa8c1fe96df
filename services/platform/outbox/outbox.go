// Package outbox hands work to the gateway in the transaction that made it
// necessary. Arguments are ids; the text of a message is read when it is sent.
// Services only insert; the gateway alone works jobs.
package outbox

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// Name of the schema.
const Name = "outbox"

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is river's tables and the services' rights on them.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: Name, Migrations: files, Before: migrateRiver}
}

func migrateRiver(ctx context.Context, conn *pgx.Conn) error {
	cfg, err := pgxpool.ParseConfig(conn.Config().ConnString())
	if err != nil {
		return err
	}
	cfg.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: Name})
	if err != nil {
		return err
	}
	_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// NoticeArgs is a notice to one organisation. It is complete in itself: a notice holds no content.
type NoticeArgs struct {
	MessageID    string `json:"message_id"`
	Peer         string `json:"peer"` // entity URL of the receiver
	NoticeKind   string `json:"notice_kind"`
	CasePublicID string `json:"case_public_id"`
	Circle       string `json:"circle"`
	Sequence     int64  `json:"sequence"`
}

// Kind implements river.JobArgs.
func (NoticeArgs) Kind() string { return "notice" }

// MessageArgs is one message of a review, by id.
type MessageArgs struct {
	MessageID string `json:"message_id"`
}

// Kind implements river.JobArgs.
func (MessageArgs) Kind() string { return "message" }

// LapsedArgs asks cases to close a case whose yes is gone.
type LapsedArgs struct {
	CaseID string `json:"case_id"`
}

// Kind implements river.JobArgs.
func (LapsedArgs) Kind() string { return "lapsed" }

// MaxAttempts lets a delivery try for about a week before it gives up; a peer that is down for a weekend loses nothing.
const MaxAttempts = 200

// Outbox inserts jobs with the role of one service.
type Outbox struct{ client *river.Client[pgx.Tx] }

// New makes an outbox that only inserts.
func New(pool *pgxpool.Pool) (*Outbox, error) {
	c, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: Name})
	if err != nil {
		return nil, err
	}
	return &Outbox{client: c}, nil
}

// Add puts a job in the transaction of the deed.
func (o *Outbox) Add(ctx context.Context, tx pgx.Tx, args river.JobArgs) error {
	_, err := o.client.InsertTx(ctx, tx, args, &river.InsertOpts{MaxAttempts: MaxAttempts})
	return err
}
