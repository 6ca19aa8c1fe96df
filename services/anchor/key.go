package anchor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

// LoadKey reads the anchor's private key, a JSON Web Key in a file that only its owner can read.
func LoadKey(path string) (jose.JSONWebKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key %s is open to others (mode %04o); make it 0600", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key: %w", err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(raw, &key); err != nil || key.IsPublic() || members.CheckKeys(members.Public(key)) != nil {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key %s is not an ES256 private JSON Web Key with a kid", path)
	}
	return key, nil
}

// EnsureKey is LoadKey, after making the key when there is no such file.
func EnsureKey(path string) (jose.JSONWebKey, error) {
	key, err := LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = members.NewKey(); err != nil {
		return jose.JSONWebKey{}, err
	}
	raw, err := json.Marshal(key)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return LoadKey(path) // another process was just before us
	}
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("anchor: signing key: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	return key, errors.Join(err, f.Sync(), f.Close())
}
