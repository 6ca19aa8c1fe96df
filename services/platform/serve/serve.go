// Package serve runs the gRPC side of a node: the order of a call, written once,
// over TCP and in process. What passes in one way passes in the other.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/zijlicht/zijlicht/proto/zijlicht/access/v1"
	"github.com/zijlicht/zijlicht/services/platform/access"
	"github.com/zijlicht/zijlicht/services/platform/fault"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// MaxMessage is the largest message in bytes, over TCP and in process.
const MaxMessage = 4 << 20

// callTimeout bounds a call that came without a deadline.
const callTimeout = 15 * time.Second

// Chain is the order of a call: telemetry, recovery, caller, validate, gate. The
// handler comes after it.
func Chain(log *slog.Logger, v *identity.Verifier, gate middleware.Middleware, security Security) []middleware.Middleware {
	return []middleware.Middleware{
		telemetry.Server(log),
		outward(),
		recovery(log),
		caller(v, security),
		validate(security),
		gate,
	}
}

// Security takes note of calls that never reached a decision. It must not block.
type Security func(ctx context.Context, operation, what string)

// NewServer listens on TCP. The port is for the node's own processes only.
func NewServer(address string, chain []middleware.Middleware, opts ...kgrpc.ServerOption) *kgrpc.Server {
	return kgrpc.NewServer(append([]kgrpc.ServerOption{
		kgrpc.Address(address),
		kgrpc.Timeout(callTimeout),
		kgrpc.Middleware(chain...),
		kgrpc.DisableReflection(),
		kgrpc.StreamInterceptor(func(any, grpc.ServerStream, *grpc.StreamServerInfo, grpc.StreamHandler) error {
			return errUnaryOnly // no stream passes the gate
		}),
		kgrpc.Options(grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage)),
	}, opts...)...)
}

var errUnaryOnly = status.Error(codes.Unimplemented, "unary RPCs only")

// outward lets only faults leave.
func outward() middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			reply, err := next(ctx, req)
			if err != nil {
				return nil, fault.Sanitize(err)
			}
			return reply, nil
		}
	}
}

func recovery(log *slog.Logger) middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (reply any, err error) {
			defer func() {
				if r := recover(); r != nil {
					// The value of a panic may hold what a user wrote; its type and the stack do not.
					log.ErrorContext(ctx, "panic", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
					reply, err = nil, fault.Internal(fault.Note("panic"))
				}
			}()
			return next(ctx, req)
		}
	}
}

func operation(ctx context.Context) string {
	if tr, ok := transport.FromServerContext(ctx); ok {
		return tr.Operation()
	}
	return ""
}

// caller verifies who calls. Only public RPCs do without.
func caller(v *identity.Verifier, security Security) middleware.Middleware {
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			op := operation(ctx)
			a, err := access.Of(op)
			if err != nil {
				return nil, fault.Internal(err)
			}
			verified, err := v.Verify(ctx)
			switch {
			case err == nil:
				return next(verified, req)
			case errors.Is(err, identity.ErrNoCaller) && a.GetClass() == accessv1.Class_CLASS_PUBLIC:
				return next(ctx, req)
			}
			security(ctx, op, "caller: "+err.Error())
			return nil, fault.Unauthenticated(err.Error())
		}
	}
}
