package page_test

import (
	"encoding/base64"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/page"
)

// FuzzParse: a token is refused, or it is exactly what Token writes.
func FuzzParse(f *testing.F) {
	id := "0190a000-0000-7000-8000-000000000001"
	at := time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)
	f.Add("")
	f.Add(page.Cursor{Time: at, ID: id}.Token())
	for _, raw := range []string{
		"|", "2026-11-22T10:00:00Z|" + id + " ", "2026-11-22T10:00:00Z|urn:uuid:" + id, "2026-11-22T10:00:00Z|{" + id + "}",
		"2026-11-22T10:00:00+01:00|" + id, "2026-11-22T10:00:00.000Z|" + id, "22-11-2026|" + id, "2026-11-22T10:00:00Z|' or 1=1", "\x00",
	} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(raw)))
	}
	f.Add(page.Cursor{Time: at, ID: id}.Token() + "\n")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := page.Parse(token)
		switch {
		case err != nil:
			if fault.ReasonOf(err) != faultv1.Reason_REASON_INVALID_ARGUMENT {
				t.Fatal(err)
			}
		case token != "" && c.Token() != token:
			t.Fatalf("%q reads as %+v, which is %q", token, c, c.Token())
		case uuid.Validate(c.ID) != nil || len(c.ID) != 36 || c.Time.Location() != time.UTC:
			t.Fatalf("%q reads as %+v", token, c)
		}
	})
}

func TestTokenIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := page.Cursor{
			Time: time.UnixMicro(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "time")).UTC(),
			ID:   uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String(),
		}
		got, err := page.Parse(c.Token())
		if err != nil || got != c {
			t.Fatalf("%+v came back as %+v, %v", c, got, err)
		}
	})
}

func TestNext(t *testing.T) {
	t.Parallel()
	cursor := func(n int) page.Cursor { return page.Cursor{Time: time.Unix(int64(n), 0).UTC(), ID: uuid.Max.String()} }
	rows, token := page.Next([]int{3, 2, 1}, 2, cursor)
	if !slices.Equal(rows, []int{3, 2}) || token != cursor(2).Token() {
		t.Fatalf("%v %q", rows, token)
	}
	if rows, token = page.Next([]int{3, 2}, 2, cursor); len(rows) != 2 || token != "" {
		t.Fatalf("last page: %v %q", rows, token)
	}
	if page.Size(0) != page.DefaultSize || page.Size(-1) != page.DefaultSize || page.Size(7) != 7 {
		t.Fatal("sizes")
	}
}
