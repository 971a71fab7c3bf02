package stack

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// TestOneThatHangsKeepsNoOtherFromBeingTriggered, nor one over a limit of its rate: they are tried again for a day, each other is
// begun once, and what failed is told once nothing is tried any more, without what its reader may not know.
func TestOneThatHangsKeepsNoOtherFromBeingTriggered(t *testing.T) {
	t.Parallel()
	eachGround(t, nil, func(g ground) {
		outside := &branches{head: "first"} // of this ground: others run at the same time
		g.s.Repositories = outside
		passes := spent{}
		outside.asked = func(ctx context.Context, repository string) error {
			switch repository {
			case "crew/hangs":
				passes[followOne]()
				<-ctx.Done()
				return ctx.Err()
			case "crew/busy":
				return fault.Errorf(fault.Exhausted, "the forge of hidden/place has had enough")
			}
			return nil
		}
		names := []string{"hangs", "a", "busy", "nowhere", "b", "c"}
		var named []triggers
		after := run.Run{ID: "run_1", Kind: RunKind, Subject: "stack:default/net", Space: "default", State: finished, Ended: time.Now(), Input: []byte(`{"type":"tracked"}`)}
		g.rows(func(r rows) {
			r.run(after.ID, r.stack("net", "default", "{}"), Tracked, finished)
			for _, name := range names {
				named = append(named, triggers{"policy:default/chain", "default", name})
				if name != "nowhere" {
					r.stack(name, "default", "{}")
					r.exec("UPDATE stacks SET repository = $2 WHERE ref = $1", "stack:default/"+name, "crew/"+name)
				}
			}
		})
		net, err := g.s.stackOf(g.ctx, ref.New("stack", "default", "net"))
		if err != nil {
			t.Fatal(err)
		}
		starts := func() error {
			return g.s.triggerAll(g.ctx, after, net, inputOf(after), named, passes.begin)
		}
		wantBegun := func(when string) {
			t.Helper()
			var begun []string
			for _, name := range []string{"hangs", "a", "busy", "b", "c"} {
				for _, r := range g.begun(name) {
					if inputOf(r).TriggeredBy == "policy:default/chain" {
						begun = append(begun, name)
					}
				}
			}
			if !slices.Equal(begun, []string{"a", "b", "c"}) {
				t.Errorf("%s %v are begun", when, begun)
			}
		}
		for range 3 {
			err := starts()
			if err == nil || !strings.Contains(err.Error(), "start hangs") || !strings.Contains(err.Error(), "has not answered within 20s") || !strings.Contains(err.Error(), "start busy") || strings.Contains(err.Error(), "nowhere") {
				t.Errorf("it fails by %v", err)
			}
			wantBegun("while some are tried again,")
			if said := g.says("net"); said != "" {
				t.Errorf("while some are tried again, its page says %q", said)
			}
		}
		after.Ended = after.Ended.Add(-followGiveUp)
		if err := starts(); err != nil {
			t.Errorf("after a day it is tried again: %v", err)
		}
		wantBegun("after a day")
		if said := g.says("net"); !strings.Contains(said, "names stack hangs, which could not be started: what it needs, such as its repository, could not be had for a day") {
			t.Errorf("after a day its page says %q", said)
		}
		if _, err := g.s.Ledger.Seal(g.ctx); err != nil {
			t.Fatal(err)
		}
		var told []string
		g.rows(func(r rows) {
			found, err := r.tx.Query(g.ctx, "SELECT data FROM ledger_entries WHERE type = 'stack.trigger-failed' ORDER BY id")
			if told, err = store.Collect(found, err, func(row store.Row) (one string, err error) { return one, row.Scan(&one) }); err != nil {
				t.Fatal(err)
			}
		})
		if all := strings.Join(told, "\n"); len(told) != 3 || strings.Contains(all, "hidden") || !strings.Contains(all, "there is no such stack in space default") {
			t.Errorf("what is told is:\n%s", all)
		}
	})
}
