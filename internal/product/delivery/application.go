package delivery

import (
	"encoding/json"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RunKind is the name of this room's kind of run.
const RunKind = "sync"

// States of sync runs.
const (
	queued      = "queued"
	syncing     = "syncing"
	progressing = "progressing"
	rollingBack = "rolling-back"
	succeeded   = "succeeded"
	failed      = "failed"
	canceled    = "canceled"
)

// Application is the projection of an Application document with what syncs have made of it.
type Application struct {
	Ref        ref.Entity
	Space      string
	Repository string // NAMESPACE/NAME
	Branch     string
	Path       string
	Spec       Spec
	Stack      ref.Entity // zero when it names none
	Component  ref.Entity // zero when it names none
	Synced     string     // commit that is deployed; "" before the first
	Failed     string     // mark of what failed last and is not tried again by itself
	Message    string     // what it waits for, or why it can't go on
	Deleted    bool
	Updated    time.Time
}

// owner is the tracking id under which the cluster keeps the application's objects.
func (a Application) owner() string { return a.Ref.String() }

// Sync and health words are Argo CD's.
const (
	StatusSynced    = "Synced"
	StatusOutOfSync = "OutOfSync"
	StatusUnknown   = "Unknown"
)

// Input is what a sync run is asked to do.
type Input struct {
	Application string `json:"application"`
	Commit      string `json:"commit"`
	Mark        string `json:"mark,omitempty"`      // commit and outputs, for not repeating a failure
	Manifests   string `json:"manifests,omitempty"` // digest of rendered manifests: a rollback; "" renders the commit
	Prune       bool   `json:"prune,omitempty"`
	Previous    string `json:"previous,omitempty"` // revision id to go back to when health does not come
	Reason      string `json:"reason,omitempty"`
}

// Output is what a sync run's page shows.
type Output struct {
	Changes    []Change `json:"changes,omitempty"`
	Manifests  string   `json:"manifests,omitempty"`
	RolledBack string   `json:"rolledBack,omitempty"` // commit that is deployed again
}

// Change is what a sync did to one object.
type Change struct {
	Key    string `json:"key"`
	Action string `json:"action"`
	Diff   string `json:"diff,omitempty"`
}

// Revision is one entry of an application's history.
type Revision struct {
	ID        string
	Commit    string
	Manifests string
	Run       string
	State     string // succeeded, failed, rolled-back
	Message   string
	Created   time.Time
}

// Status is an application as its list shows it.
type Status struct {
	Application
	Sync    string
	Health  cluster.Health
	Why     string // of the health
	Last    *run.Run
	URLs    []string
	Objects []cluster.Node
}

// Actions of this room's platform steps.
const (
	ActionRender   = "delivery.render"
	ActionApply    = "delivery.apply"
	ActionHealth   = "delivery.health"
	ActionRollback = "delivery.rollback"
)

// healthAttempts is how often a lost step that only looks may be taken up again.
const healthAttempts = 1000

// Kind gives the table of states and the transition function of sync runs.
func Kind() run.Kind {
	return run.Kind{
		Name: RunKind, Initial: queued,
		States: map[string]run.State{
			queued:      {WaitsLock: true, Next: []string{syncing, canceled, failed}},
			syncing:     {Next: []string{progressing, rollingBack, failed, canceled}},
			progressing: {Next: []string{succeeded, rollingBack, failed}},
			rollingBack: {Next: []string{failed}},
			succeeded:   {Terminal: true},
			failed:      {Terminal: true},
			canceled:    {Terminal: true},
		},
		Advance: advance,
		Cancel: func(v *run.View) error {
			if v.Run.State != queued {
				return fault.Errorf(fault.Conflict, "run %s already changes the cluster; roll back instead", v.Run.ID)
			}
			return nil
		},
	}
}

func advance(v *run.View) error {
	var in Input
	if err := json.Unmarshal(v.Run.Input, &in); err != nil {
		return v.To(failed, "the run's input can't be read: "+err.Error())
	}
	switch v.Run.State {
	case queued:
		if v.Run.CancelRequested {
			return v.To(canceled, "canceled")
		}
		if !v.Locked {
			return nil
		}
		v.Add(step("render", "Render and check", ActionRender, healthAttempts))
		return v.To(syncing, "")
	case syncing:
		return afterSyncing(v, in)
	case progressing:
		return afterHealth(v, in)
	case rollingBack:
		return afterRollback(v)
	}
	return nil
}

func step(key, title, action string, attempts int) run.Step {
	return run.Step{Key: key, Title: title, MaxAttempts: attempts, Job: worker.Job{Kind: "platform", Action: action}}
}

func afterSyncing(v *run.View, in Input) error {
	render, apply := v.Step("render"), v.Step("apply")
	switch {
	case !render.State.Done():
		return nil
	case render.State != run.StepSucceeded:
		return v.To(failed, render.Reason)
	case apply == nil:
		v.Add(step("apply", "Apply", ActionApply, healthAttempts))
		return nil
	case !apply.State.Done():
		return nil
	case apply.State != run.StepSucceeded:
		return back(v, in, apply.Reason)
	}
	var out Output
	if err := json.Unmarshal(apply.Result.Data, &out); err == nil {
		if err := v.Output(out); err != nil {
			return err
		}
	}
	v.Add(step("health", "Wait for health", ActionHealth, healthAttempts))
	return v.To(progressing, "")
}

func afterHealth(v *run.View, in Input) error {
	health := v.Step("health")
	switch {
	case !health.State.Done():
		return nil
	case health.State == run.StepSucceeded:
		return v.To(succeeded, health.Reason)
	}
	return back(v, in, health.Reason)
}

// back goes to the last good revision, if there is one.
func back(v *run.View, in Input, why string) error {
	if in.Previous == "" {
		return v.To(failed, why)
	}
	v.Add(step("rollback", "Roll back", ActionRollback, healthAttempts))
	return v.To(rollingBack, why)
}

func afterRollback(v *run.View) error {
	rollback := v.Step("rollback")
	if !rollback.State.Done() {
		return nil
	}
	why := v.Run.Reason
	if rollback.State != run.StepSucceeded {
		return v.To(failed, why+"; and the rollback did not work: "+rollback.Reason)
	}
	var out Output
	if len(v.Run.Output) > 0 {
		if err := json.Unmarshal(v.Run.Output, &out); err != nil {
			return err
		}
	}
	out.RolledBack = rollback.Result.Outputs["commit"]
	if err := v.Output(out); err != nil {
		return err
	}
	return v.To(failed, "rolled back to "+short(out.RolledBack)+": "+why)
}

// short gives the first letters of a commit.
func short(commit string) string {
	if len(commit) > 8 {
		return commit[:8]
	}
	return commit
}
