package members

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxID is also the room the gateway's tables have for an issuer.
	maxID   = 255
	maxName = 200
	maxURL  = 512
	// maxSerial is what every JSON reader can hold exactly.
	maxSerial = int64(1)<<53 - 1
)

var code = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// CheckEntityURL accepts an entity URL in its one spelling, because entity URLs are compared as text: https, or
// http on a loopback address; a host in lower case; no default port, user, path, query or fragment.
func CheckEntityURL(raw string) error {
	u, err := parseURL(raw, maxID)
	if err != nil {
		return err
	}
	if raw != u.Scheme+"://"+u.Host {
		return errors.New("an entity URL is scheme, host and port alone, without path or trailing slash")
	}
	return nil
}

// CheckURL accepts an address to which keys or tokens may travel: https, or http on a loopback address,
// without user, query or fragment.
func CheckURL(raw string) error {
	_, err := parseURL(raw, maxURL)
	return err
}

func parseURL(raw string, limit int) (*url.URL, error) {
	if raw == "" || len(raw) > limit {
		return nil, fmt.Errorf("a URL has 1 to %d characters", limit)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if u.Host == "" || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#") {
		return nil, errors.New("not an absolute URL without user, query and fragment")
	}
	if err := checkHost(u); err != nil {
		return nil, err
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && net.ParseIP(u.Hostname()).IsLoopback():
	default:
		return nil, errors.New("only https, or http on a loopback address")
	}
	return u, nil
}

func checkHost(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if host == "" || strings.HasSuffix(u.Host, ":") {
		return errors.New("a URL needs a host, and a port after a colon")
	}
	for _, r := range host {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == ':') {
			return errors.New("a host is written in lower case ASCII")
		}
	}
	if port != "" && (port == "443" && u.Scheme == "https" || port == "80" && u.Scheme == "http" || port[0] == '0' || len(port) > 5) {
		return errors.New("the port is not written in its one form")
	}
	return nil
}

// Check says whether the content of a document holds together, apart from its times. Sign and Verify both
// ask it; the anchor also asks before it commits a change, so that no change makes a document that nodes refuse.
func (d Document) Check() error {
	if err := CheckEntityURL(d.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if d.Serial < 1 || d.Serial > maxSerial {
		return errors.New("the serial is out of range")
	}
	known := make(map[string]bool, len(d.Organisations))
	owner := map[string]bool{} // thumbprints: a key speaks for one organisation
	for i, o := range d.Organisations {
		if err := o.check(owner); err != nil {
			return fmt.Errorf("organisation %d: %w", i, err)
		}
		if known[o.ID] {
			return fmt.Errorf("organisation %d: its id occurs twice", i)
		}
		known[o.ID] = true
	}
	circles := make(map[string]bool, len(d.Circles))
	for i, c := range d.Circles {
		if err := c.check(known); err != nil {
			return fmt.Errorf("circle %d: %w", i, err)
		}
		if circles[c.ID] {
			return fmt.Errorf("circle %d: its id occurs twice", i)
		}
		circles[c.ID] = true
	}
	return nil
}

func (o Organisation) check(owner map[string]bool) error {
	if err := CheckEntityURL(o.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if !slices.Contains([]Kind{Wijkteam, Municipality, Anchor}, o.Kind) {
		return errors.New("unknown kind")
	}
	if err := checkMarks(o.TrustMarks); err != nil {
		return err
	}
	switch o.State {
	case Removed:
		if len(o.Keys.Keys) > 0 || len(o.TrustMarks) > 0 || o.TokenEndpoint != "" || o.FederationBase != "" {
			return errors.New("a removed organisation keeps no keys, marks or endpoints")
		}
		return nil
	case Active, Suspended:
	default:
		return errors.New("unknown state")
	}
	if err := CheckKeys(o.Keys); err != nil {
		return err
	}
	for _, k := range o.Keys.Keys {
		print, err := thumbprint(k)
		if err != nil {
			return err
		}
		if owner[print] {
			return errors.New("a key occurs twice, here or at another organisation")
		}
		owner[print] = true
	}
	for _, endpoint := range []string{o.TokenEndpoint, o.FederationBase} {
		u, err := parseURL(endpoint, maxURL)
		if err != nil {
			return fmt.Errorf("endpoint: %w", err)
		}
		if u.Scheme+"://"+u.Host != o.ID || strings.HasSuffix(u.Path, "/") || u.Path == "" {
			return errors.New("an endpoint is a path at the organisation's own entity URL, without trailing slash")
		}
	}
	return nil
}

func (c Circle) check(known map[string]bool) error {
	if err := CheckCode(c.ID); err != nil {
		return fmt.Errorf("id: %w", err)
	}
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if !slices.Contains([]CircleState{CircleActive, CirclePaused, CircleEnded}, c.State) {
		return errors.New("unknown state")
	}
	if len(c.Members) > MaxCircle {
		return fmt.Errorf("more than %d members", MaxCircle)
	}
	seen := map[string]bool{}
	for _, id := range c.Members {
		if !known[id] {
			return errors.New("a member is not an organisation of the federation")
		}
		if seen[id] {
			return errors.New("a member occurs twice")
		}
		seen[id] = true
	}
	return nil
}

// CheckCode accepts the id of a circle or a trust mark.
func CheckCode(id string) error {
	if !code.MatchString(id) {
		return errors.New("want 1 to 63 lower case letters, digits and hyphens, no hyphen first")
	}
	return nil
}

func checkMarks(marks []string) error {
	for i, m := range marks {
		if err := CheckCode(m); err != nil {
			return fmt.Errorf("trust mark: %w", err)
		}
		if slices.Contains(marks[:i], m) {
			return errors.New("a trust mark occurs twice")
		}
	}
	return nil
}

// CheckName accepts the name of an organisation or a circle: 1 to 200 characters that can be printed.
func CheckName(name string) error {
	if !utf8.ValidString(name) || strings.TrimSpace(name) != name || name == "" || utf8.RuneCountInString(name) > maxName {
		return fmt.Errorf("a name has 1 to %d characters and no space around it", maxName)
	}
	// Control and format characters (a text that turns direction) would let one name look like another.
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("a name has a character that cannot be printed")
	}
	return nil
}
