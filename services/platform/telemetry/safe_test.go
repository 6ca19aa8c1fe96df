package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "github.com/zijlicht/zijlicht/proto/zijlicht/audit/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

const canary = "Fatima-belde"

// TestSafe: no text of an error that could hold a user's words reaches the log, and what helps to find the fault does.
func TestSafe(t *testing.T) {
	t.Parallel()
	_, number := strconv.Atoi(canary)
	_, moment := time.Parse(time.RFC3339, canary)
	_, address := new(url.URL).Parse("http://%zz" + canary)
	refusal := fault.Invalid("title", "string.max_len")
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"text", errors.New(canary), nil},
		{"wrapped", fmt.Errorf("%s: %w", canary, io.ErrUnexpectedEOF), []string{"unexpected EOF"}},
		{"joined", errors.Join(errors.New(canary), context.DeadlineExceeded), []string{"deadline exceeded"}},
		{"status", status.Error(codes.InvalidArgument, canary), []string{"grpc InvalidArgument"}},
		{"wrapped status", fmt.Errorf("%s: %w", canary, status.Error(codes.Unavailable, canary)), []string{"grpc Unavailable"}},
		{"json", json.Unmarshal([]byte(`"`+canary+`"`), &struct{ A int }{}), []string{"*json.UnmarshalTypeError"}},
		{"json syntax", json.Unmarshal([]byte(canary), new(int)), []string{"*json.SyntaxError"}},
		{"protojson", protojson.Unmarshal([]byte(`{"`+canary+`":1}`), &auditv1.Decision{}), []string{"*"}},
		{"number", number, []string{"*strconv.NumError"}},
		{"time", moment, []string{"*time.ParseError"}},
		{"address", address, []string{"*url.Error"}},
		{"framework", kerrors.New(500, canary, canary).WithMetadata(map[string]string{"code": canary}), []string{"REASON_INTERNAL"}},
		{"fault", fault.Internal(fmt.Errorf("%s: %w", canary, refusal)), []string{"REASON_INTERNAL", "REASON_INVALID_ARGUMENT"}},
		{"note", fault.Because("record", errors.New(canary)), []string{"record: *errors.errorString"}},
		{"dial", &net.OpError{Op: "dial", Net: canary, Err: syscall.ECONNREFUSED}, []string{"net dial", "connection refused"}},
		{"no rows", fmt.Errorf("%s: %w", canary, pgx.ErrNoRows), []string{"no rows"}},
		{"postgres", &pgconn.PgError{Code: "23505", Message: canary, Detail: canary, Hint: canary, Where: canary, InternalQuery: canary,
			ColumnName: "c", SchemaName: "cases", TableName: "revision", ConstraintName: "one"}, []string{"23505", "cases.revision", "one"}},
		{"endless", endless{}, nil},
	} {
		got := telemetry.Safe(c.err)
		if strings.Contains(got, canary) || got == "" {
			t.Errorf("%s: %q", c.name, got)
		}
		for _, w := range c.want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q without %q", c.name, got, w)
			}
		}
	}
}

type endless struct{}

func (endless) Error() string   { return canary }
func (e endless) Unwrap() error { return e }

// TestPostgresTellsNothing: real errors of a real server, that quote what was sent.
func TestPostgresTellsNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := db.Admin().Exec(t.Context(), "create table story (title text unique check (length(title) < 30), n int)"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sql  string
		args []any
		code string
	}{
		{"insert into story values ('" + canary + "'), ('" + canary + "')", nil, "23505"},
		{"insert into story values ($1)", []any{strings.Repeat(canary, 9)}, "23514"},
		{"select '" + canary + "'::uuid", nil, "22P02"},
		{"select '{\"" + canary + "'::jsonb", nil, "22P02"},
		{"select '" + canary + "'::timestamptz", nil, "22007"},
		{"select \"" + canary + "\"", nil, "42703"},
		{canary, nil, "42601"},
		{"do $$ begin raise exception '" + canary + "' using errcode = '40001', detail = '" + canary + "'; end $$", nil, "40001"},
	} {
		_, err := db.Admin().Exec(t.Context(), c.sql, c.args...)
		if err == nil {
			t.Errorf("no error of %s", c.code)
			continue
		}
		got := telemetry.Safe(fmt.Errorf("%s: %w", canary, err))
		if strings.Contains(got, canary) || !strings.Contains(got, c.code) {
			t.Errorf("%s: %q", c.code, got)
		}
	}
	_, err := db.Admin().Exec(t.Context(), "select $1::int", canary) // refused before it is sent
	if got := telemetry.Safe(err); err == nil || strings.Contains(got, canary) {
		t.Errorf("argument: %q", got)
	}
}

func TestLoggerWritesLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	telemetry.Logger(&b, "noord").Info("started", "n", 1)
	var line map[string]any
	if err := json.Unmarshal(b.Bytes(), &line); err != nil || line["node"] != "noord" || line["msg"] != "started" {
		t.Fatalf("%s: %v", b.String(), err)
	}
}
