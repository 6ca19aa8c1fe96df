// Package embedpg runs a private Postgres cluster from local binaries, for the demo and for tests.
// It never touches another cluster on the machine, never listens beyond 127.0.0.1 and is not meant
// for production: there an operator's own server is used.
package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options of a cluster.
type Options struct {
	// Dir holds everything: the data, the password, the log of choices. It is created when absent.
	// When this process is root and Postgres' own user cannot reach Dir, see Location.
	Dir string
	// Port 0 takes the port of last time if it is free, else any free one.
	Port int
	// MaxConnections is 200 when zero.
	MaxConnections int
	// Log receives the server's own log; nil drops it. Statements and rows are kept out of it.
	Log io.Writer
	// FastUnsafe gives up durability for speed. For tests only.
	FastUnsafe bool
}

// ErrInUse says that a live process runs the cluster already.
var ErrInUse = errors.New("this Postgres data directory is in use by another process")

// ErrVersion says that another major version of Postgres made the data directory.
var ErrVersion = errors.New("this data directory was made by another major version of Postgres")

const (
	superuser             = "postgres"
	defaultMaxConnections = 200
	startTimeout          = 60 * time.Second
	poll                  = 20 * time.Millisecond
)

// Cluster is a running server. It ends with Stop, and on Linux also when this process dies in
// whatever way.
type Cluster struct {
	root       string // where data, password and lock lie
	port       int
	password   string
	lock       *os.File
	server     *server
	socketDir  string
	ownsSocket bool
}

// Start runs the cluster of o.Dir, making it first if needed, and returns once it answers. A data
// directory left by a killed server is recovered.
func Start(ctx context.Context, o Options) (_ *Cluster, err error) {
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	root, err := prepareRoot(o.Dir, account)
	if err != nil {
		return nil, err
	}
	c := &Cluster{root: root}
	defer func() {
		if err != nil {
			c.release()
		}
	}()
	if c.lock, err = acquire(filepath.Join(root, "lock")); err != nil {
		return nil, err
	}
	bin, err := c.binaries()
	if err != nil {
		return nil, err
	}
	if err := c.initialise(ctx, bin, account, o.FastUnsafe); err != nil {
		return nil, err
	}
	if err := clearStalePID(ctx, c.data()); err != nil {
		return nil, err
	}
	if err := c.makeSocketDir(account); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.run(ctx, bin, account, o); err != nil {
		return nil, err
	}
	return c, nil
}

// AdminDSN is the superuser's address of a database.
func (c *Cluster) AdminDSN(db string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)),
		Path:     "/" + db,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port the server listens on.
func (c *Cluster) Port() int { return c.port }

// Dir is where the data really lies; it differs from Options.Dir when Location says so.
func (c *Cluster) Dir() string { return c.root }

// PID of the server's main process.
func (c *Cluster) PID() int { return c.server.pid }

// Done is closed when the server has ended, by Stop or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.server.done }

// Stop shuts the server down: open transactions are rolled back, what is committed is written. When
// ctx ends first the server is stopped hard, which costs a recovery at the next start, and ctx's
// error is returned. Stopping twice is no error.
func (c *Cluster) Stop(ctx context.Context) error {
	defer c.release()
	if c.server == nil {
		return nil
	}
	return c.server.stop(ctx)
}

// release gives back everything but the server.
func (c *Cluster) release() {
	if c.ownsSocket {
		_ = os.RemoveAll(c.socketDir)
		c.ownsSocket = false
	}
	if c.lock != nil {
		_ = c.lock.Close()
		c.lock = nil
	}
}

func (c *Cluster) data() string         { return filepath.Join(c.root, "data") }
func (c *Cluster) passwordFile() string { return filepath.Join(c.root, "superuser.password") }
func (c *Cluster) portFile() string     { return filepath.Join(c.root, "port") }

// run starts the server and waits until it accepts a login. Two things pass by themselves and are
// tried again: a port taken between the choice and the bind, and the last processes of a killed
// server still letting go of its memory.
func (c *Cluster) run(ctx context.Context, bin binaries, account *account, o Options) error {
	for attempt := 1; ; attempt++ {
		port, err := c.choosePort(o.Port, attempt)
		if err != nil {
			return err
		}
		c.port = port
		srv, err := launch(bin, c.arguments(o), account, o.Log)
		if err != nil {
			return err
		}
		err = c.waitReady(ctx, srv)
		if err == nil {
			c.server = srv
			return os.WriteFile(c.portFile(), []byte(strconv.Itoa(port)+"\n"), 0o600)
		}
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		_ = srv.stop(stopCtx)
		cancel()
		tail := srv.tail()
		again := strings.Contains(tail, "pre-existing shared memory block") ||
			(strings.Contains(tail, "could not bind") && o.Port == 0)
		if !again || attempt == 50 || ctx.Err() != nil {
			return fmt.Errorf("%w; the server said:\n%s", err, tail)
		}
		if err := pause(ctx, 10*poll); err != nil {
			return err
		}
	}
}

// waitReady waits for the server's own word first: until it has the port, another server may answer there.
func (c *Cluster) waitReady(ctx context.Context, srv *server) error {
	for {
		if pid, status, err := readPID(c.data()); err == nil && pid == srv.pid && status == statusReady {
			conn, err := pgx.Connect(ctx, c.AdminDSN("postgres"))
			if err != nil {
				return fmt.Errorf("log in with the password in %s: %w", c.passwordFile(), err)
			}
			return conn.Close(ctx)
		}
		select {
		case <-srv.done:
			return errors.New("Postgres ended while starting")
		case <-ctx.Done():
			return fmt.Errorf("Postgres did not answer in time: %w", ctx.Err())
		case <-time.After(poll):
		}
	}
}

func (c *Cluster) arguments(o Options) []string {
	set := []string{
		"listen_addresses=127.0.0.1",
		"port=" + strconv.Itoa(c.port),
		"unix_socket_directories=" + c.socketDir,
		"unix_socket_permissions=0700",
		"max_connections=" + strconv.Itoa(o.MaxConnections),
		"password_encryption=scram-sha-256",
		"timezone=UTC",
		"log_timezone=UTC",
		// What people write must not reach a log: no statement of a failed command, no row in a detail line.
		"log_min_error_statement=panic",
		"log_error_verbosity=terse",
		"log_parameter_max_length_on_error=0",
		"logging_collector=off",
		"log_destination=stderr",
	}
	if o.FastUnsafe {
		set = append(set, "fsync=off", "full_page_writes=off", "synchronous_commit=off",
			"autovacuum=off", "wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=1h", "max_wal_size=4GB")
	}
	args := []string{"-D", c.data()}
	for _, s := range set {
		args = append(args, "-c", s)
	}
	return args
}

func (c *Cluster) choosePort(wanted, attempt int) (int, error) {
	if wanted != 0 {
		return wanted, nil
	}
	if attempt == 1 {
		if raw, err := os.ReadFile(c.portFile()); err == nil {
			if last, err := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil && isFree(last) {
				return last, nil
			}
		}
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func isFree(port int) bool {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// maxSocketPath is the shortest limit among systems for a socket's full path (macOS: 104 with the
// closing zero); Linux allows 108.
const maxSocketPath = 103

// makeSocketDir places the socket beside the data or, when that path is too long for a socket, in a
// fresh directory under the shortest temporary one.
func (c *Cluster) makeSocketDir(account *account) error {
	dir := filepath.Join(c.root, "run")
	if len(filepath.Join(dir, ".s.PGSQL.65535")) <= maxSocketPath {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		c.socketDir = dir
	} else {
		short, err := os.MkdirTemp("/tmp", "zlpg-")
		if err != nil {
			return err
		}
		c.socketDir, c.ownsSocket = short, true
	}
	return account.own(c.socketDir)
}

// acquire takes the lock that tells whether a live process runs the cluster. The kernel drops it
// when that process dies.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrInUse, filepath.Dir(path))
		}
		return nil, err
	}
	return f, nil
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
