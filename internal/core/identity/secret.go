package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"math/big"
	"strings"
)

// Prefixes of what is shown as a proof, so that a leak is recognised by scanners and by people.
const (
	tokenPrefix    = "rbt_"
	workloadPrefix = "rbw_"
	sessionPrefix  = "rbs_"
	linkPrefix     = "rbl_"
)

const (
	secretBytes  = 32 // 256 bits
	secretLength = 43 // characters in base 62
	lookupLength = 10 // characters of a token that its row is found by; 196 bits stay secret
	maxSecret    = 512
)

// newSecret gives prefix and 256 random bits in base 62.
func newSecret(prefix string) string {
	raw := make([]byte, secretBytes)
	rand.Read(raw) // crypto/rand.Read never fails
	text := new(big.Int).SetBytes(raw).Text(62)
	return prefix + strings.Repeat("0", secretLength-len(text)) + text
}

// wellFormed tells whether text looks like a secret of that prefix, before anything is asked of the database.
func wellFormed(text, prefix string) bool {
	body, ok := strings.CutPrefix(text, prefix)
	if !ok || len(body) != secretLength {
		return false
	}
	return strings.Trim(body, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

func sameHash(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// csrfOf gives the token that unsafe requests of a session must carry. It is derived from the session's secret, so
// another site can neither read nor guess it, and every server knows it.
func csrfOf(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write([]byte("roadbed csrf v1"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SameCSRF compares the CSRF token of a session with the one that a request carries, in constant time.
func SameCSRF(want, given string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(given)) == 1
}
