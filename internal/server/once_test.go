package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// sendOnce sends a write with a key of its own, and gives the answer.
func sendOnce(t *testing.T, server *httptest.Server, token, method, path, key, body string) (status int, replayed bool, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Idempotency-Replayed") == "true", string(all)
}

func tokenCount(t *testing.T, server *httptest.Server, token string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/api/v1/tokens", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct{ Items []any }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return len(list.Items)
}

// TestAWriteThatIsSentAgainIsDoneOnce sends what a client sends again when it lost the answer.
func TestAWriteThatIsSentAgainIsDoneOnce(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		admin := h.Options.AdminToken
		const path, repository = "/api/v1/repositories", `{"space":"` + access.Root + `","name":"shop"}`
		status, replayed, first := sendOnce(t, server, admin, http.MethodPost, path, "k1", repository)
		if status/100 != 2 || replayed {
			t.Fatalf("the first = %d, replayed %t: %s", status, replayed, first)
		}
		again, replayed, second := sendOnce(t, server, admin, http.MethodPost, path, "k1", repository)
		if again != status || !replayed || second != first {
			t.Errorf("sent again = %d, replayed %t: %s; want %d: %s", again, replayed, second, status, first)
		}
		if status, _, said := sendOnce(t, server, admin, http.MethodPost, path, "k2", repository); status != http.StatusConflict {
			t.Errorf("with another key = %d %s; want a conflict, since there is one", status, said)
		}
		if status, replayed, said := sendOnce(t, server, admin, http.MethodPost, path, "k2", repository); status != http.StatusConflict || replayed {
			t.Errorf("a refusal sent again = %d, replayed %t: %s; want that it is judged anew", status, replayed, said)
		}
		if status, _, said := sendOnce(t, server, admin, http.MethodPost, path, "k1", `{"space":"default","name":"other"}`); status != http.StatusUnprocessableEntity || !strings.Contains(said, "another body") {
			t.Errorf("another body = %d %s", status, said)
		}
		if status, _, said := sendOnce(t, server, person(t, h, "mallory"), http.MethodPost, path, "k1", repository); status != http.StatusForbidden {
			t.Errorf("another person with the key = %d %s; want no answer of somebody else's", status, said)
		}
		if status, _, said := sendOnce(t, server, admin, http.MethodPost, path, strings.Repeat("k", 201), repository); status != http.StatusUnprocessableEntity {
			t.Errorf("a long key = %d %s", status, said)
		}
		if status, _, said := sendOnce(t, server, admin, http.MethodPost, path, "k3", strings.Repeat(" ", 5<<20)); status != http.StatusRequestEntityTooLarge {
			t.Errorf("a large body = %d %s", status, said)
		}
	})
}

// TestASecretIsShownOnceWithAKeyToo makes a token twice with one key.
func TestASecretIsShownOnceWithAKeyToo(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		admin := h.Options.AdminToken
		before := tokenCount(t, server, admin)
		status, _, said := sendOnce(t, server, admin, http.MethodPost, "/api/v1/tokens", "k1", `{"name":"laptop"}`)
		if status/100 != 2 {
			t.Fatalf("create = %d %s", status, said)
		}
		status, _, said = sendOnce(t, server, admin, http.MethodPost, "/api/v1/tokens", "k1", `{"name":"laptop"}`)
		if status != http.StatusConflict || !strings.Contains(said, "was done before") {
			t.Errorf("sent again = %d %s", status, said)
		}
		if after := tokenCount(t, server, admin); after != before+1 {
			t.Errorf("%d tokens were made, want one", after-before)
		}
	})
}

// TestOfWritesSentAtOnceOneIsDone sends one write from many connections.
func TestOfWritesSentAtOnceOneIsDone(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		admin := h.Options.AdminToken
		before := tokenCount(t, server, admin)
		var all sync.WaitGroup
		statuses := make([]int, 10)
		for i := range statuses {
			all.Go(func() {
				statuses[i], _, _ = sendOnce(t, server, admin, http.MethodPost, "/api/v1/tokens", "k1", `{"name":"laptop"}`)
			})
		}
		all.Wait()
		done := 0
		for _, status := range statuses {
			switch {
			case status/100 == 2:
				done++
			case status != http.StatusConflict:
				t.Errorf("got %d", status)
			}
		}
		if after := tokenCount(t, server, admin); done != 1 || after != before+1 {
			t.Errorf("%d were answered with success and %d made, want one", done, after-before)
		}
	})
}

// TestAPreviewIsNotKept tries a golden path with secrets out, twice with one key.
func TestAPreviewIsNotKept(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		admin := h.Options.AdminToken
		document, err := json.Marshal(map[string]string{"documents": secretPath})
		if err != nil {
			t.Fatal(err)
		}
		if status, said := do(t, server, http.MethodPost, "/api/v1/apply", admin, string(document)); status/100 != 2 {
			t.Fatalf("apply = %d %s", status, said)
		}
		for range 2 {
			status, replayed, said := sendOnce(t, server, admin, http.MethodPost, "/api/v1/templates/default/login/preview", "k1",
				`{"values":{"name":"shop","password":"hush-1"},"secrets":{"npm":"hush-2"}}`)
			if status != http.StatusOK || replayed {
				t.Errorf("preview = %d, %v, %s", status, replayed, said)
			}
		}
		kept := 0
		err = h.DB.Read(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(t.Context(), "SELECT COUNT(*) FROM once_answers").Scan(&kept)
		})
		if err != nil || kept != 0 {
			t.Errorf("%d answers are kept, %v", kept, err)
		}
	})
}
