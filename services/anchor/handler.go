package anchor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

// MembersPath is where nodes fetch the signed member document.
const MembersPath = "/federation/members"

// signEvery is how long a signed document is handed out before it is signed anew; a change does not wait for it.
const signEvery = 30 * time.Second

// Handler serves the member document. It is public: it holds what all members know of each other.
type Handler struct {
	store  *Store
	key    jose.JSONWebKey
	logger *slog.Logger

	mu     sync.Mutex
	serial int64
	signed time.Time
	body   string
	etag   string
}

// NewHandler signs with an ES256 private key that has a kid. The nodes have its public half pinned.
func NewHandler(store *Store, key jose.JSONWebKey, logger *slog.Logger) (*Handler, error) {
	if err := members.CheckKeys(members.Public(key)); err != nil || key.IsPublic() {
		return nil, fmt.Errorf("anchor: the signing key is not an ES256 private key with a kid")
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{store: store, key: key, logger: logger}, nil
}

// ServeHTTP answers GET and HEAD of MembersPath.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != MembersPath:
		problem(w, http.StatusNotFound, "not-found")
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		problem(w, http.StatusMethodNotAllowed, "method-not-allowed")
		return
	}
	body, etag, err := h.current(r.Context())
	if err != nil {
		h.logger.ErrorContext(r.Context(), "anchor: the member document cannot be made", "error", err)
		w.Header().Set("Retry-After", "5")
		problem(w, http.StatusServiceUnavailable, "check-unavailable")
		return
	}
	header := w.Header()
	header.Set("ETag", etag)
	header.Set("Cache-Control", "max-age=30")
	if matches(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/jwt")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write([]byte(body))
	}
}

// current asks the register for its serial on every request, so that a suspension is out at the next fetch.
func (h *Handler) current(ctx context.Context) (body, etag string, err error) {
	serial, err := h.store.Serial(ctx)
	if err != nil {
		return "", "", err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// A request that read its serial before another one signed a newer document gets the newer one.
	if age := h.store.now().Sub(h.signed); h.serial >= serial && age >= 0 && age < signEvery {
		return h.body, h.etag, nil
	}
	// The work is for everyone who waits, so the one who happens to do it may not take it away.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	d, err := h.store.Document(ctx)
	if err != nil {
		return "", "", err
	}
	compact, err := members.Sign(d, h.key)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256([]byte(compact))
	h.serial, h.signed, h.body, h.etag = d.Serial, d.IssueTime, compact, `"`+hex.EncodeToString(sum[:16])+`"`
	return h.body, h.etag, nil
}

// matches compares as RFC 9110 §13.1.2 says: weakly, and * matches what exists.
func matches(values []string, etag string) bool {
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == etag || candidate == "*" {
				return true
			}
		}
	}
	return false
}

// problem answers as RFC 9457 says.
func problem(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "reason": reason,
	})
}
