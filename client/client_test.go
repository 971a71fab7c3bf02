package client

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestMain(m *testing.M) {
	for i := range pauses {
		pauses[i] = time.Millisecond
	}
	os.Exit(m.Run())
}

type heard struct{ key, body string }

// server answers each request with the next of the answers; nil breaks the connection.
func server(t *testing.T, answers ...http.HandlerFunc) (*Client, *[]heard) {
	t.Helper()
	var all []heard
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		all = append(all, heard{r.Header.Get("Idempotency-Key"), string(body)})
		answer := answers[min(len(all), len(answers))-1]
		if answer == nil {
			panic(http.ErrAbortHandler)
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return New(s.URL, "token"), &all
}

func done(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"name":"shop"}`)) }

func conflict(retry string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retry != "" {
			w.Header().Set("Retry-After", retry)
		}
		w.WriteHeader(http.StatusConflict)
	}
}

func TestAWriteWhoseAnswerWasLostIsSentAgainWithItsKey(t *testing.T) {
	c, all := server(t, nil, conflict("1"), done)
	got, err := Post[map[string]string](t.Context(), c, "/things", map[string]string{"name": "shop"})
	if err != nil || got["name"] != "shop" {
		t.Fatalf("got %v, %v", got, err)
	}
	first := (*all)[0]
	if len(*all) != 3 || first.key == "" || first.body != `{"name":"shop"}` || slices.ContainsFunc(*all, func(h heard) bool { return h != first }) {
		t.Errorf("the server heard %v, want the same three times", *all)
	}
	if _, err := Post[map[string]string](t.Context(), c, "/things", nil); err != nil || (*all)[3].key == first.key {
		t.Errorf("another write: %v, with the key %q of the first", err, (*all)[3].key)
	}
}

func TestAConnectionThatAlwaysBreaksIsGivenUp(t *testing.T) {
	c, all := server(t, nil)
	if err := c.Do(t.Context(), http.MethodDelete, "/things/1", nil, nil, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v, want that the server is unavailable", err)
	}
	if want := len(pauses) + 1; len(*all) < want {
		t.Errorf("sent %d times, want at least %d", len(*all), want)
	}
}

func TestAConflictIsNotSentAgain(t *testing.T) {
	for _, retry := range []string{"", "1"} { // also not with a word of later: this is the answer to the first attempt
		c, all := server(t, conflict(retry))
		if _, err := Post[any](t.Context(), c, "/things", nil); !fault.Is(err, fault.Conflict) || len(*all) != 1 {
			t.Errorf("got %v after %d requests, want a conflict after one", err, len(*all))
		}
	}
}

func TestAServerThatIsNotThereIsNotWaitedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := New("http://"+l.Addr().String(), "")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	c.HTTP.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	if _, err := Get[any](t.Context(), c, "/things", nil); !fault.Is(err, fault.Unavailable) || dials.Load() != 1 {
		t.Errorf("got %v after %d dials, want that the server is unavailable after one", err, dials.Load())
	}
}

func TestAListIsReadOverAsManyPagesAsItTakes(t *testing.T) {
	all := make([]int, 450)
	for i := range all {
		all[i] = i
	}
	pages := func(w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.FormValue("limit"))
		from, _ := strconv.Atoi(r.FormValue("cursor"))
		if size < 1 || size > 200 || r.FormValue("kind") != "x" {
			t.Errorf("asked for %s", r.URL)
		}
		to := min(len(all), from+size)
		l := List[int]{Items: all[from:to]}
		if to < len(all) {
			l.Next = strconv.Itoa(to)
		}
		_ = json.NewEncoder(w).Encode(l)
	}
	for _, want := range []struct {
		limit, items, requests int
		more                   bool
	}{{0, 450, 3, false}, {1, 1, 1, true}, {200, 200, 1, true}, {201, 201, 2, true}, {450, 450, 3, false}, {500, 450, 3, false}} {
		c, heard := server(t, pages)
		got, more, err := Some[int](t.Context(), c, "/things", url.Values{"kind": {"x"}}, want.limit)
		if err != nil || !slices.Equal(got, all[:want.items]) || more != want.more || len(*heard) != want.requests {
			t.Errorf("of %d: %d items after %d requests, more: %t, %v; want %+v", want.limit, len(got), len(*heard), more, err, want)
		}
	}
	whole := func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(List[int]{Items: all}) }
	c, _ := server(t, whole) // which knows no pages
	if got, more, err := Some[int](t.Context(), c, "/things", nil, 3); err != nil || len(got) != 3 || !more {
		t.Errorf("a list without pages gives %v, more: %t, %v", got, more, err)
	}
	endless := func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(List[int]{Next: "again"}) }
	c, heard := server(t, endless)
	if _, err := All[int](t.Context(), c, "/things", nil); err == nil || len(*heard) != 2 {
		t.Errorf("pages that lead to themselves: %v after %d requests", err, len(*heard))
	}
}

func TestEachAsksOnlyForThePagesThatAreUsed(t *testing.T) {
	c, all := server(t,
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[1,2],"next":"a"}`)) },
		func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"items":[3],"next":"b"}`)) },
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	var got []int
	for n, err := range Each[int](t.Context(), c, "/things", nil) {
		if got = append(got, n); err != nil || n == 3 {
			break
		}
	}
	if !slices.Equal(got, []int{1, 2, 3}) || len(*all) != 2 {
		t.Errorf("got %v by %d requests, want three by two", got, len(*all))
	}
	for _, err := range Each[int](t.Context(), c, "/things", nil) { // a proxy whose server is away
		if KindOf(err) != Unavailable {
			t.Errorf("got %v, want that the server is unavailable", err)
		}
	}
}

func TestALongAnswerIsRefusedAndNotCut(t *testing.T) {
	if data, err := whole(strings.NewReader("12345"), 5); err != nil || string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := whole(strings.NewReader("123456"), 5); KindOf(err) != TooLarge || data != nil {
		t.Errorf("got %q, %v, want that it is too large", data, err)
	}
}
