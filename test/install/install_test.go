// Package install installs Roadbed by each way of deploy/ that needs a machine of its own, in containers.
package install

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

const token = "an-administrators-token-for-tests"

// containers are Podman's, kept apart from those of the machine.
type containers struct {
	t   *testing.T
	env []string
}

// newContainers skips where there is no Podman, or nobody who may use it here, save in CI, where nothing is skipped.
func newContainers(t *testing.T) *containers {
	t.Helper()
	lacks := ""
	for _, program := range []string{"podman", "runc", "mmdebstrap"} {
		if _, err := exec.LookPath(program); err != nil {
			lacks = "there is no " + program
		}
	}
	if _, err := os.Stat("../../bin/roadbed"); err != nil {
		lacks = "there is no bin/roadbed; run make build"
	}
	if os.Geteuid() != 0 {
		lacks = "it needs root"
	}
	switch {
	case lacks != "":
		lacktest.Skip(t, "%s", lacks)
	}
	dir := t.TempDir()
	c := &containers{t: t, env: append(os.Environ(),
		"CONTAINERS_CONF="+write(t, dir, "containers.conf", fmt.Sprintf(`[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "%[1]s/tmp"
[network]
network_config_dir = "%[1]s/networks"
`, dir)),
		"CONTAINERS_STORAGE_CONF="+write(t, dir, "storage.conf", fmt.Sprintf(`[storage]
driver = "overlay"
graphroot = "%[1]s/graph"
runroot = "%[1]s/run"
`, dir)))}
	t.Cleanup(func() { _, _ = c.try("system", "reset", "--force") }) // unmounts, so that the folder can go
	return c
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (c *containers) try(args ...string) (string, error) {
	command := exec.Command("podman", args...)
	command.Env = c.env
	out, err := command.CombinedOutput()
	return string(out), err
}

func (c *containers) do(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		logs, _ := c.try("logs", "roadbed")
		c.t.Fatalf("podman %s: %v\n%s\nthe server's log:\n%s", strings.Join(args, " "), err, out, logs)
	}
	return out
}

// debian makes a base image here, since no registry is asked. It has what the image needs, and what a machine has.
func (c *containers) debian() string {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "debian.tar")
	if out, err := exec.Command("mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,git,systemd,systemd-sysv,tini", "bookworm", file).CombinedOutput(); err != nil {
		c.t.Fatalf("make a Debian: %v\n%s", err, out)
	}
	c.do("import", "--quiet", file, "localhost/debian:test")
	return "localhost/debian:test"
}

func TestInstallations(t *testing.T) {
	c := newContainers(t)
	base := c.debian()
	t.Run("a container", func(t *testing.T) {
		c.t = t
		theImageRunsIsolated(c, base)
	})
	t.Run("a unit of systemd", func(t *testing.T) {
		c.t = t
		theUnitRunsIsolated(c, base)
	})
}

// theImageRunsIsolated builds the image. The server in it refuses to start where the engine keeps it from isolating
// steps; with what the Containerfile asks for it isolates them, as a user without any right, and what it has made is
// there for the next container.
func theImageRunsIsolated(c *containers, base string) {
	t := c.t
	c.do("build", "--format", "docker", "--network", "none", "--build-arg", "BASE="+base, "-f", "../../deploy/Containerfile", "-t", "localhost/roadbed:test", "../../bin")
	plain := []string{"run", "--name", "roadbed", "--network", "none", "--volume", "roadbed:/var/lib/roadbed", "--env", "ROADBED_ADMIN_TOKEN=" + token}
	out, err := c.try(append(plain, "localhost/roadbed:test")...)
	if err == nil || !strings.Contains(out, "steps and applications can't be isolated on this machine") {
		t.Fatalf("a container that can't isolate steps: %v\n%s", err, out)
	}
	c.do("rm", "roadbed")

	c.start(plain)
	status := c.do("exec", "--env", "ROADBED_TOKEN="+token, "roadbed", "roadbed", "status")
	if !strings.Contains(strings.Join(strings.Fields(status), " "), "isolated steps true") {
		t.Errorf("the server says of itself:\n%s", status)
	}
	c.do("exec", "--env", "ROADBED_TOKEN="+token, "roadbed", "roadbed", "repo", "create", "crew/shop")
	if user := strings.TrimSpace(c.do("exec", "roadbed", "id", "-u")); user != "10001" {
		t.Errorf("the server is user %s", user)
	}
	c.stop()

	c.start(plain)
	if repositories := c.do("exec", "--env", "ROADBED_TOKEN="+token, "roadbed", "roadbed", "repo", "list"); !strings.Contains(repositories, "crew/shop") {
		t.Errorf("the next container has the repositories:\n%s", repositories)
	}
	c.stop()
}

func (c *containers) start(plain []string) {
	c.t.Helper()
	isolating := []string{"--detach", "--security-opt", "seccomp=unconfined", "--security-opt", "unmask=ALL", "--security-opt", "no-new-privileges", "--cap-drop", "ALL", "--read-only"}
	c.do(append(append(append([]string{}, plain...), isolating...), "localhost/roadbed:test")...)
	c.do("exec", "roadbed", "roadbed", "health", "--wait", "60s")
	c.do("healthcheck", "run", "roadbed")
}

// stop has the server end by itself.
func (c *containers) stop() {
	c.t.Helper()
	c.do("stop", "--time", "60", "roadbed")
	if code := strings.TrimSpace(c.do("inspect", "--format", "{{.State.ExitCode}}", "roadbed")); code != "0" {
		c.t.Errorf("the server ended with %s:\n%s", code, c.do("logs", "roadbed"))
	}
	c.do("rm", "roadbed")
}

// theUnitRunsIsolated does what the unit says at its top, on a machine that systemd has booted.
func theUnitRunsIsolated(c *containers, base string) {
	t := c.t
	here := func(path string) string {
		absolute, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return absolute
	}
	c.do("run", "--name", "roadbed", "--detach", "--privileged", "--systemd", "always", "--network", "none",
		"--volume", here("../../bin/roadbed")+":/usr/local/bin/roadbed:ro", "--volume", here("../../deploy/roadbed.service")+":/etc/systemd/system/roadbed.service:ro",
		base, "/sbin/init")
	inside := func(script string) string {
		t.Helper()
		return c.do("exec", "roadbed", "bash", "-euc", script)
	}
	inside(`timeout 60 sh -c 'until systemctl is-system-running --wait >/dev/null 2>&1; do [ "$(systemctl is-system-running 2>/dev/null)" != degraded ] || break; done'
useradd --system --home-dir /var/lib/roadbed --shell /usr/sbin/nologin roadbed
install -m 0600 /dev/null /etc/roadbed.env
echo ROADBED_ADMIN_TOKEN=` + token + ` > /etc/roadbed.env
systemd-analyze verify /etc/systemd/system/roadbed.service
systemctl enable --now roadbed
roadbed health --url http://127.0.0.1:8080 --wait 60s`)
	status := inside("ROADBED_TOKEN=" + token + " roadbed --url http://127.0.0.1:8080 status")
	if !strings.Contains(strings.Join(strings.Fields(status), " "), "isolated steps true") {
		t.Errorf("the server says of itself:\n%s\n%s", status, inside("journalctl --no-pager -u roadbed"))
	}
	inside("systemd-analyze security --threshold=40 roadbed >/dev/null") // 0 to 100, 100 is wide open
	if user := strings.TrimSpace(inside("stat -c %U /proc/$(systemctl show -p MainPID --value roadbed)")); user != "roadbed" {
		t.Errorf("the server is user %q", user)
	}
	inside("systemctl stop roadbed")
	if result := strings.TrimSpace(inside("systemctl show -p Result --value roadbed")); result != "success" {
		t.Errorf("the server ended with %s:\n%s", result, inside("journalctl --no-pager -u roadbed"))
	}
	c.do("rm", "--force", "roadbed")
}
