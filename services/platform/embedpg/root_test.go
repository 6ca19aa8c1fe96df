package embedpg

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A server's account must reach the data; where it cannot, the data goes elsewhere, always the same place.
func TestClosedParentDirectory(t *testing.T) {
	t.Parallel()
	closed, err := os.MkdirTemp("", "embedpg-closed-") // 0700
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(closed) })
	dir := filepath.Join(closed, "demo", "pg")
	where, err := Location(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := start(t, Options{Dir: dir, FastUnsafe: true})
	t.Cleanup(func() {
		stop(t, c)
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(where); !errors.Is(err, os.ErrNotExist) {
			t.Error("left behind:", where)
		}
	})
	if c.Dir() != where {
		t.Errorf("data in %s, said %s", c.Dir(), where)
	}
	moved := where != dir
	if moved != (os.Geteuid() == 0) {
		t.Errorf("as user %d the data of %s lies in %s", os.Geteuid(), dir, where)
	}
	if again, _ := Location(dir); again != where {
		t.Error("not the same place twice")
	}
	if other, _ := Location(dir + "2"); other == where {
		t.Error("two clusters in one place")
	}
	do(t, c, "select 1")
}

func TestFind(t *testing.T) {
	t.Parallel()
	fake := func(dir, version string) string {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"postgres", "initdb"} {
			script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + "'\n"
			if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	root := t.TempDir()
	old := fake(filepath.Join(root, "9", "bin"), "9.6.24")
	mid := fake(filepath.Join(root, "15", "bin"), "15.14 (Debian 15.14-0+deb12u1)")
	newest := fake(filepath.Join(root, "18", "bin"), "18beta1")
	alone := filepath.Join(root, "17", "bin") // only the server, no initdb
	fake(alone, "17.2")
	if err := os.Remove(filepath.Join(alone, "initdb")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(filepath.Join(mid, "postgres"), link); err != nil {
		t.Fatal(err)
	}
	real := func(dir string) string {
		p, err := filepath.EvalSymlinks(dir)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	everywhere := []string{filepath.Join(root, "*", "bin")}
	for name, c := range map[string]struct {
		onPath string
		places []string
		want   []binaries
	}{
		"nothing":        {"", nil, nil},
		"newest first":   {"", everywhere, []binaries{{real(newest), 18}, {real(mid), 15}}},
		"path first":     {filepath.Join(mid, "postgres"), everywhere, []binaries{{real(mid), 15}, {real(newest), 18}}},
		"too old":        {filepath.Join(old, "postgres"), nil, nil},
		"without initdb": {filepath.Join(alone, "postgres"), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := findAt(c.onPath, c.places)
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}

func TestErrNoPostgresNamesPackages(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"apt install postgresql", "dnf install postgresql-server", "brew install postgresql", "ZIJLICHT_DATABASE_URL"} {
		if !strings.Contains(ErrNoPostgres.Error(), word) {
			t.Errorf("does not name %q", word)
		}
	}
}

func TestInstallDoesNothingWhereAServerIs(t *testing.T) {
	t.Parallel()
	if err := Available(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Install(t.Context(), &out); err != nil || out.Len() != 0 {
		t.Fatal(err, out.String())
	}
}
