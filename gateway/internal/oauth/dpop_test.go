package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

// spoiled are the ways in which a proof is refused, at the token endpoint and at the resource alike (RFC 9449 §4.3).
func spoiled(t *testing.T, now int64) map[string]struct {
	spoil        func(*attempt)
	code, reason string
} {
	set := func(name string, v any) func(*attempt) { return func(a *attempt) { a.proof[name] = v } }
	return map[string]struct {
		spoil        func(*attempt)
		code, reason string
	}{
		"RFC 9449 §4.3 1: without proof": {func(a *attempt) { a.proofs = []string{} }, "invalid_dpop_proof", "dpop.missing"},
		"RFC 9449 §4.3 1: two proofs": {func(a *attempt) {
			p := sign(t, a.proofKey, a.prfType, true, a.proof)
			a.proofs = []string{p, p}
		}, "invalid_dpop_proof", "dpop.duplicate"},
		"RFC 9449 §4.3 2: not a JWT":     {func(a *attempt) { a.proofs = []string{"proof"} }, "invalid_dpop_proof", "dpop.malformed"},
		"a huge proof":                   {set("pad", strings.Repeat("x", 5000)), "invalid_dpop_proof", "dpop.too-large"},
		"RFC 9449 §4.3 3: no jti":        {set("jti", ""), "invalid_dpop_proof", "dpop.identifier"},
		"RFC 9449 §4.3 3: jti too short": {set("jti", "0123456789abcde"), "invalid_dpop_proof", "dpop.identifier"},
		"RFC 9449 §4.3 3: no iat":        {set("iat", nil), "invalid_dpop_proof", "dpop.issued-at"},
		"RFC 9449 §4.3 4: typ":           {func(a *attempt) { a.prfType = "JWT" }, "invalid_dpop_proof", "dpop.type"},
		"RFC 9449 §4.3 5: alg none":      {func(a *attempt) { a.proofs = []string{unsigned(t, "dpop+jwt", a.proof)} }, "invalid_dpop_proof", "dpop.algorithm"},
		"RFC 9449 §4.3 5: HS256": {func(a *attempt) {
			a.proofs = []string{sign(t, hmacKey(t, a.proofKey.Public()), "dpop+jwt", false, a.proof)}
		}, "invalid_dpop_proof", "dpop.algorithm"},
		"RFC 9449 §4.3 6: jwk is missing":           {func(a *attempt) { a.proofs = []string{sign(t, a.proofKey, "dpop+jwt", false, a.proof)} }, "invalid_dpop_proof", "dpop.key"},
		"RFC 9449 §4.3 6: signed by another key":    {func(a *attempt) { a.proofs = []string{forged(t, a.proof)} }, "invalid_dpop_proof", "dpop.signature"},
		"RFC 9449 §4.3 7: jwk with the private key": {func(a *attempt) { a.proofs = []string{leaking(t, a.proofKey, a.proof)} }, "invalid_dpop_proof", "dpop.malformed"},
		"RFC 9449 §4.3 8: another method":           {set("htm", "DELETE"), "invalid_dpop_proof", "dpop.method"},
		"RFC 9449 §4.3 8: method in lower case":     {set("htm", "post"), "invalid_dpop_proof", "dpop.method"},
		"RFC 9449 §4.3 9: another server":           {set("htu", "https://zuid.example/oauth2/token"), "invalid_dpop_proof", "dpop.url"},
		"RFC 9449 §4.3 9: another path":             {func(a *attempt) { a.proof["htu"] = a.owner.url + "/other" }, "invalid_dpop_proof", "dpop.url"},
		"RFC 9449 §4.3 11: too old":                 {set("iat", now-61), "invalid_dpop_proof", "dpop.issued-at"},
		"RFC 9449 §4.3 11: in the future":           {set("iat", now+61), "invalid_dpop_proof", "dpop.issued-at"},
		"RFC 9449 §8: no nonce":                     {set("nonce", ""), "use_dpop_nonce", "dpop.nonce"},
		"RFC 9449 §8: a made-up nonce":              {set("nonce", "AAAAAAAAAAAAAAAAAAAAAA"), "use_dpop_nonce", "dpop.nonce"},
	}
}

// forged carries one key and is signed with another.
func forged(t *testing.T, claims any) string {
	t.Helper()
	a, b := strings.Split(sign(t, newKey(t), "dpop+jwt", true, claims), "."), strings.Split(sign(t, newKey(t), "dpop+jwt", true, claims), ".")
	return a[0] + "." + a[1] + "." + b[2]
}

// leaking carries the private key in its header.
func leaking(t *testing.T, key jose.JSONWebKey, claims any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key.Key},
		(&jose.SignerOptions{}).WithType("dpop+jwt").WithHeader("jwk", key))
	if err != nil {
		t.Fatal(err)
	}
	return compact(t, signer, claims)
}

func TestProofRefusedAtTokenEndpoint(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	for name, c := range spoiled(t, owner.clock.Now().Unix()) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := r.attempt(t, owner)
			c.spoil(a)
			got := a.send()
			got.wants(t, 400, c.code, c.reason)
			if got.header.Get("DPoP-Nonce") != owner.Nonce() {
				t.Error("RFC 9449 §8: no nonce to go on with")
			}
		})
	}
	if n := owner.replayRows(t, "dpop") + owner.replayRows(t, "client"); n != 0 {
		t.Errorf("%d rows written for requests that were refused", n)
	}
}

// RFC 9449 §8: the current nonce and the one before it are accepted, and no older one.
func TestNonceBuckets(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	old := owner.Nonce()
	for range 2 {
		a := r.attempt(t, owner)
		a.proof["nonce"] = old
		a.send().wantsToken(t)
		owner.clock.advance(5 * time.Minute)
	}
	a := r.attempt(t, owner)
	a.proof["nonce"] = old
	got := a.send()
	got.wants(t, 400, "use_dpop_nonce", "dpop.nonce")
	if fresh := got.header.Get("DPoP-Nonce"); fresh == old || fresh != owner.Nonce() {
		t.Errorf("offered %q", fresh)
	}
	// Processes with one nonce key agree; others do not.
	twin := owner.Config
	twin.NonceKey = []byte(strings.Repeat("k", 32))
	x, _ := oauth.New(twin)
	y, _ := oauth.New(twin)
	if x.Nonce() != y.Nonce() || x.Nonce() == owner.Nonce() {
		t.Error("nonces do not follow the key")
	}
}

// read asks the owner's API for a case with a token and a proof.
func (n *node) read(t *testing.T, dpop jose.JSONWebKey, token string, spoil func(*attempt)) answer {
	t.Helper()
	a := &attempt{
		t: t, owner: n, proofKey: dpop, prfType: "dpop+jwt",
		proof: claims{
			"jti": randomID(), "htm": "POST", "htu": n.url + "/federation/v1/cases", "iat": n.clock.Now().Unix(),
			"nonce": n.Nonce(), "ath": hash(token),
		},
	}
	if spoil != nil {
		spoil(a)
	}
	if a.proofs == nil {
		a.proofs = []string{sign(t, a.proofKey, a.prfType, true, a.proof)}
	}
	req, err := http.NewRequest(http.MethodPost, n.url+"/federation/v1/cases?page=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "DPoP "+token)
	}
	req.Header["Dpop"] = a.proofs
	if a.request != nil {
		a.request(req)
	}
	return do(t, req)
}
