//go:build linux && (amd64 || arm64)

package container

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/executetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
)

func TestMain(m *testing.M) {
	process.Child()
	if dir := os.Getenv("CONTAINER_TEST_SERVER"); dir != "" {
		serve(dir, os.Getenv("CONTAINER_TEST_HOST"))
		return
	}
	// A step that can read its server's environment finds this.
	os.Setenv("SERVER_SECRET", "the-servers-own-secret")
	goleak.VerifyTestMain(m)
}

// serve is a server that runs a step until it is killed.
func serve(dir, host string) {
	e, err := New(context.Background(), Options{Dir: dir, Host: host, Image: containertest.Shell})
	if err == nil {
		_, err = e.Start(context.Background(), execute.Spec{ID: "orphan", Argv: []string{"sh", "-c", "trap '' TERM INT HUP; echo ready; sleep 600"}}, os.Stdout)
	}
	if err == nil {
		time.Sleep(time.Hour)
	}
	fmt.Println(err)
}

// open gives an executor of an engine in a folder of the test's own.
func open(t *testing.T, engine *containertest.Engine, change ...func(*Options)) *Executor {
	t.Helper()
	o := Options{Dir: t.TempDir(), Host: engine.Host, Image: containertest.Shell, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	for _, c := range change {
		c(&o)
	}
	e, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestSuite(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	executetest.Run(t, containertest.Shell, func(t *testing.T) execute.Executor { return open(t, engine) })
}
