package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkVerifyAccess is what every read across organisations pays: two signatures and one row. The proofs are
// signed outside the clock.
func BenchmarkVerifyAccess(b *testing.B) {
	fed := newFederation()
	owner := startNode(b, newClock(), fed)
	r := newReader(b, fed, noord, "case:read", "review:write")
	token := r.attempt(b, owner).send().wantsToken(b)
	url := owner.Resource + "/cases"
	proof := func() string {
		return sign(b, r.dpop, "dpop+jwt", true, claims{
			"jti": randomID(), "htm": "GET", "htu": url, "iat": owner.clock.Now().Unix(), "nonce": owner.Nonce(), "ath": hash(token),
		})
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		req := httptest.NewRequest(http.MethodGet, url, nil)
		req.Header.Set("Authorization", "DPoP "+token)
		req.Header.Set("DPoP", proof())
		b.StartTimer()
		if _, err := owner.VerifyAccess(req, url); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExchange is a cold grant: mint, token request over HTTP, three rows, token.
func BenchmarkExchange(b *testing.B) {
	noord, zuid, client := pair(b)
	b.ReportAllocs()
	for b.Loop() {
		as := reviewer(noord.clock)
		as.Subject = randomID() // nobody's token is held yet
		res, err := client.Do(b.Context(), zuid.peer(), as, request(b, "GET", zuid.Resource+"/cases", ""))
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		_ = res.Body.Close()
	}
}

// BenchmarkWarmRead is a request with a token that is held, proof signed and checked: the floor for BenchmarkExchange.
func BenchmarkWarmRead(b *testing.B) {
	noord, zuid, client := pair(b)
	as := reviewer(noord.clock)
	b.ReportAllocs()
	for b.Loop() {
		res, err := client.Do(b.Context(), zuid.peer(), as, request(b, "GET", zuid.Resource+"/cases", ""))
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		_ = res.Body.Close()
	}
}
