package stack

import (
	"context"
	"slices"
	"strings"

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
	below, err := s.Access.Below(ctx, c.Space)
	if err != nil {
		return list, err
	}
	uses := map[string]bool{} // by space: whether the context counts there
	var all []Attachment
	take := func(stack Stack) error {
		why := c.Spec.attaches(c.Ref, stack.Ref, stack.Spec)
		if why == "" {
			return nil
		}
		counts, known := uses[stack.Space]
		if !known {
			var err error
			if counts, err = s.Access.MayUse(ctx, stack.Space, c.Space); err != nil {
				return err
			}
			uses[stack.Space] = counts
		}
		if counts {
			all = append(all, Attachment{stack.Ref, stack.Space, why})
		}
		return nil
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		all = nil
		named, err := namedWith(ctx, tx, c)
		if err != nil {
			return err
		}
		labeled := slices.ContainsFunc(c.Spec.Labels, func(l string) bool { return strings.HasPrefix(l, Autoattach) })
		for at := part.Cursor; len(all) <= part.Window(); {
			w := &store.Where{}
			w.Add("deleted = 0")
			for _, set := range []access.Set{readable, below} {
				if !set.All {
					w.Add(w.In("space", set.List()))
				}
			}
			if labeled { // any may have the label
				w.After("ref", at)
			} else {
				from, _ := slices.BinarySearch(named, at+"\x00")
				if named = named[from:]; len(named) == 0 {
					return nil
				}
				w.Add(w.In("ref", named[:min(len(named), stacksAtOnce)]))
			}
			rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks"+w.String()+" ORDER BY ref LIMIT "+w.Arg(stacksAtOnce), w.Args...)
			stacks, err := store.Collect(rows, err, scanStack)
			if err != nil {
				return fault.Wrap(err, "find the stacks of %s", r)
			}
			for _, stack := range stacks {
				if err := take(stack); err != nil {
					return err
				}
			}
			switch {
			case !labeled:
				at = named[min(len(named), stacksAtOnce)-1]
			case len(stacks) < stacksAtOnce:
				return nil
			default:
				at = stacks[len(stacks)-1].Ref.String()
			}
		}
		return nil
	})
	if err != nil {
		return list, err
	}
	return page.Cut(slices.Clip(all), part, func(a Attachment) string { return a.Stack.String() }), nil
}

// stacksAtOnce is how many stacks are looked at by one statement.
const stacksAtOnce = 500
