// Package identity carries who is asking. The gateway signs the statement, every
// service verifies it in both run modes, and it is forwarded unchanged. Nothing
// that a client sends becomes part of it.
package identity

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
)

// Header is the metadata key; the value is a serialised SignedCaller.
const Header = "zijlicht-caller-bin"

// Lifetime of a statement: long enough for one request.
const Lifetime = 30 * time.Second

// The signature is over this prefix and the statement, so that it can be mistaken for no other signature by the same key.
const domain = "zijlicht caller v1\n"

// Signer states who calls. Only the gateway has one.
type Signer struct {
	key  ed25519.PrivateKey
	node string
	now  func() time.Time
}

// NewSigner signs statements for the services of one node (entity URL).
func NewSigner(key ed25519.PrivateKey, node string, now func() time.Time) *Signer {
	return &Signer{key: key, node: node, now: now}
}

// Outgoing returns a context whose gRPC calls carry the caller. It sets the
// audience, the lifetime and, when absent, the one time of the request.
func (s *Signer) Outgoing(ctx context.Context, c *identityv1.Caller) (context.Context, error) {
	c = proto.CloneOf(c)
	now := s.now().UTC().Truncate(time.Microsecond)
	if c.Time == nil {
		c.Time = timestamppb.New(now)
	}
	c.Audience = s.node
	c.ExpireTime = timestamppb.New(now.Add(Lifetime))
	raw, err := proto.Marshal(c)
	if err != nil {
		return nil, err
	}
	signed, err := proto.Marshal(&identityv1.SignedCaller{
		Caller:    raw,
		Signature: ed25519.Sign(s.key, append([]byte(domain), raw...)),
	})
	if err != nil {
		return nil, err
	}
	return metadata.AppendToOutgoingContext(withoutCaller(ctx), Header, string(signed)), nil
}

func withoutCaller(ctx context.Context) context.Context {
	md, ok := metadata.FromOutgoingContext(ctx)
	if !ok || len(md.Get(Header)) == 0 {
		return ctx
	}
	md = md.Copy()
	md.Delete(Header)
	return metadata.NewOutgoingContext(ctx, md)
}

// Verifier checks statements with the gateway's public key.
type Verifier struct {
	key  ed25519.PublicKey
	node string
	now  func() time.Time
}

// NewVerifier accepts statements signed by key for node.
func NewVerifier(key ed25519.PublicKey, node string, now func() time.Time) *Verifier {
	return &Verifier{key: key, node: node, now: now}
}

// ErrNoCaller says that a call carries no statement at all.
var ErrNoCaller = errors.New("no caller")

// Verify reads the caller from incoming metadata.
func (v *Verifier) Verify(ctx context.Context) (context.Context, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get(Header)
	if len(values) == 0 {
		return ctx, ErrNoCaller
	}
	if len(values) != 1 {
		return ctx, errors.New("more than one caller")
	}
	var signed identityv1.SignedCaller
	if err := proto.Unmarshal([]byte(values[0]), &signed); err != nil {
		return ctx, errors.New("caller is not well formed")
	}
	if !ed25519.Verify(v.key, append([]byte(domain), signed.GetCaller()...), signed.GetSignature()) {
		return ctx, errors.New("caller's signature does not hold")
	}
	var c identityv1.Caller
	if err := proto.Unmarshal(signed.GetCaller(), &c); err != nil {
		return ctx, errors.New("caller is not well formed")
	}
	if c.GetAudience() != v.node {
		return ctx, errors.New("caller is for another node")
	}
	if !c.GetTime().IsValid() || !c.GetExpireTime().IsValid() || !v.now().Before(c.GetExpireTime().AsTime()) {
		return ctx, errors.New("caller has expired")
	}
	if c.GetKind() == identityv1.Kind_KIND_UNSPECIFIED || c.GetSubject() == "" {
		return ctx, errors.New("caller has no kind or subject")
	}
	return context.WithValue(ctx, key{}, &verified{caller: &c, raw: values[0]}), nil
}

type key struct{}

type verified struct {
	caller *identityv1.Caller
	raw    string
}

// FromContext gives the verified caller of the call being served.
func FromContext(ctx context.Context) (*identityv1.Caller, bool) {
	v, ok := ctx.Value(key{}).(*verified)
	if !ok {
		return nil, false
	}
	return v.caller, true
}

// Of is FromContext for code that runs behind the caller check.
func Of(ctx context.Context) *identityv1.Caller {
	c, _ := FromContext(ctx)
	return c
}

// Now is the one time of the request: the clock of every rule and query in it.
func Now(ctx context.Context) time.Time {
	return Of(ctx).GetTime().AsTime()
}

// Forwarded passes the caller being served on to the next service, unchanged.
func Forwarded(ctx context.Context) context.Context {
	v, ok := ctx.Value(key{}).(*verified)
	if !ok {
		return ctx
	}
	if md, ok := metadata.FromOutgoingContext(ctx); ok && len(md.Get(Header)) > 0 {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, Header, v.raw)
}

// KindName is the caller's kind as the policy and the log know it.
func KindName(k identityv1.Kind) string {
	switch k {
	case identityv1.Kind_KIND_PERSON:
		return "person"
	case identityv1.Kind_KIND_PEER:
		return "peer"
	case identityv1.Kind_KIND_RECEIPT:
		return "receipt"
	case identityv1.Kind_KIND_WORKER:
		return "worker"
	case identityv1.Kind_KIND_MACHINE:
		return "machine"
	default:
		return fmt.Sprintf("unknown-%d", k)
	}
}
