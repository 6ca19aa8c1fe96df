package pgdb

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// defaultConnLimit leaves room for some replicas of a service and a deploy that overlaps.
const defaultConnLimit = 40

// ensureRoles creates the roles and sets the passwords of those that log in. Roles belong to the
// whole server, the session lock to one database: two nodes on one server may meet here, and the
// one that loses tries again.
func ensureRoles(ctx context.Context, conn *pgx.Conn, node string, schemas []Schema, services map[string]bool, passwords map[string]string) error {
	login := map[string]Schema{}
	for _, s := range schemas {
		if s.Login {
			login[s.Name] = s
		}
	}
	for _, service := range slices.Sorted(maps.Keys(services)) {
		s, logsIn := login[service]
		err := errors.New("not tried")
		for tries := 0; err != nil && tries < 10; tries++ {
			err = ensureRole(ctx, conn, RoleName(node, service), logsIn, s.ConnLimit, passwords[service])
			if !hasCode(err, codeInternalError, codeUniqueViolation, codeDuplicateObject) {
				break
			}
		}
		if err != nil {
			return fmt.Errorf("role of %s: %w", service, err)
		}
	}
	return nil
}

func ensureRole(ctx context.Context, conn *pgx.Conn, role string, login bool, connLimit int, password string) error {
	if len(role) > maxIdentifier {
		return fmt.Errorf("%q is longer than %d characters", role, maxIdentifier)
	}
	switch {
	case connLimit == 0:
		connLimit = defaultConnLimit
	case connLimit < 0:
		connLimit = -1
	}
	var exists, tooMighty, canLogin bool
	var limit int
	err := conn.QueryRow(ctx, `select true, rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls, rolcanlogin, rolconnlimit
		from pg_roles where rolname = $1`, role).Scan(&exists, &tooMighty, &canLogin, &limit)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if tooMighty {
		return fmt.Errorf("%s exists with more rights than a service may have", role)
	}
	if !exists {
		if _, err := conn.Exec(ctx, "create role "+quote(role)+" nosuperuser nocreatedb nocreaterole noreplication noinherit nologin"); err != nil {
			return err
		}
	}
	if !login {
		return nil // a role only named in a grant; its own service may have made it a login role
	}
	if canLogin && limit == connLimit && passwordIs(ctx, conn, role, password) {
		return nil
	}
	// The server gets the verifier, so the password cannot end up in its log.
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "alter role "+quote(role)+" login connection limit "+strconv.Itoa(connLimit)+" password '"+verifier+"'")
	return err
}

// Seal closes a database to PUBLIC and lets the roles of the schemas connect. Migrate does so
// itself; a copy made with CREATE DATABASE ... TEMPLATE needs it again, as Postgres does not copy
// the rights on the database. db may be connected to any database of the server.
func Seal(ctx context.Context, db execer, database, node string, schemas []Schema) error {
	sql := "revoke all on database " + quote(database) + " from public"
	for _, s := range schemas {
		if s.Login {
			sql += "; grant connect on database " + quote(database) + " to " + quote(RoleName(node, s.Name))
		}
	}
	_, err := db.Exec(ctx, sql)
	return err
}

// execer is a pool, a connection or a transaction.
type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// closeInside takes from PUBLIC what new databases and new functions give it.
func closeInside(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `revoke all on schema public from public;
		alter default privileges revoke execute on functions from public`)
	return err
}

// SCRAM-SHA-256 as Postgres stores it (RFC 5803): SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>.
const (
	scramIterations = 4096 // Postgres' own default
	scramSaltBytes  = 16
)

func scramVerifier(password string) (string, error) {
	salt := make([]byte, scramSaltBytes)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	return verifierWith(password, salt, scramIterations)
}

func verifierWith(password string, salt []byte, iterations int) (string, error) {
	for _, r := range password {
		// SASLprep would change anything else, and a control character is never meant.
		if r < 0x20 || r > 0x7e {
			return "", errors.New("a role's password may hold printable ASCII only")
		}
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(sign(salted, "Server Key"))), nil
}

func sign(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// passwordIs spares a write when nothing changes. Only a superuser may look; for others the answer is no.
func passwordIs(ctx context.Context, conn *pgx.Conn, role, password string) bool {
	var may bool
	if err := conn.QueryRow(ctx, "select has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'select')").Scan(&may); err != nil || !may {
		return false
	}
	var stored string
	if err := conn.QueryRow(ctx, "select coalesce(rolpassword, '') from pg_catalog.pg_authid where rolname = $1", role).Scan(&stored); err != nil {
		return false
	}
	rest, ok := strings.CutPrefix(stored, "SCRAM-SHA-256$")
	if !ok {
		return false
	}
	params, _, _ := strings.Cut(rest, "$")
	count, encoded, _ := strings.Cut(params, ":")
	iterations, err := strconv.Atoi(count)
	if err != nil {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	again, err := verifierWith(password, salt, iterations)
	return err == nil && subtle.ConstantTimeCompare([]byte(again), []byte(stored)) == 1
}
