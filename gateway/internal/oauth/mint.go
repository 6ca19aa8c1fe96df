package oauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// Grant is what one node tells another about a person of its own who wants to act there.
type Grant struct {
	// Audience is the other node's issuer and Resource its API.
	Audience, Resource string
	// ClientID is by what name this node is known there; empty means its own issuer.
	ClientID string
	// Subject is the person's pairwise pseudonym for that audience, never an account id; or a worker's name.
	Subject string
	Scope   []string
	// Roles, ACR and AuthTime describe the person's session here.
	Roles    []string
	ACR      string
	AuthTime time.Time
	// JKT binds the grant to a DPoP key, so that who intercepts it cannot use it. Empty means unbound.
	JKT string
}

// MintGrant signs an ID-JAG grant: one audience, sixty seconds, one use. It records nothing; who may be named in a
// grant is the caller's decision.
func (s *Server) MintGrant(_ context.Context, g Grant) (string, error) {
	if err := checkOrigin(g.Audience); err != nil {
		return "", fmt.Errorf("oauth: grant audience: %w", err)
	}
	if g.Subject == "" || len(g.Subject) > maxName || !printable(g.Subject) {
		return "", errors.New("oauth: a grant needs a short printable subject")
	}
	scope := strings.Join(g.Scope, " ")
	if list, ok := scopes(scope); !ok || len(list) == 0 {
		return "", errors.New("oauth: a grant needs well-formed scopes")
	}
	id, err := s.newID()
	if err != nil {
		return "", err
	}
	now := s.conf.Now()
	c := grantClaims{
		Issuer: s.conf.Issuer, Subject: g.Subject, Audience: single(g.Audience), ClientID: g.ClientID, ID: id,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLifetime)),
		Scope: scope, Resource: single(g.Resource),
		asserted: asserted{Roles: g.Roles, ACR: g.ACR, AuthTime: jwt.NewNumericDate(g.AuthTime)},
	}
	if c.ClientID == "" {
		c.ClientID = s.conf.Issuer
	}
	if g.JKT != "" {
		c.Confirmation = &confirmation{JKT: g.JKT}
	}
	return s.sign(typGrant, c)
}

// mintAssertion signs a client assertion for another node's token endpoint.
func (s *Server) mintAssertion(audience string) (string, error) {
	id, err := s.newID()
	if err != nil {
		return "", err
	}
	now := s.conf.Now()
	return s.sign("client-authentication+jwt", assertionClaims{
		Issuer: s.conf.Issuer, Subject: s.conf.Issuer, Audience: audience, ID: id,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionLifetime)),
	})
}
