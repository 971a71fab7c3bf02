package server

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// follow opens a live stream and gives the names of its events, until it ends.
func follow(t *testing.T, url, token string) <-chan string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s = %d", url, response.StatusCode)
	}
	events := make(chan string)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				select {
				case events <- name:
				case <-t.Context().Done():
					return
				}
			}
		}
	}()
	return events
}

// TestAStreamEndsWithTheTokenOfItsReader revokes what a reader of the ledger has shown.
func TestAStreamEndsWithTheTokenOfItsReader(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		h.API.Beat = time.Millisecond
		admin := client.New(server.URL, h.Options.AdminToken)
		token, err := client.Post[client.NewToken](t.Context(), admin, "/tokens", map[string]any{"name": "reader"})
		if err != nil {
			t.Fatal(err)
		}
		events := follow(t, server.URL+"/api/v1/ledger/events", token.Secret)
		for range 3 {
			if name := <-events; name != "beat" && name != "entry" {
				t.Fatalf("the stream of a good token tells %q", name)
			}
		}
		if err := admin.Do(t.Context(), http.MethodDelete, "/tokens/"+token.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		last := ""
		for name := range events {
			last = name
		}
		if last != "problem" {
			t.Errorf("the last that a stream of a revoked token tells is %q, want a problem", last)
		}
	})
}

// TestStreamsRefuseWithoutRights asks every stream as somebody without any right.
func TestStreamsRefuseWithoutRights(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		h.API.Beat = time.Millisecond
		mallory, seen := person(t, h, "mallory"), 0
		for _, r := range routes(h) {
			content := r.op.Responses["200"]
			if content == nil || content.Content["text/event-stream"] == nil {
				continue
			}
			seen++
			events := follow(t, server.URL+filled(r.path), mallory)
			for range 20 { // beats, and then either nothing or the refusal
				name, open := <-events
				if name != "beat" && name != "problem" && open {
					t.Errorf("%s tells a person without rights %q", r.path, name)
				}
				if !open {
					break
				}
			}
		}
		if seen < 4 {
			t.Errorf("only %d streams were walked", seen)
		}
	})
}
