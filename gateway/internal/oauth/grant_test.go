package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const noord = "https://noord.example"

// RFC 9068 §2 and RFC 9449 §5, §6.1: the token that an ID-JAG grant is exchanged for.
func TestGrantGivesRFC9068Token(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	a := r.attempt(t, owner)
	a.grant["roles"] = []string{"reviewer"}
	got := a.send()
	raw := got.wantsToken(t)
	if got.body["token_type"] != "DPoP" || got.body["expires_in"] != 300.0 || got.body["scope"] != "case:read review:write" ||
		got.header.Get("Cache-Control") != "no-store" || got.header.Get("DPoP-Nonce") == "" {
		t.Errorf("RFC 6749 §5.1, RFC 9449 §5: %s %v", got.raw, got.header)
	}
	if _, ok := got.body["refresh_token"]; ok {
		t.Error("RFC 7521 §4.1: no refresh token for an assertion grant")
	}
	tok, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if h := tok.Headers[0]; h.ExtraHeaders[jose.HeaderType] != "at+jwt" || h.KeyID != owner.key.KeyID {
		t.Errorf("RFC 9068 §2.1: header %v", h)
	}
	var c claims
	if err := tok.Claims(owner.key.Public().Key, &c); err != nil {
		t.Fatal(err)
	}
	now := float64(owner.clock.Now().Unix())
	want := claims{
		"iss": owner.Issuer, "sub": noord + "|person-1", "aud": owner.Resource, "client_id": noord, "iat": now, "exp": now + 300,
		"scope": "case:read review:write", "idp": noord, "acr": "urn:zijlicht:link", "auth_time": now - 300,
		"cnf": claims{"jkt": r.dpop.KeyID}, "roles": []any{"reviewer"}, "jti": c["jti"],
	}
	x, _ := json.Marshal(want)
	y, _ := json.Marshal(c)
	if string(x) != string(y) {
		t.Errorf("RFC 9068 §2.2: claims\n%s, want\n%s", y, x)
	}
	if id, _ := c["jti"].(string); len(id) < 22 {
		t.Errorf("FAPI 2.0 §5.4: jti %q holds less than 128 bits", id)
	}
}

// fosite's rfc7523 handler (handler.go:106) accepts most of these.
func TestGrantRefused(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read")
	other := newReader(t, fed, "https://zuid.example", "case:read")
	now := owner.clock.Now().Unix()
	set := func(name string, v any) func(*attempt) { return func(a *attempt) { a.grant[name] = v } }
	drop := func(name string) func(*attempt) { return func(a *attempt) { delete(a.grant, name) } }
	for name, c := range map[string]struct {
		spoil        func(*attempt)
		code, reason string
	}{
		"ID-JAG: typ is missing":                   {func(a *attempt) { a.grantType = "" }, "invalid_grant", "grant.type"},
		"ID-JAG: an ID token is no grant":          {func(a *attempt) { a.grantType = "JWT" }, "invalid_grant", "grant.type"},
		"RFC 9068: an access token is no grant":    {func(a *attempt) { a.grantType = "at+jwt" }, "invalid_grant", "grant.type"},
		"a client assertion is no grant":           {func(a *attempt) { a.rawGrant = sign(t, r.key, "", false, a.client) }, "invalid_grant", "grant.type"},
		"RFC 7523 §3: aud of another server":       {set("aud", "https://zuid.example"), "invalid_grant", "grant.audience"},
		"RFC 7523 §3: aud is the token endpoint":   {set("aud", owner.url+"/oauth2/token"), "invalid_grant", "grant.audience"},
		"ID-JAG: two audiences":                    {set("aud", []string{owner.Issuer, "https://zuid.example"}), "invalid_grant", "grant.audience"},
		"RFC 7523 §3: no aud":                      {drop("aud"), "invalid_grant", "grant.audience"},
		"ID-JAG: client_id of another client":      {set("client_id", "https://zuid.example"), "invalid_grant", "grant.client"},
		"ID-JAG: no client_id":                     {drop("client_id"), "invalid_grant", "grant.client"},
		"RFC 7523 §3: iss of another organisation": {set("iss", other.id), "invalid_grant", "grant.issuer"},
		"RFC 7523 §3: no sub":                      {drop("sub"), "invalid_grant", "grant.subject"},
		"RFC 7523 §3: no exp":                      {drop("exp"), "invalid_grant", "grant.expiry"},
		"RFC 7523 §3: expired":                     {func(a *attempt) { a.grant["iat"], a.grant["exp"] = now-70, now-10 }, "invalid_grant", "grant.expired"},
		"RFC 7523 §3: iat in the future":           {func(a *attempt) { a.grant["iat"], a.grant["exp"] = now+11, now+70 }, "invalid_grant", "grant.not-yet-valid"},
		"RFC 7523 §3: nbf in the future":           {set("nbf", now+11), "invalid_grant", "grant.not-yet-valid"},
		"ID-JAG: lives longer than a minute":       {set("exp", now+61), "invalid_grant", "grant.lifetime"},
		"ID-JAG: no iat":                           {drop("iat"), "invalid_grant", "grant.issued-at"},
		"ID-JAG: no jti":                           {drop("jti"), "invalid_grant", "grant.identifier"},
		"FAPI 2.0 §5.4: jti under 128 bits":        {set("jti", "0123456789abcdef"), "invalid_grant", "grant.identifier"},
		"RFC 8725 §3.1: alg none":                  {func(a *attempt) { a.rawGrant = unsigned(t, a.grantType, a.grant) }, "invalid_grant", "grant.algorithm"},
		"RFC 8725 §3.1: HS256 with the public key": {func(a *attempt) { a.grantKey = hmacKey(t, r.key.Public()) }, "invalid_grant", "grant.algorithm"},
		"RFC 7515 §4.1.4: no kid":                  {func(a *attempt) { a.grantKey.KeyID = "" }, "invalid_grant", "grant.key-id"},
		"RFC 7515 §4.1.4: kid unknown":             {func(a *attempt) { a.grantKey = newKey(t) }, "invalid_grant", "grant.key"},
		"another key under the right kid":          {func(a *attempt) { k := newKey(t); k.KeyID = r.key.KeyID; a.grantKey = k }, "invalid_grant", "grant.signature"},
		"the key of another organisation":          {func(a *attempt) { a.grantKey = other.key }, "invalid_grant", "grant.key"},
		"a key that the message brings itself":     {func(a *attempt) { a.rawGrant = sign(t, newKey(t), a.grantType, true, a.grant) }, "invalid_grant", "grant.key-id"},
		"not a JWT":                                {func(a *attempt) { a.rawGrant = "x.y.z" }, "invalid_grant", "grant.malformed"},
		"claims of other types":                    {set("exp", "soon"), "invalid_grant", "grant.malformed"},
		"RFC 7800: bound to another key":           {set("cnf", claims{"jkt": other.dpop.KeyID}), "invalid_grant", "grant.confirmation"},
		"a role that is no role":                   {set("roles", []string{"<script>"}), "invalid_grant", "grant.roles"},
		"no assertion":                             {func(a *attempt) { a.form = func(f url.Values) { f.Del("assertion") } }, "invalid_request", "grant.missing"},
		"RFC 8707 §2: another resource":            {set("resource", "https://zuid.example/federation/v1"), "invalid_target", "resource.unknown"},
		"RFC 8707 §2: another resource asked for":  {func(a *attempt) { a.form = func(f url.Values) { f.Set("resource", "https://x.example") } }, "invalid_target", "resource.unknown"},
		"RFC 6749 §3.3: scope beyond the trust":    {func(*attempt) {}, "invalid_scope", "scope.not-allowed"},
		"RFC 6749 §3.3: scope beyond the grant":    {func(a *attempt) { a.form = func(f url.Values) { f.Set("scope", "case:read case:write") } }, "invalid_scope", "scope.not-in-grant"},
		"RFC 6749 §3.3: scope is exact":            {func(a *attempt) { a.form = func(f url.Values) { f.Set("scope", "case") } }, "invalid_scope", "scope.not-in-grant"},
		"RFC 6749 §3.3: scope malformed":           {func(a *attempt) { a.form = func(f url.Values) { f.Set("scope", "case:read  case:read") } }, "invalid_scope", "scope.malformed"},
		"no scope at all":                          {drop("scope"), "invalid_scope", "scope.missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := r.attempt(t, owner)
			if !strings.Contains(name, "beyond the trust") {
				a.grant["scope"] = "case:read"
			}
			c.spoil(a)
			got := a.send()
			got.wants(t, 400, c.code, c.reason)
			if strings.Contains(got.raw, a.rawGrant) || strings.Contains(got.raw, "person-1") {
				t.Error("the answer repeats the grant")
			}
		})
	}
	if n := owner.replayRows(t, "grant"); n != 0 {
		t.Errorf("%d refused grants were used up", n)
	}
}

// The tolerated skew (FAPI 2.0 §5.3.2.1: 10 s), an array of one audience, a narrower scope, a PS256 key, and no
// resource: all within the rules.
func TestGrantAccepted(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ps256 := withKID(t, jose.JSONWebKey{Key: private, Algorithm: "PS256", Use: "sig"})
	now := owner.clock.Now().Unix()
	for name, c := range map[string]struct {
		accept func(*attempt)
		scope  string
	}{
		"iat ten seconds ahead":  {func(a *attempt) { a.grant["iat"], a.grant["exp"] = now+10, now+70 }, "case:read"},
		"expired five seconds":   {func(a *attempt) { a.grant["iat"], a.grant["exp"] = now-65, now-5 }, "case:read"},
		"aud as an array of one": {func(a *attempt) { a.grant["aud"] = []string{owner.Issuer} }, "case:read"},
		"no resource":            {func(a *attempt) { delete(a.grant, "resource") }, "case:read"},
		"resource asked for":     {func(a *attempt) { a.form = func(f url.Values) { f.Set("resource", owner.Resource) } }, "case:read"},
		"a scope of two":         {func(a *attempt) { a.grant["scope"] = "case:read review:write" }, "case:read review:write"},
		"narrower than the grant": {func(a *attempt) {
			a.grant["scope"] = "case:read review:write"
			a.form = func(f url.Values) { f.Set("scope", "case:read") }
		}, "case:read"},
		"bound to the proof's key": {func(a *attempt) {
			a.grant["cnf"] = claims{"jkt": a.proofKey.KeyID}
		}, "case:read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReader(t, fed, "https://"+strings.ReplaceAll(name, " ", "-")+".example", "case:read", "review:write")
			a := r.attempt(t, owner)
			a.grant["scope"] = "case:read"
			c.accept(a)
			got := a.send()
			got.wantsToken(t)
			if got.body["scope"] != c.scope {
				t.Errorf("granted %v, want %s", got.body["scope"], c.scope)
			}
		})
	}
	t.Run("PS256", func(t *testing.T) {
		t.Parallel()
		fed.admit("https://ps.example", ps256.Public(), "case:read", "review:write")
		r := reader{id: "https://ps.example", key: ps256, dpop: ps256}
		r.attempt(t, owner).send().wantsToken(t)
	})
}

// The same sub from two issuers is two people.
func TestSubjectsOfTwoIssuersNeverCollide(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	seen := map[string]bool{}
	for _, id := range []string{noord, "https://noord.example.evil"} {
		for _, sub := range []string{"person-1", ".evil|person-1", "|person-1"} {
			r := newReader(t, fed, id, "case:read", "review:write")
			a := r.attempt(t, owner)
			a.grant["sub"] = sub
			tok, err := jwt.ParseSigned(a.send().wantsToken(t), []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				t.Fatal(err)
			}
			var c jwt.Claims
			if err := tok.UnsafeClaimsWithoutVerification(&c); err != nil || seen[c.Subject] {
				t.Fatalf("%q twice (%v)", c.Subject, err)
			}
			seen[c.Subject] = true
		}
	}
}
