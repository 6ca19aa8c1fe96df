package gateway

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

type claims = map[string]any

func signed(t *testing.T, key jose.JSONWebKey, typ string, embed bool, c claims) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ)))
	must(t, err)
	raw, err := jwt.Signed(s).Claims(c).Serialize()
	must(t, err)
	return raw
}

func randomID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// holder is a peer organisation or a machine client, with everything in its own hands.
type holder struct {
	id        string
	key, dpop jose.JSONWebKey
}

// peer is an organisation of the federation with these marks.
func (a *anchor) peer(t *testing.T, id string, marks ...string) holder {
	t.Helper()
	h := holder{id: id, key: newKey(t), dpop: newKey(t)}
	a.admit(id, members.Public(h.key), marks...)
	return h
}

// machine is a client of the node.
func (n *node) machineClient(t *testing.T, id string, scopes ...string) holder {
	t.Helper()
	h := holder{id: id, key: newKey(t), dpop: newKey(t)}
	must(t, Clients{Pool: n.Pool, Now: n.Now}.Add(t.Context(), id, members.Public(h.key), scopes))
	return h
}

// ask is a token request: for a peer with a grant about a person, for a machine with none.
func (h holder) ask(t *testing.T, n *node, scope string) answer {
	t.Helper()
	now := n.clock.Now().Unix()
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion": {signed(t, h.key, "JWT", false, claims{
			"iss": h.id, "sub": h.id, "aud": n.url, "jti": randomID(), "iat": now, "exp": now + 60,
		})},
	}
	if strings.Contains(h.id, "://") {
		form.Set("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
		form.Set("assertion", signed(t, h.key, "oauth-id-jag+jwt", false, claims{
			"iss": h.id, "sub": "persoon-1", "aud": n.url, "client_id": h.id, "jti": randomID(), "iat": now, "exp": now + 60,
			"scope": scope, "roles": []string{"privacy-officer"}, "acr": "urn:example:acr",
		}))
	}
	return n.do(t, http.MethodPost, "/oauth2/token", form.Encode(), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}, header("DPoP", h.proof(t, n, http.MethodPost, "/oauth2/token", "")))
}

func (h holder) token(t *testing.T, n *node, scope string) string {
	t.Helper()
	a := h.ask(t, n, scope)
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.raw), &got); err != nil || got.AccessToken == "" {
		t.Fatalf("no token: %d %s", a.status, a.raw)
	}
	return got.AccessToken
}

func (h holder) proof(t *testing.T, n *node, method, path, token string, edit ...func(claims)) string {
	t.Helper()
	c := claims{"jti": randomID(), "htm": method, "htu": n.url + path, "iat": n.clock.Now().Unix(), "nonce": n.oauth.Nonce()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		c["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for _, e := range edit {
		e(c)
	}
	return signed(t, h.dpop, "dpop+jwt", true, c)
}

// with is a request with a token and a fresh proof.
func (h holder) with(t *testing.T, n *node, token string) option {
	return func(r *http.Request) {
		r.Header.Set("Authorization", "DPoP "+token)
		r.Header.Set("DPoP", h.proof(t, n, r.Method, r.URL.EscapedPath(), token))
	}
}

const zuid = "https://zuid.example"

const sharedCase = "/federation/v1/cases/AbcAbcAbcAbcAbcAbcAbcA?purpose=learning-in-circle"

func TestPeers(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	peer := n.anchor.peer(t, zuid, markReview)
	plain := n.anchor.peer(t, "https://west.example")
	n.refresh()
	token := peer.token(t, n, "case:read notice:deliver")

	n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, token)).wantsOK(t)
	c := n.said.last().caller
	if c.GetSubject() != zuid+"|persoon-1" || c.GetOrganisation() != zuid || c.GetOrganisationState() != "active" ||
		strings.Join(c.GetRoles(), " ") != "reviewer notifier" || len(c.GetCircles()) != 1 || c.GetClient() != zuid {
		t.Errorf("caller %v", c)
	}
	// What it wants to be is for this node to say.
	if strings.Contains(c.String(), "privacy-officer") {
		t.Error("a peer chose a role")
	}
	n.do(t, http.MethodGet, "/federation/v1/cases/a%20b%3Fc?purpose=learning-in-circle", "", peer.with(t, n, token)).wants(t, 400, "invalid-argument")
	n.do(t, http.MethodGet, "/federation/v1/cases/AbcAbcAbcAbcAbcAbcAbcA?purpose=appraisal", "", peer.with(t, n, token)).wants(t, 403, "purpose.not_agreed")
	n.do(t, http.MethodGet, sharedCase+"&x=1", "", peer.with(t, n, token)).wants(t, 400, "invalid-argument")
	n.do(t, http.MethodPost, "/federation/v1/messages", `{}`, peer.with(t, n, token)).wants(t, 403, "role.missing")
	n.do(t, http.MethodPost, "/federation/v1/notices", `{"kind":"?"}`, peer.with(t, n, token)).wants(t, 400, "invalid-argument")
	n.do(t, http.MethodPost, "/federation/v1/notices", `{"x":1}`, peer.with(t, n, token)).wants(t, 400, "invalid-argument")
	n.do(t, http.MethodPost, "/federation/v1/notices", "{\"kind\":\"\xff\"}", peer.with(t, n, token)).wants(t, 400, "invalid-argument")
	n.do(t, http.MethodPost, "/federation/v1/notices", strings.Repeat(" ", 1<<20+1), peer.with(t, n, token)).wants(t, 413, "too-large")

	before := n.said.count()
	n.do(t, http.MethodGet, "/api/v1/circles", "", peer.with(t, n, token)).wants(t, 404, "not-found")
	n.do(t, http.MethodPost, "/api/v1/cases", newCase, peer.with(t, n, token)).wants(t, 404, "not-found")
	if a := plain.ask(t, n, "case:read"); a.status != 400 || !strings.Contains(a.raw, "invalid_scope") {
		t.Errorf("without the mark: %d %s", a.status, a.raw)
	}
	// A person's session is nothing to another organisation's door.
	n.do(t, http.MethodGet, sharedCase, "", n.as(n.member(t).session)).wants(t, 401, "token.missing")
	if n.said.count() != before {
		t.Error("one of them reached a service")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	peer := n.anchor.peer(t, zuid, markReview)
	n.refresh()
	client := n.machineClient(t, "rooster", scopeCircles)
	now := n.clock.Now().Unix()
	jkt := func(h holder) string { return h.dpop.KeyID }
	right := func() claims {
		return claims{
			"iss": n.url, "sub": zuid + "|persoon-1", "aud": n.url + federationPath, "client_id": zuid, "jti": randomID(), "iat": now,
			"exp": now + 300, "scope": "case:read", "idp": zuid, "cnf": claims{"jkt": jkt(peer)},
		}
	}
	forge := func(key jose.JSONWebKey, typ string, edit func(claims)) string {
		c := right()
		edit(c)
		return signed(t, key, typ, false, c)
	}
	nothing := func(claims) {}
	stranger := newKey(t)
	stranger.KeyID = n.key.KeyID
	good := forge(n.key, "at+jwt", nothing)
	machine := client.token(t, n, scopeCircles)
	used := peer.proof(t, n, http.MethodGet, "/federation/v1/cases/AbcAbcAbcAbcAbcAbcAbcA", good)

	for _, door := range []string{sharedCase, "/api/v1/circles"} {
		path, _, _ := strings.Cut(door, "?")
		proof := func(token string, edit ...func(claims)) string {
			return peer.proof(t, n, http.MethodGet, path, token, edit...)
		}
		for name, c := range map[string]struct {
			token, proof string
			reason       string
		}{
			"wrong audience":       {token: forge(n.key, "at+jwt", func(c claims) { c["aud"] = "https://west.example/federation/v1" }), reason: "token.audience"},
			"two audiences":        {token: forge(n.key, "at+jwt", func(c claims) { c["aud"] = []string{n.url + federationPath, "https://x.example"} }), reason: "token.audience"},
			"wrong issuer":         {token: forge(n.key, "at+jwt", func(c claims) { c["iss"] = zuid }), reason: "token.issuer"},
			"wrong type":           {token: forge(n.key, "JWT", nothing), reason: "token.type"},
			"a grant":              {token: forge(n.key, "oauth-id-jag+jwt", nothing), reason: "token.type"},
			"another's key":        {token: forge(stranger, "at+jwt", nothing), reason: "token.signature"},
			"an unknown key":       {token: forge(newKey(t), "at+jwt", nothing), reason: "token.key"},
			"expired":              {token: forge(n.key, "at+jwt", func(c claims) { c["exp"] = now - 60 }), reason: "token.expired"},
			"not bound to a key":   {token: forge(n.key, "at+jwt", func(c claims) { delete(c, "cnf") }), reason: "token.unbound"},
			"bound to another key": {token: forge(n.key, "at+jwt", func(c claims) { c["cnf"] = claims{"jkt": jkt(client)} }), reason: "token.key-binding"},
			"no token":             {token: "x", reason: "token.malformed"},
			"without proof":        {token: good, proof: "-", reason: "dpop.missing"},
			"proof of another":     {token: good, proof: proof(machine), reason: "dpop.token"},
			"proof for elsewhere":  {token: good, proof: peer.proof(t, n, http.MethodGet, "/federation/v1/cases/def", good), reason: "dpop.url"},
			"proof of a POST":      {token: good, proof: peer.proof(t, n, http.MethodPost, path, good), reason: "dpop.method"},
			"an old proof":         {token: good, proof: proof(good, func(c claims) { c["iat"] = now - 300 }), reason: "dpop.issued-at"},
			"without a nonce":      {token: good, proof: proof(good, func(c claims) { delete(c, "nonce") }), reason: "dpop.nonce"},
		} {
			t.Run(path+"/"+name, func(t *testing.T) {
				o := []option{header("Authorization", "DPoP "+c.token)}
				switch c.proof {
				case "":
					o = append(o, header("DPoP", proof(c.token)))
				case "-":
				default:
					o = append(o, header("DPoP", c.proof))
				}
				before := n.said.count()
				n.do(t, http.MethodGet, door, "", o...).wants(t, 401, c.reason)
				if n.said.count() != before {
					t.Error("it reached the service")
				}
			})
		}
	}
	t.Run("a proof is used once", func(t *testing.T) {
		o := []option{header("Authorization", "DPoP "+good), header("DPoP", used)}
		n.do(t, http.MethodGet, sharedCase, "", o...).wantsOK(t)
		n.do(t, http.MethodGet, sharedCase, "", o...).wants(t, 401, "dpop.replayed")
	})
	t.Run("two tokens", func(t *testing.T) {
		n.do(t, http.MethodGet, sharedCase, "", header("Authorization", "DPoP "+good), header("Authorization", "DPoP "+good)).wants(t, 400, "token.duplicate")
	})
	t.Run("a bearer token", func(t *testing.T) {
		n.do(t, http.MethodGet, sharedCase, "", header("Authorization", "Bearer "+good)).wants(t, 401, "token.scheme")
	})
	t.Run("a machine at the peers' door", func(t *testing.T) {
		n.do(t, http.MethodGet, sharedCase, "", client.with(t, n, machine)).wants(t, 404, "not-found")
	})
	t.Run("an organisation that was never a member", func(t *testing.T) {
		c := right()
		c["idp"] = "https://nergens.example"
		n.do(t, http.MethodGet, sharedCase, "", peer.with(t, n, signed(t, n.key, "at+jwt", false, c))).wants(t, 401, "unauthenticated")
	})
	eventually(t, "the security log holds them", func() bool {
		log := strings.Join(n.security(), "\n")
		return strings.Contains(log, "/zijlicht.gateway.v1.PeerService/ReadCase token.audience") &&
			strings.Contains(log, "/zijlicht.gateway.v1.PeerService/ReadCase dpop.replayed")
	})
}
