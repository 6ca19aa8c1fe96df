// Package service answers deid's RPCs from the engine. It is stateless, and never logs what it is given.
package service

import (
	"context"

	deidv1 "github.com/zijlicht/zijlicht/proto/zijlicht/deid/v1"
	"github.com/zijlicht/zijlicht/services/deid/internal/biz"
)

// Server implements deidv1.DeidServiceServer.
type Server struct {
	deidv1.UnimplementedDeidServiceServer
}

// New returns the server.
func New() *Server { return &Server{} }

// Inspect proposes what to replace in each text of one case.
func (*Server) Inspect(_ context.Context, req *deidv1.InspectRequest) (*deidv1.InspectResponse, error) {
	results := biz.InspectAll(req.GetTexts(), biz.Options{Allow: req.GetAllow(), Deny: req.GetDeny()})
	out := &deidv1.InspectResponse{Texts: make([]*deidv1.Inspected, len(results))}
	for i, r := range results {
		spans := make([]*deidv1.Span, len(r.Spans))
		for k, s := range r.Spans {
			spans[k] = &deidv1.Span{Start: uint32(s.Start), End: uint32(s.End), Type: string(s.Type), Text: s.Text, Entity: s.Entity,
				Confidence: s.Confidence, Proposal: s.Proposal, Why: s.Why}
		}
		out.Texts[i] = &deidv1.Inspected{Spans: spans}
	}
	return out, nil
}

// Compare assesses a rendition, and whether it only takes away from an earlier one. Without an earlier one, or with
// another number of fields, it is not a removal: the caller must not widen on a guess.
func (*Server) Compare(_ context.Context, req *deidv1.CompareRequest) (*deidv1.CompareResponse, error) {
	o := biz.Options{Allow: req.GetAllow(), Deny: req.GetDeny()}
	risk := biz.Assess(req.GetTexts(), o)
	pure := len(req.GetTexts()) > 0 && biz.PureRemovals(req.GetEarlier(), req.GetTexts(), o)
	return &deidv1.CompareResponse{
		Risk:        &deidv1.Risk{Level: uint32(risk.Level), Sentence: risk.Sentence, Factors: risk.Factors},
		PureRemoval: pure,
	}, nil
}
