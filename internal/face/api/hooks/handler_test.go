package hooks_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/hook"
	face "github.com/roadbed-dev/roadbed/internal/face/api/hooks"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// taker notes what it is given, and answers as it is told.
type taker struct {
	mu     sync.Mutex
	taken  []hook.Incoming
	answer func(in hook.Incoming) (hook.Receipt, error)
}

func (k *taker) Receive(_ context.Context, in hook.Incoming) (hook.Receipt, error) {
	k.mu.Lock()
	k.taken = append(k.taken, in)
	answer, number := k.answer, len(k.taken)
	k.mu.Unlock()
	if answer != nil {
		return answer(in)
	}
	return hook.Receipt{Number: int64(number)}, nil
}

func (k *taker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.taken)
}

func serve(t *testing.T, k *taker, now func() time.Time) string {
	t.Helper()
	server := httptest.NewServer(face.New(k, now, storetest.Log(t)))
	t.Cleanup(server.Close)
	return server.URL
}

func send(t *testing.T, method, address string, body io.Reader) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-GitHub-Event", "push")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(text)
}

func TestADeliveryIsHandedOnWhole(t *testing.T) {
	t.Parallel()
	k := &taker{}
	url := serve(t, k, time.Now)
	for i, size := range []int{0, 1, 511, 64<<10 - 1, 64 << 10, 64<<10 + 513, 1 << 20, hook.BodyLimit} {
		body := bytes.Repeat([]byte{byte('a' + i)}, size)
		for _, from := range []io.Reader{bytes.NewReader(body), io.MultiReader(bytes.NewReader(body))} { // with its length, and without
			response, text := send(t, http.MethodPost, url+"/hooks/Default/acme", from)
			var answer struct{ Delivery int }
			if err := json.Unmarshal([]byte(text), &answer); err != nil || response.StatusCode != http.StatusAccepted || answer.Delivery != k.count() {
				t.Fatalf("%d bytes: %s %s", size, response.Status, text)
			}
			in := k.taken[len(k.taken)-1]
			if in.Integration != "default/acme" || !bytes.Equal(in.Body, body) || in.Header.Get("X-GitHub-Event") != "push" || in.Client != "127.0.0.1" {
				t.Errorf("of %d bytes came %d, for %s from %s", size, len(in.Body), in.Integration, in.Client)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	k := &taker{}
	url := serve(t, k, time.Now)
	for _, c := range []struct {
		method, path string
		err          error
		receipt      hook.Receipt
		status       int
		words        string
	}{
		{"POST", "/hooks/default/acme", nil, hook.Receipt{Number: 7}, 202, "is kept"},
		{"POST", "/hooks/default/acme", nil, hook.Receipt{Number: 7, Known: true}, 200, "already there"},
		{"POST", "/hooks/default/acme", fault.Errorf(fault.Unauthenticated, "not signed"), hook.Receipt{}, 401, "not signed"},
		{"POST", "/hooks/default/acme", fault.Errorf(fault.Unavailable, "full"), hook.Receipt{}, 503, "full"},
		{"POST", "/hooks/default/acme", errors.New("a secret thing"), hook.Receipt{}, 500, ""},
		{"GET", "/hooks/default/acme", nil, hook.Receipt{}, 405, "by POST"},
		{"PUT", "/hooks/default/acme", nil, hook.Receipt{}, 405, "by POST"},
		{"POST", "/hooks/", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default/", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default/acme/x", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default/..", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default/%00", nil, hook.Receipt{}, 404, ""},
		{"POST", "/hooks/default/" + strings.Repeat("x", 64), nil, hook.Receipt{}, 404, ""},
	} {
		k.answer = func(hook.Incoming) (hook.Receipt, error) { return c.receipt, c.err }
		response, text := send(t, c.method, url+c.path, strings.NewReader("{}"))
		if response.StatusCode != c.status || !strings.Contains(text, c.words) || strings.Contains(text, "a secret thing") {
			t.Errorf("%s %s: %s %s", c.method, c.path, response.Status, text)
		}
		if again := response.Header.Get("Retry-After"); (again != "") != (c.status == 503) {
			t.Errorf("%s %s: retry after %q", c.method, c.path, again)
		}
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	k := &taker{}
	url := serve(t, k, time.Now)
	body := make([]byte, hook.BodyLimit+1)
	response, text := send(t, http.MethodPost, url+"/hooks/default/acme", io.MultiReader(bytes.NewReader(body)))
	if response.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(text, "25 MiB") {
		t.Errorf("without its length: %s %s", response.Status, text)
	}
	// With its length it is refused before it is sent.
	conn := dial(t, url)
	fmt.Fprintf(conn, "POST /hooks/default/acme HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", hook.BodyLimit+1)
	if response := answer(t, conn); response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("with its length: %s", response.Status)
	}
	if k.count() != 0 {
		t.Errorf("%d were handed on", k.count())
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func answer(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// Half a body is no delivery, whether the sender goes or stays.
func TestHalfABody(t *testing.T) {
	t.Parallel()
	k := &taker{}
	url := serve(t, k, time.Now)
	conn := dial(t, url)
	fmt.Fprintf(conn, "POST /hooks/default/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"ref\":")
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if response := answer(t, conn); response.StatusCode != http.StatusBadRequest {
		t.Errorf("from who goes: %s", response.Status)
	}
	past := serve(t, k, func() time.Time { return time.Now().Add(-time.Hour) }) // whose patience has ended
	conn = dial(t, past)
	fmt.Fprintf(conn, "POST /hooks/default/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"ref\":")
	if response := answer(t, conn); response.StatusCode != http.StatusBadRequest {
		t.Errorf("from who stays: %s", response.Status)
	}
	if k.count() != 0 {
		t.Errorf("%d were handed on", k.count())
	}
}

// A client whose deliveries are refused again and again is served one at a time, and others as before.
func TestAForgerIsServedOneAtATime(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	inside, most := 0, 0
	begin := make(chan struct{})
	k := &taker{answer: func(hook.Incoming) (hook.Receipt, error) {
		return hook.Receipt{}, fault.Errorf(fault.Unauthenticated, "not signed")
	}}
	at := time.Now()
	url := serve(t, k, func() time.Time { return at }) // so that nothing is forgiven
	for range 40 {
		if response, _ := send(t, http.MethodPost, url+"/hooks/default/acme", strings.NewReader("{}")); response.StatusCode != http.StatusUnauthorized {
			t.Fatal(response.Status)
		}
	}
	k.mu.Lock()
	k.answer = func(hook.Incoming) (hook.Receipt, error) {
		mu.Lock()
		inside++
		most = max(most, inside)
		mu.Unlock()
		<-begin
		mu.Lock()
		inside--
		mu.Unlock()
		return hook.Receipt{Number: 1}, nil
	}
	k.mu.Unlock()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if response, text := send(t, http.MethodPost, url+"/hooks/default/acme", strings.NewReader("{}")); response.StatusCode != http.StatusAccepted {
				t.Errorf("%s %s", response.Status, text)
			}
		})
	}
	for range 8 {
		begin <- struct{}{}
	}
	group.Wait()
	if most != 1 {
		t.Errorf("%d were served at once", most)
	}
}
