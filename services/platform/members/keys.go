package members

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"
)

// ErrPrivateKey says that a set that is to be published holds a private key. Whoever sent it should replace it.
var ErrPrivateKey = errors.New("a private key where public keys belong")

// NewKey makes an ES256 private key; its kid is its RFC 7638 thumbprint.
func NewKey() (jose.JSONWebKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("make signing key: %w", err)
	}
	key := jose.JSONWebKey{Key: private, Algorithm: string(jose.ES256), Use: "sig"}
	key.KeyID, err = thumbprint(key)
	return key, err
}

// Public is the set to publish or to pin for private keys.
func Public(keys ...jose.JSONWebKey) jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	return set
}

// ParseKeys reads a JSON Web Key Set and checks it with CheckKeys.
func ParseKeys(raw []byte) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	if err := strict.Unmarshal(raw, &set); err != nil {
		// The error is not passed on: it may quote the file, and the file may hold a private key.
		return jose.JSONWebKeySet{}, errors.New("not a JSON Web Key Set")
	}
	return set, CheckKeys(set)
}

// CheckKeys accepts 1 to 8 public P-256 keys, each with a kid of its own.
func CheckKeys(set jose.JSONWebKeySet) error {
	if len(set.Keys) == 0 || len(set.Keys) > MaxKeys {
		return fmt.Errorf("want 1 to %d keys", MaxKeys)
	}
	seen := map[string]bool{}
	for _, k := range set.Keys {
		if err := checkKey(k); err != nil {
			return err
		}
		if seen[k.KeyID] {
			return errors.New("a kid occurs twice")
		}
		seen[k.KeyID] = true
	}
	return nil
}

func checkKey(k jose.JSONWebKey) error {
	if _, private := k.Key.(*ecdsa.PrivateKey); private {
		return ErrPrivateKey
	}
	public, ok := k.Key.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() || !k.Valid() {
		return errors.New("a key is not a public P-256 key")
	}
	if k.KeyID == "" || len(k.KeyID) > 128 {
		return errors.New("a key has no kid of 1 to 128 characters")
	}
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(jose.ES256) {
		return errors.New("a key is meant for something else than ES256 signatures")
	}
	return nil
}

func thumbprint(k jose.JSONWebKey) (string, error) {
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("key thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
