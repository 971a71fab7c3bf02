package workflow_test

import (
	"context"
	"encoding/csv"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// start runs a real worker with real processes until the test ends.
func (b bundle) start(t *testing.T) {
	t.Helper()
	e, err := process.New(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		lacktest.Skip(t, "no processes on this machine: %v", err)
	}
	t.Cleanup(e.Close)
	w := worker.New(worker.Options{
		Name: "test", Pool: run.DefaultPool, Hub: b.hub, Executor: e, Dir: t.TempDir(), Parallel: 4, Now: b.clock.Now,
		Grace: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("worker: %v", err)
		}
	})
}

// end waits for a run to end.
func (b bundle) end(t *testing.T, id string) run.Detail {
	t.Helper()
	ctx, stop := context.WithTimeout(actor.AsSystem(t.Context()), 2*time.Minute)
	defer stop()
	var version int64
	for {
		d, err := b.runs.Detail(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if d.Run.Terminal {
			return d
		}
		version = d.Run.Version
		if _, err := b.runs.Wait(ctx, id, version); err != nil {
			t.Fatalf("run %s is %s (%s): %v\n%s", d.Run.Title, d.Run.State, d.Run.Reason, err, b.logs(t, d))
		}
	}
}

// TestArtifactsAndResultsOfRealSteps runs what only a shell can show: captured output, files of /tmp, trees.
func TestArtifactsAndResultsOfRealSteps(t *testing.T) {
	t.Parallel()
	b := setup(t, storetest.SQLite(t, rooms()...), nil)
	b.start(t)
	s := submission("")
	s.Document = []byte(`
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: real}
spec:
  entrypoint: main
  arguments: {artifacts: [{name: seed, raw: {data: "from the document\n"}}]}
  templates:
    - name: main
      inputs: {artifacts: [{name: seed}]}
      dag:
        tasks:
          - {name: make, template: make, arguments: {artifacts: [{name: seed, from: "{{inputs.artifacts.seed}}"}]}}
          - {name: use, depends: make, template: use, arguments: {parameters: [{name: words, value: "{{tasks.make.outputs.result}}"}], artifacts: [{name: file, from: "{{tasks.make.outputs.artifacts.file}}"}, {name: tree, from: "{{tasks.make.outputs.artifacts.tree}}"}]}}
          - {name: broken, template: broken, continueOn: {failed: true}}
      outputs: {parameters: [{name: all, valueFrom: {parameter: "{{tasks.use.outputs.parameters.all}}"}}]}
    - name: make
      inputs: {artifacts: [{name: seed, path: /tmp/deep/in/seed, mode: 384}]}
      script:
        image: x
        command: [sh, -e]
        source: |
          echo "it's noise" >&2
          echo "two"; echo "lines"
          cat /tmp/deep/in/seed > /tmp/file
          mkdir -p /work/out/sub && echo leaf > /work/out/sub/leaf
          printf 5 > /tmp/number
      outputs:
        parameters: [{name: number, valueFrom: {path: /tmp/number}}, {name: missing, valueFrom: {path: /tmp/none, default: fallback}}]
        artifacts: [{name: file, path: /tmp/file}, {name: tree, path: /work/out}, {name: maybe, path: /work/none, optional: true}]
    - name: use
      inputs: {parameters: [{name: words}], artifacts: [{name: file, path: /work/file}, {name: tree, path: /tmp/tree}]}
      container:
        image: x
        command: [sh, -ec]
        args: ['test "{{inputs.parameters.words}}" = "two
          lines" || test -n "$(printf %s "{{inputs.parameters.words}}" | grep two)"; cat /work/file /tmp/tree/sub/leaf > all']
        workingDir: /work
      outputs: {parameters: [{name: all, valueFrom: {path: /work/all}}]}
    - {name: broken, container: {image: x, command: [sh, -c, "echo out of luck; exit 7"]}}
`)
	r, err := b.s.Submit(as(t, "dev"), s)
	if err != nil {
		t.Fatal(err)
	}
	d := b.end(t, r.ID)
	if d.Run.State != "succeeded" || !strings.Contains(string(d.Run.Output), `"all":"from the document\nleaf"`) {
		t.Fatalf("the run is %s (%s) with %s\n%s", d.Run.State, d.Run.Reason, d.Run.Output, b.logs(t, d))
	}
	nodes, err := b.s.Graph(actor.AsSystem(t.Context()), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		switch n.Key {
		case "main.broken":
			if n.Phase != workflow.Failed || n.Outputs.ExitCode != "7" {
				t.Errorf("broken = %+v", n)
			}
		case "main.make":
			if *n.Outputs.Result != "two\nlines" || n.Outputs.Parameters["missing"] != "" || n.Outputs.Parameters["number"] != "5" || n.Outputs.Artifacts["tree"].Kind != "tree" {
				t.Errorf("make = %+v", n)
			}
		}
	}
}

// logs gives the logs of all steps, for a test that failed.
func (b bundle) logs(t *testing.T, d run.Detail) string {
	t.Helper()
	var out strings.Builder
	for _, step := range d.Steps {
		p := make([]byte, 2000)
		n, _, _, err := b.runs.ReadLog(actor.AsSystem(t.Context()), d.Run.ID, step.Key, 0, 0, p)
		out.WriteString(step.Key + " " + string(step.State) + " " + step.Reason + "\n" + string(p[:n]))
		if err != nil {
			out.WriteString(err.Error())
		}
	}
	return out.String()
}

var (
	commandPattern = regexp.MustCompile(`command:\s*\[\s*"?([a-z0-9/]+)"?`)
	pythonPattern  = regexp.MustCompile(`(command:\s*\[\s*"?)python("?\s*[\],])`)
)

// TestArgosExamplesEndAsUpstream runs Argo's own examples by real processes: those that upstream's CI runs, that are
// within the slice, and of which the programs are on this machine.
func TestArgosExamplesEndAsUpstream(t *testing.T) {
	t.Parallel()
	dir := lacktest.Corpus(t, "argo-workflows")
	index, err := os.Open(filepath.Join(dir, "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	reader := csv.NewReader(index)
	reader.Comma, reader.LazyQuotes, reader.FieldsPerRecord = '\t', true, -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, storetest.SQLite(t, rooms()...), nil)
	b.start(t)
	started := map[string]string{}
	want := map[string]string{}
	for _, row := range rows[1:] {
		file, phase := row[0], row[12]
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		data = debian(data)
		if row[5] != "y" && phase != "Failed" || !runnable(data) || slices.Contains([]string{"examples/timeouts-step.yaml", "examples/dag-disable-failFast.yaml", "examples/retry-script.yaml"}, file) { // those sleep, or end as chance has it
			continue
		}
		s := submission("")
		s.File, s.Document, s.Source = file, data, run.Source{}
		r, err := b.s.Submit(as(t, "dev"), s)
		if fault.Is(err, fault.Invalid) {
			continue // TestCorpus looks at why
		}
		if err != nil {
			t.Fatal(err)
		}
		started[file], want[file] = r.ID, strings.ToLower(phase)
	}
	if len(started) < 12 {
		t.Errorf("only %d examples ran", len(started))
	}
	for file, id := range started {
		if d := b.end(t, id); !strings.Contains(want[file], d.Run.State) {
			t.Errorf("%s is %s (%s), want %s\n%s", file, d.Run.State, d.Run.Reason, want[file], b.logs(t, d))
		}
	}
	t.Logf("%d examples ended as upstream says", len(started))
}

// runnable tells whether a sandbox of this machine has the commands of a document.
func runnable(data []byte) bool {
	for _, m := range commandPattern.FindAllSubmatch(data, -1) {
		name := string(m[1])
		if strings.HasPrefix(name, "/") {
			name = filepath.Base(name)
		}
		found := false
		for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
			info, err := os.Stat(filepath.Join(dir, name))
			found = found || err == nil && info.Mode()&0o111 != 0
		}
		if !found {
			return false
		}
	}
	return true
}

// debian names programs as Debian has them.
func debian(data []byte) []byte {
	return pythonPattern.ReplaceAll(data, []byte("${1}python3$2"))
}
