package stack

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// WorkspaceStatus is how a workspace is at the moment.
type WorkspaceStatus struct {
	Overview
	Current       *run.Run       // the run that holds the stack, else the first that waits for it, else the last that held it
	Holds         bool           // that run holds the stack
	LockedBy      string         // principal that holds the lock of the state by hand; "" for none
	Runs          int            // all that there were
	Configuration string         // id of that which a run is of that names none; "" for none
	Notes         []VariableNote // of its variables
}

// WorkspaceStatus gives how a workspace is. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) WorkspaceStatus(ctx context.Context, w Workspace) (st WorkspaceStatus, err error) {
	if w.Stack, err = s.read(ctx, w.Ref); err != nil {
		return st, err
	}
	all, err := s.WorkspaceStatuses(ctx, []Workspace{w})
	if err != nil {
		return st, err
	}
	return all[0], nil
}

// WorkspaceStatuses gives how workspaces are, as a list has just given them, in their order, by as many statements for one as for
// many. Permission: stack:read in their spaces; otherwise NotFound.
func (s *Service) WorkspaceStatuses(ctx context.Context, list []Workspace) (all []WorkspaceStatus, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	stacks := make([]Stack, len(list))
	for i, w := range list {
		if stacks[i] = w.Stack; !readable.Has(w.Space) {
			return nil, access.NotFound("workspace " + w.Name)
		}
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		overviews, err := s.overviews(ctx, tx, stacks)
		if err != nil {
			return err
		}
		all = make([]WorkspaceStatus, len(stacks))
		for i, o := range overviews {
			all[i].Overview = o
		}
		if err := s.currentRuns(ctx, tx, all); err != nil {
			return err
		}
		return s.restOfStatuses(ctx, tx, all)
	})
	return all, err
}

// restOfStatuses adds what a workspace has beside its stack and its runs.
func (s *Service) restOfStatuses(ctx context.Context, tx *store.Tx, all []WorkspaceStatus) error {
	names, place, stacks := make([]string, len(all)), map[string]*WorkspaceStatus{}, make([]Stack, len(all))
	for i := range all {
		names[i], stacks[i] = all[i].Ref.String(), all[i].Stack
		place[names[i]] = &all[i]
	}
	counts, err := s.Runs.CountsTx(ctx, tx, RunKind, subjects(stacks))
	if err != nil {
		return err
	}
	for i, stack := range stacks {
		all[i].Runs = counts[subject(stack)]
	}
	err = eachOf(ctx, tx, "SELECT stack, actor, run FROM stack_locks", "stack", names, func(row store.Row) error {
		var name, who, run string
		err := row.Scan(&name, &who, &run)
		if err == nil && run == "" {
			place[name].LockedBy = who
		}
		return err
	})
	if err != nil {
		return fault.Wrap(err, "read who locks %d workspaces", len(all))
	}
	err = eachWanted(ctx, tx, `SELECT stack, id FROM stack_configurations WHERE id IN (SELECT (SELECT id FROM stack_configurations
 WHERE stack = wanted.name AND status IN ('pending', 'uploaded') AND speculative = 0 AND provisional = 0
 ORDER BY CASE status WHEN 'uploaded' THEN 0 ELSE 1 END, id DESC LIMIT 1) FROM wanted)`, names, func(row store.Row) error {
		var name, id string
		err := row.Scan(&name, &id)
		if err == nil {
			place[name].Configuration = id
		}
		return err
	})
	if err != nil {
		return fault.Wrap(err, "find the configurations of %d workspaces", len(all))
	}
	notes, err := notesOf(ctx, tx, names)
	for name, own := range notes {
		place[name].Notes = own
	}
	return err
}

// currentRuns tells which run holds each stack, waits for it, or held it last; each has its Overview.
func (s *Service) currentRuns(ctx context.Context, tx *store.Tx, all []WorkspaceStatus) error {
	locks, stacks := make([]string, len(all)), make([]Stack, len(all))
	for i, st := range all {
		locks[i], stacks[i] = LockName(st.Ref), st.Stack
	}
	holders, err := s.Runs.HoldersTx(ctx, tx, locks)
	if err != nil {
		return err
	}
	waiting, err := s.Runs.EndTx(ctx, tx, subjects(stacks), waitingRuns(), false)
	if err != nil {
		return err
	}
	for i := range all {
		st := &all[i]
		st.Current = st.Last
		if r, ok := waiting[subject(st.Stack)]; ok {
			st.Current = &r
		}
		if r, ok := holders[locks[i]]; ok {
			st.Current, st.Holds = &r, true
		}
	}
	return nil
}

// Locked tells whether the state is locked, or a run holds the stack.
func (st WorkspaceStatus) Locked() bool { return st.Holds || st.Lock != "" }

// LockedByHand tells whether a person has locked it.
func (st WorkspaceStatus) LockedByHand() bool {
	id, err := lockID([]byte(st.Lock))
	return err == nil && strings.HasPrefix(id, handLock)
}
