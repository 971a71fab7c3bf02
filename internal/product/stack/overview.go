package stack

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func (s *Service) overview(ctx context.Context, tx *store.Tx, stack Stack) (Overview, error) {
	all, err := s.overviews(ctx, tx, []Stack{stack})
	if err != nil {
		return Overview{Stack: stack}, err
	}
	return all[0], nil
}

// overviews gives how stacks are, in their order, by as many statements for one as for many.
func (s *Service) overviews(ctx context.Context, tx *store.Tx, stacks []Stack) ([]Overview, error) {
	if len(stacks) == 0 {
		return nil, nil
	}
	names, place := make([]string, len(stacks)), map[string]int{}
	all := make([]Overview, len(stacks))
	for i, stack := range stacks {
		names[i] = stack.Ref.String()
		place[names[i]], all[i] = i, Overview{Stack: stack, Next: stack.next(s.Now())}
	}
	last, err := s.lastRuns(ctx, tx, stacks)
	if err != nil {
		return nil, err
	}
	for i, stack := range stacks {
		if r, ok := last[subject(stack)]; ok {
			all[i].Last = &r
		}
	}
	err = eachOf(ctx, tx, "SELECT ref, message, queued, drift FROM stacks", "ref", names, func(row store.Row) error {
		var name, message, drift string
		var queued int
		if err := row.Scan(&name, &message, &queued, &drift); err != nil {
			return err
		}
		o := &all[place[name]]
		if o.Message, o.Queued = message, queued; drift == "" {
			return nil
		}
		return json.Unmarshal([]byte(drift), &o.Drift)
	})
	if err != nil {
		return nil, fault.Wrap(err, "read how %d stacks are", len(stacks))
	}
	err = eachOf(ctx, tx, "SELECT stack, info FROM stack_locks", "stack", names, func(row store.Row) error {
		var name, info string
		err := row.Scan(&name, &info)
		if err == nil {
			all[place[name]].Lock = info
		}
		return err
	})
	if err != nil {
		return nil, fault.Wrap(err, "read the locks of %d stacks", len(stacks))
	}
	err = eachWanted(ctx, tx, "SELECT stack, "+stateColumns+" FROM stack_states WHERE id IN (SELECT (SELECT MAX(id) FROM stack_states WHERE stack = wanted.name) FROM wanted)", names, func(row store.Row) error {
		name := ""
		v, err := scanState(ahead{row, []any{&name}})
		if err == nil {
			all[place[name]].State = &v
		}
		return err
	})
	return all, fault.Wrap(err, "read the states of %d stacks", len(stacks))
}

// lastRuns gives of each stack the newest run that is no preview and no task.
func (s *Service) lastRuns(ctx context.Context, tx *store.Tx, stacks []Stack) (map[run.Of]run.Run, error) {
	return s.Runs.EndTx(ctx, tx, subjects(stacks), settlingRuns(), true)
}

// settlingRuns takes the runs that are no previews and no tasks, and waitingRuns those that wait for their stack.
func settlingRuns() run.Query {
	return run.Query{Kinds: []string{RunKind}, More: run.More{Any: [][]run.Choice{{settling()}}}}
}

func waitingRuns() run.Query {
	return run.Query{Kinds: []string{RunKind}, Open: true, States: []string{queued}, More: run.More{Any: [][]run.Choice{{changing()}}}}
}

func subject(stack Stack) run.Of { return run.Of{Space: stack.Space, Subject: stack.Ref.String()} }

func subjects(stacks []Stack) []run.Of {
	all := make([]run.Of, len(stacks))
	for i, stack := range stacks {
		all[i] = subject(stack)
	}
	return all
}

// manyNames bounds how many are asked for in one statement.
const manyNames = 1000

// eachOf reads the rows in which a column has one of some values.
func eachOf(ctx context.Context, tx *store.Tx, query, column string, names []string, scan func(row store.Row) error) error {
	return inParts(names, func(part []string) error {
		w := &store.Where{}
		w.Add(w.In(column, part))
		return each(ctx, tx, query+w.String(), w.Args, scan)
	})
}

// eachWanted reads the rows of a query that asks of each of some names by itself: of wanted.name.
func eachWanted(ctx context.Context, tx *store.Tx, query string, names []string, scan func(row store.Row) error) error {
	return inParts(names, func(part []string) error {
		w := &store.Where{}
		rows := make([]string, len(part))
		for i, name := range part {
			rows[i] = "(CAST(" + w.Arg(name) + " AS TEXT))"
		}
		return each(ctx, tx, "WITH wanted(name) AS (VALUES "+strings.Join(rows, ", ")+") "+query, w.Args, scan)
	})
}

func inParts(names []string, do func(part []string) error) error {
	for len(names) > 0 {
		part := names[:min(len(names), manyNames)]
		names = names[len(part):]
		if err := do(part); err != nil {
			return err
		}
	}
	return nil
}

func each(ctx context.Context, tx *store.Tx, query string, args []any, scan func(row store.Row) error) error {
	rows, err := tx.Query(ctx, query, args...)
	_, err = store.Collect(rows, err, func(row store.Row) (struct{}, error) { return struct{}{}, scan(row) })
	return err
}
