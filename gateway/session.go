package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	"github.com/zijlicht/zijlicht/gateway/internal/limit"
	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// Sign-in and sign-out are served here and not by a gRPC service: the cookie is
// the edge's, and what it holds goes no further.

// signIn redeems a one-time link, by POST and from this origin, and sets the session cookie.
func (g *Gateway) signIn(w http.ResponseWriter, r *http.Request) error {
	if !g.signIns.Allow(limit.Address(r.RemoteAddr)) {
		return fault.New(faultv1.Reason_REASON_TOO_MANY_REQUESTS, "too many tries")
	}
	if !g.sameOrigin(r) {
		return errOrigin
	}
	var req gatewayv1.CreateSessionRequest
	if err := readProto(r, &req); err != nil {
		return err
	}
	session, cookie, err := g.accounts.Redeem(r.Context(), req.GetSecret())
	switch {
	case errors.Is(err, account.ErrLink):
		return fault.Unauthenticated("link")
	case err != nil:
		return fault.Unavailable(err)
	}
	// The link is used up: from here on the person is signed in, whatever else goes wrong.
	g.setCookie(w, cookie, session.ExpireTime)
	person, err := g.accounts.Find(r.Context(), session.AccountID)
	if err != nil {
		return fault.Unavailable(err)
	}
	return writeProto(w, g.sessionOf(person, session))
}

// setCookie keeps, or with no value ends, the session in the browser. The
// attributes are part of the name __Host-: without them a browser ignores it.
func (g *Gateway) setCookie(w http.ResponseWriter, value string, until time.Time) {
	c := &http.Cookie{
		Name: g.cookieName(), Value: value, Path: "/", Expires: until,
		HttpOnly: true, Secure: strings.HasPrefix(g.EntityURL, "https://"), SameSite: http.SameSiteStrictMode,
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (g *Gateway) sessionOf(person account.Account, s account.Session) *gatewayv1.Session {
	m := &gatewayv1.Session{
		AccountId: person.ID, Name: person.Name, Unit: person.Unit, Roles: person.Roles, Organisation: g.EntityURL,
	}
	if !s.ExpireTime.IsZero() {
		m.ExpireTime = timestamppb.New(s.ExpireTime)
	}
	return m
}

// signOut ends the session of the cookie. Without one there is nothing to end, and that is fine too.
func (g *Gateway) signOut(w http.ResponseWriter, r *http.Request) error {
	if !g.sameOrigin(r) {
		return errOrigin
	}
	if err := readJSON(r); err != nil {
		return err
	}
	for _, cookie := range r.CookiesNamed(g.cookieName()) {
		if err := g.accounts.End(r.Context(), cookie.Value); err != nil {
			return fault.Unavailable(err)
		}
	}
	g.setCookie(w, "", time.Time{})
	return writeProto(w, &gatewayv1.DeleteSessionResponse{})
}

func readProto(r *http.Request, m proto.Message) error {
	if err := readJSON(r); err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return fault.Invalid("body", "unreadable")
	}
	if protojson.Unmarshal(body, m) != nil {
		return fault.Invalid("body", "contract")
	}
	return nil
}

func writeProto(w http.ResponseWriter, m proto.Message) error {
	b, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return fault.Internal(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // a client that went away cannot be told
	return nil
}
