package stack

import (
	"context"
	"maps"
	"slices"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// The contexts that a stack's document names are rows too, by which the stacks of a context are found.

// keepNamed keeps which contexts a stack names, in the transaction of its document.
func keepNamed(ctx context.Context, tx *store.Tx, stack ref.Entity, contexts []string) error {
	if _, err := tx.Exec(ctx, "DELETE FROM stack_named_contexts WHERE stack = $1", stack.String()); err != nil {
		return fault.Wrap(err, "forget which contexts %s names", stack)
	}
	for _, name := range contexts {
		if _, err := tx.Exec(ctx, "INSERT INTO stack_named_contexts (stack, context) VALUES ($1, $2)", stack.String(), name); err != nil {
			return fault.Wrap(err, "keep which contexts %s names", stack)
		}
	}
	return nil
}

// namedWith gives the stacks that a context names, and those that name it, by reference.
func namedWith(ctx context.Context, tx *store.Tx, c Context) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT stack FROM stack_named_contexts WHERE context = $1", c.Ref.String())
	naming, err := store.Collect(rows, err, func(row store.Row) (name string, err error) { return name, row.Scan(&name) })
	all := append(naming, c.Spec.Attach...)
	slices.Sort(all)
	return slices.Compact(all), fault.Wrap(err, "find who names %s", c.Ref)
}

// naming gives the stacks that are among some, and those that name one of some contexts, by reference.
func naming(ctx context.Context, tx *store.Tx, named, contexts []string) ([]Workspace, error) {
	names := map[string]bool{}
	for _, name := range named {
		names[name] = true
	}
	err := eachOf(ctx, tx, "SELECT stack FROM stack_named_contexts", "context", contexts, func(row store.Row) error {
		name := ""
		err := row.Scan(&name)
		names[name] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	found, err := workspacesNamed(ctx, tx, slices.Sorted(maps.Keys(names)))
	all := make([]Workspace, 0, len(found))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	return all, err
}
