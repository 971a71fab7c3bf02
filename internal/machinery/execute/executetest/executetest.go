// Package executetest is the suite that every executor passes. Steps are shell scripts; a body without a POSIX
// shell inside gives an image that has one.
package executetest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Run runs the suite. open gives an executor that ends with the test; image is put into each Spec.
func Run(t *testing.T, image string, open func(t *testing.T) execute.Executor) {
	s := suite{image: image, open: open}
	for name, story := range map[string]func(*testing.T){
		"ends with the status of the command":    s.status,
		"gives only the environment of the spec": s.environment,
		"shares the workspace":                   s.workspace,
		"finds a lent program":                   s.lent,
		"passes input on":                        s.input,
		"refuses a wrong spec":                   s.refuses,
		"tells what can't be started":            s.missing,
		"stops with grace":                       s.stops,
		"kills what does not stop":               s.stubborn,
		"ends with its context":                  s.canceled,
		"ends at its time":                       s.time,
		"ends at its output":                     s.output,
		"goes on past its output when it saves":  s.outputSaving,
		"is asked to end when it saves":          s.timeSaving,
		"ends what the command left behind":      s.orphan,
		"a second start replaces the first":      s.replaced,
		"dials out and is dialed":                s.forwards,
		"tells when output can't be written":     s.brokenOutput,
		"runs many at a time":                    s.many,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t)
		})
	}
}

type suite struct {
	image string
	open  func(t *testing.T) execute.Executor
}

// Shell gives a Spec for a script.
func (s suite) shell(id, script string) execute.Spec {
	return execute.Spec{ID: id, Image: s.image, Argv: []string{"sh", "-c", script}}
}

func (s suite) run(t *testing.T, spec execute.Spec) (execute.Result, string) {
	t.Helper()
	var out bytes.Buffer
	result, err := execute.Run(t.Context(), s.open(t), spec, &out)
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	return result, out.String()
}

func (s suite) status(t *testing.T) {
	result, out := s.run(t, s.shell("status", "echo out; echo err >&2; exit 7"))
	if result.ExitCode != 7 || result.Reason != "" || out != "out\nerr\n" {
		t.Errorf("got %+v, %q", result, out)
	}
	if result.Started.IsZero() || result.Ended.Before(result.Started) {
		t.Errorf("times are %v to %v", result.Started, result.Ended)
	}
	result, _ = s.run(t, s.shell("status", "kill -SEGV $$"))
	if result.ExitCode != 139 || result.Reason != execute.ReasonSignal || result.Signal == "" {
		t.Errorf("a crash gave %+v", result)
	}
}

func (s suite) environment(t *testing.T) {
	spec := s.shell("environment", "env")
	spec.Env = map[string]string{"GREETING": "hello world", "LANG": "C"}
	_, out := s.run(t, spec)
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "PATH", "HOME", "TMPDIR", "PWD", "_", "SHLVL", "OLDPWD", "ROADBED_SANDBOX":
		case "GREETING", "LANG":
			if value != spec.Env[name] {
				t.Errorf("%s is %q", name, value)
			}
		default:
			t.Errorf("the environment holds %s", line)
		}
	}
	if !strings.Contains(out, "GREETING=hello world") {
		t.Errorf("GREETING is missing in %q", out)
	}
}

func (s suite) workspace(t *testing.T) {
	spec := s.shell("workspace", "pwd -P >&2; cat given; echo made > sub/made")
	spec.Workspace = t.TempDir()
	write(t, filepath.Join(spec.Workspace, "given"), "given\n")
	if err := os.Mkdir(filepath.Join(spec.Workspace, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	result, out := s.run(t, spec)
	made, err := os.ReadFile(filepath.Join(spec.Workspace, "sub", "made"))
	if result.ExitCode != 0 || !strings.Contains(out, "given\n") || string(made) != "made\n" {
		t.Errorf("got %+v, %q, %q, %v", result, out, made, err)
	}
	spec.Dir = execute.WorkDir + "/sub"
	spec.Argv = []string{"cat", "made"}
	if _, out := s.run(t, spec); out != "made\n" {
		t.Errorf("in a folder of the workspace: %q", out)
	}
	write(t, filepath.Join(spec.Workspace, "script"), "echo $1\n")
	spec.Argv = []string{"/bin/sh", execute.WorkDir + "/script", "an argument"}
	if _, out := s.run(t, spec); out != "an argument\n" {
		t.Errorf("a script of the workspace: %q", out)
	}
}

func (s suite) lent(t *testing.T) {
	program := filepath.Join(t.TempDir(), "greets")
	write(t, program, "#!/bin/sh\necho hello, $1\n")
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	spec := s.shell("lent", "greets you")
	spec.Mounts = []execute.Mount{{Source: program, Target: "/tools/greets/greets", ReadOnly: true}}
	spec.Env = map[string]string{"PATH": "/tools/greets:/usr/bin:/bin"}
	if result, out := s.run(t, spec); result.ExitCode != 0 || out != "hello, you\n" {
		t.Errorf("got %+v, %q", result, out)
	}
}

func (s suite) input(t *testing.T) {
	spec := s.shell("input", "read line; echo got $line; cat | wc -c")
	spec.Stdin = strings.NewReader("first\n" + strings.Repeat("x", 1<<20))
	if _, out := s.run(t, spec); strings.Fields(out)[1] != "first" || !strings.Contains(out, fmt.Sprint(1<<20)) {
		t.Errorf("got %q", out)
	}
	if _, out := s.run(t, s.shell("input", "cat; echo end")); out != "end\n" {
		t.Errorf("without input: %q", out)
	}
}

func (s suite) refuses(t *testing.T) {
	e := s.open(t)
	good := s.shell("refuses", "true")
	for name, change := range map[string]func(*execute.Spec){
		"id":     func(s *execute.Spec) { s.ID = "../up" },
		"argv":   func(s *execute.Spec) { s.Argv = nil },
		"zero":   func(s *execute.Spec) { s.Argv = []string{"a\x00b"} },
		"env":    func(s *execute.Spec) { s.Env = map[string]string{"A=B": ""} },
		"dir":    func(s *execute.Spec) { s.Dir = "/work/../etc" },
		"system": func(s *execute.Spec) { s.Mounts = []execute.Mount{{Source: "/tmp", Target: "/proc/1"}} },
		"target": func(s *execute.Spec) { s.Mounts = []execute.Mount{{Source: "/tmp", Target: "relative"}} },
		"port":   func(s *execute.Spec) { s.Dial = []execute.Forward{{Socket: "/x", Port: 70000}} },
		"limit":  func(s *execute.Spec) { s.Limits.Memory = -1 },
	} {
		spec := good
		change(&spec)
		if _, err := e.Start(t.Context(), spec, io.Discard); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func (s suite) missing(t *testing.T) {
	spec := s.shell("missing", "")
	spec.Argv = []string{"no-such-program"}
	if result, out := s.run(t, spec); result.ExitCode != 127 || !strings.Contains(out, "no-such-program") {
		t.Errorf("got %+v, %q", result, out)
	}
	spec.Workspace = t.TempDir()
	write(t, filepath.Join(spec.Workspace, "data"), "no program")
	spec.Argv = []string{"./data"}
	if result, out := s.run(t, spec); result.ExitCode != 126 || !strings.Contains(out, "data") {
		t.Errorf("got %+v, %q", result, out)
	}
}

// start runs a script and waits until it has said "ready".
func (s suite) start(t *testing.T, ctx context.Context, e execute.Executor, spec execute.Spec) execute.Process {
	t.Helper()
	said, out := io.Pipe()
	p, err := e.Start(ctx, spec, out)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && lines.Text() != "ready" {
	}
	go io.Copy(io.Discard, said) // ends with the test's pipe
	t.Cleanup(func() { said.Close() })
	return p
}

func wait(t *testing.T, p execute.Process) execute.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	result, err := p.Wait(ctx)
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return result
}

func (s suite) stops(t *testing.T) {
	spec := s.shell("stops", `trap 'echo bye > said; exit 3' TERM; echo ready; while :; do sleep 0.05; done`)
	spec.Workspace = t.TempDir()
	p := s.start(t, t.Context(), s.open(t), spec)
	p.Stop(time.Minute)
	result := wait(t, p)
	said, _ := os.ReadFile(filepath.Join(spec.Workspace, "said"))
	if result.ExitCode != 3 || result.Reason != execute.ReasonCanceled || string(said) != "bye\n" {
		t.Errorf("got %+v, said %q", result, said)
	}
	p.Stop(0)
	if again := wait(t, p); again != result {
		t.Errorf("a stop after the end changed the result to %+v", again)
	}
}

func (s suite) stubborn(t *testing.T) {
	p := s.start(t, t.Context(), s.open(t), s.shell("stubborn", `trap '' TERM; echo ready; while :; do sleep 0.05; done`))
	p.Stop(50 * time.Millisecond)
	if result := wait(t, p); result.Reason != execute.ReasonCanceled || result.Signal != "SIGKILL" {
		t.Errorf("got %+v", result)
	}
}

func (s suite) canceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := s.start(t, ctx, s.open(t), s.shell("canceled", "echo ready; sleep 600"))
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := p.Wait(short); err == nil {
		t.Error("a wait outlived its context")
	}
	cancel()
	if result := wait(t, p); result.Reason != execute.ReasonCanceled {
		t.Errorf("got %+v", result)
	}
	if _, err := s.open(t).Start(ctx, s.shell("canceled", "true"), nil); err == nil {
		t.Error("a command started in a context that has ended")
	}
}

func (s suite) time(t *testing.T) {
	spec := s.shell("time", "sleep 600")
	spec.Limits.Time = 50 * time.Millisecond
	if result, _ := s.run(t, spec); result.Reason != execute.ReasonTime || result.ExitCode == 0 {
		t.Errorf("got %+v", result)
	}
}

func (s suite) output(t *testing.T) {
	spec := s.shell("output", "yes")
	spec.Limits.Output = 100_001
	result, out := s.run(t, spec)
	if result.Reason != execute.ReasonOutput || len(out) != 100_001 {
		t.Errorf("got %+v and %d bytes", result, len(out))
	}
	spec = s.shell("output", "printf 12345")
	spec.Limits.Output = 5
	if result, out := s.run(t, spec); result.Reason != "" || out != "12345" {
		t.Errorf("exactly at the limit: %+v, %q", result, out)
	}
}

// outputSaving writes more than it may, and then what it has to save.
func (s suite) outputSaving(t *testing.T) {
	spec := s.shell("output-saving", `i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; echo done > saved; exit 4`)
	spec.Workspace, spec.Saving = t.TempDir(), time.Minute
	spec.Limits.Output = 1001
	result, out := s.run(t, spec)
	saved, _ := os.ReadFile(filepath.Join(spec.Workspace, "saved"))
	if result.Reason != "" || result.ExitCode != 4 || string(saved) != "done\n" {
		t.Errorf("got %+v, saved %q", result, saved)
	}
	if kept, said, _ := strings.Cut(out, "\nroadbed: "); len(kept) != 1001 || strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "the log ends here: it has its 1001 bytes.") {
		t.Errorf("it keeps %d bytes and says %q", len(kept), said)
	}
}

// timeSaving is out of time, takes a while to save, and another time never ends.
func (s suite) timeSaving(t *testing.T) {
	spec := s.shell("time-saving", `trap 'sleep 4; echo done > saved; exit 4' TERM; while :; do sleep 0.05; done`)
	spec.Workspace, spec.Saving = t.TempDir(), time.Minute
	spec.Limits.Time = 500 * time.Millisecond
	result, _ := s.run(t, spec)
	saved, _ := os.ReadFile(filepath.Join(spec.Workspace, "saved"))
	if result.Reason != execute.ReasonTime || result.ExitCode != 4 || result.Signal != "" || string(saved) != "done\n" {
		t.Errorf("got %+v, saved %q", result, saved)
	}
	spec = s.shell("time-saving", `trap '' TERM; while :; do sleep 0.05; done`)
	spec.Limits.Time, spec.Saving = 50*time.Millisecond, execute.StopGrace+100*time.Millisecond
	if result, _ := s.run(t, spec); result.Reason != execute.ReasonTime || result.Signal != "SIGKILL" {
		t.Errorf("what does not end gave %+v", result)
	}
}

func (s suite) orphan(t *testing.T) {
	spec := s.shell("orphan", `(setsid sh -c 'echo started > started; while :; do echo x >> beat; sleep 0.02; done' & ) &
		while ! test -s beat; do sleep 0.02; done`)
	spec.Workspace = t.TempDir()
	result, _ := s.run(t, spec)
	beat := filepath.Join(spec.Workspace, "beat")
	before, err := os.ReadFile(beat)
	if err != nil || result.ExitCode != 0 {
		t.Fatalf("got %+v, %v", result, err)
	}
	// Nothing is left that could write: the file can be replaced, and stays as it is for another whole step.
	write(t, beat, "still")
	s.run(t, s.shell("orphan-after", "sleep 0.2"))
	if after, _ := os.ReadFile(beat); string(after) != "still" {
		t.Errorf("an orphan goes on: %q after %q", after, before)
	}
}

func (s suite) replaced(t *testing.T) {
	e := s.open(t)
	first := s.start(t, t.Context(), e, s.shell("replaced", "echo ready; sleep 600"))
	second := s.start(t, t.Context(), e, s.shell("replaced", "echo ready; sleep 600"))
	if result := wait(t, first); result.Reason != execute.ReasonCanceled {
		t.Errorf("the first gave %+v", result)
	}
	if err := e.Reap(t.Context(), nil); err != nil {
		t.Errorf("reap: %v", err)
	}
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if result, err := second.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the second ended with %+v, %v", result, err)
	}
	second.Stop(0)
	wait(t, second)
}

func (s suite) brokenOutput(t *testing.T) {
	_, err := execute.Run(t.Context(), s.open(t), s.shell("broken", "while :; do echo more; done"), failing{})
	if err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no space") }

func (s suite) many(t *testing.T) {
	e := s.open(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			var out bytes.Buffer
			spec := s.shell(fmt.Sprintf("many-%d", i), fmt.Sprintf("echo %d; exit %d", i, i))
			result, err := execute.Run(t.Context(), e, spec, &out)
			if err != nil || result.ExitCode != i || out.String() != fmt.Sprintf("%d\n", i) {
				t.Errorf("%d: %+v, %v, %q", i, result, err, out.String())
			}
		})
	}
	all.Wait()
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
