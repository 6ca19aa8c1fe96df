package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

func TestSigningKeyFile(t *testing.T) {
	t.Parallel()
	key, err := oauth.NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "signing.jwk")
	if err := key.Save(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v (%v)", info.Mode(), err)
	}
	again, err := oauth.LoadSigningKey(path)
	if err != nil {
		t.Fatal(err)
	}
	public := key.Public()
	if want := withKID(t, public).KeyID; public.KeyID != want || again.Public().KeyID != want {
		t.Errorf("RFC 7638: kid %s and %s, want %s", public.KeyID, again.Public().KeyID, want)
	}
	if !public.IsPublic() {
		t.Error("Public is private")
	}
	if err := key.Save(path); err == nil {
		t.Error("a key was overwritten")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := oauth.LoadSigningKey(path); err == nil {
		t.Error("a key that others can read was loaded")
	}
}

func TestUnusableSigningKeys(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(k jose.JSONWebKey) []byte {
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	key := newKey(t)
	for name, raw := range map[string][]byte{
		"another curve": marshal(jose.JSONWebKey{Key: p384}),
		"public only":   marshal(key.Public()),
		"symmetric":     marshal(jose.JSONWebKey{Key: []byte("secret")}),
		"not JSON":      []byte("-----BEGIN"),
		"empty":         nil,
	} {
		path := filepath.Join(t.TempDir(), "signing.jwk")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := oauth.LoadSigningKey(path); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
	if _, err := oauth.LoadSigningKey(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent key was loaded")
	}
}
