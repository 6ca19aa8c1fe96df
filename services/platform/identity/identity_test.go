package identity_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/identity"
)

const node = "https://noord.example"

var now = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func newKey(t testing.TB) (ed25519.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func person() *identityv1.Caller {
	return &identityv1.Caller{Kind: identityv1.Kind_KIND_PERSON, Subject: "account-1", Organisation: node, Roles: []string{"professional"}}
}

// statement is what a signer puts on the wire.
func statement(t testing.TB, s *identity.Signer, c *identityv1.Caller) string {
	t.Helper()
	ctx, err := s.Outgoing(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	md, _ := metadata.FromOutgoingContext(ctx)
	return md.Get(identity.Header)[0]
}

func incoming(values ...string) context.Context {
	return metadata.NewIncomingContext(context.Background(), metadata.MD{identity.Header: values})
}

// resigned signs a statement of any content with a key.
func resigned(t testing.TB, key ed25519.PrivateKey, prefix string, c *identityv1.Caller) string {
	t.Helper()
	raw, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&identityv1.SignedCaller{Caller: raw, Signature: ed25519.Sign(key, append([]byte(prefix), raw...))})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	_, otherKey := newKey(t)
	v := identity.NewVerifier(public, node, at(now))
	good := statement(t, identity.NewSigner(private, node, at(now)), person())
	const prefix = "zijlicht caller v1\n"
	full := func(change func(*identityv1.Caller)) *identityv1.Caller {
		c := person()
		c.Audience, c.Time, c.ExpireTime = node, timestamppb.New(now), timestamppb.New(now.Add(time.Second))
		change(c)
		return c
	}
	altered := []byte(good)
	altered[len(altered)/3] ^= 1
	for name, values := range map[string][]string{
		"other key":            {statement(t, identity.NewSigner(otherKey, node, at(now)), person())},
		"other node":           {statement(t, identity.NewSigner(private, "https://zuid.example", at(now)), person())},
		"expired":              {statement(t, identity.NewSigner(private, node, at(now.Add(-identity.Lifetime))), person())},
		"altered":              {string(altered)},
		"empty":                {""},
		"garbage":              {"x"},
		"doubled":              {good, good},
		"good and garbage":     {good, "x"},
		"no signature":         {resignedWithout(t, full(func(*identityv1.Caller) {}))},
		"other purpose of key": {resigned(t, private, "", full(func(*identityv1.Caller) {}))},
		"no kind":              {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.Kind = 0 }))},
		"no subject":           {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.Subject = "" }))},
		"no time":              {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.Time = nil }))},
		"no expiry":            {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.ExpireTime = nil }))},
		"impossible time":      {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.Time = &timestamppb.Timestamp{Seconds: 1 << 60} }))},
		"no audience":          {resigned(t, private, prefix, full(func(c *identityv1.Caller) { c.Audience = "" }))},
	} {
		ctx, err := v.Verify(incoming(values...))
		if err == nil || errors.Is(err, identity.ErrNoCaller) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := identity.FromContext(ctx); ok {
			t.Errorf("%s: there is a caller", name)
		}
	}
	for name, ctx := range map[string]context.Context{"no metadata": t.Context(), "no header": incoming()} {
		if _, err := v.Verify(ctx); !errors.Is(err, identity.ErrNoCaller) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, err := v.Verify(incoming(good))
	if err != nil {
		t.Fatal(err)
	}
	if c := identity.Of(ctx); c.GetSubject() != "account-1" || strings.Join(c.GetRoles(), " ") != "professional" || !identity.Now(ctx).Equal(now) {
		t.Fatalf("caller %v", c)
	}
}

func resignedWithout(t *testing.T, c *identityv1.Caller) string {
	t.Helper()
	raw, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&identityv1.SignedCaller{Caller: raw})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSigner: what the one who asks filled in for node and lifetime does not count, and their message stays as it was.
func TestSigner(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	c := person()
	c.Audience, c.ExpireTime = "https://zuid.example", timestamppb.New(now.Add(time.Hour))
	c.Time = timestamppb.New(now.Add(-time.Minute)) // of deferred work, say
	before := proto.CloneOf(c)
	good := statement(t, identity.NewSigner(private, node, at(now)), c)
	if !proto.Equal(c, before) {
		t.Fatal("the caller was changed")
	}
	ctx, err := identity.NewVerifier(public, node, at(now)).Verify(incoming(good))
	if err != nil || !identity.Now(ctx).Equal(now.Add(-time.Minute)) {
		t.Fatalf("%v at %v", err, identity.Now(ctx))
	}
	if _, err := identity.NewVerifier(public, node, at(now.Add(identity.Lifetime))).Verify(incoming(good)); err == nil {
		t.Fatal("lives longer than a statement may")
	}
}

// TestForwarded: the statement goes on byte for byte; a new one replaces it, and nothing is sent twice.
func TestForwarded(t *testing.T) {
	t.Parallel()
	public, private := newKey(t)
	s := identity.NewSigner(private, node, at(now))
	good := statement(t, s, person())
	ctx, err := identity.NewVerifier(public, node, at(now)).Verify(incoming(good))
	if err != nil {
		t.Fatal(err)
	}
	sent := func(ctx context.Context) []string {
		md, _ := metadata.FromOutgoingContext(identity.Forwarded(ctx))
		return md.Get(identity.Header)
	}
	if got := sent(ctx); !slices.Equal(got, []string{good}) {
		t.Fatal("not forwarded unchanged")
	}
	if got := sent(identity.Forwarded(ctx)); len(got) != 1 {
		t.Fatalf("sent %d times", len(got))
	}
	worker, err := s.Outgoing(ctx, &identityv1.Caller{Kind: identityv1.Kind_KIND_WORKER, Subject: "w"})
	if err != nil {
		t.Fatal(err)
	}
	if worker, err = s.Outgoing(worker, &identityv1.Caller{Kind: identityv1.Kind_KIND_WORKER, Subject: "w2"}); err != nil {
		t.Fatal(err)
	}
	if got := sent(worker); len(got) != 1 || got[0] == good {
		t.Fatal("a new statement does not replace the one before")
	}
	if got := sent(t.Context()); len(got) != 0 {
		t.Fatal("a caller out of nothing")
	}
}

func TestKindNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := range identityv1.Kind_name {
		name := identity.KindName(identityv1.Kind(n))
		if seen[name] || (n == 0) != (name == "unknown-0") {
			t.Errorf("kind %d is %q", n, name)
		}
		seen[name] = true
	}
}

// FuzzVerify: only what the key signed is a caller.
func FuzzVerify(f *testing.F) {
	public, private := newKey(f)
	good := statement(f, identity.NewSigner(private, node, at(now)), person())
	v := identity.NewVerifier(public, node, at(now))
	f.Add([]byte(good))
	f.Add([]byte(good)[:len(good)/2])
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := v.Verify(incoming(string(b)))
		if err != nil {
			return
		}
		var signed identityv1.SignedCaller
		if proto.Unmarshal(b, &signed) != nil || !ed25519.Verify(public, append([]byte("zijlicht caller v1\n"), signed.GetCaller()...), signed.GetSignature()) {
			t.Fatalf("%x is a caller", b)
		}
	})
}
