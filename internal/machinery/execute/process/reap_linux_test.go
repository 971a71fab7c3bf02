//go:build linux && (amd64 || arm64)

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A server that is killed takes its steps with it, and what even that left, the next life ends.
func TestKilledServerLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ plain, frozen bool }{
		"isolated":            {},
		"isolated and frozen": {frozen: true},
		"plain":               {plain: true},
		"plain and frozen":    {plain: true, frozen: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !c.plain && !open(t).Capabilities().Isolated {
				without(t, "no isolation here")
			}
			dir, work := t.TempDir(), t.TempDir()
			server := exec.Command("/proc/self/exe")
			server.Env = append(os.Environ(), "PROCESS_TEST_ROLE=server", "PROCESS_TEST_DIR="+dir, "PROCESS_TEST_WORK="+work)
			if c.plain {
				server.Env = append(server.Env, "PROCESS_TEST_PLAIN=1")
			}
			first := startServer(t, server)
			if c.frozen {
				// The step's first process can't notice the end of its server.
				freeze(t, first)
			}
			if err := server.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = server.Wait()
			next, err := New(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer next.Close()
			if c.plain {
				next.withoutIsolation()
			}
			if c.frozen {
				if err := next.Reap(t.Context(), func(id string) bool { return id == "orphan" }); err != nil || len(beats(work)) == 0 {
					t.Fatalf("reap that keeps it: %v, %v", err, beats(work))
				}
			}
			if err := next.Reap(t.Context(), nil); err != nil {
				t.Fatalf("reap: %v", err)
			}
			// Those that end by themselves may take a moment more; all must end.
			for range 1000 {
				if len(beats(work)) == 0 {
					break
				}
				_ = unix.Nanosleep(&unix.Timespec{Nsec: 10e6}, nil)
			}
			if left := beats(work); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
			if left, _ := next.Leftovers(t.Context()); len(left) > 0 {
				t.Errorf("reap left %v", left)
			}
		})
	}
}

// startServer starts a server and gives the id of its step's first process when the step is ready.
func startServer(t *testing.T, server *exec.Cmd) (pid int) {
	t.Helper()
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	ready := false
	for lines := bufio.NewScanner(out); !(ready && pid > 0) && lines.Scan(); {
		said = append(said, lines.Text())
		_, _ = fmt.Sscanf(lines.Text(), "pid %d", &pid)
		ready = ready || lines.Text() == "ready"
	}
	if pid == 0 || !ready {
		t.Fatalf("the server said %q", said)
	}
	return pid
}

// beats gives the living processes whose working folder is work, as they name it.
func beats(work string) []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var want unix.Stat_t
	if unix.Stat(work, &want) != nil {
		return nil
	}
	for _, name := range names {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil || st.Ino != want.Ino || st.Dev != want.Dev {
			continue
		}
		command, _ := os.ReadFile(strings.TrimSuffix(name, "cwd") + "cmdline")
		found = append(found, name+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	return found
}

// freeze stops a process and returns when each of its threads has stopped.
func freeze(t *testing.T, pid int) {
	t.Helper()
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		running := 0
		states, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		for _, name := range states {
			b, _ := os.ReadFile(name)
			if !bytes.Contains(b, []byte(") T ")) {
				running++
			}
		}
		if len(states) > 0 && running == 0 {
			return
		}
		_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
	t.Fatal("the process does not stop")
}
