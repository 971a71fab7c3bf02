package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// keyBits is what all clouds take.
const keyBits = 2048

// Key is one key by which tokens are signed, without its private half.
type Key struct {
	ID       string
	Number   int64 // counts up; the highest signs
	Created  time.Time
	Replaced time.Time // zero while it signs

	public string
	sealed []byte
}

// Ends is when no token that a replaced key has signed is valid any more; zero while it signs.
func (k Key) Ends() time.Time {
	if k.Replaced.IsZero() {
		return time.Time{}
	}
	return k.Replaced.Add(TokenTime + leeway)
}

// publicKey is a key as RFC 7517 writes it.
type publicKey struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	ID        string `json:"kid"`
	N         string `json:"n"`
	E         string `json:"e"`
}

func describe(key *rsa.PublicKey) publicKey {
	p := publicKey{
		Type: "RSA", Use: "sig", Algorithm: "RS256", N: encode(key.N.Bytes()), E: encode(big.NewInt(int64(key.E)).Bytes()),
	}
	// RFC 7638: what is needed of the key, its members in their order, without spaces.
	sum := sha256.Sum256([]byte(`{"e":"` + p.E + `","kty":"RSA","n":"` + p.N + `"}`))
	p.ID = encode(sum[:])
	return p
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

const keyColumns = "id, number, public, sealed, created, replaced"

func scanKey(row store.Row) (Key, error) {
	var k Key
	var created, replaced int64
	err := row.Scan(&k.ID, &k.Number, &k.public, &k.sealed, &created, &replaced)
	k.Created, k.Replaced = store.FromMicros(created), store.FromMicros(replaced)
	return k, err
}

// newest gives the key that signs. NotFound before the first.
func newest(ctx context.Context, tx *store.Tx, lock string) (Key, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+keyColumns+" FROM oidc_keys ORDER BY number DESC LIMIT 1"+lock), scanKey, "key of OIDC tokens")
}

// current gives the key that signs, and makes the first.
func (s *Service) current(ctx context.Context, tx *store.Tx) (Key, error) {
	k, err := newest(ctx, tx, "")
	if !fault.Is(err, fault.NotFound) {
		return k, err
	}
	if _, err := s.make(ctx, tx, 1); err != nil {
		return k, err
	}
	return newest(ctx, tx, "") // another server's, if that was quicker
}

// make stores a new key under a number; false when one is there.
func (s *Service) make(ctx context.Context, tx *store.Tx, number int64) (bool, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return false, fault.Wrap(err, "make a key of OIDC tokens")
	}
	plain, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return false, fault.Wrap(err, "encode a key of OIDC tokens")
	}
	sealed, err := s.keeper.Seal(plain)
	if err != nil {
		return false, fault.Wrap(err, "seal a key of OIDC tokens")
	}
	public := describe(&private.PublicKey)
	text, err := json.Marshal(public)
	if err != nil {
		return false, fault.Wrap(err, "encode a key of OIDC tokens")
	}
	n, err := tx.Exec(ctx, "INSERT INTO oidc_keys ("+keyColumns+") VALUES ($1,$2,$3,$4,$5,0) ON CONFLICT (number) DO NOTHING",
		public.ID, number, string(text), sealed, store.Micros(s.now()))
	return n > 0, fault.Wrap(err, "keep a key of OIDC tokens")
}

// private opens the private half of a key, once.
func (s *Service) private(k Key) (*rsa.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened != nil && s.openedID == k.ID {
		return s.opened, nil
	}
	plain, err := s.keeper.Open(k.sealed)
	if err != nil {
		return nil, fault.Wrap(err, "open the key of OIDC tokens")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, fault.Errorf(fault.Internal, "the key of OIDC tokens can't be read: %v", err)
	}
	s.opened, s.openedID = private, k.ID
	return private, nil
}
