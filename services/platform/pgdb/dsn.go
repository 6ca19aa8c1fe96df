package pgdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// DSN derives the address of another user or database on the server of adminDSN; everything else,
// such as the TLS settings, stays. An empty db keeps the database. Both forms are understood: a
// postgres:// URL and keyword=value pairs.
func DSN(adminDSN, user, password, db string) (string, error) {
	cfg, err := pgx.ParseConfig(adminDSN)
	if err != nil {
		return "", fmt.Errorf("database address: %w", errBadDSN)
	}
	if db == "" {
		db = cfg.Database
	}
	if !strings.HasPrefix(adminDSN, "postgres://") && !strings.HasPrefix(adminDSN, "postgresql://") {
		// Of two equal keywords the later one counts.
		return strings.TrimSpace(adminDSN) + " user=" + quoteValue(user) + " password=" + quoteValue(password) +
			" dbname=" + quoteValue(db), nil
	}
	u, err := url.Parse(adminDSN)
	if err != nil {
		return "", fmt.Errorf("database address: %w", errBadDSN)
	}
	u.User = url.UserPassword(user, password)
	u.Path = "/" + db
	u.RawPath = ""
	query := u.Query()
	for _, key := range []string{"user", "password", "dbname", "database"} {
		query.Del(key)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Address is the address of another database on the server of adminDSN, without anyone's name or
// password: what a process needs that logs in with roles of its own. adminDSN is a postgres:// URL.
func Address(adminDSN, db string) (string, error) {
	u, err := url.Parse(adminDSN)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("database address: %w", errBadDSN)
	}
	u.User, u.Path, u.RawPath = nil, "/"+db, ""
	query := u.Query()
	for _, key := range []string{"user", "password", "passfile", "dbname", "database"} {
		query.Del(key)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

func quoteValue(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// RoleName is the login role of one service of one node.
func RoleName(node, service string) string { return "zl_" + node + "_" + service }

// EnsureDatabase creates the database on the server of adminDSN if it is not there. Migrate closes it to others.
func EnsureDatabase(ctx context.Context, adminDSN, name string) error {
	if name == "" || len(name) > maxIdentifier {
		return errors.New("a database name has 1 to 63 characters")
	}
	conn, err := connect(ctx, adminDSN)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists); err != nil {
		return err
	}
	if exists {
		return nil
	}
	_, err = conn.Exec(ctx, "create database "+quote(name)+" template template0 encoding 'UTF8'")
	if hasCode(err, codeDuplicateDatabase, codeUniqueViolation) {
		return nil // another process was just before us
	}
	return err
}

const maxIdentifier = 63

func quote(identifier string) string { return pgx.Identifier{identifier}.Sanitize() }

// connect opens the one connection of administrative work, without time limits.
func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", errBadDSN)
	}
	cfg.RuntimeParams["timezone"] = "UTC"
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	return pgx.ConnectConfig(ctx, cfg)
}

// closeConn says goodbye even when the caller's context has ended.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}
