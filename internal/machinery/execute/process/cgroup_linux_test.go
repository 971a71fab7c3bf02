//go:build linux && (amd64 || arm64)

package process

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
)

func TestLocateCgroups(t *testing.T) {
	t.Parallel()
	v2 := t.TempDir()
	unit := filepath.Join(v2, "system.slice", "roadbed.service")
	if err := os.MkdirAll(unit, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unit, "cgroup.controllers"), []byte("cpuset cpu io memory pids\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		mounts, own, version string
		want                 map[string]string
	}{
		"v2": {
			"30 23 0:26 / " + v2 + " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", "0::/system.slice/roadbed.service\n", "v2",
			map[string]string{"memory": unit, "pids": unit, "cpu": unit},
		},
		"hybrid": {
			"31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			"4:memory:/app\n3:cpu,cpuacct:/\n0::/\n", "v1",
			map[string]string{"memory": "/sys/fs/cgroup/memory/app", "cpu": "/sys/fs/cgroup/cpu,cpuacct"},
		},
		"v1 in a container": {
			"31 30 0:27 /docker/abc /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n", "4:pids:/docker/abc\n", "v1",
			map[string]string{"pids": "/sys/fs/cgroup/pids"},
		},
		"none": {"1 1 8:1 / / rw - ext4 /dev/sda rw\n", "", "", map[string]string{}},
	} {
		found := &cgroups{parents: map[string]string{}}
		found.locate(c.mounts, c.own)
		if found.version != c.version || !maps.Equal(found.parents, c.want) {
			t.Errorf("%s: %s %v", name, found.version, found.parents)
		}
	}
}

func TestLimitsOfVersion2(t *testing.T) {
	t.Parallel()
	// What the kernel reads is files in a folder; a folder of the test's shows what is written.
	parent := t.TempDir()
	c := &cgroups{version: "v2", prefix: "roadbed-", parents: map[string]string{"memory": parent, "pids": parent, "cpu": parent}}
	dir := filepath.Join(parent, "roadbed-a")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"cgroup.procs": "", "memory.events": "low 0\noom 2\noom_kill 1\n", "memory.peak": "4096\n", "cpu.stat": "usage_usec 1500\nuser_usec 1000\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := c.create("a", execute.Limits{Memory: 1 << 20, Processes: 7, CPU: 1500})
	if err != nil {
		t.Fatal(err)
	}
	defer g.release()
	for name, want := range map[string]string{"memory.max": "1048576", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "7", "cpu.max": "150000 100000"} {
		if b, _ := os.ReadFile(filepath.Join(dir, name)); string(b) != want {
			t.Errorf("%s is %q", name, b)
		}
	}
	if len(g.files) != 1 || !g.outOfMemory() || g.maxMemory() != 4096 || g.cpuTime().Microseconds() != 1500 {
		t.Errorf("read %d files, %v, %d, %v", len(g.files), g.outOfMemory(), g.maxMemory(), g.cpuTime())
	}
	if left := c.leftovers(); len(left["a"]) == 0 {
		t.Errorf("leftovers are %v", left)
	}
}

// The kernel's own hierarchy of version 2. Where version 1 has the controllers it bounds nothing, but groups are joined,
// counted and ended in it as anywhere.
func TestAGroupOfVersion2IsJoinedCountedAndEnded(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	if err := unix.Mount("none", parent, "cgroup2", 0, ""); err != nil {
		without(t, "no hierarchy of version 2: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(parent, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	c := &cgroups{version: "v2", prefix: fmt.Sprintf("roadbed-test-%d-", os.Getpid()), parents: map[string]string{"cpu": parent}}
	dir := filepath.Join(parent, c.prefix+"a")
	if err := os.Mkdir(dir, 0o755); err != nil {
		without(t, "no group can be made: ", err)
	}
	g := &cgroup{version: "v2", dirs: map[string]string{"cpu": dir}}
	t.Cleanup(g.remove)
	if err := g.open(); err != nil {
		t.Fatal(err)
	}
	// It leaves its session and its parent behind; only the group knows all of it.
	cmd := exec.Command("sh", "-c", "read go; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); done; setsid sleep 1000 & sleep 1000 & echo ready; wait")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	if _, err := g.files[0].WriteString(strconv.Itoa(cmd.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in, "go")
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it says %q, %v", line, err)
	}
	members, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if n := len(strings.Fields(string(members))); err != nil || n != 3 {
		t.Errorf("%d processes are in the group, %v", n, err)
	}
	if g.cpuTime() == 0 || g.outOfMemory() || len(c.leftovers()["a"]) != 1 {
		t.Errorf("it used %s, out of memory: %v, leftovers: %v", g.cpuTime(), g.outOfMemory(), c.leftovers())
	}
	g.remove()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the group is still there: %v", err)
	}
}
