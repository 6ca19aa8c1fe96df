package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	maxTokenAnswer = 64 << 10
	// renewBefore is how long before its expiry a held token is no longer used.
	renewBefore = 30 * time.Second
	// maxTokens bounds the tokens held: one per person with work at a peer in the last five minutes.
	maxTokens = 4096
)

type heldToken struct {
	value string
	until time.Time
}

// holder is the key of a token: the DPoP key is the client's own, and the session's facts are in it so that a person
// who signed in anew does not act under the old sign-in.
func holder(peer Peer, as Acting) string {
	return strings.Join([]string{
		peer.Issuer, peer.TokenEndpoint, peer.Resource, as.Subject, strings.Join(as.Scope, " "),
		strings.Join(as.Roles, " "), as.ACR, as.AuthTime.UTC().Format(time.RFC3339),
	}, "\x00")
}

// token gives a token that is good for a while yet. Requests that need the same one wait for one exchange.
func (c *PeerClient) token(ctx context.Context, peer Peer, as Acting) (string, error) {
	key := holder(peer, as)
	c.mu.Lock()
	held, ok := c.tokens[key]
	c.mu.Unlock()
	if ok && c.server.conf.Now().Before(held.until) {
		return held.value, nil
	}
	// The exchange outlives a caller who goes away: others may wait for it.
	done := c.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), peerTimeout)
		defer cancel()
		fresh, err := c.exchange(ctx, peer, as)
		if err == nil {
			c.hold(key, fresh)
		}
		return fresh.value, err
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case got := <-done:
		return got.Val.(string), got.Err
	}
}

// hold keeps a token, and drops the ones that are of no more use when there are many.
func (c *PeerClient) hold(key string, fresh heldToken) {
	now := c.server.conf.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= maxTokens {
		for k, t := range c.tokens {
			if !now.Before(t.until) {
				delete(c.tokens, k)
			}
		}
	}
	if len(c.tokens) < maxTokens {
		c.tokens[key] = fresh
	}
}

// forget drops a token that the peer refused, unless another request already replaced it.
func (c *PeerClient) forget(peer Peer, as Acting, refused string) {
	key := holder(peer, as)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens[key].value == refused {
		delete(c.tokens, key)
	}
}

// exchange mints a grant and exchanges it at the peer (RFC 7523 §2.1). A challenge for a nonce gets a second try with
// everything made anew, because a server may have used up what it saw.
func (c *PeerClient) exchange(ctx context.Context, peer Peer, as Acting) (heldToken, error) {
	fresh, err := c.exchangeOnce(ctx, peer, as)
	var refused *PeerError
	if errors.As(err, &refused) && refused.Code == "use_dpop_nonce" {
		return c.exchangeOnce(ctx, peer, as)
	}
	return fresh, err
}

func (c *PeerClient) exchangeOnce(ctx context.Context, peer Peer, as Acting) (heldToken, error) {
	if _, err := parseEndpoint(peer.TokenEndpoint); err != nil {
		return heldToken{}, fmt.Errorf("oauth: token endpoint of %s: %w", peer.Issuer, err)
	}
	grant, err := c.server.MintGrant(ctx, Grant{
		Audience: peer.Issuer, Resource: peer.Resource, Subject: as.Subject, Scope: as.Scope,
		Roles: as.Roles, ACR: as.ACR, AuthTime: as.AuthTime, JKT: c.jkt,
	})
	if err != nil {
		return heldToken{}, err
	}
	assertion, err := c.server.mintAssertion(peer.Issuer)
	if err != nil {
		return heldToken{}, err
	}
	scope := strings.Join(as.Scope, " ")
	form := url.Values{
		"grant_type": {grantChain}, "assertion": {grant}, "scope": {scope}, "resource": {peer.Resource},
		"client_assertion_type": {assertionType}, "client_assertion": {assertion},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, peer.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return heldToken{}, fmt.Errorf("oauth: token request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	sent := c.server.conf.Now()
	res, err := c.roundTrip(peer, req, "")
	if err != nil {
		return heldToken{}, err
	}
	return readToken(peer, res, as.Scope, sent)
}

// tokenAnswer is both answers of a token endpoint (RFC 6749 §5.1 and §5.2).
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

var (
	errorCode    = regexp.MustCompile(`^[a-z_]{1,64}$`)
	leadReason   = regexp.MustCompile(`^([a-z0-9-]+(?:\.[a-z0-9-]+)+): `)
	tokenGrammar = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`) // token68, RFC 9110 §11.2
)

// readToken reads the answer of a token endpoint. A stranger wrote it: nothing of it reaches an error but a code and a
// reason of known form.
func readToken(peer Peer, res *http.Response, asked []string, sent time.Time) (heldToken, error) {
	defer discard(res)
	fail := func(code, reason string) (heldToken, error) {
		return heldToken{}, &PeerError{Peer: peer.Issuer, Status: res.StatusCode, Code: code, Reason: reason}
	}
	var a tokenAnswer
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxTokenAnswer+1))
	if err != nil || len(raw) > maxTokenAnswer || json.Unmarshal(raw, &a) != nil {
		return fail("malformed", "")
	}
	if res.StatusCode != http.StatusOK {
		if !errorCode.MatchString(a.Error) {
			return fail("malformed", "")
		}
		reason := ""
		if m := leadReason.FindStringSubmatch(a.Description); m != nil && len(m[1]) <= 64 {
			reason = m[1]
		}
		return fail(a.Error, reason)
	}
	granted, ok := scopes(a.Scope)
	if a.Scope == "" { // the same as asked for, RFC 6749 §5.1
		granted = asked
	}
	switch {
	case !strings.EqualFold(a.TokenType, "DPoP"): // a token that is not bound is not used
		return fail("malformed", "token.unbound")
	case !ok || !within(asked, granted):
		return fail("malformed", "scope.narrowed")
	case len(a.AccessToken) > 16<<10 || !tokenGrammar.MatchString(a.AccessToken) || a.ExpiresIn <= 0:
		return fail("malformed", "")
	}
	life := min(time.Duration(min(a.ExpiresIn, 3600))*time.Second, tokenLifetime)
	return heldToken{value: a.AccessToken, until: sent.Add(life - renewBefore)}, nil
}
