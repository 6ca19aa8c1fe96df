package members

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	strict "github.com/go-jose/go-jose/v4/json"
)

// claims is the document on the wire. Readers ignore members they do not know, so that an anchor may be newer
// than a node; a value they do not know (a state, a kind) makes them refuse, because ignoring it would widen.
type claims struct {
	Issuer        string         `json:"iss"`
	IssueTime     int64          `json:"iat"`
	ExpireTime    int64          `json:"exp"`
	Serial        int64          `json:"serial"`
	Organisations []Organisation `json:"organisations"`
	Circles       []Circle       `json:"circles"`
}

// Sign makes the compact JWS of a document. The key is an ES256 private key with a kid. Times are cut to seconds.
func Sign(d Document, key jose.JSONWebKey) (string, error) {
	private, ok := key.Key.(*ecdsa.PrivateKey)
	if !ok {
		return "", errors.New("sign member document: the key is not an ES256 private key")
	}
	if err := checkKey(key.Public()); err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	c := claims{
		Issuer: d.Issuer, IssueTime: d.IssueTime.Unix(), ExpireTime: d.ExpireTime.Unix(), Serial: d.Serial,
		Organisations: d.Organisations, Circles: d.Circles,
	}
	if err := c.checkLifetime(); err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	if err := d.Check(); err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: key.KeyID}},
		(&jose.SignerOptions{}).WithType(Type))
	if err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("sign member document: %w", err)
	}
	if len(compact) > MaxSize {
		return "", fmt.Errorf("sign member document: larger than %d bytes", MaxSize)
	}
	return compact, nil
}

// CheckSize says whether the document, once signed, is small enough for nodes to read.
func (d Document) CheckSize() error {
	payload, err := json.Marshal(claims{Organisations: d.Organisations, Circles: d.Circles})
	if err != nil {
		return err
	}
	// Base64 makes four characters of three bytes; the rest is for the header, the signature and the times.
	if len(payload)/3*4+1024 > MaxSize {
		return fmt.Errorf("larger than %d bytes", MaxSize)
	}
	return nil
}

// Verify reads a document that anchorIssuer signed with one of keys, the pinned ones, and that is valid at now.
// It is strict: whatever is not as Sign makes it is refused, except for members it does not know.
func Verify(compact, anchorIssuer string, keys jose.JSONWebKeySet, now time.Time) (Document, error) {
	if len(compact) > MaxSize {
		return Document{}, fmt.Errorf("member document: larger than %d bytes", MaxSize)
	}
	signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return Document{}, errors.New("member document: not a compact JWS with ES256")
	}
	header := signed.Signatures[0].Protected
	if typ, ok := header.ExtraHeaders[jose.HeaderType].(string); !ok || typ != Type {
		return Document{}, errors.New("member document: its type is not " + Type)
	}
	key, err := pinned(keys, header.KeyID)
	if err != nil {
		return Document{}, err
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return Document{}, errors.New("member document: the signature does not hold")
	}
	var c claims
	// Names match exactly and may occur once, unlike with encoding/json.
	if err := strict.Unmarshal(payload, &c); err != nil {
		return Document{}, errors.New("member document: its payload is not a member document")
	}
	return c.document(anchorIssuer, now)
}

// pinned finds the one key with this kid. What else the header says about keys is not looked at.
func pinned(keys jose.JSONWebKeySet, kid string) (jose.JSONWebKey, error) {
	found := keys.Key(kid)
	if kid == "" || len(found) != 1 || checkKey(found[0]) != nil {
		return jose.JSONWebKey{}, errors.New("member document: signed with a key that is not pinned")
	}
	return found[0], nil
}

func (c claims) document(anchorIssuer string, now time.Time) (Document, error) {
	if c.Issuer != anchorIssuer {
		return Document{}, errors.New("member document: another issuer")
	}
	if err := c.checkLifetime(); err != nil {
		return Document{}, fmt.Errorf("member document: %w", err)
	}
	d := Document{
		Issuer: c.Issuer, Serial: c.Serial,
		IssueTime: time.Unix(c.IssueTime, 0).UTC(), ExpireTime: time.Unix(c.ExpireTime, 0).UTC(),
		Organisations: c.Organisations, Circles: c.Circles,
	}
	if d.IssueTime.After(now.Add(Skew)) {
		return Document{}, errors.New("member document: issued in the future")
	}
	if !now.Before(d.ExpireTime) {
		return Document{}, ErrExpired
	}
	if err := d.Check(); err != nil {
		return Document{}, fmt.Errorf("member document: %w", err)
	}
	return d, nil
}

// ErrExpired says that a document is genuine and past its expiry.
var ErrExpired = errors.New("member document: expired")

// checkLifetime works on seconds: far-off values of time.Time would wrap.
func (c claims) checkLifetime() error {
	const farOff = int64(1) << 40
	if c.IssueTime < 1 || c.ExpireTime <= c.IssueTime || c.ExpireTime > farOff ||
		c.ExpireTime-c.IssueTime > int64(MaxLifetime/time.Second) {
		return fmt.Errorf("it does not live longer than nothing and at most %s", MaxLifetime)
	}
	return nil
}
