package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

func compact(t *testing.T, signer jose.Signer, claims any) string {
	t.Helper()
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (a answer) wantsRefusal(t *testing.T, status int, code, reason string) {
	t.Helper()
	if a.status != status || a.body["error"] != code || a.body["reason"] != reason {
		t.Fatalf("answered %d %s, want %d %s %s", a.status, a.raw, status, code, reason)
	}
	challenge := a.header.Get("WWW-Authenticate")
	if status == 401 && (!strings.HasPrefix(challenge, `DPoP algs="ES256 PS256"`) || strings.Contains(challenge, `error="`+code+`"`) != (code != "")) {
		t.Errorf("RFC 9449 §7.1: challenge %q", challenge)
	}
	if a.header.Get("Cache-Control") != "no-store" {
		t.Error("no-store is missing")
	}
}

// RFC 9449 §7.1: a token is worth nothing without the proof that belongs to it.
func TestProofRefusedAtResource(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	token := r.attempt(t, owner).send().wantsToken(t)
	cases := spoiled(t, owner.clock.Now().Unix())
	for name, spoil := range map[string]func(*attempt){
		"RFC 9449 §4.3 12: no ath":               func(a *attempt) { delete(a.proof, "ath") },
		"RFC 9449 §4.3 12: ath of another token": func(a *attempt) { a.proof["ath"] = hash("other") },
	} {
		c := cases["RFC 9449 §4.3 8: another method"]
		c.spoil, c.reason = spoil, "dpop.token"
		cases[name] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner.read(t, r.dpop, token, c.spoil).wantsRefusal(t, 401, c.code, c.reason)
		})
	}
	t.Run("RFC 9449 §7.1: the proof of another key", func(t *testing.T) {
		t.Parallel()
		owner.read(t, newKey(t), token, nil).wantsRefusal(t, 401, "invalid_token", "token.key-binding")
	})
	t.Run("RFC 9449 §11.1: a proof is for one use", func(t *testing.T) {
		t.Parallel()
		jti := randomID()
		same := func(a *attempt) { a.proof["jti"] = jti }
		if got := owner.read(t, r.dpop, token, same); got.status != 200 {
			t.Fatal(got.raw)
		}
		owner.read(t, r.dpop, token, same).wantsRefusal(t, 401, "invalid_dpop_proof", "dpop.replayed")
	})
}

// RFC 9068 §4, for whatever else the node's own key might have signed.
func TestAccessTokenRefused(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	now := owner.clock.Now().Unix()
	good := func() claims {
		return claims{
			"iss": owner.Issuer, "sub": noord + "|person-1", "aud": owner.Resource, "client_id": noord, "jti": randomID(),
			"iat": now, "exp": now + 300, "scope": "case:read", "cnf": claims{"jkt": r.dpop.KeyID}, "idp": noord,
		}
	}
	if got := owner.read(t, r.dpop, sign(t, owner.key, "at+jwt", false, good()), nil); got.status != 200 {
		t.Fatalf("the token that the others are spoiled from is refused: %s", got.raw)
	}
	spoil := func(name string, v any) string {
		c := good()
		c[name] = v
		return sign(t, owner.key, "at+jwt", false, c)
	}
	grant, err := owner.MintGrant(t.Context(), oauth.Grant{
		Audience: owner.Issuer, Resource: owner.Resource, Subject: "p", Scope: []string{"case:read"}, JKT: r.dpop.KeyID,
	})
	if err != nil {
		t.Fatal(err)
	}
	forgedKey := newKey(t)
	forgedKey.KeyID = owner.key.KeyID
	for name, c := range map[string]struct{ token, reason string }{
		"RFC 9068 §4: a grant is no access token": {grant, "token.type"},
		"RFC 9068 §4: an ID token":                {sign(t, owner.key, "JWT", false, good()), "token.type"},
		"RFC 9068 §4: no typ":                     {sign(t, owner.key, "", false, good()), "token.type"},
		"RFC 9068 §4: iss of another":             {spoil("iss", "https://zuid.example"), "token.issuer"},
		"RFC 9068 §4: aud of another API":         {spoil("aud", "https://zuid.example/federation/v1"), "token.audience"},
		"RFC 9068 §4: aud is the issuer":          {spoil("aud", owner.Issuer), "token.audience"},
		"two audiences":                           {spoil("aud", []string{owner.Resource, "https://zuid.example"}), "token.audience"},
		"RFC 9068 §4: expired":                    {spoil("exp", now-10), "token.expired"},
		"RFC 9068 §2.2: no exp":                   {spoil("exp", nil), "token.expiry"},
		"iat in the future":                       {spoil("iat", now+11), "token.not-yet-valid"},
		"RFC 9068 §2.2: no sub":                   {spoil("sub", ""), "token.claims"},
		"RFC 9068 §2.2: no client_id":             {spoil("client_id", ""), "token.claims"},
		"RFC 9449 §6: not bound to a key":         {spoil("cnf", nil), "token.unbound"},
		"RFC 9068 §4: signed by the peer":         {sign(t, r.key, "at+jwt", false, good()), "token.key"},
		"RFC 9068 §4: another key, our kid":       {sign(t, forgedKey, "at+jwt", false, good()), "token.signature"},
		"RFC 8725 §3.1: alg none":                 {unsigned(t, "at+jwt", good()), "token.algorithm"},
		"RFC 8725 §3.1: HS256":                    {sign(t, hmacKey(t, owner.key.Public()), "at+jwt", false, good()), "token.algorithm"},
		"not a JWT":                               {"AAAA", "token.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner.read(t, r.dpop, c.token, nil).wantsRefusal(t, 401, "invalid_token", c.reason)
		})
	}
	token := sign(t, owner.key, "at+jwt", false, good())
	header := func(edit func(*http.Request)) func(*attempt) { return func(a *attempt) { a.request = edit } }
	for name, c := range map[string]struct {
		edit   func(*http.Request)
		status int
		code   string
		reason string
	}{
		"RFC 6750 §3.1: nothing sent":       {func(q *http.Request) { q.Header.Del("Authorization") }, 401, "", "token.missing"},
		"RFC 9449 §7.2: as Bearer":          {func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+token) }, 401, "invalid_token", "token.scheme"},
		"two tokens":                        {func(q *http.Request) { q.Header.Add("Authorization", "DPoP "+token) }, 400, "invalid_request", "token.duplicate"},
		"FAPI 2.0 §5.3.4: token in the URL": {func(q *http.Request) { q.URL.RawQuery = "access_token=" + token }, 400, "invalid_request", "token.in-url"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			owner.read(t, r.dpop, token, header(c.edit)).wantsRefusal(t, c.status, c.code, c.reason)
		})
	}
}

// A token lives five minutes and ten seconds of skew, not longer.
func TestAccessTokenExpires(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	token := r.attempt(t, owner).send().wantsToken(t)
	owner.clock.advance(5*time.Minute + 9*time.Second)
	if got := owner.read(t, r.dpop, token, nil); got.status != 200 {
		t.Fatal(got.raw)
	}
	owner.clock.advance(time.Second)
	owner.read(t, r.dpop, token, nil).wantsRefusal(t, 401, "invalid_token", "token.expired")
}

// Tokens signed before a rotation are honoured while the old key is published, and not after.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	token := r.attempt(t, owner).send().wantsToken(t)
	rotated := owner.Config
	rotated.SigningKey, rotated.OtherKeys = load(t, newKey(t)), []jose.JSONWebKey{owner.SigningKey.Public()}
	var err error
	if owner.Server, err = oauth.New(rotated); err != nil {
		t.Fatal(err)
	}
	if got := owner.read(t, r.dpop, token, nil); got.status != 200 {
		t.Fatal(got.raw)
	}
	rotated.OtherKeys = nil
	if owner.Server, err = oauth.New(rotated); err != nil {
		t.Fatal(err)
	}
	owner.read(t, r.dpop, token, nil).wantsRefusal(t, 401, "invalid_token", "token.key")
}
