package oauth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
)

// private_key_jwt and nothing else: RFC 7523 §3 and FAPI 2.0 §5.3.2.1.
func TestClientAssertionRefused(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	now := owner.clock.Now().Unix()
	set := func(name string, v any) func(*attempt) { return func(a *attempt) { a.client[name] = v } }
	drop := func(name string) func(*attempt) { return func(a *attempt) { delete(a.client, name) } }
	form := func(edit func(url.Values)) func(*attempt) { return func(a *attempt) { a.form = edit } }
	for name, c := range map[string]struct {
		spoil  func(*attempt)
		reason string
	}{
		"no client authentication": {form(func(f url.Values) {
			f.Del("client_assertion")
			f.Del("client_assertion_type")
		}), "client.missing"},
		"client_id alone is no authentication": {form(func(f url.Values) {
			f.Del("client_assertion")
			f.Set("client_id", noord)
		}), "client.missing"},
		"another assertion type":                  {form(func(f url.Values) { f.Set("client_assertion_type", "urn:x:saml2-bearer") }), "client.missing"},
		"FAPI 2.0: no client_secret_post":         {form(func(f url.Values) { f.Set("client_secret", "x") }), "client.method"},
		"FAPI 2.0: no client_secret_basic":        {func(a *attempt) { a.request = func(q *http.Request) { q.SetBasicAuth(noord, "x") } }, "client.method"},
		"client_id of another":                    {form(func(f url.Values) { f.Set("client_id", "https://zuid.example") }), "client.id"},
		"RFC 7523 §3: iss is not sub":             {set("iss", "https://zuid.example"), "client.issuer"},
		"RFC 7523 §3: no sub":                     {drop("sub"), "client.id"},
		"unknown client":                          {func(a *attempt) { a.client["sub"], a.client["iss"] = "https://ver.example", "https://ver.example" }, "client.unknown"},
		"FAPI 2.0: aud of another server":         {set("aud", "https://zuid.example"), "client.audience"},
		"FAPI 2.0: aud is the token endpoint":     {set("aud", owner.url+"/oauth2/token"), "client.audience"},
		"FAPI 2.0: aud is an array":               {set("aud", []string{owner.Issuer}), "client.malformed"},
		"FAPI 2.0: aud names two servers":         {set("aud", []string{owner.Issuer, "https://zuid.example"}), "client.malformed"},
		"RFC 7523 §3: no aud":                     {drop("aud"), "client.audience"},
		"RFC 7523 §3: no exp":                     {drop("exp"), "client.expiry"},
		"RFC 7523 §3: expired":                    {func(a *attempt) { a.client["iat"], a.client["exp"] = now-70, now-10 }, "client.expired"},
		"RFC 7523 §3: exp unreasonably far":       {set("exp", now+71), "client.lifetime"},
		"RFC 7523 §3: iat in the future":          {func(a *attempt) { a.client["iat"], a.client["exp"] = now+11, now+60 }, "client.not-yet-valid"},
		"RFC 7523 §3: nbf in the future":          {set("nbf", now+11), "client.not-yet-valid"},
		"FAPI 2.0 §5.4: jti under 128 bits":       {set("jti", "short"), "client.identifier"},
		"no jti":                                  {drop("jti"), "client.identifier"},
		"a jti to fill the table with":            {set("jti", strings.Repeat("x", 129)), "client.identifier"},
		"RFC 8725 §3.1: alg none":                 {func(a *attempt) { a.rawClient = unsigned(t, "JWT", a.client) }, "client.algorithm"},
		"RFC 8725 §3.1: HS256, client_secret_jwt": {func(a *attempt) { a.clientKey = hmacKey(t, r.key.Public()) }, "client.algorithm"},
		"no kid":                               {func(a *attempt) { a.clientKey.KeyID = "" }, "client.key-id"},
		"kid unknown":                          {func(a *attempt) { a.clientKey = newKey(t) }, "client.key"},
		"another key under the right kid":      {func(a *attempt) { k := newKey(t); k.KeyID = r.key.KeyID; a.clientKey = k }, "client.signature"},
		"RFC 8725 §3.11: a grant is no client": {func(a *attempt) { a.clientType = "oauth-id-jag+jwt" }, "client.type"},
		"RFC 8725 §3.11: a proof is no client": {func(a *attempt) { a.clientType = "dpop+jwt" }, "client.type"},
		"not a JWT":                            {func(a *attempt) { a.rawClient = "a.b" }, "client.malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := r.attempt(t, owner)
			c.spoil(a)
			got := a.send()
			got.wants(t, 401, "invalid_client", c.reason)
			if strings.Contains(got.raw, a.rawClient) {
				t.Error("the answer repeats the assertion")
			}
		})
	}
	for _, kind := range []string{"client", "grant", "dpop"} {
		if n := owner.replayRows(t, kind); n != 0 {
			t.Errorf("strangers put %d rows of kind %s into the table", n, kind)
		}
	}
}

// A kid that names two keys names none, and an encryption key does not sign.
func TestAmbiguousAndUnusableKeys(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	for name, edit := range map[string]func(k jose.JSONWebKey) []jose.JSONWebKey{
		"twice the kid":  func(k jose.JSONWebKey) []jose.JSONWebKey { return []jose.JSONWebKey{k, k} },
		"for encryption": func(k jose.JSONWebKey) []jose.JSONWebKey { k.Use = "enc"; return []jose.JSONWebKey{k} },
		"for PS256":      func(k jose.JSONWebKey) []jose.JSONWebKey { k.Algorithm = "PS256"; return []jose.JSONWebKey{k} },
		"no keys":        func(jose.JSONWebKey) []jose.JSONWebKey { return nil },
	} {
		id := "https://" + strings.ReplaceAll(name, " ", "-") + ".example"
		r := newReader(t, fed, id, "case:read")
		fed.party[id] = oauth.Party{Keys: jose.JSONWebKeySet{Keys: edit(r.key.Public())}, Scopes: []string{"case:read"}}
		r.attempt(t, owner).send().wants(t, 401, "invalid_client", "client.key")
	}
}

// client_authentication.go:180 of fosite marks the jti before it looks at aud, so that a server that was handed an
// assertion meant for another could burn it there.
func TestAssertionForAnotherServerIsNotBurnt(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	a := r.attempt(t, owner)
	jti := a.client["jti"]
	a.client["aud"] = "https://zuid.example"
	a.send().wants(t, 401, "invalid_client", "client.audience")
	a = r.attempt(t, owner)
	a.client["jti"] = jti
	a.send().wantsToken(t)
	a = r.attempt(t, owner)
	a.client["jti"] = jti
	a.send().wants(t, 401, "invalid_client", "client.replayed")
}

// A jti is single use within its issuer: two organisations may happen to choose the same.
func TestIdentifiersArePerIssuer(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	jti := randomID()
	for _, id := range []string{noord, "https://zuid.example"} {
		a := newReader(t, fed, id, "case:read", "review:write").attempt(t, owner)
		a.client["jti"], a.grant["jti"], a.proof["jti"] = jti, jti, jti
		a.send().wantsToken(t)
	}
}

// A suspended or unknown member gets nothing at its next grant; if that cannot be known, nobody does.
func TestTrustIsAskedAtEveryGrant(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	r := newReader(t, fed, noord, "case:read", "review:write")
	r.attempt(t, owner).send().wantsToken(t)

	fed.failWith(noord, &oauth.SuspendedError{Reason: "member.suspended"})
	r.attempt(t, owner).send().wants(t, 401, "invalid_client", "member.suspended")
	if got := owner.lastRefused(); got != (oauth.Refused{Code: "invalid_client", Reason: "member.suspended"}) {
		t.Errorf("security log got %+v", got)
	}
	fed.failWith(noord, errors.New("the member document is eleven minutes old"))
	got := r.attempt(t, owner).send()
	got.wants(t, 503, "temporarily_unavailable", "oauth.unavailable")
	if strings.Contains(got.raw, "eleven") {
		t.Error("internal detail left")
	}
	fed.failWith(noord, nil)
	rotated := newKey(t)
	fed.admit(noord, rotated.Public(), "case:read")
	r.attempt(t, owner).send().wants(t, 401, "invalid_client", "client.key")
}

// RFC 6749 §4.4 for the node's own machines.
func TestClientCredentials(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	m := reader{id: "etl-1", key: newKey(t), dpop: newKey(t)}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{m.key.Public()}}
	if err := owner.clients.Add(t.Context(), m.id, set, []string{"audit:read"}); err != nil {
		t.Fatal(err)
	}
	ask := func(scope string) *attempt {
		a := m.attempt(t, owner)
		a.form = func(f url.Values) {
			f.Set("grant_type", "client_credentials")
			f.Set("scope", scope)
			f.Del("assertion")
		}
		return a
	}
	got := ask("audit:read").send()
	raw := got.wantsToken(t)
	if got.body["token_type"] != "DPoP" || got.body["refresh_token"] != nil {
		t.Errorf("RFC 6749 §4.4.3: %s", got.raw)
	}
	res := owner.read(t, m.dpop, raw, nil)
	access, _ := res.body["access"].(map[string]any)
	if res.status != 200 || access["Subject"] != "etl-1" || access["ClientID"] != "etl-1" || access["Issuer"] != "" {
		t.Errorf("RFC 9068 §2.2: sub is the client: %s", res.raw)
	}
	ask("case:read").send().wants(t, 400, "invalid_scope", "scope.not-allowed")
	ask("").send().wants(t, 400, "invalid_scope", "scope.missing")
	m.attempt(t, owner).send().wants(t, 400, "unauthorized_client", "client.grant-type")

	peer := newReader(t, fed, noord, "case:read").attempt(t, owner)
	peer.form = ask("case:read").form
	peer.send().wants(t, 400, "unauthorized_client", "client.grant-type")

	without := ask("audit:read")
	without.proofs = []string{}
	without.send().wants(t, 400, "invalid_dpop_proof", "dpop.missing")

	again := ask("audit:read")
	again.send().wantsToken(t)
	proof := again.proofs
	again = ask("audit:read")
	again.proofs = proof
	again.send().wants(t, 400, "invalid_dpop_proof", "dpop.replayed")

	if err := owner.clients.Disable(t.Context(), m.id); err != nil {
		t.Fatal(err)
	}
	ask("audit:read").send().wants(t, 401, "invalid_client", "client.disabled")
	if err := owner.clients.Disable(t.Context(), "nobody"); !errors.Is(err, oauth.ErrUnknownParty) {
		t.Errorf("disable nobody: %v", err)
	}
}

func TestAddClientRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	owner := startNode(t, newClock(), newFederation())
	key := newKey(t)
	for name, c := range map[string]struct {
		id     string
		keys   []jose.JSONWebKey
		scopes []string
	}{
		"a URL":         {noord, []jose.JSONWebKey{key.Public()}, nil},
		"no key":        {"etl-1", nil, nil},
		"a private key": {"etl-1", []jose.JSONWebKey{key}, nil},
		"a bad scope":   {"etl-1", []jose.JSONWebKey{key.Public()}, []string{"a b"}},
	} {
		if err := owner.clients.Add(t.Context(), c.id, jose.JSONWebKeySet{Keys: c.keys}, c.scopes); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A peer's name is an origin, whatever a register says: a bar or a path in it could make two subjects one.
func TestPeerIsAnOrigin(t *testing.T) {
	t.Parallel()
	fed := newFederation()
	owner := startNode(t, newClock(), fed)
	for _, id := range []string{noord + "/x|y", noord + "/", "http://noord.example", "urn://noord"} {
		r := newReader(t, fed, id, "case:read", "review:write")
		r.attempt(t, owner).send().wants(t, 401, "invalid_client", "client.unknown")
	}
}
