package stack

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// WorkspaceStatus is how a workspace is at the moment.
type WorkspaceStatus struct {
	Overview
	Current       *run.Run // the run that holds the stack, else the first that waits for it, else the last that held it
	Holds         bool     // that run holds the stack
	LockedBy      string   // principal that holds the lock of the state by hand; "" for none
	Runs          int      // all that there were
	Configuration string   // id of that which a run is of that names none; "" for none
}

// WorkspaceStatus gives how a workspace is. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) WorkspaceStatus(ctx context.Context, w Workspace) (st WorkspaceStatus, err error) {
	stack, err := s.read(ctx, w.Ref)
	if err != nil {
		return st, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		st = WorkspaceStatus{}
		if st.Overview, err = s.overview(ctx, tx, stack); err != nil {
			return err
		}
		if err := s.currentRun(ctx, tx, &st); err != nil {
			return err
		}
		l, err := getLock(ctx, tx, stack.Ref, "")
		if err == nil && l.Run == "" {
			st.LockedBy = l.Actor
		} else if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if st.Runs, err = s.Runs.CountTx(ctx, tx, RunKind, stack.Space, stack.Ref.String()); err != nil {
			return err
		}
		st.Configuration, err = optionalText(tx.QueryRow(ctx, "SELECT id FROM stack_configurations WHERE stack = $1 AND status IN ('pending', 'uploaded') AND speculative = 0 AND provisional = 0 ORDER BY CASE status WHEN 'uploaded' THEN 0 ELSE 1 END, id DESC LIMIT 1", stack.Ref.String()))
		return err
	})
	return st, err
}

func (s *Service) currentRun(ctx context.Context, tx *store.Tx, st *WorkspaceStatus) error {
	holder, err := s.Runs.HolderTx(ctx, tx, LockName(st.Ref))
	if err != nil {
		return err
	}
	if ref.IsID(holder, ref.Run) {
		r, err := s.Runs.GetTx(ctx, tx, holder)
		st.Current, st.Holds = &r, err == nil
		return err
	}
	waiting, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Spaces: []string{st.Space}, Subject: st.Ref.String(), States: []string{queued}, Limit: 200})
	if err != nil {
		return err
	}
	st.Current = st.Last
	for i := range waiting.Runs { // newest first
		var in Input
		if json.Unmarshal(waiting.Runs[i].Input, &in) == nil && !onlyPlans(in.Type) {
			st.Current = &waiting.Runs[i]
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
