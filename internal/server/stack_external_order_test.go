package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// startAt begins a tracked run as Alice; "" for the head of the branch.
func (g *ground) startAt(name, commit string) string {
	g.t.Helper()
	r, err := client.Post[client.RunDetail](g.t.Context(), g.alice, "/stacks/default/"+name+"/runs", map[string]string{"type": stack.Tracked, "commit": commit})
	if err != nil {
		g.t.Fatal(err)
	}
	return r.ID
}

// TestWhatIsOlderTakesNobodysPlace: a later run of an earlier commit leaves what waits outside for a newer one, and who waits
// for what was replaced goes on.
func TestWhatIsOlderTakesNobodysPlace(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/shop", map[string]string{"infra/main.tf": below})
		net := g.stack("net", above, "")
		first := g.runNow(net).Source.Commit
		g.finish(net)
		g.followed("stack.ends", "run.state-changed", net, `"finished"`)
		g.idle("stack.after") // before there is what would follow
		g.apply(stackDocument("shop", uses))
		g.finish(g.nth("shop", "tracked", 1))
		g.policy("images", "push", `track { true }
external_dependency[sprintf("%s-image", [input.push.hash])] { input.stack.name == "net" }`, "")

		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-two")})
		waits := g.stackRun("net", commit)
		g.waitingOutside(waits, commit+"-image")
		head := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(above, "region-one", "region-three")})
		next := g.stackRun("net", head)
		g.waitingOutside(next, head+"-image")
		older := g.startAt("net", first)
		g.wantRun(g.rests(older), "finished", "")
		g.waitingOutside(waits, commit+"-image")
		g.waitingOutside(next, head+"-image")
		between := g.startAt("net", commit)
		g.finish(between)
		g.wantRun(g.runNow(waits), "canceled", "run "+between+", which was begun after it")
		g.waitingOutside(next, head+"-image")

		// What depends on it follows what was applied, and waits for it, until a run of the head takes its place.
		shop := g.nth("shop", "tracked", 2)
		until(t, g.admin, shop, func(r client.RunDetail) bool { return r.State == "ready" })
		newer := g.startAt("net", "")
		if r := g.runNow(shop); r.Wait == nil || r.Wait.For != "runs" {
			t.Errorf("the shop is %s (%s) and waits as %+v", r.State, r.Reason, r.Wait)
		}
		g.finish(newer)
		g.wantRun(g.runNow(next), "canceled", "run "+newer+", which was begun after it")
		g.finish(shop)
		if r := g.runsOf("shop", stack.Tracked); slices.ContainsFunc(r, func(r client.Run) bool { return r.State == "canceled" }) {
			t.Errorf("the runs of the shop are %+v", r)
		}
	})
}
