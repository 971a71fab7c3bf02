package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// serveUntil is a server that kills itself while it carries out a command: the file says at which of the questions for
// the time that are asked then, and how long after. It is removed by that, so that the next server lives.
func serveUntil(ctx context.Context, o Options, file string) error {
	h, err := Open(ctx, o, "test", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer h.Close()
	var asked atomic.Int64
	h.Proposals.Now = func() time.Time {
		if text, err := os.ReadFile(file); err == nil && obeying() {
			var at int64
			var after time.Duration
			if _, err := fmt.Sscan(string(text), &at, &after); err == nil && asked.Add(1) == at && os.Remove(file) == nil {
				time.AfterFunc(after, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
				if after == 0 {
					select {}
				}
			}
		}
		return time.Now()
	}
	if err := h.SetUp(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.Run(ctx) })
	group.Go(func() error { return h.Serve(ctx, listener) })
	return group.Wait()
}

// obeying tells whether a command is being carried out by who asks.
func obeying() bool {
	at := make([]uintptr, 64)
	frames := runtime.CallersFrames(at[:runtime.Callers(2, at)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, ".obeyOne") {
			return true
		}
		if !more {
			return false
		}
	}
}

// TestCommandsAreCarriedOutOnceThoughTheServerIsKilled kills a server at each moment of carrying out a command, and starts
// it again: each is carried out, once, and answered.
func TestCommandsAreCarriedOutOnceThoughTheServerIsKilled(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return storetest.PostgresURL(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := (&victim{database: database(), moment: filepath.Join(t.TempDir(), "moment")}).begin(t)
			d := desk{groundAt(t, "http://"+v.address, crashToken), "crew/shop"}
			d.push("alice", "crew/shop", map[string]string{"a.txt": "a\n"})
			n, merges := 0, 0
			// command has somebody say it while the server is to be killed, and tells whether it was.
			command := func(text string, at int, after time.Duration) (killed bool) {
				t.Helper()
				n++
				p := d.propose("alice", fmt.Sprintf("change-%d", n), map[string]string{fmt.Sprintf("f%d.txt", n): "f\n"})
				if err := os.WriteFile(v.moment, fmt.Appendf(nil, "%d %s", at, after), 0o600); err != nil {
					t.Fatal(err)
				}
				before := v.ended
				// It may be killed before it has told that it took the comment.
				if _, err := client.Post[client.ProposalComment](t.Context(), d.bob, d.at(p.Number, "comments"), map[string]any{"body": text}); err != nil && !fault.Is(err, fault.Unavailable) {
					t.Fatal(err)
				}
				said := func() []client.ProposalComment {
					all, err := client.All[client.ProposalComment](t.Context(), d.alice, d.at(p.Number, "comments"), nil)
					if err != nil && !fault.Is(err, fault.Unavailable) {
						t.Error(err)
					}
					return all
				}
				for killed = false; !killed; {
					select {
					case <-before:
						killed = true
						v.start(t)
						v.awaitReady(t)
						continue
					case <-time.After(50 * time.Millisecond):
					}
					if all := said(); len(all) == 1 && all[0].Commands[0].State != "waiting" {
						if _, err := os.Stat(v.moment); err != nil {
							continue // it is about to be killed
						}
						break
					}
				}
				_ = os.Remove(v.moment)
				all := said()
				if len(all) != 1 {
					t.Fatalf("%s: there are %d comments", text, len(all))
				}
				got := d.answered(p.Number, all[0])
				if len(got) != 1 || !strings.Contains(got[0], " done: ") {
					t.Errorf("%s, killed at %d and %s: %q", text, at, after, got)
				}
				var told []string
				if err := within(t, func() (bool, error) {
					told = nil
					all, err := client.All[client.Entry](t.Context(), d.admin, "/ledger", url.Values{"type": {"proposal."}, "ref": {fmt.Sprintf("proposal:crew/shop#%d", p.Number)}})
					for _, e := range all {
						told = append(told, strings.TrimPrefix(e.Type, "proposal."))
					}
					return slices.Contains(told, "answered"), err
				}); err != nil {
					t.Fatalf("%s: the ledger tells %q, %v", text, told, err)
				}
				slices.Reverse(told)
				word, _, _ := strings.Cut(strings.TrimPrefix(text, "/"), " ")
				what := map[string]string{"merge": "merged", "title": "edited", "close": "closed"}[word]
				told = slices.DeleteFunc(told, func(s string) bool { return s == "commented" })
				if !slices.Equal(told, []string{"opened", "commanded", what, "answered"}) && !slices.Equal(told, []string{"opened", "commanded", "answered", what}) {
					t.Errorf("%s, killed at %d and %s: the ledger tells %q", text, at, after, told)
				}
				if word == "merge" {
					merges++
				}
				return killed
			}
			moments := 1
			for command("/merge squash", moments, 0) {
				if moments++; moments > 12 {
					t.Fatal("there is no end of moments")
				}
			}
			if moments < 3 {
				t.Errorf("merging has %d moments", moments)
			}
			for after := range 4 {
				command("/merge rebase", moments-1, time.Duration(after*after)*4*time.Millisecond)
			}
			for _, text := range []string{"/title Another", "/close"} {
				command(text, 1, 0)
				command(text, 1, 5*time.Millisecond)
			}
			list, err := asked[client.List[client.Commit]](d, "admin", "commits", url.Values{"limit": {"100"}})
			if err != nil || len(list.Items) != merges+1 {
				t.Errorf("main has %d commits, want %d, %v", len(list.Items), merges+1, err)
			}
		})
	}
}
