package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		globs, name string
		want        bool
	}{
		{"*.md", "a.md", true}, {"*.md", "a/b.md", false}, {"**/*.md", "a/b/c.md", true}, {"**/*.md", "c.md", true}, {"a", "a/b/c", true},
		{"a/", "a/b", true}, {"./a/*", "a/b", true}, {"a/**/z", "a/z", true}, {"a/**/z", "a/b/c/z", true}, {"{a,b}.txt", "b.txt", true},
		{"[ab].txt", "a.txt", true}, {"[!ab].txt", "a.txt", false}, {"?.txt", "é.txt", true}, {"a.b", "axb", false}, {"**", ".hidden/x", true},
		{"* !b", "b", false}, {"* !b b", "b", true}, {"{{x}}", "{{x}}", true}, {"{a}.{b,{c,d}}", "{a}.d", true}, {"{a,b", "{a,b", true}, {"[", "[", true}, {"a(b)+", "a(b)+", true},
	} {
		globs, err := compileGlobs(strings.Fields(c.globs))
		if err != nil {
			t.Errorf("%s: %v", c.globs, err)
		} else if got := globs.match(c.name); got != c.want {
			t.Errorf("%s on %s is %v", c.globs, c.name, got)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("**/{a,b}/[!c]*.md", "x/a/d.md")
	f.Fuzz(func(t *testing.T, glob, name string) {
		globs, err := compileGlobs([]string{glob})
		if err == nil {
			globs.match(name)
		}
		if exact, err := compileGlobs([]string{"**"}); err != nil || (!strings.Contains(name, "\n") && !exact.match(name)) {
			t.Errorf("** does not match %q: %v", name, err)
		}
	})
}

func TestWorkspaceSurvivesPacking(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkspace()
		names := rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,2}(/[a-c]{1,2}){0,3}`), 0, 20).Draw(t, "names")
		for _, name := range names {
			mode := rapid.SampledFrom([]string{modeFile, modeExec, modeLink}).Draw(t, "mode")
			data := rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "data")
			if mode == modeLink {
				data = []byte("target")
			}
			_ = w.put(name, file{mode, data}) // a file in the place of a folder is refused
		}
		packed, err := w.pack()
		if err != nil {
			t.Fatal(err)
		}
		again, err := unpack(packed)
		if err != nil {
			t.Fatal(err)
		}
		if again.size != w.size || len(again.files) != len(w.files) {
			t.Fatalf("%d files of %d bytes become %d of %d", len(w.files), w.size, len(again.files), again.size)
		}
		for name, f := range w.files {
			if got := again.files[name]; got.mode != f.mode || !bytes.Equal(got.data, f.data) {
				t.Fatalf("%s is %v, was %v", name, got, f)
			}
		}
	})
}

func TestWorkspaceIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorkspace()
	big := make([]byte, workspaceBytes/2+1)
	if err := w.put("a", file{data: big}); err != nil {
		t.Fatal(err)
	}
	if err := w.put("b", file{data: big}); err == nil {
		t.Error("a workspace takes more than its bytes")
	}
	if err := w.put("a", file{data: big}); err != nil {
		t.Errorf("a file can't be replaced: %v", err)
	}
	w = newWorkspace()
	for i := range workspaceFiles {
		if err := w.put(fmt.Sprint("f", i), file{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.put("more", file{}); err == nil {
		t.Error("a workspace takes more than its files")
	}
}

func FuzzSafePath(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "/etc", "a/../..", ".git/x", "a//b/.", "a\x00b", "a/.GIT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := safePath(name)
		if err != nil {
			return
		}
		if strings.HasPrefix(clean, "/") || strings.HasPrefix(clean+"/", "../") || strings.Contains("/"+clean+"/", "/../") || strings.Contains(strings.ToLower("/"+clean+"/"), "/.git/") {
			t.Errorf("%q is taken as %q", name, clean)
		}
		if again, err := safePath(clean); err != nil || again != clean {
			t.Errorf("%q becomes %q, then %q, %v", name, clean, again, err)
		}
	})
}

// However its steps end, a run comes to rest in an end of its table, runs no step before the one that it follows, and
// after a retry runs none again that has succeeded before the first failure.
func TestRunsAlwaysEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var in Input
		for i := range rapid.IntRange(1, 5).Draw(t, "steps") {
			in.Steps = append(in.Steps, PlannedStep{ID: fmt.Sprint("s", i), Name: "x", Always: rapid.Bool().Draw(t, "always")})
		}
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1, 0)
		v := run.NewView((&Service{}).kind(), run.Run{ID: "run_1", Input: raw}, now)
		for round := range 200 {
			settle(t, v)
			if v.Run.Terminal {
				if v.Run.State == "finished" || v.Run.State == "undone" || !rapid.Bool().Draw(t, "again") {
					return
				}
				if retry(v) != nil {
					if err := startUndo(v); err != nil {
						t.Fatal(err)
					}
				}
				continue
			}
			ready := 0
			for i, step := range v.Steps {
				if step.State == run.StepReady {
					ready++
					for _, before := range v.Steps[:min(i, len(in.Steps))] {
						passed := before.State == run.StepWaiting && v.Step(in.Steps[0].ID).State.Done() && in.Steps[min(i, len(in.Steps)-1)].Always
						if step.Key != undoKey && !before.State.Done() && !passed {
							t.Fatalf("step %s is ready before %s", step.Key, before.Key)
						}
					}
					end(t, v, step, now.Add(time.Duration(round)*time.Second))
				}
			}
			if ready != 1 {
				t.Fatalf("%d steps are ready in state %s", ready, v.Run.State)
			}
			if rapid.IntRange(0, 9).Draw(t, "undo") == 0 && v.Run.State == "running" {
				if err := startUndo(v); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func settle(t *rapid.T, v *run.View) {
	for range 50 {
		state := v.Run.State
		if v.Run.Terminal {
			return
		}
		if err := advance(v); err != nil {
			t.Fatal(err)
		}
		if v.Run.State == state {
			return
		}
	}
	t.Fatal("the run does not come to rest")
}

func end(t *rapid.T, v *run.View, step *run.Step, now time.Time) {
	step.Started, step.Ended = now, now
	step.State = rapid.SampledFrom([]run.StepState{run.StepSucceeded, run.StepSucceeded, run.StepFailed}).Draw(t, "end")
	step.Result = worker.Result{Data: json.RawMessage(`{"made":[{"kind":"repository","name":"a/b","state":"made"}]}`)}
}

func TestKindIsWhole(t *testing.T) {
	t.Parallel()
	if err := (&Service{}).kind().Check(); err != nil {
		t.Error(err)
	}
	for _, a := range actions() {
		if _, err := compileSchema(a.Input); err != nil {
			t.Errorf("the input of %s: %v", a.ID, err)
		}
		if a.Description == "" || a.run == nil {
			t.Errorf("action %s is not whole", a.ID)
		}
	}
}
