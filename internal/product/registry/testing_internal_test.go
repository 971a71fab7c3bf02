package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// trial is a test run whose steps and cancellations come as they may.
type trial struct {
	*rapid.T
	kind  run.Kind
	view  *run.View
	in    RunInput
	made  string // the digest of the state that applying left
	began bool   // a worker had the apply
	lost  bool   // and it may have made what it could not tell
	tried bool   // a worker had the destroy
}

// settle calls Advance until it rests, as core/run does; a move that the table does not have is an error.
func (p *trial) settle() {
	for range 10 {
		before, steps := p.view.Run.State, len(p.view.Steps)
		if p.view.Run.Terminal {
			return
		}
		if err := p.kind.Advance(p.view); err != nil {
			p.Fatalf("advance from %s: %v", before, err)
		}
		if p.view.Run.State == before && len(p.view.Steps) == steps {
			return
		}
	}
	p.Fatal("does not come to rest")
}

// open gives the step that has not ended; nil when there is none.
func (p *trial) open() *run.Step {
	i := slices.IndexFunc(p.view.Steps, func(s *run.Step) bool { return !s.State.Done() })
	if i < 0 {
		return nil
	}
	return p.view.Steps[i]
}

// lease gives the open step to a worker.
func (p *trial) lease() {
	if s := p.open(); s != nil && s.State == run.StepReady {
		s.State, s.Started = run.StepLeased, p.view.Now
		p.began = p.began || s.Key == "apply"
		p.tried = p.tried || s.Key == "destroy"
	}
}

// report ends the step that a worker has: by itself, by the worker, or with the worker.
func (p *trial) report() {
	s := p.open()
	if s == nil || s.State != run.StepLeased {
		return
	}
	how := rapid.SampledFrom([]string{"succeeds", "succeeds", "fails", "is killed", "is canceled", "is lost", "is not prepared"}).Draw(p.T, s.Key)
	s.Reason, s.Ended = "it "+how, p.view.Now
	switch how {
	case "succeeds":
		s.State = run.StepSucceeded
	case "fails":
		s.State, s.Result.ExitCode = run.StepFailed, 1
	case "is killed":
		s.State, s.Result.ExitCode, s.Result.Reason = run.StepFailed, 137, rapid.SampledFrom([]string{execute.ReasonTime, execute.ReasonMemory, execute.ReasonDisk, execute.ReasonSignal}).Draw(p.T, "for")
	case "is canceled":
		s.State, s.Result.ExitCode, s.Result.Reason = run.StepCanceled, 1, execute.ReasonCanceled
	case "is lost":
		s.State = rapid.SampledFrom([]run.StepState{run.StepFailed, run.StepCanceled}).Draw(p.T, "as") // canceled before
	case "is not prepared":
		s.State, s.Result.ExitCode, s.Result.Reason = run.StepFailed, worker.ExitSetup, worker.ReasonSetup
	}
	if s.Key == "apply" {
		if how != "is lost" && how != "is not prepared" && rapid.Bool().Draw(p.T, "left a state") {
			p.made = "sha256:state"
			s.Result.Artifacts = map[string]worker.Artifact{stateArtifact: {Digest: p.made}}
		}
		p.lost = p.made == "" && (how == "is killed" || how == "is canceled" || how == "is lost")
	}
	p.settle()
}

// breaks ends a step that can't be handed to a worker, as core/run does.
func (p *trial) breaks() {
	if s := p.open(); s != nil && s.State == run.StepReady {
		p.view.End(s, run.StepFailed, "it can't be handed out")
		p.settle()
	}
}

func (p *trial) cancel() {
	if p.view.Run.Terminal || p.view.Run.CancelRequested {
		return
	}
	state := p.view.Run.State
	err := p.kind.Cancel(p.view)
	if (state == destroying) != fault.Is(err, fault.Conflict) {
		p.Fatalf("a cancel of a run that is %s: %v", state, err)
	}
	if err == nil {
		p.view.Run.CancelRequested = true
		p.view.CancelOpenSteps("canceled")
		p.settle()
	}
}

// check holds what must be true at any time.
func (p *trial) check() {
	v := p.view
	apply, destroy := v.Step("apply"), v.Step("destroy")
	if v.Open() > 1 {
		p.Fatalf("%d steps are open at once", v.Open())
	}
	if apply != nil && apply.MaxAttempts != 1 {
		p.Fatalf("it may be applied %d times", apply.MaxAttempts)
	}
	if (apply == nil) != (v.Run.State == queued || v.Run.State == canceled && len(v.Steps) == 0) {
		p.Fatalf("it is %s, and its apply is %+v", v.Run.State, apply)
	}
	if (destroy != nil) != (apply != nil && apply.State.Done()) {
		p.Fatalf("its apply is %+v, and its destroy %+v", apply, destroy)
	}
	if destroy == nil {
		return
	}
	files := destroy.Job.Files
	i := slices.IndexFunc(files, func(f worker.File) bool { return f.Path == "test.tfstate" })
	switch {
	case p.made == "":
		if destroy.State != run.StepSkipped || i >= 0 {
			p.Fatalf("nothing is known of what applying made, and the destroy is %s with %+v", destroy.State, files)
		}
		if says := strings.Contains(destroy.Reason, "can't be removed"); says != p.lost {
			p.Fatalf("applying %s, and the destroy says %q", apply.Reason, destroy.Reason)
		}
	case destroy.State == run.StepSkipped || i < 0 || files[i].Blob != p.made || !files[i].Sealed:
		p.Fatalf("what applying left is destroyed by a step that is %s, with %+v", destroy.State, files)
	}
}

// ended holds what must be true of a run that has.
func (p *trial) ended() {
	v := p.view
	apply, destroy := v.Step("apply"), v.Step("destroy")
	if v.Open() > 0 {
		p.Fatalf("it is %s, and %d steps are open", v.Run.State, v.Open())
	}
	steps, state := len(v.Steps), v.Run.State
	if err := p.kind.Advance(v); err != nil || len(v.Steps) != steps || v.Run.State != state {
		p.Fatalf("it was %s with %d steps, and is %s with %d (%v)", state, steps, v.Run.State, len(v.Steps), err)
	}
	if err := v.To(destroying, ""); err == nil {
		p.Fatal("what has ended goes on")
	}
	var out RunOutput
	if apply == nil {
		if state != canceled || p.began {
			p.Fatalf("it is %s without an apply", state)
		}
		return
	}
	if err := json.Unmarshal(v.Run.Output, &out); err != nil || out.Passed != (state == finished) {
		p.Fatalf("it is %s, and its output is %s (%v)", state, v.Run.Output, err)
	}
	gone := p.made == "" && !p.lost || destroy.State == run.StepSucceeded
	still := strings.Contains(v.Run.Reason, "still there") || strings.Contains(v.Run.Reason, "still be there")
	if gone == still {
		p.Fatalf("what it made is gone: %t; it is %s: %s", gone, state, v.Run.Reason)
	}
	if removed := strings.Contains(v.Run.Reason, "is removed"); removed && (p.made == "" || !p.tried) {
		p.Fatalf("nothing was destroyed, and it is %s: %s", state, v.Run.Reason)
	}
	want := failed
	switch {
	case p.made != "" && destroy.State != run.StepSucceeded:
	case v.Run.CancelRequested:
		want = canceled
	case apply.State == run.StepSucceeded:
		want = finished
	}
	if state != want || v.Run.Reason == "" {
		p.Fatalf("its apply %s and its destroy %s, and it is %s: %s", apply.Reason, destroy.Reason, state, v.Run.Reason)
	}
}

// TestWhateverATestMadeIsDestroyed plays test runs with any ends of their steps and cancellations: what applying left is
// destroyed, however that ended, what may be left is told, each run ends, and then nothing more happens.
func TestWhateverATestMadeIsDestroyed(t *testing.T) {
	t.Parallel()
	k := (&Service{}).kind()
	if err := k.Check(); err != nil {
		t.Fatal(err)
	}
	ends := map[string]bool{}
	play := func(rt *rapid.T) {
		p := &trial{T: rt, kind: k, in: RunInput{Version: "ver_1", Module: "module:default/net", Test: TestSpec{ID: "one", Negative: rapid.Bool().Draw(rt, "negative")}}}
		raw, err := json.Marshal(p.in)
		if err != nil {
			rt.Fatal(err)
		}
		p.view = run.NewView(k, run.Run{ID: "run_1", Input: raw}, time.Unix(1000, 0))
		p.check()
		if rapid.IntRange(0, 9).Draw(rt, "at once") == 0 {
			p.cancel()
		}
		p.settle()
		p.check()
		for range rapid.IntRange(0, 8).Draw(rt, "moves") {
			switch rapid.SampledFrom([]string{"lease", "lease", "report", "report", "cancel", "breaks"}).Draw(rt, "move") {
			case "lease":
				p.lease()
			case "report":
				p.report()
			case "cancel":
				p.cancel()
			case "breaks":
				p.breaks()
			}
			p.check()
		}
		for range 2 { // workers do what is left
			p.lease()
			p.report()
			p.check()
		}
		if !p.view.Run.Terminal {
			rt.Fatalf("it does not end: it is %s", p.view.Run.State)
		}
		p.ended()
		ends[fmt.Sprint(p.view.Run.State, p.made != "", p.lost)] = true
	}
	for range 20 { // some ends are rare
		if rapid.Check(t, play); len(ends) == 8 {
			return
		}
	}
	t.Errorf("the plays ended only as %v", ends)
}
