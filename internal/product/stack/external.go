package stack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// A push policy may name what has to be done outside before the run that it begins may start, such as the build of an image.
// That run stays queued until each of these external dependencies is marked as finished or skipped; one that is marked as failed
// fails it. It waits aside: it has no lock and no place in the queue of its stack, so that other runs go before it. A run of
// its commit or a newer one that was begun after it and has finished takes its place (Given.Takes), so that no older commit is
// applied after a newer one, and no newer one is lost.

// Marks of an external dependency.
const (
	MarkFinished = "finished"
	MarkSkipped  = "skipped" // it is not needed this time
	MarkFailed   = "failed"
)

// markWaiting is what one is that nobody has marked yet.
const markWaiting = "waiting"

// Bounds of external dependencies.
const (
	mostExternal  = 50  // of one run
	externalBytes = 200 // of a name
	externalLife  = 7 * 24 * time.Hour
)

// External is one dependency of a run, as its page shows it.
type External struct {
	Name   string    `json:"name"`
	Status string    `json:"status"`
	Note   string    `json:"note,omitempty"`
	By     string    `json:"by,omitempty"` // principal
	Marked time.Time `json:"marked,omitzero"`
}

// externals is the data of the step that waits for them.
type externals struct {
	Dependencies []External `json:"dependencies"`
	Until        time.Time  `json:"until"`                  // when it is waited for no longer
	Superseded   string     `json:"supersededBy,omitempty"` // by the run that has finished meanwhile
}

const stepExternal = "external"

// externalsOf reads what a step says of external dependencies.
func externalsOf(step *run.Step) (e externals) {
	_ = json.Unmarshal(step.Data, &e) // this room wrote it; what can't be read is waited for
	return e
}

func (e externals) names(status string) (all []string) {
	for _, d := range e.Dependencies {
		if d.Status == status {
			all = append(all, d.Name)
		}
	}
	return all
}

// waitsAside tells whether a run waits for what is outside.
func waitsAside(v *run.View, in Input) bool {
	if len(in.External) == 0 {
		return false
	}
	step := v.Step(stepExternal)
	return step == nil || !step.State.Done()
}

// passable tells whether a run is queued that others may go before.
func passable(r run.Run) bool {
	var in Input
	return r.State == queued && json.Unmarshal(r.Input, &in) == nil && len(in.External) > 0
}

// turn keeps a run that waits for what is outside, or for approval, from the lock.
func turn(v *run.View) run.Turn {
	var in Input
	if json.Unmarshal(v.Run.Input, &in) != nil {
		return run.TurnTakes // it fails as it advances
	}
	if waitsAside(v, in) {
		return run.TurnAside
	}
	if said, known, err := approvalOf(v, in); err == nil && !(known && said.Approved) {
		return run.TurnKeeps
	}
	return run.TurnTakes
}

// afterExternal tells whether all that a run waits for outside is done; it moves the run where that can't be.
func afterExternal(v *run.View, in Input) (ready bool, err error) {
	if len(in.External) == 0 {
		return true, nil
	}
	step := v.Step(stepExternal)
	if step == nil {
		step = v.Add(externalStep(in, v.Now))
	}
	said := externalsOf(step)
	if said.Superseded != "" {
		return false, v.To(canceled, fmt.Sprintf("run %s, which was begun after it, has finished while this one waited", said.Superseded))
	}
	switch step.State {
	case run.StepSucceeded:
		if v.Run.Wake.Equal(said.Until) {
			v.WakeAt(time.Time{})
		}
		return true, nil
	case run.StepFailed:
		return false, v.To(failed, step.Reason)
	}
	if !v.Now.Before(said.Until) {
		v.End(step, run.StepFailed, fmt.Sprintf("nobody marked %s within %d days; retry it to wait anew", some(said.names(markWaiting)), externalLife/(24*time.Hour)))
		return false, v.To(failed, step.Reason)
	}
	v.WakeAt(said.Until)
	return false, nil
}

// externalUntil tells until when is waited, in the microseconds of a run's wake.
func externalUntil(now time.Time) time.Time { return now.Add(externalLife).Truncate(time.Microsecond) }

func externalStep(in Input, now time.Time) run.Step {
	e := externals{Until: externalUntil(now)}
	for _, name := range in.External {
		e.Dependencies = append(e.Dependencies, External{Name: name, Status: markWaiting})
	}
	data, _ := json.Marshal(e) // texts and times always encode
	return run.Step{
		Key: stepExternal, Title: "Wait for " + some(in.External), Group: "plan", State: run.StepWaiting, Data: data,
		Job: worker.Job{Kind: worker.KindPlatform}, // which no worker ever gets
	}
}

// settleExternal takes what was said of the dependencies of a run that waits for them.
func settleExternal(v *run.View, said map[string]External) {
	step := v.Step(stepExternal)
	if step == nil || step.State != run.StepWaiting {
		return
	}
	e := externalsOf(step)
	for i, d := range e.Dependencies { // what was said once counts for this run until something else is said
		if now, is := said[d.Name]; is {
			e.Dependencies[i] = now
		}
	}
	v.SetData(step, e)
	for _, d := range e.Dependencies {
		if d.Status == MarkFailed {
			why := fmt.Sprintf("%s, for which it waits, failed", d.Name)
			if d.Note != "" {
				why += ": " + d.Note
			}
			v.End(step, run.StepFailed, why)
			return
		}
	}
	if len(e.names(markWaiting)) == 0 {
		v.End(step, run.StepSucceeded, "")
	}
}

// supersede ends the waiting of a run of which another has taken the place, and the run with it.
func supersede(v *run.View, by string) {
	step := v.Step(stepExternal)
	if step == nil || v.Run.State != queued || v.Run.Lock == "" {
		return
	}
	e := externalsOf(step)
	e.Superseded = by
	v.SetData(step, e)
}

// retryExternal has a run that is retried wait anew for what it had not got. Whoever retries it means this run.
func retryExternal(v *run.View) {
	step := v.Step(stepExternal)
	if step == nil {
		return
	}
	e := externalsOf(step)
	e.Superseded = ""
	if step.State != run.StepSucceeded {
		v.Hold(step)
		for i, d := range e.Dependencies {
			if d.Status == MarkFailed {
				e.Dependencies[i] = External{Name: d.Name, Status: markWaiting}
			}
		}
		e.Until = externalUntil(v.Now)
	}
	v.SetData(step, e)
}

// checkExternal says why a run can't wait for something by these names; "" when it can.
func checkExternal(names []string) string {
	if len(names) > mostExternal {
		return fmt.Sprintf("a push policy names %d external dependencies; a run waits for at most %d", len(names), mostExternal)
	}
	if at := slices.IndexFunc(names, func(name string) bool { return badExternal(name) != "" }); at >= 0 {
		return fmt.Sprintf("a push policy names the external dependency %q, which %s", clipTo(names[at], externalBytes), badExternal(names[at]))
	}
	return ""
}

// badExternal says what is wrong with the name of an external dependency; "" for nothing.
func badExternal(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "is empty"
	case len(name) > externalBytes:
		return fmt.Sprintf("is longer than %d bytes", externalBytes)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "has characters that can't be written"
	}
	return ""
}

// ExternalsOf gives the external dependencies of a run, from its steps; none where it has no such.
func ExternalsOf(r run.Run, steps []run.Step) []External {
	if step := externalStepOf(r, steps); step != nil {
		return externalsOf(step).Dependencies
	}
	return nil
}

// MayMark tells whether a run waits for something outside, rights aside.
func MayMark(r run.Run, steps []run.Step) bool {
	step := externalStepOf(r, steps)
	return step != nil && r.State == queued && step.State == run.StepWaiting
}

func externalStepOf(r run.Run, steps []run.Step) *run.Step {
	if r.Kind != RunKind {
		return nil
	}
	for i := range steps {
		if steps[i].Key == stepExternal {
			return &steps[i]
		}
	}
	return nil
}
