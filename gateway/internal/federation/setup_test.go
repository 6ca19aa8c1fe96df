package federation_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/zijlicht/zijlicht/gateway/internal/federation"
	"github.com/zijlicht/zijlicht/services/platform/members"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/pgtest"
)

const (
	issuer = "http://127.0.0.1:8400"
	noord  = "http://127.0.0.1:8410"
	zuid   = "http://127.0.0.1:8420"
)

// clock is the node's: the machine's, moved on by a test. The anchor's process has the machine's own.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return time.Now().Add(c.offset) }

func (c *clock) move(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.offset += d }

func node(t *testing.T) *pgtest.DB {
	t.Helper()
	return pgtest.New(t, pgdb.Schema{Name: "gateway", Login: true, Migrations: os.DirFS("../../migrations")})
}

func newMembers(t *testing.T, pool *pgxpool.Pool, url string, keys jose.JSONWebKeySet, c *clock, more ...func(*federation.Config)) *federation.Members {
	t.Helper()
	config := federation.Config{Pool: pool, URL: url, Issuer: issuer, Keys: keys, Now: c.Now}
	for _, change := range more {
		change(&config)
	}
	m, err := federation.NewMembers(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newKey(t testing.TB) jose.JSONWebKey {
	t.Helper()
	key, err := members.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// theAnchor is the anchor itself, in a process of its own on a database of its own. The gateway knows it over HTTP alone.
type theAnchor struct {
	t      *testing.T
	binary string
	env    []string
	key    jose.JSONWebKey
	url    string
	serve  *exec.Cmd
}

func startAnchor(t *testing.T) *theAnchor {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "anchortest")
	build := exec.Command("go", "build", "-o", binary, "github.com/zijlicht/zijlicht/services/anchor/anchortest")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the anchor: %v\n%s", err, out)
	}
	db := pgtest.New(t, pgdb.Schema{Name: "anchor", Login: true, Migrations: os.DirFS("../../../services/anchor/migrations")})
	a := &theAnchor{t: t, binary: binary, key: newKey(t)}
	raw, err := json.Marshal(a.key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	a.env = append(os.Environ(), "ANCHORTEST_DSN="+db.DSN("anchor"), "ANCHORTEST_ISSUER="+issuer, "ANCHORTEST_KEY="+file)
	a.start()
	return a
}

func (a *theAnchor) start() {
	a.t.Helper()
	cmd := exec.Command(a.binary, "serve")
	cmd.Env, cmd.Stderr = a.env, os.Stderr
	stdin, err := cmd.StdinPipe() // the process ends with it, so also with this test
	if err != nil {
		a.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		a.t.Fatal(err)
	}
	a.url, a.serve = strings.TrimSpace(line), cmd
	a.t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
}

func (a *theAnchor) kill() {
	a.t.Helper()
	if err := a.serve.Process.Kill(); err != nil {
		a.t.Fatal(err)
	}
	_ = a.serve.Wait()
}

// do is `zijlicht anchor …`.
func (a *theAnchor) do(args ...string) {
	a.t.Helper()
	cmd := exec.Command(a.binary, args...)
	cmd.Env = a.env
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("anchor %v: %v\n%s", args, err, out)
	}
}

func (a *theAnchor) admit(id string) {
	a.t.Helper()
	raw, err := json.Marshal(members.Public(newKey(a.t)))
	if err != nil {
		a.t.Fatal(err)
	}
	file := filepath.Join(a.t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.do("member", "add", "--id", id, "--name", "Wijkteam", "--keys", file)
}

// impostor answers at the anchor's address with whatever a test wants, as someone on the way could.
type impostor struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  int
}

func newImpostor(t *testing.T) *impostor {
	i := &impostor{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked++
		answer := i.answer
		i.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *impostor) set(answer http.HandlerFunc) { i.mu.Lock(); defer i.mu.Unlock(); i.answer = answer }

func (i *impostor) count() int { i.mu.Lock(); defer i.mu.Unlock(); return i.asked }

// gives answers with this text.
func (i *impostor) gives(compact string) {
	i.set(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = io.WriteString(w, compact)
	})
}

// signed is a document of this serial, issued at this time and valid for ten minutes.
func signed(t testing.TB, key jose.JSONWebKey, serial int64, issued time.Time) string {
	t.Helper()
	compact, err := members.Sign(members.Document{Issuer: issuer, Serial: serial, IssueTime: issued, ExpireTime: issued.Add(10 * time.Minute)}, key)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func serial(t *testing.T, f func(context.Context) (members.Document, error)) int64 {
	t.Helper()
	d, err := f(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d.Serial
}
