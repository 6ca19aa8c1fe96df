package federation

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/zijlicht/zijlicht/services/platform/members"
)

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	t.MaxResponseHeaderBytes = 16 << 10
	t.ResponseHeaderTimeout = fetchTimeout
	t.DisableCompression = true
	t.MaxIdleConnsPerHost = 1
	t.IdleConnTimeout = time.Minute
	return t
}

// fetch gets the document's text, or an empty one when it is still what etag stands for.
func (m *Members) fetch(ctx context.Context, etag string) (compact, newTag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.URL, nil)
	if err != nil {
		return "", "", errors.New("federation: the anchor's address cannot be used")
	}
	req.Header.Set("Accept", "application/jwt")
	// The anchor lets others keep its answer for half a minute; a node wants the word of now.
	req.Header.Set("Cache-Control", "no-cache")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return "", "", fmt.Errorf("federation: the anchor cannot be reached: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return "", etag, nil
	case resp.StatusCode != http.StatusOK:
		return "", "", fmt.Errorf("federation: the anchor answered with status %d", resp.StatusCode)
	}
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/jwt" {
		return "", "", errors.New("federation: the anchor's answer is not a signed document")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, members.MaxSize+1))
	if err != nil {
		return "", "", fmt.Errorf("federation: the anchor's answer broke off: %w", err)
	}
	if len(body) > members.MaxSize || len(body) == 0 {
		return "", "", errors.New("federation: the anchor's answer is empty or too large")
	}
	if newTag = resp.Header.Get("ETag"); len(newTag) > 256 {
		newTag = ""
	}
	return string(body), newTag, nil
}
