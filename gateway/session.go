package gateway

import (
	"errors"
	"io"
	"net/http"
	"strings"

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
func (g *Gateway) signIn(w http.ResponseWriter, r *http.Request) {
	s, err := g.redeem(w, r)
	if err != nil {
		g.security(r, err)
		g.problem(w, r, err, false)
		return
	}
	writeProto(w, http.StatusOK, s)
}

func (g *Gateway) redeem(w http.ResponseWriter, r *http.Request) (*gatewayv1.Session, error) {
	if !g.signIns.Allow(limit.Address(r.RemoteAddr)) {
		return nil, fault.New(faultv1.Reason_REASON_TOO_MANY_REQUESTS, "too many tries")
	}
	if !g.sameOrigin(r) {
		return nil, fault.New(faultv1.Reason_REASON_ORIGIN_MISMATCH, "not from this origin")
	}
	var req gatewayv1.CreateSessionRequest
	if err := readProto(r, &req); err != nil {
		return nil, err
	}
	session, cookie, err := g.accounts.Redeem(r.Context(), req.GetSecret())
	switch {
	case errors.Is(err, account.ErrLink):
		return nil, fault.Unauthenticated("link")
	case err != nil:
		return nil, fault.Unavailable(err)
	}
	person, err := g.accounts.Find(r.Context(), session.AccountID)
	if err != nil {
		return nil, fault.Unavailable(err)
	}
	http.SetCookie(w, &http.Cookie{
		Name: g.cookieName(), Value: cookie, Path: "/", Expires: session.ExpireTime,
		HttpOnly: true, Secure: strings.HasPrefix(g.EntityURL, "https://"), SameSite: http.SameSiteStrictMode,
	})
	return g.sessionOf(person, session), nil
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
func (g *Gateway) signOut(w http.ResponseWriter, r *http.Request) {
	if !g.sameOrigin(r) {
		g.problem(w, r, fault.New(faultv1.Reason_REASON_ORIGIN_MISMATCH, "not from this origin"), false)
		return
	}
	if cookie, err := r.Cookie(g.cookieName()); err == nil {
		if err := g.accounts.End(r.Context(), cookie.Value); err != nil {
			g.problem(w, r, fault.Unavailable(err), false)
			return
		}
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	writeProto(w, http.StatusOK, &gatewayv1.DeleteSessionResponse{})
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

func writeProto(w http.ResponseWriter, status int, m proto.Message) {
	b, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
