package delivery_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/delivery"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// judged tells the room that a trigger has judged a push, as product/trigger does.
func (b *bench) judged(repository string) {
	b.t.Helper()
	b.write(func(tx *store.Tx) error {
		_, err := b.ledger.Append(actor.AsSystem(b.t.Context()), tx, ledger.Entry{Space: "default", Type: "trigger.fired", Subject: "trigger:default/shop", Refs: []string{"repository:" + repository}, Data: json.RawMessage("{}")})
		return err
	})
	b.drain()
}

func TestASyncWaitsForThePipelineOfItsCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.outside.pipeline(first, delivery.PipelineRunning)
		b.apply("default", application("shop", "team/shop", automated))
		b.want(shop, "OutOfSync", "Missing", "", "waits for the pipeline of "+first[:8])
		_, err := b.Sync(accesstest.As("alice"), shop)
		errorWith(t, err, fault.Conflict, "waits for the pipeline of "+first[:8])
		b.outside.pipeline(first, delivery.PipelinePassed)
		b.judged("team/shop")
		b.want(shop, "Synced", "Healthy", first, "")

		second := b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		b.outside.pipeline(second, delivery.PipelineFailed)
		b.drain()
		b.want(shop, "OutOfSync", "Healthy", first, "the pipeline of "+second[:8]+" failed (run_pipeline), so it is not deployed")
		_, err = b.Sync(accesstest.As("alice"), shop)
		errorWith(t, err, fault.Conflict, "failed (run_pipeline)")
		if got := b.states(shop); got != "succeeded" {
			t.Errorf("runs are %s", got)
		}
		b.apply("default", application("shop", "team/shop")) // nobody waits any more
		b.want(shop, "OutOfSync", "Healthy", first, "")
	})
}

func TestOutputsOfTheStackReachTheManifestsAndAChangeIsSynced(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		deployment := strings.Replace(strings.Replace(broken, "  progressDeadlineSeconds: 1\n", "  replicas: 0\n", 1), `image: "nowhere.test/web:1"`,
			`image: "nowhere.test/web:1", envFrom: [{configMapRef: {name: shop-infra-outputs}}]`, 1)
		b.start()
		head := b.push("team/shop", map[string]string{"deploy/web.yaml": deployment})
		app := strings.Replace(application("shop", "team/shop", "syncPolicy: {automated: {prune: true}}"), "annotations: {", `annotations: {roadbed.dev/stack: "stack:default/shop-infra", `, 1)
		b.apply("default", app)
		b.want(shop, "OutOfSync", "Missing", "", "stack:default/shop-infra, which does not exist yet")
		b.stack("shop-infra", "default", "", nil)
		b.drain()
		b.want(shop, "OutOfSync", "Missing", "", "waits for stack:default/shop-infra to be applied")
		b.stack("shop-infra", "default", "stt_1", map[string]string{"greeting": "hello", "db-password!": "hunter2"})
		b.drain()
		b.want(shop, "Synced", "Healthy", head, "")
		config, err := b.node.Get(t.Context(), key("ConfigMap", "shop-infra-outputs"))
		if err != nil || config.Text("data", "GREETING") != "hello" || config.Text("data", "DB_PASSWORD") != "" {
			t.Errorf("outputs = %v, %v", config.Raw, err)
		}
		secret, err := b.node.Get(t.Context(), key("Secret", "shop-infra-outputs"))
		if _, there := secret.Field("data", "DB_PASSWORD"); err != nil || !there {
			t.Errorf("secret outputs = %v, %v", secret.Raw, err)
		}
		stamp := func() string {
			web, err := b.node.Get(t.Context(), webKey)
			if err != nil {
				t.Fatal(err)
			}
			return web.Text("spec", "template", "metadata", "annotations", "roadbed.dev/outputs")
		}
		before := stamp()
		if before == "" {
			t.Error("the pods would not be replaced when outputs change")
		}

		b.stack("shop-infra", "default", "stt_2", map[string]string{"greeting": "goodbye", "db-password!": "hunter2"})
		b.drain()
		b.want(shop, "Synced", "Healthy", head, "")
		config, err = b.node.Get(t.Context(), key("ConfigMap", "shop-infra-outputs"))
		if err != nil || config.Text("data", "GREETING") != "goodbye" || stamp() == before {
			t.Errorf("outputs = %v, %v; stamp %s", config.Raw, err, stamp())
		}
		if got := b.states(shop); got != "succeeded succeeded" {
			t.Errorf("runs are %s", got)
		}
		b.stack("shop-infra", "default", "stt_2", map[string]string{"greeting": "goodbye", "db-password!": "hunter2"})
		b.drain()
		if got := b.states(shop); got != "succeeded succeeded" {
			t.Errorf("nothing changed, and runs are %s", got)
		}
		for _, said := range []string{"hunter2", "aHVudGVyMg"} {
			if strings.Contains(b.everything(), said) {
				t.Errorf("%s is to be seen", said)
			}
		}
	})
}

func TestAChangedSpecIsSyncedWithoutSelfHeal(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red"), "other/a.yaml": settings("a", "blue")})
		text := application("shop", "team/shop", "syncPolicy: {automated: {}}")
		b.apply("default", text)
		b.apply("default", strings.Replace(text, "path: deploy", "path: other", 1))
		b.want(shop, "Synced", "Healthy", head, "")
		if b.colour("a") != "blue" || b.states(shop) != "succeeded succeeded" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
	})
}

func TestACanceledSyncIsNotStartedAgainByItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		for range 2 { // the second waits for the first, and can be canceled
			if _, err := b.Sync(accesstest.As("alice"), shop); err != nil {
				t.Fatal(err)
			}
		}
		runs := b.syncs(shop)
		errorWith(t, b.runs.Cancel(accesstest.As("alice"), runs[1].ID), fault.Conflict, "already changes the cluster")
		if err := b.runs.Cancel(accesstest.As("alice"), runs[2].ID); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.want(shop, "Synced", "Healthy", first, "")
		if got := b.states(shop); got != "succeeded succeeded canceled" {
			t.Errorf("runs are %s", got)
		}
	})
}

func TestAnApplicationMayFollowATagOrStayAtACommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		first := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		at := func(revision string) string {
			return strings.Replace(application("shop", "team/shop", automated), "targetRevision: main", "targetRevision: "+revision, 1)
		}
		b.apply("default", at(`"`+first+`"`))
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
		b.want(shop, "Synced", "Healthy", first, "")
		if got := b.syncs(shop)[0].Source; b.colour("a") != "red" || got.Commit != first || got.Ref != "" {
			t.Errorf("a is %q, synced from %+v", b.colour("a"), got)
		}
		b.apply("default", at("v1.0"))
		if st := b.status(shop); !strings.Contains(st.Message, "v1.0") || b.colour("a") != "red" {
			t.Errorf("a is %q; message = %q", b.colour("a"), st.Message)
		}
		b.apply("default", at("main"))
		if b.colour("a") != "blue" {
			t.Errorf("a is %q: %s", b.colour("a"), b.status(shop).Message)
		}
	})
}

// A pipeline commits its image and passes after the head was read, and before it is asked for.
func TestOnlyWhatThePipelineCommitsIsDeployed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		b.repository("default", "team/shop")
		b.apply("default", application("shop", "team/shop", automated))
		var meanwhile func()
		b.Repositories = slowHead{b.Repositories, &meanwhile}
		first := b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.outside.pipeline(first, delivery.PipelineRunning)
		b.drain()
		b.want(shop, "OutOfSync", "Missing", "", "waits for the pipeline of "+first[:8])
		second := ""
		meanwhile = func() {
			second = b.commit("alice", "team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue")})
			b.outside.pipeline(first, delivery.PipelinePassed)
		}
		if err := b.Reconcile(t.Context(), shop); err != nil {
			t.Fatal(err)
		}
		b.drain()
		b.want(shop, "Synced", "Healthy", second, "")
		if got := b.states(shop); got != "succeeded" || b.colour("a") != "blue" {
			t.Errorf("the syncs are %s, and a is %s", got, b.colour("a"))
		}
	})
}
