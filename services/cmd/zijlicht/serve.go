package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-kratos/kratos/v2"
	"github.com/go-kratos/kratos/v2/transport"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/zijlicht/zijlicht/gateway"
	"github.com/zijlicht/zijlicht/policies"
	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/audit"
	"github.com/zijlicht/zijlicht/services/cases"
	"github.com/zijlicht/zijlicht/services/consent"
	"github.com/zijlicht/zijlicht/services/deid"
	"github.com/zijlicht/zijlicht/services/platform/authz"
	"github.com/zijlicht/zijlicht/services/platform/identity"
	"github.com/zijlicht/zijlicht/services/platform/keys"
	"github.com/zijlicht/zijlicht/services/platform/outbox"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
	"github.com/zijlicht/zijlicht/services/platform/run"
	"github.com/zijlicht/zijlicht/services/platform/serve"
	"github.com/zijlicht/zijlicht/services/platform/telemetry"
	"github.com/zijlicht/zijlicht/services/review"
)

// schemas of a node, in the order in which they are migrated. Every node has all
// of them: what an organisation does may change, and an empty schema costs nothing.
func schemas() []pgdb.Schema {
	return []pgdb.Schema{
		audit.Schema(), outbox.Schema(), consent.Schema(), cases.Schema(), review.Schema(), gateway.Schema(), anchor.Schema(),
	}
}

// targets are the parts that a process can run, each with what it registers.
var targets = map[string]func(*node) error{
	"audit":   (*node).audit,
	"deid":    (*node).deid,
	"consent": (*node).consent,
	"cases":   (*node).cases,
	"review":  (*node).review,
	"gateway": (*node).gateway,
}

// order in which targets are wired: the gateway last, because it opens the door.
var order = []string{"audit", "deid", "consent", "cases", "review", "gateway"}

func serveCommand() *cobra.Command {
	var path, target string
	c := &cobra.Command{
		Use: "serve", Short: "Draai een knooppunt, of een deel ervan", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(path)
			if err != nil {
				return err
			}
			chosen := order
			if target != "all" {
				chosen = strings.Split(target, ",")
			}
			return serveNode(cmd.Context(), c, chosen)
		},
	}
	c.Flags().StringVar(&path, "config", "zijlicht.yaml", "instellingen van het knooppunt")
	c.Flags().StringVar(&target, "target", "all", "all, of een of meer van "+strings.Join(order, ","))
	return c
}

// node is one process of a node while it is wired.
type node struct {
	config
	ctx      context.Context
	log      *slog.Logger
	policy   *authz.Policy
	verifier *identity.Verifier
	router   *serve.Router
	servers  []transport.Server
	closers  []func()
}

// serveNode runs the chosen targets until a signal or the end of ctx.
func serveNode(ctx context.Context, c config, chosen []string) (err error) {
	n := &node{config: c, ctx: ctx, log: telemetry.Logger(os.Stderr, c.Node), router: serve.NewRouter()}
	defer func() {
		for _, f := range slices.Backward(n.closers) {
			f()
		}
	}()
	stop, err := telemetry.Setup(ctx, strings.Join(chosen, "+"), c.EntityURL)
	if err != nil {
		return err
	}
	n.closers = append(n.closers, func() { _ = stop(context.WithoutCancel(ctx)) })
	if n.policy, err = authz.Load(ctx, policies.Bundle()); err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	public, err := readSecret(c.secret(callerPublic))
	if err != nil {
		return err
	}
	n.verifier = identity.NewVerifier(ed25519.PublicKey(public), c.EntityURL, time.Now)
	for _, name := range chosen {
		if targets[name] == nil {
			return fmt.Errorf("%q is no target", name)
		}
	}
	for _, name := range order {
		if slices.Contains(chosen, name) {
			err = targets[name](n)
		} else {
			err = n.remote(name)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	app := kratos.New(
		kratos.Name("zijlicht"), kratos.Context(ctx), kratos.Server(n.servers...),
		kratos.Signal(syscall.SIGINT, syscall.SIGTERM), kratos.StopTimeout(15*time.Second), kratos.Logger(run.KratosLog(n.log)),
	)
	n.log.Info("serving", "targets", chosen, "listen", c.Listen)
	if err := app.Run(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// remote says where a service runs that this process does not.
func (n *node) remote(name string) error {
	address := n.Services[name]
	if address == "" {
		return nil // a call to it will be refused as unavailable
	}
	conn, err := serve.Dial(address)
	if err != nil {
		return err
	}
	n.router.Route(name, conn)
	return nil
}

// pool logs in as the role of one service, and refuses a database that does not fit this program.
func (n *node) pool(service string) (*pgxpool.Pool, error) {
	password, err := readSecret(n.secret(passwordDir + "/" + service))
	if err != nil {
		return nil, err
	}
	dsn, err := pgdb.DSN(n.Database, pgdb.RoleName(n.Node, service), string(encode(password)), "")
	if err != nil {
		return nil, err
	}
	p, err := pgdb.Open(n.ctx, dsn, pgdb.Options{ApplicationName: n.Node + "/" + service})
	if err != nil {
		return nil, err
	}
	n.closers = append(n.closers, p.Close)
	for _, s := range schemas() {
		if s.Name == service {
			if err := pgdb.Current(n.ctx, p, []pgdb.Schema{s}); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// offer serves what register registers, behind the chain, in this process and, if it has an address, over TCP.
func (n *node) offer(service string, pool *pgxpool.Pool, register func(grpc.ServiceRegistrar)) (security func(context.Context, string, string)) {
	var recorder *authz.Recorder
	security = func(ctx context.Context, operation, what string) {
		n.log.WarnContext(ctx, "security", "operation", operation, "what", what)
	}
	if pool != nil {
		recorder = authz.NewRecorder(pool)
		n.closers = append(n.closers, recorder.Close)
		security = recorder.Security
	}
	chain := serve.Chain(n.log, n.verifier, authz.NewGate(n.policy, recorder, n.EntityURL).Middleware(), security)
	local := serve.NewLocal(chain)
	register(local)
	n.router.Route(service, local.Conn())
	if address := n.Services[service]; address != "" {
		s := serve.NewServer(address, chain)
		register(s)
		n.servers = append(n.servers, s)
	}
	return security
}

// outbox inserts jobs with the role of one service.
func (n *node) open(service string) (*pgxpool.Pool, *outbox.Outbox, *keys.Master, error) {
	pool, err := n.pool(service)
	if err != nil {
		return nil, nil, nil, err
	}
	o, err := outbox.New(pool)
	if err != nil {
		return nil, nil, nil, err
	}
	master, err := keys.Load(n.secret(masterFile))
	return pool, o, master, err
}

func (n *node) audit() error {
	pool, err := n.pool("audit")
	if err != nil {
		return err
	}
	n.offer("audit", pool, func(r grpc.ServiceRegistrar) { audit.Register(r, pool, n.EntityURL) })
	return nil
}

func (n *node) deid() error {
	n.offer("deid", nil, deid.Register)
	return nil
}

func (n *node) consent() error {
	pool, box, _, err := n.open("consent")
	if err != nil {
		return err
	}
	code, err := readSecret(n.secret(codeFile))
	if err != nil {
		return err
	}
	n.offer("consent", pool, func(r grpc.ServiceRegistrar) {
		consent.Register(r, consent.Config{
			Pool: pool, Outbox: box, Conn: n.router, Node: n.EntityURL, CodeKey: code, ThinkingTime: time.Duration(n.ThinkingTime),
		})
	})
	return nil
}

func (n *node) cases() error {
	pool, box, master, err := n.open("cases")
	if err != nil {
		return err
	}
	n.offer("cases", pool, func(r grpc.ServiceRegistrar) {
		cases.Register(r, cases.Deps{Pool: pool, Outbox: box, Conn: n.router, Keys: master, Node: n.EntityURL})
	})
	return nil
}

func (n *node) review() error {
	pool, box, master, err := n.open("review")
	if err != nil {
		return err
	}
	n.offer("review", pool, func(r grpc.ServiceRegistrar) {
		review.Register(r, review.Config{Pool: pool, Outbox: box, Conn: n.router, Keys: master, Node: n.EntityURL})
	})
	return nil
}

func (n *node) gateway() error {
	pool, _, master, err := n.open("gateway")
	if err != nil {
		return err
	}
	seed, err := readSecret(n.secret(callerFile))
	if err != nil {
		return err
	}
	pairwise, err := readSecret(n.secret(pairwiseFile))
	if err != nil {
		return err
	}
	pinned, err := anchorKeys(n.config)
	if err != nil {
		return err
	}
	// The gateway's own services note security events with the same recorder as its edge.
	var security func(context.Context, string, string)
	c := gateway.Config{
		Node: n.Node, EntityURL: n.EntityURL, Pool: pool, Conn: n.router, Keys: master, PairwiseKey: pairwise,
		Signer:   identity.NewSigner(ed25519.NewKeyFromSeed(seed), n.EntityURL, time.Now),
		OAuthKey: n.secret(oauthFile), AnchorIssuer: n.Anchor.Issuer, MembersURL: n.Anchor.Issuer + anchor.MembersPath, AnchorKeys: pinned,
		Security: func(ctx context.Context, operation, what string) { security(ctx, operation, what) }, Log: n.log,
	}
	if n.Anchor.Serve {
		if c.Anchor, err = n.anchor(); err != nil {
			return err
		}
	}
	g, err := gateway.New(c)
	if err != nil {
		return err
	}
	security = n.offer("gateway", pool, g.Register)
	h, err := g.Server(n.Listen)
	if err != nil {
		return err
	}
	n.servers = append(n.servers, run.HTTP(h, g.Listener), run.Background(g.Run))
	return nil
}

func (n *node) anchor() (http.Handler, error) {
	pool, err := n.pool("anchor")
	if err != nil {
		return nil, err
	}
	store, err := anchor.NewStore(pool, n.EntityURL, time.Now)
	if err != nil {
		return nil, err
	}
	key, err := anchor.LoadKey(n.secret(anchorFile))
	if err != nil {
		return nil, err
	}
	return anchor.NewHandler(store, key, n.log)
}
