package repository_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// child serves repositories until it is killed. With ROADBED_TEST_KILL=settle it kills itself between the moving of
// references and their record: the service asks its clock for the first time then.
func child(url, dir string) {
	log := slog.New(slog.DiscardHandler)
	check := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	db, err := store.Open(context.Background(), url, log)
	check(err)
	g, err := git.New("", log)
	check(err)
	var asked atomic.Int64
	at, _ := strconv.ParseInt(os.Getenv("ROADBED_TEST_KILL_AT"), 10, 64) // which question for the time is the last one
	now := func() time.Time {
		if n := asked.Add(1); os.Getenv("ROADBED_TEST_KILL") == "settle" && n == 1 || n == at {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return time.Now()
	}
	l := ledger.New(db, time.Now, log)
	s, err := repository.New(db, access.New(db, l, time.Now, log), l, g, dir, now, log)
	check(err)
	keeper, err := secret.OpenKeeper(dir + ".keys")
	check(err)
	s.Reaches(repository.Reach{Seal: keeper, Secrets: secret.New(db, access.New(db, l, time.Now, log), l, keeper, time.Now)})
	if os.Getenv("ROADBED_TEST_DO") == "purge" {
		purgeDeed(s, db, dir)
		return
	}
	if forge := os.Getenv("ROADBED_TEST_FORGE"); forge != "" {
		api, err := apiAt(forge)
		check(err)
		s.Join(repository.OutsideOptions{Forges: &away{url: forge, api: api}})
		check(outsideDeed(s, os.Getenv("ROADBED_TEST_DO")))
		return
	}
	if os.Getenv("ROADBED_TEST_KILL") == "" {
		go func() { _ = s.Run(context.Background()) }()
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println("ready http://" + listener.Addr().String())
	check(http.Serve(listener, handler(s)))
}

// start runs a child and points the bench's clients at it.
func (b *bench) start(url, kill string) *exec.Cmd {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "ROADBED_TEST_CHILD="+url, "ROADBED_TEST_DIR="+b.dir, "ROADBED_TEST_KILL="+kill)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		b.t.Fatalf("the child says %q", line)
	}
	b.url = address
	return cmd
}

// databases runs fn with the address of a fresh database of each kind.
func databases(t *testing.T, fn func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, "sqlite:"+filepath.Join(t.TempDir(), "roadbed.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, storetest.PostgresURL(t))
	})
}

// A server that is killed after the references have moved, and before that is recorded, records it when it starts
// again, once, in the name of who pushed.
func TestKilledBeforeSettle(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, rooms...)
		b := setup(t, db, t.TempDir())
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		second := b.commit("a", "x", "2")

		killed := b.start(url, "settle")
		if out, err := b.client("a", "push", b.address("bob", "default/shop"), "main", "HEAD:side"); err == nil {
			t.Errorf("the push to a killed server succeeded: %s", out)
		}
		if err := killed.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("the child ended with %v", err)
		}
		if got := len(b.pushes("default/shop")); got != 1 {
			t.Fatalf("there are %d entries before the restart", got)
		}
		again := open(t, db, b.dir)
		again.settled()
		again.same("pushes", again.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"pri_bob refs/heads/side "+nothing+" "+short(second))
		again.settled()
		again.chain("default/shop")
		if got := len(again.pushes("default/shop")); got != 3 {
			t.Errorf("there are %d entries after the second start", got)
		}
	})
}

// settled runs the service until no repository is marked.
func (b *bench) settled() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for {
		var marked int
		err := b.db.Read(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(ctx, `SELECT COUNT(*) FROM repositories WHERE dirty = 1`).Scan(&marked)
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if marked == 0 {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		b.t.Error(err)
	}
}

// A server that is killed at any moment of a push loses nothing, records nothing twice, and can be pushed to again.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	databases(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, rooms...)
		b := setup(t, db, t.TempDir())
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		for seed := range seeds {
			server := b.start(url, "none")
			b.commit("a", "x", fmt.Sprint(seed))
			pushed := make(chan error, 1)
			branch := fmt.Sprintf("HEAD:b%d", seed)
			go func() {
				_, err := b.client("a", "push", b.address("alice", "default/shop"), "HEAD:main", branch, "HEAD:again")
				pushed <- err
			}()
			timer := time.NewTimer(time.Duration(seed*40) * time.Millisecond) // the moment, not a wait for something
			select {
			case <-timer.C:
			case err := <-pushed:
				pushed <- err
			}
			_ = server.Process.Kill()
			_ = server.Wait()
			ok := <-pushed == nil
			b = &bench{Service: open(t, db, b.dir).Service, t: t, db: db, ledger: b.ledger, dir: b.dir, home: b.home}
			b.settled()
			b.chain("default/shop")
			if ok && !strings.Contains(strings.Join(b.pushes("default/shop"), "\n"), fmt.Sprintf("refs/heads/b%d ", seed)) {
				t.Errorf("push %d was answered with success and is not in the ledger", seed)
			}
		}
		server := b.start(url, "")
		last := b.commit("a", "x", "last")
		b.must("a", "push", "-q", b.address("alice", "default/shop"), "HEAD:main")
		if head, err := b.Platform().Head(t.Context(), "default/shop", "main"); err != nil || head != last {
			t.Errorf("after the last push the head is %s, %v; want %s", head, err, last)
		}
		_ = server.Process.Kill()
		_ = server.Wait()
		b.chain("default/shop")
		folders, _ := filepath.Glob(filepath.Join(b.dir, "rep_*.git"))
		if out, err := exec.Command("git", "--git-dir="+folders[0], "fsck", "--full", "--strict").CombinedOutput(); err != nil {
			t.Errorf("git fsck: %v\n%s", err, out)
		}
	})
}
