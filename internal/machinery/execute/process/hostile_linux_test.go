//go:build linux && (amd64 || arm64)

package process

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// hostile gives an executor that isolates, or skips.
func hostile(t *testing.T) *Executor {
	t.Helper()
	t.Parallel()
	e := open(t)
	if !e.Capabilities().Isolated {
		without(t, "no isolation here: ", e.Capabilities().Missing)
	}
	return e
}

// without leaves a test out, save in CI, where nothing is.
func without(t *testing.T, why ...any) {
	t.Helper()
	lacktest.Skip(t, "%s", fmt.Sprint(why...))
}

func (e *Executor) script(t *testing.T, script string, change ...func(*execute.Spec)) (execute.Result, string) {
	t.Helper()
	spec := execute.Spec{ID: "hostile", Argv: []string{"bash", "-c", script}}
	for _, c := range change {
		c(&spec)
	}
	var out bytes.Buffer
	result, err := execute.Run(t.Context(), e, spec, &out)
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	return result, out.String()
}

// self shows the test's program inside, in a role.
func self(t *testing.T, role string) func(*execute.Spec) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(s *execute.Spec) {
		s.Mounts = append(s.Mounts, execute.Mount{Source: program, Target: "/tools/self", ReadOnly: true})
		s.Argv = []string{"/tools/self"}
		s.Env = map[string]string{"PROCESS_TEST_ROLE": role}
	}
}

func TestStepSeesNoFileOfTheServer(t *testing.T) {
	e := hostile(t)
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("the-servers-data"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	p, err := e.Start(t.Context(), execute.Spec{ID: "other", Workspace: other, Argv: []string{"sh", "-c", "echo the-others-file > file; sleep 600"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, out := e.script(t, fmt.Sprintf(`cat %s %s/file; ls -A %s %s / /root /home /var /run /old_root /mnt; cat /proc/1/root%s /proc/1/cwd/x
		find / -xdev \( -name state.json -o -name roadbed.db \) 2>/dev/null; cat /etc/shadow; ls /sys /boot`, data, other, e.dir, filepath.Dir(e.dir), data))
	for _, leak := range []string{"the-servers-data", "the-others-file", "state.json", "root:$", "root:*", "old_root\n"} {
		if strings.Contains(out, leak) {
			t.Errorf("the step saw %q in %s", leak, out)
		}
	}
	p.Stop(0)
	if _, err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStepSeesNoProcessAndNoEnvironment(t *testing.T) {
	e := hostile(t)
	f, err := unix.Open("/etc/hostname", unix.O_RDONLY, 0) // inherited by every child that does not close it
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(f)
	_, out := e.script(t, `cat /proc/*/environ | tr '\0' '\n'; env; echo processes $(ls -d /proc/[0-9]* | wc -l)
		set -- /proc/$$/fd/*; echo files $#; cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd; : > /proc/1/exe && echo wrote; kill -9 1; kill -STOP 1; echo first lives`)
	if strings.Contains(out, "the-servers-own-secret") || strings.Contains(out, "wrote") || !strings.Contains(out, "first lives") {
		t.Errorf("the step saw too much: %s", out)
	}
	var processes, files int
	if _, err := fmt.Sscanf(out[strings.Index(out, "processes "):], "processes %d\nfiles %d", &processes, &files); err != nil || processes > 5 || files > 4 {
		t.Errorf("the step sees %d processes and has %d files: %v", processes, files, err)
	}
	if strings.Count(out, "ermission denied") < 4 {
		t.Errorf("the first process is not hidden: %s", out)
	}
}

func TestStepReachesNoNetwork(t *testing.T) {
	e := hostile(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", "@roadbed-test-"+filepath.Base(t.TempDir())+fmt.Sprint(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, out := e.script(t, fmt.Sprintf(`(echo > /dev/tcp/127.0.0.1/%d) 2>/dev/null && echo reached
		echo interfaces $(tail -n +3 /proc/net/dev | wc -l); grep -c roadbed-test /proc/net/unix; cat /proc/net/route | tail -n +2`, port))
	if out != "interfaces 1\n0\n" {
		t.Errorf("got %q", out)
	}
	_, out = e.script(t, fmt.Sprintf(`(echo > /dev/tcp/127.0.0.1/%d) && echo reached`, port), func(s *execute.Spec) { s.Network = true })
	if out != "reached\n" {
		t.Errorf("with the host's network: %q", out)
	}
}

func TestStepWritesOnlyToItsFolders(t *testing.T) {
	e := hostile(t)
	shared := t.TempDir()
	_, out := e.script(t, `for f in /x /usr/x /etc/x /etc/passwd /dev/x /run/x /var/x /proc/x /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches \
			/proc/sysrq-trigger /bin/x /tools/x /shared/x; do (echo x >> $f) 2>/dev/null && echo "wrote $f"; done
		for f in /work/x /tmp/x /var/tmp/x /dev/shm/x; do echo x > $f || echo "can't write $f"; done; echo x > /dev/null || echo null`,
		func(s *execute.Spec) {
			s.Mounts = []execute.Mount{{Source: shared, Target: "/shared", ReadOnly: true}}
		})
	if out != "" {
		t.Errorf("got %q", out)
	}
}

func TestStepHasNoRights(t *testing.T) {
	e := hostile(t)
	_, out := e.script(t, "", self(t, "attacker"))
	if strings.Contains(out, "WORKED") || !strings.Contains(out, "reboot: ") {
		t.Errorf("got %s", out)
	}
	_, out = e.script(t, `mount -o remount,rw / && echo mounted; mount -t tmpfs x /tmp && echo mounted; umount /proc && echo mounted
		unshare -Ur true && echo unshared; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status`)
	if strings.Contains(out, "mounted\n") || strings.Contains(out, "unshared\n") {
		t.Errorf("got %s", out)
	}
	for _, line := range []string{"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in %s", line, out)
		}
	}
}

// A step can't make what goes wrong in it look like a defect of the platform.
func TestStepCannotBreakItsFirstProcess(t *testing.T) {
	e := hostile(t)
	result, out := e.script(t, `for s in 1 $(seq 3 14) $(seq 16 64); do kill -$s 1 2>/dev/null; done
		for i in $(seq 100); do /bin/true; done; echo lives; exit 7`)
	if out != "lives\n" || result.ExitCode != 7 || result.Reason != "" {
		t.Errorf("got %+v, %q", result, out)
	}
}

func TestSetuidHasNoEffect(t *testing.T) {
	e := hostile(t)
	if !e.platform.root {
		without(t, "only root can make a program of root's")
	}
	dir := t.TempDir()
	b, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		without(t, "no id to copy: ", err)
	}
	program := filepath.Join(dir, "id")
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755|os.ModeSetuid|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	_, out := e.script(t, "/tools/id/id -u; /tools/id/id -g; id -u", func(s *execute.Spec) {
		s.Mounts = []execute.Mount{{Source: dir, Target: "/tools/id", ReadOnly: true}}
	})
	if out != "70000\n70000\n70000\n" {
		t.Errorf("got %q", out)
	}
}

func TestForkBombIsBounded(t *testing.T) {
	e := hostile(t)
	result, out := e.script(t, "", self(t, "bomb"), func(s *execute.Spec) { s.Limits.Processes = 50 })
	var n int
	if _, err := fmt.Sscanf(out, "started %d", &n); err != nil || n < 10 || n > 50 {
		t.Errorf("%d processes were there: %+v, %q", n, result, out)
	}
	if result, out := e.script(t, "echo fine"); result.ExitCode != 0 || out != "fine\n" {
		t.Errorf("the next step gave %+v, %q", result, out)
	}
}

func TestMemoryBombIsEnded(t *testing.T) {
	e := hostile(t)
	result, out := e.script(t, "", self(t, "hog"), func(s *execute.Spec) { s.Limits.Memory = 64 << 20 })
	if strings.Contains(out, "took") || result.ExitCode == 0 {
		t.Errorf("got %+v, %q", result, out)
	}
	if e.Capabilities().Cgroup == "" {
		without(t, "no cgroup here: ", e.Capabilities().Missing)
	}
	if result.Reason != execute.ReasonMemory || result.MaxMemory > 65<<20 {
		t.Errorf("got %+v", result)
	}
}

func TestDiskIsBounded(t *testing.T) {
	e := hostile(t)
	result, _ := e.script(t, "head -c 20000000 /dev/zero > big; echo $?; exit 1", func(s *execute.Spec) { s.Limits.Disk = 10 << 20 })
	if result.ExitCode == 0 {
		t.Errorf("one file gave %+v", result)
	}
	result, _ = e.script(t, "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; sleep 0.05; done", func(s *execute.Spec) { s.Limits.Disk = 10 << 20 })
	if result.Reason != execute.ReasonDisk {
		t.Errorf("many files gave %+v", result)
	}
	// What has to save something is asked to end, and is not let go on for ever.
	for script, want := range map[string]string{
		"trap 'exit 4' TERM; for i in 1 2; do head -c 6000000 /dev/zero > f$i; done; while :; do sleep 0.05; done": "",
		"trap '' TERM; i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; sleep 0.05; done":             "SIGKILL",
	} {
		result, _ = e.script(t, script, func(s *execute.Spec) { s.Limits.Disk, s.Saving = 10<<20, 10*time.Minute })
		if result.Reason != execute.ReasonDisk || result.Signal != want || want == "" && result.ExitCode != 4 {
			t.Errorf("%s gave %+v", script, result)
		}
	}
	// What a folder that others share holds already is not counted, what is added to it is.
	shared := t.TempDir()
	if err := os.WriteFile(filepath.Join(shared, "before"), make([]byte, 20<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	result, _ = e.script(t, "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > /cache/f$i; sleep 0.1; done", func(s *execute.Spec) {
		s.Limits.Disk, s.Mounts = 10<<20, append(s.Mounts, execute.Mount{Source: shared, Target: "/cache"})
	})
	if files, err := os.ReadDir(shared); result.Reason != execute.ReasonDisk || err != nil || len(files) < 10 {
		t.Errorf("a shared folder with %d files (%v) gave %+v", len(files), err, result)
	}
	// Of a folder of its own all counts, from the beginning, and it may have a limit of its own.
	for limit, want := range map[int64]string{0: "", 1 << 20: shared} {
		result, _ = e.script(t, "sleep 60", func(s *execute.Spec) {
			s.Limits.Disk = 10 << 20
			if limit > 0 {
				s.Limits.Disk = 0
			}
			s.Mounts = append(s.Mounts, execute.Mount{Source: shared, Target: "/own"})
			s.Owns = []execute.Folder{{Path: t.TempDir(), Limit: 1 << 20}, {Path: shared, Limit: limit}}
		})
		if result.Reason != execute.ReasonDisk || result.Full != want {
			t.Errorf("a folder of its own with the limit %d gave %+v", limit, result)
		}
	}
}

func TestMountTargetsFollowNoLink(t *testing.T) {
	e := hostile(t)
	spec := execute.Spec{ID: "links", Argv: []string{"true"}, Workspace: t.TempDir()}
	victim := t.TempDir()
	if err := os.Symlink(victim, filepath.Join(spec.Workspace, "host")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/tmp", filepath.Join(spec.Workspace, "inside")); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/work/host", "/work/host/sub", "/work/inside/sub"} {
		spec.Mounts = []execute.Mount{{Source: t.TempDir(), Target: target}}
		if _, err := execute.Run(t.Context(), e, spec, nil); err == nil {
			t.Errorf("a mount at %s worked", target)
		}
	}
	if left, _ := os.ReadDir(victim); len(left) > 0 {
		t.Errorf("something was made outside: %v", left)
	}
	var st unix.Stat_t
	if err := unix.Stat(victim, &st); err != nil || int(st.Uid) != os.Getuid() {
		t.Errorf("what a link leads to was given away: %d, %v", st.Uid, err)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	e := hostile(t)
	e.script(t, "sleep 600 & true", func(s *execute.Spec) { s.Limits = execute.Limits{Memory: 1 << 30, CPU: 500} })
	if left := e.platform.cgroups.leftovers(); len(left) > 0 {
		t.Errorf("cgroups are left: %v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(e.dir, "run")); len(left) > 0 {
		t.Errorf("folders are left: %v", left)
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(mounts), e.dir) {
		t.Errorf("mounts are left: %s", mounts)
	}
}

// Two loops get no more of the processors than the step may have, by the kernel's own count.
func TestProcessorTimeIsBounded(t *testing.T) {
	e := hostile(t)
	if e.Capabilities().Cgroup == "" {
		without(t, "no cgroup here: ", e.Capabilities().Missing)
	}
	result, out := e.script(t, "(while :; do :; done) & while :; do :; done", func(s *execute.Spec) {
		s.Limits.CPU, s.Limits.Time = 200, 2*time.Second
	})
	took := result.Ended.Sub(result.Started)
	if result.Reason != execute.ReasonTime || result.CPUTime == 0 || result.CPUTime > took*35/100 {
		t.Errorf("a fifth of a core for %s was %s: %+v %s", took, result.CPUTime, result, out)
	}
}
