package run

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// State is one row of a kind's table.
type State struct {
	Terminal  bool
	Waiting   bool     // for a person: it shows among what waits for review
	WaitsLock bool     // the run's lock is asked for while it is in this state; View.Locked tells when it is held
	Next      []string // where it may go from here
}

// Kind is what a product registers: its table of states and its pure transition function.
type Kind struct {
	Name    string
	Initial string
	States  map[string]State
	// Advance looks at the view and says what comes next. It is pure and level-triggered: called in the
	// transaction of every change and again until it moves nothing, it must come to rest, and must not read or
	// write anything but the view.
	Advance func(v *View) error
	// Turn, when there is one, tells whether a run in a state that asks for its lock may take it now, from the view alone. Nil
	// means that it may.
	Turn func(v *View) Turn
	// Cancel says whether a run may be canceled now (nil error) and may mark what to do; Advance sees
	// Run.CancelRequested from then on. Nil means that it always may.
	Cancel func(v *View) error
	// Retry sets a run that has ended back to a state from which Advance goes on. Nil means that it can't be.
	Retry func(v *View) error
	// Retrier, when there is one, asks whoever retries for the product's own right, and may write down who it is, in the
	// transaction of the retry.
	Retrier func(ctx context.Context, tx *store.Tx, r Run) error
	// BeforeRetry, when there is one, is asked ahead of that transaction, for what can't be done within one, such as to ask policies.
	BeforeRetry func(ctx context.Context, r Run) error
	// Ended, when there is one, lets the product drop what an ended run needs no more, in the transaction that ends it.
	Ended func(ctx context.Context, tx *store.Tx, r Run) error
	// Traits, when there is one, gives by what lists of its runs are narrowed and searched beside their columns. It is pure, and
	// asked with each change of a run.
	Traits func(r Run) Traits
}

// Turn is where a run stands among those that want its lock.
type Turn int

const (
	TurnTakes Turn = iota // it takes the lock when that is free and no other goes before it
	TurnAside             // it waits for something else: others go before it, and the lock is not kept for it
	TurnKeeps             // it waits for something else, and keeps its place: what comes after it waits too
)

// Check finds mistakes in a table: states that are unknown, unreachable, or have no way to an end.
func (k Kind) Check() error {
	if _, ok := k.States[k.Initial]; !ok {
		return fmt.Errorf("kind %s: initial state %q is not in its table", k.Name, k.Initial)
	}
	seen := map[string]bool{k.Initial: true}
	queue := []string{k.Initial}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		state := k.States[name]
		if state.Terminal != (len(state.Next) == 0) {
			return fmt.Errorf("kind %s: state %q must be terminal exactly when it has no next state", k.Name, name)
		}
		for _, next := range state.Next {
			if _, ok := k.States[next]; !ok {
				return fmt.Errorf("kind %s: state %q leads to %q, which is not in its table", k.Name, name, next)
			}
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	for name := range k.States {
		if !seen[name] {
			return fmt.Errorf("kind %s: state %q can't be reached", k.Name, name)
		}
	}
	return nil
}

// View is a run with everything that belongs to it, as Advance sees and changes it.
type View struct {
	Run     *Run
	Steps   []*Step
	Reviews []Review
	Now     time.Time
	Locked  bool // the run holds its lock; true when it has none

	kind   Kind
	moves  []move
	awaits []string // why it began to wait for a person
	logs   []string // of the attempts that a worker had and that end
	dirty  bool
	broken error // why Advance would see too little
	hide   func(string) string
	hidden []string // what hide takes out
}

// How a run waits for its lock, as its row has it.
const (
	waitsNot   = 0
	waitsTakes = 1
	waitsKeeps = 2 // it has its place among those that wait, and does not take the lock yet
)

// waits tells how a run waits for its lock.
func (v *View) waits() int {
	if v.Locked || !v.kind.States[v.Run.State].WaitsLock {
		return waitsNot
	}
	turn := TurnTakes
	if v.kind.Turn != nil {
		turn = v.kind.Turn(v)
	}
	switch turn {
	case TurnAside:
		return waitsNot
	case TurnKeeps:
		return waitsKeeps
	}
	return waitsTakes
}

type move struct{ from, to, reason string }

// NewView gives a view for tests of a kind's Advance.
func NewView(k Kind, r Run, now time.Time) *View {
	if r.State == "" {
		r.State = k.Initial
	}
	return &View{Run: &r, Now: now, Locked: r.Lock == "", kind: k}
}

// Step gives the step with that key, or nil.
func (v *View) Step(key string) *Step {
	for _, s := range v.Steps {
		if s.Key == key {
			return s
		}
	}
	return nil
}

// Add adds a step, ready for a worker unless its state says otherwise. Adding a key that exists gives what exists. A job
// that is added after a step gave secrets hides them too, and rests sealed.
func (v *View) Add(s Step) *Step {
	if have := v.Step(s.Key); have != nil {
		return have
	}
	if s.State == "" {
		s.State = StepReady
	}
	if s.Pool == "" {
		s.Pool = DefaultPool
		if s.Job.Kind == "platform" {
			s.Pool = ServerPool
		}
	}
	if s.Attempt == 0 {
		s.Attempt = 1
	}
	if s.MaxAttempts == 0 {
		s.MaxAttempts = 3
	}
	if s.Position == 0 {
		s.Position = len(v.Steps) + 1
	}
	if s.State == StepReady {
		s.Ready = v.Now
	}
	if s.State.Done() {
		s.Ended = v.Now
	}
	s.Title, s.Reason = v.Hide(s.Title), v.Hide(s.Reason)
	if secrets := secretsOf(v.Steps); len(secrets) > 0 && s.Job.Kind != "" { // it may have been made of what they are in
		s.Job.Masks = append(slices.Clip(s.Job.Masks), secrets...)
		s.Job.Sealed = true
	}
	s.Run, s.fresh, s.changed = v.Run.ID, true, true
	v.Steps = append(v.Steps, &s)
	v.dirty = true
	return &s
}

// Release makes a waiting step ready for a worker.
func (v *View) Release(s *Step) {
	if s.State == StepWaiting {
		s.State, s.Ready = StepReady, v.Now
		v.touch(s)
	}
}

// Again makes a step that has ended ready once more, with a new attempt and a new log.
func (v *View) Again(s *Step) {
	if !s.State.Done() {
		return
	}
	v.Hold(s)
	v.Release(s)
}

// Hold makes a step that has ended wait once more for Release, with a new attempt and a new log.
func (v *View) Hold(s *Step) {
	if !s.State.Done() {
		return
	}
	s.Attempt++
	s.MaxAttempts++
	s.State, s.Reason, s.Ready = StepWaiting, "", time.Time{}
	s.Started, s.Ended, s.Worker = time.Time{}, time.Time{}, ""
	s.Result, s.sealedResult = worker.Result{}, nil
	s.cancelRequest = false
	v.touch(s)
}

// End ends an open step without a worker: skipped, failed, succeeded or canceled. A leased step can't be ended so;
// CancelOpenSteps asks its worker to stop.
func (v *View) End(s *Step, state StepState, reason string) {
	if s.State.Done() || s.State == StepLeased || !state.Done() {
		return
	}
	s.State, s.Reason, s.Ended = state, v.Hide(reason), v.Now
	v.touch(s)
}

// SetData replaces the product's own data of a step, which people see as it is.
func (v *View) SetData(s *Step, data any) {
	raw, err := json.Marshal(data)
	if err == nil && string(raw) != string(s.Data) {
		s.Data = raw
		v.touch(s)
	}
}

// To moves the run to another state, if its table allows it. A terminal state cancels what is still open.
func (v *View) To(state, reason string) error {
	if state == v.Run.State {
		return nil
	}
	here := v.kind.States[v.Run.State]
	there, ok := v.kind.States[state]
	if !ok || !slices.Contains(here.Next, state) {
		return fmt.Errorf("run %s: kind %s has no way from %q to %q", v.Run.ID, v.kind.Name, v.Run.State, state)
	}
	v.force(state, reason, there)
	return nil
}

// Reopen sets an ended run back to a state of its table; only for Kind.Retry. It has let go of its lock, so that a run with
// one goes back to where the lock is asked for.
func (v *View) Reopen(state, reason string) error {
	there, ok := v.kind.States[state]
	if !ok || there.Terminal {
		return fmt.Errorf("run %s: kind %s can't go back to %q", v.Run.ID, v.kind.Name, state)
	}
	if !v.Locked && !there.WaitsLock {
		return fmt.Errorf("run %s: kind %s can't go back to %q, which does not ask for the run's lock", v.Run.ID, v.kind.Name, state)
	}
	v.Run.Ended = time.Time{}
	v.Run.CancelRequested = false
	v.force(state, reason, there)
	return nil
}

func (v *View) force(state, reason string, there State) {
	reason = v.Hide(reason)
	v.moves = append(v.moves, move{v.Run.State, state, reason})
	v.Run.State, v.Run.Reason = state, reason
	v.Run.Terminal, v.Run.Waiting = there.Terminal, there.Waiting
	v.dirty = true
	if there.Terminal {
		v.Run.Ended = v.Now
		v.Run.Wake = time.Time{}
		v.CancelOpenSteps(reason)
	}
}

// Output sets what the run gives, for people: secrets that steps gave are taken out.
func (v *View) Output(value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("run %s: encode output: %w", v.Run.ID, err)
	}
	if len(secretsOf(v.Steps)) > 0 {
		raw = worker.HideJSON(raw, v.Hide)
	}
	if string(raw) != string(v.Run.Output) {
		v.Run.Output, v.dirty = raw, true
	}
	return nil
}

// Warn adds a warning that the run's page shows; the same words are added once.
func (v *View) Warn(text string) {
	text = v.Hide(text)
	if !slices.Contains(v.Run.Warnings, text) {
		v.Run.Warnings = append(v.Run.Warnings, text)
		v.dirty = true
	}
}

// WakeAt asks for a call of Advance at t, if nothing happens before.
func (v *View) WakeAt(t time.Time) {
	if !v.Run.Wake.Equal(t) {
		v.Run.Wake, v.dirty = t, true
	}
}

// Await says whether a run waits for a person while it stays in a state in which it does not always, and why.
func (v *View) Await(waits bool, why string) {
	why = v.Hide(why)
	if v.Run.Waiting != waits || v.Run.Reason != why {
		v.Run.Waiting, v.Run.Reason, v.dirty = waits, why, true
		if waits {
			v.awaits = append(v.awaits, why)
		}
	}
}

// CancelOpenSteps ends what no worker has, and asks workers to stop what they have.
func (v *View) CancelOpenSteps(reason string) {
	for _, s := range v.Steps {
		switch {
		case s.State.Done():
		case s.State == StepLeased:
			if !s.cancelRequest {
				s.cancelRequest = true
				v.touch(s)
			}
		default:
			s.State, s.Reason, s.Ended = StepCanceled, reason, v.Now
			v.touch(s)
		}
	}
}

// Open counts the steps that have not ended.
func (v *View) Open() int {
	n := 0
	for _, s := range v.Steps {
		if !s.State.Done() {
			n++
		}
	}
	return n
}

func (v *View) touch(s *Step) { s.changed, v.dirty = true, true }
