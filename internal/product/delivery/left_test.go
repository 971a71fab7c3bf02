package delivery_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/cluster/node"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/process"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Objects that stay behind, because the application goes elsewhere without prune, hold their namespace for its space.
func TestWhatIsLeftInAnotherNamespaceStaysItsSpaces(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.repository("lab", "lab/app")
		b.commit("carol", "lab/app", map[string]string{"deploy/b.yaml": settings("b", "green")})
		keeps := "syncPolicy: {automated: {}}"
		away := func(policy string) string {
			return strings.Replace(application("shop", "team/shop", policy), "namespace: shop", "namespace: next", 1)
		}
		b.apply("default", application("shop", "team/shop", keeps))
		if left := b.status(shop).Left; len(left) != 0 {
			t.Errorf("left is %q", left)
		}
		taken := func(when string) {
			t.Helper()
			b.apply("lab", application("other", "lab/app", automated))
			if st := b.status(named("other")); !strings.Contains(st.Message, "namespace shop of cluster local is used by another space") || b.colour("b") != "" {
				t.Errorf("%s: message = %q, b is %q", when, st.Message, b.colour("b"))
			}
			if b.colour("a") != "red" {
				t.Errorf("%s: a is %q", when, b.colour("a"))
			}
		}
		b.apply("default", away(keeps))
		b.want(shop, "Synced", "Healthy", head, "")
		if st := b.status(shop); fmt.Sprint(st.Left) != "[local/shop]" || len(st.Objects) != 2 {
			t.Errorf("left is %q of %+v", st.Left, st.Objects)
		}
		taken("when the application goes elsewhere")
		b.forget(shop)
		b.drain()
		taken("when it is deleted")

		// With prune its next sync takes them away, and the namespace is anybody's.
		b.apply("default", away(automated))
		if st := b.status(shop); len(st.Left) != 0 || len(st.Objects) != 1 || b.colour("a") != "" {
			t.Errorf("left is %q of %+v, a is %q", st.Left, st.Objects, b.colour("a"))
		}
		b.apply("lab", application("other", "lab/app", automated, "info: []"))
		if b.colour("b") != "green" {
			t.Errorf("b is %q: %s", b.colour("b"), b.status(named("other")).Message)
		}
	})
}

// A namespace is not free while an application of a space above is left in it.
func TestANamespaceWithObjectsOfASpaceAboveIsNotFree(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		for space, who := range map[string]string{"default": "alice", "lab": "carol", "payments": "peter"} {
			b.repository(space, space+"/app")
			b.commit(who, space+"/app", map[string]string{"deploy/a.yaml": settings(space, "red")})
		}
		b.apply("lab", application("first", "lab/app", automated))
		b.apply("default", application("above", "default/app", automated))
		b.forget(named("first"))
		b.drain()
		b.apply("payments", application("third", "payments/app", automated))
		if st := b.status(named("third")); !strings.Contains(st.Message, "is used by another space") || b.colour("payments") != "" || b.colour("default") != "red" {
			t.Errorf("message = %q, the third is %q", st.Message, b.colour("payments"))
		}
	})
}

// elsewhere is a second cluster, named other, that runs no pods.
func (b *bench) elsewhere() *node.Node {
	b.t.Helper()
	executor, err := process.New(b.t.TempDir(), b.Log)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(executor.Close)
	other, err := node.New(node.Options{Name: "other", Dir: shortDir(b.t), DB: b.db, Executor: executor, Images: folders{}, Now: time.Now, Log: b.Log})
	if err != nil {
		b.t.Fatal(err)
	}
	b.Clusters["other"] = other
	return other
}

// What an application leaves in another cluster is left and pruned as in the same, and a sync that fails there is undone
// there.
func TestAnApplicationThatGoesToAnotherCluster(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.start()
		other := b.elsewhere()
		there := func(name string) string {
			o, err := other.Get(t.Context(), key("ConfigMap", name))
			if err != nil && !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			return o.Text("data", "colour")
		}
		to := func(cluster, policy string) string {
			return strings.Replace(application("shop", "team/shop", policy), "name: local", "name: "+cluster, 1)
		}
		keeps := "syncPolicy: {automated: {}}"
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.repository("lab", "lab/app")
		b.commit("carol", "lab/app", map[string]string{"deploy/b.yaml": settings("b", "green")})
		b.apply("default", to("local", keeps))
		b.apply("default", to("other", keeps))
		if left := b.status(shop).Left; fmt.Sprint(left) != "[local/shop]" || b.colour("a") != "red" || there("a") != "red" {
			t.Errorf("left is %q; a is %q here and %q there", left, b.colour("a"), there("a"))
		}
		b.apply("lab", application("other", "lab/app", automated))
		if b.colour("b") != "" || !strings.Contains(b.status(named("other")).Message, "is used by another space") {
			t.Errorf("b is %q: %s", b.colour("b"), b.status(named("other")).Message)
		}
		b.forget(named("other"))
		b.apply("default", to("other", automated))
		if left := b.status(shop).Left; len(left) != 0 || b.colour("a") != "" || there("a") != "red" {
			t.Errorf("after a sync with prune left is %q; a is %q here and %q there", left, b.colour("a"), there("a"))
		}

		// Back here with what never becomes healthy.
		b.apply("default", to("other", keeps))
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "blue"), "deploy/b.yaml": settings("b", "blue")})
		b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": broken})
		b.apply("default", to("local", keeps))
		if here := b.colour("a") + b.colour("b"); here != "" || there("a") != "blue" || there("b") != "blue" {
			t.Errorf("after the rollback here is %q, there are %q and %q: %s", here, there("a"), there("b"), b.status(shop).Message)
		}
		b.forget(shop)
		b.drain()
		b.commit("alice", "team/shop", map[string]string{"deploy/web.yaml": ""})
		b.apply("default", to("other", automated))
		b.forget(shop)
		b.drain()
		if there("a") != "" {
			t.Error("what was left there is not taken along")
		}
	})
}
