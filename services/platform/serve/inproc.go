package serve

import (
	"context"
	"fmt"

	"github.com/fullstorydev/grpchan/inprocgrpc"
	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that both ways use
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
)

// Local is an in-process connection through the same chain as a TCP server.
type Local struct{ channel *inprocgrpc.Channel }

// NewLocal makes an in-process server; services are registered on it as on a gRPC server.
func NewLocal(chain []middleware.Middleware) *Local {
	c := new(inprocgrpc.Channel)
	c.WithCloner(inprocgrpc.CodecClonerV2(limited{encoding.GetCodecV2("proto")}))
	c.WithServerUnaryInterceptor(interceptor(chain))
	return &Local{channel: c}
}

// RegisterService implements grpc.ServiceRegistrar.
func (l *Local) RegisterService(d *grpc.ServiceDesc, impl any) { l.channel.RegisterService(d, impl) }

// Conn is the client side. Calls carry the caller and the trace of the call being served.
func (l *Local) Conn() grpc.ClientConnInterface { return conn{l.channel} }

// Dial connects to a server of NewServer.
func Dial(address string) (grpc.ClientConnInterface, error) {
	c, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage), grpc.MaxCallSendMsgSize(MaxMessage)))
	if err != nil {
		return nil, err
	}
	return conn{c}, nil
}

// conn forwards caller and trace, the same way over both connections.
type conn struct{ grpc.ClientConnInterface }

func (c conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	err := c.ClientConnInterface.Invoke(telemetry.Inject(identity.Forwarded(ctx)), method, args, reply, opts...)
	if _, ok := status.FromError(err); !ok && ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err() // in process, who goes away may find the channel closed first
	}
	return status.Convert(err).Err()
}

func (c conn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errUnaryOnly
}

// interceptor does what the kratos server does for TCP: set the transport, run the chain, bound the time.
func interceptor(chain []middleware.Middleware) grpc.UnaryServerInterceptor {
	wrap := middleware.Chain(chain...)
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		ctx = transport.NewServerContext(ctx, &local{operation: info.FullMethod, request: header(md), reply: header{}})
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		reply, err := wrap(func(ctx context.Context, req any) (any, error) { return handler(ctx, req) })(ctx, req)
		return reply, status.Convert(err).Err()
	}
}

// limited keeps an in-process message to the size that TCP allows.
type limited struct{ encoding.CodecV2 }

func (l limited) Marshal(v any) (mem.BufferSlice, error) {
	b, err := l.CodecV2.Marshal(v)
	if err == nil && b.Len() > MaxMessage {
		b.Free()
		return nil, status.Error(codes.ResourceExhausted, fmt.Sprintf("message larger than %d bytes", MaxMessage))
	}
	return b, err
}

type local struct {
	operation      string
	request, reply header
}

func (l *local) Kind() transport.Kind            { return transport.KindGRPC }
func (l *local) Endpoint() string                { return "inproc://" }
func (l *local) Operation() string               { return l.operation }
func (l *local) RequestHeader() transport.Header { return l.request }
func (l *local) ReplyHeader() transport.Header   { return l.reply }

type header metadata.MD

func (h header) Get(k string) string {
	if v := metadata.MD(h).Get(k); len(v) > 0 {
		return v[0]
	}
	return ""
}
func (h header) Set(k, v string)          { metadata.MD(h).Set(k, v) }
func (h header) Add(k, v string)          { metadata.MD(h).Append(k, v) }
func (h header) Values(k string) []string { return metadata.MD(h).Get(k) }
func (h header) Keys() []string {
	keys := make([]string, 0, len(h))
	for k := range h {
		keys = append(keys, k)
	}
	return keys
}
