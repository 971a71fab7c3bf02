package server

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// follow opens a live stream after an event, "" for none, and gives what it tells, until it ends or a minute has passed.
func follow(t *testing.T, url, token, after string) <-chan client.Event {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(stop)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if after != "" {
		request.Header.Set("Last-Event-ID", after)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s = %d", url, response.StatusCode)
	}
	events := make(chan client.Event)
	go func() {
		defer close(events)
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		name := ""
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				select {
				case events <- client.Event{Name: name, Data: []byte(data)}:
				case <-ctx.Done():
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
		events := follow(t, server.URL+"/api/v1/ledger/events", token.Secret, "")
		for range 3 {
			if e := <-events; e.Name != "beat" && e.Name != "entry" {
				t.Fatalf("the stream of a good token tells %q", e.Name)
			}
		}
		if err := admin.Do(t.Context(), http.MethodDelete, "/tokens/"+token.ID, nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		last := ""
		for e := range events {
			last = e.Name
		}
		if last != "problem" {
			t.Errorf("the last that a stream of a revoked token tells is %q, want a problem", last)
		}
	})
}

// streamTells is what each stream tells, by its operation, to somebody who may see what it is about; streamRefuses is
// what is refused to somebody who may not. Of the ledger, as of a list, they are told nothing.
var (
	streamTells = map[string][]string{
		"followEvents": {"application", "end", "entry", "log", "run", "start"}, "followLedger": {"entry"},
		"followRun": {"run"}, "followLog": {"end", "log"}, "followApplication": {"application"},
	}
	streamRefuses = map[string][]string{
		"followEvents": {"application", "log", "run"}, "followLedger": nil,
		"followRun": {"problem"}, "followLog": {"problem"}, "followApplication": {"problem"},
	}
)

// TestStreamsRefuseWithoutRights asks every stream of what is there, as the administrator and as somebody without any
// right.
func TestStreamsRefuseWithoutRights(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		h.API.Beat = time.Millisecond
		ids := furnish(t, h, server)
		admin, mallory := client.New(server.URL, h.Options.AdminToken), person(t, h, "mallory")
		r, err := client.Post[client.RunDetail](t.Context(), admin, "/workflows/runs", map[string]any{"document": echo("hello")})
		if err != nil {
			t.Fatal(err)
		}
		r = until(t, admin, r.ID, ended)
		ids["runs"], ids["steps"] = r.ID, r.Steps[0].Key
		query := map[string]string{"followEvents": "?" + url.Values{"after": {"1"}, "run": {r.ID}, "step": {ids["steps"]}, "application": {"default/none"}}.Encode()}
		after := map[string]string{"followLedger": "1"}
		seen := 0
		for _, r := range routes(h) {
			content := r.op.Responses["200"]
			is := content != nil && content.Content["text/event-stream"] != nil
			if taken := h.streams(httptest.NewRequest(r.method, filled(r.path, ids), nil)); taken != is {
				t.Errorf("%s %s is taken for a live stream: %v", r.method, r.path, taken)
			}
			if !is {
				continue
			}
			seen++
			id := r.op.OperationID
			address := server.URL + filled(r.path, ids) + query[id]
			var names []string
			for e := range follow(t, address, h.Options.AdminToken, after[id]) {
				if e.Name == "problem" || e.Name == "refused" {
					t.Errorf("%s refuses the administrator: %s", address, e.Data)
				}
				if !slices.Contains(names, e.Name) && e.Name != "beat" {
					names = append(names, e.Name)
				}
				if len(names) >= len(streamTells[id]) {
					break
				}
			}
			if slices.Sort(names); !slices.Equal(names, streamTells[id]) {
				t.Errorf("%s tells the administrator %q, want %q", address, names, streamTells[id])
			}
			refused, beats := []string{}, 0
			for e := range follow(t, address, mallory, after[id]) {
				var why struct {
					Of      string
					Status  int
					Problem struct{ Status int }
				}
				switch e.Name {
				case "beat":
					beats++
				case "start":
				case "problem", "refused":
					if err := json.Unmarshal(e.Data, &why); err != nil {
						t.Error(err)
					}
					if status := max(why.Status, why.Problem.Status); status != http.StatusForbidden && status != http.StatusNotFound {
						t.Errorf("%s refuses a person without rights with %d: %s", address, status, e.Data)
					}
					refused = append(refused, cmp.Or(why.Of, e.Name))
				default:
					t.Errorf("%s tells a person without rights %s %s", address, e.Name, e.Data)
				}
				if beats > 50 && len(refused) >= len(streamRefuses[id]) {
					break
				}
			}
			if slices.Sort(refused); !slices.Equal(refused, streamRefuses[id]) {
				t.Errorf("%s refuses a person without rights %q, want %q", address, refused, streamRefuses[id])
			}
		}
		if seen != len(streamTells) {
			t.Errorf("%d streams were walked, want %d", seen, len(streamTells))
		}
	})
}

// TestARunIsFollowedBeyondItsEnd retries a run that failed: whoever follows it sees it go on, on the same stream.
func TestARunIsFollowedBeyondItsEnd(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]any{
			"document": strings.Replace(echo("no"), "echo", "exit 3; echo", 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		attempts := map[int]bool{}
		err = g.alice.Follow(t.Context(), "/runs/"+r.ID+"/events", nil, func(e client.Event) (bool, error) {
			if e.Name != "run" {
				return false, nil
			}
			var now client.RunDetail
			if err := json.Unmarshal(e.Data, &now); err != nil || !now.Terminal {
				return false, err
			}
			last := now.Steps[len(now.Steps)-1]
			if !slices.Contains(now.Can, "retry") {
				t.Errorf("attempt %d failed, and all that is offered is %v", last.Attempt, now.Can)
			}
			if last.Attempt == 1 && !attempts[1] {
				attempts[1] = true
				_, err := g.act("alice", r.ID, "retry")
				return false, err
			}
			attempts[last.Attempt] = true
			return last.Attempt > 1, nil
		})
		if err != nil || !attempts[2] {
			t.Errorf("the ends of attempts %v were told, want 1 and 2: %v", attempts, err)
		}
	})
}

// TestOneStreamTellsAllOfAPage follows the ledger, a run and its log together; what the reader may not see is refused
// without ending the others.
func TestOneStreamTellsAllOfAPage(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]any{"document": echo("hello")})
		if err != nil {
			t.Fatal(err)
		}
		done := until(t, g.admin, r.ID, ended)
		ask := url.Values{"after": {"1"}, "run": {r.ID}, "step": {done.Steps[0].Key}, "application": {"default/none"}}
		open := map[string]string{"start": "position", "entry": r.ID, "run": r.ID, "log": "hello nobody", "end": "size", "refused": "default/none"}
		err = g.alice.Follow(t.Context(), "/events", ask, func(e client.Event) (bool, error) {
			if want, asked := open[e.Name]; asked && strings.Contains(string(e.Data), want) {
				delete(open, e.Name)
			}
			return len(open) == 0, nil
		})
		if err != nil {
			t.Errorf("%v; not told yet: %v", err, open)
		}
	})
}

// TestALogIsWhole downloads a log of several pieces, and follows one that is no UTF-8 from the middle.
func TestALogIsWhole(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		script := "i=0; while [ $i -lt 6000 ]; do echo $i a line of some length, so that there are several pieces; i=$((i+1)); done; printf '\\\\377\\\\376ab\\\\n'"
		r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]any{
			"document": strings.Replace(echo("all said;"), "echo all", script+"; echo all", 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		done := until(t, g.admin, r.ID, ended)
		step := "/runs/" + r.ID + "/steps/" + done.Steps[0].Key + "/log"
		var file []byte
		if err := g.alice.Do(t.Context(), http.MethodGet, step+"/file", nil, nil, &file); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(file), "\n5999 a line") || !strings.Contains(string(file), "\xff\xfeab\n") || !strings.Contains(string(file), "all said") {
			t.Fatalf("the file of %d bytes is not the whole log: %q", len(file), file[max(0, len(file)-200):])
		}
		for ranges, want := range map[string]string{"bytes=0-3": string(file[:4]), "bytes=-9": string(file[len(file)-9:]), "bytes=70000-70009": string(file[70000:70010]), "bytes=99999999-": ""} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/api/v1"+step+"/file", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+g.alice.Token)
			request.Header.Set("Range", ranges)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			response.Body.Close()
			code := http.StatusPartialContent
			if want == "" {
				code, got = http.StatusRequestedRangeNotSatisfiable, nil
			}
			if err != nil || response.StatusCode != code || string(got) != want {
				t.Errorf("%s = %d %q, %v; want %d %q", ranges, response.StatusCode, got, err, code, want)
			}
		}
		next := int64(0)
		err = g.alice.Follow(t.Context(), step+"/events", nil, func(e client.Event) (bool, error) {
			var piece client.LogChunk
			if e.Name == "log" {
				if err := json.Unmarshal(e.Data, &piece); err != nil || piece.Offset != next {
					t.Errorf("a piece begins at %d, want %d: %v", piece.Offset, next, err)
				}
				next = piece.Next
			}
			return e.Name == "end", nil
		})
		if err != nil || next != int64(len(file)) {
			t.Errorf("the pieces lead to %d of %d bytes: %v", next, len(file), err)
		}
	})
}

// TestWhoFollowsTheNewestAttemptIsToldOfTheNext retries a step whose log is followed, and takes the stream up from the middle
// of the first attempt.
func TestWhoFollowsTheNewestAttemptIsToldOfTheNext(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]any{
			"document": strings.Replace(echo("said"), "echo", "echo first; exit 3; echo", 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		step := until(t, g.admin, r.ID, ended).Steps[0].Key
		events := "/runs/" + r.ID + "/steps/" + step + "/log/events"
		var first client.Event
		err = g.alice.Follow(t.Context(), events, nil, func(e client.Event) (bool, error) {
			if e.Name == "log" {
				first = e
			}
			return e.Name == "end", nil
		})
		if err != nil || !strings.Contains(string(first.Data), "first") {
			t.Fatalf("%s, %v", first.Data, err)
		}
		if _, err := g.act("alice", r.ID, "retry"); err != nil {
			t.Fatal(err)
		}
		until(t, g.admin, r.ID, func(d client.RunDetail) bool { return d.Terminal && d.Steps[0].Attempt == 2 })

		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/api/v1"+events, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+g.alice.Token)
		request.Header.Set("Last-Event-ID", first.ID)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		lines := bufio.NewScanner(response.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var piece client.LogChunk
			if !ok || json.Unmarshal([]byte(data), &piece) != nil || piece.Text == "" {
				continue
			}
			if piece.Attempt != 2 || piece.Offset != 0 || !strings.Contains(piece.Text, "first\n") {
				t.Errorf("after the first attempt comes %+v, want the second from its beginning", piece)
			}
			return
		}
		t.Error("the second attempt was not told")
	})
}
