//go:build linux && (amd64 || arm64)

package container

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/group"
)

// script runs a script of the shell in the usual image.
func (e *Executor) script(t *testing.T, script string, change ...func(*execute.Spec)) (execute.Result, string) {
	t.Helper()
	spec := execute.Spec{ID: "hostile", Argv: []string{"sh", "-c", script}}
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

// role has a step be the hostile program.
func role(program, role string) func(*execute.Spec) {
	return func(s *execute.Spec) {
		s.Mounts = append(s.Mounts, execute.Mount{Source: program, Target: "/tools/hostile", ReadOnly: true})
		s.Argv = []string{"/tools/hostile", role}
	}
}

func TestHostileSteps(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	program := executetest.BuildHostile(t)
	for name, story := range map[string]func(t *testing.T, e *Executor, engine *containertest.Engine, program string){
		"see no file of the server":        seesNoFile,
		"see no process and no variable":   seesNoProcess,
		"reach no network":                 reachesNoNetwork,
		"write only to their folders":      writesOnlyToItsFolders,
		"have no rights":                   hasNoRights,
		"can't break their first process":  cannotBreakItsFirst,
		"are bounded in processes":         forkBomb,
		"are bounded in memory":            memoryBomb,
		"are bounded in disk":              diskBomb,
		"are bounded in processor time":    processorTime,
		"are mounted at no link":           followsNoLink,
		"leave nothing behind":             leavesNothing,
		"have no secret that others see":   keepsSecrets,
		"run in images that are allowed":   allowedImages,
		"have the variables of the image":  imageVariables,
		"are told of an image that's away": missingImage,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, open(t, engine), engine, program)
		})
	}
}

func seesNoFile(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(data, []byte("the-servers-data"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	p, err := e.Start(t.Context(), execute.Spec{ID: "other", Workspace: other, Argv: []string{"sh", "-c", "echo the-others-file > file; sleep 600"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, out := e.script(t, fmt.Sprintf(`cat %s %s/file; ls -A %s %s / /root /home /var /run /mnt; cat /proc/1/root%s /proc/1/cwd/x
		ls -A /.roadbed/call; find / -xdev \( -name roadbed.db -o -name state.json \) 2>/dev/null; cat /etc/shadow; ls /boot`, data, other, e.Dir(), filepath.Dir(e.Dir()), data))
	for _, leak := range []string{"the-servers-data", "the-others-file", "roadbed.db", "root:$", "root:*"} {
		if strings.Contains(out, leak) {
			t.Errorf("the step saw %q in %s", leak, out)
		}
	}
	p.Stop(0)
	if _, err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func seesNoProcess(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	_, out := e.script(t, `cat /proc/*/environ | tr '\0' '\n'; env; echo processes $(ls -d /proc/[0-9]* | wc -l)
		set -- /proc/$$/fd/*; echo files $#; cat /proc/1/environ; cat /proc/1/maps; cat /proc/1/mem; ls /proc/1/fd; kill -9 1; kill -STOP 1; echo first lives`)
	if strings.Contains(out, "the-servers-own-secret") || !strings.Contains(out, "first lives") {
		t.Errorf("the step saw too much: %s", out)
	}
	var processes, files int
	if _, err := fmt.Sscanf(out[strings.Index(out, "processes "):], "processes %d\nfiles %d", &processes, &files); err != nil || processes > 6 || files > 4 {
		t.Errorf("the step sees %d processes and has %d files: %v", processes, files, err)
	}
	if strings.Count(out, "ermission denied") < 4 {
		t.Errorf("the first process is not hidden: %s", out)
	}
}

func reachesNoNetwork(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	reached := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			conn.Close()
		}
	}()
	knock := fmt.Sprintf("nc -w 2 127.0.0.1 %d < /dev/null; ", l.Addr().(*net.TCPAddr).Port)
	_, out := e.script(t, knock+`echo interfaces $(tail -n +3 /proc/net/dev | wc -l); tail -n +2 /proc/net/route`)
	if !strings.HasSuffix(out, "interfaces 1\n") || len(reached) > 0 {
		t.Errorf("got %q, reached %d times", out, len(reached))
	}
	if _, out := e.script(t, knock, func(s *execute.Spec) { s.Network = true }); len(reached) == 0 {
		t.Errorf("with the host's network nothing is reached: %q", out)
	}
}

func writesOnlyToItsFolders(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	shared := t.TempDir()
	_, out := e.script(t, `for f in /x /usr/x /etc/x /etc/passwd /bin/x /dev/x /proc/x /proc/sys/kernel/core_pattern /proc/sys/vm/drop_caches \
			/proc/sysrq-trigger /sys/x /.roadbed/x /.roadbed/first/x /.roadbed/call/x /.roadbed/first/roadbed-sandbox /shared/x; do (echo x >> $f) 2>/dev/null && echo "wrote $f"; done
		for f in /work/x /tmp/x /var/tmp/x /dev/shm/x /run/x; do echo x > $f || echo "can't write $f"; done; echo x > /dev/null || echo null`,
		func(s *execute.Spec) {
			s.Mounts = []execute.Mount{{Source: shared, Target: "/shared", ReadOnly: true}}
		})
	if out != "" {
		t.Errorf("got %q", out)
	}
}

func hasNoRights(t *testing.T, e *Executor, _ *containertest.Engine, program string) {
	_, out := e.script(t, "", role(program, "attacker"))
	if strings.Contains(out, "WORKED") || !strings.Contains(out, "reboot: ") {
		t.Errorf("got %s", out)
	}
	_, out = e.script(t, `id -u; id -g; mount -t tmpfs x /tmp && echo mounted; umount /proc && echo mounted; chown 0 /work && echo owns; grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status`)
	if !strings.HasPrefix(out, "70000\n70000\n") || strings.Contains(out, "mounted\n") || strings.Contains(out, "owns\n") {
		t.Errorf("got %s", out)
	}
	for _, line := range []string{"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in %s", line, out)
		}
	}
	// A program of root's that is to run as root does not.
	dir := t.TempDir()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(busybox)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "id"), b, 0o755)
	}
	if err == nil {
		err = os.Chmod(filepath.Join(dir, "id"), 0o755|os.ModeSetuid|os.ModeSetgid)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, out := e.script(t, "/tools/id/id -u; /tools/id/id -g", func(s *execute.Spec) {
		s.Mounts = []execute.Mount{{Source: dir, Target: "/tools/id", ReadOnly: true}}
	}); out != "70000\n70000\n" {
		t.Errorf("a set-user-id program says %q", out)
	}
}

func cannotBreakItsFirst(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	result, out := e.script(t, `for s in 1 $(seq 3 14) $(seq 16 64); do kill -$s 1 2>/dev/null; done
		for i in $(seq 100); do true; done; echo lives; exit 7`)
	if out != "lives\n" || result.ExitCode != 7 || result.Reason != "" {
		t.Errorf("got %+v, %q", result, out)
	}
}

func forkBomb(t *testing.T, e *Executor, _ *containertest.Engine, program string) {
	result, out := e.script(t, "", role(program, "bomb"), func(s *execute.Spec) { s.Limits.Processes = 50 })
	var n int
	if _, err := fmt.Sscanf(out, "started %d", &n); err != nil || n < 10 || n > 50+ownThreads {
		t.Errorf("%d processes were there: %+v, %q", n, result, out)
	}
	if result, out := e.script(t, "echo fine"); result.ExitCode != 0 || out != "fine\n" {
		t.Errorf("the next step gave %+v, %q", result, out)
	}
}

func memoryBomb(t *testing.T, e *Executor, _ *containertest.Engine, program string) {
	result, out := e.script(t, "", role(program, "hog"), func(s *execute.Spec) { s.Limits.Memory = 64 << 20 })
	if strings.Contains(out, "took") || result.ExitCode == 0 || result.Reason != execute.ReasonMemory || result.MaxMemory > 65<<20 {
		t.Errorf("got %+v, %q", result, out)
	}
}

func diskBomb(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	result, out := e.script(t, "head -c 20000000 /dev/zero > big; exit $?", func(s *execute.Spec) { s.Limits.Disk = 10 << 20 })
	if result.ExitCode == 0 {
		t.Errorf("one file gave %+v %s", result, out)
	}
	result, _ = e.script(t, "i=0; while :; do i=$((i+1)); head -c 1000000 /dev/zero > f$i; sleep 0.05; done", func(s *execute.Spec) { s.Limits.Disk = 10 << 20 })
	if result.Reason != execute.ReasonDisk {
		t.Errorf("many files gave %+v", result)
	}
}

// Two loops get no more of the processors than the step may have, by the kernel's own count.
func processorTime(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	result, out := e.script(t, "trap 'kill $!; wait; exit 1' TERM; (while :; do :; done) & while :; do :; done", func(s *execute.Spec) {
		s.Limits.CPU, s.Limits.Time = 200, 2*time.Second
	})
	took := result.Ended.Sub(result.Started)
	if result.Reason != execute.ReasonTime || result.CPUTime == 0 || result.CPUTime > took*35/100 {
		t.Errorf("a fifth of a core for %s was %s: %+v %s", took, result.CPUTime, result, out)
	}
}

func followsNoLink(t *testing.T, e *Executor, _ *containertest.Engine, _ string) {
	spec := execute.Spec{ID: "links", Argv: []string{"true"}, Workspace: t.TempDir()}
	victim := t.TempDir()
	for name, to := range map[string]string{"host": victim, "inside": "/tmp"} {
		if err := os.Symlink(to, filepath.Join(spec.Workspace, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []string{"/work/host", "/work/host/sub", "/work/inside/sub", "/.roadbed/first", "/.roadbed"} {
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
	source := t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("shown"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec.Argv, spec.Mounts = []string{"cat", "a/b/file"}, []execute.Mount{{Source: source, Target: "/work/a/b"}}
	var out bytes.Buffer
	if result, err := execute.Run(t.Context(), e, spec, &out); err != nil || out.String() != "shown" {
		t.Errorf("a mount in the workspace gave %+v, %q, %v", result, out.String(), err)
	}
}

func leavesNothing(t *testing.T, e *Executor, engine *containertest.Engine, _ string) {
	e.script(t, "sleep 600 & true", func(s *execute.Spec) { s.Limits = execute.Limits{Memory: 1 << 30, CPU: 500} })
	if left := engine.Containers(t); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, e.Prefix()) }) {
		t.Errorf("containers are left: %v", left)
	}
	if left, _ := os.ReadDir(filepath.Join(e.Dir(), "run")); len(left) > 0 {
		t.Errorf("folders are left: %v", left)
	}
}

// What a command is given is in no configuration of a container, and what it says in no log of the engine.
func keepsSecrets(t *testing.T, e *Executor, engine *containertest.Engine, _ string) {
	said, out := newLines()
	spec := execute.Spec{ID: "secret", Argv: []string{"sh", "-c", "echo $TOKEN; echo ready; sleep 600"}, Env: map[string]string{"TOKEN": "the-steps-own-token"}}
	p, err := e.Start(t.Context(), spec, out)
	if err != nil {
		t.Fatal(err)
	}
	said("ready")
	seen, err := engine.Podman(nil, "inspect", e.Prefix()+"secret")
	if err != nil || !json.Valid([]byte(seen)) || strings.Contains(seen, "the-steps-own-token") {
		t.Errorf("the engine tells: %s %v", seen, err)
	}
	if logs, _ := engine.Podman(nil, "logs", e.Prefix()+"secret"); strings.Contains(logs, "ready") {
		t.Errorf("the engine keeps a log: %s", logs)
	}
	p.Stop(0)
	if _, err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

// newLines gives a writer, and a function that waits until a line was written to it.
func newLines() (wait func(line string), to *os.File) {
	reader, writer, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	return func(line string) {
		for lines := bufio.NewScanner(reader); lines.Scan() && lines.Text() != line; {
		}
	}, writer
}

func imageVariables(t *testing.T, _ *Executor, engine *containertest.Engine, _ string) {
	e := open(t, engine, func(o *Options) { o.Image = containertest.Variables })
	if _, out := e.script(t, "echo $FROM_IMAGE; of-image"); out != "yes\nfound\n" {
		t.Errorf("got %q", out)
	}
	// A worker puts its tools before the usual places; what the image adds stays.
	_, out := e.script(t, "echo $FROM_IMAGE; of-image; echo $PATH", func(s *execute.Spec) {
		s.Env = map[string]string{"FROM_IMAGE": "no", "PATH": "/tools/x:/usr/local/sbin:/usr/bin:/bin"}
	})
	if out != "no\nfound\n/tools/x:/opt/bin:/usr/local/sbin:/usr/bin:/bin\n" {
		t.Errorf("got %q", out)
	}
}

func TestKilledServerLeavesNoContainer(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	dir := t.TempDir()
	server := exec.Command("/proc/self/exe")
	server.Env = append(os.Environ(), "CONTAINER_TEST_SERVER="+dir, "CONTAINER_TEST_HOST="+engine.Host)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		t.Log(lines.Text())
	}
	base, err := group.New(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	name := base.Prefix() + "orphan"
	if there := engine.Containers(t); !slices.Contains(there, name) {
		t.Fatalf("no %s among %v", name, there)
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	if _, err := engine.Podman(nil, "wait", name); err != nil { // it ends by itself
		t.Error(err)
	}
	next := open(t, engine, func(o *Options) { o.Dir = dir })
	if err := next.Reap(t.Context(), func(id string) bool { return id == "orphan" }); err != nil || len(engine.Containers(t)) != 1 {
		t.Errorf("reap that keeps it: %v, %v", err, engine.Containers(t))
	}
	if err := next.Reap(t.Context(), nil); err != nil {
		t.Errorf("reap: %v", err)
	}
	if left := engine.Containers(t); len(left) > 0 {
		t.Errorf("reap left %v", left)
	}
}
