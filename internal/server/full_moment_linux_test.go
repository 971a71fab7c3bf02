package server

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/disktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
)

// TestAReportWaitsForADiskThatIsFull fills the disk of SQLite while a command runs, and keeps it full while the command
// ends and its worker wants to say so. With space again the run goes on, as if nothing had been.
func TestAReportWaitsForADiskThatIsFull(t *testing.T) {
	t.Parallel()
	o := options(t)
	disktest.Small(t, o.Data, "96m")
	h, server := openWith(t, o)
	g := newGround(t, h, server)
	submit := func() (client.RunDetail, error) {
		return client.Post[client.RunDetail](t.Context(), g.admin, "/workflows/runs", map[string]string{
			"document": writes("echo kept > /work/out; sleep 33.8 || true", "      outputs: {parameters: [{name: out, valueFrom: {path: /work/out}}]}\n"),
		})
	}
	r, err := submit()
	if err != nil {
		t.Fatal(err)
	}
	pid := sleepIn(t, r.ID, "33.8")
	free := disktest.Fill(t, o.Data, 0)
	for n := 0; err == nil; n++ { // until what the database has in reserve is used up, too
		if _, err = client.Post[client.NewToken](t.Context(), g.admin, "/tokens", map[string]any{"name": "test"}); n > 400 {
			t.Fatal("a full disk takes everything")
		}
	}
	if !strings.Contains(err.Error(), "the disk of the database is full") {
		t.Fatalf("the database refuses with: %v", err)
	}
	wakeUp(t, pid)
	// The worker has cleared the workspace away before it reports.
	work, before := filepath.Join(o.Data, "work", "default", "work", "*"), int64(0)
	err = eventually(t.Context(), func() (bool, error) {
		left, err := filepath.Glob(work)
		before = h.DB.Stats().Failed
		return len(left) == 0, err
	})
	if err == nil {
		err = eventually(t.Context(), func() (bool, error) { return h.DB.Stats().Failed >= before+4, nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	if now := g.now(r.ID); now.State != "running" || now.Steps[0].State != "leased" {
		t.Errorf("while the disk is full the run is %s, and its step %s", now.State, now.Steps[0].State)
	}
	free()
	r = g.rests(r.ID)
	g.wantRun(r, "succeeded", "")
	if r.Steps[0].Attempt != 1 || r.Steps[0].Outputs["parameter-out"] != "kept\n" {
		t.Errorf("the step is %+v", r.Steps[0])
	}
	if report, err := ledger.Verify(t.Context(), h.DB); err != nil || report.Broken != nil {
		t.Errorf("the ledger: %+v, %v", report, err)
	}
}

// now gives a run as it is.
func (g *ground) now(id string) client.RunDetail {
	g.t.Helper()
	r, err := client.Get[client.RunDetail](g.t.Context(), g.admin, "/runs/"+id, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// deploys is a pipeline that waits, and then has the platform commit an image.
const deploys = `apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: pipeline}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: nobody}]}
  templates:
    - name: main
      dag:
        tasks:
          - {name: wait, template: wait}
          - {name: deploy, template: deploy, depends: wait}
    - name: wait
      container: {image: busybox, command: [sh, -c], args: ["sleep 33.9 || true"]}
    - name: deploy
      plugin:
        roadbed/deploy-image: {file: deploy/deployment.yaml, image: crew/shop, digest: "DIGEST"}
`

// TestThePlatformsCommitToAFullDiskFailsWithTheReason fills the disk of the repositories before the platform commits an
// image: the run fails and says why, the branch is where it was, and with space again a retry commits, once. It is told
// on PostgreSQL, which is elsewhere: where the database is full as well, all waits, see above.
func TestThePlatformsCommitToAFullDiskFailsWithTheReason(t *testing.T) {
	t.Parallel()
	o := options(t)
	o.patience, o.Database = time.Second, newDatabase(t, "postgres")
	disktest.Small(t, o.Data, "96m")
	h, server := openWith(t, o)
	g := newGround(t, h, server)
	digest := "sha256:" + strings.Repeat("0a", 32)
	first := g.push("alice", "crew/shop", map[string]string{
		"ci/pipeline.yaml": strings.Replace(deploys, "DIGEST", digest, 1), "deploy/deployment.yaml": "image: registry.local/crew/shop:unbuilt\n",
	})
	g.apply(onPush(""))
	id := g.event(first).Run
	pid := sleepIn(t, id, "33.9")
	free := disktest.Fill(t, o.Data, 0)
	wakeUp(t, pid)
	if r := until(t, g.admin, id, ended); r.State == "succeeded" || !strings.Contains(r.Reason, "the disk of the server is full") {
		t.Errorf("the run is %s: %s; %s", r.State, r.Reason, steps(r))
	}
	if left, err := filepath.Glob(filepath.Join(o.Data, "repositories", "*.git", "fast_import_crash_*")); err != nil || len(left) > 0 {
		t.Errorf("the commit that failed left %v, %v", left, err)
	}
	free()
	clone := filepath.Join(g.dir, "alice", "crew/shop")
	if at := g.do("alice", clone, "ls-remote", "origin", "main"); !strings.HasPrefix(at, first) {
		t.Errorf("the branch is at %s, want %s", at, first)
	}
	if _, err := g.act("admin", id, "retry"); err != nil {
		t.Fatal(err)
	}
	g.wantRun(until(t, g.admin, id, ended), "succeeded", "")
	g.do("alice", clone, "pull", "--quiet", "--rebase", "origin", "main")
	if n := g.do("alice", clone, "rev-list", "--count", first+"..HEAD"); n != "1" {
		t.Errorf("the platform has committed %s times", n)
	}
	if shown := g.do("alice", clone, "show", "HEAD:deploy/deployment.yaml"); shown != "image: registry.local/crew/shop@"+digest {
		t.Errorf("the file says %q", shown)
	}
}
