package e2e_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// bearers are what opens something by itself: signed tokens, and connection strings with a password.
var bearers = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{16,}\.|postgres://|DPoP [A-Za-z0-9]`)

// noSecretsInLogs looks through all that the federation's processes wrote. The
// text of a finding is not repeated.
func (f *federation) noSecretsInLogs() {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range append([]*node{f.anchor}, f.members...) {
		for _, file := range n.logs {
			raw, err := os.ReadFile(file)
			if err != nil {
				f.t.Error(err)
				continue
			}
			if bearers.Match(raw) {
				f.t.Errorf("%s holds a token or a connection string", file)
			}
			for text, what := range f.secret {
				if strings.Contains(string(raw), text) {
					f.t.Errorf("%s holds %s", file, what)
				}
			}
		}
	}
}

// row of any table, as text. What is bytes is in hex.
type row struct{ Table, Text string }

// rows of every table of every schema of the node.
func (n *node) rows(t testing.TB) []row {
	t.Helper()
	ctx, c := ctxOf(t), n.admin(t)
	q, err := c.Query(ctx, `select format('%I.%I', n.nspname, c.relname)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p', 'm') and n.nspname not in ('pg_catalog', 'information_schema') order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(q, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var all []row
	for _, table := range tables {
		q, err := c.Query(ctx, fmt.Sprintf("select (t.*)::text from %s t", table))
		if err != nil {
			t.Fatal(err)
		}
		texts, err := pgx.CollectRows(q, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			all = append(all, row{table, text})
		}
	}
	return all
}

// holding gives the tables whose rows hold a text: as it is, in hex or in base64.
func holding(rows []row, text string) (tables []string) {
	forms := []string{text, hex.EncodeToString([]byte(text))}
	// Base64 depends on where in the whole the text begins.
	for shift := range 3 {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			s := e.EncodeToString(append(make([]byte, shift), text...))
			forms = append(forms, s[4:len(s)-4])
		}
	}
	seen := map[string]bool{}
	for _, r := range rows {
		for _, form := range forms {
			if strings.Contains(r.Text, form) && !seen[r.Table] {
				seen[r.Table] = true
				tables = append(tables, r.Table)
			}
		}
	}
	return tables
}

// nowhere fails when a database holds the text in the open.
func nowhere(t testing.TB, n *node, rows []row, what, text string) {
	t.Helper()
	if tables := holding(rows, text); len(tables) > 0 {
		t.Errorf("the database of %s holds %s in %s", n.name, what, strings.Join(tables, ", "))
	}
}

func TestHoldingFindsAText(t *testing.T) {
	t.Parallel()
	const text = "zwaluwnest onder de dakrand"
	encoded := base64.StdEncoding.EncodeToString([]byte("x" + text + " en meer"))
	for _, r := range []row{{"a", "(1," + text + ")"}, {"b", `(1,"\\x00` + hex.EncodeToString([]byte(text)) + `")`}, {"c", encoded}} {
		if len(holding([]row{r}, text)) != 1 {
			t.Errorf("%s was missed", r.Table)
		}
	}
	if len(holding([]row{{"d", "(1,zwaluw)"}}, text)) != 0 {
		t.Error("found what is not there")
	}
}
