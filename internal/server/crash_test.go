package server

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// Variables by which the test binary becomes a server that can be killed.
const (
	crashData   = "ROADBED_TEST_CRASH_DATA"
	crashListen = "ROADBED_TEST_CRASH_LISTEN"
	crashToken  = "a-token-for-the-crash-test"
)

// crashServer is a whole server, as `roadbed server` is.
func crashServer(data string) int {
	o := Defaults()
	o.Data, o.Listen, o.Download, o.AdminToken, o.LogLevel = data, os.Getenv(crashListen), false, crashToken, "error"
	o, err := o.complete()
	if err == nil {
		err = Serve(context.Background(), o, "test")
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// victim is a server in a process of its own.
type victim struct {
	command *exec.Cmd
	log     bytes.Buffer
}

func startVictim(t *testing.T, data, address string) *victim {
	t.Helper()
	v := &victim{command: exec.Command(os.Args[0])}
	v.command.Env = append(os.Environ(), crashData+"="+data, crashListen+"="+address)
	v.command.Stderr = &v.log
	if err := v.command.Start(); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *victim) kill() {
	_ = v.command.Process.Kill() // it may have ended
	_ = v.command.Wait()
}

// awaitReady waits until the server answers.
func (v *victim) awaitReady(t *testing.T, address string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("the server does not come up again: %s", v.log.String())
		}
	}
}

// chain is a workflow of three steps, each of which hands a number on.
const chain = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: chain}
spec:
  entrypoint: main
  templates:
    - name: main
      dag:
        tasks:
          - {name: a, template: count, arguments: {parameters: [{name: n, value: "0"}]}}
          - {name: b, template: count, depends: a, arguments: {parameters: [{name: n, value: "{{tasks.a.outputs.parameters.n}}"}]}}
          - {name: c, template: count, depends: b, arguments: {parameters: [{name: n, value: "{{tasks.b.outputs.parameters.n}}"}]}}
    - name: count
      inputs: {parameters: [{name: n}]}
      container: {image: busybox, command: [sh, -c], args: ["sleep 0.02; echo $(({{inputs.parameters.n}}+1)) > /work/n"]}
      outputs: {parameters: [{name: n, valueFrom: {path: /work/n}}]}
`

// TestAServerKilledAtAnyMomentLosesNothing kills a server with its work under way, again and again, and then looks at
// what must hold: every run that was accepted ends well and once (by a
// retry, where a step was under way), the ledger is whole, no lock and no lease is
// held, and no process of a step is left.
func TestAServerKilledAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	const kills = 12
	data := filepath.Join(t.TempDir(), "data")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	api := client.New("http://"+address, crashToken)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	accepted := map[string]string{} // run by the key under which it was asked for
	for i := range kills {
		v := startVictim(t, data, address)
		t.Cleanup(v.kill)
		v.awaitReady(t, address)
		die := time.NewTimer(time.Duration(random.Int64N(int64(400 * time.Millisecond))))
		for n := 0; n < 4; n++ {
			key := fmt.Sprintf("%d-%d", i, n)
			var r client.RunDetail
			err := api.Do(t.Context(), http.MethodPost, "/workflows/runs", nil, map[string]string{"document": chain}, &r)
			if err != nil {
				break // it is being killed, or was
			}
			accepted[key] = r.ID
		}
		<-die.C
		v.kill()
	}
	if len(accepted) < kills {
		t.Fatalf("only %d runs were accepted", len(accepted))
	}
	v := startVictim(t, data, address)
	v.awaitReady(t, address)
	retried := 0
	for _, id := range accepted {
		r := until(t, api, id, func(r client.RunDetail) bool { return r.Terminal })
		if r.State != "succeeded" && strings.Contains(r.Reason, "was lost") {
			// A step that was under way is not repeated by itself, since nobody knows what it did: a person retries.
			retried++
			again, err := client.Post[client.RunDetail](t.Context(), api, "/runs/"+id+"/retry", nil)
			if err != nil {
				t.Fatal(err)
			}
			seen := again.Version
			r = until(t, api, id, func(r client.RunDetail) bool { return r.Terminal && r.Version > seen })
		}
		if r.State != "succeeded" {
			t.Errorf("run %s ended as %s: %s", id, r.State, r.Reason)
		}
		nodes, err := client.Get[client.List[client.Node]](t.Context(), api, "/runs/"+id+"/graph", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes.Items {
			if want := map[string]string{"a": "1", "b": "2", "c": "3"}[n.Name]; want != "" && strings.TrimSpace(n.Outputs["n"]) != want {
				t.Errorf("task %s of run %s gave %q, want %s", n.Name, id, n.Outputs["n"], want)
			}
		}
	}
	t.Logf("%d runs, of which %d had lost a step and were retried", len(accepted), retried)
	v.kill()
	invariants(t, data)
	if left := strays(t, data); len(left) > 0 {
		last := startVictim(t, data, address) // what a killed server leaves ends with the next
		last.awaitReady(t, address)
		last.kill()
		if left := strays(t, data); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
	}
}

// invariants looks at what a stopped server's database must hold.
func invariants(t *testing.T, data string) {
	t.Helper()
	ctx := actor.AsSystem(context.Background())
	o := Defaults()
	log, err := o.Logger()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, "sqlite:"+filepath.Join(data, databaseName), log)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	report, err := ledger.Verify(ctx, db)
	if err != nil || report.Broken != nil {
		t.Errorf("the ledger: %+v, %v", report.Broken, err)
	}
	for what, query := range map[string]string{
		"locks of runs":                    "SELECT COUNT(*) FROM run_locks",
		"leases":                           "SELECT COUNT(*) FROM run_steps WHERE state = 'leased'",
		"open steps of ended runs":         "SELECT COUNT(*) FROM run_steps s JOIN runs r ON r.id = s.run WHERE r.terminal = 1 AND s.state IN ('waiting', 'ready')",
		"runs that have not ended":         "SELECT COUNT(*) FROM runs WHERE terminal = 0",
		"runs without their first entry":   "SELECT COUNT(*) FROM runs r WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.subject = r.id AND e.type = 'run.created')",
		"runs that succeeded twice":        "SELECT COUNT(*) FROM (SELECT e.subject FROM ledger_entries e WHERE e.type = 'run.state-changed' AND e.data LIKE '%\"to\":\"succeeded\"%' GROUP BY e.subject HAVING COUNT(*) > 1) x",
		"repositories with a push to come": "SELECT COUNT(*) FROM repositories WHERE dirty = 1",
	} {
		var n int
		err := db.Read(ctx, func(tx *store.Tx) error { return tx.QueryRow(ctx, query).Scan(&n) })
		if err != nil || n != 0 {
			t.Errorf("%s: %d (%v)", what, n, err)
		}
	}
}

// strays finds processes whose root or working folder lies in the data folder.
func strays(t *testing.T, data string) []string {
	t.Helper()
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, p := range folders {
		line, err := os.ReadFile(p + "/cmdline")
		if err == nil && bytes.Contains(line, []byte(data)) && !strings.HasSuffix(p, fmt.Sprint("/", os.Getpid())) {
			left = append(left, p+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return left
}
