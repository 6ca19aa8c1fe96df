package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// accepted are the algorithms that others may sign with (FAPI 2.0 §5.4); `none` and every HMAC are not among them.
var accepted = []jose.SignatureAlgorithm{jose.ES256, jose.PS256}

// acceptedNames is accepted as metadata and challenges spell it.
var acceptedNames = []string{string(jose.ES256), string(jose.PS256)}

// SigningKey is a node's ES256 private key. Its kid is its RFC 7638 thumbprint.
type SigningKey struct{ jwk jose.JSONWebKey }

// NewSigningKey makes a key.
func NewSigningKey() (SigningKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return SigningKey{}, fmt.Errorf("oauth: make signing key: %w", err)
	}
	return signingKey(jose.JSONWebKey{Key: private})
}

// LoadSigningKey reads a private JWK from a file that only its owner can read.
func LoadSigningKey(path string) (SigningKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return SigningKey{}, fmt.Errorf("oauth: signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return SigningKey{}, fmt.Errorf("oauth: signing key %s is open to others (mode %04o); make it 0600", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return SigningKey{}, fmt.Errorf("oauth: signing key: %w", err)
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return SigningKey{}, fmt.Errorf("oauth: signing key %s is not a JSON Web Key", path)
	}
	return signingKey(jwk)
}

// Save writes the private JWK to a new file with mode 0600; it refuses to replace one.
func (k SigningKey) Save(path string) error {
	raw, err := json.Marshal(k.jwk)
	if err != nil {
		return fmt.Errorf("oauth: save signing key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("oauth: save signing key: %w", err)
	}
	_, err = f.Write(append(raw, '\n'))
	return errors.Join(err, f.Close())
}

// Public is the half that goes into the member document and the key set.
func (k SigningKey) Public() jose.JSONWebKey { return k.jwk.Public() }

func signingKey(jwk jose.JSONWebKey) (SigningKey, error) {
	private, ok := jwk.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() || !jwk.Valid() {
		return SigningKey{}, errors.New("oauth: the signing key is not a P-256 private key")
	}
	kid, err := thumbprint(jwk)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: string(jose.ES256), Use: "sig"}}, nil
}

// thumbprint is the RFC 7638 SHA-256 thumbprint, base64url: the kid of our keys and the jkt of DPoP.
func thumbprint(jwk jose.JSONWebKey) (string, error) {
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("oauth: key thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// publicSet is the node's published key set.
func publicSet(signing SigningKey, others []jose.JSONWebKey) (jose.JSONWebKeySet, error) {
	if signing.jwk.Key == nil {
		return jose.JSONWebKeySet{}, errors.New("oauth: a signing key is required")
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{signing.Public()}}
	for _, other := range others {
		key := other.Public()
		if !fits(key, jose.ES256) {
			return jose.JSONWebKeySet{}, errors.New("oauth: the next and previous keys must be P-256")
		}
		kid, err := thumbprint(key)
		if err != nil {
			return jose.JSONWebKeySet{}, err
		}
		key.KeyID, key.Algorithm, key.Use = kid, string(jose.ES256), "sig"
		if len(set.Key(kid)) == 0 {
			set.Keys = append(set.Keys, key)
		}
	}
	return set, nil
}

// keyFor finds the one key that kid names and that alg may be used with. A kid that names two keys names none.
func keyFor(set jose.JSONWebKeySet, kid string, alg jose.SignatureAlgorithm) (jose.JSONWebKey, bool) {
	found := set.Key(kid)
	if len(found) != 1 {
		return jose.JSONWebKey{}, false
	}
	key := found[0]
	if key.Use != "" && key.Use != "sig" || key.Algorithm != "" && key.Algorithm != string(alg) || !fits(key, alg) {
		return jose.JSONWebKey{}, false
	}
	return key, true
}

// fits says whether key is a valid public key of the type and size that alg demands. Large RSA keys are refused too:
// a stranger chooses the key of a DPoP proof, and verifying costs grow with it.
func fits(key jose.JSONWebKey, alg jose.SignatureAlgorithm) bool {
	if !slices.Contains(accepted, alg) || !key.IsPublic() || !key.Valid() {
		return false
	}
	switch k := key.Key.(type) {
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return alg == jose.PS256 && k.N.BitLen() >= 2048 && k.N.BitLen() <= 4096
	default:
		return false
	}
}
