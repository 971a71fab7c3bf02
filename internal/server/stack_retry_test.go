package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestWhoRetriesARunMayBeginIt: by right and by policy, and while its stack stands.
func TestWhoRetriesARunMayBeginIt(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		if _, err := g.act("alice", first, "discard"); err != nil {
			t.Fatal(err)
		}
		offered := func(who, id string) bool {
			t.Helper()
			r, err := client.Get[client.RunDetail](t.Context(), g.as[who], "/runs/"+id, nil)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(r.Can, "retry")
		}
		task := g.begin("admin", "net", map[string]any{"type": "task", "command": "exit 7"}).ID
		g.wantRun(until(t, g.admin, task, ended), "failed", "exit")
		if offered("alice", task) || !offered("admin", task) {
			t.Errorf("a task is offered to be retried to Alice: %t, to the administrator: %t", offered("alice", task), offered("admin", task))
		}
		if _, err := g.act("alice", task, "retry"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "stack:task") {
			t.Errorf("a developer retries a task: %v", err)
		}
		if steps := g.jobs(task); len(steps) != 1 {
			t.Errorf("its steps are %v", steps)
		}
		g.policy("quiet", "task", `deny["no tasks today"] { true }`, "")
		if _, err := g.act("admin", task, "retry"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "no tasks today") {
			t.Errorf("a task is retried against a policy: %v", err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/quiet", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("admin", task, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, task, ended), "failed", "exit")
		if steps := g.jobs(task); len(steps) != 2 {
			t.Errorf("after the retry its steps are %v", steps)
		}

		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stack/default/net", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("admin", task, "retry"); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "is deleted") {
			t.Errorf("a run of a stack that is gone is retried: %v", err)
		}
	})
}

// TestARetryDoesNotBringBackWhatIsOlderUnseen, though its stack is deployed without review.
func TestARetryDoesNotBringBackWhatIsOlderUnseen(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.alone()
		g.wantRun(until(t, g.admin, g.stack("net", lightInfra, "  autodeploy: true\n"), ended), "finished", "applied")
		region := func(name string) string {
			t.Helper()
			return g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", name)}))
		}
		denied := func(name string) string {
			t.Helper()
			g.policy("frozen", "plan", `deny["frozen"] { true }`, "")
			id := region(name)
			g.wantRun(until(t, g.admin, id, ended), "failed", "frozen")
			if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/frozen", nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			return id
		}
		retry := func(id string) {
			t.Helper()
			if _, err := g.act("alice", id, "retry"); err != nil {
				t.Fatal(err)
			}
		}
		newest := denied("region-two")
		retry(newest)
		g.wantRun(until(t, g.admin, newest, ended), "finished", "applied")

		older := denied("region-three")
		newer := region("region-four")
		g.wantRun(until(t, g.admin, newer, ended), "finished", "applied")
		retry(older)
		g.wantRun(g.rests(older), "unconfirmed", "waits for somebody to confirm it, since run "+newer+", which was begun after it, has finished")
		if got := g.output("net", "endpoint"); got != `"net.region-four"` {
			t.Errorf("the stack is at %s", got)
		}
	})
}
