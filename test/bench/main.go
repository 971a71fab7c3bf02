// Command bench prints the figures that the product promises, each as `name value unit`. It measures bin/roadbed from
// outside, by the public client and by git, and runs the rooms' own benchmarks for what can't be seen there. Its arguments
// name parts (see parts), or `git` for all of hosted git and `catalog` for the catalog; without any it runs those of the
// product as a whole. What has a bound and misses it is told at the end, and the command fails.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/client"
)

const program = "bin/roadbed"

// part is a group of figures, measured on servers of its own in a folder of its own.
type part struct {
	name    string
	group   string // by which it is named together with others
	measure func(ctx context.Context, b *bench) error
}

var parts = []part{
	{"server", "product", serverFigures},
	{"job", "product", mainJob},
	{"rooms", "product", rooms},
	{"clone", "git", cloneFigures},
	{"push", "git", pushFigures},
	{"diff", "git", diffFigures},
	{"many", "git", manyFigures},
	{"hooks", "git", hookFigures},
	{"catalog", "catalog", catalogFigures},
	{"swept", "catalog", sweptFigures},
	{"polled", "catalog", polledFigures},
	{"run", "stack", stackFigures},
	{"provider", "stack", providerFigures},
	{"stacks", "stack", manyStackFigures},
	{"plan", "stack", largePlanFigures},
	{"sets", "stack", setFigures},
	{"policies", "stack", policyFigures},
	{"dispatch", "stack", dispatchFigures},
	{"agent", "stack", agentFigures},
}

// ownMemory is how much this program uses before it looks for garbage, in bytes.
const ownMemory = 512 << 20

func main() {
	entities := flag.Int("n", 100_000, "`entities` of the catalog")
	databases := flag.String("databases", "sqlite,postgres", "`names` of the databases under the catalog")
	flag.Parse()
	// This program has its garbage collected seldom, so that its own pauses are not taken for those of what it measures.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(ownMemory)
	chosen := flag.Args()
	if len(chosen) == 0 {
		chosen = []string{"product"}
	}
	err := run(context.Background(), chosen, bench{entities: *entities, databases: strings.Split(*databases, ",")})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one part that is being measured.
type bench struct {
	dir    string
	missed []string

	entities  int      // of the catalog
	databases []string // under it
}

func figure(name string, value float64, unit string) {
	fmt.Printf("%s %s %s\n", name, strconv.FormatFloat(value, 'f', 3, 64), unit)
}

// most prints a figure that is to be at most a bound.
func (b *bench) most(name string, value, bound float64, unit string) {
	figure(name, value, unit)
	if value > bound {
		b.missed = append(b.missed, fmt.Sprintf("%s is %.3f %s, and is to be at most %g", name, value, unit, bound))
	}
}

func run(ctx context.Context, chosen []string, how bench) error {
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("%w; run make build first", err)
	}
	var missed []string
	for _, name := range chosen {
		known := false
		for _, p := range parts {
			if p.name != name && p.group != name {
				continue
			}
			known = true
			late, err := p.run(ctx, how)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			missed = append(missed, late...)
		}
		if !known {
			return fmt.Errorf("there is no part %q", name)
		}
	}
	if len(missed) > 0 {
		return errors.New(strings.Join(missed, "\n"))
	}
	return nil
}

func (p part) run(ctx context.Context, b bench) (missed []string, err error) {
	dir, err := os.MkdirTemp("", "roadbed-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	err = p.measure(ctx, &b)
	return b.missed, err
}

// serverFigures are of the program itself: its size, its start, what it takes, and how soon a log is seen.
func serverFigures(ctx context.Context, b *bench) error {
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	b.most("binary_size", float64(info.Size())/1e6, 150, "MB")
	s, err := startAsInstalled(ctx, b.dir)
	if err != nil {
		return err
	}
	defer s.stop()
	b.most("ready_on_empty_folder", s.ready.Seconds(), 0.5, "s")
	time.Sleep(4 * time.Second) // until it is idle
	memory, err := s.memory()
	if err != nil {
		return err
	}
	b.most("idle_memory", memory, 100, "MB")
	return b.logs(ctx, s.api)
}

// startAsInstalled starts a server whose program was read from a disk, page by page as it was needed. What was just written
// by a linker the kernel may hold in pieces of 2 MB, and then it counts all of a piece as the memory of whoever touches a
// byte of it.
func startAsInstalled(ctx context.Context, dir string) (*server, error) {
	file, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := file.Sync(); err != nil {
		return nil, err
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return nil, err
	}
	once, err := start(ctx, filepath.Join(dir, "once"))
	if err != nil {
		return nil, err
	}
	once.stop()
	return start(ctx, dir)
}

// bound is what a value of a room's benchmark, found by its unit, is held to.
type bound struct {
	name, unit string
	hold       func(name string, value, bound float64, unit string)
	at         float64
}

// rooms runs the benchmarks of the rooms.
func rooms(ctx context.Context, b *bench) error {
	for _, r := range []struct {
		room, pattern string
		bounds        []bound
	}{
		{"./internal/machinery/ledger", "AppendSQLite$", []bound{{"AppendSQLite", "tx/s", b.least, 3000}}},
		{"./internal/machinery/execute/process", "Start", []bound{{"Start/steady", "overhead-ms", b.most, 15}, {"Start/burst", "overhead-ms", b.most, 15}}},
		{"./internal/core/access", ".", nil},
	} {
		if err := b.benchmarks(ctx, r.room, r.pattern, r.bounds); err != nil {
			return err
		}
	}
	return nil
}

type server struct {
	command *exec.Cmd
	ready   time.Duration
	api     *client.Client
}

func start(ctx context.Context, dir string) (*server, error) { return startOn(ctx, dir, "") }

// startOn starts a server on a database; "" is SQLite in its folder. With the same folder it is the server of before.
func startOn(ctx context.Context, dir, database string, options ...string) (*server, error) {
	address, err := remembered(dir, "address", func() (string, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	})
	if err != nil {
		return nil, err
	}
	token, err := remembered(dir, "token", func() (string, error) { return rand.Text(), nil })
	if err != nil {
		return nil, err
	}
	s := &server{command: exec.CommandContext(ctx, program, "server", "--listen", address, "--data", filepath.Join(dir, "data")), api: client.New("http://"+address, token)}
	s.command.Env = append(os.Environ(), "ROADBED_ADMIN_TOKEN="+token)
	s.command.Args = append(s.command.Args, options...)
	if database != "" {
		s.command.Args = append(s.command.Args, "--database", database)
	}
	began := time.Now()
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	for time.Since(began) < time.Minute {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			return nil, err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				s.ready = time.Since(began)
				return s, nil
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("the server was not ready within a minute")
}

// remembered gives what was made for the server of a folder, the same each time.
func remembered(dir, name string, make func() (string, error)) (string, error) {
	file := filepath.Join(dir, name)
	if text, err := os.ReadFile(file); err == nil {
		return string(text), nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	text, err := make()
	if err != nil {
		return "", err
	}
	return text, os.WriteFile(file, []byte(text), 0o600)
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = s.command.Wait()
}

// kill ends the server without a word to it.
func (s *server) kill() {
	_ = s.command.Process.Kill() // it may have ended
	_ = s.command.Wait()
}

// memory gives the resident memory in MB.
func (s *server) memory() (float64, error) { return s.status("VmRSS:") }

// peak gives the most that memory has been.
func (s *server) peak() (float64, error) { return s.status("VmHWM:") }

// cpu gives the seconds of processor that the server has taken, its own children that have ended included; 0 where the
// system does not tell.
func (s *server) cpu() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.command.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields, ticks := strings.Fields(rest), 0.0
	for _, f := range fields[min(11, len(fields)):min(15, len(fields))] {
		n, _ := strconv.ParseFloat(f, 64) // the kernel writes numbers
		ticks += n
	}
	return ticks / 100
}

func (s *server) status(field string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, line := range strings.Split(string(data), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == field {
			kb, err := strconv.ParseFloat(f[1], 64)
			return kb / 1000, err
		}
	}
	return 0, fmt.Errorf("this system does not tell the memory of a process")
}

// talking writes the time again and again.
const talking = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: talk}
spec:
  entrypoint: talk
  templates:
    - name: talk
      container: {image: busybox, command: [sh, -c], args: ["for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do date +%s%N; sleep 0.1; done"]}
`

// logs measures the time from a line's writing in a step until a client has it.
func (b *bench) logs(ctx context.Context, api *client.Client) error {
	began := time.Now()
	r, err := client.Post[client.RunDetail](ctx, api, "/workflows/runs", map[string]string{"document": talking})
	if err != nil {
		return err
	}
	for len(r.Steps) == 0 {
		if r, err = client.Get[client.RunDetail](ctx, api, "/runs/"+r.ID, nil); err != nil {
			return err
		}
	}
	seen := &lines{}
	if err := api.FollowLog(ctx, r.ID, r.Steps[0].ID, 0, seen); err != nil {
		return err
	}
	if len(seen.delays) < 10 {
		return fmt.Errorf("only %d lines came of the step's log: %q", len(seen.delays), seen.text.String())
	}
	figure("submit_to_first_line", seen.first.Sub(began).Seconds()*1000, "ms")
	slices.Sort(seen.delays)
	figure("log_line_to_client_p50", seen.delays[len(seen.delays)/2].Seconds()*1000, "ms")
	b.most("log_line_to_client_max", seen.delays[len(seen.delays)-1].Seconds()*1000, 50, "ms")
	return nil
}

// lines reads times as they come and keeps how long ago each was.
type lines struct {
	text   bytes.Buffer
	first  time.Time
	delays []time.Duration
}

func (l *lines) Write(p []byte) (int, error) {
	now := time.Now()
	l.text.Write(p)
	for _, word := range strings.Fields(string(p)) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil || len(word) < 18 {
			continue
		}
		if l.first.IsZero() {
			l.first = time.Unix(0, n)
		}
		l.delays = append(l.delays, now.Sub(time.Unix(0, n)))
	}
	return len(p), nil
}

// benchmarks runs those of a room and prints each of their values. A bound whose value they don't give is missed.
func (b *bench) benchmarks(ctx context.Context, room, pattern string, bounds []bound) error {
	c := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", "2s", room)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("benchmarks of %s: %w\n%s", room, err, out)
	}
	scanner := bufio.NewScanner(bytes.NewReader(out))
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(fields[0], "Benchmark"), "-")
		for i := 2; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("benchmarks of %s: %q is no number", room, fields[i])
			}
			unit := fields[i+1]
			at := slices.IndexFunc(bounds, func(of bound) bool { return of.name == name && of.unit == unit })
			if at < 0 {
				figure(name, value, unit)
				continue
			}
			bounds[at].hold(name, value, bounds[at].at, unit)
			bounds = slices.Delete(bounds, at, at+1)
		}
	}
	for _, left := range bounds {
		b.missed = append(b.missed, fmt.Sprintf("%s in %s was not measured", left.name, left.unit))
	}
	return scanner.Err()
}
