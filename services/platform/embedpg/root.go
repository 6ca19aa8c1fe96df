package embedpg

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the ordinary user the server runs as when this process is root, because Postgres
// refuses to be root. Nil: the server runs as we do.
type account struct {
	uid, gid uint32
	name     string
}

func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{uint32(uid), uint32(gid), name}, nil
		}
	}
	return nil, errors.New("Postgres cannot run as root, and this machine has neither a user postgres nor a user nobody")
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// canTraverse reports whether the account can pass through dir and all above it. Only the mode bits
// count; access lists are not read.
func (a *account) canTraverse(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		bit := os.FileMode(0o001)
		switch {
		case stat.Uid == a.uid:
			bit = 0o100
		case stat.Gid == a.gid:
			bit = 0o010
		}
		if info.Mode()&bit == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// fallbacks are tried in order when the server's account cannot reach the wanted directory.
var fallbacks = []string{"/var/lib", os.TempDir()}

// Location is where a cluster asked for in dir really lies: dir itself, or, when this process is
// root and the account Postgres runs as cannot pass through a directory above dir (such as /root),
// zijlicht-pg-<hash of dir> under /var/lib or else under the temporary directory. The same dir gives
// the same place each time.
func Location(dir string) (string, error) {
	account, err := serverAccount()
	if err != nil {
		return "", err
	}
	return location(dir, account)
}

func location(dir string, account *account) (string, error) {
	if dir == "" {
		return "", errors.New("embedpg: no directory given")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if account == nil {
		return dir, nil
	}
	existing := filepath.Dir(dir)
	for {
		if _, err := os.Stat(existing); err == nil {
			break
		}
		existing = filepath.Dir(existing)
	}
	if account.canTraverse(existing) {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	for _, base := range fallbacks {
		if account.canTraverse(base) {
			return filepath.Join(base, "zijlicht-pg-"+hex.EncodeToString(sum[:8])), nil
		}
	}
	return "", fmt.Errorf("user %s can reach neither %s nor any of %v", account.name, dir, fallbacks)
}

// prepareRoot makes the directory everything lies in. It belongs to us; the server's account may
// pass through it to the data but not list it.
func prepareRoot(dir string, account *account) (string, error) {
	root, err := location(dir, account)
	if err != nil {
		return "", err
	}
	mode := os.FileMode(0o700)
	if account != nil {
		mode = 0o711
		// Directories made on the way must be passable, whatever the umask.
		if err := mkdirAllMode(filepath.Dir(root), 0o755); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(root, mode); err != nil {
		return "", err
	}
	info, err := os.Lstat(root)
	if err != nil {
		return "", err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		// In a shared temporary directory somebody else may have made the name first.
		return "", fmt.Errorf("%s is not a directory of this user", root)
	}
	return root, os.Chmod(root, mode)
}

func mkdirAllMode(dir string, mode os.FileMode) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := mkdirAllMode(filepath.Dir(dir), mode); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Chmod(dir, mode)
}

// Remove deletes the cluster of dir with all its data. It refuses while a process runs it.
func Remove(dir string) error {
	root, err := Location(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(root); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := acquire(filepath.Join(root, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(root)
}
