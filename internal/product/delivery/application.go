package delivery

import (
	"encoding/json"
	"regexp"
	"strings"
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
	Failed     string     // mark of what is not tried again by itself: it failed, or somebody went back from it
	Message    string     // what it waits for, or why it can't go on
	Deleted    bool
	Updated    time.Time
}

// commitName is the whole name of a commit, in either of git's hashes.
var commitName = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)

// reference is what the application follows, as git names it; "" for a commit, which does not move.
func (a Application) reference() string {
	switch {
	case commitName.MatchString(a.Branch):
		return ""
	case strings.HasPrefix(a.Branch, "refs/"):
		return a.Branch
	}
	return "refs/heads/" + a.Branch
}

// owner is the tracking id under which the cluster keeps the application's objects.
func (a Application) owner() string { return a.Ref.String() }

// Sync and health words are Argo CD's.
const (
	StatusSynced    = "Synced"
	StatusOutOfSync = "OutOfSync"
	StatusUnknown   = "Unknown"
)

// Outputs of the steps, by which they tell each other what they found.
const (
	outManifests = "manifests" // of render: digest of what is to be applied
	outPrevious  = "previous"  // of render: id of the revision to go back to, "" without one
	outCommit    = "commit"    // of rollback: what is deployed again
)

// Input is what a sync run is asked to do.
type Input struct {
	Application string `json:"application"`
	Way         Way    `json:"way"`
	Commit      string `json:"commit"`
	Mark        string `json:"mark,omitempty"`      // of the branch's head, see mark
	Manifests   string `json:"manifests,omitempty"` // digest of rendered manifests: a rollback; "" renders the commit
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
	Mark      string
	Manifests string
	Way       string // as JSON; see Way
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
	Left    []string // places, as CLUSTER/NAMESPACE, to which it no longer goes and where it still has objects; prune takes them away
}

// Actions of this room's platform steps.
const (
	ActionRender   = "delivery.render"
	ActionApply    = "delivery.apply"
	ActionHealth   = "delivery.health"
	ActionRollback = "delivery.rollback"
)

// attempts is how often a lost step may be taken up again: each of them finds what it has done before.
const attempts = 1000

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
	switch v.Run.State {
	case queued:
		if v.Run.CancelRequested {
			return v.To(canceled, "canceled")
		}
		if !v.Locked {
			return nil
		}
		v.Add(step("render", "Render and check", ActionRender))
		return v.To(syncing, "")
	case syncing:
		return afterSyncing(v)
	case progressing:
		return afterHealth(v)
	case rollingBack:
		return afterRollback(v)
	}
	return nil
}

func step(key, title, action string) run.Step {
	return run.Step{Key: key, Title: title, MaxAttempts: attempts, Job: worker.Job{Kind: "platform", Action: action}}
}

func afterSyncing(v *run.View) error {
	render, apply := v.Step("render"), v.Step("apply")
	switch {
	case !render.State.Done():
		return nil
	case render.State != run.StepSucceeded:
		return v.To(failed, render.Reason)
	case apply == nil:
		v.Add(step("apply", "Apply", ActionApply))
		return nil
	case !apply.State.Done():
		return nil
	case apply.State != run.StepSucceeded:
		return back(v, apply.Reason)
	}
	var out Output
	if err := json.Unmarshal(apply.Result.Data, &out); err == nil {
		if err := v.Output(out); err != nil {
			return err
		}
	}
	v.Add(step("health", "Wait for health", ActionHealth))
	return v.To(progressing, "")
}

func afterHealth(v *run.View) error {
	health := v.Step("health")
	switch {
	case !health.State.Done():
		return nil
	case health.State == run.StepSucceeded:
		return v.To(succeeded, health.Reason)
	}
	return back(v, health.Reason)
}

// back goes to the last good revision, if there is one.
func back(v *run.View, why string) error {
	if v.Step("render").Result.Outputs[outPrevious] == "" {
		return v.To(failed, why)
	}
	v.Add(step("rollback", "Roll back", ActionRollback))
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
	out.RolledBack = rollback.Result.Outputs[outCommit]
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
