package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

func TestClientCommand(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	h := holder{id: "rooster", key: newKey(t), dpop: newKey(t)}
	file := func(name string, v any) string {
		raw, err := json.Marshal(v)
		must(t, err)
		path := filepath.Join(t.TempDir(), name)
		must(t, os.WriteFile(path, raw, 0o600))
		return path
	}
	public := file("public.jwks", members.Public(h.key))
	private := file("private.jwks", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{h.key}})
	other := file("other.json", map[string]string{"sleutel": "geheim"})

	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		c := ClientCommand(func(context.Context) (Clients, error) { return Clients{Pool: n.Pool, Now: n.Now}, nil })
		c.SetArgs(args)
		c.SetOut(&out)
		c.SetErr(&out)
		err := c.ExecuteContext(t.Context())
		return out.String(), err
	}
	says := func(want string, args ...string) {
		t.Helper()
		if out, err := run(args...); err != nil || !strings.Contains(out, want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	refuses := func(want string, args ...string) {
		t.Helper()
		out, err := run(args...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if d, _ := json.Marshal(h.key); err != nil && strings.Contains(err.Error()+out, string(d)) {
			t.Error("a private key on the screen")
		}
	}

	says("Er zijn nog geen programma's", "list")
	refuses("geheime sleutel", "add", "rooster", "--keys", private, "--scope", scopeCircles)
	refuses("geen bestand met publieke sleutels", "add", "rooster", "--keys", other, "--scope", scopeCircles)
	refuses("niet te lezen", "add", "rooster", "--keys", public+"x", "--scope", scopeCircles)
	refuses("alleen dit recht", "add", "rooster", "--keys", public, "--scope", scopeRead)
	refuses("alleen dit recht", "add", "rooster", "--keys", public, "--scope", "professional")
	refuses("scope", "add", "rooster", "--keys", public)
	refuses("kleine letters", "add", "https://rooster.example", "--keys", public, "--scope", scopeCircles)
	refuses("kleine letters", "add", "Rooster", "--keys", public, "--scope", scopeCircles)
	refuses("geen programma met deze naam", "disable", "rooster")

	says("Het programma rooster mag nu inloggen en heeft dit recht: circle:read.", "add", "rooster", "--keys", public, "--scope", scopeCircles)
	refuses("er is al een programma", "add", "rooster", "--keys", public, "--scope", scopeCircles)
	says("mag inloggen", "list")
	n.do(t, http.MethodGet, "/api/v1/circles", "", h.with(t, n, h.token(t, n, scopeCircles))).wantsOK(t)

	says("kan niet meer inloggen", "disable", "rooster")
	says("uitgezet op "+n.Now().Local().Format("2-1-2006"), "list")
	if a := h.ask(t, n, scopeCircles); a.status != 401 {
		t.Errorf("disabled: %d %s", a.status, a.raw)
	}
	refuses("er is al een programma", "add", "rooster", "--keys", public, "--scope", scopeCircles)

	broken := errors.New("geen instellingen")
	c := ClientCommand(func(context.Context) (Clients, error) { return Clients{}, broken })
	for _, args := range [][]string{{"list"}, {"disable", "x"}, {"add", "x", "--keys", public, "--scope", scopeCircles}} {
		c.SetArgs(args)
		c.SetOut(&bytes.Buffer{})
		c.SetErr(&bytes.Buffer{})
		if err := c.ExecuteContext(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	for name, spoil := range map[string]func(*Config){
		"a short pairwise key":    func(c *Config) { c.PairwiseKey = c.PairwiseKey[:16] },
		"no OAuth key":            func(c *Config) { c.OAuthKey += "x" },
		"an address with a path":  func(c *Config) { c.EntityURL += "/x" },
		"no pinned key":           func(c *Config) { c.AnchorKeys = jose.JSONWebKeySet{} },
		"an anchor over http":     func(c *Config) { c.MembersURL = "http://anker.example/federation/members" },
		"an address without TLS":  func(c *Config) { c.EntityURL = "http://noord.example" },
		"no database for members": func(c *Config) { c.Pool = nil },
	} {
		c := n.Config
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
}

// A person has another name at every peer, and the same one on every visit.
func TestPairwise(t *testing.T) {
	t.Parallel()
	a, b := &Gateway{Config: Config{PairwiseKey: bytes.Repeat([]byte{1}, 32)}}, &Gateway{Config: Config{PairwiseKey: bytes.Repeat([]byte{2}, 32)}}
	name := a.pairwise("https://zuid.example", "account-1")
	if name != a.pairwise("https://zuid.example", "account-1") || len(name) != 24 {
		t.Errorf("%q", name)
	}
	for what, other := range map[string]string{
		"another peer":   a.pairwise("https://west.example", "account-1"),
		"another person": a.pairwise("https://zuid.example", "account-2"),
		"another node":   b.pairwise("https://zuid.example", "account-1"),
		"moved border":   a.pairwise("https://zuid.examplea", "ccount-1"),
	} {
		if other == name {
			t.Errorf("%s has the same name", what)
		}
	}
}

func TestEnsureKeyKeepsTheKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "oauth.jwk")
	first, err := EnsureKey(path)
	must(t, err)
	second, err := EnsureKey(path)
	must(t, err)
	if len(first.Keys) != 1 || !first.Keys[0].IsPublic() || first.Keys[0].KeyID != second.Keys[0].KeyID {
		t.Errorf("%v, %v", first, second)
	}
	must(t, os.Chmod(path, 0o644))
	if _, err := EnsureKey(path); err == nil {
		t.Error("a key that others can read is used")
	}
}

// Sessions and links whose time is over are removed while the node runs.
func TestSweep(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	n.member(t)
	n.clock.move(73 * time.Hour)
	if removed, err := n.accounts.Sweep(t.Context()); err != nil || removed != 2 {
		t.Errorf("removed %d: %v", removed, err)
	}
}
