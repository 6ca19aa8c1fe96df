package oauth

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// minSecretID is the length of 128 random bits in base64url, the shortest jti that others may send us.
	minSecretID = 22
	maxID       = 128
	maxName     = 255
)

// The values of typ that this package makes and accepts. They keep the kinds of message apart: an ID token or an
// access token is never a grant, and a grant is never an access token (RFC 8725 §3.11).
const (
	typGrant = "oauth-id-jag+jwt"
	typToken = "at+jwt"
	typProof = "dpop+jwt"
)

// signed is a parsed compact JWS whose signature has not been checked yet.
type signed struct {
	token *jwt.JSONWebToken
	typ   string
	kid   string
	alg   jose.SignatureAlgorithm
	jwk   *jose.JSONWebKey
}

// parse reads a compact JWS and admits only the algorithms named; `none` and HMAC never are.
func parse(raw string, algs ...jose.SignatureAlgorithm) (signed, *flaw) {
	token, err := jwt.ParseSigned(raw, algs)
	if err != nil {
		if bad := (*jose.ErrUnexpectedSignatureAlgorithm)(nil); errors.As(err, &bad) {
			return signed{}, &flaw{"algorithm", "signed with an algorithm that is not accepted"}
		}
		return signed{}, &flaw{"malformed", "not a signed token in compact form"}
	}
	h := token.Headers[0]
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	return signed{token: token, typ: typ, kid: h.KeyID, alg: jose.SignatureAlgorithm(h.Algorithm), jwk: h.JSONWebKey}, nil
}

// verify checks the signature with the one key of set that the header's kid names, then reads the claims. Keys that
// the message itself carries or points at (jwk, jku, x5c, x5u) are ignored.
func (m signed) verify(set jose.JSONWebKeySet, claims any) *flaw {
	if m.kid == "" {
		return &flaw{"key-id", "the header has no kid"}
	}
	key, ok := keyFor(set, m.kid, m.alg)
	if !ok {
		return &flaw{"key", "the kid names no usable key of the signer"}
	}
	return m.verifyWith(key, claims)
}

func (m signed) verifyWith(key jose.JSONWebKey, claims any) *flaw {
	if err := m.token.Claims(key.Key, claims); err != nil {
		if errors.Is(err, jose.ErrCryptoFailure) {
			return &flaw{"signature", "the signature does not verify"}
		}
		return &flaw{"malformed", "the claims are not of the expected types"}
	}
	return nil
}

// current checks exp, and iat and nbf where present, against now with the tolerated skew.
func current(iat, nbf, exp *jwt.NumericDate, now time.Time) *flaw {
	if exp == nil {
		return &flaw{"expiry", "exp is missing"}
	}
	if !now.Before(exp.Time().Add(leeway)) {
		return &flaw{"expired", "exp has passed"}
	}
	if iat != nil && iat.Time().After(now.Add(leeway)) || nbf != nil && nbf.Time().After(now.Add(leeway)) {
		return &flaw{"not-yet-valid", "iat or nbf lies in the future"}
	}
	return nil
}

// validID says whether s may serve as a single-use identifier: printable ASCII, and long enough to be unguessable.
func validID(s string, shortest int) bool {
	return len(s) >= shortest && len(s) <= maxID && printable(s)
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// validScope follows scope-token of RFC 6749 §3.3.
func validScope(s string) bool {
	return s != "" && len(s) <= 64 && printable(s) && !strings.ContainsAny(s, `"\`)
}

// scopes splits a scope value; each must be well formed and named once.
func scopes(raw string) ([]string, bool) {
	if raw == "" {
		return nil, true
	}
	list := strings.Split(raw, " ")
	for i, s := range list {
		if !validScope(s) || slices.Contains(list[:i], s) {
			return nil, false
		}
	}
	return list, len(list) <= 32
}

// within says whether every scope asked for is exactly one of those held.
func within(asked, held []string) bool {
	return !slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(held, s) })
}

// single is an aud claim that must hold one value, written as a string or as an array of one.
type single string

func (a *single) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = single(one)
		return nil
	}
	var many []string
	if err := json.Unmarshal(raw, &many); err != nil {
		return err
	}
	if len(many) == 1 {
		*a = single(many[0])
	}
	return nil
}
