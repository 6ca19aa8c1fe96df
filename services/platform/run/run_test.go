package run_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/go-kratos/kratos/v2/log"

	"github.com/zijlicht/zijlicht/services/platform/run"
	"github.com/zijlicht/zijlicht/services/platform/servetest"
)

// TestHTTPFinishesWhatItAnswers: stopping takes no new request and lets the one under way end.
func TestHTTPFinishesWhatItAnswers(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	entered, leave := make(chan struct{}), make(chan struct{})
	inner := &http.Server{Addr: address, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		w.WriteHeader(http.StatusNoContent)
	})}
	draining := make(chan struct{})
	inner.RegisterOnShutdown(func() { close(draining) })
	s := run.HTTP(inner, same)
	started, stopped := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { started <- s.Start(ctx) }()
	answer := make(chan int, 1)
	go func() {
		for {
			res, err := http.Get("http://" + address)
			if err != nil && strings.Contains(err.Error(), "refused") {
				continue // it does not listen yet
			}
			if err != nil {
				answer <- 0
				return
			}
			_ = res.Body.Close()
			answer <- res.StatusCode
			return
		}
	}()
	<-entered
	cancel() // the end of the application's context does not cut requests off
	go func() { stopped <- s.Stop(t.Context()) }()
	<-draining
	close(leave)
	if status := <-answer; status != http.StatusNoContent {
		t.Errorf("answer %d", status)
	}
	if err := errors.Join(<-started, <-stopped); err != nil {
		t.Error(err)
	}
}

func TestHTTPSaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := run.HTTP(&http.Server{Addr: taken.Addr().String()}, same).Start(t.Context()); err == nil {
		t.Fatal("two listen at one place")
	}
}

func TestBackground(t *testing.T) {
	t.Parallel()
	b := run.Background(func(ctx context.Context) error { <-ctx.Done(); return nil })
	ended := make(chan error, 1)
	go func() { ended <- b.Start(t.Context()) }()
	if err := errors.Join(b.Stop(t.Context()), b.Stop(t.Context()), <-ended); err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	deaf := run.Background(func(context.Context) error { <-release; return nil })
	go func() { ended <- deaf.Start(t.Context()) }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := deaf.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("waits for ever: %v", err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestKratosLog(t *testing.T) {
	t.Parallel()
	var out servetest.Output
	l := run.KratosLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	_ = l.Log(log.LevelInfo, "msg", "quiet")
	_ = l.Log(log.LevelError, "msg", "loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
		t.Fatal(got)
	}
}

func same(l net.Listener) net.Listener { return l }
