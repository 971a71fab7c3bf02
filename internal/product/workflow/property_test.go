package workflow_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

// drawDAG gives a dag of up to eight tasks that depend on earlier ones in every way that there is.
func drawDAG(rt *rapid.T) *workflow.Plan {
	no := false
	dag := &workflow.DAG{}
	if rapid.Bool().Draw(rt, "no fail fast") {
		dag.FailFast = &no
	}
	leaves := []string{"leaf", "again", "nested", "many"}
	n := rapid.IntRange(1, 8).Draw(rt, "tasks")
	for i := range n {
		t := workflow.Task{
			Name: fmt.Sprintf("t%d", i), Template: rapid.SampledFrom(leaves).Draw(rt, "template"),
			ContinueOn: workflow.ContinueOn{Failed: rapid.Bool().Draw(rt, "failed"), Error: rapid.Bool().Draw(rt, "error")},
			Depends:    drawDepends(rt, i),
			When:       rapid.SampledFrom([]string{"", "", "", "1 > 2", "a =~ b ||"}).Draw(rt, "when"),
		}
		if rapid.IntRange(0, 4).Draw(rt, "items") == 0 {
			t.WithItems = make([]any, rapid.IntRange(0, 3).Draw(rt, "number"))
			for j := range t.WithItems {
				t.WithItems[j] = float64(j)
			}
		}
		if rapid.IntRange(0, 5).Draw(rt, "hook") == 0 {
			t.OnExit = "leaf"
		}
		dag.Tasks = append(dag.Tasks, t)
	}
	command := &workflow.Container{Command: []string{"true"}}
	main := workflow.Template{Name: "main", DAG: dag, Parallelism: rapid.IntRange(0, 3).Draw(rt, "template limit")}
	p := &workflow.Plan{Name: "w", Spec: workflow.Spec{
		Entrypoint: "main", Parallelism: rapid.IntRange(0, 3).Draw(rt, "limit"),
		Templates: []workflow.Template{
			main,
			{Name: "leaf", Container: command},
			{Name: "again", Container: command, RetryStrategy: &workflow.RetryStrategy{Limit: "2", RetryPolicy: rapid.SampledFrom([]string{"", "Always", "OnError"}).Draw(rt, "policy"), Backoff: &workflow.Backoff{Duration: "5", Factor: "2"}}},
			{Name: "nested", FailFast: rapid.Bool().Draw(rt, "nested fail fast"), Steps: [][]workflow.Task{
				{{Name: "a", Template: "leaf"}, {Name: "b", Template: "again", ContinueOn: workflow.ContinueOn{Failed: true}}},
				{{Name: "c", Template: "leaf"}},
			}},
			{Name: "many", Parallelism: 1, Steps: [][]workflow.Task{{{Name: "x", Template: "leaf", WithItems: []any{1.0, 2.0}}}}},
		},
	}}
	if rapid.Bool().Draw(rt, "exit") {
		p.Spec.OnExit = "leaf"
	}
	return p
}

func drawDepends(rt *rapid.T, i int) string {
	text := ""
	for j := range i {
		if rapid.IntRange(0, 2).Draw(rt, "dep") != 0 {
			continue
		}
		if text != "" {
			text += rapid.SampledFrom([]string{" && ", " || "}).Draw(rt, "op")
		}
		text += rapid.SampledFrom([]string{"", "", "!"}).Draw(rt, "not") + fmt.Sprintf("t%d", j) +
			rapid.SampledFrom([]string{"", "", ".Succeeded", ".Failed", ".Errored", ".Skipped", ".Omitted", ".AnySucceeded", ".AllFailed"}).Draw(rt, "result")
	}
	return text
}

// world plays the workers.
type world struct {
	plan   *workflow.Plan
	leaves map[string]workflow.Leaf
	now    time.Time
	start  time.Time
}

func (w *world) facts() workflow.Facts {
	return workflow.Facts{Leaves: maps.Clone(w.leaves), Now: w.now, Created: w.start, Started: w.start}
}

func (w *world) next() workflow.Outcome { return workflow.Next(w.plan, "run_1", w.facts()) }

func (w *world) open() []string {
	var open []string
	for key, l := range w.leaves {
		if !l.Phase.Fulfilled() {
			open = append(open, key)
		}
	}
	slices.Sort(open)
	return open
}

// TestEveryDAGEnds plays random dags with random ends of their leaves and checks what must always hold.
func TestEveryDAGEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		w := &world{plan: drawDAG(rt), leaves: map[string]workflow.Leaf{}, now: now, start: now}
		for round := 0; ; round++ {
			if round > 1000 {
				rt.Fatal("it doesn't end")
			}
			out := w.next()
			check(rt, w, out)
			for _, s := range out.Starts {
				w.leaves[s.Key] = workflow.Leaf{Phase: workflow.Running, Started: w.now}
			}
			if len(out.Starts) > 0 {
				if more := w.next(); len(more.Starts) > 0 {
					rt.Fatalf("with nothing new, it starts %s", more.Starts[0].Key)
				}
			}
			open := w.open()
			switch {
			case out.Phase.Fulfilled():
				if len(open) > 0 {
					rt.Fatalf("it ended as %s while %v run", out.Phase, open)
				}
				return
			case len(open) > 0:
				key := rapid.SampledFrom(open).Draw(rt, "leaf")
				w.now = w.now.Add(time.Second)
				w.leaves[key] = workflow.Leaf{Started: w.leaves[key].Started, Ended: w.now,
					Phase: rapid.SampledFrom([]workflow.Phase{workflow.Succeeded, workflow.Succeeded, workflow.Failed, workflow.Error}).Draw(rt, "end")}
			case !out.Wake.IsZero():
				w.now = out.Wake
			default:
				rt.Fatalf("nothing runs, nothing is waited for, and it is %s:\n%s", out.Phase, show(out))
			}
		}
	})
}

func check(rt *rapid.T, w *world, out workflow.Outcome) {
	nodes := map[string]workflow.Node{}
	for _, n := range out.Nodes {
		if _, twice := nodes[n.Key]; twice {
			rt.Fatalf("two nodes are %s", n.Key)
		}
		nodes[n.Key] = n
	}
	for key := range w.leaves {
		if _, there := nodes[key]; !there {
			rt.Fatalf("leaf %s is no longer a node:\n%s", key, show(out))
		}
	}
	for _, s := range out.Starts {
		for _, before := range nodes[s.Key].Depends {
			if n, there := nodes[before]; there && !n.Phase.Fulfilled() {
				rt.Fatalf("%s starts before %s has ended", s.Key, before)
			}
		}
	}
	running := len(w.open()) + len(out.Starts)
	if most := w.plan.Spec.Parallelism; most > 0 && running > most {
		rt.Fatalf("%d leaves run, over the limit of %d", running, most)
	}
	if most := w.plan.Spec.Templates[0].Parallelism; most > 0 {
		children := map[string]bool{}
		for _, key := range w.open() {
			children[childOf(key)] = true
		}
		for _, s := range out.Starts {
			children[childOf(s.Key)] = true
		}
		delete(children, "")
		if len(children) > most {
			rt.Fatalf("children %v run, over the limit of %d", slices.Sorted(maps.Keys(children)), most)
		}
	}
}

// childOf gives the child of main, an item counting as one, in which a leaf is.
func childOf(key string) string {
	rest, found := strings.CutPrefix(key, "main.")
	if !found {
		return ""
	}
	rest = strings.TrimSuffix(rest, "~exit")
	if i := strings.IndexAny(rest, "["); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.IndexByte(rest, '('); i >= 0 { // attempts of one task are one child; items are many
		return rest
	}
	return rest
}

func show(out workflow.Outcome) string {
	var b strings.Builder
	for _, n := range out.Nodes {
		fmt.Fprintf(&b, "%-30s %-9s %-9s %s\n", n.Key, n.Type, n.Phase, n.Message)
	}
	return b.String()
}

// TestPlainDAGEndsAsItMust compares dags of plain dependencies with a few lines that say what Argo's documents say.
func TestPlainDAGEndsAsItMust(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		no := false
		dag := &workflow.DAG{FailFast: &no}
		n := rapid.IntRange(1, 10).Draw(rt, "tasks")
		ends := map[string]workflow.Phase{}
		for i := range n {
			task := workflow.Task{Name: fmt.Sprintf("t%d", i), Template: "leaf"}
			for j := range i {
				if rapid.IntRange(0, 3).Draw(rt, "dep") == 0 {
					task.Dependencies = append(task.Dependencies, fmt.Sprintf("t%d", j))
				}
			}
			dag.Tasks = append(dag.Tasks, task)
			ends[task.Name] = rapid.SampledFrom([]workflow.Phase{workflow.Succeeded, workflow.Succeeded, workflow.Failed}).Draw(rt, "end")
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		w := &world{leaves: map[string]workflow.Leaf{}, now: now, start: now, plan: &workflow.Plan{Spec: workflow.Spec{Entrypoint: "main", Templates: []workflow.Template{
			{Name: "main", DAG: dag}, {Name: "leaf", Container: &workflow.Container{Command: []string{"true"}}},
		}}}}
		out := w.next()
		for range 100 {
			for _, s := range out.Starts {
				w.leaves[s.Key] = workflow.Leaf{Phase: ends[strings.TrimPrefix(s.Key, "main.")], Started: now, Ended: now}
			}
			out = w.next()
		}
		failed := false
		want := map[string]workflow.Phase{}
		for _, task := range dag.Tasks {
			want[task.Name] = ends[task.Name]
			for _, before := range task.Dependencies {
				if want[before] != workflow.Succeeded {
					want[task.Name] = workflow.Omitted
				}
			}
			failed = failed || want[task.Name] == workflow.Failed // every failure ends some branch badly
		}
		for _, node := range out.Nodes {
			if name, found := strings.CutPrefix(node.Key, "main."); found && node.Phase != want[name] {
				rt.Fatalf("%s is %s, want %s", name, node.Phase, want[name])
			}
		}
		if phase := map[bool]workflow.Phase{true: workflow.Failed, false: workflow.Succeeded}[failed]; out.Phase != phase {
			rt.Fatalf("the workflow is %s, want %s", out.Phase, phase)
		}
	})
}
