package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/tern/v2/migrate"
)

// Schema is one service's part of the database.
type Schema struct {
	// Name of the service, of its schema and of the last part of its role.
	Name string
	// Migrations has files 0001_*.sql in its root, forward only. They are Go templates:
	// {{call .Role "cases"}} is the quoted role of that service, {{.Node}} the node's name. A role
	// that is named but whose service is not in the slice is created without login, so that the
	// grants of one service do not depend on which others are migrated. Nil: no files.
	Migrations fs.FS
	// Before runs as the administrator at every Migrate, after the schema exists and before the
	// files, for example river's own migrations. It must be idempotent.
	Before func(ctx context.Context, conn *pgx.Conn) error
	// Login says that the service has a login role. Its password is passed to Migrate.
	Login bool
	// ConnLimit is the role's connection limit: 40 when zero, none when negative.
	ConnLimit int
}

// migrateLock is the key of the one session lock ("zijlicht" in hexadecimal).
const migrateLock = int64(0x7a696a6c69636874)

var (
	schemaName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,29}$`)
	nodeName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,29}$`)
)

// VersionError says that the database and this program do not fit together.
type VersionError struct {
	Schema string
	Have   int32 // version of the database
	Want   int32 // version this program was built for
}

func (e *VersionError) Error() string {
	if e.Have < e.Want {
		return fmt.Sprintf("schema %q is at version %d and this program needs %d: run the migration first", e.Schema, e.Have, e.Want)
	}
	return fmt.Sprintf("schema %q is at version %d, newer than the %d this program knows: run a newer program", e.Schema, e.Have, e.Want)
}

// Migrate brings the schemas of a node, in slice order, to the version this program was built for:
// it closes the database to PUBLIC, creates or updates the login roles with the given passwords
// (per service), creates the schemas and runs their files. It is idempotent, and safe to run from
// several processes at once: all but one wait. Each file is one transaction; after a failure the
// next run continues with that file. A database newer than this program is refused untouched.
//
// Functions made by migrations are not executable by PUBLIC; grant them by name.
func Migrate(ctx context.Context, adminDSN, node string, schemas []Schema, passwords map[string]string) (err error) {
	if err := checkNames(node, schemas, passwords); err != nil {
		return err
	}
	conn, err := connect(ctx, adminDSN)
	if err != nil {
		return err
	}
	defer closeConn(conn) // ends the session and with it the lock
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", migrateLock); err != nil {
		return err
	}
	for _, s := range schemas {
		if err := refuseNewer(ctx, conn, s); err != nil {
			return err
		}
	}
	loaded, err := load(node, schemas)
	if err != nil {
		return err
	}
	if err := ensureRoles(ctx, conn, node, schemas, loaded.roles, passwords); err != nil {
		return err
	}
	if err := Seal(ctx, conn, conn.Config().Database, node, schemas); err != nil {
		return err
	}
	if err := closeInside(ctx, conn); err != nil {
		return err
	}
	for i, s := range schemas {
		if err := migrateSchema(ctx, conn, node, s, loaded.files[i], schemas); err != nil {
			return fmt.Errorf("schema %s: %w", s.Name, withoutStatement(err))
		}
	}
	return nil
}

func checkNames(node string, schemas []Schema, passwords map[string]string) error {
	if !nodeName.MatchString(node) {
		return fmt.Errorf("node name %q: want lower case letters, digits, - and _, at most 30", node)
	}
	seen := map[string]bool{}
	for _, s := range schemas {
		if !schemaName.MatchString(s.Name) || s.Name == "public" || strings.HasPrefix(s.Name, "pg_") {
			return fmt.Errorf("schema name %q cannot be used", s.Name)
		}
		if seen[s.Name] {
			return fmt.Errorf("schema %q is listed twice", s.Name)
		}
		seen[s.Name] = true
		if s.Login && passwords[s.Name] == "" {
			return fmt.Errorf("no password for the role of %q", s.Name)
		}
	}
	return nil
}

// plan is what the files say once their templates are filled in.
type plan struct {
	files [][]file
	roles map[string]bool // services whose role a file names
}

type file struct{ name, sql string }

// load fills in all templates before anything is touched, so that a broken file changes nothing.
func load(node string, schemas []Schema) (plan, error) {
	p := plan{roles: map[string]bool{}}
	for _, s := range schemas {
		if s.Login {
			p.roles[s.Name] = true
		}
		if s.Migrations == nil {
			p.files = append(p.files, nil)
			continue
		}
		m, err := migrate.NewMigrator(context.Background(), nil, "")
		if err != nil {
			return plan{}, err
		}
		m.Data["Node"] = node
		m.Data["Role"] = func(service string) (string, error) {
			if !schemaName.MatchString(service) {
				return "", fmt.Errorf("role of service %q: not a service name", service)
			}
			p.roles[service] = true
			return quote(RoleName(node, service)), nil
		}
		if err := m.LoadMigrations(s.Migrations); err != nil {
			return plan{}, fmt.Errorf("migrations of schema %s: %w", s.Name, err)
		}
		var files []file
		for _, one := range m.Migrations {
			if one.DownSQL != "" {
				return plan{}, fmt.Errorf("migrations of schema %s: %s has a way back; migrations are forward only", s.Name, one.Name)
			}
			files = append(files, file{one.Name, one.UpSQL})
		}
		p.files = append(p.files, files)
	}
	return p, nil
}

func migrateSchema(ctx context.Context, conn *pgx.Conn, node string, s Schema, files []file, all []Schema) error {
	if _, err := conn.Exec(ctx, "create schema if not exists "+quote(s.Name)); err != nil {
		return err
	}
	if s.Before != nil {
		if err := s.Before(ctx, conn); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "reset all"); err != nil {
			return err
		}
	}
	if s.Migrations != nil {
		m, err := migrate.NewMigrator(ctx, conn, versionTable(s))
		if err != nil {
			return err
		}
		for _, f := range files {
			m.AppendMigration(f.name, f.sql, "")
		}
		if err := m.Migrate(ctx); err != nil {
			return err
		}
	}
	// A service reads the version of what it uses when it starts. A schema without a role of its
	// own is shared ground (the outbox), so every service may read its version.
	for _, reader := range all {
		if !reader.Login || (s.Login && reader.Name != s.Name) {
			continue
		}
		role := quote(RoleName(node, reader.Name))
		sql := "grant usage on schema " + quote(s.Name) + " to " + role
		if s.Migrations != nil {
			sql += "; grant select on " + versionTable(s) + " to " + role
		}
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func versionTable(s Schema) string { return s.Name + ".schema_version" }

// withoutStatement names the file and Postgres' primary message. Its detail and the statement stay
// out: they may hold rows.
func withoutStatement(err error) error {
	var m migrate.MigrationPgError
	if errors.As(err, &m) {
		return fmt.Errorf("file %s: %w", m.MigrationName, error(m.PgError))
	}
	return err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Current reports, as a *VersionError, the first schema whose version is not the one this program
// was built for. A service asks it with its own pool and the schemas it uses, and refuses to start.
// What a schema's Before did has no version of its own: accompany a change to it by a file.
func Current(ctx context.Context, db querier, schemas []Schema) error {
	for _, s := range schemas {
		want, err := wanted(s)
		if err != nil {
			return err
		}
		have, err := version(ctx, db, s)
		if err != nil {
			return err
		}
		if have != want {
			return &VersionError{Schema: s.Name, Have: have, Want: want}
		}
	}
	return nil
}

func refuseNewer(ctx context.Context, db querier, s Schema) error {
	want, err := wanted(s)
	if err != nil {
		return err
	}
	have, err := version(ctx, db, s)
	if err != nil {
		return err
	}
	if have > want {
		return &VersionError{Schema: s.Name, Have: have, Want: want}
	}
	return nil
}

func wanted(s Schema) (int32, error) {
	if s.Migrations == nil {
		return 0, nil
	}
	files, err := migrate.FindMigrations(s.Migrations)
	if err != nil {
		return 0, fmt.Errorf("migrations of schema %s: %w", s.Name, err)
	}
	return int32(len(files)), nil
}

// version is zero when the schema was never migrated.
func version(ctx context.Context, db querier, s Schema) (int32, error) {
	if s.Migrations == nil {
		return 0, nil
	}
	var exists bool
	// The catalogue is readable without any grant, unlike to_regclass, which fails without usage on the schema.
	if err := db.QueryRow(ctx, `select exists (select from pg_catalog.pg_tables where schemaname = $1 and tablename = 'schema_version')`,
		s.Name).Scan(&exists); err != nil {
		return 0, err
	}
	if !exists {
		return 0, nil
	}
	var v int32
	err := db.QueryRow(ctx, "select version from "+versionTable(s)).Scan(&v)
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == codeInsufficientRights {
		return 0, fmt.Errorf("schema %s: this role may not read its version: run the migration first", s.Name)
	}
	return v, err
}
