// Package page makes the tokens that lists are paged with. A token names the
// last row seen, so that rows which come or go meanwhile shift nothing.
package page

import (
	"encoding/base64"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// DefaultSize is the number of rows when the request names none.
const DefaultSize = 50

// Size of a page.
func Size(requested int32) int {
	if requested <= 0 {
		return DefaultSize
	}
	return int(requested)
}

// Cursor is the last row seen in an order of time and id, newest first. The zero value is the start.
type Cursor struct {
	Time time.Time
	ID   string
}

// start comes before every row.
var start = Cursor{Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ID: uuid.Max.String()}

// Parse reads a token; an empty one is the start.
func Parse(token string) (Cursor, error) {
	if token == "" {
		return start, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return Cursor{}, fault.Invalid("page_token", "format")
	}
	at, id, _ := strings.Cut(string(raw), "|")
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return Cursor{}, fault.Invalid("page_token", "format")
	}
	c := Cursor{Time: t.UTC(), ID: id}
	if u, err := uuid.Parse(id); err != nil || u.String() != id || c.Token() != token { // only as Token writes it
		return Cursor{}, fault.Invalid("page_token", "format")
	}
	return c, nil
}

// Token names a row.
func (c Cursor) Token() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.Time.UTC().Format(time.RFC3339Nano) + "|" + c.ID))
}

// Next splits off the row that was read to see whether there is a next page, and names the last one kept.
func Next[T any](rows []T, size int, cursor func(T) Cursor) ([]T, string) {
	if len(rows) <= size {
		return rows, ""
	}
	return rows[:size], cursor(rows[size-1]).Token()
}
