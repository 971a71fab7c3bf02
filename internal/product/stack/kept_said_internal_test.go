package stack

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// TestNothingIsSaidOverWhyAStateIsKeptLocked: neither by a push, whatever that does, nor by a policy; the page of a stack that is not
// held says what came last. What a push asks for is begun, and waits.
func TestNothingIsSaidOverWhyAStateIsKeptLocked(t *testing.T) {
	t.Parallel()
	eachGround(t, nil, func(g ground) {
		outside := &branches{head: "second"} // of this ground: others run at the same time
		g.s.Repositories = outside
		many := make([]Stack, fewStacks+1)
		g.rows(func(r rows) {
			for _, name := range []string{"held", "free"} {
				r.stack(name, "default", "{}")
			}
			for i := range many {
				many[i] = r.stack(fmt.Sprintf("many-%d", i), "default", "{}")
			}
			r.exec("UPDATE stacks SET seen = 'first', path = 'net', message = 'something else'")
		})
		why := map[string]string{"held": g.keeps("held"), "many-3": g.keeps("many-3")}
		if !strings.Contains(why["held"], "was killed while it changed") {
			t.Fatalf("the page of a stack that is held says %q", why["held"])
		}
		says := func(when, free string) {
			t.Helper()
			if got := g.says("free"); got != free {
				t.Errorf("%s a stack that is free says %q, want %q", when, got, free)
			}
			for name, want := range why {
				if got := g.says(name); got != want {
					t.Errorf("%s %s says %q, want %q", when, name, got, want)
				}
			}
		}
		pushed := func(head string, changed ...string) {
			t.Helper()
			outside.head, outside.changed = head, changed
			for _, name := range []string{"held", "free"} {
				if err := g.s.reconcile(g.ctx, "stack:default/"+name); err != nil {
					t.Fatal(err)
				}
			}
		}
		pushed("second", "web/main.tf")
		says("after a push beside it", "")
		pushed("third", "net/main.tf")
		says("after a push", "")
		for _, name := range []string{"held", "free"} {
			if all := g.begun(name); len(all) == 0 || all[0].Source.Commit != "third" || all[0].State != queued && name == "held" {
				t.Errorf("a push to %s has begun %+v", name, all)
			}
		}
		g.s.PushRuns = 1
		g.rows(func(r rows) {
			r.exec("INSERT INTO stack_pushes (repository, event, runs, began) VALUES ('crew/net', 'refs/heads/main@fourth', 1, 1)")
		})
		pushed("fourth", "net/main.tf")
		says("after one that begins too many", g.says("free"))
		if g.says("free") == "" {
			t.Error("that it begins no run is not said")
		}
		g.s.PushRuns = 0

		g.rows(func(r rows) {
			for _, name := range []string{"held", "free"} {
				stack, err := getStack(g.ctx, r.tx, ref.New("stack", "default", name), r.tx.ForUpdate())
				if err == nil {
					err = g.s.takeEffect(g.ctx, r.tx, stack, effect{Message: "a policy says so", Decision: "dec_1"}, pushArgs{}, prepared{})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		})
		says("after a push policy", "a policy says so")
		for _, name := range []string{"held", "free"} {
			stack, err := g.s.stackOf(g.ctx, ref.New("stack", "default", name))
			if err == nil {
				err = g.s.notTriggered(g.ctx, run.Run{ID: "run_1", Space: "default"}, stack, []map[string]any{{"policy": "a", "stack": "b", "reason": "c"}})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		says("after a trigger policy", g.says("free"))
		if !strings.Contains(g.says("free"), "a trigger policy (a) names stack b") {
			t.Errorf("after a trigger policy a stack that is free says %q", g.says("free"))
		}

		outside.head, outside.changed = "fifth", []string{"web/main.tf"}
		if err := g.s.lookMany(g.ctx, manyArgs{"crew/net", "main"}); err != nil {
			t.Fatal(err)
		}
		says("after a push to many", "")
		if got := g.says("many-0"); got != "" {
			t.Errorf("after a push to many, one of them says %q", got)
		}
		if err := g.s.DB.Read(g.ctx, func(tx *store.Tx) error {
			n := 0
			if err := tx.QueryRow(g.ctx, "SELECT COUNT(*) FROM stacks WHERE seen = 'fifth'").Scan(&n); err != nil || n != len(many)+2 {
				t.Errorf("%d stacks have seen it, %v", n, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}

		g.rows(func(r rows) {
			if err := g.s.letGoOn(g.ctx, r.tx, ref.New("stack", "default", "held"), ""); err != nil {
				t.Fatal(err)
			}
		})
		if got := g.says("held"); got != "" {
			t.Errorf("once it is let go on, its page says %q", got)
		}
	})
}
