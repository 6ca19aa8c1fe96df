package gateway

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	identityv1 "github.com/zijlicht/zijlicht/proto/zijlicht/identity/v1"
	"github.com/zijlicht/zijlicht/services/platform/fault"
)

// reader is the context of a service's call for a person of the node.
func (n *node) reader(t *testing.T, id string, roles ...string) context.Context {
	t.Helper()
	c := &identityv1.Caller{
		Kind: identityv1.Kind_KIND_PERSON, Subject: id, Organisation: n.url, Roles: roles, Unit: "team-oost", Acr: "urn:example:acr",
	}
	n.own(t.Context(), c)
	ctx, err := n.Signer.Outgoing(metadata.NewOutgoingContext(t.Context(), metadata.MD{}), c)
	must(t, err)
	return ctx
}

// A case is read live at its owner, under a pseudonym, with a token that is used again.
func TestReadingAtAPeer(t *testing.T) {
	t.Parallel()
	a := newAnchor(t)
	noord, zuid := startNode(t, a), startNode(t, a)
	noord.refresh()
	fed := gatewayv1.NewFederationServiceClient(noord.Gateway.Conn)
	ask := &gatewayv1.ReadPeerCaseRequest{Owner: zuid.url, PublicId: "a b/c?d", Purpose: "learning-in-circle"}
	read := func(ctx context.Context, edit ...func(*gatewayv1.ReadPeerCaseRequest)) (string, error) {
		r := &gatewayv1.ReadPeerCaseRequest{Owner: zuid.url, PublicId: "AbcAbcAbcAbcAbcAbcAbcA", Purpose: "learning-in-circle"}
		for _, e := range edit {
			e(r)
		}
		c, err := fed.ReadPeerCase(ctx, r)
		return c.GetWhatHappened(), err
	}
	var asked atomic.Int32
	count := func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/oauth2/token" {
			asked.Add(1)
		}
		return false
	}
	zuid.before.Store(&count)
	ctx := noord.reader(t, "account-9", "reviewer")
	for range 3 {
		if text, err := read(ctx); err != nil || text != "circle" {
			t.Fatalf("read %q: %v", text, err)
		}
	}
	if n := asked.Load(); n != 1 && n != 2 { // a first nonce may cost one more
		t.Errorf("%d exchanges for three reads", n)
	}
	c := zuid.said.last().caller
	if c.GetSubject() != noord.url+"|"+noord.pairwise(zuid.url, "account-9") || strings.Contains(c.String(), "account-9") || c.GetAcr() != "urn:example:acr" {
		t.Errorf("caller %v", c)
	}
	zuid.before.Store(nil)
	_, err := fed.ReadPeerCase(ctx, ask) // an id that would be another path
	if code := fault.CodeOf(err); code != "invalid-argument" {
		t.Errorf("a path for an id: %v", err)
	}
	for name, c := range map[string]struct {
		ctx  context.Context
		edit func(*gatewayv1.ReadPeerCaseRequest)
		code string
	}{
		"a dotted path":           {ctx, func(r *gatewayv1.ReadPeerCaseRequest) { r.PublicId = ".." }, "invalid-argument"},
		"another purpose":         {ctx, func(r *gatewayv1.ReadPeerCaseRequest) { r.Purpose = "appraisal" }, "purpose.not_agreed"},
		"an unknown organisation": {ctx, func(r *gatewayv1.ReadPeerCaseRequest) { r.Owner = "https://nergens.example" }, "peer.not_active"},
		"no reviewer":             {noord.reader(t, "account-9", "professional"), func(*gatewayv1.ReadPeerCaseRequest) {}, "role.missing"},
	} {
		if _, err := read(c.ctx, c.edit); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, c := range map[string]struct {
		status int
		body   string
		code   string
	}{
		"refused":             {403, `{"reason":"case.closed"}`, "case.closed"},
		"a reason of its own": {403, `{"reason":"` + words + `"}`, "case.closed"},
		"about its resident":  {403, `{"reason":"consent.withdrawn"}`, "case.closed"},
		"not a problem":       {403, `<html>`, "case.closed"},
		"not there":           {404, `{"reason":"case.closed"}`, "not-found"},
		"changed":             {409, `{}`, "case.closed"},
		"fault":               {500, `{"detail":"` + words + `"}`, "peer-unavailable"},
		"refused us":          {401, `{}`, "peer-unavailable"},
		"garbage":             {200, `{"whatHappened":7}`, "peer-unavailable"},
		"too much":            {200, `{"whatHappened":"` + strings.Repeat("a", 5<<20) + `"}`, "peer-unavailable"},
		"newer than we are":   {200, `{"whatHappened":"x","new":1}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			zuid.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); _, _ = w.Write([]byte(c.body)) })
			_, err := read(ctx)
			if fault.CodeOf(err) != c.code || err != nil && strings.Contains(err.Error(), words) {
				t.Errorf("%v", err)
			}
		})
	}
	zuid.before.Store(nil)

	a.suspend(noord.url)
	zuid.refresh()
	// Who holds no token yet gets none.
	if _, err := read(noord.reader(t, "account-8", "reviewer")); fault.CodeOf(err) != "member.suspended" {
		t.Errorf("we are suspended: %v", err)
	}
	if strings.Contains(noord.log.String(), words) {
		t.Error("the log holds what a stranger wrote")
	}
}

// What the node's own services may ask about people and circles.
func TestLookUps(t *testing.T) {
	t.Parallel()
	n := startNode(t, newAnchor(t))
	open, closed := n.member(t, "professional", "reviewer"), n.member(t)
	must(t, n.accounts.CloseAccount(t.Context(), closed.id))
	fed := gatewayv1.NewFederationServiceClient(n.Gateway.Conn)
	ctx := n.reader(t, open.id, "professional")

	c, err := fed.LookUpColleague(ctx, &gatewayv1.LookUpColleagueRequest{AccountId: open.id})
	if err != nil || !c.GetFound() || c.GetUnit() != "team-oost" || strings.Join(c.GetRoles(), " ") != "professional reviewer" {
		t.Errorf("%v: %v", c, err)
	}
	for _, id := range []string{closed.id, caseID} {
		if c, err := fed.LookUpColleague(ctx, &gatewayv1.LookUpColleagueRequest{AccountId: id}); err != nil || c.GetFound() || c.GetName() != "" {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := fed.LookUpColleague(ctx, &gatewayv1.LookUpColleagueRequest{AccountId: "x"}); fault.CodeOf(err) != "invalid-argument" {
		t.Errorf("no id: %v", err)
	}
	circle, err := fed.GetCircle(ctx, &gatewayv1.GetCircleRequest{Circle: theCircle})
	if err != nil || !circle.GetFound() || len(circle.GetMembers()) != 1 || circle.GetMembers()[0].GetId() != n.url {
		t.Errorf("%v: %v", circle, err)
	}
	if circle, err := fed.GetCircle(ctx, &gatewayv1.GetCircleRequest{Circle: "geen"}); err != nil || circle.GetFound() {
		t.Errorf("%v: %v", circle, err)
	}
	// Without a statement of who calls there is no answer, not even inside the node.
	if _, err := fed.GetCircle(t.Context(), &gatewayv1.GetCircleRequest{Circle: theCircle}); fault.CodeOf(err) != "unauthenticated" {
		t.Errorf("nobody: %v", err)
	}
}
