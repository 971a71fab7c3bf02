package stack

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// contextHead is what of a context decides which stacks have it: without its files, of which there may be many bytes.
const contextHead = "ref, space, head, '{}', edit, '{}', deleted, updated, title"

const contextColumns = "ref, space, head, spec, edit, editors, deleted, updated, title"

func scanContext(row store.Row) (c Context, err error) {
	var name, head, spec, editors string
	var deleted int
	var updated int64
	if err := row.Scan(&name, &c.Space, &head, &spec, &c.Edit, &editors, &deleted, &updated, &c.Title); err != nil {
		return c, err
	}
	c.Deleted, c.Updated = deleted == 1, store.FromMicros(updated)
	if c.Ref, err = ref.Parse(name, "context", ref.DefaultNamespace); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(editors), &c.Editors); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(head), &c.Spec); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(spec), &c.Spec)
}

func getContext(ctx context.Context, tx *store.Tx, r ref.Entity, lock string) (Context, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+contextColumns+" FROM stack_contexts WHERE ref = $1"+lock, r.String()), scanContext, "context %s", r)
}

func putContext(ctx context.Context, tx *store.Tx, c Context, now time.Time) error {
	s := c.Spec
	head, err := json.Marshal(ContextSpec{Owner: s.Owner, Description: s.Description, Labels: s.Labels, Priority: s.Priority, Attach: s.Attach})
	if err != nil {
		return err
	}
	spec, err := json.Marshal(s)
	if err != nil {
		return err
	}
	editors, err := json.Marshal(c.Editors)
	if err != nil {
		return err
	}
	deleted := 0
	if c.Deleted {
		deleted = 1
	}
	_, err = tx.Exec(ctx, `INSERT INTO stack_contexts (ref, space, head, spec, edit, editors, deleted, updated, title, words) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
 ON CONFLICT (ref) DO UPDATE SET space=excluded.space, head=excluded.head, spec=excluded.spec, edit=excluded.edit, editors=excluded.editors,
 deleted=excluded.deleted, updated=excluded.updated, title=excluded.title, words=excluded.words`,
		c.Ref.String(), c.Space, string(head), string(spec), c.Edit, string(editors), deleted, store.Micros(now), clean(c.Title), strings.ToLower(clean(c.Title)))
	return fault.Wrap(err, "keep context %s", c.Ref)
}

// heads gives what decides who has the contexts of some spaces.
func heads(ctx context.Context, tx *store.Tx, spaces []string) ([]Context, error) {
	w := &store.Where{}
	w.Add("deleted = 0")
	w.Add(w.In("space", spaces))
	rows, err := tx.Query(ctx, "SELECT "+contextHead+" FROM stack_contexts"+w.String()+" ORDER BY ref", w.Args...)
	all, err := store.Collect(rows, err, scanContext)
	return all, fault.Wrap(err, "find contexts")
}

// attached gives the contexts of a stack in their order, without what they give. up are its space and those above from which it inherits.
func attached(ctx context.Context, tx *store.Tx, stack Stack, up []string) ([]attachment, error) {
	all, err := heads(ctx, tx, up)
	if err != nil {
		return nil, err
	}
	var out []attachment
	for _, c := range all {
		if why := c.Spec.attaches(c.Ref, stack.Ref, stack.Spec); why != "" {
			out = append(out, attachment{c, why})
		}
	}
	inOrder(out)
	return out, nil
}

// appliedContexts gives the edits of the contexts that the newest finished run of a stack was given.
func appliedContexts(ctx context.Context, tx *store.Tx, stack ref.Entity) (map[string]int64, error) {
	out := map[string]int64{}
	rows, err := tx.Query(ctx, "SELECT context, edit FROM stack_applied_contexts WHERE stack = $1", stack.String())
	_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) {
		var name string
		var edit int64
		err := row.Scan(&name, &edit)
		out[name] = edit
		return struct{}{}, err
	})
	return out, fault.Wrap(err, "find what contexts of %s are applied", stack)
}

// noteContexts keeps with which contexts the newest finished run of a stack was made.
func noteContexts(ctx context.Context, tx *store.Tx, stack string, given map[string]int64) error {
	if _, err := tx.Exec(ctx, "DELETE FROM stack_applied_contexts WHERE stack = $1", stack); err != nil {
		return fault.Wrap(err, "note the contexts of %s", stack)
	}
	for name, edit := range given {
		_, err := tx.Exec(ctx, "INSERT INTO stack_applied_contexts (stack, context, edit) VALUES ($1,$2,$3)", stack, name, edit)
		if err != nil {
			return fault.Wrap(err, "note the contexts of %s", stack)
		}
	}
	return nil
}
