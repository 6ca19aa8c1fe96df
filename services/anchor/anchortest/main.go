// Command anchortest runs the anchor in a process of its own for the tests of others, such as the gateway's, which
// speak to it over HTTP and do not import it. It is never part of the product.
//
// Settings come from ANCHORTEST_DSN, ANCHORTEST_ISSUER and ANCHORTEST_KEY (a file). With `serve` it serves the member
// document on a free loopback port, writes its address on one line and ends when its standard input does; any other
// arguments are those of `zijlicht anchor`.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zijlicht/zijlicht/services/anchor"
	"github.com/zijlicht/zijlicht/services/platform/pgdb"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	pool, err := pgdb.Open(ctx, os.Getenv("ANCHORTEST_DSN"), pgdb.Options{ApplicationName: "anchortest"})
	if err != nil {
		return err
	}
	defer pool.Close()
	store, err := anchor.NewStore(pool, os.Getenv("ANCHORTEST_ISSUER"), time.Now)
	if err != nil {
		return err
	}
	if len(args) != 1 || args[0] != "serve" {
		command := anchor.Command(func(context.Context) (*anchor.Store, error) { return store, nil })
		command.SetArgs(args)
		command.SilenceErrors = true
		return command.ExecuteContext(ctx)
	}
	key, err := anchor.LoadKey(os.Getenv("ANCHORTEST_KEY"))
	if err != nil {
		return err
	}
	handler, err := anchor.NewHandler(store, key, nil)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test, however that ends
		_ = server.Close()
	}()
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String()+anchor.MembersPath)
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
