package repository_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// outsideDeed is what a child does before it ends, or is killed.
func outsideDeed(s *repository.Service, deed string) error {
	ctx := actor.AsSystem(context.Background())
	switch deed {
	case "fetch":
		_, err := s.Fetch(ctx, "default/shop")
		return err
	case "drop":
		r, err := s.Get(ctx, "default/shop")
		if err == nil {
			_, err = s.Drop(ctx, r.ID)
		}
		if err == nil {
			_, err = s.Platform().Files(ctx, "default/shop", r.Head, "") // which fills it
		}
		return err
	}
	head, err := s.Platform().Head(ctx, "default/shop", "main")
	if err != nil {
		return err
	}
	_, err = s.Platform().Commit(ctx, "default/shop", git.CommitRequest{
		Branch: "main", Parent: head, Message: "digest", Changes: []git.FileChange{{Path: "digest", Content: []byte(head)}},
	})
	return err
}

// A server that is killed at any question for the time, or at any request to the forge, while it fetches, fills a mirror or
// pushes a commit there, records afterwards what the forge has: each change once, and its own as its own.
func TestKilledBesideAForge(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, rooms...)
		b := setup(t, db, t.TempDir())
		a := newAway(t)
		b.Join(repository.OutsideOptions{Forges: a, Accounts: a})
		b.must("", "clone", "-q", a.address(), "work")
		b.commit("work", "x", "1")
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		r := b.connect()
		kills := 0
		for _, deed := range []string{"fetch", "drop", "commit"} {
			for _, way := range []string{"clock", "forge"} {
				for n := 1; ; n++ {
					if deed == "fetch" {
						b.must("work", "pull", "-q", "origin", "main")
						b.commit("work", "x", fmt.Sprint(way, n))
						b.must("work", "push", "-q", "-f", "origin", "HEAD:main", "HEAD:refs/tags/"+way+fmt.Sprint(n))
					}
					before := a.refs()["refs/heads/main"]
					killed := b.killedAt(url, a, deed, way, n)
					again := &bench{Service: open(t, db, b.dir).Service, t: t, db: db, ledger: b.ledger, dir: b.dir, home: b.home}
					again.Join(repository.OutsideOptions{Forges: a, Accounts: a})
					again.settled()
					again.fetch()
					if _, err := again.Platform().Files(t.Context(), "default/shop", "", ""); err != nil { // which fills a mirror that is not there
						t.Fatal(err)
					}
					again.mirrors(a, r)
					told := strings.Join(again.pushes("default/shop"), "\n")
					if at := a.refs()["refs/heads/main"]; at != before && !strings.Contains(told, short(before)+" "+short(at)+" platform") {
						t.Errorf("killed at the %s's %d while it does a %s: the platform's commit %s is not told as such:\n%s", way, n, deed, short(at), told)
					}
					again.chainOf("default/shop")
					if t.Failed() {
						t.Fatalf("killed at the %s's question %d while it does a %s", way, n, deed)
					}
					if !killed {
						break
					}
					kills++
				}
			}
		}
		if kills < 20 {
			t.Errorf("it was killed %d times only", kills)
		}
	})
}

// killedAt runs a child that is killed at the nth question; false when it came to its end before.
func (b *bench) killedAt(url string, a *away, deed, way string, n int) bool {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "ROADBED_TEST_CHILD="+url, "ROADBED_TEST_DIR="+b.dir, "ROADBED_TEST_KILL=none", "ROADBED_TEST_FORGE="+a.url, "ROADBED_TEST_DO="+deed)
	if way == "clock" {
		cmd.Env = append(cmd.Env, fmt.Sprint("ROADBED_TEST_KILL_AT=", n))
	}
	var said strings.Builder
	cmd.Stdout = &said
	var requests atomic.Int64
	started := make(chan struct{})
	gate := func() {
		<-started
		if way == "forge" && requests.Add(1) == int64(n) {
			_ = cmd.Process.Signal(syscall.SIGKILL)
		}
	}
	a.gate.Store(&gate)
	defer a.gate.Store(nil)
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	close(started)
	err = cmd.Wait()
	if err != nil && !strings.Contains(err.Error(), "killed") {
		b.t.Fatalf("the child that does a %s ended with %v: %s", deed, err, said.String())
	}
	return err != nil
}

// chainOf is chain of a repository that had references before it was connected, which were not told.
func (b *bench) chainOf(name string) {
	b.t.Helper()
	at := map[string]string{}
	for _, line := range b.pushes(name) {
		f := strings.Fields(line)
		if old := at[f[1]]; old != "" && old != f[2] {
			b.t.Errorf("%s does not follow %q", line, old)
		}
		at[f[1]] = f[3]
	}
	refs, err := b.Refs(actor.AsSystem(context.Background()), name)
	if err != nil {
		b.t.Fatal(err)
	}
	now := map[string]string{}
	for _, r := range refs {
		now[r.Name] = short(r.Hash)
	}
	for name, hash := range at {
		if cmp.Or(now[name], nothing) != hash {
			b.t.Errorf("%s is at %s, the ledger's last word is %s", name, now[name], hash)
		}
	}
}
