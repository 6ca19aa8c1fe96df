package oauth

import (
	"context"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
)

// machineGrant is client_credentials for the node's own machine clients. No refresh token follows (RFC 6749 §4.4.3).
type machineGrant struct {
	*oauth2.ClientCredentialsGrantHandler
	server *Server
}

// HandleTokenEndpointRequest adds to fosite's checks: a scope is named, and the proof is used up. fosite's handler
// leaves it to its caller to grant the scopes.
func (h *machineGrant) HandleTokenEndpointRequest(ctx context.Context, req fosite.AccessRequester) error {
	from, sess, err := participants(req, grantMachine)
	if err != nil {
		return err
	}
	form := req.GetRequestForm()
	want, ok := scopes(form.Get("scope"))
	switch {
	case !ok:
		return invalidScope("scope.malformed", "scope is malformed")
	case len(want) == 0:
		return invalidScope("scope.missing", "name the scopes that are needed")
	case !within(want, from.party.Scopes):
		return invalidScope("scope.not-allowed", "a scope asked for is not allowed to this client")
	}
	if err := h.server.checkResource(form.Get("resource")); err != nil {
		return err
	}
	if err := h.ClientCredentialsGrantHandler.HandleTokenEndpointRequest(ctx, req); err != nil {
		return err
	}
	if err := h.server.spendProof(ctx, sess.proof); err != nil {
		return err
	}
	for _, scope := range want {
		req.GrantScope(scope)
	}
	sess.subject = from.ID // RFC 9068 §2.2: without a person, sub is the client
	return nil
}
