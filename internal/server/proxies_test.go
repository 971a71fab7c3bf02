package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestOnlyTrustedProxiesAreBelieved looks at whom a request is taken to come from.
func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	t.Parallel()
	trusted, err := readProxies("10.0.0.0/8, 192.0.2.7 ::1")
	if err != nil {
		t.Fatal(err)
	}
	handler := trusted.believe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RemoteAddr, " ", r.TLS != nil) }))
	for _, c := range []struct{ from, forwarded, proto, want string }{
		{"203.0.113.9:1", "198.51.100.1", "https", "203.0.113.9:1 false"}, // anybody
		{"10.1.2.3:1", "198.51.100.1", "https", "198.51.100.1:0 true"},
		{"10.1.2.3:1", "1.1.1.1, 198.51.100.1, 10.9.9.9", "http", "198.51.100.1:0 false"}, // what stands first is the client's own word
		{"[::1]:1", "2001:db8::1", "HTTPS", "[2001:db8::1]:0 true"},
		{"192.0.2.7:1", "", "https", "192.0.2.7:1 true"},
		{"192.0.2.7:1", "198.51.100.1, garbage", "", "192.0.2.7:1 false"},
		{"192.0.2.8:1", "198.51.100.1", "https", "192.0.2.8:1 false"},
		{"10.1.2.3:1", "10.1.1.1", "", "10.1.2.3:1 false"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		r.Header.Set("X-Forwarded-Proto", c.proto)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if got := w.Body.String(); got != c.want {
			t.Errorf("from %s for %q by %q: %s, want %s", c.from, c.forwarded, c.proto, got, c.want)
		}
	}
	if _, err := readProxies("10.0.0.0/8,proxy.example.com"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a name is taken for an address: %v", err)
	}
}
