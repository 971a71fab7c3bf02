package delivery

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// settle calls Advance until it rests, as core/run does, and holds each move to the table.
func settle(t *rapid.T, k run.Kind, v *run.View) {
	for range 20 {
		before, steps := v.Run.State, len(v.Steps)
		if v.Run.Terminal {
			return
		}
		if err := k.Advance(v); err != nil {
			t.Fatalf("advance from %s: %v", before, err)
		}
		if v.Run.State == before && len(v.Steps) == steps {
			return
		}
	}
	t.Fatal("does not come to rest")
}

// TestAnySyncEndsAndSaysTheTruth reports anything for any open step, in any order that there is.
func TestAnySyncEndsAndSaysTheTruth(t *testing.T) {
	t.Parallel()
	k := Kind()
	if err := k.Check(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1, 0)
		v := run.NewView(k, run.Run{ID: "run_1", Lock: "application:x", Input: json.RawMessage(`{"application": "application:default/x", "commit": "0123456789"}`)}, now)
		settle(t, k, v)
		if len(v.Steps) > 0 || v.Run.State != queued {
			t.Fatalf("began in %s without its lock", v.Run.State)
		}
		if rapid.Bool().Draw(t, "cancel") {
			if err := k.Cancel(v); err != nil {
				t.Fatal(err)
			}
			v.Run.CancelRequested = true
		}
		v.Locked = true
		settle(t, k, v)
		previous := rapid.Bool().Draw(t, "has a good revision")
		for reports := 0; !v.Run.Terminal; reports++ {
			if reports > 4 || v.Open() != 1 {
				t.Fatalf("%d steps are open in %s after %d reports", v.Open(), v.Run.State, reports)
			}
			if err := k.Cancel(v); err == nil {
				t.Fatalf("it could be canceled while it is %s", v.Run.State)
			}
			for _, s := range v.Steps {
				if !s.State.Done() {
					end(t, s, previous)
				}
			}
			settle(t, k, v)
		}
		check(t, v, previous)
		state, reason, count := v.Run.State, v.Run.Reason, len(v.Steps)
		if err := k.Advance(v); err != nil || v.Run.State != state || v.Run.Reason != reason || len(v.Steps) != count {
			t.Fatalf("an ended run moved from %s to %s: %v", state, v.Run.State, err)
		}
	})
}

func end(t *rapid.T, s *run.Step, previous bool) {
	s.State = rapid.SampledFrom([]run.StepState{run.StepSucceeded, run.StepSucceeded, run.StepFailed, run.StepCanceled}).Draw(t, s.Key)
	s.Reason = "said by " + s.Key
	s.Result = worker.Result{Outputs: map[string]string{}}
	switch {
	case s.Key == "render" && previous:
		s.Result.Outputs[outPrevious] = "rvn_1"
	case s.Key == "rollback":
		s.Result.Outputs[outCommit] = "abcdefghijk"
	case s.Key == "apply":
		s.Result.Data = rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{}`), json.RawMessage(`{"manifests":"sha256:1"}`), json.RawMessage(`7`)}).Draw(t, "data")
	}
}

func check(t *rapid.T, v *run.View, previous bool) {
	state := func(key string) run.StepState {
		if s := v.Step(key); s != nil {
			return s.State
		}
		return ""
	}
	good := state("render") == run.StepSucceeded && state("apply") == run.StepSucceeded && state("health") == run.StepSucceeded
	if (v.Run.State == succeeded) != good {
		t.Fatalf("%s, and the steps were %s, %s, %s", v.Run.State, state("render"), state("apply"), state("health"))
	}
	rollbacks := 0
	for _, s := range v.Steps {
		if s.Job.Action == ActionRollback {
			rollbacks++
		}
	}
	applied := state("apply") != ""
	if want := v.Run.State == failed && applied && previous; (rollbacks == 1) != want || rollbacks > 1 {
		t.Fatalf("%d rollbacks of a sync that %s; applied %t, good revision %t", rollbacks, v.Run.State, applied, previous)
	}
	wentBack := state("rollback") == run.StepSucceeded
	if strings.HasPrefix(v.Run.Reason, "rolled back to abcdefgh: ") != wentBack || strings.Contains(string(v.Run.Output), `"rolledBack":"abcdefghijk"`) != wentBack {
		t.Fatalf("reason %q, output %s after a rollback that %s", v.Run.Reason, v.Run.Output, state("rollback"))
	}
	if v.Run.State == failed && v.Run.Reason == "" {
		t.Fatal("it does not say why it failed")
	}
}
