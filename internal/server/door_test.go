package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestStepsHaveADoorOfTheirOwn: a step's token is good at the door alone, and nothing else is good there.
func TestStepsHaveADoorOfTheirOwn(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		step := ""
		err := h.DB.Write(actor.AsSystem(t.Context()), func(tx *store.Tx) (err error) {
			step, err = h.Identity.Workload(t.Context(), tx, "run_00000000000000000000000000", "step_00000000000000000000000000", "default", []string{"repository:read"}, time.Hour)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		inside := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", h.door())
		}}}
		ask := func(c *http.Client, url, token string) (int, string) {
			t.Helper()
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+token)
			response, err := c.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			return response.StatusCode, string(body)
		}
		const path = "/api/v1/repositories"
		if code, body := ask(inside, "http://door"+path, step); code != http.StatusOK || strings.Contains(body, `"items":[]`) {
			t.Errorf("a step at its door = %d %.200s", code, body)
		}
		if code, body := ask(http.DefaultClient, server.URL+path, step); code != http.StatusUnauthorized {
			t.Errorf("a step's token from outside = %d %.200s", code, body)
		}
		if code, body := ask(inside, "http://door"+path, h.Options.AdminToken); code != http.StatusUnauthorized {
			t.Errorf("an administrator's token at the door = %d %.200s", code, body)
		}
		for _, path := range []string{"/", "/metrics", "/openapi.json", "/healthz"} {
			if code, _ := ask(inside, "http://door"+path, step); code != http.StatusNotFound {
				t.Errorf("%s at the door = %d", path, code)
			}
		}
	})
}

// TestTheDoorsFolderIsNobodyElses refuses a folder that others could have put there.
func TestTheDoorsFolderIsNobodyElses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	for range 2 { // made, and found
		if err := ownFolder(mine); err != nil {
			t.Error(err)
		}
	}
	open, link := filepath.Join(dir, "open"), filepath.Join(dir, "link")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o770); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mine, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{open, link} {
		if err := ownFolder(dir); err == nil {
			t.Errorf("%s was taken", dir)
		}
	}
}

// TestIsolationIsRequiredOrTold: a server says what a machine lacks, and starts without isolation only when it may.
func TestIsolationIsRequiredOrTold(t *testing.T) {
	t.Parallel()
	whole := execute.Capabilities{Isolated: true}
	unbounded := execute.Capabilities{Isolated: true, Missing: []string{"no cgroup for memory"}}
	none := execute.Capabilities{Missing: []string{"steps are not isolated from this machine: no namespaces"}}
	for name, c := range map[string]struct {
		isolation string
		has       execute.Capabilities
		refused   bool
		says      string
		doctor    []string
	}{
		"all of it":         {requireIsolation, whole, false, "", []string{"isolation    yes"}},
		"without bounds":    {requireIsolation, unbounded, false, "no cgroup for memory", []string{"isolation    yes", "no cgroup for memory"}},
		"required":          {requireIsolation, none, true, "", []string{"isolation    no", "no namespaces", "--isolation=prefer"}},
		"without, as asked": {preferIsolation, none, false, "do not run isolated", []string{"isolation    no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log, doctor strings.Builder
			err := Options{Isolation: c.isolation}.accept(c.has, slog.New(slog.NewTextHandler(&log, nil)))
			if c.refused != fault.Is(err, fault.Unavailable) || c.refused && !strings.Contains(err.Error(), "no namespaces") {
				t.Errorf("accept: %v", err)
			}
			if !strings.Contains(log.String(), c.says) || c.says == "" && log.Len() > 0 {
				t.Errorf("the log says %q", log.String())
			}
			tellCapabilities(&doctor, c.has)
			for _, want := range c.doctor {
				if !strings.Contains(doctor.String(), want) {
					t.Errorf("doctor says %q, without %q", doctor.String(), want)
				}
			}
		})
	}
	for given, want := range map[Options]string{{}: requireIsolation, {Dev: true}: preferIsolation, {Dev: true, Isolation: requireIsolation}: requireIsolation} {
		o := Defaults()
		o.Dev, o.Isolation = given.Dev, given.Isolation
		if got, err := o.complete(); err != nil || got.Isolation != want {
			t.Errorf("%+v is completed to %q, %v", o, got.Isolation, err)
		}
	}
	if _, err := (Options{Isolation: "no"}).complete(); !fault.Is(err, fault.Invalid) {
		t.Errorf("a wrong word: %v", err)
	}
}

// TestGuessesCountAtEveryDoor fails at one protocol and is held back at another.
func TestGuessesCountAtEveryDoor(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/git/crew/shop.git/info/refs?service=git-upload-pack", "/v2/", "/api/v1/whoami", "/api/state/default/net"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			h, server := open(t)
			good := person(t, h, "alice")
			for range 70 {
				request, err := http.NewRequest("GET", server.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				request.SetBasicAuth("any", "a-guess")
				answer, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusTooManyRequests {
					t.Fatalf("a guess gives %s", answer.Status)
				}
			}
			if code, body := do(t, server, "GET", "/api/v1/whoami", h.Options.AdminToken, ""); code != http.StatusTooManyRequests {
				t.Errorf("after many guesses a token that can be guessed gives %d %s", code, body)
			}
			if code, body := do(t, server, "GET", "/api/v1/whoami", good, ""); code != http.StatusOK {
				t.Errorf("after many guesses of others a good token gives %d %s", code, body)
			}
		})
	}
}
