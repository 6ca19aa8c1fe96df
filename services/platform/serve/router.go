package serve

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// Router sends each call to where its service runs: in this process or in another.
type Router struct {
	routes map[string]grpc.ClientConnInterface
}

// NewRouter knows no service yet. Routes are added before the first call.
func NewRouter() *Router { return &Router{routes: map[string]grpc.ClientConnInterface{}} }

// Route says where a service runs, such as "cases" for the package zijlicht.cases.v1.
func (r *Router) Route(service string, conn grpc.ClientConnInterface) { r.routes[service] = conn }

// Invoke implements grpc.ClientConnInterface.
func (r *Router) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	parts := strings.Split(method, ".")
	if len(parts) > 2 {
		if conn := r.routes[parts[1]]; conn != nil {
			return conn.Invoke(ctx, method, args, reply, opts...)
		}
	}
	return status.Convert(fault.Unavailable(fault.Note("the service runs nowhere"))).Err()
}

// NewStream implements grpc.ClientConnInterface.
func (r *Router) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errUnaryOnly
}
