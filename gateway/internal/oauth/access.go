package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// accessClaims are the claims of an access token (RFC 9068 §2.2), with its key (RFC 9449 §6.1) and, when it came from
// another organisation's grant, that organisation (idp). fosite's own claims are not RFC 9068.
type accessClaims struct {
	Issuer       string           `json:"iss"`
	Subject      string           `json:"sub"`
	Audience     single           `json:"aud"`
	ClientID     string           `json:"client_id"`
	ID           string           `json:"jti"`
	IssuedAt     *jwt.NumericDate `json:"iat"`
	Expiry       *jwt.NumericDate `json:"exp"`
	Scope        string           `json:"scope"`
	Confirmation confirmation     `json:"cnf"`
	IDP          string           `json:"idp,omitempty"`
	asserted
}

// session carries what a grant established to the token that is made of it.
type session struct {
	fosite.DefaultSession
	proof   proof
	subject string
	idp     string
	asserted
}

// Clone copies the session; the framework asks for it.
func (s *session) Clone() fosite.Session {
	c := *s
	return &c
}

// tokenStrategy makes access tokens for fosite. It never validates one: VerifyAccess does, because fosite's stateless
// check cannot tell an ID token from an access token.
type tokenStrategy struct{ server *Server }

var _ oauth2.AccessTokenStrategy = tokenStrategy{}

func (t tokenStrategy) GenerateAccessToken(_ context.Context, req fosite.Requester) (string, string, error) {
	sess, ok := req.GetSession().(*session)
	if !ok || sess.subject == "" || sess.proof.jkt == "" {
		return "", "", errors.New("oauth: a token needs a subject and a key")
	}
	s := t.server
	id, err := s.newID()
	if err != nil {
		return "", "", err
	}
	now := s.conf.Now()
	raw, err := s.sign(typToken, accessClaims{
		Issuer: s.conf.Issuer, Subject: sess.subject, Audience: single(s.conf.Resource), ClientID: req.GetClient().GetID(),
		ID: id, IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(tokenLifetime)),
		Scope: strings.Join(req.GetGrantedScopes(), " "), Confirmation: confirmation{JKT: sess.proof.jkt},
		IDP: sess.idp, asserted: sess.asserted,
	})
	if err != nil {
		return "", "", err
	}
	return raw, t.AccessTokenSignature(context.Background(), raw), nil
}

func (tokenStrategy) AccessTokenSignature(_ context.Context, token string) string {
	return token[strings.LastIndexByte(token, '.')+1:]
}

func (tokenStrategy) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrRequestUnauthorized
}

// sign makes a compact JWS with the node's key.
func (s *Server) sign(typ string, claims any) (string, error) {
	return signWith(s.conf.SigningKey.jwk, false, typ, claims)
}

func signWith(key jose.JSONWebKey, embed bool, typ string, claims any) (string, error) {
	opts := (&jose.SignerOptions{EmbedJWK: embed}).WithType(jose.ContentType(typ))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts)
	if err != nil {
		return "", fmt.Errorf("oauth: signer: %w", err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("oauth: sign: %w", err)
	}
	return raw, nil
}

// newID makes a jti of 128 random bits.
func (s *Server) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.conf.Rand, b[:]); err != nil {
		return "", fmt.Errorf("oauth: identifier: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
