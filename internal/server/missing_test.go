package server

import (
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestAnEntityTellsWhatItNamesInVain is about relations to what is not there, and to what is not for everybody to see: who reads
// one can't tell it from the other.
func TestAnEntityTellsWhatItNamesInVain(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: stores}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-reads}, spec: {role: reader, space: stores, subjects: ["user:default/mallory"]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: hidden}, spec: {type: database, owner: crew}}
`)
		document := `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: pay}, spec: {type: service, lifecycle: production, owner: nobody, dependsOn: ["resource:hidden", "resource:nowhere", "component:pay-lib"]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: pay-lib}, spec: {type: library, lifecycle: production, owner: crew}}`
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"source": "test", "space": "stores", "documents": document}); err != nil {
			t.Fatal(err)
		}
		missing := func(who, path string) (names []string) {
			t.Helper()
			e, err := client.Get[client.Entity](t.Context(), g.as[who], path, nil)
			if err != nil {
				t.Fatal(who, err)
			}
			for _, r := range e.Relations {
				if r.Missing {
					names = append(names, r.Target)
				}
			}
			slices.Sort(names)
			return names
		}
		const pay = "/entities/component/default/pay"
		for who, want := range map[string][]string{
			"rita":    {"group:default/nobody", "resource:default/nowhere"},
			"mallory": {"group:default/nobody", "resource:default/hidden", "resource:default/nowhere"},
		} {
			if got := missing(who, pay); !slices.Equal(got, want) {
				t.Errorf("%s is told that %v are missing, want %v", who, got, want)
			}
		}
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: nowhere}, spec: {type: database, owner: crew}}`)
		if got := missing("rita", pay); !slices.Equal(got, []string{"group:default/nobody"}) {
			t.Errorf("when it has come, %v are missing", got)
		}
		all, err := client.Get[client.List[client.Entity]](t.Context(), g.as["rita"], "/entities", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all.Items {
			if slices.ContainsFunc(e.Relations, func(r client.Relation) bool { return r.Missing }) {
				t.Errorf("a list tells it of %s", e.Ref)
			}
		}
	})
}
