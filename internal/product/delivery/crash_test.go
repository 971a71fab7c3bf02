package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// crashes has each step done and then lost before it is reported, as by a killed server, the given number of times.
func (b *bench) crashes(times int) {
	b.t.Helper()
	lost := map[string]int{}
	for {
		for b.hear() || b.work() {
		}
		l := b.lease()
		if l == nil {
			return
		}
		result := b.perform(l)
		if lost[l.Step] < times {
			lost[l.Step]++
			if err := b.runs.Release(actor.AsSystem(b.t.Context()), "server-1"); err != nil {
				b.t.Fatal(err)
			}
			continue
		}
		b.report(l, result)
	}
}

// world is the state of the cluster, the history and the ledger, without times and ids.
func (b *bench) worldText() string {
	b.t.Helper()
	var out strings.Builder
	objects, err := b.node.List(b.t.Context(), cluster.ListOptions{Owner: shop.String()})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o := range objects {
		if o.Key().Kind == "ConfigMap" || o.Key().Kind == "Deployment" {
			fmt.Fprintln(&out, o.Key(), o.Text("data", "colour"))
		}
	}
	for _, r := range b.history(shop) {
		fmt.Fprintln(&out, r.State, r.Message != "")
	}
	for _, r := range b.syncs(shop) {
		fmt.Fprintln(&out, r.State)
	}
	for _, kind := range []string{"application.synced", "application.sync-failed", "application.rolled-back", "run.created"} {
		fmt.Fprintln(&out, kind, b.entries(kind))
	}
	st := b.status(shop)
	fmt.Fprintln(&out, st.Sync, st.Health)
	return out.String()
}

func TestStepsThatAreDoneTwiceChangeNothingTwice(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "red"), "deploy/b.yaml": settings("b", "red")})
		if err := b.try("default", application("shop", "team/shop", automated)); err != nil {
			t.Fatal(err)
		}
		b.crashes(2)
		b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue"), "deploy/b.yaml": ""})
		b.crashes(2)
		b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "green"), "deploy/web.yaml": broken})
		b.crashes(1)
		want := `core/ConfigMap/shop/a blue
rolled-back true
succeeded false
succeeded false
succeeded
succeeded
failed
application.synced 2
application.sync-failed 1
application.rolled-back 1
run.created 3
OutOfSync Healthy
`
		if got := b.worldText(); got != want {
			t.Errorf("the world is\n%s\nwant\n%s", got, want)
		}
	})
}

func TestWhatAStepRecordedFirstStands(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": broken})
		if err := b.try("default", application("shop", "team/shop", automated)); err != nil {
			t.Fatal(err)
		}
		for b.hear() || b.work() {
		}
		b.step() // render
		b.step() // apply
		health := b.lease()
		if first := b.perform(health); first.ExitCode != 1 {
			t.Fatalf("health = %+v", first)
		}
		// The server is killed before it reports, and meanwhile somebody mends the Deployment.
		if err := b.runs.Release(actor.AsSystem(t.Context()), "server-1"); err != nil {
			t.Fatal(err)
		}
		live, err := b.node.Get(t.Context(), webKey)
		if err != nil {
			t.Fatal(err)
		}
		live.Raw["spec"].(map[string]any)["replicas"] = int64(0)
		if _, err := b.node.Apply(t.Context(), []cluster.Object{live}, cluster.ApplyOptions{Owner: shop.String()}); err != nil {
			t.Fatal(err)
		}
		health = b.lease()
		result := b.perform(health)
		if result.ExitCode != 1 || !strings.Contains(result.Message, "did not become healthy") {
			t.Errorf("health = %+v; the history says that it failed", result)
		}
		b.report(health, result)
		if got := b.states(shop); got != "failed" || b.history(shop)[0].State != "failed" {
			t.Errorf("the run is %s, the history %+v", got, b.history(shop))
		}
	})
}

func TestAnApplicationsHistoryIsBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "c0")})
		b.apply("default", application("shop", "team/shop", automated, "revisionHistoryLimit: 2"))
		first := b.history(shop)[0]
		for i := range 3 {
			b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", fmt.Sprint("d", i))})
		}
		history := b.history(shop)
		if len(history) != 2 || history[0].Commit != b.head("team/shop") {
			t.Errorf("history = %+v", history)
		}
		_, err := b.Rollback(accesstest.As("alice"), shop, first.ID)
		errorWith(t, err, fault.NotFound, first.ID)
	})
}
