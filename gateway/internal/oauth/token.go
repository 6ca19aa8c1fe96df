package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/ory/fosite"
)

// maxForm bounds the body of a token request: two assertions and some parameters.
const maxForm = 32 << 10

// token is the token endpoint (RFC 6749 §3.2).
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.refuse(w, r, nil, &Refusal{
			Status: http.StatusMethodNotAllowed, Code: "invalid_request", Reason: "request.method", Text: "use POST",
		})
		return
	}
	form, refusal := readForm(w, r)
	if refusal != nil {
		s.refuse(w, r, nil, refusal)
		return
	}
	if g := form.Get("grant_type"); g != grantChain && g != grantMachine {
		s.refuse(w, r, nil, &Refusal{
			Status: http.StatusBadRequest, Code: "unsupported_grant_type", Reason: "grant-type.unsupported",
			Text: "grant_type must be jwt-bearer or client_credentials",
		})
		return
	}
	held, refusal := s.checkProof(r, s.conf.Issuer+TokenPath, "")
	if refusal != nil {
		s.refuse(w, r, nil, refusal)
		return
	}
	r.PostForm, r.Form = form, form
	ctx := r.Context()
	req, err := s.provider.NewAccessRequest(ctx, r, &session{proof: held})
	if err != nil {
		s.refuse(w, r, req, asRefusal(err))
		return
	}
	resp, err := s.provider.NewAccessResponse(ctx, req)
	if err != nil {
		s.refuse(w, r, req, unavailable(err))
		return
	}
	// fosite writes "bearer" and counts expires_in by its own clock.
	resp.SetTokenType("DPoP")
	resp.SetExpiresIn(tokenLifetime)
	w.Header().Set("DPoP-Nonce", s.Nonce())
	s.provider.WriteAccessResponse(ctx, w, req, resp)
}

// readForm reads the body once, bounded, and gives one value per parameter. A parameter without a value counts as
// left out, and a parameter in the URL is refused: URLs end up in logs (RFC 6749 §3.2).
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, *Refusal) {
	if r.URL.RawQuery != "" {
		return nil, invalidRequest("request.query", "parameters go in the body")
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, given := params["charset"]
	if err != nil || media != "application/x-www-form-urlencoded" || given && charset != "utf-8" && charset != "UTF-8" {
		return nil, invalidRequest("request.content-type", "the body must be application/x-www-form-urlencoded")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return nil, &Refusal{
				Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Reason: "request.too-large",
				Text: "the body is larger than 32 KiB",
			}
		}
		return nil, invalidRequest("request.incomplete", "the body ended early")
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, invalidRequest("request.malformed", "the body is not a form")
	}
	for name, values := range form {
		switch {
		case len(values) > 1:
			return nil, invalidRequest("request.duplicate", "a parameter occurs more than once")
		case !utf8.ValidString(name) || !utf8.ValidString(values[0]):
			return nil, invalidRequest("request.encoding", "the body is not UTF-8")
		case values[0] == "":
			delete(form, name)
		}
	}
	return form, nil
}

// refuse is where a refusal of the token endpoint is written and told.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, req fosite.AccessRequester, refusal *Refusal) {
	told := Refused{Code: refusal.Code, Reason: refusal.Reason}
	if req != nil {
		if c, ok := req.GetClient().(*client); ok {
			told.Client = c.ID
		}
	}
	if refusal.cause != nil {
		s.conf.Logger.ErrorContext(r.Context(), "oauth: token endpoint unavailable", "error", refusal.cause)
	}
	if s.conf.Refused != nil {
		s.conf.Refused(r.Context(), told)
	}
	if refusal.nonce != "" {
		w.Header().Set("DPoP-Nonce", refusal.nonce)
	}
	s.provider.WriteAccessError(r.Context(), w, nil, &fosite.RFC6749Error{
		ErrorField: refusal.Code, DescriptionField: refusal.Description(), CodeField: refusal.Status,
	})
}
