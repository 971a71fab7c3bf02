package remote

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func hubOf(t *testing.T, serve http.HandlerFunc) *Hub {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return New(Options{
		Server: server.URL, Token: func() (string, error) { return "rba_token", nil }, HTTP: &http.Transport{DisableKeepAlives: true}, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Hello: Hello{Name: "one"},
	})
}

// TestOnlyWhatTheServerSaysItselfCounts keeps what a proxy says from ending a step.
func TestOnlyWhatTheServerSaysItselfCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		want  fault.Kind
	}{
		"a proxy's 404":   {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such thing", http.StatusNotFound) }, fault.Unavailable},
		"a proxy's 401":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, fault.Unavailable},
		"an unknown kind": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(HeaderFault, "odd"); w.WriteHeader(404) }, fault.Unavailable},
		"the server's own": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(HeaderFault, "not found")
			w.WriteHeader(404)
		}, fault.NotFound},
		"a page": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, fault.Unavailable},
		"half of an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "99")
			_, _ = io.WriteString(w, "{")
		}, fault.Unavailable},
		"another address": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusPermanentRedirect)
		}, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := hubOf(t, c.serve).Heartbeat(t.Context(), "lea_1"); !fault.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	nobody := New(Options{Server: "http://127.0.0.1:1", Token: func() (string, error) { return "x", nil }, HTTP: http.DefaultTransport, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if _, err := nobody.Heartbeat(t.Context(), "lea_1"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a server that is not there: %v", err)
	}
}

// TestALogGoesOnWhereItWasCut has a server take a piece, break the answer, and tell how much it has.
func TestALogGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []byte
	var asked []string
	breaks := 1
	h := hubOf(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.Query().Get("offset"))
		if r.Method == http.MethodGet {
			_ = json.NewEncoder(w).Encode(LogSize{Size: int64(len(got))})
			return
		}
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		p, _ := io.ReadAll(r.Body)
		if offset != len(got) {
			t.Errorf("a piece comes for %d behind %d", offset, len(got))
		}
		if breaks > 0 { // half of it has arrived
			breaks--
			got = append(got, p[:len(p)/2]...)
			panic(http.ErrAbortHandler)
		}
		got = append(got, p...)
		w.WriteHeader(http.StatusNoContent)
	})
	if err := h.Log(t.Context(), "lea_1", 0, []byte("0123456789")); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("a cut is %v", err)
	}
	for _, piece := range []struct {
		offset int64
		text   string
	}{{0, "0123456789"}, {10, "abc"}} {
		if err := h.Log(t.Context(), "lea_1", piece.offset, []byte(piece.text)); err != nil {
			t.Fatal(err)
		}
	}
	if string(got) != "0123456789abc" || !slices.Equal(asked, []string{"PUT 0", "GET ", "PUT 5", "PUT 10"}) {
		t.Errorf("%q arrives by %q", got, asked)
	}
}

// TestALeaseIsAskedForByOneIDUntilItIsAnswered and is given back when nobody wants it any more.
func TestALeaseIsAskedForByOneIDUntilItIsAnswered(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ids, returned []string
	waits := make(chan struct{})
	answers := []func(w http.ResponseWriter, r *http.Request){
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, r *http.Request) {
			_ = json.NewEncoder(w).Encode(Lease{ID: r.URL.Query().Get("id"), Step: "stp_1", Left: 30_000})
		},
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		func(_ http.ResponseWriter, r *http.Request) { close(waits); <-r.Context().Done() },
	}
	h := hubOf(t, func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, Prefix+"leases/"), "/return"); ok {
			mu.Lock()
			returned = append(returned, id)
			mu.Unlock()
			w.WriteHeader(http.StatusNoContent)
			return
		}
		mu.Lock()
		ids = append(ids, r.URL.Query().Get("id"))
		answer := answers[0]
		answers = answers[1:]
		mu.Unlock()
		answer(w, r)
	})
	ask := func(ctx context.Context) (*worker.Lease, error) {
		return h.Lease(ctx, "", "", worker.KindCommand, time.Second)
	}
	for range 2 {
		if l, err := ask(t.Context()); l != nil || !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%+v, %v", l, err)
		}
	}
	l, err := ask(t.Context())
	if err != nil || l == nil || l.ID != ids[0] || time.Until(l.Expires) < 25*time.Second || time.Until(l.Expires) > 30*time.Second {
		t.Fatalf("%+v, %v", l, err)
	}
	if l, err := ask(t.Context()); l != nil || err != nil {
		t.Fatalf("%+v, %v", l, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-waits; stop() }()
	if _, err := ask(ctx); err == nil {
		t.Fatal("an agent that ends is given a step")
	}
	mu.Lock()
	defer mu.Unlock()
	if ids[0] != ids[1] || ids[1] != ids[2] || ids[3] == ids[2] || ids[4] == ids[3] {
		t.Errorf("it asks by %q", ids)
	}
	if !slices.Equal(returned, ids[4:]) {
		t.Errorf("it gives back %q, and has asked by %q", returned, ids)
	}
}

// quiet gives an address below the ports that clients are given, so that nobody takes it meanwhile.
func quiet(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(10000)))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

// TestADoorWaitsForAServerThatIsAway sends a request of a step when the server is there again, with both tokens.
func TestADoorWaitsForAServerThatIsAway(t *testing.T) {
	t.Parallel()
	address := quiet(t)
	h := New(Options{
		Server: "http://" + address, Token: func() (string, error) { return "rba_token", nil }, HTTP: &http.Transport{}, Now: time.Now,
		Log: slog.New(slog.DiscardHandler), Hello: Hello{Name: "one"},
	})
	handler, err := h.Door()
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(handler)
	defer door.Close()
	request, err := http.NewRequestWithContext(t.Context(), "LOCK", door.URL+"/api/state/default/net?a=b", strings.NewReader("held"))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("run", "rbw_step")
	request.Header.Set(HeaderToken, "of the step's own making")
	ended := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode != http.StatusTeapot {
				err = fault.Errorf(fault.Internal, "the answer is %s", answer.Status)
			}
		}
		ended <- err
	}()
	time.Sleep(300 * time.Millisecond) // until it has been tried
	back, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, password, _ := r.BasicAuth()
		if r.Method != "LOCK" || r.URL.Path != Prefix+"door/api/state/default/net" || r.URL.RawQuery != "a=b" || string(body) != "held" || password != "rbw_step" ||
			r.Header.Get(HeaderToken) != "rba_token" || r.Header.Get(HeaderName) != "one" || r.Header.Get(HeaderLife) == "" {
			t.Errorf("%s %s %q %v", r.Method, r.URL, body, r.Header)
		}
		w.WriteHeader(http.StatusTeapot)
	})}
	defer server.Close()
	go func() { _ = server.Serve(back) }() // until it is closed
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAddressesOfServers takes those that a server can be at.
func TestAddressesOfServers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"https://roadbed.example.com": "https://roadbed.example.com", "http://127.0.0.1:8080/": "http://127.0.0.1:8080"} {
		if got, err := CleanServer(text); err != nil || got != want {
			t.Errorf("%q is %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "roadbed.example.com", "ftp://a", "https://", "https://u:p@a", "https://a/path", "https://a?b", "https://a#b"} {
		if got, err := CleanServer(text); err == nil {
			t.Errorf("%q is taken as %q", text, got)
		}
	}
}
