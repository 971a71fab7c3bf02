package stack

import (
	"context"
	"fmt"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// takeOver comes before a document in another space than that in which a stack of its name is, or was deleted. It is
// refused while something of that one remains: whoever may declare stacks here would get what was built there. A stack
// that is to change its space gets another name there, and its state is brought over by somebody who may read it here
// and write it there. What is left of a stack that is gone and holds nothing, the versions of its state among them, goes.
func (s *Service) takeOver(ctx context.Context, tx *store.Tx, c document.Change, before Stack) error {
	why, err := s.remains(ctx, tx, before)
	if err != nil {
		return err
	}
	if why != "" {
		hint := "choose another name and bring the state over (state pull there, state push here); or destroy it there, and delete it"
		if told, err := s.toldOf(ctx, before.Space, c.Space); err != nil {
			return err
		} else if !told {
			why, hint = "the name is taken", "give this one another name"
		}
		return fault.At(c.Ref.String()+" can't be declared here", c.New.At(why, hint, "metadata", "name"))
	}
	versions, err := tx.Exec(ctx, "DELETE FROM stack_states WHERE stack = $1", c.Ref.String())
	if err != nil {
		return fault.Wrap(err, "forget the states of %s", c.Ref)
	}
	if err := forgetWorkspace(ctx, tx, c.Ref); err != nil {
		return err
	}
	if err := forgetInit(ctx, tx, c.Ref); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE stacks SET last_run = '', last_state = '', queued = 0, drifted = 0, drift = '', drift_checked = 0, message = '', left_out = '', push_lock = '' WHERE ref = $1", c.Ref.String()); err != nil {
		return fault.Wrap(err, "forget the runs of %s", c.Ref)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM stack_resources WHERE stack = $1", c.Ref.String()); err != nil {
		return fault.Wrap(err, "forget the resources of %s", c.Ref)
	}
	return s.note(ctx, tx, before, "stack.forgotten", "", map[string]any{"states": versions})
}

// remains tells what there still is of a stack whose name is wanted elsewhere; "" for nothing.
func (s *Service) remains(ctx context.Context, tx *store.Tx, before Stack) (string, error) {
	if !before.Deleted {
		return "a stack of this name is in another space", nil
	}
	last, err := currentState(ctx, tx, before.Ref)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return "", err
	case last.Resources > 0:
		return fmt.Sprintf("a stack of this name was deleted in another space, and its state holds %d resources", last.Resources), nil
	}
	open, err := s.Runs.ListTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Subject: before.Ref.String(), Open: true, Limit: 1})
	if err != nil || len(open.Runs) > 0 {
		return "a stack of this name was deleted in another space, and a run of it is still under way", err
	}
	if err := s.unlockStale(ctx, tx, before); err != nil {
		return "", err
	}
	if _, err := getLock(ctx, tx, before.Ref, ""); !fault.Is(err, fault.NotFound) {
		return "a stack of this name was deleted in another space, and somebody holds the lock of its state", err
	}
	return "", nil
}

// toldOf says whether those who declare a document may know what is in another space: who applies it, or, when a
// repository brings it, the readers of its space, who see what is below.
func (s *Service) toldOf(ctx context.Context, other, space string) (bool, error) {
	if actor.From(ctx).Kind == actor.System {
		return s.Access.Within(ctx, other, space)
	}
	return s.Access.May(ctx, "stack:read", other), nil
}
