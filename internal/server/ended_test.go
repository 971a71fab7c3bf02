package server

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// shellOf gives the host's process id of the shell in which a run sleeps.
func shellOf(t *testing.T, run, long string) int {
	t.Helper()
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(sleepIn(t, run, long)), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	parent, err := strconv.Atoi(strings.Fields(after)[1])
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

// TestAStepThatIsEndedFromOutsideSaysHow kills the processes of a step as an administrator or the kernel does: its shell,
// its whole group, and the sandbox around it. The run fails, in words that name the signal, and a retry works.
func TestAStepThatIsEndedFromOutsideSaysHow(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		for what, kill := range map[string]func(shell int) error{
			"its shell": func(shell int) error { return syscall.Kill(shell, syscall.SIGKILL) },
			"its group": func(shell int) error {
				group, err := syscall.Getpgid(shell)
				if err != nil {
					return err
				}
				return syscall.Kill(-group, syscall.SIGKILL)
			},
			"its sandbox": func(shell int) error {
				stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(shell), "stat"))
				if err != nil {
					return err
				}
				_, after, _ := strings.Cut(string(stat), ") ")
				sandbox, err := strconv.Atoi(strings.Fields(after)[1])
				if err != nil {
					return err
				}
				return syscall.Kill(sandbox, syscall.SIGKILL)
			},
		} {
			r, err := client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{"document": writes("echo begins; sleep 33.7 || true; echo done", "")})
			if err != nil {
				t.Fatal(err)
			}
			if err := kill(shellOf(t, r.ID, "33.7")); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			r = g.rests(r.ID)
			if r.State != "failed" || !strings.Contains(r.Reason, "the command was ended by SIGKILL, which the platform did not send") {
				t.Errorf("with %s killed, the run is %s: %s", what, r.State, r.Reason)
			}
			if log := g.log(r.ID, r.Steps[0].Key); !strings.Contains(log, "begins\n") || !strings.Contains(log, "SIGKILL, which") {
				t.Errorf("with %s killed, the log is %q", what, log)
			}
			if _, err := g.act("admin", r.ID, "retry"); err != nil {
				t.Fatal(err)
			}
			wakeUp(t, sleepIn(t, r.ID, "33.7"))
			g.wantRun(g.rests(r.ID), "succeeded", "")
		}
	})
}

// TestAStepThatNeedsTooMuchMemorySaysSo lets a step take more than its document allows it.
func TestAStepThatNeedsTooMuchMemorySaysSo(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		for _, missing := range g.house.Executor.Capabilities().Missing {
			if strings.Contains(missing, "memory") {
				lacktest.Skip(t, "%s", missing)
			}
		}
		greedy := strings.Replace(writes("head -c 200000000 /dev/zero | tail > /dev/null", ""), "container: {", "container: {resources: {limits: {memory: 48Mi}}, ", 1)
		r, err := client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{"document": greedy})
		if err != nil {
			t.Fatal(err)
		}
		for attempt := 1; attempt <= 2; attempt++ {
			r = g.rests(r.ID)
			g.wantRun(r, "failed", "ended at its memory limit: the step needed more than its 48 MiB of memory")
			if r.Steps[0].Attempt != attempt {
				t.Errorf("its attempt is %d, want %d", r.Steps[0].Attempt, attempt)
			}
			if attempt == 2 {
				break
			}
			if _, err := g.act("admin", r.ID, "retry"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// runsIn tells whether a program runs in a step of a run.
func runsIn(t *testing.T, run, program string) bool {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		env, _ := os.ReadFile(file) // a process may end at any time
		path, _ := os.Readlink(filepath.Join(filepath.Dir(file), "exe"))
		if strings.Contains(string(env), "ROADBED_RUN="+run) && filepath.Base(path) == program {
			return true
		}
	}
	return false
}

// TestAnEngineThatIsGoneIsMissed removes the engine's program while it plans: the run fails and says what is missing, and
// with the engine back a retry works.
func TestAnEngineThatIsGoneIsMissed(t *testing.T) {
	t.Parallel()
	light := buildLight(t)
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Engine = database, filepath.Join(t.TempDir(), "lightengine")
		install := func() {
			t.Helper()
			program, err := os.ReadFile(light.engine)
			if err == nil {
				err = os.WriteFile(o.Engine, program, 0o755)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		install()
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		g.apply(stackDocument("net", ""))
		g.wantState(200, "", "otto", "LOCK", "", lockTwo) // for which the engine waits
		id := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra}))
		if err := eventually(t.Context(), func() (bool, error) { return runsIn(t, id, "lightengine"), nil }); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(o.Engine); err != nil {
			t.Fatal(err)
		}
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		g.wantRun(until(t, g.admin, id, ended), "failed", "has lost its tool engine: "+o.Engine+" is not there; put it back and retry")
		install()
		if _, err := g.act("alice", id, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	})
}
