package stack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// RunKind is the name of this room's kind of run.
const RunKind = "stack"

// Types of stack runs.
const (
	Tracked  = "tracked"  // plan, review, apply
	Proposed = "proposed" // plan only
	Destroy  = "destroy"  // plan the removal of everything, review, apply
	Drift    = "drift"    // plan only, at the commit that is applied
	Task     = "task"     // a command beside the configuration
)

// States of stack runs. The names are Spacelift's; judging is where plan policies are asked.
const (
	queued      = "queued"
	ready       = "ready"
	planning    = "planning"
	judging     = "judging"
	unconfirmed = "unconfirmed"
	pending     = "pending_review"   // a proposed run whose plan a policy warns of
	replanning  = "replan_requested" // of what somebody chose of the plan
	confirmed   = "confirmed"
	applying    = "applying"
	performing  = "performing" // of a task
	finished    = "finished"
	failed      = "failed"
	discarded   = "discarded"
	canceled    = "canceled"
)

// Stack is the projection of a Stack document with what runs have made of it.
type Stack struct {
	Ref        ref.Entity
	Space      string
	Repository string // NAMESPACE/NAME
	Branch     string
	Path       string // folder within the repository; "" for its root
	Spec       Spec
	Seen       string // the branch's commit that was last considered
	Deleted    bool
	Updated    time.Time
	Applied    string // commit of the newest run that finished; "" when none has

	Edit        int64 // how often what the document says was changed
	AppliedEdit int64 // the newest edit of which the newest run that finished knew
	Editors     Editors

	Created   time.Time // when its document was made
	Scheduled time.Time // up to which its schedules were looked at
	Overdue   []Overdue // those that could not begin their runs
	text      string    // Spec as it is kept
}

// Remote tells whether the stack has no repository: what it plans and applies is uploaded.
func (s Stack) Remote() bool { return s.Repository == "" }

// LockName is the lock that tracked runs of a stack hold.
func LockName(stack ref.Entity) string { return lockPrefix + stack.String() }

const lockPrefix = "stack:"

// Input is what a stack run is asked to do.
type Input struct {
	Type       string            `json:"type"`
	Stack      string            `json:"stack"`
	Path       string            `json:"path"`
	Autodeploy bool              `json:"autodeploy,omitempty"`
	Variables  map[string]any    `json:"variables,omitempty"`
	Env        map[string]string `json:"env,omitempty"`
	SecretEnv  map[string]string `json:"secretEnv,omitempty"`
	Limits     Limits            `json:"limits,omitzero"`
	Engine     string            `json:"engine,omitempty"`  // tofu or terraform; "" for what the pool has
	Vendor     Vendor            `json:"vendor,omitzero"`   // instead of these
	Network    bool              `json:"network,omitempty"` // of the pool, if it grants that
	Authors    []string          `json:"authors,omitempty"` // whose changes it applies, by their ids
	Edit       int64             `json:"edit,omitempty"`    // of the document that it is made of
	DependsOn  []Dependency      `json:"dependsOn,omitempty"`
	Pool       string            `json:"pool,omitempty"`      // worker pool that runs its commands; "" for the server itself
	Cascade    string            `json:"cascade,omitempty"`   // the stack that is destroyed with all that stands on it
	Command    string            `json:"command,omitempty"`   // of a task
	SkipInit   bool              `json:"skipInit,omitempty"`  // of a task
	Reconcile  bool              `json:"reconcile,omitempty"` // drift that is found is followed by a tracked run

	Drift bool `json:"drift,omitempty"` // it looks for drift, or takes back what was found
	Local bool `json:"local,omitempty"` // it is of somebody's own folder, of a stack that has a repository

	Scheduled   bool `json:"scheduled,omitempty"`   // begun by a schedule of the stack
	DeleteStack bool `json:"deleteStack,omitempty"` // the stack's document goes once all is destroyed

	TriggeredBy string  `json:"triggeredBy,omitempty"` // who or what asked for it: a principal, a trigger policy, a stack on which its own depends, a schedule; "" for a push
	Workflow    string  `json:"workflow,omitempty"`    // the run from which it follows by such policies
	Depth       int     `json:"depth,omitempty"`       // how many such runs came before it
	Given       Given   `json:"given,omitzero"`        // by contexts and the repository
	Upload      *Upload `json:"upload,omitempty"`      // instead of the repository's commit
	Promotes    string  `json:"promotes,omitempty"`    // the proposed run that it was promoted from
	Proposal    string  `json:"proposal,omitempty"`    // NAMESPACE/NAME#NUMBER that it is a preview of
	Image       string  `json:"image,omitempty"`       // in which its steps run
	OIDC        OIDC    `json:"oidc,omitzero"`

	External []string `json:"external,omitempty"` // names for which it waits outside before it begins

	planned string // the version of the vendor's program by which the plan was made; see plannedBy
}

// authors gives who can't approve a run alone: who began it, and whose changes it applies.
func (in Input) authors(actor string) []string {
	if slices.Contains(in.Authors, actor) {
		return in.Authors
	}
	return append([]string{actor}, in.Authors...)
}

// Output is what a stack run's page shows beside its steps.
type Output struct {
	Summary Summary  `json:"summary"`
	Deny    []string `json:"deny,omitempty"`
	Warn    []string `json:"warn,omitempty"`
	Plan    string   `json:"plan,omitempty"` // digest of the plan as JSON
	Replan  *Replan  `json:"replan,omitempty"`
	Cost    *Cost    `json:"cost,omitempty"` // without its resources
}

// Verdict is what the judge step gives.
type Verdict struct {
	Summary Summary  `json:"summary"`
	Deny    []string `json:"deny,omitempty"`
	Warn    []string `json:"warn,omitempty"`
	// Approved tells of a stack that is deployed without review whether the approval policies agree.
	Approved bool `json:"approved,omitempty"`
	// Overtaken tells of such a one why somebody has to confirm it all the same: a newer run has finished before it.
	Overtaken string `json:"overtaken,omitempty"`
	// Review tells of a proposed run that somebody has to approve what a plan policy warns of.
	Review bool  `json:"review,omitempty"`
	Cost   *Cost `json:"cost,omitempty"`
	// Drifted tells of a look for drift what would mend which resource: key → action.
	Drifted map[string]string `json:"drifted,omitempty"`

	// Of a tool whose plan was put into the form of an engine's: digests of what is sealed.
	Plan   string `json:"plan,omitempty"`
	Delete string `json:"delete,omitempty"`
	Keep   string `json:"keep,omitempty"`
}

// Kind gives the table of states and the transition function of stack runs.
func Kind() run.Kind {
	return run.Kind{
		Name:    RunKind,
		Initial: queued,
		States: map[string]run.State{
			queued:      {WaitsLock: true, Next: []string{ready, canceled, failed}},
			ready:       {Next: []string{planning, performing, canceled, failed}},
			performing:  {Next: []string{finished, failed, canceled}},
			planning:    {Next: []string{judging, failed, canceled}},
			judging:     {Next: []string{finished, unconfirmed, pending, confirmed, failed, canceled}},
			unconfirmed: {Waiting: true, Next: []string{confirmed, replanning, discarded, canceled}},
			pending:     {Waiting: true, Next: []string{finished, failed, discarded, canceled}},
			replanning:  {Next: []string{planning, canceled, failed}},
			confirmed:   {Next: []string{applying, failed}},
			applying:    {Next: []string{finished, failed}},
			finished:    {Terminal: true},
			failed:      {Terminal: true},
			discarded:   {Terminal: true},
			canceled:    {Terminal: true},
		},
		Advance: advance,
		Turn:    turn,
		Cancel:  mayCancel,
		Retry:   retry,
		Traits:  traits,
	}
}

// mayCancel: Spacelift: a confirmed run can't be stopped.
func mayCancel(v *run.View) error {
	switch v.Run.State {
	case confirmed, applying:
		return fault.Errorf(fault.Conflict, "run %s is confirmed and changes infrastructure; it can't be stopped any more", v.Run.ID)
	}
	return nil
}

// retry goes back to the queue and plans anew: what an apply left behind is found by the next plan. A state that could
// not be taken up is taken up first, see beforePlan.
func retry(v *run.View) error {
	if v.Run.State == finished || v.Run.State == discarded {
		return fault.Errorf(fault.Conflict, "run %s is %s; start a new one", v.Run.ID, v.Run.State)
	}
	var in Input
	if err := json.Unmarshal(v.Run.Input, &in); err == nil {
		if err := retryApproval(v, in); err != nil {
			return err
		}
	}
	for _, name := range []string{"inputs", "state"} {
		if step := v.Step(stepKey(name, round(v)+1)); step != nil {
			v.Hold(step)
		}
	}
	if keep := unkept(v); keep != nil {
		v.Hold(keep)
	}
	retryExternal(v)
	return v.Reopen(queued, "retried")
}

// round is how often this run has planned: a retry plans again under new step keys.
func round(v *run.View) int {
	n := 1
	for v.Step(stepKey("plan", n)) != nil || v.Step(stepKey("task", n)) != nil {
		n++
	}
	return n - 1
}

func stepKey(name string, n int) string {
	if n <= 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, n)
}

func advance(v *run.View) error {
	var in Input
	if err := json.Unmarshal(v.Run.Input, &in); err != nil {
		return v.To(failed, "the run's input can't be read: "+err.Error())
	}
	if v.Run.CancelRequested && v.Run.State != confirmed && v.Run.State != applying {
		if v.Open() > 0 {
			return nil
		}
		more := ""
		if task := v.Step(stepKey("task", max(round(v), 1))); task != nil && v.Run.State == performing { // it may have changed the state
			if kept, err := afterKeep(v, in, task, max(round(v), 1)); err != nil || !kept {
				return err
			}
			done, _, said := takeUp(v, task, max(round(v), 1))
			if !done {
				return nil
			}
			more = said
		}
		why := "canceled"
		switch v.Run.State {
		case planning, judging, performing:
			why = stoppedWhile + v.Run.State
		}
		return v.To(canceled, why+more)
	}
	n := max(round(v), 1)
	switch v.Run.State {
	case queued:
		approved, err := afterApproval(v, in)
		if err != nil || v.Run.State != queued {
			return err
		}
		if ready, err := afterExternal(v, in); err != nil || !ready || !approved || !v.Locked {
			return err
		}
		if lost := lostState(v, n); lost != "" {
			v.Add(adoptStep(v, lost))
		}
		return v.To(ready, "")
	case ready, replanning:
		return beforePlan(v, in, n)
	case planning:
		return afterPlan(v, in, n)
	case judging:
		return afterJudge(v, in, n)
	case unconfirmed:
		return afterReview(v)
	case pending:
		return afterPending(v, in)
	case confirmed:
		m := madeIn(v, n)
		v.Add(saving(takeMade(v, n, in.tool().applyStep(v.Run, withInputs(v, in.plannedBy(m), n), m, n))))
		return v.To(applying, "")
	case applying:
		return afterApply(v, in, n)
	case performing:
		return afterTask(v, in, n)
	}
	return nil
}

func afterPlan(v *run.View, in Input, n int) error {
	step := v.Step(stepKey("plan", n))
	if !step.State.Done() {
		return nil
	}
	if step.State != run.StepSucceeded {
		return end(v, in, failed, "planning: "+reason(step))
	}
	if why := step.Result.Outputs[outputMade]; why != "" {
		v.Warn(why)
	}
	show := v.Step(stepKey("show", n))
	var how *run.Step
	if show == nil && planRead(step) == nil {
		m := madeIn(v, n)
		how = in.tool().showStep(v.Run, withInputs(v, in.plannedBy(m), n), m, n)
	}
	switch {
	case how != nil:
		v.Add(*how)
		return nil
	case show == nil: // the plan tells itself
	case !show.State.Done():
		return nil
	case show.State != run.StepSucceeded:
		return end(v, in, failed, "reading the plan: "+reason(show))
	}
	v.Add(judgeStep(told(v, n), n))
	return v.To(judging, "")
}

// told gives what tells what is in a plan, for those who judge it.
func told(v *run.View, n int) JudgeInput {
	plan := v.Step(stepKey("plan", n))
	in := JudgeInput{Run: v.Run.ID, Plan: plan.Result.Artifacts["plan"].Digest, Init: initOf(plan), InitKept: keptOne(plan)} // it tells itself
	if read := planRead(plan, v.Step(stepKey("show", n))); read != nil {
		in.Plan = read.Result.Artifacts[planJSON.Name].Digest
		if said := read.Result.Artifacts[ByInfracost].Digest; said != "" {
			in.Third = map[string]string{ByInfracost: said}
		}
	}
	return in
}

func afterJudge(v *run.View, in Input, n int) error {
	step := v.Step(stepKey("judge", n))
	if !step.State.Done() {
		return nil
	}
	if step.State != run.StepSucceeded {
		return end(v, in, failed, "asking the plan policies: "+step.Reason)
	}
	var verdict Verdict
	if err := json.Unmarshal(step.Result.Data, &verdict); err != nil {
		return end(v, in, failed, "the verdict of the plan policies can't be read: "+err.Error())
	}
	again := replanOf(v.Run)
	out := Output{Summary: verdict.Summary, Deny: verdict.Deny, Warn: verdict.Warn, Plan: cmp.Or(verdict.Plan, told(v, n).Plan), Replan: again, Cost: verdict.Cost}
	if err := v.Output(out); err != nil {
		return err
	}
	for _, w := range verdict.Warn {
		v.Warn(w)
	}
	switch {
	case len(verdict.Deny) > 0:
		return end(v, in, failed, "a plan policy denies: "+strings.Join(verdict.Deny, "; "))
	case verdict.Review && in.Type == Proposed:
		return v.To(pending, verdict.Summary.String()+"; a plan policy warns, so that the approval policies are asked")
	case onlyPlans(in.Type):
		return end(v, in, finished, planned(in, verdict.Summary))
	case verdict.Summary.Empty():
		return end(v, in, finished, "nothing to change")
	case in.unreviewed(n) == "" || again != nil || !verdict.Approved || len(verdict.Warn) > 0:
		return v.To(unconfirmed, verdict.Summary.String()+"; waits for somebody to confirm it")
	case verdict.Overtaken != "":
		return v.To(unconfirmed, verdict.Summary.String()+"; waits for somebody to confirm it, since "+verdict.Overtaken)
	}
	return v.To(confirmed, in.unreviewed(n))
}

// afterReview: the newest deciding review counts; approve and reject are votes that the approval policies weigh.
func afterReview(v *run.View) error {
	for i := len(v.Reviews) - 1; i >= 0; i-- {
		r := v.Reviews[i]
		if r.State != unconfirmed || r.Time.Before(lastEntered(v)) {
			continue
		}
		switch r.Verdict {
		case "confirm":
			return v.To(confirmed, "confirmed")
		case "discard":
			return v.To(discarded, "discarded")
		case verdictReplan:
			return v.To(replanning, replanOf(v.Run).String())
		}
	}
	return nil
}

// lastEntered is when the newest plan of this run was judged; reviews of an earlier plan don't count.
func lastEntered(v *run.View) time.Time {
	step := v.Step(stepKey("judge", max(round(v), 1)))
	if step == nil {
		return time.Time{}
	}
	return step.Ended
}

func afterApply(v *run.View, in Input, n int) error {
	step := v.Step(stepKey("apply", n))
	if !step.State.Done() {
		return nil
	}
	if kept, err := afterKeep(v, in, step, n); err != nil || !kept {
		return err
	}
	done, whole, more := takeUp(v, step, n)
	if !done {
		return nil
	}
	if step.State != run.StepSucceeded {
		return end(v, in, failed, "applying: "+reason(step)+more)
	}
	var out Output
	if len(v.Run.Output) > 0 {
		if err := json.Unmarshal(v.Run.Output, &out); err != nil {
			return err
		}
	}
	return end(v, in, endOf(whole), "applied: "+out.Summary.String()+more)
}

// endOf gives how a run ends that has done its work: that its state lacks something is a failure.
func endOf(whole bool) string {
	if !whole {
		return failed
	}
	return finished
}

// lostState gives the state that the engine of an apply, or of a task, could not write, until it is taken up; "" for none.
func lostState(v *run.View, n int) string {
	step := v.Step(stepKey("apply", n))
	if step == nil {
		step = v.Step(stepKey("task", n))
	}
	if step == nil {
		return ""
	}
	lost := step.Result.Artifacts[erroredState].Digest
	if try := adoption(v, lost); try != nil && try.State == run.StepSucceeded {
		return ""
	}
	return lost
}

// adoption gives the newest try to take a state up; nil before the first.
func adoption(v *run.View, state string) *run.Step {
	var newest *run.Step
	for try := 1; ; try++ {
		step := v.Step(stepKey("adopt", try))
		if step == nil {
			return newest
		}
		var in AdoptInput
		if json.Unmarshal(step.Job.Input, &in) == nil && in.State == state {
			newest = step
		}
	}
}

// beforePlan plans on a state that has all that was built: a retry takes up first what could not be written.
func beforePlan(v *run.View, in Input, n int) error {
	if in.Given.Wrong != "" {
		return v.To(failed, in.Given.Wrong)
	}
	for _, w := range in.Given.Warnings {
		v.Warn(w)
	}
	if lost := lostState(v, n); lost != "" {
		try := adoption(v, lost)
		if try == nil || !try.State.Done() {
			return nil
		}
		return v.To(failed, notTakenUp+try.Reason)
	}
	if keep := unkept(v); keep != nil { // of a run that is retried
		if keep.State == run.StepWaiting {
			v.Release(keep)
		}
		if !keep.State.Done() {
			return nil
		}
		return v.To(failed, notKept+keep.Reason)
	}
	next := round(v) + 1
	if ready, err := afterInputs(v, in, next); err != nil || !ready {
		return err
	}
	if ready, err := afterRecall(v, in, next); err != nil || !ready {
		return err
	}
	if in.Type == Task {
		v.Add(saving(in.tool().taskStep(v.Run, withInputs(v, in, next), heldFor(v, next), next)))
		return v.To(performing, "")
	}
	v.Add(in.keeping(in.tool().planStep(v.Run, withInputs(v, in, next), heldFor(v, next), next)))
	return v.To(planning, "")
}

// notTakenUp comes before why a state could not be taken up.
const notTakenUp = "the state that the engine could not write is the artifact errored-state of its step, and could not be taken up; a retry tries that again before it plans: "

// takeUp takes up the state that an engine could not write: what it says was built is there. It tells whether that is done,
// whether the state has all that the step did, and what of it goes behind why the run ends.
func takeUp(v *run.View, step *run.Step, n int) (done, whole bool, more string) {
	more = missing(step)
	if _, ok := step.Result.Artifacts[erroredState]; !ok {
		return true, more == "", more
	}
	lost := lostState(v, n)
	if lost == "" {
		if more = ""; untaken(step) != "" {
			more = missing(step)
		}
		return true, more == "", "; the state that the engine could not write was taken up after it" + more
	}
	switch try := adoption(v, lost); {
	case try == nil:
		v.Add(adoptStep(v, lost))
		return false, false, ""
	case !try.State.Done():
		return false, false, ""
	default:
		return true, false, "; " + notTakenUp + try.Reason
	}
}

func adoptStep(v *run.View, state string) run.Step {
	try := 1
	for v.Step(stepKey("adopt", try)) != nil {
		try++
	}
	input, _ := json.Marshal(AdoptInput{Run: v.Run.ID, State: state}) // two strings always encode
	return run.Step{
		Key: stepKey("adopt", try), Title: "Take the state up", Group: "apply",
		Job: worker.Job{Kind: "platform", Action: ActionAdopt, Input: input},
	}
}

func judgeStep(ask JudgeInput, n int) run.Step {
	input, _ := json.Marshal(ask) // strings always encode
	return run.Step{
		Key: stepKey("judge", n), Title: "Ask the plan policies", Group: "plan",
		Job: worker.Job{Kind: "platform", Action: ActionJudge, Input: input},
	}
}
