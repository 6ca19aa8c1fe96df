package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errRuns is the answer to a second demo, or a reset, beside one that runs.
var errRuns = errors.New("de demo draait al in deze map: stop hem eerst met Ctrl-C")

// lock keeps others out of the demo's directory until unlock, or the end of this process, however it comes.
func (d *demo) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(d.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errRuns
		}
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// addressesFree finds out, before anything is started, whether something else listens
// where the demo wants to; else a node of another demo would be taken for our own.
func addressesFree(ctx context.Context, nodes []*demoNode) error {
	for _, n := range nodes {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", n.Listen)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("op %s draait al iets anders, en dat adres is voor %s. Draait er een demo in een andere map? "+
				"Stop die eerst met Ctrl-C. Is hij net gestopt? Wacht dan een halve minuut", n.Listen, n.title)
		}
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

// reachable says in plain words that a server of someone's own cannot be used.
func reachable(ctx context.Context, server string) error {
	dsn, err := withDatabase(server, "postgres")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("de server van ZIJLICHT_DATABASE_URL laat ons niet binnen. Draait hij, en kloppen naam en wachtwoord? (%w)", err)
	}
	return conn.Close(ctx)
}

// dropDatabases removes what the demo made on a server of someone's own: without the keys of
// the demo nobody can read it any more. It touches a database only if the demo has its node.
func (d *demo) dropDatabases(ctx context.Context, server string) error {
	for _, n := range d.nodes() {
		if _, err := os.Stat(n.file); errors.Is(err, os.ErrNotExist) {
			continue
		}
		dsn, err := withDatabase(server, "postgres")
		if err != nil {
			return err
		}
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "drop database if exists "+pgx.Identifier{"zl_" + n.Node}.Sanitize()+" with (force)")
		if err = errors.Join(err, conn.Close(ctx)); err != nil {
			return err
		}
	}
	return nil
}
