package stack

import (
	"context"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// Contexts gives the contexts that the caller may read, by reference, without their variables, files and hooks.
// Permission: stack:read; others are left out.
func (s *Service) Contexts(ctx context.Context, part page.Request) (list page.Of[Context], err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || readable.Empty() {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("deleted = 0")
		w.After("ref", part.Cursor)
		if !readable.All {
			w.Add(w.In("space", readable.List()))
		}
		rows, err := tx.Query(ctx, "SELECT "+contextHead+" FROM stack_contexts"+w.String()+" ORDER BY ref LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanContext)
		list = page.Cut(all, part, func(c Context) string { return c.Ref.String() })
		return fault.Wrap(err, "list contexts")
	})
	return list, err
}

// Context gives one context. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) Context(ctx context.Context, r ref.Entity) (c Context, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = getContext(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && c.Deleted {
		return c, access.NotFound("context " + r.String())
	}
	if err != nil {
		return c, err
	}
	return c, s.Access.ReadOrNotFound(ctx, "stack:read", c.Space, "context "+r.String())
}

// Attachment is a stack that has a context, and why.
type Attachment struct {
	Stack ref.Entity
	Space string
	Why   string // NamedByStack, NamedByContext, or the context's label
}

// AttachedTo gives the stacks that have a context, by reference.
// Permission: stack:read in its space; otherwise NotFound. Stacks that the caller may not read are left out.
func (s *Service) AttachedTo(ctx context.Context, r ref.Entity, part page.Request) (list page.Of[Attachment], err error) {
	c, err := s.Context(ctx, r)
	if err != nil {
		return list, err
	}
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil {
		return list, err
	}
	below := map[string]bool{} // by space: whether the context counts there
	counts := func(space string) (bool, error) {
		known, ok := below[space]
		if ok {
			return known, nil
		}
		within, err := s.Access.MayUse(ctx, space, c.Space)
		below[space] = within && readable.Has(space)
		return below[space], err
	}
	var stacks []Stack
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w := &store.Where{}
		w.Add("deleted = 0")
		w.After("ref", part.Cursor)
		rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks"+w.String()+" ORDER BY ref", w.Args...)
		stacks, err = store.Collect(rows, err, scanStack)
		return fault.Wrap(err, "find the stacks of %s", r)
	})
	if err != nil {
		return list, err
	}
	var all []Attachment
	for _, stack := range stacks {
		why := c.Spec.attaches(c.Ref, stack.Ref, stack.Spec)
		if why == "" {
			continue
		}
		ok, err := counts(stack.Space)
		if err != nil {
			return list, err
		}
		if ok {
			all = append(all, Attachment{stack.Ref, stack.Space, why})
		}
		if len(all) > part.Window() {
			break
		}
	}
	return page.Cut(slices.Clip(all), part, func(a Attachment) string { return a.Stack.String() }), nil
}
