package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Webhook is the projection of a Webhook document.
type Webhook struct {
	Ref     ref.Entity
	Space   string
	Spec    Spec
	Updated time.Time
}

// ID is how policies name it: its name, or NAMESPACE/NAME.
func (w Webhook) ID() string { return idOf(w.Ref) }

func idOf(r ref.Entity) string {
	return strings.TrimPrefix(r.Namespace+"/"+r.Name, ref.DefaultNamespace+"/")
}

// States of messages.
const (
	Waiting = "waiting"
	Sent    = "sent"
	Failed  = "failed"
)

// Message is something to send.
type Message struct {
	ID       string // whm_…
	Key      string // the same for what is sent twice; its own id when ""
	Webhook  string // reference
	Owner    string // space of the webhook, as Addressed gave it
	Space    string // of what it is about
	Run      string
	Subject  string // reference
	Policy   string // reference of the policy that has it sent
	Decision string
	Method   string            // POST when ""
	Headers  map[string]string // beside the platform's own; gone when it has ended
	Body     []byte            // JSON; gone when it has ended

	State    string
	Attempts int
	Status   int    // that was answered last; 0 when nothing was
	Reason   string // why it was not taken
	Created  time.Time
	Ended    time.Time
}

// Bounds of a message.
const (
	mostBody    = 256 << 10
	mostHeaders = 20
	mostHeader  = 1000 // bytes of a value
)

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// reserved tells whether a header is not a policy's to set.
func reserved(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains([]string{"host", "connection", "content-length", "content-type", "cookie", "expect", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}, name) ||
		strings.HasPrefix(name, "proxy-") || strings.HasPrefix(name, "x-signature") || strings.HasPrefix(name, "x-roadbed-")
}

// check says what keeps a message from being sent.
func (m *Message) check() error {
	if m.Method == "" {
		m.Method = http.MethodPost
	}
	m.Method = strings.ToUpper(m.Method)
	switch {
	case m.Method != http.MethodPost && m.Method != http.MethodPut && m.Method != http.MethodPatch:
		return fault.Errorf(fault.Invalid, "%.20q is no method of a message; leave it out, or write POST, PUT or PATCH", m.Method)
	case len(m.Body) > mostBody:
		return fault.Errorf(fault.TooLarge, "a message has at most %d KiB", mostBody>>10)
	case len(m.Headers) > mostHeaders:
		return fault.Errorf(fault.Invalid, "a message has at most %d headers", mostHeaders)
	}
	for name, value := range m.Headers {
		switch {
		case !headerName.MatchString(name) || len(value) > mostHeader || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return fault.Errorf(fault.Invalid, "the header %.64q can't be sent", name)
		case reserved(name):
			return fault.Errorf(fault.Invalid, "the header %.64q is the platform's to set", name)
		}
	}
	return nil
}

// sign gives the signature of a message at a time. What is signed begins with an id that the platform gave, so that no
// policy has anything signed that means something elsewhere.
func sign(secret, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write([]byte(id + "." + at + ".")) // a hash takes everything
	_, _ = mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// taken tells whether an answer means that a message was taken, and whether asking again may change it.
func taken(status int) (ok, again bool) {
	switch {
	case status >= 200 && status < 300:
		return true, false
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500:
		return false, true
	}
	return false, false
}

// pauses are those after each attempt that failed; after the last one none follows.
var pauses = [...]time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour}
