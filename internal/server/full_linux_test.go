package server

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/disktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// writes gives a workflow with one step.
func writes(script, outputs string) string {
	return `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: writes}
spec:
  entrypoint: main
  templates:
    - name: main
      container: {image: busybox, command: [sh, -ec], args: ["` + script + `"]}
` + outputs
}

// TestAFullDiskEndsRunsWithTheReason fills the disk of a server's data folder, with its database where that is a file:
// what was under way ends as failed and says why, what comes new is refused or fails, nothing hangs or is lost, and
// with space again a retry works.
func TestAFullDiskEndsRunsWithTheReason(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			o := options(t)
			o.patience = time.Second
			disktest.Small(t, o.Data, "96m")
			if kind == "postgres" {
				o.Database = newDatabase(t, kind)
			}
			h, server := openWith(t, o)
			fullDisk(t, newGround(t, h, server))
		})
	}
}

func random(n int) string {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails
	return string(data)
}

func fullDisk(t *testing.T, g *ground) {
	submit := func(document string) (client.RunDetail, error) {
		return client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{"document": document})
	}
	first := g.push("alice", "crew/shop", map[string]string{"a": "1"})
	clone := filepath.Join(g.dir, "alice", "crew/shop")
	write(t, filepath.Join(clone, "large"), random(6<<20))
	g.do("alice", clone, "add", "--all")
	g.do("alice", clone, "commit", "--quiet", "--message", "large")
	image := packed(t, random(6<<20))
	registry := oci.Remote{Host: strings.TrimPrefix(g.url, "http://"), PlainHTTP: true, User: "any", Password: g.as["alice"].Token}
	pushes := func() (git, images error) {
		_, git = g.git(t.Context(), g.as["alice"], clone, "push", "--quiet", "origin", "main")
		_, images = registry.Push(t.Context(), image, "registry.local/crew/shop:v1")
		return git, images
	}
	var retry []string
	fails := func(r client.RunDetail, reason string) {
		t.Helper()
		if r.State != "failed" && r.State != "error" || !strings.Contains(r.Reason, reason) { // a step that could not be run is Argo's Error
			t.Fatalf("%s is %s: %s; want that it failed: %s", r.Title, r.State, r.Reason, reason)
		}
		retry = append(retry, r.ID)
	}

	// Some space is left, but too little for what the steps write: the same for each. The database's log may take 4 MiB of
	// it meanwhile, and 5 % of the disk are kept back.
	free := func() {}
	for _, c := range []struct{ script, outputs, reason, log string }{
		{"dd if=/dev/zero of=/work/large bs=64k count=256", "", "exit code 1", "No space left on device"},
		{"head -c 7500000 /dev/urandom > /work/out", "      outputs: {artifacts: [{name: out, path: /work/out}]}\n", "the disk of the data folder is full", ""},
		{"head -c 9000000 /dev/zero | tr '\\\\0' x | fold -w 100", "", "the step's log can't be kept", "xxxx"},
	} {
		free()
		free = disktest.Fill(t, g.house.Options.Data, 12<<20)
		run, err := submit(writes(c.script, c.outputs))
		if err != nil {
			t.Fatal(err)
		}
		run = g.rests(run.ID)
		fails(run, c.reason)
		if log := g.log(run.ID, run.Steps[0].Key); !strings.Contains(log, c.log) {
			t.Errorf("the log of %s doesn't tell: %.500s", c.script, log)
		}
	}

	// Not a byte is left. Where the database is on that disk too, nothing new is taken.
	free()
	free = disktest.Fill(t, g.house.Options.Data, 0)
	full, err := submit(writes("echo written", ""))
	if err == nil {
		fails(g.rests(full.ID), "the disk of the worker is full; free some space and retry")
	} else if !strings.Contains(err.Error(), "the disk of the database is full; free some space and try again") {
		t.Errorf("a run is refused with: %v", err)
	}

	pushed, uploaded := pushes()
	if pushed == nil || uploaded == nil || !strings.Contains(uploaded.Error(), "full") {
		t.Errorf("a push to a full disk: %v; of an image: %v", pushed, uploaded)
	}
	if at := g.do("alice", clone, "ls-remote", "origin", "main"); !strings.HasPrefix(at, first) {
		t.Errorf("after a push that was refused main is at %s, want %s", at, first)
	}

	free()
	if pushed, uploaded := pushes(); pushed != nil || uploaded != nil {
		t.Errorf("with space again, a push: %v; of an image: %v", pushed, uploaded)
	}
	for _, id := range retry {
		if _, err := g.act("admin", id, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "succeeded", "")
	}
	leavings, err := filepath.Glob(filepath.Join(g.house.Options.Data, "work", "*", "work", "*"))
	if err != nil || len(leavings) > 0 {
		t.Errorf("the folder of steps holds %v (%v)", leavings, err)
	}
	report, err := ledger.Verify(t.Context(), g.house.DB)
	if err != nil || report.Broken != nil {
		t.Errorf("the ledger: %+v, %v", report, err)
	}
	for what, query := range map[string]string{"runs that have not ended": none["runs that have not ended"], "leases of steps": none["leases of steps"], "tokens of steps": none["tokens of steps"]} {
		var n int
		if err := g.house.DB.Read(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(t.Context(), query).Scan(&n) }); err != nil || n > 0 {
			t.Errorf("%s: %d (%v)", what, n, err)
		}
	}
}
