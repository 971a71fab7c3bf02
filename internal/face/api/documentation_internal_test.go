package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// Whoever sends docs to be checked when enough others do is sent away before a byte of them is read, and large docs are taken.
func TestTheDocsOfFewAreReadAtOnce(t *testing.T) {
	t.Parallel()
	db, log := storetest.SQLite(t, ledger.Migrations(), queue.Migrations()), storetest.Log(t)
	room := docs.New(docs.Deps{DB: db, Ledger: ledger.New(db, time.Now, log), Queue: queue.New(db, log), Now: time.Now, Log: log})
	a := New(Rooms{Kinds: document.NewRegistry(), Docs: room}, Options{Now: time.Now, Log: log})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.Handler().ServeHTTP(w, r.WithContext(actor.With(r.Context(), actor.Principal{ID: "pri_a", Kind: actor.User})))
	}))
	t.Cleanup(server.Close)

	begin := func(length int) (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "POST %s/docs/check HTTP/1.1\r\nHost: roadbed\r\nContent-Type: application/json\r\nIdempotency-Key: abcdefgh\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", Prefix, length)
		return conn, bufio.NewReader(conn)
	}
	answer := func(from *bufio.Reader) (int, string, string) {
		response, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode == http.StatusContinue {
			return response.StatusCode, "", ""
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text), response.Header.Get("Retry-After")
	}

	sent := func(pages int) string {
		text := `{"pages": {"docs/index.md": "[a](b.md)"`
		for i := range pages {
			text += fmt.Sprintf(`, "docs/p%d.md": %q`, i, strings.Repeat("words ", 150_000))
		}
		return text + `}, "others": []}`
	}
	bodies := []string{sent(6)}
	for len(bodies) < 8 {
		bodies = append(bodies, sent(0))
	}
	var read []net.Conn
	var from []*bufio.Reader
	for i, text := range bodies {
		conn, r := begin(len(text))
		if status, text, _ := answer(r); status != http.StatusContinue { // it is asked for its files
			t.Fatalf("the %d. is answered %d %s", i+1, status, text)
		}
		read, from = append(read, conn), append(from, r)
	}
	_, r := begin(1)
	if status, text, later := answer(r); status != http.StatusServiceUnavailable || later == "" || !strings.Contains(text, "try again in a moment") {
		t.Errorf("one more is answered %d %q %s", status, later, text)
	}
	for i, conn := range read {
		if _, err := io.WriteString(conn, bodies[i]); err != nil {
			t.Fatal(err)
		}
	}
	for i := range read {
		if status, text, _ := answer(from[i]); status != http.StatusOK || !strings.Contains(text, "b.md") {
			t.Errorf("the %d. is answered %d %.500s", i+1, status, text)
		}
	}
	_, r = begin(1)
	if status, text, _ := answer(r); status != http.StatusContinue {
		t.Errorf("when they are done, one is answered %d %s", status, text)
	}
}
