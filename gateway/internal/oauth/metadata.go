package oauth

import (
	"encoding/json"
	"net/http"
)

// metadata is the authorization server metadata (RFC 8414, RFC 9449 §5.1, the ID-JAG profile). Verified against the
// server's own behaviour by a test, so that it cannot promise what is not there.
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, "application/json", map[string]any{
		"issuer":                                s.conf.Issuer,
		"token_endpoint":                        s.conf.Issuer + TokenPath,
		"jwks_uri":                              s.conf.Issuer + JWKSPath,
		"response_types_supported":              []string{}, // required by RFC 8414 §2; there is no authorization endpoint
		"grant_types_supported":                 []string{grantChain, grantMachine},
		"scopes_supported":                      append([]string{}, s.conf.Scopes...),
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": acceptedNames,
		"dpop_signing_alg_values_supported":                acceptedNames,
		"authorization_grant_profiles_supported":           []string{"urn:ietf:params:oauth:grant-profile:id-jag"},
		"protected_resources":                              []string{s.conf.Resource},
	})
}

// jwks is the node's public keys: the one it signs with and those that it is rotating in or out.
func (s *Server) jwks(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, "application/jwk-set+json", s.keys)
}

func writeJSON(w http.ResponseWriter, mediaType string, v any) {
	raw, err := json.Marshal(v)
	if err != nil { // only our own fixed structures come here
		http.Error(w, "", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(raw) // a reader that went away cannot be told
}
