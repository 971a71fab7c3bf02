package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// free refuses to destroy what others stand on.
func (s *Service) free(ctx context.Context, stack Stack) error {
	var names []string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		names, err = s.upon(ctx, tx, stack.Ref)
		return err
	})
	if err == nil && len(names) > 0 {
		err = fault.Errorf(fault.Conflict, "%s depends on %s and has resources; destroy it first, or destroy %s with its dependents", strings.Join(names, ", "), stack.Ref, stack.Ref.Name)
	}
	return err
}

// DestroyAll begins the destruction of a stack and of all that stands on it, from the far end: a stack goes when nothing that
// has resources stands on it any more, each by a run of its own that is reviewed. It gives the newest run that it began.
// Permission: stack:destroy in the space of each. Conflict where none has resources.
func (s *Service) DestroyAll(ctx context.Context, r ref.Entity) (run.Run, error) {
	if _, err := s.begins(ctx, r, Destroy); err != nil {
		return run.Run{}, err
	}
	var all []string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = reached(ctx, tx, "upstream", r.String())
		return err
	})
	if err != nil {
		return run.Run{}, err
	}
	for _, name := range all {
		other, err := ref.Parse(name, "stack", ref.DefaultNamespace)
		if err == nil {
			_, err = s.begins(ctx, other, Destroy)
		}
		if err != nil {
			return run.Run{}, fault.Wrap(err, "destroy %s, which depends on %s", name, r)
		}
	}
	kept, err := s.cascading(ctx, r.String(), actor.From(ctx).ID, ref.NewID("cas", s.Now()), true)
	if err != nil {
		return run.Run{}, err
	}
	var first run.Run
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, name := range append(slices.Clone(all), r.String()) {
			open, err := s.openOf(ctx, tx, name, Destroy)
			if err != nil {
				return err
			}
			for _, one := range open {
				if one.ID > first.ID {
					first = one
				}
			}
		}
		return nil
	})
	if err == nil && first.ID == "" && kept != nil {
		return first, kept
	}
	if err == nil && first.ID == "" {
		err = fault.Errorf(fault.Conflict, "there is nothing to destroy: neither %s nor what depends on it has resources", r)
	}
	return first, err
}

// cascade begins the runs that are due of a destruction from the far end, once for each cause. It gives why one of them could
// not begin, which that stack says, too.
func (s *Service) cascade(ctx context.Context, root, author, cause string) (kept, err error) {
	return s.cascading(ctx, root, author, cause, false)
}

// cascading is cascade; where a person has just ordered all of it, that lets stacks go on that are held by then. What holds
// one later nobody has seen.
func (s *Service) cascading(ctx context.Context, root, author, cause string, ordered bool) (kept, err error) {
	var due, later []Stack
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := reached(ctx, tx, "upstream", root)
		if err != nil {
			return err
		}
		for _, name := range append(all, root) {
			r, err := ref.Parse(name, "stack", ref.DefaultNamespace)
			if err != nil {
				return err
			}
			stack, err := getStack(ctx, tx, r, "")
			if fault.Is(err, fault.NotFound) || err == nil && stack.Deleted {
				continue
			}
			if err != nil {
				return err
			}
			there, err := hasResources(ctx, tx, r)
			if err != nil {
				return err
			}
			standing, err := s.upon(ctx, tx, r)
			if err != nil {
				return err
			}
			open, err := s.openOf(ctx, tx, name, Destroy)
			if err != nil {
				return err
			}
			switch {
			case there && len(standing) == 0 && len(open) == 0:
				due = append(due, stack)
			case there:
				later = append(later, stack)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, stack := range due {
		from, err := s.originOf(ctx, stack, Destroy)
		if err == nil {
			err = s.mayBeginAs(ctx, stack, Input{Type: Destroy, TriggeredBy: author}, from.commit)
		}
		if err == nil {
			err = stack.Spec.Vendor.can(Destroy)
		}
		if err != nil {
			kept = fault.Wrap(err, "destroy %s", stack.Ref)
			if err := s.unless(ctx, stack, err); err != nil {
				return kept, err
			}
			continue
		}
		ready, err := s.prepareOrigin(ctx, stack, from)
		if err != nil {
			return kept, err
		}
		err = s.DB.Write(ctx, func(tx *store.Tx) error {
			now, err := getStack(ctx, tx, stack.Ref, tx.ForUpdate())
			if err != nil || now.Deleted || now.Space != stack.Space {
				return err
			}
			key := fmt.Sprintf("cascade:%s:%s", stack.Ref, cause)
			_, _, err = s.startOrigin(ctx, tx, now, Destroy, from, key, author, ready, func(_ *run.New, in *Input) {
				in.Cascade, in.TriggeredBy = root, author
			})
			if err == nil && ordered {
				err = s.letGoOn(ctx, tx, stack.Ref, "")
			}
			return err
		})
		if err != nil {
			return kept, err
		}
	}
	if !ordered || kept != nil {
		return kept, nil
	}
	return nil, s.DB.Write(ctx, func(tx *store.Tx) error {
		for _, stack := range later {
			if err := s.letGoOn(ctx, tx, stack.Ref, ""); err != nil {
				return err
			}
		}
		return nil
	})
}

// upon gives the stacks with resources that depend on one.
func (s *Service) upon(ctx context.Context, tx *store.Tx, r ref.Entity) (names []string, err error) {
	below, err := edgesOf(ctx, tx, "upstream", r)
	if err != nil {
		return nil, err
	}
	for _, e := range below {
		other, err := ref.Parse(e.Stack, "stack", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		there, err := hasResources(ctx, tx, other)
		if err != nil {
			return nil, err
		}
		if there {
			names = append(names, e.Stack)
		}
	}
	return names, nil
}

func hasResources(ctx context.Context, tx *store.Tx, r ref.Entity) (bool, error) {
	v, err := currentState(ctx, tx, r)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return v.Resources > 0, err
}
