// Package containertest gives tests an engine of containers of their own: a Podman whose images, containers and socket are
// gone with the test.
package containertest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Images that each engine has.
const (
	Shell     = "roadbed.test/shell:1"     // a POSIX shell and its usual tools, nothing else
	Variables = "roadbed.test/variables:1" // the same with FROM_IMAGE=yes, and /opt/bin before the usual PATH
)

// Engine is one that runs.
type Engine struct {
	Host string // unix:///PATH
	dir  string
}

// Open starts an engine, or leaves the test out where it can't be: it needs root, Podman with a runtime, and a static busybox.
func Open(t testing.TB) *Engine {
	t.Helper()
	lacktest.Programs()
	if os.Geteuid() != 0 {
		lacktest.Skip(t, "only root starts the tests' engine of containers")
	}
	for _, program := range []string{"podman", "runc"} {
		if _, err := exec.LookPath(program); err != nil {
			lacktest.Skip(t, "no engine of containers: %v", err)
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		lacktest.Skip(t, "no busybox to make an image of: %v", err)
	}
	dir, err := os.MkdirTemp("", "rbengine") // short: a socket's path has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{Host: "unix://" + dir + "/s", dir: dir}
	for name, content := range map[string]string{
		"containers.conf": "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1000:1000\"]\n[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\n",
		"storage.conf":    fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\n", dir+"/graph", dir+"/run"),
		"registries.conf": "unqualified-search-registries = []\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // after the service has ended
		_, _ = e.Podman(nil, "rm", "--all", "--force")
		_ = exec.Command("umount", "--lazy", dir+"/graph/overlay").Run()
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("the engine leaves something: %v", err)
		}
	})
	e.Import(t, Shell, busyboxTree(t, busybox))
	e.Import(t, Variables, busyboxTree(t, busybox), "--change", "ENV FROM_IMAGE=yes", "--change", "ENV PATH=/opt/bin:/usr/bin:/bin")
	e.serve(t)
	return e
}

// serve answers at the engine's socket until the test's end.
func (e *Engine) serve(t testing.TB) {
	t.Helper()
	var said bytes.Buffer
	service := e.command("system", "service", "--time", "0", e.Host)
	service.Stdout, service.Stderr = &said, &said
	if err := service.Start(); err != nil {
		t.Fatalf("start the engine: %v", err)
	}
	t.Cleanup(func() {
		_ = service.Process.Signal(os.Interrupt)
		_ = service.Wait()
	})
	for range 500 {
		if conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", strings.TrimPrefix(e.Host, "unix://")); err == nil {
			conn.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the engine does not answer: %s", said.String())
}

func (e *Engine) command(args ...string) *exec.Cmd {
	cmd := exec.Command("podman", args...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+e.dir+"/containers.conf", "CONTAINERS_STORAGE_CONF="+e.dir+"/storage.conf",
		"CONTAINERS_REGISTRIES_CONF="+e.dir+"/registries.conf")
	return cmd
}

// Podman asks the engine by its own command, past the API, and gives what it says.
func (e *Engine) Podman(stdin io.Reader, args ...string) (string, error) {
	cmd := e.command(args...)
	cmd.Stdin = stdin
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("podman %s: %w: %s", strings.Join(args, " "), err, said.String())
	}
	return out.String(), nil
}

// Import makes an image of a tar.
func (e *Engine) Import(t testing.TB, image string, tree io.Reader, options ...string) {
	t.Helper()
	args := append([]string{"import"}, options...)
	if _, err := e.Podman(tree, append(args, "-", image)...); err != nil {
		t.Fatal(err)
	}
}

// Containers gives the names of the containers that are there, running or not.
func (e *Engine) Containers(t testing.TB) []string {
	t.Helper()
	out, err := e.Podman(nil, "ps", "--all", "--format", "{{.Names}}")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(out)
}

// busyboxTree gives a root with busybox under all its names.
func busyboxTree(t testing.TB, busybox string) io.Reader {
	t.Helper()
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	names, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		t.Fatalf("ask busybox for its names: %v", err)
	}
	var tree bytes.Buffer
	w := tar.NewWriter(&tree)
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		err := w.WriteHeader(&h)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin/", "usr/", "usr/bin/", "etc/", "tmp/", "work/", "opt/", "opt/bin/"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, program)
	for name := range strings.FieldsSeq(string(names)) {
		if name != "busybox" {
			add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}, nil)
		}
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0::/:/bin/sh\n"))
	add(tar.Header{Typeflag: tar.TypeReg, Name: "opt/bin/of-image", Mode: 0o755}, []byte("#!/bin/sh\necho found\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &tree
}
