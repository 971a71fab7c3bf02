package secret

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// keyFile holds the identity, in age's own format.
const keyFile = "age.key"

// Keeper encrypts what must not be readable in the database, the blobs or a backup of them.
type Keeper struct {
	identity *age.X25519Identity
	sum      []byte // key of checksums
}

// OpenKeeper reads the identity in dir, and makes one at the first start. The file belongs into a safe place apart
// from the backups: without it, what it sealed can't be opened.
func OpenKeeper(dir string) (*Keeper, error) {
	path := filepath.Join(dir, keyFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = makeKey(dir, path); err != nil {
			return nil, fault.Wrap(err, "make the key of secrets %s", path)
		}
	} else if err != nil {
		return nil, fault.Wrap(err, "read the key of secrets %s", path)
	}
	identity, err := age.ParseX25519Identity(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%s is not an age identity; restore it from where you keep it: %w", path, err)
	}
	sum, err := hkdf.Key(sha256.New, []byte(identity.String()), nil, "roadbed secret checksum", 32)
	if err != nil {
		return nil, fault.Wrap(err, "derive the key of checksums")
	}
	return &Keeper{identity, sum}, nil
}

// makeKey writes a new identity so that of two servers that start at once one wins, and a crash leaves all or nothing.
func makeKey(dir, path string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	temp, err := os.CreateTemp(dir, ".age-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(identity.String() + "\n")
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// Seal encrypts.
func (k *Keeper) Seal(plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.identity.Recipient())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Open decrypts what Seal gave.
func (k *Keeper) Open(sealed []byte) ([]byte, error) {
	r, err := k.Opening(bytes.NewReader(sealed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Sealing encrypts what is read through it. Close it, also when it was not read to its end.
func (k *Keeper) Sealing(plain io.Reader) io.ReadCloser {
	sealed, into := io.Pipe()
	go func() {
		w, err := age.Encrypt(into, k.identity.Recipient())
		if err == nil {
			if _, err = io.Copy(w, plain); err == nil {
				err = w.Close()
			}
		}
		into.CloseWithError(err)
	}()
	return sealed
}

// Opening decrypts what was sealed while it is read.
func (k *Keeper) Opening(sealed io.Reader) (io.Reader, error) {
	plain, err := age.Decrypt(sealed, k.identity)
	return plain, fault.Wrap(err, "open what was sealed; is the key the one it was sealed with?")
}

// checksum lets people tell values apart without learning anything of them.
func (k *Keeper) checksum(space, name string, value []byte) string {
	mac := hmac.New(sha256.New, k.sum)
	mac.Write([]byte(space + "\x00" + name + "\x00"))
	mac.Write(value)
	return hex.EncodeToString(mac.Sum(nil))[:16]
}
