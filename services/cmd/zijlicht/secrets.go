package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/members"
)

// Files in the directory of secrets, each 0600. A process reads only those that its targets need.
const (
	masterFile   = "master.key"    // seals stories, drafts and names
	callerFile   = "caller.key"    // the gateway's, to state who calls
	callerPublic = "caller.pub"    // for every other service
	oauthFile    = "oauth.jwk"     // the gateway's, to sign grants and tokens
	pairwiseFile = "pairwise.key"  // the gateway's, to hide people from peers
	codeFile     = "receipt.key"   // the register's, to make receipt codes
	anchorFile   = "anchor.jwk"    // the anchor's, to sign the member document
	passwordDir  = "database-role" // one password per role
)

// initSecrets makes what is not there yet and never replaces anything.
func initSecrets(c config) error {
	if err := os.MkdirAll(c.secret(passwordDir), 0o700); err != nil {
		return err
	}
	if _, err := keys.Load(c.secret(masterFile)); errors.Is(err, fs.ErrNotExist) {
		if _, err := keys.Create(c.secret(masterFile)); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	for _, name := range []string{callerFile, pairwiseFile, codeFile} {
		if _, err := ensureRandom(c.secret(name)); err != nil {
			return err
		}
	}
	seed, err := ensureRandom(c.secret(callerFile))
	if err != nil {
		return err
	}
	public := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	if err := os.WriteFile(c.secret(callerPublic), encode(public), 0o600); err != nil {
		return err
	}
	if _, err := gateway.EnsureKey(c.secret(oauthFile)); err != nil {
		return err
	}
	for _, s := range schemas() {
		if s.Login {
			if _, err := ensureRandom(c.secret(passwordDir + "/" + s.Name)); err != nil {
				return err
			}
		}
	}
	if !c.Anchor.Serve {
		return nil
	}
	key, err := anchor.EnsureKey(c.secret(anchorFile))
	if err != nil {
		return err
	}
	raw, err := json.Marshal(members.Public(key))
	if err != nil {
		return err
	}
	return os.WriteFile(c.path(c.Anchor.Keys), raw, 0o644)
}

func encode(b []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(b)) }

// ensureRandom reads 32 bytes from a file, after making them when there is no such file.
func ensureRandom(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		fresh := make([]byte, 32)
		_, _ = rand.Read(fresh)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(encode(fresh)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return fresh, f.Close()
	}
	if err != nil {
		return nil, err
	}
	return decode32(path, raw)
}

// readPrivate reads a line, and refuses a file that others can read.
func readPrivate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is open to others (mode %04o); make it 0600", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	return strings.TrimSpace(string(raw)), err
}

// readSecret reads 32 bytes.
func readSecret(path string) ([]byte, error) {
	line, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	return decode32(path, []byte(line))
}

func decode32(path string, raw []byte) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(string(raw))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%s does not hold 32 bytes", path)
	}
	return b, nil
}

// anchorKeys reads the pinned keys of the anchor.
func anchorKeys(c config) (set jose.JSONWebKeySet, err error) {
	raw, err := os.ReadFile(c.path(c.Anchor.Keys))
	if err != nil {
		return set, err
	}
	return members.ParseKeys(raw)
}

// passwords of the roles, for migrate.
func passwords(c config) (map[string]string, error) {
	all := map[string]string{}
	for _, s := range schemas() {
		if !s.Login {
			continue
		}
		b, err := readSecret(c.secret(passwordDir + "/" + s.Name))
		if err != nil {
			return nil, err
		}
		all[s.Name] = string(encode(b))
	}
	return all, nil
}
