package server

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
)

// agentArgs is the variable by which the test binary becomes `roadbed` with these arguments, one on a line.
const agentArgs = "ROADBED_TEST_AGENT_ARGS"

// helper is an agent in a process of its own.
type helper struct {
	t         *testing.T
	name, dir string
	server    string
	token     string // file
	more      []string
	env       []string
	bare      bool // it finds no engine on its machine
	command   *exec.Cmd
	ended     chan struct{}
}

// poolDocument declares a pool.
func poolDocument(name, more string) string {
	return fmt.Sprintf("{apiVersion: roadbed.dev/v1, kind: WorkerPool, metadata: {name: %s}, spec: {%s}}\n", name, more)
}

// poolToken makes a token of a pool.
func (g *ground) poolToken(pool string) client.NewPoolToken {
	g.t.Helper()
	token, err := client.Post[client.NewPoolToken](g.t.Context(), g.admin, "/pools/default/"+pool+"/tokens", map[string]string{"name": "test"})
	if err != nil {
		g.t.Fatal(err)
	}
	return token
}

// helper starts an agent of a pool that reaches the server at an address, by a token.
func (g *ground) helper(name, server, token string, more ...string) *helper {
	g.t.Helper()
	a := &helper{t: g.t, name: name, dir: filepath.Join(g.t.TempDir(), name), server: server, more: more}
	g.started(a, token)
	return a
}

// started starts an agent by a token, and ends it with the test.
func (g *ground) started(a *helper, token string) {
	g.t.Helper()
	a.token = a.dir + ".token"
	if err := os.WriteFile(a.token, []byte(token+"\n"), 0o600); err != nil {
		g.t.Fatal(err)
	}
	a.start()
	g.t.Cleanup(func() {
		a.kill()
		if g.t.Failed() {
			said, _ := os.ReadFile(a.dir + ".log")
			g.t.Logf("agent %s said:\n%s", a.name, said)
		}
	})
}

// withoutEngines is an environment in which no engine is found.
func withoutEngines(home string) []string {
	var paths []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		found := false
		for _, name := range toolchain.Engines() {
			_, err := os.Stat(filepath.Join(dir, name))
			found = found || err == nil
		}
		if !found {
			paths = append(paths, dir)
		}
	}
	return append(os.Environ(), "PATH="+strings.Join(paths, string(filepath.ListSeparator)), "HOME="+home, "XDG_CACHE_HOME="+home)
}

func (a *helper) start() {
	a.t.Helper()
	log, err := os.OpenFile(a.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{
		"agent", "--server", a.server, "--token-file", a.token, "--name", a.name, "--dir", a.dir, "--parallel", "2",
		"--isolation", "prefer", "--download-engine=false", "--drain", "20s",
	}, a.more...)
	a.command = exec.Command(os.Args[0])
	a.command.Env = os.Environ()
	if a.bare {
		a.command.Env = withoutEngines(a.dir + ".home")
	}
	a.command.Env = append(append(a.command.Env, a.env...), agentArgs+"="+strings.Join(args, "\n"))
	a.command.Stdout, a.command.Stderr = log, log
	a.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := a.command.Start(); err != nil {
		a.t.Fatal(err)
	}
	a.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) {
		defer close(ended)
		_ = c.Wait() // killed, as a rule
	}(a.command, a.ended)
}

func (a *helper) kill() {
	_ = a.command.Process.Kill() // it may have ended
	<-a.ended
}

// stop asks the agent to end and gives its exit code.
func (a *helper) stop() int {
	a.t.Helper()
	if err := a.command.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Error(err)
	}
	return a.code()
}

// code waits for the end.
func (a *helper) code() int {
	a.t.Helper()
	select {
	case <-a.ended:
	case <-time.After(time.Minute):
		a.t.Error("the agent does not end")
		a.kill()
	}
	return a.command.ProcessState.ExitCode()
}

// said waits until the agent's log has a text.
func (a *helper) said(text string) {
	a.t.Helper()
	if err := within(a.t, func() (bool, error) {
		log, err := os.ReadFile(a.dir + ".log")
		return strings.Contains(string(log), text), err
	}); err != nil {
		a.t.Fatalf("the agent does not say %q: %v", text, err)
	}
}

// agentNow gives an agent as the API shows it.
func (g *ground) agentNow(pool, name string) client.Agent {
	g.t.Helper()
	all, err := client.All[client.Agent](g.t.Context(), g.admin, "/pools/default/"+pool+"/agents", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, a := range all {
		if a.Name == name {
			return a
		}
	}
	return client.Agent{}
}

// awaitLog waits until the log of a step has a text.
func (g *ground) awaitLog(id, step, text string) {
	g.t.Helper()
	if err := within(g.t, func() (bool, error) {
		var out []byte
		err := g.admin.Do(g.t.Context(), "GET", "/runs/"+id+"/steps/"+step+"/log", nil, nil, &out)
		return err == nil && strings.Contains(string(out), text), nil
	}); err != nil {
		r, _ := client.Get[client.RunDetail](g.t.Context(), g.admin, "/runs/"+id, nil)
		g.t.Fatalf("step %s does not say %q: %v; the run is %s: %s, %s", step, text, err, r.State, r.Reason, steps(r))
	}
}

// wantLines fails the test unless a log has line-1- to line-n-, each once and in order.
func (g *ground) wantLines(log string, n int) {
	g.t.Helper()
	var want, got []string
	for i := range n {
		want = append(want, fmt.Sprintf("line-%d-", i+1))
	}
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "line-") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		g.t.Errorf("the log has the lines %q", got)
	}
}

// saying is a hook that says so many lines, ten in a second.
func saying(n int) string {
	return fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line-$i-; sleep 0.1; done", n)
}

// relay hands connections on to a server, and cuts them.
type relay struct {
	address string
	mu      sync.Mutex
	open    map[net.Conn]bool
	cuts    int
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: l.Addr().String(), open: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); r.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.open[in], r.open[out] = true, true
			r.mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1]) // until one of them is closed
					pair[0].Close()
					pair[1].Close()
				}()
			}
		}
	}()
	return r
}

// cut breaks all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		c.Close()
	}
	r.open = map[net.Conn]bool{}
	r.cuts++
}
