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
				return d.reset(ctx)
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
func (d *demo) reset(ctx context.Context) error {
	const empty = "De demo is leeg. Met `make demo` begin je opnieuw."
	if _, err := os.Stat(d.dir); errors.Is(err, os.ErrNotExist) {
		d.say(empty)
		return nil
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if server := os.Getenv("ZIJLICHT_DATABASE_URL"); server != "" {
		if err := d.dropDatabases(ctx, server); err != nil {
			return err
		}
	}
	if err := embedpg.Remove(filepath.Join(d.dir, "postgres")); errors.Is(err, embedpg.ErrInUse) {
		return errRuns
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return err
	}
	d.say(empty)
	return nil
}

const stopping = "\nDe demo stopt. Alles blijft bewaard."

// run starts everything, prints what to try and waits for the end.
func (d *demo) run(ctx context.Context) (err error) {
	start := time.Now()
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := addressesFree(ctx, d.nodes()); err != nil {
		return err
	}
	stop := func() error { return nil }
	defer func() {
		if ctx.Err() != nil && err != nil { // what was cut short by Ctrl-C did not fail
			d.say(stopping)
			err = nil
		}
		err = errors.Join(err, stop())
	}()
	admin, stopServer, err := d.database(ctx)
	if err != nil {
		return err
	}
	stop = stopServer
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
	}
	for _, n := range nodes {
		if err := waitHealthy(ctx, s, n); err != nil {
			return err
		}
		d.say("✓ %s draait op %s", n.title, n.EntityURL)
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
		d.say(stopping)
		return nil
	case err := <-s.failed:
		return err
	}
}

// database is the server of ZIJLICHT_DATABASE_URL, or a private one that ends with the demo.
func (d *demo) database(ctx context.Context) (admin func(db string) (string, error), stop func() error, err error) {
	if url := os.Getenv("ZIJLICHT_DATABASE_URL"); url != "" {
		if err := reachable(ctx, url); err != nil {
			return nil, nil, err
		}
		d.say("✓ Postgres: de server van ZIJLICHT_DATABASE_URL")
		return func(db string) (string, error) { return withDatabase(url, db) }, func() error { return nil }, nil
	}
	if err := embedpg.Available(); errors.Is(err, embedpg.ErrNoPostgres) {
		if os.Geteuid() != 0 {
			return nil, nil, errors.New("er is geen Postgres op deze machine (14 of nieuwer). Installeer hem met `sudo apt-get install postgresql`, " +
				"of zet ZIJLICHT_DATABASE_URL op het adres van een server van jezelf")
		}
		d.say("· Postgres ontbreekt; we installeren hem (dit duurt een minuut)")
		if err := embedpg.Install(ctx, io.Discard); err != nil {
			return nil, nil, err
		}
	}
	cluster, err := embedpg.Start(ctx, embedpg.Options{Dir: filepath.Join(d.dir, "postgres"), MaxConnections: 200})
	if errors.Is(err, embedpg.ErrInUse) {
		return nil, nil, errRuns
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
