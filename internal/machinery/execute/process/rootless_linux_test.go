//go:build linux && (amd64 || arm64)

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest"
)

// A server without root's rights isolates as well, where the kernel gives user namespaces to all.
func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("the other tests already run without root")
	}
	dir, err := os.MkdirTemp("", "rootless")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	const user = 12345
	if err := os.Chown(dir, user, user); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"peer": executetest.Build(t), "tests": "/proc/self/exe"} {
		program, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), program, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(dir, "tests"), "-test.run", "TestSuite/isolated|TestStep|TestMount|TestNothing|TestKilled", "-test.v", "-test.parallel", "2")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir, "ROADBED_TEST_PEER="+filepath.Join(dir, "peer"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("without root: %v\n%s", err, out)
	}
	if strings.Contains(string(out), "no isolation here") {
		without(t, "this kernel gives no user namespaces to users:\n", string(out))
	}
}
