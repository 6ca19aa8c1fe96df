package pgdb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
)

// SQLSTATE codes, Postgres manual appendix A.
const (
	codeUniqueViolation      = "23505"
	codeSerializationFailure = "40001"
	codeDeadlockDetected     = "40P01"
	codeDuplicateDatabase    = "42P04"
	codeDuplicateObject      = "42710"
	codeInternalError        = "XX000"
	codeInsufficientRights   = "42501"
)

// unavailableCodes say that the server cannot answer now, though the statement may be right.
var unavailableCodes = map[string]bool{
	"25006": true, // read only: a standby that was not promoted yet
	"25P03": true, // idle in transaction timeout
	"55P03": true, // lock timeout
	"57014": true, // statement timeout
	"57P01": true, // shutting down
	"57P02": true, // another backend crashed
	"57P03": true, // starting up
	"57P04": true, // database dropped
	"57P05": true, // idle session timeout
	"58030": true, // input/output error on the server
}

// IsUnavailable reports that the database could not be asked: connection refused or lost, server
// starting or stopping, resources or time used up, pool closed. A caller that only went away
// (context.Canceled) is not an unavailable database.
func IsUnavailable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return true
	}
	if errors.As(err, &pg) {
		return unavailableCodes[pg.Code] || strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "53")
	}
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, puddle.ErrClosedPool) ||
		errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) ||
		pgconn.SafeToRetry(err)
}

// IsUnique reports that err is a violation of the named unique constraint or index; an empty name means any.
func IsUnique(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == codeUniqueViolation &&
		(constraint == "" || pg.ConstraintName == constraint)
}

func isContention(err error) bool {
	return hasCode(err, codeSerializationFailure, codeDeadlockDetected)
}

func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, code := range codes {
		if pg.Code == code {
			return true
		}
	}
	return false
}
