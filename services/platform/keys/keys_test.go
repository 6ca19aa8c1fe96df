package keys_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/platform/keys"
)

func create(t *testing.T) (*keys.Master, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "master.json")
	m, err := keys.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return m, path
}

func TestMasterSurvivesARestart(t *testing.T) {
	t.Parallel()
	first, path := create(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o", info.Mode().Perm())
	}
	wrapped, key, err := first.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("Anna"), []byte("account 1"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := second.Unwrap(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := again.Open(sealed, []byte("account 1")); err != nil || string(plain) != "Anna" {
		t.Errorf("opened %q, %v", plain, err)
	}
}

func TestCreateReplacesNothing(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	before, _ := os.ReadFile(path)
	if _, err := keys.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("second create: %v", err)
	}
	after, _ := os.ReadFile(path)
	if !bytes.Equal(before, after) {
		t.Error("the key was changed")
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	_, good := create(t)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"readable by the group":  {string(text), 0o640},
		"readable by everyone":   {string(text), 0o604},
		"writable by the group":  {string(text), 0o620},
		"empty":                  {"", 0o600},
		"half a file":            {string(text[:len(text)/2]), 0o600},
		"not a keyset":           {`{"secret":"hunter2"}`, 0o600},
		"a keyset without a key": {`{"primaryKeyId":1,"key":[]}`, 0o600},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "master.json")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tc.mode); err != nil {
				t.Fatal(err)
			}
			_, err := keys.Load(path)
			if err == nil {
				t.Fatal("loaded")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
	if _, err := keys.Load(t.TempDir()); err == nil {
		t.Error("loaded a directory")
	}
	if _, err := keys.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestOpensOnlyWhatBelongsTogether(t *testing.T) {
	t.Parallel()
	master, _ := create(t)
	stranger, _ := create(t)
	wrapped, key, err := master.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := master.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Unwrap(wrapped); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("another master: %v", err)
	}
	if _, err := master.Unwrap(nil); !errors.Is(err, keys.ErrOpen) {
		t.Errorf("no key: %v", err)
	}
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		aad := rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		sealed, err := key.Seal(plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := key.Open(sealed, aad); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %x, %v", got, err)
		}
		if _, err := other.Open(sealed, aad); !errors.Is(err, keys.ErrOpen) {
			t.Fatalf("another key: %v", err)
		}
		if _, err := key.Open(sealed, append([]byte{1}, aad...)); !errors.Is(err, keys.ErrOpen) {
			t.Fatalf("another owner: %v", err)
		}
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "at")
		sealed[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := key.Open(sealed, aad); !errors.Is(err, keys.ErrOpen) {
			t.Fatalf("a changed bit: %v", err)
		}
	})
}

func BenchmarkUnwrap(b *testing.B) {
	m, err := keys.Create(filepath.Join(b.TempDir(), "master.json"))
	if err != nil {
		b.Fatal(err)
	}
	wrapped, _, err := m.NewKey()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Unwrap(wrapped); err != nil {
			b.Fatal(err)
		}
	}
}
