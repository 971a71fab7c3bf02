package backstage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

func (b *bench) get(who, name string) (e entity) {
	b.t.Helper()
	b.ask(who, "GET /entities/by-name/component/default/"+name).is(200).read(&e)
	return e
}

func (e entity) related() string {
	var all []string
	for _, r := range e.Relations {
		all = append(all, r.Type+" "+r.TargetRef)
	}
	return strings.Join(all, ", ")
}

// What is kept to be sent again is what the catalog has.
func TestWhatIsSentAgainIsFresh(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.apply("default", "people", people+"---\n"+team)
		b.push("team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		b.ask("alice", "POST /locations", at(b.base+"/git/team/shop/catalog-info.yaml")).is(201)
		first := b.get("rita", "shop")
		if again := b.get("rita", "shop"); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("%+v is not %+v", again, first)
		}

		const owned = "ownedBy group:default/team"
		b.apply("lab", "tools", component("tool", "dependsOn: ['component:shop']"))
		for who, want := range map[string]string{"rita": "dependencyOf component:default/tool, " + owned, "adam": "dependencyOf component:default/tool, " + owned} {
			for range 2 {
				if got := b.get(who, "shop").related(); got != want {
					t.Errorf("%s sees %s", who, got)
				}
			}
		}
		b.apply("default", "carol", "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: dave}, spec: {role: reader, space: lab, subjects: ['user:default/dave']}}")
		for range 2 {
			if got := b.get("dave", "tool").related(); got != "dependsOn component:default/shop, "+owned {
				t.Errorf("dave sees %s", got)
			}
		}
		b.apply("lab", "tools", component("tool", ""))
		if got := b.get("rita", "shop").related(); got != owned {
			t.Errorf("a relation that is gone is sent: %s", got)
		}

		failing := strings.Replace(component("shop", ""), "owner: team", "owner: [x]", 1)
		for _, c := range []struct {
			files  map[string]string
			wrong  int
			folder string
		}{
			{map[string]string{"catalog-info.yaml": failing}, 1, ""},
			{map[string]string{"catalog-info.yaml": component("shop", "")}, 0, ""},
			{map[string]string{"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {target: ./parts/shop.yaml}}", "parts/shop.yaml": component("shop", "")}, 0, "parts/"},
			{map[string]string{"parts/shop.yaml": failing}, 1, "parts/"},
		} {
			b.push("team/shop", c.files)
			b.ask("alice", "POST /refresh", map[string]any{"entityRef": "component:default/shop"}).is(200)
			for range 2 {
				e := b.get("rita", "shop")
				if got := e.Metadata.Annotations["backstage.io/source-location"]; len(e.Status.Items) != c.wrong || got != "url:"+b.base+"/git/team/shop/"+c.folder {
					t.Errorf("after %v: %+v", c.files, e)
				}
			}
		}
		if a := b.ask("rita", "GET /entities/by-query?fields=metadata.name&filter=metadata.annotations.backstage.io/managed-by-location="+"url:"+b.base+"/git/team/shop/parts/shop.yaml").is(200); !strings.Contains(a.text, `"totalItems":1`) {
			t.Errorf("it is not found by its new file: %s", a.text)
		}
	})
}

// A server learns from the ledger what another one has read.
func TestAnotherServerIsFresh(t *testing.T) {
	t.Parallel()
	eachDB(t, func(t *testing.T, db *store.DB) {
		one := serve(t, db, nil)
		two := serve(t, db, one)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		done := make(chan error, 4)
		for _, b := range []*bench{one, two} {
			go func() { done <- b.ledger.Run(ctx) }()
			go func() { done <- b.catalog.Run(ctx) }()
		}
		defer func() {
			cancel()
			for range 4 {
				<-done
			}
		}()
		until := func(what string, is func() bool) {
			t.Helper()
			for !is() {
				if ctx.Err() != nil {
					t.Fatalf("the other server does not learn of %s", what)
				}
			}
		}
		one.apply("default", "people", people+"---\n"+team)
		one.push("team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		one.ask("alice", "POST /locations", at(one.base+"/git/team/shop/catalog-info.yaml")).is(201)
		until("the entity", func() bool { return two.ask("adam", "GET /entities/by-name/component/default/shop").status == 200 })
		for _, wrong := range []int{1, 0} {
			text := component("shop", "")
			if wrong == 1 {
				text = strings.Replace(text, "owner: team", "owner: [x]", 1)
			}
			one.push("team/shop", map[string]string{"catalog-info.yaml": text})
			one.ask("alice", "POST /refresh", map[string]any{"entityRef": "component:default/shop"}).is(200)
			until("an error, or its end", func() bool { return len(two.get("adam", "shop").Status.Items) == wrong })
		}
	})
}
