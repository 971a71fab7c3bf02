package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// A run that waits for review can be planned anew for resources that somebody chooses of its plan. It is judged anew, needs a
// confirmation of its own however the stack is deployed, and whoever chose is among its authors. Where it is of a part, its
// end tells nothing of the rest: what is applied of the stack, and by whose changes, stays as it was.

// Replan is what somebody chose of a run's plan.
type Replan struct {
	Targets []string `json:"targets,omitempty"` // only these are planned, with what they need; none for all
	Replace []string `json:"replace,omitempty"` // are made anew
	By      []string `json:"by,omitempty"`      // who chose, by their ids
}

const (
	verdictReplan = "replan"
	mostReplans   = 20  // of one run
	mostChosen    = 200 // addresses
	addressLimit  = 2 << 10
)

// replanOf gives what was chosen last of a run's plan; nil for nothing.
func replanOf(r *run.Run) *Replan {
	var out Output
	if len(r.Output) == 0 || json.Unmarshal(r.Output, &out) != nil {
		return nil
	}
	return out.Replan
}

// partial tells whether a run leaves out what is not chosen.
func (a *Replan) partial() bool { return a != nil && len(a.Targets) > 0 }

func (a *Replan) String() string {
	if a == nil {
		return "planned anew"
	}
	var parts []string
	if n := len(a.Targets); n > 0 {
		parts = append(parts, fmt.Sprintf("only %s", plural(n, "resource", "resources")))
	}
	if n := len(a.Replace); n > 0 {
		parts = append(parts, plural(n, "resource made anew", "resources made anew"))
	}
	return "planned anew: " + strings.Join(parts, ", ")
}

// MayReplan tells whether a run is one whose plan somebody may choose of, rights aside.
func MayReplan(r run.Run) bool {
	return r.Kind == RunKind && r.State == unconfirmed && !r.CancelRequested
}

// RightOf gives what it takes to begin a run of the type of another; "" for one that is none of a stack.
func RightOf(r run.Run) string {
	var in Input
	if r.Kind != RunKind || json.Unmarshal(r.Input, &in) != nil {
		return ""
	}
	return Right(in.Type)
}

// check holds a choice to the plan that it is of.
func (a Replan) check(p Plan) error {
	switch n := len(a.Targets) + len(a.Replace); {
	case n == 0:
		return fault.Errorf(fault.Invalid, "name the resources that are to be planned, or to be made anew, by their addresses in the plan")
	case n > mostChosen:
		return fault.Errorf(fault.TooLarge, "%d resources are chosen; at most %d can be. Choose a module, such as module.network", n, mostChosen)
	}
	for _, address := range slices.Concat(a.Targets, a.Replace) {
		if address == "" || len(address) > addressLimit || strings.ContainsFunc(address, unicode.IsControl) {
			return fault.Errorf(fault.Invalid, "%.100q is not the address of a resource", address)
		}
	}
	for _, address := range a.Targets {
		if !slices.ContainsFunc(p.Changes, func(c Change) bool { return within(c.Address, address) }) {
			return fault.Errorf(fault.Invalid, "the plan has nothing at %s; take an address of `roadbed run plan`", address)
		}
	}
	for _, address := range a.Replace {
		if !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Address == address && c.Mode != "data" && c.Before != nil }) {
			return fault.Errorf(fault.Invalid, "the plan has no resource %s that is there and could be made anew; take the whole address of one, such as aws_instance.web[0]", address)
		}
	}
	return nil
}

// within tells whether an address is another, or below it: an instance of a resource, or what a module holds.
func within(address, other string) bool {
	rest, ok := strings.CutPrefix(address, other)
	return ok && (rest == "" || rest[0] == '[' || rest[0] == '.')
}

// chosen gives what an upload's run was asked, with what was chosen of its plan since.
func (u *Upload) chosen(a *Replan) *Upload {
	if a == nil {
		return u
	}
	next := Upload{}
	if u != nil {
		next = *u
	}
	next.Targets, next.Replace = a.Targets, a.Replace
	return &next
}

// authorsOf gives the authors of a run, with those who chose of its plan.
func (in Input) authorsOf(r run.Run) []string {
	all := in.authors(r.Actor)
	if again := replanOf(&r); again != nil {
		for _, who := range again.By {
			if !slices.Contains(all, who) {
				all = append(slices.Clip(all), who)
			}
		}
	}
	return all
}

// Replan has a run that waits for review plan anew, for resources of its plan alone.
// Permission: run:confirm, and the right to begin a run of its type, in the run's space. Conflict when it does not wait.
func (s *Service) Replan(ctx context.Context, runID string, ask Replan, note string) error {
	r, err := s.waiting(ctx, runID, "run:confirm")
	if err != nil {
		return err
	}
	var in Input
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return fault.Wrap(err, "read the input of run %s", runID)
	}
	if err := s.Access.Authorize(ctx, Right(in.Type), r.Space); err != nil {
		return err
	}
	switch {
	case r.State != unconfirmed:
		return fault.Errorf(fault.Conflict, "run %s only plans; start another one", runID)
	case in.Type == Destroy && len(ask.Replace) > 0:
		return fault.Errorf(fault.Invalid, "run %s destroys, and makes nothing anew; leave replace out", runID)
	}
	p, err := s.ReadPlan(ctx, runID)
	if err != nil {
		return err
	}
	if err := ask.check(p); err != nil {
		return err
	}
	var out Output
	if err := json.Unmarshal(r.Output, &out); err != nil {
		return fault.Wrap(err, "read the output of run %s", runID)
	}
	var by []string
	if out.Replan != nil {
		by = out.Replan.By
	}
	if me := actor.From(ctx).ID; !slices.Contains(by, me) {
		by = append(slices.Clip(by), me)
	}
	out.Replan = &Replan{Targets: ask.Targets, Replace: ask.Replace, By: by}
	return s.review(ctx, r, verdictReplan, note, nil, func(v *run.View) error {
		n := 0
		for _, said := range v.Reviews {
			if said.Verdict == verdictReplan {
				n++
			}
		}
		if n > mostReplans {
			return fault.Errorf(fault.Conflict, "run %s was planned anew %d times; discard it, and start another one", runID, mostReplans)
		}
		return v.Output(out)
	})
}
