package members_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"pgregory.net/rapid"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

const (
	anchor = "https://anker.example"
	noord  = "https://noord.example"
	zuid   = "http://127.0.0.1:8420"
	weg    = "https://weg.example"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) jose.JSONWebKey {
	t.Helper()
	key, err := members.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func organisation(t testing.TB, id string, state members.State) members.Organisation {
	t.Helper()
	return members.Organisation{
		ID: id, Name: "Wijkteam", Kind: members.Wijkteam, State: state, Keys: members.Public(newKey(t)),
		TrustMarks: []string{"member"}, TokenEndpoint: id + "/oauth2/token", FederationBase: id + "/federation/v1",
	}
}

func document(t testing.TB) members.Document {
	t.Helper()
	return members.Document{
		Issuer: anchor, Serial: 7, IssueTime: now, ExpireTime: now.Add(10 * time.Minute),
		Organisations: []members.Organisation{
			organisation(t, noord, members.Active),
			organisation(t, zuid, members.Suspended),
			{ID: weg, Name: "Weg", Kind: members.Municipality, State: members.Removed, TrustMarks: []string{}},
		},
		Circles: []members.Circle{
			{ID: "schulden", Name: "Schulden", Members: []string{noord, zuid, weg}, State: members.CircleActive, ValidUntil: now.Add(time.Hour)},
			{ID: "rust", Name: "Rust", Members: []string{noord}, State: members.CirclePaused},
			{ID: "voorbij", Name: "Voorbij", Members: []string{noord}, State: members.CircleActive, ValidUntil: now},
		},
	}
}

func sign(t testing.TB, d members.Document, key jose.JSONWebKey) string {
	t.Helper()
	compact, err := members.Sign(d, key)
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// signAnything signs a payload that Sign itself would refuse to make.
func signAnything(t testing.TB, payload any, key jose.JSONWebKey, alg jose.SignatureAlgorithm, typ string) string {
	t.Helper()
	raw, ok := payload.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(payload); err != nil {
			t.Fatal(err)
		}
	}
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	key.Algorithm = ""
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// claims is the document as a tree, to be bent by a test.
func claims(t testing.TB, d members.Document) map[string]any {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"iss": d.Issuer, "iat": d.IssueTime.Unix(), "exp": d.ExpireTime.Unix(), "serial": d.Serial,
		"organisations": d.Organisations, "circles": d.Circles,
	})
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iat", "exp", "serial"} {
		tree[name] = int64(tree[name].(float64))
	}
	return tree
}

func TestWhatWasSignedIsRead(t *testing.T) {
	t.Parallel()
	key, d := newKey(t), document(t)
	got, err := members.Verify(sign(t, d, key), anchor, members.Public(newKey(t), key), now)
	if err != nil {
		t.Fatal(err)
	}
	if got.Serial != 7 || !got.IssueTime.Equal(now) || !got.ExpireTime.Equal(d.ExpireTime) {
		t.Fatalf("head: %+v", got)
	}
	if !reflect.DeepEqual(got.Circles, d.Circles) {
		t.Fatalf("circles: %+v", got.Circles)
	}
	org, ok := got.Organisation(noord)
	if !ok || org.TokenEndpoint != noord+"/oauth2/token" || !org.Keys.Keys[0].Key.(*ecdsa.PublicKey).Equal(d.Organisations[0].Keys.Keys[0].Key) {
		t.Fatalf("organisation: %+v", org)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other := newKey(t)
	other.KeyID = key.KeyID
	bend := func(change func(map[string]any)) string {
		tree := claims(t, document(t))
		change(tree)
		return signAnything(t, tree, key, jose.ES256, members.Type)
	}
	organisationOf := func(tree map[string]any, i int) map[string]any {
		return tree["organisations"].([]any)[i].(map[string]any)
	}
	circleOf := func(tree map[string]any, i int) map[string]any { return tree["circles"].([]any)[i].(map[string]any) }
	good := claims(t, document(t))

	tests := map[string]string{
		"empty":             "",
		"not a JWS":         "a.b",
		"too large":         strings.Repeat("a", members.MaxSize+1),
		"another key":       signAnything(t, good, newKey(t), jose.ES256, members.Type),
		"the kid of ours":   signAnything(t, good, other, jose.ES256, members.Type),
		"no kid":            signAnything(t, good, jose.JSONWebKey{Key: key.Key}, jose.ES256, members.Type),
		"symmetric":         signAnything(t, good, jose.JSONWebKey{Key: []byte(strings.Repeat("k", 32)), KeyID: key.KeyID}, jose.HS256, members.Type),
		"another curve":     signAnything(t, good, jose.JSONWebKey{Key: p384, KeyID: key.KeyID}, jose.ES384, members.Type),
		"no type":           signAnything(t, good, key, jose.ES256, ""),
		"another type":      signAnything(t, good, key, jose.ES256, "at+jwt"),
		"no object":         signAnything(t, []byte(`[]`), key, jose.ES256, members.Type),
		"no JSON":           signAnything(t, []byte(`{`), key, jose.ES256, members.Type),
		"a name twice":      signAnything(t, []byte(`{"iss":"https://anker.example","iss":"https://anker.example"}`), key, jose.ES256, members.Type),
		"another issuer":    bend(func(c map[string]any) { c["iss"] = noord }),
		"issuer in capital": bend(func(c map[string]any) { c["ISS"] = c["iss"]; delete(c, "iss") }),
		"no expiry":         bend(func(c map[string]any) { delete(c, "exp") }),
		"no issue time":     bend(func(c map[string]any) { delete(c, "iat") }),
		"expired":           bend(func(c map[string]any) { c["iat"] = now.Unix() - 600; c["exp"] = now.Unix() }),
		"lives too long":    bend(func(c map[string]any) { c["exp"] = now.Unix() + 601 }),
		"of the future":     bend(func(c map[string]any) { c["iat"] = now.Unix() + 61; c["exp"] = now.Unix() + 120 }),
		"far off":           bend(func(c map[string]any) { c["iat"] = int64(1) << 62; c["exp"] = int64(1)<<62 + 1 }),
		"no serial":         bend(func(c map[string]any) { delete(c, "serial") }),
		"negative serial":   bend(func(c map[string]any) { c["serial"] = -1 }),
		"serial as text":    bend(func(c map[string]any) { c["serial"] = "7" }),
		"member twice":      bend(func(c map[string]any) { organisationOf(c, 1)["id"] = noord }),
		"unknown state":     bend(func(c map[string]any) { organisationOf(c, 0)["state"] = "paused" }),
		"unknown kind":      bend(func(c map[string]any) { organisationOf(c, 0)["kind"] = "bank" }),
		"no keys":           bend(func(c map[string]any) { delete(organisationOf(c, 0), "keys") }),
		"a shared key":      bend(func(c map[string]any) { organisationOf(c, 1)["keys"] = organisationOf(c, 0)["keys"] }),
		"private key": bend(func(c map[string]any) {
			organisationOf(c, 0)["keys"] = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{newKey(t)}}
		}),
		"removed with keys":     bend(func(c map[string]any) { organisationOf(c, 0)["state"] = "removed" }),
		"endpoint elsewhere":    bend(func(c map[string]any) { organisationOf(c, 0)["token_endpoint"] = "https://zuid.example/t" }),
		"no endpoint":           bend(func(c map[string]any) { delete(organisationOf(c, 0), "federation_base") }),
		"name that turns":       bend(func(c map[string]any) { organisationOf(c, 0)["name"] = "a\u202eb" }),
		"mark twice":            bend(func(c map[string]any) { organisationOf(c, 0)["trust_marks"] = []string{"member", "member"} }),
		"circle twice":          bend(func(c map[string]any) { circleOf(c, 1)["id"] = "schulden" }),
		"unknown circle state":  bend(func(c map[string]any) { circleOf(c, 1)["state"] = "open" }),
		"member of nobody":      bend(func(c map[string]any) { circleOf(c, 1)["members"] = []string{"https://x.example"} }),
		"circle member twice":   bend(func(c map[string]any) { circleOf(c, 1)["members"] = []string{noord, noord} }),
		"circle id with spaces": bend(func(c map[string]any) { circleOf(c, 1)["id"] = "a b" }),
	}
	for name, compact := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := members.Verify(compact, anchor, members.Public(key), now); err == nil {
				t.Fatal("accepted")
			}
		})
	}
}

func TestVerifyTolerates(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	later := claims(t, document(t))
	later["notice"] = "a newer anchor says more"
	later["organisations"].([]any)[0].(map[string]any)["colour"] = "blue"
	ahead := claims(t, document(t))
	ahead["iat"], ahead["exp"] = now.Unix()+60, now.Unix()+660
	for name, tree := range map[string]map[string]any{"unknown fields": later, "a clock ahead by a minute": ahead} {
		if _, err := members.Verify(signAnything(t, tree, key, jose.ES256, members.Type), anchor, members.Public(key), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpiryIsExact(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	compact := sign(t, document(t), key)
	if _, err := members.Verify(compact, anchor, members.Public(key), now.Add(10*time.Minute-time.Nanosecond)); err != nil {
		t.Error(err)
	}
	if _, err := members.Verify(compact, anchor, members.Public(key), now.Add(10*time.Minute)); !errors.Is(err, members.ErrExpired) {
		t.Errorf("at the expiry: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	crowd := document(t)
	for i := range 10 {
		o := organisation(t, fmt.Sprintf("https://n%d.example", i), members.Active)
		crowd.Organisations = append(crowd.Organisations, o)
		crowd.Circles[1].Members = append(crowd.Circles[1].Members, o.ID)
	}
	if _, err := members.Sign(crowd, key); err == nil {
		t.Error("a circle of eleven")
	}
	crowd.Circles[1].Members = crowd.Circles[1].Members[:members.MaxCircle]
	if _, err := members.Sign(crowd, key); err != nil {
		t.Errorf("a circle of nine: %v", err)
	}
	if _, err := members.Sign(document(t), key.Public()); err == nil {
		t.Error("signed with a public key")
	}
	long := document(t)
	long.ExpireTime = now.Add(11 * time.Minute)
	if _, err := members.Sign(long, key); err == nil {
		t.Error("a document of eleven minutes")
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	d := document(t)
	ids := func(circles []members.Circle) (list []string) {
		for _, c := range circles {
			list = append(list, c.ID)
		}
		return list
	}
	if got := ids(d.CirclesOf(noord)); !slices.Equal(got, []string{"schulden"}) {
		t.Errorf("circles of an active organisation: %v", got)
	}
	for _, org := range []string{zuid, weg, "https://vreemd.example"} {
		if got := d.CirclesOf(org); len(got) != 0 || d.InCircle("schulden", org) {
			t.Errorf("circles of %s: %v", org, ids(got))
		}
	}
	if got := d.CircleMembers("schulden"); len(got) != 1 || got[0].ID != noord {
		t.Errorf("members: %+v", got)
	}
	for _, circle := range []string{"rust", "voorbij", "onbekend"} {
		if got := d.CircleMembers(circle); len(got) != 0 {
			t.Errorf("members of %s: %+v", circle, got)
		}
	}
	if !d.Organisations[0].HasMark("member") || d.Organisations[1].HasMark("member") || d.Organisations[0].HasMark("lateral-review") {
		t.Error("marks")
	}
}

func TestEntityURL(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"https://noord.example", "https://noord.example:8443", "http://127.0.0.1:8410", "http://[::1]:8410"} {
		if err := members.CheckEntityURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "noord.example", "//noord.example", "https://", "https://:443", "https://noord.example/", "https://noord.example/a",
		"https://u@noord.example", "https://u:p@noord.example", "https://noord.example?", "https://noord.example?a=b", "https://noord.example#",
		"https://Noord.example", "HTTPS://noord.example", "https://noord.example:443", "http://127.0.0.1:80", "https://noord.example:",
		"https://noord.example:08443", "http://noord.example", "http://localhost:8410", "http://127.0.0.1.example", "http://192.168.1.4", "ftp://127.0.0.1",
		"https://nøord.example", "https://noord.example%00", " https://noord.example", "https://" + strings.Repeat("a", 260) + ".example",
	} {
		if members.CheckEntityURL(bad) == nil {
			t.Errorf("%q accepted", bad)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	public, _ := json.Marshal(members.Public(key))
	private, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	if set, err := members.ParseKeys(public); err != nil || len(set.Keys) != 1 {
		t.Errorf("public: %v", err)
	}
	if _, err := members.ParseKeys(private); !errors.Is(err, members.ErrPrivateKey) {
		t.Errorf("private: %v", err)
	}
	for _, bad := range []string{``, `{}`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`} {
		if _, err := members.ParseKeys([]byte(bad)); err == nil {
			t.Errorf("%s accepted", bad)
		}
	}
}

// Whoever is not active, or not in the circle, is never given as its member, and both lookups agree.
func TestLookupsAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var d members.Document
		d.IssueTime = now
		for i := range rapid.IntRange(0, 6).Draw(t, "organisations") {
			d.Organisations = append(d.Organisations, members.Organisation{
				ID:    fmt.Sprintf("https://n%d.example", i),
				State: rapid.SampledFrom([]members.State{members.Active, members.Suspended, members.Removed}).Draw(t, "state"),
			})
		}
		for i := range rapid.IntRange(0, 4).Draw(t, "circles") {
			c := members.Circle{ID: fmt.Sprint(i), State: rapid.SampledFrom([]members.CircleState{members.CircleActive, members.CirclePaused, members.CircleEnded}).Draw(t, "circle state")}
			for _, o := range d.Organisations {
				if rapid.Bool().Draw(t, "in") {
					c.Members = append(c.Members, o.ID)
				}
			}
			d.Circles = append(d.Circles, c)
		}
		for _, c := range d.Circles {
			for _, o := range d.Organisations {
				want := c.State == members.CircleActive && o.State == members.Active && slices.Contains(c.Members, o.ID)
				of := slices.ContainsFunc(d.CirclesOf(o.ID), func(x members.Circle) bool { return x.ID == c.ID })
				if got := d.InCircle(c.ID, o.ID); got != want || of != want {
					t.Fatalf("circle %s, %s: InCircle %v, CirclesOf %v, want %v", c.ID, o.ID, got, of, want)
				}
			}
		}
	})
}

// FuzzVerify feeds both the whole text and, correctly signed, a payload. What comes through holds together.
func FuzzVerify(f *testing.F) {
	key := newKey(f)
	good, err := json.Marshal(claims(f, document(f)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sign(f, document(f), key), good)
	f.Add("e30.e30.AA", []byte(`{"iss":"https://anker.example","iat":1,"exp":2,"serial":1,"organisations":[{"keys":{"keys":[{}]}}]}`))
	f.Add("..", []byte(`{"circles":[{"valid_until":""}]}`))
	f.Fuzz(func(t *testing.T, compact string, payload []byte) {
		_, _ = members.Verify(compact, anchor, members.Public(key), now)
		d, err := members.Verify(signAnything(t, payload, key, jose.ES256, members.Type), anchor, members.Public(key), now)
		if err != nil {
			return
		}
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
		if !now.Before(d.ExpireTime) || d.ExpireTime.Sub(now) > members.MaxLifetime+members.Skew {
			t.Fatalf("valid until %s", d.ExpireTime)
		}
		if _, err := members.Sign(d, key); err != nil {
			t.Fatalf("read but cannot be signed: %v", err)
		}
	})
}
