package workflow_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/product/workflow"
)

// TestStories plays testdata/stories/*.txtar: a workflow, and a story of what happens to it and what is expected.
// One command a line:
//
//	submit NAME=VALUE…       start it with arguments
//	started KEY…             exactly these leaves have started since the last look
//	succeed KEY NAME=VALUE…  end a leaf well; result=… is its standard output, artifact:NAME=DIGEST an artifact
//	fail KEY [CODE]          end a leaf by an exit code (1)
//	lose KEY                 end a leaf because its worker was lost
//	wait DURATION            let time pass
//	resume|reject KEY        decide of a suspended leaf
//	cancel, retry            the whole run
//	state STATE [WORDS]      the run is in that state, and its reason holds the words
//	phase KEY PHASE [WORDS]  the node is in that phase, and its message holds the words
//	output NAME VALUE        of the run
//	argv KEY WORDS           the leaf's command, its words joined by a space
//	wakes DURATION           the run looks again after that time; "never" if it doesn't
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &story{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), seen: map[string]bool{}, templates: map[string]string{}}
			script := ""
			for _, f := range archive.Files {
				switch f.Name {
				case "workflow.yaml":
					s.document = f.Data
				case "story":
					script = string(f.Data)
				default:
					s.templates[strings.TrimSuffix(f.Name, ".yaml")] = string(f.Data)
				}
			}
			for i, line := range strings.Split(script, "\n") {
				line, _, _ = strings.Cut(line, " # ")
				if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
					s.line = fmt.Sprintf("%s: story line %d: %s", file, i+1, line)
					s.command(words[0], words[1:])
				}
			}
		})
	}
}

type story struct {
	t         *testing.T
	document  []byte
	templates map[string]string
	line      string
	now       time.Time
	view      *run.View
	seen      map[string]bool
}

func (s *story) fatal(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s\n\t%s", s.line, fmt.Sprintf(format, args...))
}

func (s *story) command(name string, args []string) {
	commands := map[string]func([]string){
		"submit": s.submit, "started": s.started, "succeed": s.succeed, "fail": s.fail, "lose": s.lose, "wait": s.wait,
		"resume": s.resume, "reject": s.resume, "cancel": s.cancel, "retry": s.retry, "state": s.state, "phase": s.phase,
		"output": s.output, "argv": s.argv, "wakes": s.wakes,
	}
	do, found := commands[name]
	if !found {
		s.fatal("there is no command %q", name)
	}
	if name == "reject" {
		args = append(args, "reject")
	}
	do(args)
}

func pairs(args []string) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		m[name] = strings.NewReplacer(`\s`, " ", `\n`, "\n").Replace(value)
	}
	return m
}

func (s *story) submit(args []string) {
	plan, err := workflow.PlanForTest("workflow.yaml", s.document, s.templates, pairs(args))
	if err != nil {
		s.fatal("submit: %v", err)
	}
	input, err := json.Marshal(plan)
	if err != nil {
		s.fatal("%v", err)
	}
	s.view = run.NewView(workflow.Kind(), run.Run{
		ID: "run_1", Kind: workflow.RunKind, Space: "default", Input: input, Created: s.now, Started: s.now,
		Source: run.Source{Repository: "team/shop", Commit: "abc", Ref: "refs/heads/main"},
	}, s.now)
	s.advance()
}

func (s *story) advance() {
	s.view.Now = s.now
	for range 100 {
		before := s.view.Run.State
		if s.view.Run.Terminal {
			return
		}
		if err := workflow.Kind().Advance(s.view); err != nil {
			s.fatal("advance: %v", err)
		}
		if s.view.Run.State == before {
			return
		}
	}
	s.fatal("it does not come to rest")
}

func (s *story) step(key string) *run.Step {
	var found *run.Step
	for _, step := range s.view.Steps {
		if node, _, _ := strings.Cut(step.Key, "#"); node == key {
			found = step
		}
	}
	if found == nil {
		s.fatal("there is no leaf %q; there are %v", key, s.keys())
	}
	return found
}

func (s *story) keys() (keys []string) {
	for _, step := range s.view.Steps {
		keys = append(keys, step.Key)
	}
	return keys
}

func (s *story) started(want []string) {
	var got []string
	for _, step := range s.view.Steps {
		at := fmt.Sprintf("%s/%d", step.Key, step.Attempt)
		if !s.seen[at] && !step.State.Done() {
			got = append(got, step.Key)
		}
		s.seen[at] = true
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.fatal("started %v, want %v", got, want)
	}
}

func (s *story) end(step *run.Step, state run.StepState, result worker.Result) {
	if step.State.Done() {
		s.fatal("leaf %s has ended already (%s)", step.Key, step.State)
	}
	step.State, step.Result, step.Ended = state, result, s.now
	s.advance()
}

func (s *story) succeed(args []string) {
	result := worker.Result{Outputs: map[string]string{}, Artifacts: map[string]worker.Artifact{}}
	for name, value := range pairs(args[1:]) {
		if artifact, found := strings.CutPrefix(name, "artifact:"); found {
			result.Artifacts["artifact-"+artifact] = worker.Artifact{Digest: value, Kind: "file"}
		} else if name == "result" {
			result.Outputs["result"] = value + "\n"
		} else {
			result.Outputs["parameter-"+name] = value
		}
	}
	s.end(s.step(args[0]), run.StepSucceeded, result)
}

func (s *story) fail(args []string) {
	code := 1
	if len(args) > 1 {
		code, _ = strconv.Atoi(args[1])
	}
	s.end(s.step(args[0]), run.StepFailed, worker.Result{ExitCode: code})
}

func (s *story) lose(args []string) {
	step := s.step(args[0])
	step.Reason = "its worker was lost"
	s.end(step, run.StepFailed, worker.Result{})
}

func (s *story) wait(args []string) {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		s.fatal("%v", err)
	}
	s.now = s.now.Add(d)
	s.advance()
}

func (s *story) resume(args []string) {
	verdict := "approve"
	if len(args) > 1 {
		verdict = args[1]
	}
	step := s.step(args[0])
	if step.State != run.StepWaiting {
		s.fatal("leaf %s is not suspended but %s", step.Key, step.State)
	}
	step.Data, _ = json.Marshal(map[string]string{"type": "Suspend", "verdict": verdict})
	s.advance()
}

func (s *story) cancel([]string) {
	s.view.Run.CancelRequested = true
	s.view.CancelOpenSteps("canceled")
	s.advance()
}

func (s *story) retry([]string) {
	s.view.Now = s.now
	if err := workflow.Kind().Retry(s.view); err != nil {
		s.fatal("retry: %v", err)
	}
	s.advance()
}

func (s *story) state(args []string) {
	if got := s.view.Run.State; got != args[0] {
		s.fatal("the run is %s (%s), want %s\n%s", got, s.view.Run.Reason, args[0], s.nodes())
	}
	if words := strings.Join(args[1:], " "); !strings.Contains(s.view.Run.Reason, words) {
		s.fatal("the reason is %q, want %q", s.view.Run.Reason, words)
	}
}

func (s *story) graph() []workflow.Node {
	nodes, err := workflow.GraphForTest(s.view.Run, s.view.Steps, s.now)
	if err != nil {
		s.fatal("%v", err)
	}
	return nodes
}

func (s *story) nodes() string {
	var b strings.Builder
	for _, n := range s.graph() {
		fmt.Fprintf(&b, "\t%-30s %-9s %-9s %s\n", n.Key, n.Type, n.Phase, n.Message)
	}
	return b.String()
}

func (s *story) phase(args []string) {
	for _, n := range s.graph() {
		if n.Key != args[0] {
			continue
		}
		if string(n.Phase) != args[1] {
			s.fatal("node %s is %s (%s), want %s", n.Key, n.Phase, n.Message, args[1])
		}
		if words := strings.Join(args[2:], " "); !strings.Contains(n.Message, words) {
			s.fatal("its message is %q, want %q", n.Message, words)
		}
		return
	}
	s.fatal("there is no node %s:\n%s", args[0], s.nodes())
}

func (s *story) output(args []string) {
	var out workflow.Output
	if err := json.Unmarshal(s.view.Run.Output, &out); err != nil {
		s.fatal("the run has no output: %v", err)
	}
	if got, want := out.Parameters[args[0]], strings.Join(args[1:], " "); got != want {
		s.fatal("output %s = %q, want %q", args[0], got, want)
	}
}

func (s *story) argv(args []string) {
	if got, want := strings.Join(s.step(args[0]).Job.Argv, " "), strings.Join(args[1:], " "); got != want {
		s.fatal("argv = %q, want %q", got, want)
	}
}

func (s *story) wakes(args []string) {
	wake := s.view.Run.Wake
	if args[0] == "never" {
		if !wake.IsZero() {
			s.fatal("it wakes after %v", wake.Sub(s.now))
		}
		return
	}
	if want, err := time.ParseDuration(args[0]); err != nil || !wake.Equal(s.now.Add(want)) {
		s.fatal("it wakes after %v, want %v, %v", wake.Sub(s.now), want, err)
	}
}
