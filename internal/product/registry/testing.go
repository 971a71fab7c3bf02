package registry

import (
	"context"
	"encoding/json"
	"path"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// RunKind is the kind of run that tests a version of a module.
const RunKind = "testing"

// States of test runs. Spacelift: whatever applying gave, destroying comes after it.
const (
	queued     = "queued"
	applying   = "applying"
	destroying = "destroying"
	finished   = "finished"
	failed     = "failed"
	canceled   = "canceled"
)

// Engine is how a step gets what plans and applies; the room of stacks makes it.
type Engine struct {
	Tool   string // of the pool
	Begin  string // of a script: it leaves the program in ROADBED_ENGINE, and lets it reach this registry
	Config string // file of the engine's own
	Host   string // of the server, by which modules name it
	// Mirror has a script take providers as the operator wants, and gives what its token needs for it; nil: from their registries.
	Mirror func(env map[string]string) (scopes []string)
}

// RunInput is what a test run is asked to do.
type RunInput struct {
	Version string   `json:"version"` // id
	Module  string   `json:"module"`
	Round   int      `json:"round"`
	Archive string   `json:"archive"`
	Test    TestSpec `json:"test"`
}

// RunOutput is what a test run's page shows beside its steps.
type RunOutput struct {
	Passed bool `json:"passed"`
}

// kind gives the table of states and the transition function of test runs.
func (s *Service) kind() run.Kind {
	return run.Kind{
		Name: RunKind, Initial: queued,
		States: map[string]run.State{
			queued:     {Next: []string{applying, canceled, failed}},
			applying:   {Next: []string{destroying, failed}},
			destroying: {Next: []string{finished, failed, canceled}},
			finished:   {Terminal: true}, failed: {Terminal: true}, canceled: {Terminal: true},
		},
		Advance: func(v *run.View) error { return advance(v, s.Engine) },
		Cancel: func(v *run.View) error {
			if v.Run.State == destroying {
				return fault.Errorf(fault.Conflict, "run %s removes what it made; it can't be stopped any more", v.Run.ID)
			}
			return nil
		},
		Ended: s.testEnded,
	}
}

func advance(v *run.View, e Engine) error {
	var in RunInput
	if err := json.Unmarshal(v.Run.Input, &in); err != nil {
		return v.To(failed, "the run's input can't be read: "+err.Error())
	}
	switch v.Run.State {
	case queued:
		if v.Run.CancelRequested {
			return v.To(canceled, "canceled")
		}
		v.Add(applyStep(v.Run, in, e))
		return v.To(applying, "")
	case applying:
		step := v.Step("apply")
		if !step.State.Done() {
			return nil
		}
		destroy := destroyStep(v.Run, in, e, step.Result.Artifacts[stateArtifact].Digest)
		if _, made := step.Result.Artifacts[stateArtifact]; !made {
			destroy.State, destroy.Reason = run.StepSkipped, "applying left no state, so there is nothing to remove"
			if mayHaveMade(step) {
				destroy.Reason = "applying was ended before it left its state, so what it made can't be removed"
			}
		}
		v.Add(destroy)
		return v.To(destroying, "")
	case destroying:
		return afterDestroy(v, in)
	}
	return nil
}

// stateArtifact is where applying leaves its state.
const stateArtifact = "state"

// mayHaveMade tells whether an apply that left no state may have made something all the same: it was killed, or its worker was
// lost. One that ended by itself writes what it made.
func mayHaveMade(apply *run.Step) bool {
	if apply.Started.IsZero() || apply.Result.Reason == worker.ReasonSetup { // it has not run
		return false
	}
	return apply.Result.Reason != "" || apply.State != run.StepSucceeded && apply.Result.ExitCode == 0
}

func afterDestroy(v *run.View, in RunInput) error {
	apply, destroy := v.Step("apply"), v.Step("destroy")
	if !destroy.State.Done() {
		return nil
	}
	left := destroy.State == run.StepSkipped && mayHaveMade(apply)
	passed := !v.Run.CancelRequested && apply.State == run.StepSucceeded && (destroy.State == run.StepSucceeded || destroy.State == run.StepSkipped)
	if err := v.Output(RunOutput{passed}); err != nil {
		return err
	}
	switch {
	case destroy.State != run.StepSucceeded && destroy.State != run.StepSkipped:
		return v.To(failed, "destroying: "+destroy.Reason+"; what the test made may still be there, as its state says (artifact state of applying)")
	case v.Run.CancelRequested && left:
		return v.To(canceled, "canceled; applying was ended before it left its state, and what it had made, if anything, is still there")
	case v.Run.CancelRequested && destroy.State == run.StepSkipped:
		return v.To(canceled, "canceled before it made anything")
	case v.Run.CancelRequested:
		return v.To(canceled, "canceled; what it had made is removed")
	case left:
		return v.To(failed, "applying: "+apply.Reason+"; it left no state, and what it had made, if anything, is still there")
	case apply.State != run.StepSucceeded:
		return v.To(failed, "applying: "+apply.Reason)
	case in.Test.Negative:
		return v.To(finished, "it could not be applied, as the test expects")
	}
	return v.To(finished, "applied and destroyed")
}

// prepareIt finds the engine and installs what the test needs. What it can't install fails a negative test too: it is not what
// such a test is about.
const prepareIt = `
"$ROADBED_ENGINE" init -input=false -no-color -reconfigure
`

// applyIt notes of a negative test whether it was refused.
const applyIt = `
code=0
"$ROADBED_ENGINE" apply -input=false -no-color -auto-approve || code=$?
if [ -z "$ROADBED_NEGATIVE" ]; then
  exit $code
fi
if [ "$code" = 0 ]; then
  echo "this test expects that it can't be applied, and it was" >&2
  exit 93
fi
echo "It could not be applied, as this test expects."
`

const destroyIt = `
"$ROADBED_ENGINE" destroy -input=false -no-color -auto-approve
`

// local keeps the state beside the sources, whatever the module says of a backend.
const local = `{"terraform":{"backend":{"local":{"path":"/work/test.tfstate"}}}}` + "\n"

// applyStep has one attempt: what an apply whose worker was lost has made is not known.
func applyStep(r *run.Run, in RunInput, e Engine) run.Step {
	job := engineJob(r, in, e, e.Begin+prepareIt+applyIt)
	job.Changes = true
	job.Outputs = []worker.Output{{Name: stateArtifact, Path: "/work/test.tfstate", Kind: worker.OutputFile, MaxBytes: 64 << 20, Optional: true}}
	return run.Step{Key: "apply", Title: "Apply", Group: "apply", MaxAttempts: 1, Job: job}
}

func destroyStep(r *run.Run, in RunInput, e Engine, state string) run.Step {
	job := engineJob(r, in, e, e.Begin+prepareIt+destroyIt)
	job.Changes = true
	if state != "" {
		job.Files = append(job.Files, worker.File{Path: "test.tfstate", Blob: state, Sealed: true, Mode: 0o600})
	}
	return run.Step{Key: "destroy", Title: "Destroy", Group: "destroy", Job: job}
}

func engineJob(r *run.Run, in RunInput, e Engine, script string) worker.Job {
	env := map[string]string{}
	for name, value := range in.Test.Environment {
		env[name] = value
	}
	negative := ""
	if in.Test.Negative {
		negative = "yes"
	}
	for name, value := range map[string]string{
		"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": "/work/engine.rc",
		"ROADBED_ENGINE_NAME": "", "ROADBED_RUN": r.ID, "ROADBED_COMMIT": r.Source.Commit, "ROADBED_WORK": execute.WorkDir,
		"ROADBED_NEGATIVE": negative, "ROADBED_ENGINE_MEMORY": "1610612736",
	} {
		env[name] = value
	}
	scopes := []string{mayReadModules, mayReadProviders}
	if e.Mirror != nil {
		scopes = append(scopes, e.Mirror(env)...)
	}
	return worker.Job{
		Kind: "command", Argv: []string{"/bin/sh", "-c", script}, Dir: path.Join("/work/source", in.Test.Root), Env: env,
		Sources: []worker.Source{{Path: "source", Blob: in.Archive}},
		Files: []worker.File{
			{Path: path.Join("source", in.Test.Root, "roadbed_backend_override.tf.json"), Content: local, Mode: 0o600},
			{Path: "engine.rc", Content: e.Config, Mode: 0o600},
		},
		Tools: []string{e.Tool}, Door: true, Sealed: true, // a state holds sensitive values in the clear
		Scopes: scopes,
		Limits: execute.Limits{Memory: 2 << 30, Time: time.Hour, Processes: 512, Output: 64 << 20},
	}
}

// testEnded notes how a test went, and what follows for its version, in the transaction that ends the run.
func (s *Service) testEnded(ctx context.Context, tx *store.Tx, r run.Run) error {
	var in RunInput
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return nil //nolint:nilerr // the run says it itself
	}
	v, err := store.One(tx.QueryRow(ctx, "SELECT "+lightColumns+" FROM registry_versions WHERE id = $1"+tx.ForUpdate(), in.Version), scanVersion, "version %s", in.Version)
	if fault.Is(err, fault.NotFound) || err == nil && v.Round != in.Round {
		return nil // the module is gone, or tested anew
	}
	if err != nil {
		return err
	}
	tests, err := testsOf(ctx, tx, v.ID, v.Round)
	if err != nil {
		return err
	}
	for i := range tests {
		if tests[i].Run == r.ID {
			tests[i].State, tests[i].Reason = TestFailed, r.Reason
			if r.State == finished {
				tests[i].State = TestPassed
			}
		}
	}
	return s.settle(ctx, tx, v, tests)
}

// settle writes what follows for a version from its tests, and begins those that may.
func (s *Service) settle(ctx context.Context, tx *store.Tx, v Version, tests []Test) error {
	state, begin := settle(tests)
	if len(begin) > 0 {
		m, err := getModule(ctx, tx, v.Module, "")
		if err != nil {
			return err
		}
		for _, i := range begin {
			if tests[i].Run, err = s.startTest(ctx, tx, m, v, tests[i].TestSpec); err != nil {
				return err
			}
			tests[i].State = TestRunning
		}
	}
	if err := saveTests(ctx, tx, v.ID, v.Round, tests); err != nil {
		return err
	}
	if state == v.State {
		return nil
	}
	v.State, v.Message = state, ""
	if state == Failed {
		v.Message = "a test did not pass"
	}
	if err := setState(ctx, tx, v); err != nil {
		return err
	}
	return s.note(ctx, tx, v.Module, "module.version-"+string(state), map[string]any{"version": v.Version})
}

func (s *Service) startTest(ctx context.Context, tx *store.Tx, m Module, v Version, t TestSpec) (string, error) {
	r, _, err := s.Runs.Create(ctx, tx, run.New{
		Kind: RunKind, Space: m.Space, Subject: m.Ref.String(), Title: m.Spec.Name + " " + v.Version + ": " + t.Name, Refs: []string{"repository:" + m.Spec.Source.Repository},
		Source: run.Source{Repository: m.Spec.Source.Repository, Commit: v.Commit}, Actor: v.Actor,
		Input: RunInput{Version: v.ID, Module: m.Ref.String(), Round: v.Round, Archive: v.Archive, Test: t},
		Key:   "testing:" + v.ID + ":" + t.ID + ":" + itoa(v.Round),
	})
	return r.ID, fault.Wrap(err, "start test %s of %s", t.ID, m.Ref)
}

// stopTests cancels the tests of a module that goes. What has been applied is destroyed still.
func (s *Service) stopTests(ctx context.Context, tx *store.Tx, r interface{ String() string }) error {
	for cursor := ""; ; {
		list, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: r.String(), Open: true, Cursor: cursor, Limit: 200})
		if err != nil {
			return err
		}
		for _, open := range list.Runs {
			if err := s.Runs.CancelTx(ctx, tx, open.ID); err != nil && !fault.Is(err, fault.Conflict) {
				return fault.Wrap(err, "cancel run %s", open.ID)
			}
		}
		if cursor = list.Next; cursor == "" {
			return nil
		}
	}
}
