package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// This file gives policies what they see of runs; see policyinput.go for the rest.

// stoppedWhile begins the reason of a run that was canceled while it was being worked on. Spacelift has a state for that.
const stoppedWhile = "stopped while "

// typeInput writes a run's type as Spacelift does. What looks for drift is a proposed run there, with a mark.
func typeInput(kind string) string {
	if kind == Drift {
		kind = Proposed
	}
	return shouted(kind)
}

// stateInput writes a run's state as Spacelift does.
func stateInput(r run.Run, kind string) string {
	switch {
	case r.State == judging:
		return shouted(planning)
	case r.State == canceled && strings.HasPrefix(r.Reason, stoppedWhile):
		return "STOPPED"
	case r.State == applying && kind == Destroy:
		return "DESTROYING"
	}
	return shouted(r.State)
}

// triggers names a schedule as what begins a run, as Spacelift does.
func (one Schedule) triggers() string {
	what := one.Do
	if what == Tracked {
		what = "run"
	}
	return "spacelift/schedules/" + what
}

// inputOf reads what a run of this room was asked to do; an unreadable type is shown as none.
func inputOf(r run.Run) (in Input) {
	_ = json.Unmarshal(r.Input, &in)
	return in
}

// runBrief is a run as Spacelift shows it among others; authors are the platform's own.
func (s *Service) runBrief(ctx context.Context, r run.Run) map[string]any {
	in := inputOf(r)
	return map[string]any{
		"id": r.ID, "type": typeInput(in.Type), "state": stateInput(r, in.Type), "branch": branchOf(r.Source.Ref),
		"commit":     map[string]any{"hash": r.Source.Commit, "branch": branchOf(r.Source.Ref)},
		"created_at": r.Created.UnixNano(), "updated_at": r.Updated.UnixNano(), "triggered_by": orNull(in.TriggeredBy),
		"creator_session": s.session(ctx, r.Actor), "author": r.Actor, "authors": in.authorsOf(r), "warnings": texts(r.Warnings),
		"drift_detection": in.Drift, "based_on_local_workspace": in.Local, "flags": []string{}, "user_provided_metadata": []string{},
		"command":        orNull(in.Command),
		"runtime_config": in.runtime(),
	}
}

// runInput is runBrief with the words of the commit, and with what the newest plan would do.
func (s *Service) runInput(ctx context.Context, r run.Run) (map[string]any, error) {
	seen := s.runBrief(ctx, r)
	seen["commit"] = s.commitInput(ctx, r.Source.Repository, branchOf(r.Source.Ref), r.Source.Commit, s.committer(ctx, r))
	brief, err := s.briefOfRun(ctx, r)
	seen["changes"] = brief
	return seen, err
}

// planOf reads the newest plan of a run; one without changes where there is none, or none any more.
func (s *Service) planOf(ctx context.Context, r run.Run) (Plan, error) {
	var out Output
	if len(r.Output) == 0 || json.Unmarshal(r.Output, &out) != nil || out.Plan == "" {
		return Plan{}, nil
	}
	data, err := s.readBlob(ctx, out.Plan)
	if fault.Is(err, fault.NotFound) && r.Terminal { // it was kept long enough
		return Plan{}, nil
	}
	if err != nil {
		return Plan{}, fault.Wrap(err, "read the plan of run %s", r.ID)
	}
	return ReadPlan(data)
}

// committer gives who brought the commit of a run: who pushed it, or "" when that is not known.
func (s *Service) committer(ctx context.Context, r run.Run) string {
	switch {
	case r.Source.Repository == "":
		return ""
	case inputOf(r).TriggeredBy == "": // it is of a push
		return r.Actor
	}
	who, err := s.Repositories.Pusher(ctx, r.Source.Repository, r.Source.Ref, r.Source.Commit)
	if err != nil {
		return "" // a policy is asked without it
	}
	return who
}

// runtime gives how a run runs. Its variables are left out: they may be secrets.
func (in Input) runtime() map[string]any {
	all := map[string]any{
		"project_root": in.Path, "runner_image": orNull(in.Image), "terraform_version": orNull(in.Given.Engine.Version),
	}
	for _, phase := range Phases() {
		commands := []string{}
		for _, h := range in.Given.Hooks[phase] {
			commands = append(commands, h.Command)
		}
		all[snake(phase)] = commands
	}
	return all
}

// snake writes beforeInit as before_init.
func snake(name string) string {
	var out strings.Builder
	for _, c := range name {
		if unicode.IsUpper(c) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}

// mostValues bounds the plans, in bytes, of which a run's changes have the values: policies see them a second time there.
const mostValues = 1 << 20

// brief gives what a plan would do as Spacelift tells it of a run, in its words.
func (p Plan) brief() []any {
	all := make([]any, 0, len(p.listed())+len(p.Outputs))
	add := func(c Change, address, kind, as string) {
		word := briefly(c)
		if word == "" {
			return
		}
		entity := map[string]any{"address": address, "name": c.Name, "type": kind, "entity_vendor": p.Vendor, "entity_type": as}
		if p.size <= mostValues {
			entity["data"] = map[string]any{"values": c.After}
		}
		all = append(all, map[string]any{"action": word, "phase": "plan", "entity": entity, "moved": c.moved()})
	}
	for _, c := range p.listed() {
		add(c, c.Address, c.Type, "resource")
	}
	for _, c := range p.Outputs {
		c.Name = c.Address
		add(c, "output."+c.Address, "output", "output")
	}
	return all
}

// briefly names what happens to a resource as Spacelift does; "" for nothing.
func briefly(c Change) string {
	switch c.Action {
	case "create":
		return "added"
	case "update", "move":
		return "changed"
	case "delete":
		return "deleted"
	case "import", "forget":
		return c.Action
	case "replace":
		if len(c.Actions) > 0 && c.Actions[0] == "create" {
			return "create-Before-destroy-replaced"
		}
		return "destroy-Before-create-replaced"
	}
	return ""
}

// moved tells whether what is there has another address than before.
func (c Change) moved() bool { return c.PreviousAddr != "" && c.PreviousAddr != c.Address }

// stackSeen gives a stack as policies see it; with a run that changes it, in the state of that. What previews and tasks do is
// not the stack's.
func (s *Service) stackSeen(ctx context.Context, stack Stack, r *run.Run) (seen map[string]any, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := s.stacksSeen(ctx, tx, []Stack{stack})
		if err == nil {
			seen = all[0]
		}
		return err
	})
	if err != nil || r == nil {
		return seen, err
	}
	if kind := inputOf(*r).Type; settles(kind) {
		seen["state"] = stateInput(*r, kind)
	}
	return seen, nil
}

// settles tells whether runs of a type make the state of a stack.
func settles(kind string) bool { return !onlyPlans(kind) && kind != Task }

// stacksSeen gives stacks as policies see them, in their order, by as many statements for one as for many.
func (s *Service) stacksSeen(ctx context.Context, tx *store.Tx, stacks []Stack) ([]map[string]any, error) {
	names := make([]string, len(stacks))
	for i, stack := range stacks {
		names[i] = stack.Ref.String()
	}
	last, err := s.Runs.StandingTx(ctx, tx, subjects(stacks), settlingRuns())
	if err != nil {
		return nil, fault.Wrap(err, "read the newest runs of %d stacks", len(stacks))
	}
	held, err := heldBy(ctx, tx, names)
	if err != nil {
		return nil, fault.Wrap(err, "read who holds %d stacks", len(stacks))
	}
	all := make([]map[string]any, len(stacks))
	for i, stack := range stacks {
		state := shouted(never)
		if r, ran := last[subject(stack)]; ran {
			state = standing(r)
		}
		all[i] = stackInput(stack, state, held[names[i]])
	}
	return all, nil
}

// standing is stateInput of a run of which no more is known.
func standing(r run.Standing) string {
	kind := ""
	if slices.Contains(r.Marks, Destroy) {
		kind = Destroy
	}
	return stateInput(run.Run{State: r.State, Reason: r.Reason}, kind)
}

// heldBy tells who holds stacks: the person who has locked the state, the run that keeps it locked, or the key of a push policy.
func heldBy(ctx context.Context, tx *store.Tx, names []string) (map[string]string, error) {
	held := map[string]string{}
	err := eachOf(ctx, tx, "SELECT ref, push_lock FROM stacks", "ref", names, func(row store.Row) error {
		var name, key string
		err := row.Scan(&name, &key)
		held[name] = key
		return err
	})
	if err != nil {
		return nil, err
	}
	return held, eachOf(ctx, tx, "SELECT stack, lock_id, actor FROM stack_locks", "stack", names, func(row store.Row) error {
		var name, id, who string
		err := row.Scan(&name, &id, &who)
		if err == nil && strings.HasPrefix(id, handLock) {
			held[name] = cmp.Or(keptBy(id), who, id)
		}
		return err
	})
}

// commitPage gives the address of a commit's page; null when nobody knows where the portal is.
func (s *Service) commitPage(repository, hash string) any {
	if repository == "" || hash == "" {
		return nil
	}
	return orNull(s.page(fmt.Sprintf("/repositories/%s?tab=commit&commit=%s", repository, url.QueryEscape(hash))))
}
