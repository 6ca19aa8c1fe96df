// Package gateway is the front door of a node: it says who calls, checks limits,
// and speaks REST with people and machines, OAuth and JSON with other nodes. It
// decides nothing about cases: the service that owns a thing decides about it.
package gateway

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"google.golang.org/grpc"

	"github.com/zijlicht/zijlicht/gateway/internal/account"
	"github.com/zijlicht/zijlicht/gateway/internal/federation"
	"github.com/zijlicht/zijlicht/gateway/internal/limit"
	"github.com/zijlicht/zijlicht/gateway/internal/oauth"
	"github.com/zijlicht/zijlicht/policies"
	gatewayv1 "github.com/zijlicht/zijlicht/proto/zijlicht/gateway/v1"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the gateway's part of the database: sessions, clients, members, replay.
func Schema() pgdb.Schema {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err)
	}
	return pgdb.Schema{Name: "gateway", Migrations: files, Login: true}
}

// Paths under which a node answers.
const (
	apiPath        = "/api/v1"
	federationPath = "/federation/v1"
)

// Config of a gateway. All fields are required but Anchor and Now.
type Config struct {
	// Node is the short name of the node, EntityURL the organisation's id, issuer and public address.
	Node, EntityURL string
	Pool            *pgxpool.Pool
	// Conn reaches the node's services, the gateway's own gRPC services among them.
	Conn grpc.ClientConnInterface
	// Signer states who calls, Keys seals names, PairwiseKey hides people from peers.
	Signer *identity.Signer
	// OAuthKey is the file of the key that EnsureKey made.
	OAuthKey    string
	Keys        *keys.Master
	PairwiseKey []byte
	// AnchorIssuer and AnchorKeys are pinned; MembersURL is where the anchor's document is fetched.
	AnchorIssuer, MembersURL string
	AnchorKeys               jose.JSONWebKeySet
	// Anchor serves the anchor's own paths, on the anchor's node only.
	Anchor http.Handler
	// Security takes note of calls that never reach a decision.
	Security func(ctx context.Context, operation, what string)
	Log      *slog.Logger
	Now      func() time.Time
}

// Gateway of one node.
type Gateway struct {
	Config
	accounts *account.Store
	members  *federation.Members
	oauth    *oauth.Server
	peers    *oauth.PeerClient
	refusals *policies.Refusals
	receipts *limit.Limiter
	signIns  *limit.Limiter
	peerTime time.Duration // bounds one delivery
}

// New makes a gateway; it does not yet listen.
func New(c Config) (*Gateway, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.PairwiseKey) < 32 {
		return nil, errors.New("the pairwise key is shorter than 32 bytes")
	}
	c.Conn = servicesConn{c.Conn}
	g := &Gateway{Config: c, accounts: &account.Store{Pool: c.Pool, Keys: c.Keys, Now: c.Now}, peerTime: 20 * time.Second}
	var err error
	if g.refusals, err = policies.LoadRefusals(); err != nil {
		return nil, err
	}
	if g.members, err = federation.NewMembers(federation.Config{
		Pool: c.Pool, URL: c.MembersURL, Issuer: c.AnchorIssuer, Keys: c.AnchorKeys, Logger: c.Log, Now: c.Now,
	}); err != nil {
		return nil, fmt.Errorf("members: %w", err)
	}
	key, err := oauth.LoadSigningKey(c.OAuthKey)
	if err != nil {
		return nil, err
	}
	g.oauth, err = oauth.New(oauth.Config{
		Issuer: c.EntityURL, Resource: c.EntityURL + federationPath, Pool: c.Pool, SigningKey: key,
		Peers: peerTrust{g.members}, Clients: oauth.Clients{Pool: c.Pool, Now: c.Now},
		Scopes: []string{scopeRead, scopeReview, scopeNotice, scopeCircles},
		Refused: func(ctx context.Context, r oauth.Refused) {
			c.Security(ctx, "POST "+oauth.TokenPath, r.Code+" "+r.Reason)
		},
		Logger: c.Log, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	if g.peers, err = oauth.NewPeerClient(g.oauth); err != nil {
		return nil, err
	}
	// A receipt code has 80 random bits; the limit is there so that trying is also slow, per address.
	g.receipts = limit.New(limit.Config{Every: 6 * time.Second, Burst: 10, Now: c.Now})
	g.signIns = limit.New(limit.Config{Every: 6 * time.Second, Burst: 20, Now: c.Now})
	return g, nil
}

// Register serves the gateway's gRPC services to the node's own processes.
func (g *Gateway) Register(r grpc.ServiceRegistrar) {
	gatewayv1.RegisterAccountServiceServer(r, accountService{g: g})
	gatewayv1.RegisterFederationServiceServer(r, federationService{g: g})
	gatewayv1.RegisterPeerServiceServer(r, peerService{g: g})
}

// Run keeps the member document fresh, sweeps what has expired and delivers
// messages to other nodes, until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	deliveries, err := g.startDeliveries(ctx)
	if err != nil {
		return err
	}
	errs := make(chan error, 3)
	go func() { errs <- g.members.Run(ctx) }()
	go func() { errs <- g.oauth.Run(ctx) }()
	go func() { errs <- g.sweep(ctx) }()
	<-ctx.Done()
	stopDeliveries(context.WithoutCancel(ctx), deliveries)
	for range cap(errs) {
		if e := <-errs; e != nil && err == nil {
			err = e
		}
	}
	return err
}

// stopDeliveries lets what is under way end, and cancels what does not, such as
// when the database is away. A job that was cut off is taken up again later.
func stopDeliveries(ctx context.Context, deliveries *river.Client[pgx.Tx]) {
	soft, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if deliveries.Stop(soft) == nil {
		return
	}
	hard, cancelHard := context.WithTimeout(ctx, 3*time.Second)
	defer cancelHard()
	_ = deliveries.StopAndCancel(hard)
}

func (g *Gateway) sweep(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if _, err := g.accounts.Sweep(ctx); err != nil {
				g.Log.WarnContext(ctx, "sweep of sessions failed")
			}
		}
	}
}
