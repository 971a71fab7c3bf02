package kubernetestest

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Version is that of the programs, as the Makefile has it.
const Version = "1.37.2"

// patience is how long a cluster may take to be ready, on a machine that is busy with other tests.
const patience = 2 * time.Minute

// Cluster is an API server that runs.
type Cluster struct {
	Kubeconfig string // the path of an administrator's
	Kubectl    string // the path of the program
}

// Folder gives the folder of the programs; "" where they have not been built.
func Folder() string {
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		cache = filepath.Join(home, ".cache")
	}
	folder := filepath.Join(cache, "roadbed", "kubernetes-"+Version)
	for _, program := range []string{"cluster", "kubectl"} {
		if _, err := os.Stat(filepath.Join(folder, program)); err != nil {
			return ""
		}
	}
	return folder
}

// Start gives a test a cluster: the one that ROADBED_TEST_KUBECONFIG names, which is for tests alone and can be reached from
// here, or else one of its own until the end of the test. A test that can't have it is skipped, and in CI fails.
func Start(t testing.TB) *Cluster {
	t.Helper()
	lacktest.Programs()
	folder := Folder()
	if config := os.Getenv("ROADBED_TEST_KUBECONFIG"); config != "" {
		kubectl, err := exec.LookPath(filepath.Join(folder, "kubectl")) // of PATH where none was built
		if err != nil {
			lacktest.Skip(t, "no kubectl; `make kubernetes` builds it: %v", err)
		}
		return &Cluster{Kubeconfig: config, Kubectl: kubectl}
	}
	if folder == "" {
		lacktest.Skip(t, "no Kubernetes; `make kubernetes` builds it, or name a kubeconfig in ROADBED_TEST_KUBECONFIG")
	}
	c := &Cluster{Kubectl: filepath.Join(folder, "kubectl")}
	dir, err := os.MkdirTemp("", "roadbed-kubernetes-") // the names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c.Kubeconfig = run(t, filepath.Join(folder, "cluster"), dir)
	return c
}

// run starts the program, which ends with its standard input and so with this process, however that ends, and gives what it
// says once it is ready.
func run(t testing.TB, program, dir string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	p := exec.CommandContext(ctx, program, dir)
	p.Dir, p.Stderr, p.Env = dir, log, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	in, errIn := p.StdinPipe()
	out, errOut := p.StdoutPipe()
	if err := errors.Join(errIn, errOut, p.Start()); err != nil {
		end()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it may have ended by itself
		end()
		_ = p.Wait() // killed: there is nothing that is to last
		log.Close()
		if t.Failed() {
			text, err := os.ReadFile(log.Name())
			t.Logf("the cluster says: %v\n%s", err, text[max(0, len(text)-8<<10):])
		}
	})
	late := time.AfterFunc(patience, end)
	defer late.Stop()
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the cluster did not start within %v: %v", patience, err)
	}
	return strings.TrimSuffix(said, "\n")
}

// Run asks the cluster by kubectl, and gives what that says; an error ends the test.
func (c *Cluster) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := c.command(t.Context(), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Delete has objects taken away at the end of a test, such as what is left where it failed; that they can't be is none of
// the test's.
func (c *Cluster) Delete(t testing.TB, what ...string) {
	t.Helper()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		_ = c.command(ctx, append([]string{"delete", "--ignore-not-found"}, what...)...).Run()
	})
}

func (c *Cluster) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, c.Kubectl, append([]string{"--kubeconfig", c.Kubeconfig}, args...)...)
}
