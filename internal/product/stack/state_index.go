package stack

import (
	"context"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// indexMost bounds how many resources of one state are found by a search, the first by their addresses.
const indexMost = 50_000

// delta is what a new version of a state changes in the table of resources, beside the version it was compared with.
type delta struct {
	base    string // id of that version; "" for none
	put     []item
	removed []string // keys
	anew    bool     // the version before can't be read: what the table holds goes, and all is put
}

func (d *delta) size() int { return len(d.put) + len(d.removed) }

// managed gives the resources of a state that are kept in the table. What is only read by the engine is not.
func (f *stateFile) managed() []item {
	all := slices.DeleteFunc(f.items(), func(x item) bool { return x.Mode == "data" })
	return all[:min(len(all), indexMost)]
}

// compare gives what a state changes, by walking along both lists, which are in order.
func compare(before, after []item) (d delta) {
	for len(before)+len(after) > 0 {
		switch order := next(before, after); {
		case order < 0:
			d.removed = append(d.removed, before[0].key)
			before = before[1:]
		case order > 0:
			d.put = append(d.put, after[0])
			after = after[1:]
		default:
			if !same(before[0], after[0]) {
				d.put = append(d.put, after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
	return d
}

// next tells whose first item comes first: below 0 for before, above 0 for after, 0 for one that is in both.
func next(before, after []item) int {
	switch {
	case len(before) == 0:
		return 1
	case len(after) == 0:
		return -1
	}
	return strings.Compare(before[0].key, after[0].key)
}

// deltaTo compares a state with the version before it.
func (s *Service) deltaTo(ctx context.Context, last StateVersion, f stateFile) (*delta, error) {
	var before []item
	if last.ID != "" {
		old, err := s.contentOf(ctx, last)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil { // a write is not refused because what it replaces is damaged
			s.Log.WarnContext(ctx, "the version of a state before one that is written can't be read", "state", last.ID, "error", err)
			return &delta{base: last.ID, anew: true, put: f.managed()}, nil
		}
		before = old.managed()
	}
	d := compare(before, f.managed())
	d.base = last.ID
	return &d, nil
}

// contentOf reads a version of a state.
func (s *Service) contentOf(ctx context.Context, v StateVersion) (stateFile, error) {
	data, err := s.openState(ctx, v)
	if err != nil {
		return stateFile{}, err
	}
	f, err := readState(data)
	return f, fault.Wrap(err, "state %s", v.ID)
}

// reading waits until a state of some bytes may be read: few large ones are held in memory at a time.
func (s *Service) reading(ctx context.Context, size int64) (done func(), err error) {
	size = min(max(size, 1), StateLimit)
	if err := s.states.Acquire(ctx, size); err != nil {
		return nil, fault.Errorf(fault.Canceled, "the request was cut short: %w", err)
	}
	return func() { s.states.Release(size) }, nil
}

// rowsAtOnce is how many resources one statement writes.
const rowsAtOnce = 200

// index brings the table of resources to what a new version holds, in the transaction that adds it: only what is
// another is written.
func (s *Service) index(ctx context.Context, tx *store.Tx, stack ref.Entity, v StateVersion, d *delta) error {
	if d.anew {
		if _, err := tx.Exec(ctx, "DELETE FROM stack_resources WHERE stack = $1", stack.String()); err != nil {
			return fault.Wrap(err, "forget resources of %s", stack)
		}
	}
	for part := range slices.Chunk(d.removed, rowsAtOnce) {
		w := &store.Where{}
		w.Equal("stack", stack.String())
		w.Add(w.In("key", part))
		if _, err := tx.Exec(ctx, "DELETE FROM stack_resources"+w.String(), w.Args...); err != nil {
			return fault.Wrap(err, "forget resources of %s", stack)
		}
	}
	for part := range slices.Chunk(d.put, rowsAtOnce) {
		w := &store.Where{}
		rows := make([]string, len(part))
		for i, x := range part {
			best, all := x.identity()
			cells := []any{
				stack.String(), x.key, cut(x.Address, 4000), cut(x.Type, 300), cut(x.Name, 300), cut(x.source(), 300), cut(x.Module, 2000), best,
				cut(strings.ToLower(strings.Join(append([]string{x.Address}, all...), "\n")), 8000), v.Created, v.Created, v.Run, v.Actor,
			}
			marks := make([]string, len(cells))
			for j, cell := range cells {
				marks[j] = w.Arg(cell)
			}
			rows[i] = "(" + strings.Join(marks, ",") + ")"
		}
		_, err := tx.Exec(ctx, `INSERT INTO stack_resources (stack, key, address, type, name, provider, module, identity, words, first_seen, changed, run, actor)
 VALUES `+strings.Join(rows, ",")+` ON CONFLICT (stack, key) DO UPDATE SET address=excluded.address, type=excluded.type, name=excluded.name,
 provider=excluded.provider, module=excluded.module, identity=excluded.identity, words=excluded.words, changed=excluded.changed,
 run=excluded.run, actor=excluded.actor, drift=''`, w.Args...)
		if err != nil {
			return fault.Wrap(err, "keep resources of %s", stack)
		}
	}
	return nil
}

// long marks a transaction that writes many resources, so that the others' do not wait for it.
func long(ctx context.Context, d *delta) context.Context {
	if d != nil && d.size() > rowsAtOnce {
		return store.Long(ctx)
	}
	return ctx
}
