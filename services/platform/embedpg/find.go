package embedpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPostgres says what to install.
var ErrNoPostgres = errors.New("no Postgres server found on this machine (14 or newer): install it with" +
	" `apt install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora, RHEL)" +
	" or `brew install postgresql@17` (macOS), or set ZIJLICHT_DATABASE_URL to a server of your own")

// oldestMajor is the oldest version whose SQL the migrations may use.
const oldestMajor = 14

// binaries are the programs of one Postgres installation.
type binaries struct {
	dir   string
	major int
}

func (b binaries) path(name string) string { return filepath.Join(b.dir, name) }

// places where packages put server programs, often outside PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // postgresql.org's RPMs
	"/usr/lib64/pgsql/bin",              // openSUSE and older RPMs
	"/usr/lib/postgresql*/bin",          // openSUSE, Alpine
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew, Apple silicon
	"/usr/local/opt/postgresql*/bin",    // Homebrew, Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// find lists the usable installations: the one on PATH first, then newest first.
func find() []binaries {
	onPath, err := exec.LookPath("postgres")
	if err != nil {
		onPath = ""
	}
	return findAt(onPath, places)
}

func findAt(onPath string, patterns []string) []binaries {
	var found []binaries
	add := func(dir string) {
		real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
		if err != nil {
			return
		}
		// A link on PATH leads to the directory that has the other programs too.
		b := binaries{dir: filepath.Dir(real)}
		if _, err := exec.LookPath(b.path("initdb")); err != nil {
			return
		}
		if b.major = majorOf(b); b.major < oldestMajor {
			return
		}
		if !slices.Contains(found, b) {
			found = append(found, b)
		}
	}
	if onPath != "" {
		add(filepath.Dir(onPath))
	}
	first := len(found)
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			add(dir)
		}
	}
	slices.SortStableFunc(found[first:], func(a, b binaries) int { return b.major - a.major })
	return found
}

// majorOf asks the program itself; "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)" gives 15.
func majorOf(b binaries) int {
	out, err := exec.Command(b.path("postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(out), "(PostgreSQL) ")
	if !ok {
		return 0
	}
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	major, _ := strconv.Atoi(digits)
	return major
}

// Available reports whether a usable server is installed; if not, the error is ErrNoPostgres.
func Available() error {
	if len(find()) == 0 {
		return ErrNoPostgres
	}
	return nil
}

// binaries picks the installation that fits the data directory, or the first one for a new directory.
func (c *Cluster) binaries() (binaries, error) {
	found := find()
	if len(found) == 0 {
		return binaries{}, ErrNoPostgres
	}
	raw, err := os.ReadFile(filepath.Join(c.data(), "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return found[0], nil
	}
	if err != nil {
		return binaries{}, err
	}
	made := strings.TrimSpace(string(raw))
	var have []string
	for _, b := range found {
		if strconv.Itoa(b.major) == made {
			return b, nil
		}
		have = append(have, strconv.Itoa(b.major))
	}
	return binaries{}, fmt.Errorf("%w: %s was made by %s, installed here: %s; install that version, or move the data with pg_dump",
		ErrVersion, c.data(), made, strings.Join(have, ", "))
}
