package gitlab

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Headers of a delivery.
const (
	headerEvent     = "X-Gitlab-Event"
	headerToken     = "X-Gitlab-Token"
	headerKey       = "Idempotency-Key"
	headerID        = "Webhook-Id"
	headerTime      = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// Hooks reads GitLab's webhooks.
type Hooks struct{}

var _ forge.Hooks = Hooks{}

// Delivery gives GitLab's id, which older ones don't send.
func (Hooks) Delivery(h http.Header) string { return cmp.Or(h.Get(headerID), h.Get(headerKey)) }

// tokenPrefix begins GitLab's signing tokens; the key follows in base64.
const tokenPrefix = "whsec_"

// signingKey gives the key with which GitLab signs: of a signing token its own, of any other secret one made of it.
func signingKey(secret string) []byte {
	if text, ok := strings.CutPrefix(secret, tokenPrefix); ok {
		if key, err := base64.StdEncoding.DecodeString(text); err == nil && len(key) > 0 {
			return key
		}
	}
	return digest([]byte(secret), "roadbed: signing key of a GitLab webhook")
}

// signingToken gives the token with which GitLab is told the key.
func signingToken(secret string) string {
	return tokenPrefix + base64.StdEncoding.EncodeToString(signingKey(secret))
}

func digest(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_, _ = h.Write([]byte(p)) // a hash does not fail
	}
	return h.Sum(nil)
}

// Verify checks the signature of a delivery that has one, and the secret that it carries otherwise. A delivery that is
// signed wrongly is not taken for the secret that it may carry.
func (Hooks) Verify(h http.Header, body []byte, secrets ...string) error {
	ok := 0
	if signature := h.Get(headerSignature); signature != "" {
		for _, secret := range secrets {
			if secret != "" {
				want := digest(signingKey(secret), h.Get(headerID), ".", h.Get(headerTime), ".", string(body))
				ok |= signed(signature, want)
			}
		}
	} else {
		got := sha256.Sum256([]byte(h.Get(headerToken)))
		for _, secret := range secrets {
			if want := sha256.Sum256([]byte(secret)); secret != "" {
				ok |= subtle.ConstantTimeCompare(got[:], want[:])
			}
		}
	}
	if ok != 1 {
		return fault.Errorf(fault.Unauthenticated, "the delivery is not signed with the webhook's secret")
	}
	return nil
}

// signed tells, as 1 or 0, whether one of the signatures of a header is the wanted one.
func signed(header string, want []byte) (ok int) {
	for part := range strings.FieldsSeq(header) {
		text, is := strings.CutPrefix(part, "v1,")
		if got, err := base64.StdEncoding.DecodeString(text); is && err == nil {
			ok |= subtle.ConstantTimeCompare(got, want)
		}
	}
	return ok
}
