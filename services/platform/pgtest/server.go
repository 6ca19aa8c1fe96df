package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

// server is what this process knows of the Postgres server that its tests use.
type server struct {
	dsn, user, password string

	// process names the databases of this process. alive is a session that shows this process is
	// there: databases of a process without one are leftovers.
	process string
	alive   *pgx.Conn
	admin   *pgxpool.Pool
	use     *os.File // the shared lock on the private server, held until this process ends

	count     atomic.Int64
	mu        sync.Mutex
	templates map[string]*template
}

type template struct {
	once sync.Once
	name string
	err  error
}

const (
	templatePrefix = "zl_template_"
	databasePrefix = "zl_test_"
	alivePrefix    = "zijlicht pgtest "
	urlVariable    = "ZIJLICHT_DATABASE_URL"
)

var (
	connected sync.Once
	shared    *server
	connErr   error
)

func theServer(t testing.TB) *server {
	t.Helper()
	connected.Do(func() {
		// Not the test's context: the server outlives the test that happens to be first.
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		shared, connErr = connectServer(ctx)
	})
	if connErr != nil {
		t.Fatalf("Postgres for tests: %v", connErr)
	}
	return shared
}

func connectServer(ctx context.Context) (*server, error) {
	s := &server{dsn: os.Getenv(urlVariable), templates: map[string]*template{}}
	if s.dsn == "" {
		var err error
		if s.dsn, s.use, err = defaultPrivate().join(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	return s, s.sweep(ctx)
}

func (s *server) open(ctx context.Context) error {
	cfg, err := pgx.ParseConfig(s.dsn)
	if err != nil {
		return fmt.Errorf("%s cannot be read", urlVariable)
	}
	s.user, s.password = cfg.User, cfg.Password
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return err
	}
	s.process = hex.EncodeToString(id)
	cfg.RuntimeParams["application_name"] = alivePrefix + s.process
	if s.alive, err = pgx.ConnectConfig(ctx, cfg); err != nil {
		return err
	}
	s.admin, err = pgdb.Open(context.Background(), s.dsn, pgdb.Options{ApplicationName: "pgtest", StatementTimeout: -1})
	return err
}

// sweep drops what killed test processes left. The list of databases is taken before the list of
// sessions, and a process has its session before its first database, so nobody's live database is dropped.
func (s *server) sweep(ctx context.Context) error {
	rows, err := s.admin.Query(ctx, `select datname from pg_database
		where datname ~ $1 and pg_get_userbyid(datdba) = current_user`,
		"^("+templatePrefix+"|"+databasePrefix+")[0-9a-f]{8}_")
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	rows, err = s.admin.Query(ctx, `select substr(application_name, length($1) + 1) from pg_stat_activity where starts_with(application_name, $1)`, alivePrefix)
	if err != nil {
		return err
	}
	living, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	present := map[string]bool{}
	for _, process := range living {
		present[process] = true
	}
	for _, name := range names {
		if !present[processOf(name)] {
			if err := s.drop(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func processOf(database string) string {
	for _, prefix := range []string{templatePrefix, databasePrefix} {
		if len(database) >= len(prefix)+8 && database[:len(prefix)] == prefix {
			return database[len(prefix) : len(prefix)+8]
		}
	}
	return ""
}

// create copies the template of these schemas, which the first test that needs it makes.
func (s *server) create(ctx context.Context, node string, schemas []pgdb.Schema) (string, error) {
	schemas = unlimited(schemas)
	key, err := fingerprint(node, schemas)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	t, ok := s.templates[key]
	if !ok {
		t = &template{name: s.next(templatePrefix)}
		s.templates[key] = t
	}
	s.mu.Unlock()
	t.once.Do(func() {
		// Not the first test's context: others wait for the same template.
		t.err = s.makeTemplate(context.WithoutCancel(ctx), t.name, node, schemas)
	})
	if t.err != nil {
		return "", t.err
	}
	name := s.next(databasePrefix)
	if _, err := s.admin.Exec(ctx, "create database "+quote(name)+" template "+quote(t.name)); err != nil {
		return "", err
	}
	return name, pgdb.Seal(ctx, s.admin, name, node, schemas)
}

func (s *server) makeTemplate(ctx context.Context, name, node string, schemas []pgdb.Schema) error {
	if err := pgdb.EnsureDatabase(ctx, s.dsn, name); err != nil {
		return err
	}
	dsn, err := pgdb.DSN(s.dsn, s.user, s.password, name)
	if err != nil {
		return err
	}
	var services []string
	for _, schema := range schemas {
		services = append(services, schema.Name)
	}
	return pgdb.Migrate(ctx, dsn, node, schemas, s.passwords(services))
}

func (s *server) drop(ctx context.Context, name string) error {
	_, err := s.admin.Exec(ctx, "drop database if exists "+quote(name)+" with (force)")
	return err
}

func (s *server) next(prefix string) string {
	return fmt.Sprintf("%s%s_%d", prefix, s.process, s.count.Add(1))
}

// unlimited lifts the connection limits: all test databases share the roles.
func unlimited(schemas []pgdb.Schema) []pgdb.Schema {
	out := make([]pgdb.Schema, len(schemas))
	for i, schema := range schemas {
		schema.ConnLimit = -1
		out[i] = schema
	}
	return out
}

// fingerprint tells templates apart within this process.
func fingerprint(node string, schemas []pgdb.Schema) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", node)
	for _, schema := range schemas {
		fmt.Fprintf(h, "%q %t %d\n", schema.Name, schema.Login, reflect.ValueOf(schema.Before).Pointer())
		if schema.Migrations == nil {
			continue
		}
		err := fs.WalkDir(schema.Migrations, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(schema.Migrations, path)
			fmt.Fprintf(h, "%q %d %s\n", path, len(body), body)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("migrations of %s: %w", schema.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
