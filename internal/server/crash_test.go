package server

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/roadbed-dev/roadbed/internal/face/cli"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// Variables by which the test binary becomes a server that can be killed.
const (
	crashData     = "ROADBED_TEST_CRASH_DATA"
	crashListen   = "ROADBED_TEST_CRASH_LISTEN"
	crashDatabase = "ROADBED_TEST_CRASH_DATABASE"
	crashEngine   = "ROADBED_TEST_CRASH_ENGINE"
	crashPlain    = "ROADBED_TEST_CRASH_PLAIN"
	crashMoment   = "ROADBED_TEST_CRASH_MOMENT"
	crashToken    = "a-token-for-the-crash-test"
)

// crashServer is a whole server, as `roadbed server` is.
func crashServer(data string) int {
	if os.Getenv(crashPlain) != "" {
		if err := forbidNamespaces(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	o := Defaults()
	o.Data, o.Listen, o.Database, o.Engine = data, os.Getenv(crashListen), os.Getenv(crashDatabase), os.Getenv(crashEngine)
	o.Download, o.AdminToken, o.Isolation, o.Private = false, crashToken, preferIsolation, "127.0.0.0/8"
	o, err := o.complete()
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if moment := os.Getenv(crashMoment); moment != "" {
			err = serveUntil(ctx, o, moment)
		} else {
			err = Serve(ctx, o, "test")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// crashTool is the program `roadbed` as the pipeline's steps know it.
func crashTool(args []string) int {
	root := cli.New("test")
	root.AddCommand(Commands("test")...)
	return cli.Run(root, args)
}

// TestAServerKilledAtAnyMomentLosesNothing has several people do the main job, each from the golden path to a service
// whose second commit is live and whose third was rolled back to it, while the server is killed again and again, at
// moments that a seed gives each: also while it starts, and right after something has happened. They act as people do:
// what is not answered is asked again, and a run whose step was lost with the server is retried. Then everything must be
// there, and once: see scan.
//
// ROADBED_CRASH_SEEDS is how many seeds each database gets, ROADBED_CRASH_SEED the first of them, and
// ROADBED_CRASH_ENGINE an engine to take in place of the light one.
func TestAServerKilledAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	seeds := number(t, "ROADBED_CRASH_SEEDS", 12)
	programs := buildLight(t)
	first := number(t, "ROADBED_CRASH_SEED", int(time.Now().Unix()%1_000_000))
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		crash(t, programs, "", first, seeds, (*victim).restart)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		crash(t, programs, storetest.PostgresURL(t), first, seeds, (*victim).restart)
	})
}

// restart kills the server and starts it again.
func (v *victim) restart(t *testing.T) {
	t.Helper()
	v.kill()
	v.start(t)
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// lanes is how many people work at once, so that each kill meets several jobs at different points.
const lanes = 3

// jobTime bounds what one main job may take, kills and all.
const jobTime = 15 * time.Minute

// crash has people work while a server is hit at the moments of the seeds.
func crash(t *testing.T, programs light, database string, first, seeds int, hit func(*victim, *testing.T)) {
	v := newVictim(t, programs, database)
	t.Logf("seeds %d to %d; repeat with ROADBED_CRASH_SEED=%d ROADBED_CRASH_SEEDS=%d", first, first+seeds-1, first, seeds)
	town := v.found(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calm, begun atomic.Int64 // calm: 1 when the hitting is over, and nothing new is begun
	people, ctx := errgroup.WithContext(ctx)
	for lane := range lanes {
		people.Go(func() error {
			for calm.Load() == 0 {
				name := fmt.Sprintf("svc-%d-%d", lane, begun.Add(1))
				ctx, stop := context.WithTimeout(ctx, jobTime)
				err := town.mainJob(ctx, name)
				stop()
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		})
	}
	began := time.Now()
	for seed := first; seed < first+seeds && ctx.Err() == nil; seed++ {
		m := momentOf(uint64(seed))
		if !m.starting {
			v.awaitReady(t)
		}
		if m.entries > 0 {
			town.await(ctx, m.entries, longest)
		}
		select {
		case <-time.After(m.wait):
		case <-v.ended:
			t.Errorf("seed %d: the server ended by itself", seed)
		case <-ctx.Done():
		}
		hit(v, t)
	}
	calm.Store(1)
	town.listens.Store(true)
	t.Logf("%d blows in %s", seeds, time.Since(began).Round(time.Second))
	done := make(chan error, 1)
	go func() { done <- people.Wait() }()
	met, err := town.meet(t, v, hit, done)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d services were met again while they were rolled back", met)
	t.Logf("%d main jobs done after %s, with %d retries of runs that had lost a step", begun.Load(), time.Since(began).Round(time.Second), town.retries.Load())
	if err := town.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	town.scanProcesses(t, v)
	v.kill() // once more, so that what is scanned is what a kill leaves
	v.start(t)
	v.awaitReady(t)
	if err := town.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.stop(t)
	town.scan(t, v)
	scanLeft(t, v.data)
	if left := strays(t, v.data); len(left) > 0 {
		t.Errorf("processes are left after a server that was asked to stop: %v", left)
	}
}

// meet hits the server once for each service whose sync is about to be rolled back, some entries of the ledger later,
// until all people are done.
func (w *town) meet(t *testing.T, v *victim, hit func(*victim, *testing.T), done <-chan error) (met int, err error) {
	t.Helper()
	for {
		select {
		case <-w.backs:
			v.awaitReady(t)
			met++
			w.await(t.Context(), 2*met, longest)
			hit(v, t)
		case err := <-done:
			if err == nil && met == 0 && len(w.backs) > 0 {
				err = fmt.Errorf("%d services were rolled back, and none was met", len(w.backs))
			}
			return met, err
		}
	}
}

// longest is how long a server lives after it is ready, also where nothing happens for so long.
const longest = 4 * time.Second

// moment is when a server is killed.
type moment struct {
	starting bool // counted from its start, else from when it is ready
	entries  int  // after so many entries of the ledger, where things happen
	wait     time.Duration
}

func momentOf(seed uint64) moment {
	random := rand.New(rand.NewPCG(seed, 0))
	within := func(d time.Duration) time.Duration { return time.Duration(random.Int64N(int64(d))) }
	switch random.IntN(5) {
	case 0:
		return moment{starting: true, wait: within(600 * time.Millisecond)}
	case 1:
		return moment{wait: within(1500 * time.Millisecond)}
	}
	return moment{entries: 1 + random.IntN(20), wait: within(50 * time.Millisecond)}
}

// victim is a server in a process of its own, with a data folder that outlives it.
type victim struct {
	data, database, address, log string
	light                        light
	plain                        bool   // where the kernel isolates nothing
	moment                       string // file that says when it kills itself; see serveUntil

	command *exec.Cmd
	ended   chan struct{}
}

func newVictim(t *testing.T, programs light, database string) *victim {
	t.Helper()
	return (&victim{light: programs, database: database}).begin(t)
}

func (v *victim) begin(t *testing.T) *victim {
	t.Helper()
	dir := t.TempDir()
	v.data, v.address, v.log = filepath.Join(dir, "data"), quietAddress(t), filepath.Join(dir, "server.log")
	t.Cleanup(func() {
		v.kill()
		if t.Failed() {
			kept := filepath.Join(os.TempDir(), fmt.Sprintf("roadbed-crash-%d.log", os.Getpid()))
			if err := appendFile(kept, v.log); err != nil {
				t.Error(err)
			}
			t.Logf("the server's log is kept as %s", kept)
		}
	})
	v.start(t)
	v.awaitReady(t)
	return v
}

// quietAddress is below the ports that clients are given, so that nobody takes it while the server is down.
func quietAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(20000+rand.IntN(10000)))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port is free")
	return ""
}

func appendFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, in)
	return err
}

func (v *victim) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(v.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintf(log, "--- started %s\n", time.Now().Format(time.RFC3339Nano))
	v.command = exec.Command(os.Args[0])
	if v.plain {
		v.command = exec.Command("unshare", "--user", "--map-root-user", os.Args[0])
		v.command.Env = []string{crashPlain + "=yes"}
	}
	v.command.Env = append(append(v.command.Env, os.Environ()...), crashData+"="+v.data, crashListen+"="+v.address, crashDatabase+"="+v.database, crashEngine+"="+v.light.engine, crashMoment+"="+v.moment)
	v.command.Stdout, v.command.Stderr = log, log
	v.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := v.command.Start(); err != nil {
		t.Fatal(err)
	}
	v.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = c.Wait() // killed, as a rule
	}(v.command, v.ended)
}

func (v *victim) kill() {
	_ = v.command.Process.Kill() // it may have ended
	<-v.ended
}

// stop asks the server to end.
func (v *victim) stop(t *testing.T) {
	t.Helper()
	v.ask(t)()
}

// ask is the first half of stop.
func (v *victim) ask(t *testing.T) (ended func()) {
	t.Helper()
	if err := v.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	return func() {
		t.Helper()
		select {
		case <-v.ended:
		case <-time.After(time.Minute):
			t.Error("the server does not stop when it is asked to")
			v.kill()
		}
	}
}

// awaitReady waits until the server can serve.
func (v *victim) awaitReady(t *testing.T) {
	t.Helper()
	v.awaitReadiness(t, http.StatusOK)
}

// awaitReadiness waits until the server answers with a status.
func (v *victim) awaitReadiness(t *testing.T, want int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	last := ""
	err := eventually(ctx, func() (bool, error) {
		response, err := http.Get("http://" + v.address + "/readyz")
		if err != nil {
			last = err.Error()
			return false, nil
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		last = fmt.Sprintf("%s: %s", response.Status, body)
		return response.StatusCode == want, err
	})
	if err != nil {
		t.Fatalf("the server does not come to answer %d: %v: %s", want, err, last)
	}
}

// eventually asks until it is told yes.
func eventually(ctx context.Context, ask func() (bool, error)) error {
	for {
		done, err := ask()
		if done || err != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
