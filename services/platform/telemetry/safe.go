package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"
	"google.golang.org/grpc/status"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// maxSafe bounds the number of errors that one description names.
const maxSafe = 12

// Safe describes an error for the log without what a user wrote. The text of an
// error may quote its input (Postgres does, a JSON parser does), so it is not
// used: what is kept are types, codes, names from the database's catalogue, and
// texts that provably stand in the code.
func Safe(err error) string {
	var parts []string
	var walk func(error)
	walk = func(err error) {
		if err == nil || len(parts) == maxSafe {
			return
		}
		if p := part(err); p != "" {
			parts = append(parts, p)
		}
		switch e := err.(type) { //nolint:errorlint // each error of the chain is looked at by itself
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		}
	}
	walk(err)
	if len(parts) == 0 {
		return fmt.Sprintf("%T", err)
	}
	return strings.Join(parts, ": ")
}

// sentinels are errors whose text is always the same.
var sentinels = []error{
	context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	pgx.ErrNoRows, pgx.ErrTooManyRows, pgx.ErrTxClosed, pgx.ErrTxCommitRollback, puddle.ErrClosedPool,
}

// part describes one error of a chain, without those inside it.
func part(err error) string {
	for _, s := range sentinels {
		if err == s { //nolint:errorlint // a wrapper has a text of its own
			return s.Error()
		}
	}
	switch e := err.(type) { //nolint:errorlint // each error of the chain is looked at by itself
	case *fault.Noted:
		return e.Text()
	case *pgconn.PgError:
		if e.TableName == "" {
			return "postgres " + e.Code
		}
		return strings.TrimSpace(fmt.Sprintf("postgres %s on %s.%s %s", e.Code, e.SchemaName, e.TableName, e.ConstraintName))
	case *kerrors.Error:
		return fault.ReasonOf(e).String()
	case syscall.Errno:
		return e.Error()
	case *net.OpError:
		return "net " + e.Op
	case interface{ GRPCStatus() *status.Status }:
		return "grpc " + e.GRPCStatus().Code().String()
	}
	if kind := fmt.Sprintf("%T", err); kind != "*fmt.wrapError" && kind != "*fmt.wrapErrors" && kind != "*errors.joinError" {
		return kind
	}
	return ""
}

// Cause describes what is behind an error, for the log; empty when nothing is.
func Cause(err error) string {
	if cause := errors.Unwrap(err); cause != nil {
		return Safe(cause)
	}
	return ""
}
