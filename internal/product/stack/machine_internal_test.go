package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// play is a stack run whose steps, reviews, cancellations and retries come as they may.
type play struct {
	*rapid.T
	kind    run.Kind
	view    *run.View
	in      Input
	now     time.Time
	rounds  int
	verdict map[int]Verdict // of each round that was judged
	replans int
	chosen  map[int]int // by the round: the replan that it plans
	was     string      // the state in which it was seen last
}

// settle calls Advance until it rests, as core/run does; a move that the table does not have is an error.
func (p *play) settle() {
	for range 20 {
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

// work gives the step of a round that plans, or does what a task is to do.
func (p *play) work(n int) *run.Step {
	if p.in.Type == Task {
		return p.view.Step(stepKey("task", n))
	}
	return p.view.Step(stepKey("plan", n))
}

func (p *play) step(name string) *run.Step { return p.view.Step(stepKey(name, p.rounds)) }

// report ends the open step in some way.
func (p *play) report() {
	p.now = p.now.Add(time.Second)
	p.view.Now = p.now
	for _, s := range p.view.Steps {
		if s.State.Done() {
			continue
		}
		ends := []run.StepState{run.StepSucceeded, run.StepSucceeded, run.StepSucceeded, run.StepFailed}
		if strings.HasPrefix(s.Key, "inputs") {
			ends = append(ends, run.StepCanceled) // what it waited for did not come through
		}
		if s.Key == stepExternal {
			p.mark()
			break
		}
		s.State = rapid.SampledFrom(ends).Draw(p.T, s.Key)
		s.Reason, s.Ended = "said by "+s.Key, p.now
		switch {
		case (strings.HasPrefix(s.Key, "task") || s.State == run.StepFailed && strings.HasPrefix(s.Key, "apply")) && rapid.Bool().Draw(p.T, "errored"):
			s.Result = worker.Result{Artifacts: map[string]worker.Artifact{erroredState: {Digest: fmt.Sprintf("state of %d", p.rounds)}}}
		case s.State != run.StepSucceeded:
		case s.Key == stepApproval:
			said := rapid.IntRange(0, 5).Draw(p.T, "approval")
			s.Result.Data, _ = json.Marshal(approval{Approved: said > 2, Rejected: said == 0, Says: "said by the policies"})
		case strings.HasPrefix(s.Key, "inputs"):
			s.Result.Data, _ = json.Marshal(Inputs{Env: map[string]string{"TF_VAR_net": s.Key}})
		case strings.HasPrefix(s.Key, "plan"):
			s.Result = worker.Result{Artifacts: map[string]worker.Artifact{
				"plan": {Digest: fmt.Sprintf("plan of %d", p.rounds)},
			}}
			if rapid.Bool().Draw(p.T, "alone") { // it was read at once
				s.Result.Artifacts["plan-json"] = worker.Artifact{Digest: fmt.Sprintf("json of %d", p.rounds)}
			}
		case strings.HasPrefix(s.Key, "show"):
			s.Result = worker.Result{Artifacts: map[string]worker.Artifact{"plan-json": {Digest: fmt.Sprintf("json of %d", p.rounds)}}}
		case strings.HasPrefix(s.Key, "judge"):
			v := Verdict{Summary: Summary{Create: rapid.IntRange(0, 2).Draw(p.T, "create")}}
			if rapid.IntRange(0, 4).Draw(p.T, "deny") == 0 {
				v.Deny = []string{"no"}
			}
			if rapid.Bool().Draw(p.T, "warn") {
				v.Warn = []string{"beware"}
			}
			v.Approved = rapid.Bool().Draw(p.T, "approved")
			v.Review = rapid.Bool().Draw(p.T, "review")
			p.verdict[p.rounds] = v
			s.Result.Data, _ = json.Marshal(v)
			if rapid.IntRange(0, 9).Draw(p.T, "garbled") == 0 {
				s.Result.Data = json.RawMessage("7")
			}
		}
	}
	p.settle()
}

// mark says something of one of the things outside for which the run waits, or lets the time of waiting pass, or has another run
// take its place.
func (p *play) mark() {
	switch rapid.IntRange(0, 9).Draw(p.T, "outside") {
	case 0:
		p.now = p.now.Add(externalLife)
		p.view.Now = p.now
	case 1:
		supersede(p.view, "run_2")
	default:
		name := rapid.SampledFrom(p.in.External).Draw(p.T, "name")
		status := rapid.SampledFrom([]string{MarkFinished, MarkFinished, MarkSkipped, MarkFailed}).Draw(p.T, "status")
		settleExternal(p.view, map[string]External{name: {Name: name, Status: status, Marked: p.now}})
	}
}

func (p *play) review(verdict string) {
	p.now = p.now.Add(time.Second)
	p.view.Now = p.now
	p.view.Reviews = append(p.view.Reviews, run.Review{Verdict: verdict, State: p.view.Run.State, Time: p.now})
	p.settle()
}

// replan chooses resources of a plan, as Service.Replan does.
func (p *play) replan() {
	p.now = p.now.Add(time.Second)
	p.view.Now = p.now
	var out Output
	if err := json.Unmarshal(p.view.Run.Output, &out); err != nil {
		p.Fatal(err)
	}
	p.replans++
	out.Replan = &Replan{Targets: []string{fmt.Sprintf("res.n%d", p.replans)}, By: []string{"bob"}}
	if err := p.view.Output(out); err != nil {
		p.Fatal(err)
	}
	p.view.Reviews = append(p.view.Reviews, run.Review{Verdict: verdictReplan, State: p.view.Run.State, Time: p.now})
	before := p.rounds
	p.settle()
	if p.view.Run.State != replanning && p.view.Run.State != planning {
		p.Fatalf("after a replan was asked for it is %s", p.view.Run.State)
	}
	if round(p.view) > before+1 {
		p.Fatalf("a replan planned %d times", round(p.view)-before)
	}
}

func (p *play) retry() {
	from := p.view.Run.State
	err := p.kind.Retry(p.view)
	said, known, _ := approvalOf(p.view, p.in)
	if may := (from == failed || from == canceled) && !(known && said.Rejected); may != (err == nil) {
		p.Fatalf("retry of a run that is %s: %v", from, err)
	}
	if err == nil {
		p.view.Locked = p.view.Run.Lock == ""
		p.settle()
		if p.view.Run.Lock != "" && p.view.Run.State != queued {
			p.Fatalf("a retry went on to %s without the lock", p.view.Run.State)
		}
		p.view.Locked = true
		p.settle()
	}
}

func (p *play) cancel() {
	state := p.view.Run.State
	err := p.kind.Cancel(p.view)
	if may := state != confirmed && state != applying; may != (err == nil) {
		p.Fatalf("cancel of a run that is %s: %v", state, err)
	}
	if err == nil {
		p.view.Run.CancelRequested = true
		if outside := p.view.Step(stepExternal); outside != nil && outside.State == run.StepWaiting { // nobody works on it
			p.view.End(outside, run.StepCanceled, "canceled")
		}
		p.settle()
	}
}

// confirmedBy tells whether the plan of this round was let through: by a person, or by the stack's own word.
func (p *play) letThrough() bool {
	v := p.verdict[p.rounds]
	asked := p.in.Upload != nil && p.in.Upload.AutoApply && p.in.Type != Proposed && p.rounds == 1
	saved := p.in.Upload != nil && p.in.Upload.Save
	if !saved && (asked || p.in.Autodeploy && p.in.Type == Tracked) && v.Approved && len(v.Warn) == 0 && p.chosen[p.rounds] == 0 {
		return true
	}
	judged := p.step("judge")
	for _, r := range p.view.Reviews {
		if r.Verdict == "confirm" && r.State == unconfirmed && !r.Time.Before(judged.Ended) {
			return true
		}
	}
	return false
}

// check holds what must be true at any time.
func (p *play) check() {
	v := p.view
	p.rounds = round(v)
	for _, s := range v.Steps {
		name, _, _ := strings.Cut(s.Key, "-")
		if (name == "apply" || name == "task") && s.MaxAttempts != 1 {
			p.Fatalf("step %s may be done %d times", s.Key, s.MaxAttempts)
		}
		if p.in.Type == Task && slices.Contains([]string{"plan", "show", "judge", "apply"}, name) || p.in.Type != Task && name == "task" || onlyPlans(p.in.Type) && name == "apply" {
			p.Fatalf("a run of type %s has the step %s", p.in.Type, s.Key)
		}
	}
	if may := []string{queued, ready, performing, finished, failed, canceled}; p.in.Type == Task && !slices.Contains(may, v.Run.State) {
		p.Fatalf("a task is %s", v.Run.State)
	}
	if v.Run.State == canceled && p.was != canceled { // policies are told by its reason
		worked := v.Run.CancelRequested && slices.Contains([]string{planning, judging, performing}, p.was)
		if stopped := strings.HasPrefix(v.Run.Reason, stoppedWhile); stopped != worked {
			p.Fatalf("it was %s and is canceled: %s", p.was, v.Run.Reason)
		}
		if want := map[bool]string{true: "STOPPED", false: "CANCELED"}[worked]; stateInput(*v.Run, p.in.Type) != want {
			p.Fatalf("to policies it is %s, want %s", stateInput(*v.Run, p.in.Type), want)
		}
	}
	p.was = v.Run.State
	for n := 1; n <= p.rounds && len(p.in.DependsOn) > 0; n++ {
		inputs, plan := v.Step(stepKey("inputs", n)), p.work(n)
		if inputs == nil || inputs.State != run.StepSucceeded {
			p.Fatalf("round %d plans without what the stack depends on", n)
		}
		if got := plan.Job.Env["TF_VAR_net"]; got != inputs.Key {
			p.Fatalf("round %d plans with %q of another stack", n, got)
		}
	}
	for n := 1; n <= p.rounds && p.in.Type != Task; n++ { // each plan is of what was chosen when it began
		if _, known := p.chosen[n]; !known {
			p.chosen[n] = p.replans
		}
		args := v.Step(stepKey("plan", n)).Job.Env["TF_CLI_ARGS_plan"]
		if want := fmt.Sprintf("-target=res.n%d", p.chosen[n]); (p.chosen[n] > 0) != strings.Contains(args, want) {
			p.Fatalf("plan %d has the arguments %q after %d replans", n, args, p.chosen[n])
		}
	}
	most := 1
	if outside := v.Step(stepExternal); outside != nil && outside.State == run.StepWaiting {
		most = 2 // policies are asked meanwhile
	}
	if v.Open() > most {
		p.Fatalf("%d steps are open at once", v.Open())
	}
	if said, known, _ := approvalOf(v, p.in); p.in.Given.Asked {
		if !(known && said.Approved) && (p.rounds > 0 || v.Run.State != queued && !v.Run.Terminal) {
			p.Fatalf("it is %s in round %d, and the approval policies say %+v", v.Run.State, p.rounds, said)
		}
		if undecided := known && !said.Approved && !said.Rejected; v.Run.State == queued && !v.Run.CancelRequested && v.Run.Waiting != undecided {
			p.Fatalf("it waits for a person: %t, and the approval policies say %+v", v.Run.Waiting, said)
		}
		if v.Run.State == queued && turn(v) == run.TurnTakes && !said.Approved {
			p.Fatalf("it takes its turn, and the approval policies say %+v", said)
		}
	}
	if len(p.in.External) > 0 { // it begins when all is there, and stands aside until then
		outside := v.Step(stepExternal)
		done := outside.State == run.StepSucceeded && len(externalsOf(outside).names(markWaiting)) == 0 && len(externalsOf(outside).names(MarkFailed)) == 0
		if !done && (p.rounds > 0 || v.Run.State != queued && !v.Run.Terminal) {
			p.Fatalf("it is %s in round %d, and outside there is %s", v.Run.State, p.rounds, outside.Data)
		}
		if v.Run.State == queued && !v.Run.CancelRequested && (turn(v) == run.TurnAside) == done {
			p.Fatalf("its turn is %d, and outside there is %s", turn(v), outside.Data)
		}
	}
	for n := 1; n < p.rounds; n++ { // what is planned again is planned on all that was built
		for _, name := range []string{"apply", "task"} {
			step := v.Step(stepKey(name, n))
			if step == nil || step.Result.Artifacts[erroredState].Digest == "" {
				continue
			}
			if try := adoption(v, step.Result.Artifacts[erroredState].Digest); try == nil || try.State != run.StepSucceeded {
				p.Fatalf("it goes on, and the state that %s could not write was not taken up", step.Key)
			}
		}
	}
	if apply := p.step("apply"); apply != nil && p.rounds > 0 {
		verdict := p.verdict[p.rounds]
		switch {
		case onlyPlans(p.in.Type):
			p.Fatalf("a %s run is applied", p.in.Type)
		case len(verdict.Deny) > 0:
			p.Fatal("a denied plan is applied")
		case verdict.Summary.Empty():
			p.Fatal("an empty plan is applied")
		case !p.letThrough():
			p.Fatal("a plan that nobody confirmed is applied")
		}
		files := apply.Job.Files
		if got, want := files[len(files)-1].Blob, fmt.Sprintf("plan of %d", p.rounds); got != want || !files[len(files)-1].Sealed {
			p.Fatalf("%q is applied, want %q as it was sealed", got, want)
		}
	}
	if ended := v.Run.State == finished || v.Run.State == failed; ended && len(p.in.Given.Hooks) > 0 && p.rounds > 0 {
		if after, _ := lastAfter(v); after == nil || !after.State.Done() || goneOn(v, after) || !strings.Contains(after.Job.Env["ROADBED_FINAL_STATE"], v.Run.State) {
			p.Fatalf("it is %s, and after it came %+v", v.Run.State, after)
		}
	}
	switch v.Run.State {
	case failed:
		if v.Run.Reason == "" {
			p.Fatal("it failed without a reason")
		}
		if apply := p.step("apply"); apply != nil && len(apply.Result.Artifacts) > 0 && p.view.Step("adopt") == nil {
			p.Fatal("a state that could not be written is not taken up")
		}
	case finished:
		if lost := lostState(v, p.rounds); lost != "" {
			p.Fatalf("it finished, and %s was not taken up", lost)
		}
		applied, verdict := p.step("apply"), p.verdict[p.rounds]
		done := applied != nil && applied.State == run.StepSucceeded
		if !done && !onlyPlans(p.in.Type) && !verdict.Summary.Empty() {
			p.Fatalf("it finished, and its apply is %+v", applied)
		}
		if work := p.work(p.rounds); work == nil || work.State != run.StepSucceeded {
			p.Fatalf("it finished, and what it was to do is %+v", work)
		}
	case unconfirmed, pending:
		if !v.Run.Waiting {
			p.Fatalf("a run that is %s is not among those that wait", v.Run.State)
		}
		if verdict := p.verdict[p.rounds]; (v.Run.State == pending) != (p.in.Type == Proposed) || v.Run.State == pending && !verdict.Review {
			p.Fatalf("a %s run with %+v is %s", p.in.Type, verdict, v.Run.State)
		}
	}
	if v.Run.State == finished && p.in.Type == Proposed && p.verdict[p.rounds].Review && !p.passed() {
		p.Fatal("a preview that needs a review finished without one")
	}
}

// passed tells whether somebody let the preview of this round pass.
func (p *play) passed() bool {
	for _, r := range p.view.Reviews {
		if r.Verdict == "confirm" && r.State == pending && !r.Time.Before(p.step("judge").Ended) {
			return true
		}
	}
	return false
}

// TestAnyStackRunAppliesOnlyWhatWasLetThrough plays runs with any ends of their steps, reviews, cancellations and
// retries, and checks at each moment what must always hold.
func TestAnyStackRunAppliesOnlyWhatWasLetThrough(t *testing.T) {
	t.Parallel()
	k := Kind()
	if err := k.Check(); err != nil {
		t.Fatal(err)
	}
	ends := map[string]int{}
	play := func(rt *rapid.T) {
		p := &play{T: rt, kind: k, now: time.Unix(1000, 0), verdict: map[int]Verdict{}, chosen: map[int]int{}, in: Input{
			Type: rapid.SampledFrom([]string{Tracked, Tracked, Proposed, Destroy, Drift, Task}).Draw(rt, "type"), Stack: "stack:default/net", Path: "infra",
			Autodeploy: rapid.Bool().Draw(rt, "autodeploy"),
		}}
		p.in.Drift = p.in.Type == Drift || p.in.Type == Tracked && rapid.Bool().Draw(rt, "takes drift back")
		switch p.in.Type {
		case Drift:
			p.in.Reconcile = rapid.Bool().Draw(rt, "reconcile")
		case Task:
			p.in.Command = "true"
		}
		if rapid.Bool().Draw(rt, "depends") {
			p.in.DependsOn = []Dependency{{Stack: "stack:default/base"}}
		}
		if rapid.IntRange(0, 2).Draw(rt, "outside") == 0 {
			p.in.External = []string{"image", "chart"}
		}
		p.in.Given.Asked = rapid.IntRange(0, 2).Draw(rt, "asked first") == 0
		if rapid.Bool().Draw(rt, "after") {
			p.in.Given.Hooks = map[string][]Hook{atAfterRun: {{From: "the stack", Command: "true"}}}
		}
		if p.in.Type != Drift && p.in.Type != Task && rapid.Bool().Draw(rt, "uploaded") {
			p.in.Upload = &Upload{Blob: "sha256:x", AutoApply: rapid.Bool().Draw(rt, "asked"), Save: rapid.Bool().Draw(rt, "saved")}
		}
		raw, err := json.Marshal(p.in)
		if err != nil {
			rt.Fatal(err)
		}
		r := run.Run{ID: "run_1", Input: raw}
		if !onlyPlans(p.in.Type) {
			r.Lock = "stack:x"
		}
		p.view = run.NewView(k, r, p.now)
		p.settle()
		if r.Lock != "" && (p.view.Run.State != queued || len(p.view.Steps) > 2) {
			rt.Fatalf("began in %s without its lock", p.view.Run.State)
		}
		p.view.Locked = true
		p.settle()
		p.check()
		for range rapid.IntRange(1, 25).Draw(rt, "moves") {
			switch move := rapid.SampledFrom([]string{"report", "report", "report", "confirm", "discard", "discard", "approve", "cancel", "retry", "replan", verdictRefuse}).Draw(rt, "move"); {
			case p.view.Run.Terminal:
				ends[p.view.Run.State]++
				if move == "retry" {
					p.retry()
				}
			case move == "report":
				p.report()
			case move == "cancel":
				p.cancel()
			case move == "retry":
			case move == "replan":
				if p.view.Run.State == unconfirmed {
					p.replan()
				}
			case p.view.Run.State == queued && p.view.Run.Waiting && move != "discard":
				p.review(move)
			case p.view.Run.State == pending, p.view.Run.State == unconfirmed && move != verdictRefuse: // nobody else takes a review, see Service.waiting
				p.review(move)
			}
			p.check()
		}
		if p.view.Run.Terminal {
			ends[p.view.Run.State]++
		}
	}
	for range 20 { // some ends are rare
		if rapid.Check(t, play); len(ends) == 4 {
			return
		}
	}
	t.Errorf("the plays ended only as %v", ends)
}

func TestAnUnreadableInputEndsTheRun(t *testing.T) {
	t.Parallel()
	k := Kind()
	v := run.NewView(k, run.Run{ID: "run_1", Input: json.RawMessage("7")}, time.Unix(1, 0))
	if err := k.Advance(v); err != nil || v.Run.State != failed || !strings.Contains(v.Run.Reason, "input can't be read") {
		t.Errorf("got %s: %s, %v", v.Run.State, v.Run.Reason, err)
	}
}

// TestARetryTakesUpTheStateBeforeItPlans has an apply fail with a state that can't be taken up twice.
func TestARetryTakesUpTheStateBeforeItPlans(t *testing.T) {
	t.Parallel()
	k := Kind()
	v := run.NewView(k, run.Run{ID: "run_1", Lock: "stack:x", Input: json.RawMessage(`{"type": "tracked", "stack": "stack:default/net"}`)}, time.Unix(1, 0))
	settle := func() {
		t.Helper()
		v.Locked = true
		for range 5 { // more than it ever moves at once
			if err := k.Advance(v); err != nil {
				t.Fatal(err)
			}
		}
	}
	end := func(key string, state run.StepState, result worker.Result) {
		t.Helper()
		step := v.Step(key)
		if step == nil || v.Open() != 1 {
			t.Fatalf("there is no step %s to end alone in %s", key, v.Run.State)
		}
		step.State, step.Result, step.Reason = state, result, "said by "+key
		settle()
	}
	retry := func() {
		t.Helper()
		v.Locked = false
		if err := k.Retry(v); err != nil {
			t.Fatal(err)
		}
		settle()
	}
	made := func(names ...string) worker.Result {
		r := worker.Result{Artifacts: map[string]worker.Artifact{}, Data: json.RawMessage(`{"summary": {"create": 1}}`)}
		for _, name := range names {
			r.Artifacts[name] = worker.Artifact{Digest: "of " + name}
		}
		return r
	}
	settle()
	end("plan", run.StepSucceeded, made("plan"))
	end("show", run.StepSucceeded, made("plan-json"))
	end("judge", run.StepSucceeded, made())
	v.Reviews = append(v.Reviews, run.Review{Verdict: "confirm", State: unconfirmed, Time: v.Now})
	settle()
	end("apply", run.StepFailed, made(erroredState))
	end("adopt", run.StepFailed, worker.Result{})
	for _, key := range []string{"adopt", "adopt-2"} {
		if v.Run.State != failed || !strings.Contains(v.Run.Reason, notTakenUp+"said by "+key) {
			t.Fatalf("after %s it is %s: %s", key, v.Run.State, v.Run.Reason)
		}
		retry()
		if key == "adopt" {
			end("adopt-2", run.StepFailed, worker.Result{})
		}
	}
	end("adopt-3", run.StepSucceeded, worker.Result{})
	if v.Run.State != planning || v.Step("plan-2") == nil || v.Open() != 1 {
		t.Errorf("after the state was taken up it is %s", v.Run.State)
	}
}
