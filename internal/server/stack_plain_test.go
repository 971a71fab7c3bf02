package server

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// forbidNamespaces makes this process and its children see a kernel that has no namespaces to give. It needs a user
// namespace of its own.
func forbidNamespaces() error {
	for _, name := range []string{"user", "pid", "mnt", "net", "ipc", "uts"} {
		if err := os.WriteFile("/proc/sys/user/max_"+name+"_namespaces", []byte("0"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestStacksRunWhereNothingIsIsolated has two stacks planned and applied at once by a server on a machine without
// namespaces: each step finds the platform at a port of its own. It is told on SQLite alone: a server in a user namespace
// can't get into the folder of the tests' PostgreSQL.
func TestStacksRunWhereNothingIsIsolated(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c", "echo 0 > /proc/sys/user/max_user_namespaces").Run(); err != nil {
		lacktest.Skip(t, "this machine lets nobody make a user namespace with limits: %v", err)
	}
	engine := realEngine(t)
	v := (&victim{light: light{engine: engine}, plain: true}).begin(t)
	if log, err := os.ReadFile(v.log); err != nil || !bytes.Contains(log, []byte("do not run isolated")) {
		t.Fatalf("the server does not say that nothing is isolated (%v):\n%s", err, log)
	}
	g := groundAt(t, "http://"+v.address, crashToken)
	runs := map[string]string{}
	for _, name := range []string{"net", "web"} {
		runs[name] = g.stack(name, lightInfra, "")
	}
	for _, id := range runs {
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	}
	for _, id := range runs {
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
	}
	for name, id := range runs {
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		if s := g.stackNow(name); s.State == nil || s.State.Resources != 1 || g.output(name, "region") != `"region-one"` {
			t.Errorf("stack %s is %+v", name, s)
		}
	}
	v.stop(t)
	if left := strays(t, v.data); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}
