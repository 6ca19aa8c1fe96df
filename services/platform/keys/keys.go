// Package keys encrypts personal data under a key of its own per account or case, so that destroying one small row
// erases it wherever a copy of the data lies. Those keys are wrapped by the node's master key, which is a file outside
// the database. It never stores a wrapped key or a ciphertext, and never logs or prints a key.
package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrOpen says that a ciphertext or wrapped key was not made with this key, or was changed since. It says no more.
var ErrOpen = errors.New("keys: cannot be opened with this key")

// wrapContext binds a wrapped key to its use, so that no other ciphertext under the master key passes for one.
var wrapContext = []byte("zijlicht data key v1")

// maxFile bounds what is read as a key file; a keyset of many rotations is a few kilobytes.
const maxFile = 1 << 20

// Master is the node's master key. It is safe for concurrent use.
type Master struct{ aead tink.AEAD }

// Key encrypts the data of one account or case. It is safe for concurrent use.
type Key struct{ aead tink.AEAD }

// Create makes a master key (AES-256-GCM) and writes it to a new file with mode 0600. It refuses to replace a file:
// without the old key everything encrypted under it is gone.
func Create(path string) (*Master, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("keys: make master key: %w", err)
	}
	var text bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
		return nil, fmt.Errorf("keys: make master key: %w", err)
	}
	text.WriteByte('\n')
	if err := writeNew(path, text.Bytes()); err != nil {
		return nil, fmt.Errorf("keys: master key: %w", err)
	}
	return master(handle)
}

// writeNew leaves a whole file on disk or none: what is encrypted under a key that a power cut took is lost.
func writeNew(path string, text []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Load reads a master key. It refuses a file that anyone but its owner can read or write.
func Load(path string) (*Master, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keys: master key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keys: master key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("keys: master key %s is not a file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("keys: master key %s is open to others (mode %04o); make it 0600", path, info.Mode().Perm())
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(io.LimitReader(f, maxFile)))
	if err != nil {
		return nil, fmt.Errorf("keys: %s holds no master key", path) // the cause may quote the file
	}
	return master(handle)
}

func master(handle *keyset.Handle) (*Master, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, errors.New("keys: the master key is not for authenticated encryption")
	}
	return &Master{primitive}, nil
}

// NewKey makes a data key. Its wrapped form is what the caller stores.
func (m *Master) NewKey() (wrapped []byte, key *Key, err error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("keys: make key: %w", err)
	}
	var out bytes.Buffer
	if err := handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&out), m.aead, wrapContext); err != nil {
		return nil, nil, fmt.Errorf("keys: wrap key: %w", err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, nil, fmt.Errorf("keys: make key: %w", err)
	}
	return out.Bytes(), &Key{primitive}, nil
}

// Unwrap opens a wrapped data key; ErrOpen when this master key did not wrap it.
func (m *Master) Unwrap(wrapped []byte) (*Key, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(wrapped)), m.aead, wrapContext)
	if err != nil {
		return nil, ErrOpen
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, ErrOpen
	}
	return &Key{primitive}, nil
}

// Seal encrypts plain. The same aad is needed to open it: give what the data belongs to (an id and a field), so that a
// ciphertext moved to another row does not open.
func (k *Key) Seal(plain, aad []byte) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, aad)
	if err != nil {
		return nil, fmt.Errorf("keys: seal: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made; ErrOpen when the key, the aad or the bytes are not those.
func (k *Key) Open(sealed, aad []byte) ([]byte, error) {
	plain, err := k.aead.Decrypt(sealed, aad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}
