package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/sync/singleflight"
)

const (
	maxPeerRequest  = 1 << 20
	maxPeerResponse = 4 << 20
	peerTimeout     = 15 * time.Second
)

// Peer is another node, as the member document names it.
type Peer struct {
	Issuer, TokenEndpoint string
	// Resource is the API's identifier and the URL under which every request must lie.
	Resource string
}

// Acting is on whose behalf a request goes out: a person's pairwise pseudonym at that peer, or a worker.
type Acting struct {
	Subject  string
	Scope    []string
	Roles    []string
	ACR      string
	AuthTime time.Time
}

// PeerError is a peer that could not be reached or did not give a token. It carries no URL, token or text of a case.
type PeerError struct {
	Peer string
	// Status is 0 when there was no answer. Code is the OAuth error, or `unreachable`, `redirect`, `malformed`;
	// Reason is the peer's stable reason if it gave one (`member.suspended`).
	Status       int
	Code, Reason string

	cause error
}

func (e *PeerError) Error() string {
	text := fmt.Sprintf("oauth: peer %s: %s", e.Peer, e.Code)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *PeerError) Unwrap() error { return e.cause }

// Temporary says that the same request may succeed later.
func (e *PeerError) Temporary() bool {
	return e.Status == 0 || e.Status == http.StatusTooManyRequests || e.Status >= http.StatusInternalServerError
}

// PeerClient makes requests to other nodes. It holds one DPoP key for its lifetime and the access tokens bound to it,
// in memory only. It is safe for concurrent use.
type PeerClient struct {
	server *Server
	http   *http.Client
	key    SigningKey
	jkt    string
	flight singleflight.Group

	mu     sync.Mutex
	tokens map[string]heldToken
	nonces map[string]string // by origin
}

// NewPeerClient returns a client that acts as the server's organisation.
func NewPeerClient(s *Server) (*PeerClient, error) {
	key, err := NewSigningKey()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.MaxIdleConnsPerHost = 8
	return &PeerClient{
		server: s, key: key, jkt: key.jwk.KeyID,
		http: &http.Client{
			Transport: transport, Timeout: peerTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		tokens: map[string]heldToken{}, nonces: map[string]string{},
	}, nil
}

// Do sends req to the peer on behalf of as, with a token that it obtains or still holds. A stale nonce and a refused
// token are each tried once more; any other answer is the caller's to read. The body of the answer ends in an error
// beyond 4 MiB. The caller's Authorization, DPoP and Cookie headers are dropped.
func (c *PeerClient) Do(ctx context.Context, peer Peer, as Acting, req *http.Request) (*http.Response, error) {
	if err := under(peer.Resource, req.URL); err != nil {
		return nil, err
	}
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	for renonced, renewed := false, false; ; {
		token, err := c.token(ctx, peer, as)
		if err != nil {
			return nil, err
		}
		res, err := c.send(ctx, peer, req, body, token)
		if err != nil {
			return nil, err
		}
		switch code := challenge(res); {
		case code == "use_dpop_nonce" && !renonced:
			renonced = true
		case code == "invalid_token" && !renewed:
			renewed = true
			c.forget(peer, as, token)
		default:
			res.Body = http.MaxBytesReader(nil, res.Body, maxPeerResponse)
			return res, nil
		}
		discard(res)
	}
}

func (c *PeerClient) send(ctx context.Context, peer Peer, req *http.Request, body []byte, token string) (*http.Response, error) {
	out := req.Clone(ctx)
	out.Host = ""
	out.Header.Del("Cookie")
	out.Header.Set("Authorization", "DPoP "+token)
	if body != nil {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return c.roundTrip(peer, out, token)
}

// roundTrip signs the proof for req, sends it, keeps the nonce of the answer and refuses a redirect.
func (c *PeerClient) roundTrip(peer Peer, req *http.Request, token string) (*http.Response, error) {
	at := *req.URL
	at.RawQuery, at.Fragment, at.ForceQuery = "", "", false
	id, err := c.server.newID()
	if err != nil {
		return nil, err
	}
	claims := proofClaims{
		ID: id, Method: req.Method, URL: at.String(), IssuedAt: jwt.NewNumericDate(c.server.conf.Now()),
		Nonce: c.nonce(req.URL),
	}
	if token != "" {
		claims.Hash = hashToken(token)
	}
	proof, err := signWith(c.key.jwk, true, typProof, claims)
	if err != nil {
		return nil, err
	}
	req.Header.Set("DPoP", proof)
	res, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // its text holds the URL
			err = wrapped.Err
		}
		return nil, &PeerError{Peer: peer.Issuer, Code: "unreachable", cause: err}
	}
	c.keepNonce(req.URL, res.Header.Get("DPoP-Nonce"))
	if res.StatusCode >= 300 && res.StatusCode < 400 && res.StatusCode != http.StatusNotModified {
		discard(res)
		return nil, &PeerError{Peer: peer.Issuer, Status: res.StatusCode, Code: "redirect"}
	}
	return res, nil
}

func (c *PeerClient) nonce(u *url.URL) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonces[u.Scheme+"://"+u.Host]
}

func (c *PeerClient) keepNonce(u *url.URL, nonce string) {
	if nonce == "" || len(nonce) > maxName || !printable(nonce) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonces[u.Scheme+"://"+u.Host] = nonce
}

// under refuses a URL outside the peer's API, so that a token never goes to another host or path.
func under(resource string, u *url.URL) error {
	base, err := parseEndpoint(resource)
	if err != nil {
		return fmt.Errorf("oauth: peer resource: %w", err)
	}
	if err := secureURL(u); err != nil {
		return fmt.Errorf("oauth: peer request: %w", err)
	}
	root, path := strings.TrimSuffix(base.Path, "/"), u.Path
	inside := path == root || strings.HasPrefix(path, root+"/")
	if u.Scheme != base.Scheme || u.Host != base.Host || !inside || strings.Contains(path+"/", "/../") {
		return errors.New("oauth: the request is not for the peer's API")
	}
	return nil
}

// readBody takes the body into memory, because a challenge means sending it twice.
func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = req.Body.Close() }()
	body, err := io.ReadAll(http.MaxBytesReader(nil, req.Body, maxPeerRequest))
	if err != nil {
		return nil, fmt.Errorf("oauth: request body: %w", err)
	}
	return body, nil
}

var challengeError = regexp.MustCompile(`(?i)^DPoP\b.*\berror="([a-z_]+)"`)

// challenge is the error of a DPoP challenge, or empty.
func challenge(res *http.Response) string {
	if res.StatusCode != http.StatusUnauthorized {
		return ""
	}
	for _, h := range res.Header.Values("WWW-Authenticate") {
		if m := challengeError.FindStringSubmatch(h); m != nil {
			return m[1]
		}
	}
	return ""
}

// discard empties a little of an answer that is not used, so that the connection can be.
func discard(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10)
	_ = res.Body.Close()
}
