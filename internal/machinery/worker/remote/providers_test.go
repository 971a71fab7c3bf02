package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider/providertest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// mirror is a server's mirror of one package as an agent's door reaches it, which may lie.
type mirror struct {
	mu      sync.Mutex
	archive []byte
	sum     string // that it tells
	gone    bool
	gave    atomic.Int32
	tokens  []string
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, r.Header.Get("Authorization"))
	switch {
	case r.Header.Get("Authorization") != "Bearer rbw_step":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case m.gone:
		w.Header().Set(HeaderFault, fault.NotFound.String())
		http.Error(w, "the mirror has none", http.StatusNotFound)
	case strings.HasSuffix(r.URL.Path, "/1.0.0.json"):
		fmt.Fprintf(w, `{"archives":{%q:{"url":"pass/terraform-provider-time_1.0.0_%s.zip","hashes":["h1:x","zh:%s"]}}}`, provider.Here(), provider.Here(), m.sum)
	case strings.HasSuffix(r.URL.Path, ".zip"):
		m.gave.Add(1)
		_, _ = w.Write(m.archive)
	default:
		http.NotFound(w, r)
	}
}

func (m *mirror) has(archive []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := sha256.Sum256(archive)
	m.archive, m.sum = archive, hex.EncodeToString(sum[:])
}

// TestAnAgentKeepsTheArchivesThatItsServerVouchesFor asks for what was offered and what was not, of a server that says the truth,
// that lies, and that has something else meanwhile.
func TestAnAgentKeepsTheArchivesThatItsServerVouchesFor(t *testing.T) {
	t.Parallel()
	kept, err := provider.Open(provider.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	m := &mirror{}
	var later atomic.Int64
	p := &Providers{Kept: kept, Door: m, Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) }, Log: slog.New(slog.DiscardHandler)}
	server := httptest.NewServer(p)
	defer server.Close()
	const at = MirrorPrefix + "registry.opentofu.org/hashicorp/time/"
	file := at + "pass/terraform-provider-time_1.0.0_" + provider.Here() + ".zip"
	get := func(path, token string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	one, other := providertest.Archive(t, "time", "1.0.0", []byte("one"), nil), providertest.Archive(t, "time", "1.0.0", []byte("other"), nil)
	m.has(one)
	if status, _ := get(file, ""); status != http.StatusUnauthorized {
		t.Errorf("an archive that was offered to nobody: %d", status)
	}
	if status, _ := get(at+"1.0.0.json", "rbw_other"); status != http.StatusUnauthorized {
		t.Errorf("a version, for a stranger: %d", status)
	}
	if status, _ := get(file, ""); status != http.StatusUnauthorized {
		t.Errorf("an archive that was refused: %d", status)
	}
	offers := func() {
		t.Helper()
		if status, body := get(at+"1.0.0.json", "rbw_step"); status != http.StatusOK || !strings.Contains(body, "zh:") {
			t.Fatalf("a version: %d %s", status, body)
		}
	}
	offers()
	m.mu.Lock()
	m.archive = other // it lies
	m.mu.Unlock()
	if status, body := get(file, ""); status != http.StatusBadGateway || !strings.Contains(body, "it is not taken") || len(kept.List()) != 0 {
		t.Errorf("another archive than was told: %d %s, and %v is kept", status, body, kept.List())
	}
	m.has(one)
	m.gave.Store(0)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if status, body := get(file, ""); status != http.StatusOK || body != string(one) {
				t.Errorf("an archive that was offered: %d, %d bytes", status, len(body))
			}
		})
	}
	all.Wait()
	if n := m.gave.Load(); n != 1 {
		t.Errorf("the server gave it %d times", n)
	}
	p.Compare(t.Context(), "rbw_other")
	p.Compare(t.Context(), "rbw_step")
	if len(kept.List()) != 1 {
		t.Error("what the server has too is dropped")
	}
	m.has(other)
	p.Compare(t.Context(), "rbw_step")
	if len(kept.List()) != 0 {
		t.Error("what the server has otherwise is left")
	}
	offers()
	if status, body := get(file, ""); status != http.StatusOK || body != string(other) {
		t.Errorf("the other archive: %d, %d bytes", status, len(body))
	}
	m.mu.Lock()
	m.gone = true
	m.mu.Unlock()
	p.Compare(t.Context(), "rbw_step")
	if len(kept.List()) != 0 {
		t.Error("what the server has no more is left")
	}
	// Of more offers than are remembered the oldest go.
	m.mu.Lock()
	m.gone = false
	m.mu.Unlock()
	offers()
	p.mu.Lock()
	for i := range mostOffers {
		now := p.Now()
		p.forget(now)
		p.offers[fmt.Sprint(i)] = offer{until: now.Add(offerTime + time.Duration(i))}
	}
	n := len(p.offers)
	p.mu.Unlock()
	if status, _ := get(file, ""); n != mostOffers || status != http.StatusUnauthorized {
		t.Errorf("%d offers are remembered, and the oldest is answered %d", n, status)
	}
	offers()
	if status, _ := get(file, ""); status != http.StatusOK {
		t.Errorf("the newest offer: %d", status)
	}
	later.Store(int64(2 * time.Hour))
	if status, _ := get(file, ""); status != http.StatusUnauthorized {
		t.Errorf("an offer that has ended: %d", status)
	}
}
