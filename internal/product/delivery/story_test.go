package delivery_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

var webKey = cluster.Key{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}

func key(kind, name string) cluster.Key {
	return cluster.Key{Kind: kind, Namespace: "shop", Name: name}
}

func TestAnApplicationIsSyncedDiffedAndRolled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/settings.yaml": settings("settings", "red"), "README.md": "x"})
		if err := b.try("default", application("shop", "team/shop", automated)); err != nil {
			t.Fatal(err)
		}
		diff, err := b.Diff(accesstest.As("rita"), shop)
		if err != nil || len(diff) != 2 || diff[1].Action != cluster.Created || !strings.Contains(diff[1].Diff, "+  colour: red") {
			t.Errorf("diff before the first sync = %+v, %v", diff, err)
		}
		b.want(shop, "OutOfSync", "Missing", "", "")
		b.drain()
		b.want(shop, "Synced", "Healthy", first, "")
		if b.colour("settings") != "red" {
			t.Errorf("colour = %q", b.colour("settings"))
		}

		second := b.commit("alice", "team/shop", map[string]string{"deploy/settings.yaml": settings("settings", "blue")})
		b.want(shop, "OutOfSync", "Healthy", first, "")
		diff, err = b.Diff(accesstest.As("rita"), shop)
		if err != nil || len(diff) != 1 || !strings.Contains(diff[0].Diff, "-  colour: red\n+  colour: blue") {
			t.Errorf("diff = %+v, %v", diff, err)
		}
		b.drain()
		b.want(shop, "Synced", "Healthy", second, "")
		if b.colour("settings") != "blue" || b.states(shop) != "succeeded succeeded" {
			t.Errorf("colour = %q after %s", b.colour("settings"), b.states(shop))
		}
		runs := b.syncs(shop)
		if r := runs[1]; r.Source.Commit != second || r.Actor != "system" || r.Refs[0] != "component:default/shop" || !strings.Contains(string(r.Output), "colour: blue") {
			t.Errorf("run = %+v", r)
		}
		history := b.history(shop)
		if len(history) != 2 || history[0].Commit != second || history[1].Commit != first || history[0].State != "succeeded" || history[0].Run != runs[1].ID {
			t.Errorf("history = %+v", history)
		}
		b.drain()
		if n := len(b.syncs(shop)); n != 2 || b.entries("application.synced") != 2 {
			t.Errorf("%d runs, %d entries; want 2 of each", n, b.entries("application.synced"))
		}
	})
}

func TestACommitThatComesDuringASyncIsDeployedAfterIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.commit("alice", "team/shop", map[string]string{"deploy/settings.yaml": settings("settings", "red")})
		if err := b.try("default", application("shop", "team/shop", automated)); err != nil {
			t.Fatal(err)
		}
		for b.hear() || b.work() {
		}
		l := b.lease() // the first sync is in work
		second := b.commit("alice", "team/shop", map[string]string{"deploy/settings.yaml": settings("settings", "blue")})
		for b.hear() || b.work() {
		}
		if got := b.states(shop); got != "syncing" {
			t.Fatalf("runs are %s; want one at a time", got)
		}
		b.report(l, b.perform(l))
		b.drain()
		b.want(shop, "Synced", "Healthy", second, "")
	})
}

func TestAManualApplicationWaitsForItsPerson(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red"), "deploy/b.yaml": settings("b", "red")})
		b.apply("default", application("shop", "team/shop"))
		if got := b.states(shop); got != "" {
			t.Fatalf("runs are %s; want none", got)
		}
		_, err := b.Sync(accesstest.As("rita"), shop)
		errorWith(t, err, fault.Denied, "application:sync")
		_, err = b.Sync(accesstest.As("carol"), shop)
		errorWith(t, err, fault.NotFound, "")
		r, err := b.Sync(accesstest.As("alice"), shop)
		if err != nil || r.Actor != "pri_alice" {
			t.Fatalf("sync = %+v, %v", r, err)
		}
		b.drain()
		b.want(shop, "Synced", "Healthy", first, "")

		second := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue"), "deploy/b.yaml": ""})
		b.want(shop, "OutOfSync", "Healthy", first, "")
		if _, err = b.Sync(accesstest.As("alice"), shop); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.want(shop, "Synced", "Healthy", second, "")
		if b.colour("a") != "blue" || b.colour("b") != "red" {
			t.Errorf("a is %q, b is %q; without prune b stays", b.colour("a"), b.colour("b"))
		}

		history := b.history(shop)
		_, err = b.Rollback(accesstest.As("rita"), shop, history[1].ID)
		errorWith(t, err, fault.Denied, "application:sync")
		_, err = b.Rollback(accesstest.As("alice"), shop, "rvn_0")
		errorWith(t, err, fault.NotFound, "rvn_0")
		if _, err = b.Rollback(accesstest.As("alice"), shop, history[1].ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.want(shop, "OutOfSync", "Healthy", first, "")
		if b.colour("a") != "red" || b.states(shop) != "succeeded succeeded succeeded" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
	})
}

func TestARollbackHoldsUntilTheBranchMoves(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		if _, err := b.Rollback(accesstest.As("alice"), shop, b.history(shop)[1].ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		held := "rolled back to " + first[:8] + "; main is followed again when it moves"
		b.apply("default", application("shop", "team/shop", automated)) // a look
		b.want(shop, "OutOfSync", "Healthy", first, held)
		if b.colour("a") != "red" {
			t.Errorf("a is %q; the head was synced again", b.colour("a"))
		}
		b.tamper("a")
		b.apply("default", application("shop", "team/shop", automated)) // a look
		b.want(shop, "OutOfSync", "Healthy", first, held)
		if b.colour("a") != "red" || b.states(shop) != "succeeded succeeded succeeded succeeded" {
			t.Errorf("a is %q after %s; what was gone back to is healed too", b.colour("a"), b.states(shop))
		}
		b.apply("default", policyDocument("never", "deny contains \"not now\""))
		b.tamper("a")
		for range 2 {
			b.apply("default", application("shop", "team/shop", automated)) // a look
		}
		if b.colour("a") != "pink" || b.states(shop) != "succeeded succeeded succeeded succeeded failed" {
			t.Errorf("a is %q after %s; what fails is not tried again", b.colour("a"), b.states(shop))
		}
		b.apply("default", policyDocument("never", "warn contains \"now\""))
		third := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "green")})
		b.want(shop, "Synced", "Healthy", third, "")
	})
}

func TestWhatVanishesFromTheRepositoryIsPruned(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red"), "deploy/b.yaml": settings("b", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		head := b.push("team/shop", map[string]string{"deploy/b.yaml": ""})
		b.want(shop, "Synced", "Healthy", head, "")
		if _, err := b.node.Get(t.Context(), key("ConfigMap", "b")); !fault.Is(err, fault.NotFound) {
			t.Errorf("b is still there: %v", err)
		}
		// An empty folder takes nothing down unless the application says that it may.
		b.push("team/shop", map[string]string{"deploy/a.yaml": "", "x": "x"})
		b.want(shop, "OutOfSync", "Healthy", head, "holds no manifest")
		if b.colour("a") != "red" {
			t.Error("a was pruned")
		}
		b.apply("default", application("shop", "team/shop", "syncPolicy: {automated: {prune: true, allowEmpty: true}}"))
		if _, err := b.node.Get(t.Context(), key("ConfigMap", "a")); !fault.Is(err, fault.NotFound) {
			t.Errorf("a is still there: %v", err)
		}
	})
}

// tamper changes a live ConfigMap by hand.
func (b *bench) tamper(name string) {
	b.t.Helper()
	raw := map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "shop"}, "data": map[string]any{"colour": "pink"}}
	if _, err := b.node.Apply(b.t.Context(), []cluster.Object{{Raw: raw}}, cluster.ApplyOptions{Owner: shop.String()}); err != nil {
		b.t.Fatal(err)
	}
}

func TestChangesByHandAreHealedWhenAsked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", "syncPolicy: {automated: {}}"))
		b.tamper("a")
		b.apply("default", application("shop", "team/shop", "syncPolicy: {automated: {selfHeal: false}}")) // a look
		b.want(shop, "OutOfSync", "Healthy", head, "the cluster differs from the repository")
		if b.colour("a") != "pink" {
			t.Errorf("a is %q; nobody asked for healing", b.colour("a"))
		}
		if list, err := b.List(accesstest.As("rita"), page.Request{}); err != nil || list.Items[0].Sync != "OutOfSync" {
			t.Errorf("the list says %+v, %v", list, err)
		}
		b.apply("default", application("shop", "team/shop", automated))
		b.want(shop, "Synced", "Healthy", head, "")

		// The room follows the cluster by itself.
		jobs, stopListening := b.db.Listen("queue.jobs")
		defer stopListening()
		stop := b.follow()
		defer stop()
		b.tamper("a")
		for b.colour("a") != "red" {
			select {
			case <-jobs:
			case <-t.Context().Done():
				t.Fatal("never healed")
			}
			b.drain()
		}
	})
}
