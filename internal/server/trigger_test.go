package server

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// echo is a pipeline of one step that says a word and which commit it is at.
func echo(word string) string {
	return fmt.Sprintf(`apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {name: pipeline}
spec:
  entrypoint: main
  arguments: {parameters: [{name: who, value: nobody}]}
  templates:
    - name: main
      container: {image: busybox, command: [sh, -c], args: ["echo %s {{workflow.parameters.who}} $ROADBED_COMMIT"]}
`, word)
}

// onPush gives a trigger of pushes to crew/shop; push is added to what it listens to.
func onPush(push string) string {
	return `apiVersion: roadbed.dev/v1
kind: Trigger
metadata: {name: shop-push}
spec:
  owner: group:default/crew
  component: component:default/shop
  on: {push: {repository: crew/shop` + push + `}}
  run: {workflow: {file: ci/pipeline.yaml}, arguments: {who: world}}
`
}

// event waits for what a commit did to the trigger.
func (g *ground) event(commit string) client.TriggerEvent {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	var found []client.TriggerEvent
	err := eventually(ctx, func() (bool, error) {
		found = g.events(commit)
		return len(found) > 0, nil
	})
	if err != nil || len(found) != 1 {
		g.t.Fatalf("commit %.8s did to the trigger: %+v, %v; want one thing", commit, found, err)
	}
	return found[0]
}

func (g *ground) events(commit string) (found []client.TriggerEvent) {
	g.t.Helper()
	list, err := client.Get[client.List[client.TriggerEvent]](g.t.Context(), g.admin, "/triggers/default/shop-push/events", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.Commit == commit {
			found = append(found, e)
		}
	}
	return found
}

// TestAPushStartsItsPipeline tells what starts a pipeline, and what does not.
func TestAPushStartsItsPipeline(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		first := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello")})
		g.apply(onPush(`, branches: [main, "release-*"], ignorePaths: ["docs/**"]`)) // it looks at what is there already
		e := g.event(first)
		r := until(t, g.admin, e.Run, ended)
		g.wantRun(r, "succeeded", "")
		if e.Outcome != "started" || r.Source.Commit != first || r.Source.Repository != "crew/shop" || r.Subject != "component:default/shop" || r.Actor.Name != "alice" {
			t.Errorf("the first push: %+v started %+v", e, r)
		}
		if log := g.log(r.ID, r.Steps[0].Key); !strings.Contains(log, "hello world "+first) {
			t.Errorf("the pipeline said %q", log)
		}
		// The pipeline is read at the pushed commit.
		second := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("goodbye")})
		r = until(t, g.admin, g.event(second).Run, ended)
		if log := g.log(r.ID, r.Steps[0].Key); !strings.Contains(log, "goodbye world "+second) {
			t.Errorf("the second pipeline said %q", log)
		}
		// Declaring the trigger again, or pushing the same commit again, starts no second run of it.
		g.apply(strings.Replace(onPush(`, branches: [main, "release-*"], ignorePaths: ["docs/**"]`), "world", "everybody", 1))
		dir := g.dir + "/alice/crew/shop"
		g.do("alice", dir, "push", "--quiet", "origin", "main", "main:refs/heads/feature-x")
		docs := g.push("alice", "crew/shop", map[string]string{"docs/index.md": "about"})
		if e := g.event(docs); e.Outcome != "skipped" || e.Message != "no path of interest changed" || e.Run != "" {
			t.Errorf("a push of docs alone: %+v", e)
		}
		g.do("alice", dir, "push", "--quiet", "origin", "main:refs/heads/release-1")
		release := func() bool {
			for _, e := range g.events(docs) {
				if e.Ref == "refs/heads/release-1" && e.Outcome == "started" {
					return true
				}
			}
			return false
		}
		if err := eventually(t.Context(), func() (bool, error) { return release(), nil }); err != nil {
			t.Error(err)
		}
		// What the platform commits starts none.
		parent, err := g.house.Repositories.Platform().Head(t.Context(), "crew/shop", "main")
		if err != nil {
			t.Fatal(err)
		}
		own, err := g.house.Repositories.Platform().Commit(t.Context(), "crew/shop", git.CommitRequest{
			Branch: "main", Parent: parent, Message: "a new digest", Changes: []git.FileChange{{Path: "deploy/web.yaml", Content: []byte("image: x\n")}},
			Author: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: time.Now()},
		})
		if err != nil {
			t.Fatal(err)
		}
		g.do("alice", dir, "pull", "--quiet", "--rebase", "origin", "main")
		last := g.push("alice", "crew/shop", map[string]string{"main.go": "package main"})
		g.wantRun(until(t, g.admin, g.event(last).Run, ended), "succeeded", "")
		if got := g.events(own); len(got) > 0 {
			t.Errorf("the platform's own commit did %+v", got)
		}
		var commits []string
		all, err := client.All[client.Run](t.Context(), g.admin, "/runs", map[string][]string{"kind": {"workflow"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			commits = append([]string{r.Source.Commit}, commits...)
		}
		if want := []string{first, second, docs, last}; fmt.Sprint(commits) != fmt.Sprint(want) {
			t.Errorf("there were runs of %v, want one each of %v", commits, want)
		}
		// A trigger that is gone starts nothing.
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/trigger/default/shop-push", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		after := g.push("alice", "crew/shop", map[string]string{"main.go": "package main // more"})
		g.push("alice", "crew/other", map[string]string{"x": "y"}) // what follows has been heard when this has
		if runs := g.workflowRuns(after); len(runs) > 0 {
			t.Errorf("a trigger that is gone started %v", runs)
		}
	})
}

func (g *ground) workflowRuns(commit string) []client.Run {
	g.t.Helper()
	page, err := client.Get[client.List[client.Run]](g.t.Context(), g.admin, "/runs", map[string][]string{"kind": {"workflow"}, "commit": {commit}})
	if err != nil {
		g.t.Fatal(err)
	}
	return page.Items
}

// TestAPipelineThatIsWrongIsRefusedWithItsPlace pushes what can't be run, and then what can.
func TestAPipelineThatIsWrongIsRefusedWithItsPlace(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(onPush(""))
		for what, c := range map[string]struct{ file, words string }{
			"no file":          {"", "ci/pipeline.yaml"},
			"no YAML":          {"spec: [", "ci/pipeline.yaml:1"},
			"no such template": {strings.Replace(echo("x"), "entrypoint: main", "entrypoint: build", 1), "ci/pipeline.yaml:5:3: spec.entrypoint"},
			"not a workflow":   {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "ci/pipeline.yaml"},
			"no parameter":     {strings.Replace(echo("x"), "workflow.parameters.who", "workflow.parameters.when", 1), "ci/pipeline.yaml:9:61: spec.templates.0.container.args.0"},
		} {
			files := map[string]string{"what": what}
			if c.file != "" {
				files["ci/pipeline.yaml"] = c.file
			}
			e := g.event(g.pushAlone("alice", files))
			if e.Outcome != "refused" || e.Run != "" || !strings.Contains(e.Message, c.words) {
				t.Errorf("%s: %+v; want a refusal that names %s", what, e, c.words)
			}
		}
		good := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello")})
		g.wantRun(until(t, g.admin, g.event(good).Run, ended), "succeeded", "")
	})
}

// pushAlone replaces all files of crew/shop.
func (g *ground) pushAlone(who string, files map[string]string) string {
	g.t.Helper()
	g.push(who, "crew/shop", map[string]string{"keep": fmt.Sprint(time.Now().UnixNano())})
	dir := g.dir + "/" + who + "/crew/shop"
	g.do(who, dir, "rm", "-r", "--quiet", ".")
	return g.push(who, "crew/shop", files)
}

// TestATriggerActsWithinItsSpace declares triggers over what is not theirs, and wrong ones.
func TestATriggerActsWithinItsSpace(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n")
		commit := g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello")})
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"documents": onPush(""), "source": "lab", "space": "lab"}); err != nil {
			t.Fatal(err)
		}
		if e := g.event(commit); e.Outcome != "refused" || !strings.Contains(e.Message, "a trigger only acts within its own space") {
			t.Errorf("a trigger of lab over a repository of default: %+v", e)
		}
		if _, err := client.Get[any](t.Context(), g.as["mallory"], "/triggers/default/shop-push/events", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("events shown to somebody without rights: %v", err)
		}
		for where, document := range map[string]string{
			"7:15 spec.on.push.repository":    strings.Replace(onPush(""), "crew/shop", "https://x", 1),
			"8:20 spec.run.workflow.file":     strings.Replace(onPush(""), "ci/pipeline.yaml", "../pipeline.yaml", 1),
			"spec.on.push.branches":           onPush(`, branches: ["a[b"]`),
			"spec.on: names no event":         strings.Replace(onPush(""), "{push: {repository: crew/shop}}", "{}", 1),
			"7:8 spec.on.pull: unknown field": strings.Replace(onPush(""), "on: {push:", "on: {pull: x, push:", 1),
		} {
			err := g.try("alice", document)
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), where) {
				t.Errorf("want an error at %s: %v", where, err)
			}
		}
		if err := g.try("rita", onPush("")); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader declares a trigger: %v", err)
		}
	})
}

// TestATriggerThatComesToALiveServiceHoldsUpNoSync adds triggers where the head of a branch is the platform's own
// commit, of which no push will tell them.
func TestATriggerThatComesToALiveServiceHoldsUpNoSync(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"ci/pipeline.yaml": echo("hello")})
		platform := g.house.Repositories.Platform()
		authored, err := platform.Head(t.Context(), "crew/shop", "main")
		if err != nil {
			t.Fatal(err)
		}
		own, err := platform.Commit(t.Context(), "crew/shop", git.CommitRequest{
			Branch: "main", Parent: authored, Message: "a new digest", Changes: []git.FileChange{{Path: "deploy/web.yaml", Content: []byte("image: x\n")}},
			Author: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: time.Now()},
		})
		if err != nil {
			t.Fatal(err)
		}
		dir := g.dir + "/alice/crew/shop"
		g.do("alice", dir, "push", "--quiet", "origin", "main:refs/heads/release-1")
		g.push("alice", "crew/other", map[string]string{"x": "y"})
		state := func(ref string) string {
			t.Helper()
			s, _, err := g.house.Triggers.Pipeline(t.Context(), "crew/shop", ref, own)
			if err != nil {
				t.Fatal(err)
			}
			return string(s)
		}
		if got := state("refs/heads/main"); got != "none" {
			t.Errorf("without a trigger, the pipeline of the head is %s", got)
		}
		// It looks at the commit below, which a person made.
		g.apply(onPush(`, branches: [main, "release-*"]`))
		e := g.event(authored)
		g.wantRun(until(t, g.admin, e.Run, ended), "succeeded", "")
		if e.Outcome != "started" || state("refs/heads/main") != "passed" {
			t.Errorf("the trigger did %+v; the pipeline of the head is %s", e, state("refs/heads/main"))
		}
		// What was pushed to a branch that it has a pattern for before it came, it is never asked of.
		if got := state("refs/heads/release-1"); got != "none" {
			t.Errorf("the pipeline of an older branch is %s", got)
		}
	})
}
