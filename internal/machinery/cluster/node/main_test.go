package node_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// built is the folder of the program of the pods, for the life of this test run.
const built = "ROADBED_TEST_PROGRAM"

func TestMain(m *testing.M) {
	process.Child()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if dir := os.Getenv(lifeDir); dir != "" {
		if err := live(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return 1
	}
	dir, err := os.MkdirTemp("", "node")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := clustertest.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv(built, dir)
	code := m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// folders are images that lie in folders: program:TAG is the test's program at /app.
type folders struct{}

func (folders) Unpack(_ context.Context, image, dest string) (node.ImageConfig, error) {
	name, tag, _ := strings.Cut(image, ":")
	if name != "program" {
		return node.ImageConfig{}, fault.Errorf(fault.NotFound, "there is no image %s", image)
	}
	config := node.ImageConfig{Digest: "sha256:" + tag, Entrypoint: []string{"/app"}, Env: []string{"FROM_IMAGE=yes"}, Ports: []int{8080}}
	if err := os.Mkdir(dest, 0o755); err != nil {
		return node.ImageConfig{}, err
	}
	place := filepath.Join(dest, "app")
	if tag == "system" { // where a distribution's image has its program
		place = filepath.Join(dest, "usr", "local", "bin", "app")
		config.Entrypoint, config.WorkingDir = []string{"app"}, "/srv"
		for _, dir := range []string{filepath.Dir(place), filepath.Join(dest, "srv")} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return node.ImageConfig{}, err
			}
		}
	}
	return config, copyFile(filepath.Join(os.Getenv(built), "app"), place)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// bundle is a running node of a test's own.
type bundle struct {
	clustertest.Harness
	node *node.Node
	stop func() // ends Run and waits for it
}

// shortDir gives a folder whose path leaves room for the names of sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// ingress asks a handler as a server would, without a port.
type ingress struct{ http.Handler }

func (i ingress) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	in.RemoteAddr = "192.0.2.1:1234"
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	i.ServeHTTP(w, in)
	return w.Result(), nil
}

// options are those of a test's node, over a database.
func options(t testing.TB, db *store.DB) node.Options {
	t.Helper()
	executor, err := process.New(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(executor.Close)
	return node.Options{
		Dir: shortDir(t), DB: db, Executor: executor, Images: folders{}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Domains: []string{"test", "example"}, ReservedHosts: []string{"portal.test"}, CrashDelay: 20 * time.Millisecond, Shutdown: 5 * time.Second,
	}
}

// start gives a running node; it ends with the test.
func start(t testing.TB, o node.Options) bundle {
	t.Helper()
	n, err := node.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop := func() {
		if cancel(); stopped {
			return
		}
		stopped = true
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return bundle{Harness: clustertest.Harness{Cluster: n, Image: "program:1", Ingress: ingress{n.Ingress()}}, node: n, stop: stop}
}

func setup(t testing.TB) bundle {
	t.Helper()
	return start(t, options(t, storetest.SQLite(t, node.Migrations())))
}

func TestContract(t *testing.T) {
	t.Parallel()
	clustertest.Run(t, func(t *testing.T) clustertest.Harness { return setup(t).Harness })
}
