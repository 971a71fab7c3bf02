package stack

import (
	"context"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// TestNoRunBeginsOfAStackThatGoesMeanwhile: what prepares a run takes a while, and what deletes a stack cancels the runs that there
// are by then. A schedule is looked at anew also where the document has changed.
func TestNoRunBeginsOfAStackThatGoesMeanwhile(t *testing.T) {
	t.Parallel()
	eachGround(t, nil, func(g ground) {
		outside := &branches{head: "first"} // of this ground: others run at the same time
		g.s.Repositories = outside
		net := ref.New("stack", "default", "net")
		g.rows(func(r rows) {
			r.stack("net", "default", "{}")
			r.exec("UPDATE stacks SET applied = 'first'")
		})
		write := func(query string) func(tx *store.Tx) error {
			return func(tx *store.Tx) error {
				_, err := tx.Exec(g.ctx, query)
				return err
			}
		}
		goes := func(tx *store.Tx) error {
			return g.s.documentChanged(g.ctx, tx, document.Change{Ref: net, Space: "default"})
		}
		byHand := func(kind, command string) func() error {
			return func() error {
				_, err := g.s.Begin(g.ctx, net, Order{Type: kind, Command: command})
				return err
			}
		}
		due := func(do string) func() error {
			return func() error {
				stack, err := g.s.stackOf(g.ctx, net)
				if err != nil {
					return err
				}
				_, err = g.s.due(g.ctx, stack, Schedule{Do: do, Command: "true"}, "schedule of "+do+" "+ref.NewID(ref.Run, g.s.Now()))
				return err
			}
		}
		after := run.Run{ID: "run_1", Kind: RunKind, Subject: net.String(), Space: "default", State: finished, Input: []byte(`{"type":"drift"}`), Output: []byte(`{"summary":{"update":1}}`)}
		after.Source.Commit = "first"
		for name, c := range map[string]struct {
			begin     func() error
			meanwhile func(tx *store.Tx) error
			want      fault.Kind
			runs      int
		}{
			"by hand, while nothing happens":     {byHand(Tracked, ""), nil, 0, 1},
			"by hand":                            {byHand(Tracked, ""), goes, fault.Conflict, 0},
			"a preview":                          {byHand(Proposed, ""), goes, fault.Conflict, 0},
			"a task":                             {byHand(Task, "true"), goes, fault.Conflict, 0},
			"a destruction":                      {byHand(Destroy, ""), goes, fault.Conflict, 0},
			"what is due, while nothing happens": {due(Task), nil, 0, 1},
			"a task that is due":                 {due(Task), goes, 0, 0},
			"a destruction that is due":          {due(Destroy), goes, 0, 0},
			"one that is due, as it is edited":   {due(Destroy), write("UPDATE stacks SET edit = edit + 1"), 0, 0},
			"one of a stack that has moved":      {due(Tracked), write("UPDATE stacks SET space = 'other'"), 0, 0},
			"what takes drift back":              {func() error { return g.s.reconcileDrift(g.ctx, after, Input{}) }, goes, fault.Conflict, 0},
		} {
			g.rows(func(r rows) {
				r.exec("DELETE FROM runs")
				r.exec("DELETE FROM run_locks")
				r.exec("UPDATE stacks SET deleted = 0, space = 'default'")
			})
			outside.asked = func(context.Context, string) error {
				if c.meanwhile == nil {
					return nil
				}
				do := c.meanwhile
				outside.asked = nil
				return g.s.DB.Write(g.ctx, do)
			}
			if err := c.begin(); c.want == 0 && err != nil || c.want != 0 && !fault.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if outside.asked != nil && c.meanwhile != nil {
				t.Errorf("%s: it asks nothing of the repository", name)
			}
			if all := g.begun("net"); len(all) != c.runs {
				t.Errorf("%s: %d runs are begun, want %d", name, len(all), c.runs)
			}
		}
	})
}
