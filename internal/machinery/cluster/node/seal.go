package node

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// sealer keeps the values of Secrets from whoever reads the database without the machine's folder.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the key of a node's folder, or makes one at the first start.
func openSealer(dir string) (*sealer, error) {
	path := filepath.Join(dir, "secret.key")
	key, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		key, err = newKey(dir, path)
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, "read the node's key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "the node's key %s is damaged; restore it, or remove it and apply all Secrets again: %w", path, err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead}, nil
}

// newKey is durable and whole before it is used: a key that is lost takes all Secrets with it.
func newKey(dir, path string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key) // crypto/rand.Read never fails
	f, err := os.CreateTemp(dir, "secret.key-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(key)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return nil, err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return key, errors.Join(folder.Sync(), folder.Close())
}

// seal encrypts a text that can only be opened again under the same name.
func (s *sealer) seal(name, text string) string {
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce)
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(text), []byte(name)))
}

func (s *sealer) open(name, sealed string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return "", errors.New("the stored value is damaged")
	}
	text, err := s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], []byte(name))
	if err != nil {
		return "", errors.New("the stored value was encrypted with another key")
	}
	return string(text), nil
}
