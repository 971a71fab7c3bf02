package stack

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// The list of stacks is narrowed by what their runs came to. The rows of stacks have that beside them; it follows the ledger.

// Query narrows a list of stacks; its zero value gives all.
type Query struct {
	Text    string   // each of its words is in the reference, the repository or the folder
	Space   string   // only of this one
	States  []string // of the newest run that is no preview and no task; none for those that never ran
	Drifted bool     // only those that differ from what was applied
	Queued  bool     // only those with runs that wait for them, or for a worker
	Set     string   // only those that a StackSet of their space has made; reference, or NAMESPACE/NAME
}

// never stands among the states of a query for stacks without a run.
const never = "none"

func (q Query) narrow(w *store.Where) error {
	words := strings.Fields(strings.ToLower(clean(q.Text)))
	if len(words) > wordsMost {
		return fault.Errorf(fault.Invalid, "%d words are too many; search for at most %d", len(words), wordsMost)
	}
	for _, word := range words {
		w.Add(w.Finds("ref || ' ' || repository || ' ' || path", word))
	}
	w.Equal("space", clean(q.Space))
	if len(q.States) > 0 {
		states := slices.Clone(q.States)
		for i, state := range states {
			if states[i] = clean(state); state == never {
				states[i] = ""
			}
		}
		w.Add(w.In("last_state", states))
	}
	if q.Drifted {
		w.Add("drifted = 1")
	}
	if q.Queued {
		w.Add("queued > 0")
	}
	if q.Set != "" {
		set, err := ref.Parse(q.Set, "stackset", ref.DefaultNamespace)
		if err != nil {
			return fault.Errorf(fault.Invalid, "%q is not a stack set; write NAMESPACE/NAME", cut(q.Set, 200))
		}
		// Until the set looks again it has members that were declared anew in another space, which are none of its own.
		w.Add("EXISTS (SELECT 1 FROM stack_set_members m JOIN stack_sets t ON t.ref = m.stack_set WHERE m.stack = stacks.ref AND t.space = stacks.space AND m.stack_set = " + w.Arg(set.String()) + ")")
	}
	return nil
}

// List gives the stacks that the caller may read, by reference. Permission: stack:read; others are left out.
func (s *Service) List(ctx context.Context, q Query, part page.Request) (list page.Of[Overview], err error) {
	readable, err := s.Access.Spaces(ctx, "stack:read")
	if err != nil || readable.Empty() {
		return list, err
	}
	w := &store.Where{}
	w.Add("deleted = 0")
	w.After("ref", part.Cursor)
	if !readable.All {
		w.Add(w.In("space", readable.List()))
	}
	if err := q.narrow(w); err != nil {
		return list, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+stackColumns+" FROM stacks"+w.String()+" ORDER BY ref LIMIT "+w.Arg(part.Window()), w.Args...)
		stacks, err := store.Collect(rows, err, scanStack)
		if err != nil {
			return fault.Wrap(err, "list stacks")
		}
		seen := page.Cut(stacks, part, func(k Stack) string { return k.Ref.String() })
		list = page.Of[Overview]{Next: seen.Next}
		list.Items, err = s.overviews(ctx, tx, seen.Items)
		return err
	})
	return list, err
}

func (s *Service) subscribeBoard() {
	s.Ledger.Subscribe("stack.board", []string{"run.created", "run.state-changed"}, s.noteBoard)
}

// noteBoard keeps what a list of stacks is narrowed by. It can be called at any time, with any entry of a run.
func (s *Service) noteBoard(ctx context.Context, tx *store.Tx, e ledger.Entry) error {
	var change struct {
		Kind string `json:"run_kind"`
	}
	if err := json.Unmarshal(e.Data, &change); err != nil || change.Kind != RunKind {
		return nil
	}
	r, err := s.Runs.GetTx(ctx, tx, e.Run)
	if err != nil {
		return ignoreGone(err)
	}
	waits, err := s.Runs.CountTx(ctx, tx, run.Query{Kinds: []string{RunKind}, Spaces: []string{r.Space}, Subject: r.Subject, Open: true, States: []string{queued, ready}})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE stacks SET queued = $3 WHERE ref = $1 AND space = $2 AND queued <> $3", r.Subject, r.Space, waits); err != nil {
		return fault.Wrap(err, "note what waits for %s", r.Subject)
	}
	var in Input
	if json.Unmarshal(r.Input, &in) != nil || onlyPlans(in.Type) || in.Type == Task {
		return nil
	}
	_, err = tx.Exec(ctx, "UPDATE stacks SET last_run = $3, last_state = $4 WHERE ref = $1 AND space = $2 AND last_run <= $3", r.Subject, r.Space, r.ID, r.State)
	return fault.Wrap(err, "note the newest run of %s", r.Subject)
}
