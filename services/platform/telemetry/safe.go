package telemetry

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Safe describes an error for the log without what a user wrote. Postgres puts
// values into its detail and, for malformed input, into its message, so of a
// database error only the code and the names of the things involved are kept.
func Safe(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Sprintf("postgres %s on %s.%s %s", pg.Code, pg.SchemaName, pg.TableName, pg.ConstraintName)
	}
	return err.Error()
}
