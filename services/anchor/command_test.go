package anchor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// do runs one command line, with stdin, and gives what it wrote.
func (b bench) do(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	root := anchor.Command(func(context.Context) (*anchor.Store, error) { return b.store, nil })
	var out bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SilenceErrors = true
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func keyFile(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	noordKey, zuidKey := newKey(t), newKey(t)
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(members.Public(zuidKey))
	}))
	defer node.Close()

	for _, step := range []struct {
		stdin, args string
		want        string // part of what is written
		refused     string // or part of the refusal
	}{
		{"", "member list", "Er doet nog geen organisatie mee.", ""},
		{"", "member add --id " + noord + " --name Noord --keys " + keyFile(t, noordKey.Public()), "De organisatie doet nu mee. (Wijziging 2.)", ""},
		{"", "member add --id " + zuid + " --name Zuid --kind municipality --keys " + node.URL, "doet nu mee", ""},
		{"", "member add --id " + noord + " --name Noord --keys " + keyFile(t, members.Public(newKey(t)).Keys...), "", "doet al mee"},
		{"", "member add --id https://west.example --name West --keys " + keyFile(t, newKey(t)), "", "geheime sleutel"},
		{"", "member add --id https://west.example --name West --keys /nergens", "", "geen sleutels lezen"},
		{"", "member add --id https://west.example --name West --keys http://west.example/jwks", "", "geen sleutels lezen"},
		{"", "member add", "", "geen sleutels lezen"},
		{"", "member list", "Noord  wijkteam      doet mee  member", ""},
		{"", "circle add --id schulden --name Schulden --until 2027-06-30", "De leerkring is er.", ""},
		{"", "circle add --id rust --name Rust --until morgen", "", "geen datum"},
		{"", "circle join schulden " + noord, "zit nu in de leerkring", ""},
		{"", "circle join schulden " + noord, "Dat was al zo.", ""},
		{"", "circle join schulden", "", "gebruik: anchor circle join ID ADRES"},
		{"", "circle pause schulden", "staat nu stil", ""},
		{"", "circle list", "staat stil  " + noord, ""},
		{"", "circle resume schulden", "loopt weer", ""},
		{"", "mark grant " + noord + " lateral-review", "heeft nu dit keurmerk", ""},
		{"", "mark revoke " + noord + " member", "niet meer", ""},
		{"", "member keys " + noord + " --keys " + keyFile(t, members.Public(newKey(t)).Keys...), "vervangen", ""},
		{"", "member suspend " + noord, "staat nu stil", ""},
		{"nee\n", "member remove " + noord, "", "Er is niets verwijderd"},
		{"", "member remove " + noord, "", "Er is niets verwijderd"},
		{noord + "\n", "member remove " + noord, "in leerkring schulden zit nu niemand meer", ""},
		{"", "member resume " + noord, "", "Dat blijft zo"},
		{"", "member suspend " + zuid, "er doet nu geen enkele organisatie meer mee", ""},
		{"", "member remove --yes " + zuid, "is verwijderd", ""},
		{"", "circle end schulden", "voorbij", ""},
		{"", "log --by jo", "organisation.remove", ""},
	} {
		out, err := b.do(t, step.stdin, strings.Fields(step.args)...)
		switch {
		case step.refused == "" && (err != nil || !strings.Contains(out, step.want)):
			t.Errorf("%s: %v\n%s", step.args, err, out)
		case step.refused != "" && (err == nil || !strings.Contains(err.Error(), step.refused)):
			t.Errorf("%s: want a refusal with %q, got %v", step.args, step.refused, err)
		}
	}
	if err := refusalOf(b.do(t, "", "circle", "join", "schulden", noord)); err == nil || err.Code != "circle.ended" {
		t.Errorf("the code of a refusal: %v", err)
	}
}

func refusalOf(_ string, err error) *anchor.Refusal {
	refusal := (*anchor.Refusal)(nil)
	errors.As(err, &refusal)
	return refusal
}

func TestCommandsForPrograms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if out, err := b.do(t, "", "circle", "list", "--json"); err != nil || out != "[]\n" {
		t.Errorf("empty list: %q %v", out, err)
	}
	if out, err := b.do(t, "", "log", "--json"); err != nil || out != "[]\n" {
		t.Errorf("empty log: %q %v", out, err)
	}
	out, err := b.do(t, "", "member", "add", "--json", "--by", "robot", "--id", noord, "--name", "Noord", "--keys", keyFile(t, members.Public(newKey(t)).Keys...))
	if err != nil || out != `{"serial":2,"changed":true}`+"\n" {
		t.Errorf("change: %q %v", out, err)
	}
	out, err = b.do(t, "", "member", "list", "--json")
	var list []members.Organisation
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || len(list) != 1 || list[0].ID != noord || len(list[0].Keys.Keys) != 1 {
		t.Errorf("list: %q %v", out, err)
	}
	out, err = b.do(t, "", "log", "--json")
	var log []anchor.Entry
	if err != nil || json.Unmarshal([]byte(out), &log) != nil || len(log) != 1 || log[0].Actor != "robot" {
		t.Errorf("log: %q %v", out, err)
	}
}

func TestTheKeyIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.json")
	made, err := anchor.EnsureKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := anchor.EnsureKey(path); err != nil || again.KeyID != made.KeyID {
		t.Errorf("again: %v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", info.Mode().Perm())
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := anchor.EnsureKey(path); err == nil {
		t.Error("a key that others can read")
	}
}
