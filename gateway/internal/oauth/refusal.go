package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Refusal is every way in which this package says no. Its words are fixed texts: nothing of the request is in them.
type Refusal struct {
	// Status is the HTTP status, Code the OAuth error code (empty when no token was sent at all, RFC 6750 §3.1).
	Status int
	Code   string
	// Reason is stable and dotted (`token.expired`); Text is the same in English, for whoever connects a client.
	Reason, Text string

	nonce string
	cause error
}

func (r *Refusal) Error() string {
	return strings.TrimPrefix(fmt.Sprintf("%s %s: %s", r.Code, r.Reason, r.Text), " ")
}

func (r *Refusal) Unwrap() error { return r.cause }

// Description is error_description: the reason, then the text.
func (r *Refusal) Description() string { return r.Reason + ": " + r.Text }

// SetHeaders adds what RFC 9449 §7.1 and §9 ask of a refusal at the resource: the challenge and a fresh nonce.
func (r *Refusal) SetHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	if r.nonce != "" {
		h.Set("DPoP-Nonce", r.nonce)
	}
	if r.Status != http.StatusUnauthorized {
		return
	}
	challenge := fmt.Sprintf(`DPoP algs="%s"`, strings.Join(acceptedNames, " "))
	if r.Code != "" {
		challenge += fmt.Sprintf(`, error="%s", error_description="%s"`, r.Code, r.Description())
	}
	h.Set("WWW-Authenticate", challenge)
}

func invalidRequest(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Reason: reason, Text: text}
}

func invalidClient(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_client", Reason: reason, Text: text}
}

func invalidGrant(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: "invalid_grant", Reason: reason, Text: text}
}

func invalidScope(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: "invalid_scope", Reason: reason, Text: text}
}

func invalidProof(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: "invalid_dpop_proof", Reason: reason, Text: text}
}

func invalidToken(reason, text string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: "invalid_token", Reason: reason, Text: text}
}

// unavailable is the answer when something we must know cannot be known: no answer is not a yes.
func unavailable(cause error) *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
		Reason: "oauth.unavailable", Text: "this cannot be checked now; try again later", cause: cause,
	}
}

// asRefusal finds the refusal in err. Whatever is not ours was raised by the framework on a malformed request.
func asRefusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return invalidRequest("request.malformed", "the request is not a token request")
}

// flaw is what is wrong with a signed message, before it is known which code that gives.
type flaw struct{ reason, text string }

func (f *flaw) as(prefix string, refuse func(reason, text string) *Refusal) *Refusal {
	return refuse(prefix+"."+f.reason, f.text)
}
