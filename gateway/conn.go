package gateway

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	faultv1 "github.com/zijlicht/zijlicht/proto/zijlicht/fault/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
)

// servicesConn reaches the node's services. A service that cannot be reached is a
// check that could not be made, and not something that broke.
type servicesConn struct{ grpc.ClientConnInterface }

func (c servicesConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	err := c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
	if status.Code(err) == codes.Unavailable && fault.ReasonOf(err) == faultv1.Reason_REASON_INTERNAL {
		return fault.Unavailable(err)
	}
	return err
}

// edgeConn calls the services for the caller that the edge established. Whatever
// else was about to travel as metadata, such as headers of the request, is left behind.
type edgeConn struct {
	grpc.ClientConnInterface
	signer *identity.Signer
}

type callerKey struct{}

func withCaller(ctx context.Context, c *identityv1.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func (c edgeConn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	ctx = metadata.NewOutgoingContext(ctx, metadata.MD{})
	if who, ok := ctx.Value(callerKey{}).(*identityv1.Caller); ok {
		var err error
		if ctx, err = c.signer.Outgoing(ctx, who); err != nil {
			return err
		}
	}
	return c.ClientConnInterface.Invoke(ctx, method, args, reply, opts...)
}
