package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

const setColumns = "ref, space, spec, seen, adopt, deleted, updated, edit, brought, editors, report, generation"

func scanSet(row store.Row) (t Set, err error) {
	var name, editors, report string
	var deleted int
	var updated int64
	err = row.Scan(&name, &t.Space, &t.text, &t.Seen, &t.Adopt, &deleted, &updated, &t.Edit, &t.Brought, &editors, &report, &t.generation)
	if err != nil {
		return t, err
	}
	t.Deleted, t.Updated = deleted == 1, store.FromMicros(updated)
	if t.Ref, err = ref.Parse(name, "stackset", ref.DefaultNamespace); err != nil {
		return t, err
	}
	for text, into := range map[string]any{editors: &t.Editors, report: &t.Report, t.text: &t.Spec} {
		if text == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return t, fault.Wrap(err, "read stack set %s", name)
		}
	}
	return t, nil
}

func getSet(ctx context.Context, tx *store.Tx, r ref.Entity, lock string) (Set, error) {
	return store.One(tx.QueryRow(ctx, "SELECT "+setColumns+" FROM stack_sets WHERE ref = $1"+lock, r.String()), scanSet, "stack set %s", r)
}

// setChanged keeps the row of a set, in the transaction of its document, and asks for a look at its branch.
func (s *Service) setChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	before, err := getSet(ctx, tx, c.Ref, tx.ForUpdate())
	there := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if c.New == nil {
		if _, err := tx.Exec(ctx, "UPDATE stack_sets SET deleted = 1, generation = generation + 1, updated = $2 WHERE ref = $1", c.Ref.String(), store.Micros(s.Now())); err != nil {
			return fault.Wrap(err, "forget %s", c.Ref)
		}
		return s.lookSet(ctx, tx, c.Ref)
	}
	spec, wrong := readSet(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("StackSet %s is not valid", c.New.Metadata.Name), wrong...)
	}
	if there && before.Space != c.Space {
		members, err := membersOf(ctx, tx, c.Ref)
		if err != nil {
			return err
		}
		if len(members) > 0 {
			return fault.At(c.Ref.String()+" can't be declared here", c.New.At("the stacks of a set of this name are in another space", "delete those first, or give this one another name", "metadata", "name"))
		}
	}
	var had Spec
	if there && !before.Deleted && before.Space == c.Space {
		had = before.Spec.example(c.Ref)
	}
	if err := s.mayDeclare(ctx, tx, c, s.Now(), had, spec.example(c.Ref), "spec", "template", "schedules"); err != nil {
		return err
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode %s", c.Ref)
	}
	edit, editors := before.Edit, before.Editors
	if !there || before.Deleted || before.Space != c.Space || before.text != string(raw) {
		who, err := s.editor(ctx, tx, c)
		if err != nil {
			return err
		}
		edit++
		editors = editors.with(who, edit)
	}
	known, err := json.Marshal(editors)
	if err != nil {
		return fault.Wrap(err, "encode the editors of %s", c.Ref)
	}
	_, err = tx.Exec(ctx, `INSERT INTO stack_sets (ref, space, spec, seen, adopt, deleted, updated, edit, brought, editors, report, generation)
 VALUES ($1,$2,$3,'','',0,$4,$5,0,$6,'',1) ON CONFLICT (ref) DO UPDATE SET space=excluded.space, spec=excluded.spec, deleted=0, updated=excluded.updated,
 edit=excluded.edit, editors=excluded.editors, generation=stack_sets.generation+1`,
		c.Ref.String(), c.Space, string(raw), store.Micros(s.Now()), edit, string(known))
	if err != nil {
		return fault.Wrap(err, "keep %s", c.Ref)
	}
	if there && (before.Deleted || before.Space != c.Space) {
		if err := forgetLooks(ctx, tx, c.Ref, before.Space != c.Space); err != nil {
			return err
		}
	}
	return s.lookSet(ctx, tx, c.Ref)
}

// forgetLooks forgets what the looks of a set came to that is declared anew: its next is a first one. In another space it has none
// of the stacks that it had.
func forgetLooks(ctx context.Context, tx *store.Tx, set ref.Entity, moved bool) error {
	if _, err := tx.Exec(ctx, "UPDATE stack_sets SET seen = '', adopt = '', report = '' WHERE ref = $1", set.String()); err != nil {
		return fault.Wrap(err, "forget the looks of %s", set)
	}
	if _, err := tx.Exec(ctx, "DELETE FROM stack_set_folders WHERE stack_set = $1", set.String()); err != nil {
		return fault.Wrap(err, "forget the folders of %s", set)
	}
	if !moved {
		return nil
	}
	_, err := tx.Exec(ctx, "DELETE FROM stack_set_members WHERE stack_set = $1", set.String())
	return fault.Wrap(err, "forget the stacks of %s", set)
}

// member is a stack that a set has made, and its folder.
type member struct {
	Stack, Folder string
}

// ofAnotherSpace is what a member is whose stack was deleted, and declared anew in another space: none of the set's any more.
const ofAnotherSpace = "EXISTS (SELECT 1 FROM stacks k, stack_sets t WHERE k.ref = stack_set_members.stack AND k.deleted = 0 AND t.ref = stack_set_members.stack_set AND t.space <> k.space)"

func membersOf(ctx context.Context, tx *store.Tx, set ref.Entity) ([]member, error) {
	rows, err := tx.Query(ctx, "SELECT stack, folder FROM stack_set_members WHERE stack_set = $1 AND NOT "+ofAnotherSpace+" ORDER BY stack", set.String())
	all, err := store.Collect(rows, err, func(row store.Row) (m member, err error) { return m, row.Scan(&m.Stack, &m.Folder) })
	return all, fault.Wrap(err, "find the stacks of %s", set)
}

// leaveForeign drops the members of a set whose stacks are another space's now.
func leaveForeign(ctx context.Context, tx *store.Tx, set ref.Entity) error {
	_, err := tx.Exec(ctx, "DELETE FROM stack_set_members WHERE stack_set = $1 AND "+ofAnotherSpace, set.String())
	return fault.Wrap(err, "keep the stacks of %s", set)
}

// keptBySet gives the set that a stack is a member of, in its own space; "" for none.
func keptBySet(ctx context.Context, tx *store.Tx, stack Stack) (set string, err error) {
	rows, err := tx.Query(ctx, "SELECT m.stack_set FROM stack_set_members m JOIN stack_sets t ON t.ref = m.stack_set WHERE m.stack = $1 AND t.space = $2", stack.Ref.String(), stack.Space)
	sets, err := store.Collect(rows, err, func(row store.Row) (name string, err error) { return name, row.Scan(&name) })
	if err != nil || len(sets) == 0 {
		return "", fault.Wrap(err, "find the set of %s", stack.Ref)
	}
	return sets[0], nil
}

// bornAt gives the commit at which a new stack that a source brings counts as looked at, and who is behind what it says;
// nothing for sources that are no sets.
func (s *Service) bornAt(ctx context.Context, tx *store.Tx, c document.Change) (commit string, who []string, err error) {
	t, is, err := setOf(ctx, tx, c.Source)
	if err != nil || !is {
		return "", nil, err
	}
	if who = t.Editors.since(t.Brought); len(who) == 0 { // a push has brought it
		who = []string{committed(t.Spec.Source.Repository, t.Seen)}
	}
	return t.Adopt, who, nil
}

// setOf gives the set that is a source of documents.
func setOf(ctx context.Context, tx *store.Tx, source string) (t Set, is bool, err error) {
	name, is := strings.CutPrefix(source, setPrefix)
	if !is {
		return t, false, nil
	}
	r, err := ref.Parse(name, "stackset", ref.DefaultNamespace)
	if err != nil {
		return t, false, err
	}
	t, err = getSet(ctx, tx, r, "")
	return t, err == nil, err
}

// Sets gives the stack sets that the caller may read, by reference. Permission: stack:read; others are left out.
func (s *Service) Sets(ctx context.Context, part page.Request) (list page.Of[Set], err error) {
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
		rows, err := tx.Query(ctx, "SELECT "+setColumns+" FROM stack_sets"+w.String()+" ORDER BY ref LIMIT "+w.Arg(part.Window()), w.Args...)
		all, err := store.Collect(rows, err, scanSet)
		list = page.Cut(all, part, func(t Set) string { return t.Ref.String() })
		return fault.Wrap(err, "list stack sets")
	})
	return list, err
}

// GetSet gives one stack set. Permission: stack:read in its space; otherwise NotFound.
func (s *Service) GetSet(ctx context.Context, r ref.Entity) (t Set, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = getSet(ctx, tx, r, "")
		return err
	})
	if fault.Is(err, fault.NotFound) || err == nil && t.Deleted {
		return t, access.NotFound("stack set " + r.String())
	}
	if err != nil {
		return t, err
	}
	return t, s.Access.ReadOrNotFound(ctx, "stack:read", t.Space, "stack set "+r.String())
}
