package authz

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

// factTypes are the facts that rules read from rows, with their column types.
var factTypes = map[string]string{
	"owner_org": "text", "node_org": "text", "unit": "text", "author": "text", "second_reader": "text", "invited": "boolean",
	"status": "text", "closed_reason": "text", "audience": "text", "circle": "text", "risk": "integer",
	"basis_revision": "integer", "released_by": "text", "release_revision": "integer", "grant_state": "text",
	"grant_revision": "integer", "grant_purpose": "text", "grant_circle": "text", "grant_from": "text", "grant_until": "text",
	"noticed": "boolean", "peer": "text", "peer_org": "text", "found": "boolean", "state": "text", "side": "text",
	"writer": "text", "case_author": "text", "draft_until": "text",
}

func factNames() []string {
	names := make([]string, 0, len(factTypes))
	for name := range factTypes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var caseColumns = Columns{
	"resource.owner_org": "c.owner_org", "resource.unit": "c.unit", "resource.author": "c.author",
	"resource.second_reader": "c.second_reader", "resource.status": "c.status", "resource.closed_reason": "c.closed_reason",
	"resource.invited": "c.id = any(array(select case_id from invitation where account = 'account-1'))",
}

// list makes the question for a list of what a decision was about.
func list(in Input) Input {
	in.Resource = Resource{"kind": in.Resource["kind"]}
	return in
}

func TestFilterOfAList(t *testing.T) {
	t.Parallel()
	f, err := thePolicy(t).Filter(t.Context(), list(sample(t, "case.list", 0)), caseColumns, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"(c.owner_org) = $3", "(c.author) = $", "(c.second_reader) = $", "OR (c.id = any(array(",
		"(c.closed_reason) = ANY($4)", "(c.unit) = $", "(c.status) = ANY($",
	} {
		if !strings.Contains(f.SQL, part) {
			t.Errorf("no %q in %s", part, f.SQL)
		}
	}
	// What all alternatives ask for stands once, and equal values are one parameter.
	if strings.Count(f.SQL, "owner_org") != 1 || len(f.Args) != 5 {
		t.Errorf("%s %v", f.SQL, f.Args)
	}
}

func TestFilterOfNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Input){
		"peer":           func(in *Input) { in.Subject.Kind = "peer" },
		"machine":        func(in *Input) { in.Subject.Kind = "machine" },
		"nobody":         func(in *Input) { in.Subject.ID = "" },
		"elsewhere":      func(in *Input) { in.Subject.Org = "https://zuid.example" },
		"unknown action": func(in *Input) { in.Action = "case.burn" },
		"another kind":   func(in *Input) { in.Resource["kind"] = "notice" },
		"foreign owner":  func(in *Input) { in.Resource["owner_org"] = "https://zuid.example" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := list(sample(t, "case.list", 0))
			change(&in)
			cols := Columns{}
			for k, v := range caseColumns {
				if _, known := in.Resource[strings.TrimPrefix(k, "resource.")]; !known {
					cols[k] = v
				}
			}
			f, err := thePolicy(t).Filter(t.Context(), in, cols, 1)
			if err != nil || f.SQL != "FALSE" || len(f.Args) != 0 {
				t.Errorf("%+v %v", f, err)
			}
		})
	}
}

func TestFilterRefusesWhatItCannotSay(t *testing.T) {
	t.Parallel()
	cols := Columns{"resource.author": "author", "resource.unit": "unit", "resource.risk": "risk", "resource.invited": "invited"}
	tests := map[string]struct {
		allow string // body of the rule
		want  string // SQL, or with err a part of the error
		err   bool
	}{
		"equality":          {`input.resource.author == input.subject.id`, `(author) = $1`, false},
		"turned around":     {`2 > input.resource.risk`, `(risk) < $1`, false},
		"inequality":        {`input.resource.author != input.subject.id`, `(author) <> $1`, false},
		"text order":        {`input.resource.author < "b"`, `(author) COLLATE "C" < $1`, false},
		"two facts":         {`input.resource.author == input.resource.unit`, `(author) = (unit)`, false},
		"true":              {`input.resource.invited == true`, `(invited)`, false},
		"false":             {`input.resource.invited == false`, `(invited) = FALSE`, false},
		"one of":            {`input.resource.author in {"a", "b"}`, `(author) = ANY($1)`, false},
		"one of none":       {`input.resource.author in []`, `(author) = ANY($1)`, false},
		"known and matches": {`input.resource.kind == "case"; input.resource.author == "a"`, `(author) = $1`, false},
		"known and differs": {`input.resource.kind != "case"; input.resource.author == "a"`, `FALSE`, false},
		"known, one of":     {`input.resource.kind in {"case", "x"}; input.resource.author == "a"`, `(author) = $1`, false},
		"contradiction":     {`input.resource.author == "a"; input.action == "x"`, `FALSE`, false},
		"the same twice":    {`input.resource.author == "a"; input.resource.author == "a"`, `(author) = $1`, false},
		"every row":         {`input.action == "case.list"`, `no translation`, true},
		"not":               {`not input.resource.author == "a"`, `not`, true},
		"prefix":            {`startswith(input.resource.author, "a")`, `no translation`, true},
		"part":              {`contains(input.resource.author, "a")`, `no translation`, true},
		"function":          {`lower(input.resource.author) == "a"`, `does not translate`, true},
		"bare":              {`input.resource.invited`, `does not translate`, true},
		"unknown column":    {`input.resource.circle == "a"`, `not in the list of columns`, true},
		"unknown second":    {`input.resource.author == input.resource.circle`, `no translation`, true},
		"null":              {`input.resource.author == null`, `no translation`, true},
		"not null":          {`input.resource.author != null`, `no translation`, true},
		"fraction":          {`input.resource.risk < 1.5`, `not an integer`, true},
		"one of numbers":    {`input.resource.risk in {1, 2}`, `no translation`, true},
		"flag in order":     {`input.resource.invited > false`, `no translation`, true},
		"known in order":    {`input.resource.kind < "d"; input.resource.author == "a"`, `no translation`, true},
		"deep":              {`input.resource.author.name == "a"`, `does not translate`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Load(t.Context(), tinyBundle(t, "allow if {\n"+tt.allow+"\n}\n\ndecision := "+granted+"\n"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := p.Filter(t.Context(), list(sample(t, "case.list", 0)), cols, 1)
			switch {
			case tt.err && (err == nil || !strings.Contains(err.Error(), tt.want) || f.SQL != ""):
				t.Errorf("%q, error %v, want one with %q", f.SQL, err, tt.want)
			case !tt.err && (err != nil || f.SQL != tt.want):
				t.Errorf("%q, error %v, want %q", f.SQL, err, tt.want)
			}
		})
	}
}

func TestFilterTakesWhatAllAskForOut(t *testing.T) {
	t.Parallel()
	rego := `allow if {
	input.resource.unit == "u"
	either
}

either if input.resource.author == "a"

either if {
	input.resource.author == "b"
	input.resource.risk <= 1
}

decision := ` + granted + "\n"
	p, err := Load(t.Context(), tinyBundle(t, rego))
	if err != nil {
		t.Fatal(err)
	}
	cols := Columns{"resource.author": "author", "resource.unit": "unit", "resource.risk": "risk"}
	f, err := p.Filter(t.Context(), list(sample(t, "case.list", 0)), cols, 1)
	if want := `((unit) = $1 AND ((author) = $2 OR ((author) = $3 AND (risk) <= $4)))`; err != nil || f.SQL != want {
		t.Errorf("%s %v", f.SQL, err)
	}
}

// row is one row's facts; a fact that is absent is NULL.
type row struct {
	id    string
	facts Resource
}

// someRows starts from samples, so that a good part is allowed, and changes a few facts of each.
func someRows(t *testing.T, n int) []row {
	t.Helper()
	docs := documents(t)
	values := sound(docs)
	var starts []Resource
	for _, action := range slices.Sorted(maps.Keys(docs)) {
		for _, in := range allowedSamples(t)[action] {
			starts = append(starts, in.Resource)
		}
	}
	const seed = 20261122
	r := rand.New(rand.NewPCG(seed, seed))
	rows := make([]row, n)
	names := factNames()
	for i := range rows {
		facts := Resource{}
		for name, v := range starts[r.IntN(len(starts))] {
			if name != "revision" && name != "id" && name != "kind" {
				facts[name] = v
			}
		}
		for range r.IntN(4) {
			name := names[r.IntN(len(names))]
			options := values["resource."+name]
			if r.IntN(3) == 0 || len(options) == 0 {
				delete(facts, name)
				continue
			}
			facts[name] = options[r.IntN(len(options))]
		}
		for name, v := range facts {
			if num, ok := v.(interface{ Int64() (int64, error) }); ok {
				facts[name], _ = num.Int64()
			}
		}
		rows[i] = row{fmt.Sprintf("row-%d", i), facts}
	}
	return rows
}

func rowTable(t *testing.T, conn *pgx.Conn, rows []row) {
	t.Helper()
	names := factNames()
	columns := make([]string, len(names))
	for i, name := range names {
		columns[i] = name + " " + factTypes[name]
	}
	if _, err := conn.Exec(t.Context(), "create temp table fact (id text primary key, "+strings.Join(columns, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"fact"}, append([]string{"id"}, names...), pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		values := []any{rows[i].id}
		for _, name := range names {
			values = append(values, rows[i].facts[name]) // absent is nil is NULL
		}
		return values, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// The condition of a list lets through exactly the rows that would be allowed one
// by one: over every rule, not only those of lists, with facts absent (NULL) and,
// where an empty text is a value, with NULL read as empty.
func TestFilterEqualsDecisionPerRow(t *testing.T) {
	t.Parallel()
	p, allow := thePolicy(t), rulesAlone(t)
	conn := connect(t)
	rows := someRows(t, 120)
	rowTable(t, conn, rows)
	plain, coalesced := Columns{}, Columns{}
	for _, name := range factNames() {
		plain["resource."+name] = name
		coalesced["resource."+name] = name
		if mayBeEmpty(name) {
			coalesced["resource."+name] = "coalesce(" + name + ", '')"
		}
	}
	samples := allowedSamples(t)
	var inputs []Input
	for _, action := range slices.Sorted(maps.Keys(samples)) {
		inputs = append(inputs, samples[action]...)
	}
	someone := []string{"account-1", "account-2", "account-3", "account-5"}
	passed := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		in := rapid.SampledFrom(inputs).Draw(rt, "sample")
		if rapid.Bool().Draw(rt, "someone else") {
			in.Subject.ID = rapid.SampledFrom(someone).Draw(rt, "id")
		}
		if rapid.IntRange(0, 3).Draw(rt, "roles differ") == 0 {
			in.Subject.Roles = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"professional", "reviewer", "privacy-officer", "notifier"}), rapid.ID).Draw(rt, "roles")
		}
		if rapid.IntRange(0, 3).Draw(rt, "no circles") == 0 {
			in.Subject.Circles = nil
		}
		cols, empty := plain, rapid.Bool().Draw(rt, "coalesced")
		if empty {
			cols = coalesced
		}
		kind := in.Resource["kind"]
		in.Resource = Resource{"kind": kind}
		f, err := p.Filter(t.Context(), in, cols, 1)
		if err != nil {
			rt.Fatal(err)
		}
		found, err := conn.Query(t.Context(), "select id from fact where "+f.SQL, f.Args...)
		if err != nil {
			rt.Fatal(err)
		}
		listed, err := pgx.CollectRows(found, pgx.RowTo[string])
		if err != nil {
			rt.Fatalf("%v: %s", err, f.SQL)
		}
		passed[in.Action] += len(listed)
		for _, r := range rows {
			in.Resource = Resource{"kind": kind, "id": r.id}
			maps.Copy(in.Resource, r.facts)
			for _, name := range factNames() {
				if _, ok := in.Resource[name]; !ok && empty && mayBeEmpty(name) {
					in.Resource[name] = ""
				}
			}
			doc, err := document(in)
			if err != nil {
				rt.Fatal(err)
			}
			if allowed := allow(doc); allowed != slices.Contains(listed, r.id) {
				rt.Fatalf("%s of %v: decided %v, listed %v\n%s\n%v", in.Action, in.Resource, allowed, !allowed, f.SQL, f.Args)
			}
		}
	})
	t.Logf("rows that passed, by action: %v", passed)
	if total := len(passed); total < 10 {
		t.Errorf("only %d actions were tried", total)
	}
}

// mayBeEmpty tells which facts an owner may give as an empty text.
func mayBeEmpty(name string) bool {
	return factTypes[name] == "text" && !slices.Contains([]string{"status", "audience", "side"}, name)
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pgtest.New(t).AdminDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// A person's own list is found by index, not by reading every case of the organisation.
func TestFilterUsesIndexes(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	_, err := conn.Exec(t.Context(), `
create temp table cases as
	select 'case-' || n as id, 'https://noord.example' as owner_org, 'account-' || n % 5000 as author, 'account-' || n % 4999 as second_reader,
		'team-' || n % 400 as unit, (array['draft', 'released', 'published', 'closed'])[1 + n % 4] as status, '' as closed_reason
	from generate_series(1, 40000) as n;
create index on cases (id);
create index on cases (author);
create index on cases (second_reader);
create index on cases (unit);
create temp table invitation as select 'case-' || n as case_id, 'account-' || n % 3000 as account from generate_series(1, 3000) as n;
create index on invitation (account);
analyze cases;
analyze invitation`)
	if err != nil {
		t.Fatal(err)
	}
	in := list(sample(t, "case.list", 0))
	in.Subject.Unit = "team-7"
	f, err := thePolicy(t).Filter(t.Context(), in, caseColumns, 1)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := conn.Query(t.Context(), "explain select id from cases as c where "+f.SQL, append([]any{pgx.QueryExecModeExec}, f.Args...)...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(lines, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	if strings.Contains(text, "Seq Scan") || strings.Count(text, "Bitmap Index Scan on cases") != 4 {
		t.Errorf("%s\n%s", f.SQL, text)
	}
}
