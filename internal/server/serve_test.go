package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// TestAServerThatIsAskedToStopAnswersWhatIsUnderWay asks it in the middle of an upload, whose rest comes when the server
// takes no new connection and has ended its live streams. What was answered is kept.
func TestAServerThatIsAskedToStopAnswersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		v := newVictim(t, light{}, database)
		g := groundAt(t, "http://"+v.address, crashToken)
		if _, err := client.Post[client.Repository](t.Context(), g.admin, "/repositories", map[string]string{"namespace": "crew", "name": "shop"}); err != nil {
			t.Fatal(err)
		}
		rest, send := io.Pipe()
		reading, ended := make(chan struct{}), make(chan struct{})
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
		request := func(ctx context.Context, method string, body io.Reader) *http.Request {
			t.Helper()
			r, err := http.NewRequestWithContext(ctx, method, g.url+"/git/crew/shop.git/info/lfs/objects/"+largeOID, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+g.alice.Token)
			return r
		}
		upload := request(ctx, http.MethodPut, rest)
		upload.ContentLength = int64(len(largeFile))
		upload.Header.Set("Expect", "100-continue")
		status, answer, failed := 0, "", error(nil)
		go func() {
			defer close(ended)
			response, err := (&http.Transport{ExpectContinueTimeout: time.Minute}).RoundTrip(upload)
			if err != nil {
				failed = err
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			status, answer, failed = response.StatusCode, string(body), err
		}()
		select {
		case <-reading:
		case <-ended:
			t.Fatalf("the upload ended before its first byte: %d %s, %v", status, answer, failed)
		}
		if _, err := io.WriteString(send, largeFile[:2]); err != nil {
			t.Fatal(err)
		}
		stream := follow(t, g.url+"/api/v1/ledger/events", crashToken, "")
		<-stream
		stopped := v.ask(t)
		within, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		err := eventually(within, func() (bool, error) {
			c, err := net.Dial("tcp", v.address)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, syscall.ECONNREFUSED), nil
		})
		if err != nil {
			t.Errorf("a server that was asked to stop takes new connections: %v", err)
		}
		for range stream { // until the server has ended all of them
		}
		if _, err := io.WriteString(send, largeFile[2:]); err != nil {
			t.Errorf("the rest is not taken: %v", err)
		}
		send.Close()
		<-ended
		if failed != nil || status != http.StatusOK {
			t.Errorf("the upload is answered %d %s, %v", status, answer, failed)
		}
		stopped()
		if !v.command.ProcessState.Success() {
			t.Errorf("the server ended with %s", v.command.ProcessState)
		}
		v.start(t)
		v.awaitReady(t)
		if status, body := g.answered(request(t.Context(), http.MethodGet, http.NoBody)); status != http.StatusOK || body != largeFile {
			t.Errorf("what was uploaded is %d %q", status, body)
		}
	})
}

// TestReadinessKnowsTablesAndTheEnd takes the newest version of a room's tables away and brings it back, and then asks the
// server to stop.
func TestReadinessKnowsTablesAndTheEnd(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		want := func(code int, says string) {
			t.Helper()
			if got, body := do(t, server, http.MethodGet, "/readyz", "", ""); got != code || !strings.Contains(body, says) {
				t.Errorf("/readyz = %d %s, want %d %s", got, body, code, says)
			}
		}
		change := func(statement string) {
			t.Helper()
			err := h.DB.Write(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(t.Context(), statement)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		want(http.StatusOK, "ok")
		change("UPDATE migrations_insight SET version_id = version_id - 1000")
		want(http.StatusServiceUnavailable, "tables are not up to date")
		change("UPDATE migrations_insight SET version_id = version_id + 1000")
		want(http.StatusOK, "ok")
		change("ALTER TABLE migrations_insight RENAME TO elsewhere")
		want(http.StatusServiceUnavailable, "tables are not up to date")
		change("ALTER TABLE elsewhere RENAME TO migrations_insight")
		want(http.StatusOK, "ok")

		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- h.Serve(ctx, listener) }()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want(http.StatusServiceUnavailable, "the server ends")
	})
}
