// Command bench measures what a read of a case costs, between real processes on a
// private Postgres that keeps what it acknowledges, beside the same read without
// caller, policy and record in the same run. It never gates on time: figures of one
// machine say nothing about another, ratios of one run do.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// plan says how much is measured.
type plan struct {
	quick   bool
	reads   int           // per kind of read, over all clients
	rounds  int           // product and floor take turns
	cold    int           // people who read for the first time
	starts  int           // starts of a node
	rest    time.Duration // before its memory is called at rest
	restful int           // reads between the two looks at its memory
	calls   int           // evaluations and records
}

var (
	full  = plan{reads: 2000, rounds: 10, cold: 48, starts: 5, rest: 10 * time.Second, restful: 1000, calls: 2000}
	quick = plan{quick: true, reads: 96, rounds: 2, cold: 8, starts: 2, rest: time.Second, restful: 50, calls: 100}
)

// many is how many clients read at once where it is not one.
const many = 8

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorCommand {
		exit(serveFloor(os.Stdin))
	}
	p := full
	isQuick := flag.Bool("quick", false, "few samples, to see that it works; the figures mean nothing")
	out := flag.String("json", filepath.Join(".cache", "bench", "latest.json"), "where the report is kept")
	document := flag.String("write", "", "a Markdown document whose measured part is replaced")
	flag.Parse()
	if *isQuick {
		p = quick
	}
	exit(bench(p, *out, *document))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func bench(p plan, out, document string) (err error) {
	if p.quick && document != "" {
		return errors.New("a quick run writes no document")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "zijlicht-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := report{Time: time.Now().UTC().Truncate(time.Second), Quick: p.quick, Machine: thisMachine(), LoadBefore: load()}
	w := &world{dir: dir}
	defer func() { err = errors.Join(err, w.end()) }()
	if err := w.begin(ctx); err != nil {
		return err
	}
	if err := run(ctx, p, w, &r); err != nil {
		return w.explain(err)
	}
	r.LoadAfter = load()
	fmt.Print(r.plain())
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(out, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	if document == "" {
		return nil
	}
	return r.write(document)
}

// run measures everything, the cheap things that need a fresh process first.
func run(ctx context.Context, p plan, w *world, r *report) error {
	r.Machine.Postgres, r.BinaryBytes = w.version, w.size
	say("a story is on its way to the circle")
	s, err := w.tell(ctx, p.cold)
	if err != nil {
		return err
	}
	if r.AnswerBytes, err = s.same(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		do    func(context.Context, plan, *world, *shared, *report) error
	}{
		{"start and memory of a node", restAndStart},
		{"reads in one node", ownReads},
		{"first reads in another node", coldReads},
		{"reads in another node", warmReads},
		{"first read after a restart", afterRestart},
		{"policy and record alone", engine},
		{"memory at the end", memoryAtEnd},
	} {
		say("%s", part.title)
		if err := part.do(ctx, p, w, s, r); err != nil {
			return fmt.Errorf("%s: %w", part.title, err)
		}
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
