package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/zijlicht/zijlicht/services/platform/embedpg"
)

func demoCommand() *cobra.Command {
	var dir string
	var reset, walk bool
	c := &cobra.Command{
		Use: "demo", Short: "Draai een kleine federatie op deze machine: de Associatie en twee wijkteams", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			abs, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			d := &demo{dir: abs, out: cmd.OutOrStdout()}
			// Asked for by name, so that Ctrl-C also works for a demo that was started in the background.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			switch {
			case reset:
				return d.reset()
			case walk:
				return d.walkthrough(ctx)
			default:
				return d.run(ctx)
			}
		},
	}
	c.Flags().StringVar(&dir, "dir", ".demo", "map waarin alles van de demo staat")
	c.Flags().BoolVar(&reset, "reset", false, "gooi alles van de demo weg")
	c.Flags().BoolVar(&walk, "walkthrough", false, "doe naast een draaiende demo de zes stappen van een gedeeld verhaal")
	c.MarkFlagsMutuallyExclusive("reset", "walkthrough")
	return c
}

// demo is a federation on one machine.
type demo struct {
	dir string
	out io.Writer
}

func (d *demo) say(format string, args ...any) { _, _ = fmt.Fprintf(d.out, format+"\n", args...) }

// reset throws everything away. It refuses while the demo runs.
func (d *demo) reset() error {
	if os.Getenv("ZIJLICHT_DATABASE_URL") != "" {
		d.say("De databases van de demo staan op je eigen server (zl_associatie, zl_noord, zl_zuid). Die laten we staan.")
	}
	if err := embedpg.Remove(filepath.Join(d.dir, "postgres")); err != nil && !errors.Is(err, os.ErrNotExist) {
		if errors.Is(err, embedpg.ErrInUse) {
			return errors.New("de demo draait nog: stop hem eerst met Ctrl-C")
		}
		return err
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	d.say("De demo is leeg. Met `make demo` begin je opnieuw.")
	return nil
}

// run starts everything, prints what to try and waits for the end.
func (d *demo) run(ctx context.Context) (err error) {
	start := time.Now()
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	admin, stop, err := d.database(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	nodes, err := d.prepare(ctx, admin)
	if err != nil {
		return err
	}
	s := newSupervisor(d.dir)
	defer s.stop()
	for _, n := range nodes {
		if err := s.start(n); err != nil {
			return err
		}
		d.say("✓ %s draait op %s", n.title, n.EntityURL)
	}
	if err := waitHealthy(ctx, s, nodes); err != nil {
		return err
	}
	people, err := d.people(ctx, nodes)
	if err != nil {
		return err
	}
	if err := d.load(ctx, nodes, people); err != nil {
		return err
	}
	d.next(nodes, people, time.Since(start))
	select {
	case <-ctx.Done():
		d.say("\nDe demo stopt. Alles blijft bewaard.")
		return nil
	case err := <-s.failed:
		return err
	}
}

// database is the server of ZIJLICHT_DATABASE_URL, or a private one that ends with the demo.
func (d *demo) database(ctx context.Context) (admin func(db string) (string, error), stop func() error, err error) {
	if url := os.Getenv("ZIJLICHT_DATABASE_URL"); url != "" {
		d.say("✓ Postgres: de server van ZIJLICHT_DATABASE_URL")
		return func(db string) (string, error) { return withDatabase(url, db) }, func() error { return nil }, nil
	}
	if err := embedpg.Available(); errors.Is(err, embedpg.ErrNoPostgres) {
		if os.Geteuid() != 0 {
			return nil, nil, fmt.Errorf("er is geen Postgres op deze machine. Installeer hem met `sudo apt-get install postgresql`, of zet ZIJLICHT_DATABASE_URL naar een server van jezelf (%w)", err)
		}
		d.say("· Postgres ontbreekt; we installeren hem (dit duurt een minuut)")
		if err := embedpg.Install(ctx, io.Discard); err != nil {
			return nil, nil, err
		}
	}
	cluster, err := embedpg.Start(ctx, embedpg.Options{Dir: filepath.Join(d.dir, "postgres"), MaxConnections: 200})
	if errors.Is(err, embedpg.ErrInUse) {
		return nil, nil, errors.New("de demo draait al in deze map")
	}
	if err != nil {
		return nil, nil, err
	}
	d.say("✓ Postgres draait, alleen voor deze demo (poort %d)", cluster.Port())
	return func(db string) (string, error) { return cluster.AdminDSN(db), nil },
		func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			return cluster.Stop(ctx)
		}, nil
}
