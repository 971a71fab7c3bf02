package delivery_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/cluster"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func TestADeletedApplicationTakesItsObjectsAlongWhenItPrunes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		b.forget(shop)
		_, err := b.Get(accesstest.As("alice"), shop)
		errorWith(t, err, fault.NotFound, "application")
		_, err = b.Sync(accesstest.As("alice"), shop)
		errorWith(t, err, fault.NotFound, "application")
		b.drain()
		if b.colour("a") != "" || b.entries("application.removed") != 1 {
			t.Errorf("a is %q", b.colour("a"))
		}
		b.drain()
		if b.entries("application.removed") != 1 {
			t.Error("it was removed twice")
		}

		// Whoever takes the name next has a history of their own.
		b.repository("lab", "lab/shop")
		b.commit("carol", "lab/shop", map[string]string{"deploy/a.yaml": settings("a", "green")})
		b.apply("lab", application("shop", "lab/shop", automated))
		if history := b.history(shop); len(history) != 1 || b.colour("a") != "green" {
			t.Errorf("history = %+v, a is %q", history, b.colour("a"))
		}
	})
}

func TestObjectsOfADeletedApplicationStayWithoutPrune(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", "syncPolicy: {automated: {}}"))
		b.forget(shop)
		b.drain()
		if b.colour("a") != "red" {
			t.Errorf("a is %q", b.colour("a"))
		}
		// The same name takes them up again, and may then take them away.
		b.apply("default", application("shop", "team/shop", automated))
		b.want(shop, "Synced", "Healthy", head, "")
		b.forget(shop)
		b.drain()
		if b.colour("a") != "" {
			t.Errorf("a is %q", b.colour("a"))
		}
	})
}

// An application whose manifests have its Namespace takes all else along when others are in that namespace.
func TestADeletedApplicationLeavesANamespaceToThoseWhoAreInIt(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red"), "deploy/n.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"})
		b.repository("default", "team/other")
		b.push("team/other", map[string]string{"deploy/b.yaml": settings("b", "green")})
		b.apply("default", application("shop", "team/shop", automated))
		b.apply("default", application("other", "team/other", automated))
		b.forget(shop)
		b.drain()
		if b.colour("a") != "" || b.colour("b") != "green" || b.entries("application.removed") != 1 {
			t.Errorf("a is %q, b is %q", b.colour("a"), b.colour("b"))
		}
		b.forget(named("other"))
		b.drain()
		b.apply("default", application("shop", "team/shop", automated))
		b.forget(shop)
		b.drain()
		if _, err := b.node.Get(t.Context(), cluster.Key{Kind: "Namespace", Name: "shop"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the namespace when nobody is in it: %v", err)
		}
	})
}

func TestAnApplicationThatComesBackAtOnceIsSyncedAgain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		head := b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.apply("default", application("shop", "team/shop", automated))
		b.forget(shop)
		b.apply("default", application("shop", "team/shop", automated))
		b.want(shop, "Synced", "Healthy", head, "")
		if b.colour("a") != "red" || b.states(shop) != "succeeded succeeded" {
			t.Errorf("a is %q after %s", b.colour("a"), b.states(shop))
		}
	})
}

// Objects that were left are their space's: nobody else gets them by taking the name or the namespace.
func TestWhatADeletedApplicationLeavesStaysItsSpaces(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.repository("default", "team/shop")
		b.push("team/shop", map[string]string{"deploy/a.yaml": settings("a", "red")})
		b.repository("lab", "lab/shop")
		b.commit("carol", "lab/shop", map[string]string{"deploy/b.yaml": settings("b", "green")})
		b.apply("default", application("shop", "team/shop", "syncPolicy: {automated: {}}"))
		b.forget(shop)
		take := func(when string) {
			t.Helper()
			errorWith(t, b.try("lab", application("shop", "lab/shop", automated)), fault.Conflict, "its objects are still there")
			if b.colour("a") != "red" {
				t.Errorf("%s, a is %q", when, b.colour("a"))
			}
		}
		take("before anybody looked")
		b.drain()
		take("when they are left")

		b.apply("lab", application("other", "lab/shop", automated)) // to the same namespace
		if st := b.status(named("other")); !strings.Contains(st.Message, "is used by another space") || b.colour("b") != "" {
			t.Errorf("message = %q, b is %q", st.Message, b.colour("b"))
		}

		// The space takes them up and away; then name and namespace are anybody's.
		b.apply("default", application("shop", "team/shop", automated))
		b.forget(shop)
		b.drain()
		b.apply("lab", application("shop", "lab/shop", automated))
		if b.colour("a") != "" || b.colour("b") != "green" {
			t.Errorf("a is %q, b is %q: %s", b.colour("a"), b.colour("b"), b.status(shop).Message)
		}
	})
}
