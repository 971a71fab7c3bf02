package scaffold_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/product/scaffold"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// failing is a template that fails after it has made a repository, until a file of that name is registered elsewhere.
var failing = strings.Replace(serviceTemplate, "catalogInfoPath: /catalog-info.yaml}", "catalogInfoPath: /nosuch.yaml}", 1)

func TestHalfWayThenContinue(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		files := map[string]string{"service/template.yaml": failing}
		for name, content := range serviceFiles {
			if name != "service/template.yaml" {
				files[name] = content
			}
		}
		b.template("default", files)
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		if d.Run.State != "failed" {
			t.Fatalf("the run is %s", d.Run.State)
		}
		for _, want := range []string{`step "register" failed`, "repository team/shop", "Retry to continue, or undo"} {
			if !strings.Contains(d.Run.Reason, want) {
				t.Errorf("the reason does not say %q: %s", want, d.Run.Reason)
			}
		}
		if made, ok := output(t, d.Run)["made"].([]any); !ok || len(made) != 2 {
			t.Errorf("made is %v", output(t, d.Run)["made"])
		}
		head, err := b.git.Resolve(accesstest.As("alice"), "team/shop", "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.git.CommitFiles(accesstest.As("alice"), "team/shop", git.CommitRequest{
			Branch: "main", Parent: head, Message: "add what is missing",
			Changes: []git.FileChange{{Path: "nosuch.yaml", Content: []byte("apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: late}\nspec: {type: service, owner: x, lifecycle: y}\n")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.runs.Retry(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		d = b.detail(d.Run.ID)
		if d.Run.State != "finished" {
			t.Fatalf("the continued run is %s: %s", d.Run.State, d.Run.Reason)
		}
		for _, s := range d.Steps {
			if want := map[bool]int{true: 2, false: 1}[s.Key == "register"]; s.Attempt != want {
				t.Errorf("step %s was tried %d times, want %d", s.Key, s.Attempt, want)
			}
		}
	})
}

func TestHalfWayThenUndo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		if d.Run.State != "failed" {
			t.Fatalf("the run is %s", d.Run.State)
		}
		if !scaffold.MayUndo(d.Run) {
			t.Error("a half-made run is not said to be one that may be undone")
		}
		if err := b.Undo(accesstest.As("rita"), d.Run.ID); !fault.Is(err, fault.Denied) {
			t.Errorf("a reader may undo: %v", err)
		}
		if err := b.Undo(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		d = b.detail(d.Run.ID)
		if d.Run.State != "undone" {
			t.Fatalf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		if _, err := b.git.Get(accesstest.As("adam"), "team/shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("the repository is still there: %v", err)
		}
		if len(b.catalog.locations) != 1 { // the template's own
			t.Errorf("locations are %v", b.catalog.locations)
		}
		if err := b.runs.Retry(accesstest.As("alice"), d.Run.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("an undone run can be retried: %v", err)
		}
		if err := b.Undo(accesstest.As("alice"), d.Run.ID); !fault.Is(err, fault.Conflict) || scaffold.MayUndo(d.Run) {
			t.Errorf("an undone run can be undone: %v", err)
		}
	})
}

// A repository of the same name that somebody made meanwhile is not this run's, whoever made it.
func TestUndoAndContinueKnowTheirOwnRepository(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
		first := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
		if err := b.git.Purge(actor.AsSystem(t.Context()), "team/shop"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.git.Create(alice, repository.NewRepository{Namespace: "team", Name: "shop", Space: "default"}); err != nil {
			t.Fatal(err)
		}
		_, err := b.git.CommitFiles(alice, "team/shop", git.CommitRequest{
			Branch: "main", Message: "work", Changes: []git.FileChange{{Path: "work.txt", Content: []byte("x")}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Undo(alice, first.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d := b.detail(first.Run.ID); d.Run.State != "undone" {
			t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
		b.file("team/shop", "work.txt")
	})
}

func TestUndoKeepsWhatOthersChanged(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
	d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	head, err := b.git.Resolve(accesstest.As("bob"), "team/shop", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.git.CommitFiles(accesstest.As("bob"), "team/shop", git.CommitRequest{
		Branch: "main", Parent: head, Message: "work", Changes: []git.FileChange{{Path: "work.txt", Content: []byte("x")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second try is refused for the same reason
		if err := b.Undo(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "has what others pushed: refs/heads/main at ") {
			t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
		}
	}
	b.file("team/shop", "work.txt")
}

// What others pushed keeps a repository, on whatever branch, and also when the run did not get to hear of its own commit.
func TestUndoKeepsBranchesOfOthers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ heard, others bool }{{true, true}, {false, true}, {false, false}} {
		each(t, func(t *testing.T, b *bench) {
			b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
			if !c.heard {
				b.faults.at, b.faults.fails = 2, true // the commit
			}
			d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
			head, err := b.git.Resolve(accesstest.As("bob"), "team/shop", "")
			if err != nil {
				t.Fatal(err)
			}
			if c.others {
				_, err := b.git.CommitFiles(accesstest.As("bob"), "team/shop", git.CommitRequest{
					Branch: "work", Message: "work", Changes: []git.FileChange{{Path: "work.txt", Content: []byte("x")}},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Undo(accesstest.As("alice"), d.Run.ID); err != nil {
				t.Fatal(err)
			}
			b.drain()
			d = b.detail(d.Run.ID)
			kept, err := b.git.Resolve(accesstest.As("bob"), "team/shop", "")
			switch {
			case c.others && (d.Run.State != "failed" || kept != head):
				t.Errorf("the run is %s, main is at %s, %v", d.Run.State, kept, err)
			case c.others && !strings.Contains(d.Run.Reason, "refs/heads/work at "):
				t.Errorf("the run does not say what is there: %s", d.Run.Reason)
			case !c.others && (d.Run.State != "undone" || !fault.Is(err, fault.NotFound)):
				t.Errorf("the run is %s: %s, and the repository is at %s, %v", d.Run.State, d.Run.Reason, kept, err)
			}
		})
	}
}

// A repository that the one who undoes can't see any more is not gone.
func TestUndoTellsOfWhatItCantSee(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
	d := b.use("carol", scaffold.NewRun{Template: "service", Space: "lab", Values: map[string]any{"name": "shop"}})
	if _, err := b.git.Transfer(accesstest.As("adam"), "team/shop", "default"); err != nil {
		t.Fatal(err)
	}
	if err := b.Undo(accesstest.As("carol"), d.Run.ID); err != nil {
		t.Fatal(err)
	}
	b.drain()
	if d = b.detail(d.Run.ID); d.Run.State != "failed" || !strings.Contains(d.Run.Reason, "you may not see it any more") {
		t.Errorf("the run is %s: %s", d.Run.State, d.Run.Reason)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := one(t)
	b.template("default", serviceFiles)
	id, err := b.Start(accesstest.As("alice"), scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.runs.Cancel(accesstest.As("alice"), id); err != nil {
		t.Fatal(err)
	}
	b.drain()
	if d := b.detail(id); d.Run.State != "canceled" {
		t.Fatalf("the run is %s", d.Run.State)
	}
	if err := b.runs.Retry(accesstest.As("alice"), id); err != nil {
		t.Fatal(err)
	}
	b.drain()
	if d := b.detail(id); d.Run.State != "finished" {
		t.Errorf("the continued run is %s: %s", d.Run.State, d.Run.Reason)
	}
}

// A server that is killed right after any of its changes to the world makes everything once, and then finishes.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	cut := []string{"", "", "", `"index":0`, `"index":3`, `"outcome":true`} // reports
	for at := 1; at <= len(cut); at++ {                                     // create, commit, register, and reports
		each(t, func(t *testing.T, b *bench) {
			b.template("default", serviceFiles)
			if b.cutOff = cut[at-1]; b.cutOff == "" {
				b.faults.at = at
			}
			d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "password": "hunter2"}})
			if d.Run.State != "finished" || b.faults.at != 0 || b.cutOff != "" {
				t.Fatalf("killed after change %d the run is %s: %s", at, d.Run.State, d.Run.Reason)
			}
			commits, err := b.git.Log(accesstest.As("alice"), "team/shop", "", "", page.Request{})
			if err != nil || len(commits.Items) != 1 {
				t.Errorf("there are %d commits, %v", len(commits.Items), err)
			}
			if made, _ := output(t, d.Run)["made"].([]any); len(made) != 2 {
				t.Errorf("made is %v", made)
			}
			b.checkDropped()
		})
	}
}

// checkDropped tells when a run that has ended for good still has its secrets.
func (b *bench) checkDropped() {
	b.t.Helper()
	if n := b.sealed(); n != 0 {
		b.t.Errorf("%d ended runs have their secrets", n)
	}
}

func TestKilledWhileUndoing(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 3; at++ { // unregister, delete, report
		b := one(t)
		b.template("default", map[string]string{"template.yaml": failing, "skeleton/a.txt": "a"})
		d := b.use("alice", scaffold.NewRun{Template: "service", Values: map[string]any{"name": "shop", "password": "hunter2"}})
		if b.sealed() != 1 {
			t.Error("a run that may go on has lost its secrets")
		}
		if b.faults.count, b.faults.at = 0, at; at == 3 {
			b.faults.at, b.cutOff = 0, scaffold.UndoAction
		}
		if err := b.Undo(accesstest.As("alice"), d.Run.ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		if d = b.detail(d.Run.ID); d.Run.State != "undone" || b.faults.at != 0 || b.cutOff != "" {
			t.Errorf("killed after change %d the undo is %s: %s", at, d.Run.State, d.Run.Reason)
		}
		b.checkDropped()
	}
}
