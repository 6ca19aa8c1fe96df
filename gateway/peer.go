package gateway

import (
	"context"

	casesv1 "github.com/zijlicht/zijlicht/proto/zijlicht/cases/v1"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	reviewv1 "github.com/zijlicht/zijlicht/proto/zijlicht/review/v1"
)

// peerService is what other nodes may ask. Each request goes, with its caller, to
// the service that owns the thing and decides.
type peerService struct {
	gatewayv1.UnimplementedPeerServiceServer
	g *Gateway
}

// ReadCase implements gatewayv1.PeerServiceServer.
func (s peerService) ReadCase(ctx context.Context, req *casesv1.ReadSharedRequest) (*casesv1.SharedCase, error) {
	return casesv1.NewCasesServiceClient(s.g.Conn).ReadShared(ctx, req)
}

// DeliverNotice implements gatewayv1.PeerServiceServer.
func (s peerService) DeliverNotice(ctx context.Context, req *reviewv1.ReceiveNoticeRequest) (*reviewv1.ReceiveNoticeResponse, error) {
	return reviewv1.NewReviewServiceClient(s.g.Conn).ReceiveNotice(ctx, req)
}

// DeliverMessage implements gatewayv1.PeerServiceServer.
func (s peerService) DeliverMessage(ctx context.Context, req *reviewv1.ReceiveMessageRequest) (*reviewv1.ReceiveMessageResponse, error) {
	return reviewv1.NewReviewServiceClient(s.g.Conn).ReceiveMessage(ctx, req)
}
