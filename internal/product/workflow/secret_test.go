package workflow_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

// leaking has a step that gives its secret in every way in which a step gives something, and later steps that use it.
const leaking = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: leaking}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        when: "{{=len(steps.make.outputs.result)}} == 8"
        arguments:
          parameters: [{name: value, value: "{{steps.make.outputs.result}}"}, {name: coded, value: "{{steps.make.outputs.parameters.coded}}"}]
          artifacts: [{name: file, from: "{{steps.make.outputs.artifacts.file}}"}, {name: tree, from: "{{steps.make.outputs.artifacts.tree}}"}]
      - name: each
        template: each
        arguments: {parameters: [{name: value, value: "{{item}}"}]}
        withParam: "{{steps.make.outputs.parameters.list}}"
      - name: tell
        template: tell
        arguments: {parameters: [{name: value, value: "{{steps.make.outputs.result}}"}]}
    - - name: end
        template: END
        arguments: {parameters: [{name: value, value: "{{steps.make.outputs.result}}"}]}
    outputs:
      parameters:
      - {name: handed, valueFrom: {parameter: "{{steps.make.outputs.parameters.coded}}"}}
      - {name: length, valueFrom: {parameter: "{{steps.use.outputs.parameters.length}}"}}
  - name: make
    outputs:
      parameters: [{name: coded, valueFrom: {path: /work/coded}}, {name: list, valueFrom: {path: /work/list}}]
      artifacts: [{name: file, path: /work/file}, {name: tree, path: /work/tree}]
    script:
      image: x
      command: [sh]
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
      source: |
        printf %s "$PASSWORD" | base64 > /work/coded
        printf '["%s-one","two"]' "$PASSWORD" > /work/list
        printf %s "$PASSWORD" > /work/file
        mkdir /work/tree && printf %s "$PASSWORD" > /work/tree/in
        printf %s "$PASSWORD"
  - name: use
    inputs:
      parameters: [{name: value}, {name: coded}]
      artifacts: [{name: file, path: /work/file}, {name: tree, path: /work/tree}]
    outputs:
      parameters: [{name: length, valueFrom: {path: /work/length}}, {name: again, valueFrom: {path: /work/tree/in}}]
      artifacts: [{name: second, path: /work/file}]
    container:
      image: x
      command: [sh, -c]
      args: ['cat /work/file /work/tree/in; echo "{{inputs.parameters.value}}"; printf %s "$V$(echo "{{inputs.parameters.coded}}" | base64 -d)$(cat /work/file /work/tree/in)" | wc -c > /work/length']
      env: [{name: V, value: "{{inputs.parameters.value}}"}]
  - name: each
    inputs: {parameters: [{name: value}]}
    container: {image: x, command: [echo, "{{inputs.parameters.value}}"]}
  - name: tell
    inputs: {parameters: [{name: value}]}
    plugin: {roadbed/note: {text: "{{inputs.parameters.value}}"}}
  - name: wrong
    inputs: {parameters: [{name: value}]}
    suspend: {duration: "{{inputs.parameters.value}}"}
  - name: right
    inputs: {parameters: [{name: value}]}
    container: {image: x, command: [echo, "{{inputs.parameters.value}}"]}
`

// work runs what workers would, until the run has ended.
func (b bundle) work(t *testing.T, id string) run.Detail {
	t.Helper()
	dir := t.TempDir()
	e, err := process.New(filepath.Join(dir, "execute"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var both sync.WaitGroup
	for pool, o := range map[string]worker.Options{
		run.DefaultPool: {Executor: e, Limits: execute.Limits{Memory: 1 << 30}}, run.ServerPool: {Handlers: b.s.Handlers()},
	} {
		o.Name, o.Pool, o.Hub, o.Dir, o.Grace = pool, pool, b.hub, filepath.Join(dir, pool), time.Second
		both.Go(func() {
			if err := worker.New(o).Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for version := int64(0); ; {
		r, err := b.runs.Wait(as(t, "reader"), id, version)
		if err != nil || ctx.Err() != nil {
			t.Fatal(err, ctx.Err())
		}
		if version = r.Version; r.Terminal {
			break
		}
	}
	cancel()
	both.Wait()
	d, err := b.runs.Detail(as(t, "reader"), id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// rows gives all texts of the tables that runs and the ledger write.
func rows(t *testing.T, db *store.DB) string {
	t.Helper()
	var all strings.Builder
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		for table, columns := range map[string]string{
			"runs": "subject, refs, title, reason, input, output, warnings", "run_steps": "key, title, reason, job, result, data, step_group",
			"run_reviews": "verdict, note", "ledger_entries": "subject, type, data", "ledger_pending": "entry",
		} {
			for column := range strings.SplitSeq(columns, ", ") {
				found, err := tx.Query(t.Context(), "SELECT CAST("+column+" AS TEXT) FROM "+table)
				_, err = store.Collect(found, err, func(row store.Row) (struct{}, error) {
					var text *string
					err := row.Scan(&text)
					if text != nil {
						fmt.Fprintf(&all, "%s.%s: %s\n", table, column, *text)
					}
					return struct{}{}, err
				})
				if err != nil {
					return fmt.Errorf("%s.%s: %w", table, column, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// leaks tells where a secret can be read: what people are shown, rows, and blobs as they lie.
func (b bundle) leaks(t *testing.T, d run.Detail) {
	t.Helper()
	nodes, err := b.s.Graph(as(t, "reader"), d.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"the run": fmt.Sprintf("%+v", d), "the rows": rows(t, b.db)}
	for _, n := range nodes {
		result := ""
		if n.Outputs.Result != nil {
			result = *n.Outputs.Result
		}
		places["node "+n.Key] = fmt.Sprintf("%+v %s", n, result)
	}
	err = filepath.WalkDir(b.blobs, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		places["blob "+path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for place, text := range places {
		for _, secret := range []string{"hunter", base64.StdEncoding.EncodeToString([]byte("hunter22"))[:8]} {
			if at := strings.Index(text, secret); at >= 0 {
				t.Errorf("%s shows the secret: …%s…", place, text[max(0, at-150):min(len(text), at+50)])
			}
		}
	}
}

// lastLines gives the last line of each step's log, by the step's title.
func (b bundle) lastLines(t *testing.T, d run.Detail) map[string]string {
	t.Helper()
	logs := map[string]string{}
	for _, s := range d.Steps {
		p := make([]byte, 1<<10)
		n, _, _, err := b.runs.ReadLog(as(t, "reader"), d.Run.ID, s.ID, 0, 0, p)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(p[:n])), "\n")
		logs[s.Title] = lines[len(lines)-1]
	}
	return logs
}

func TestASecretThatAStepGivesIsKnownToLaterStepsAlone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{})
		r, err := b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", File: "leaking.yaml", Document: []byte(strings.Replace(leaking, "END", "right", 1))})
		if err != nil {
			t.Fatal(err)
		}
		d := b.work(t, r.ID)
		if d.Run.State != "succeeded" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		b.leaks(t, d)
		// Later steps had it: by argument, variable, artifact and item.
		if want := `"length":"32"`; !strings.Contains(string(d.Run.Output), want) {
			t.Errorf("the run's output is %s, want %s", d.Run.Output, want)
		}
		if len(*b.calls) != 1 || string((*b.calls)[0].Args) != `{"text":"hunter22"}` {
			t.Errorf("the plugin was called with %+v", *b.calls)
		}
		logs := b.lastLines(t, d)
		for title, log := range map[string]string{"use": "*********", "each(0:***-one)": "***-one", "each(1:two)": "two", "end": "***"} {
			if logs[title] != log {
				t.Errorf("the log of %s is %q, want %q; all are %q", title, logs[title], log, logs)
			}
		}
	}, rooms()...)
}

func TestAStepThatCantStartDoesNotTellTheSecret(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{})
		r, err := b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", File: "leaking.yaml", Document: []byte(strings.Replace(leaking, "END", "wrong", 1))})
		if err != nil {
			t.Fatal(err)
		}
		d := b.work(t, r.ID)
		if d.Run.State != "failed" || !strings.Contains(d.Run.Reason, `"***" is not a duration`) {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		b.leaks(t, d)
	}, rooms()...)
}

// A step that gives nothing but an artifact: a later one hides what is in it.
func TestALaterStepHidesWhatAnArtifactHolds(t *testing.T) {
	t.Parallel()
	const document = `
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: artifact}
spec:
  entrypoint: main
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: use
        template: use
        arguments: {artifacts: [{name: file, from: "{{steps.make.outputs.artifacts.file}}"}]}
    - - name: last
        template: last
        arguments: {parameters: [{name: value, value: "{{steps.use.outputs.result}}"}]}
  - name: make
    outputs: {artifacts: [{name: file, path: /work/file}]}
    container:
      image: x
      command: [sh, -c, 'printf %s "$PASSWORD" > /work/file']
      env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}]
  - name: use
    inputs: {artifacts: [{name: file, path: /work/file}]}
    container: {image: x, command: [cat, /work/file]}
  - name: last
    inputs: {parameters: [{name: value}]}
    outputs: {parameters: [{name: length, valueFrom: {path: /work/length}}]}
    container: {image: x, command: [sh, -c, 'echo "{{inputs.parameters.value}}"; printf %s "{{inputs.parameters.value}}" | wc -c > /work/length']}
`
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := setup(t, db, catalog{})
		r, err := b.s.Submit(as(t, "dev"), workflow.Submission{Space: "payments", File: "artifact.yaml", Document: []byte(document)})
		if err != nil {
			t.Fatal(err)
		}
		d := b.work(t, r.ID)
		b.leaks(t, d)
		logs := b.lastLines(t, d)
		if d.Run.State != "succeeded" || logs["use"] != "***" || logs["last"] != "***" || d.Steps[2].Result.Outputs["parameter-length"] != "8\n" {
			t.Errorf("the run is %s: %s; logs are %q, the last step gave %q", d.Run.State, d.Run.Reason, logs, d.Steps[2].Result.Outputs)
		}
	}, rooms()...)
}
