package identity

import "strings"

// Proof is a secret that another room gives out: made as this room makes its own, shown once, and kept as its hash.
type Proof struct {
	Secret string
	Lookup string // the characters that its row is found by
	Hash   []byte
}

// NewProof makes a secret of 256 random bits behind a prefix.
func NewProof(prefix string) Proof {
	secret := newSecret(prefix)
	return Proof{secret, secret[len(prefix) : len(prefix)+lookupLength], hash(secret)}
}

// ReadProof gives by what a secret is found and known; ok is false for what can't be one of that prefix.
func ReadProof(secret, prefix string) (lookup string, hashed []byte, ok bool) {
	if !wellFormed(secret, prefix) {
		return "", nil, false
	}
	return strings.TrimPrefix(secret, prefix)[:lookupLength], hash(secret), true
}

// SameProof compares the hashes of secrets in constant time.
func SameProof(a, b []byte) bool { return sameHash(a, b) }
