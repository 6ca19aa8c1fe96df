package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// maxProof bounds the DPoP header: a 4096-bit RSA key and its signature fit.
	maxProof = 4 << 10
	// minProofID is shorter than minSecretID: RFC 9449 §4.2 asks for 96 bits, and the nonce adds the rest.
	minProofID = 16
	// nonceEvery is the life of a nonce; the one before it is still accepted.
	nonceEvery = 5 * time.Minute
)

// proofClaims are the claims of a DPoP proof (RFC 9449 §4.2).
type proofClaims struct {
	ID       string           `json:"jti"`
	Method   string           `json:"htm"`
	URL      string           `json:"htu"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	Hash     string           `json:"ath,omitempty"`
	Nonce    string           `json:"nonce,omitempty"`
}

// proof is a proof that holds; it is not used up until spendProof.
type proof struct {
	jkt   string
	id    string
	until time.Time
}

// checkProof checks everything of RFC 9449 §4.3 but replay. publicURL is the request's URL as the client knows it;
// token is the access token beside it, empty at the token endpoint. A stale nonce is found last, so that the challenge
// goes only to a proof that is otherwise right.
func (s *Server) checkProof(r *http.Request, publicURL, token string) (proof, *Refusal) {
	refused := func(reason, text string) (proof, *Refusal) {
		out := invalidProof("dpop."+reason, text)
		out.nonce = s.Nonce()
		return proof{}, out
	}
	headers := r.Header.Values("DPoP")
	switch {
	case len(headers) == 0:
		return refused("missing", "a DPoP proof is required")
	case len(headers) > 1:
		return refused("duplicate", "send one DPoP proof")
	case len(headers[0]) > maxProof:
		return refused("too-large", "the DPoP proof is too long")
	}
	m, bad := parse(headers[0], accepted...)
	if bad != nil {
		return refused(bad.reason, bad.text)
	}
	if m.typ != typProof {
		return refused("type", "typ must be "+typProof)
	}
	if m.jwk == nil || !fits(*m.jwk, m.alg) {
		return refused("key", "jwk must be a public key that fits alg")
	}
	var c proofClaims
	if bad := m.verifyWith(*m.jwk, &c); bad != nil {
		return refused(bad.reason, bad.text)
	}
	now := s.conf.Now()
	switch {
	case !validID(c.ID, minProofID):
		return refused("identifier", "jti is missing, too short or too long")
	case c.Method != r.Method:
		return refused("method", "htm is not the method of this request")
	case !sameURL(c.URL, publicURL):
		return refused("url", "htu is not the URL of this request")
	case c.IssuedAt == nil || now.Sub(c.IssuedAt.Time()).Abs() > proofWindow:
		return refused("issued-at", "iat is not within a minute of now")
	case token != "" && !hmac.Equal([]byte(c.Hash), []byte(hashToken(token))):
		return refused("token", "ath is not the hash of the access token")
	case !s.nonces.valid(c.Nonce, now):
		out := &Refusal{
			Status: http.StatusBadRequest, Code: "use_dpop_nonce", Reason: "dpop.nonce",
			Text: "use the nonce in the DPoP-Nonce header", nonce: s.Nonce(),
		}
		return proof{}, out
	}
	jkt, err := thumbprint(*m.jwk)
	if err != nil {
		return refused("key", "jwk must be a public key that fits alg")
	}
	return proof{jkt: jkt, id: c.ID, until: c.IssuedAt.Time().Add(proofWindow + leeway)}, nil
}

// spendProof uses a proof up. It comes after the client or the token has been checked, so that strangers cannot fill
// the table.
func (s *Server) spendProof(ctx context.Context, p proof) error {
	switch err := s.spend(ctx, kindProof, p.jkt, p.id, p.until); {
	case errors.Is(err, errSpent):
		out := invalidProof("dpop.replayed", "this DPoP proof was used before")
		out.nonce = s.Nonce()
		return out
	case err != nil:
		return unavailable(err)
	}
	return nil
}

// Nonce is the current DPoP nonce. Sending it with every answer spares clients the round trip of a challenge.
func (s *Server) Nonce() string { return s.nonces.at(s.conf.Now()) }

// nonces makes DPoP nonces out of the time, so that nothing is kept and every process of a node agrees.
type nonces struct {
	key    []byte
	issuer string
}

func (n nonces) at(t time.Time) string {
	mac := hmac.New(sha256.New, n.key)
	mac.Write([]byte("dpop-nonce\x00" + n.issuer + "\x00"))
	_ = binary.Write(mac, binary.BigEndian, t.Unix()/int64(nonceEvery/time.Second))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

func (n nonces) valid(nonce string, now time.Time) bool {
	return hmac.Equal([]byte(nonce), []byte(n.at(now))) || hmac.Equal([]byte(nonce), []byte(n.at(now.Add(-nonceEvery))))
}

// hashToken is ath: the base64url SHA-256 of the access token.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameURL compares two HTTP URLs without query and fragment, after the normalisation of RFC 3986 §6.2.2 and §6.2.3.
func sameURL(a, b string) bool {
	x, ok := normalURL(a)
	y, fine := normalURL(b)
	return ok && fine && x == y
}

func normalURL(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + path, scheme == "https" || scheme == "http"
}

// secureURL admits a URL to which a token may travel: https, or plain http to a loopback address. A name such as
// localhost is not enough, because whoever answers for names could point it elsewhere.
func secureURL(u *url.URL) error {
	switch {
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "":
		return errors.New("not an absolute URL without user and fragment")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback():
		return nil
	default:
		return errors.New("plain http is for loopback addresses only")
	}
}
