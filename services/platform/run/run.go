// Package run makes the parts of a process fit one kratos application: what
// starts together stops together, in the reverse order and within a bounded time.
package run

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/go-kratos/kratos/v2/log"
	"github.com/go-kratos/kratos/v2/transport"
)

// HTTP is a server that stops accepting, and then waits for what it is answering.
// What it accepts goes through wrap first.
func HTTP(s *http.Server, wrap func(net.Listener) net.Listener) transport.Server {
	return &httpServer{Server: s, wrap: wrap}
}

type httpServer struct {
	*http.Server
	wrap func(net.Listener) net.Listener
}

func (s *httpServer) Start(ctx context.Context) error {
	s.BaseContext = func(net.Listener) context.Context { return context.WithoutCancel(ctx) }
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	if err := s.Serve(s.wrap(listener)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *httpServer) Stop(ctx context.Context) error {
	if err := s.Shutdown(ctx); err != nil {
		return s.Close()
	}
	return nil
}

// Background is work that goes on until it is stopped.
func Background(f func(context.Context) error) transport.Server {
	ctx, cancel := context.WithCancel(context.Background())
	return &background{f: f, ctx: ctx, cancel: cancel, done: make(chan struct{})}
}

type background struct {
	f      func(context.Context) error
	ctx    context.Context //nolint:containedctx // the life of the work, which Stop ends
	cancel context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

func (b *background) Start(context.Context) error {
	defer close(b.done)
	return b.f(b.ctx)
}

func (b *background) Stop(ctx context.Context) error {
	b.once.Do(b.cancel)
	select {
	case <-b.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// KratosLog passes the framework's own lines to the process log. It never sees requests.
func KratosLog(l *slog.Logger) log.Logger { return kratosLog{l} }

type kratosLog struct{ *slog.Logger }

func (l kratosLog) Log(level log.Level, keyvals ...any) error {
	to := slog.LevelDebug
	if level >= log.LevelWarn {
		to = slog.LevelWarn
	}
	l.Logger.Log(context.Background(), to, "kratos", keyvals...)
	return nil
}
