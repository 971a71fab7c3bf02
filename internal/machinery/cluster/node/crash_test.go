package node_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/clustertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
)

// lifeDir makes this test program a node over that folder, until it is killed.
const lifeDir = "ROADBED_TEST_NODE"

// lifeOptions are the same in each life of the node below dir.
func lifeOptions(dir string, db *store.DB) (o node.Options, closing func(), err error) {
	executor, err := process.New(filepath.Join(dir, "execute"), nil)
	if err != nil {
		return node.Options{}, nil, err
	}
	return node.Options{
		Dir: filepath.Join(dir, "node"), DB: db, Executor: executor, Images: folders{}, Now: time.Now, Log: slog.New(slog.DiscardHandler), CrashDelay: 20 * time.Millisecond,
	}, executor.Close, nil
}

// live is what the other process does: it runs the node and says how many pods are healthy whenever that changes.
func live(dir string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "roadbed.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx, node.Migrations()); err != nil {
		return err
	}
	o, closing, err := lifeOptions(dir, db)
	if err != nil {
		return err
	}
	defer closing()
	n, err := node.New(o)
	if err != nil {
		return err
	}
	go func() {
		wake, err := n.Watch(ctx, owner)
		for range wake {
			var nodes []cluster.Node
			if nodes, err = n.Tree(ctx, owner); err != nil {
				break
			}
			healthy := 0
			for _, p := range clustertest.Kind(nodes, "Pod") {
				if p.Health == cluster.Healthy {
					healthy++
				}
			}
			fmt.Println("healthy", healthy)
		}
		fmt.Println("watch ended", err)
	}()
	return n.Run(ctx)
}

// programs gives the host's ids of the test's programs that run with a certain version.
func programs(t *testing.T, version string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		if env, err := os.ReadFile(file); err == nil && strings.Contains("\x00"+string(env), "\x00VERSION="+version+"\x00") {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}

func TestKillingTheServerLosesNothing(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	version := "crash-" + filepath.Base(dir)
	// A first life takes the objects and makes a step of an update that can't succeed: both versions are wanted.
	apply := func(objects []cluster.Object) {
		db := storetest.Open(t, "sqlite:"+filepath.Join(dir, "roadbed.db"), node.Migrations())
		o, closing, err := lifeOptions(dir, db)
		if err != nil {
			t.Fatal(err)
		}
		defer closing()
		n, err := node.New(o)
		if err != nil {
			t.Fatal(err)
		}
		clustertest.Apply(t, n, owner, objects)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	apply(clustertest.App(t, "program:1", "crash.test", 2, "VERSION="+version))
	for range 3 {
		killAfter(t, dir, "healthy 2")
	}
	apply(clustertest.App(t, "program:1", "crash.test", 2, "VERSION="+version, "HEALTH=500"))
	killAfter(t, dir, "healthy 2") // the old ones stay, also in a new life: the new version is not good

	db := storetest.Open(t, "sqlite:"+filepath.Join(dir, "roadbed.db"), node.Migrations())
	o, closing, err := lifeOptions(dir, db)
	if err != nil {
		t.Fatal(err)
	}
	defer closing()
	b := start(t, o)
	clustertest.Await(t, b.Cluster, owner, "two old pods and a new one, and a program of each", func(nodes []cluster.Node) bool {
		healthy := 0
		for _, p := range clustertest.Kind(nodes, "Pod") {
			if p.Health == cluster.Healthy {
				healthy++
			}
		}
		return healthy == 2 && len(clustertest.Kind(nodes, "Pod")) == 3 && len(clustertest.Kind(nodes, "ReplicaSet")) == 2 &&
			len(programs(t, version)) == 3
	})
	b.want(t, "crash.test", "/", version)
	b.stop()
	if pids := programs(t, version); len(pids) != 0 {
		t.Errorf("after the end programs still run: %v", pids)
	}
}

// killAfter runs a node in a process of its own until it prints a line, and kills it.
func killAfter(t *testing.T, dir, line string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0])
	command.Env = append(os.Environ(), lifeDir+"="+dir)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	found := false
	for lines := bufio.NewScanner(out); !found && lines.Scan(); {
		found = lines.Text() == line
	}
	if err := command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	_ = command.Wait() // it was killed
	if !found {
		t.Fatalf("the node never printed %q", line)
	}
}
