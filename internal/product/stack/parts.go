package stack

import (
	"context"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Lists as the clients of the remote protocol read them: by the numbers of their pages, with how many there are.

// StatesPart gives a part of the versions of a stack's state, newest first, and how many there are. Permission: that of States.
func (s *Service) StatesPart(ctx context.Context, r ref.Entity, at page.Place) (list []StateVersion, total int, err error) {
	if _, err := s.read(ctx, r); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w := &store.Where{}
		w.Equal("stack", r.String())
		list, total, err = store.Part(ctx, tx, stateColumns, "stack_states", w, "id DESC", at.Offset, at.Size(), scanState)
		return fault.Wrap(err, "list the states of %s", r)
	})
	return list, total, err
}

// ConfigurationsPart gives a part of the configurations of a stack, newest first, and how many there are.
// Permission: that of Configurations.
func (s *Service) ConfigurationsPart(ctx context.Context, r ref.Entity, at page.Place) (list []Configuration, total int, err error) {
	if _, err := s.read(ctx, r); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w := &store.Where{}
		w.Equal("stack", r.String())
		list, total, err = store.Part(ctx, tx, configurationColumns, "stack_configurations", w, "id DESC", at.Offset, at.Size(), scanConfiguration)
		return fault.Wrap(err, "list the configurations of %s", r)
	})
	return list, total, err
}

// ConfigurationsNamed gives those of some configurations that the caller may see, by id. Permission: stack:read or stack:plan in the
// spaces of their stacks; others are left out.
func (s *Service) ConfigurationsNamed(ctx context.Context, ids []string) (all map[string]Configuration, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil {
		return nil, err
	}
	planned, err := s.Access.Spaces(ctx, Right(Proposed))
	if err != nil {
		return nil, err
	}
	all = map[string]Configuration{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		query := "SELECT (SELECT space FROM stacks WHERE ref = stack), " + configurationColumns + " FROM stack_configurations"
		return eachOf(ctx, tx, query, "stack IN (SELECT ref FROM stacks) AND id", ids, func(row store.Row) error {
			space := ""
			c, err := scanConfiguration(ahead{row, []any{&space}})
			if err == nil && (readable.Has(space) || planned.Has(space)) {
				all[c.ID] = c
			}
			return err
		})
	})
	return all, fault.Wrap(err, "find %d configurations", len(ids))
}

// ResourcesPart gives a part of what is under management in the newest state of a stack, by address, and how much there is.
// Permission: stack:read in its space; otherwise NotFound.
func (s *Service) ResourcesPart(ctx context.Context, r ref.Entity, at page.Place) (list []Resource, total int, err error) {
	if _, err := s.read(ctx, r); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w := &store.Where{}
		w.Equal("r.stack", r.String())
		list, total, err = store.Part(ctx, tx, resourceColumns, resources, w, "r.stack, r.key", at.Offset, at.Size(), scanResource)
		return fault.Wrap(err, "list the resources of %s", r)
	})
	return list, total, err
}

// ContextsPart gives a part of the contexts of a space whose titles have a text, by reference, and how many there are.
// Permission: stack:read in the space; otherwise NotFound.
func (s *Service) ContextsPart(ctx context.Context, space, text string, at page.Place) (list []Context, total int, err error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return nil, 0, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w := &store.Where{}
		w.Add("deleted = 0")
		w.Add("space = " + w.Arg(space))
		titled(w, text)
		list, total, err = store.Part(ctx, tx, contextColumns, "stack_contexts", w, "ref", at.Offset, at.Size(), scanContext)
		return fault.Wrap(err, "list the contexts of %s", space)
	})
	return list, total, err
}

// TitleTaken tells whether a context of a space, save one, has a title. Permission: stack:read in the space; otherwise NotFound.
func (s *Service) TitleTaken(ctx context.Context, space, title string, but ref.Entity) (taken bool, err error) {
	if err := s.MaySpace(ctx, space); err != nil {
		return false, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		n := 0
		err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM stack_contexts WHERE deleted = 0 AND space = $1 AND title = $2 AND ref <> $3", space, clean(title), but.String()).Scan(&n)
		taken = n > 0
		return fault.Wrap(err, "look for a context called %.100q", title)
	})
	return taken, err
}

func titled(w *store.Where, text string) {
	w.Add(w.Has("words", strings.ToLower(clean(text))))
}

// ContextsNamed gives those of some contexts that the caller may read, by reference. Permission: stack:read; others are left out.
func (s *Service) ContextsNamed(ctx context.Context, refs []ref.Entity) (all map[ref.Entity]Context, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(refs) == 0 {
		return nil, err
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.String()
	}
	all = map[ref.Entity]Context{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return eachOf(ctx, tx, "SELECT "+contextColumns+" FROM stack_contexts", "deleted = 0 AND ref", names, func(row store.Row) error {
			c, err := scanContext(row)
			if err == nil && readable.Has(c.Space) {
				all[c.Ref] = c
			}
			return err
		})
	})
	return all, fault.Wrap(err, "find %d contexts", len(refs))
}

// ContextParts are what the clients of the remote protocol see of a context beside what it says.
type ContextParts struct {
	Workspaces []string       // ids of those that it is attached to by name, either way, by reference
	Notes      []VariableNote // of its variables
}

// PartsOf gives those of contexts, as a list has just given them, by as many statements for one as for many.
// Permission: stack:read; contexts in other spaces are left out, and so are stacks.
func (s *Service) PartsOf(ctx context.Context, contexts []Context) (all map[ref.Entity]ContextParts, err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || len(contexts) == 0 {
		return nil, err
	}
	all = map[ref.Entity]ContextParts{}
	var own []Context
	var names, named []string
	for _, c := range contexts {
		if readable.Has(c.Space) {
			own, names, named = append(own, c), append(names, c.Ref.String()), append(named, c.Spec.Attach...)
		}
	}
	var stacks []Workspace
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		notes, err := notesOf(ctx, tx, names)
		if err != nil {
			return err
		}
		for _, c := range own {
			all[c.Ref] = ContextParts{Notes: notes[c.Ref.String()]}
		}
		stacks, err = naming(ctx, tx, named, names)
		return fault.Wrap(err, "find the stacks of %d contexts", len(own))
	})
	if err != nil {
		return nil, err
	}
	for _, c := range own {
		parts := all[c.Ref]
		below := map[string]bool{}
		for _, w := range stacks {
			if why := c.Spec.attaches(c.Ref, w.Ref, w.Spec); why != NamedByStack && why != NamedByContext || !readable.Has(w.Space) {
				continue
			}
			within, known := below[w.Space]
			if !known {
				if within, err = s.Access.MayUse(ctx, w.Space, c.Space); err != nil {
					return nil, err
				}
				below[w.Space] = within
			}
			if within {
				parts.Workspaces = append(parts.Workspaces, w.ID)
			}
		}
		all[c.Ref] = parts
	}
	return all, nil
}
