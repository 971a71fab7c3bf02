package server

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
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

// TestARepositoryIsOfferedAnEntity is about a repository without a catalog file: one is suggested, committed and registered, and
// the entity then knows where its code is.
func TestARepositoryIsOfferedAnEntity(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "default/shop", map[string]string{"main.go": "package main\n"})
		target := "/git/default/shop"
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]any{"target": target, "dryRun": true}); !fault.Is(err, fault.NotFound) {
			t.Fatalf("a file that is not there is read: %v", err)
		}
		suggest := func(who string) (client.Suggestion, error) {
			return client.Get[client.Suggestion](t.Context(), g.as[who], "/locations/suggestion", url.Values{"target": {target}})
		}
		s, err := suggest("alice")
		if err != nil || s.Repository != "default/shop" || s.Path != "catalog-info.yaml" || len(s.Existing) != 0 {
			t.Fatalf("%+v, %v", s, err)
		}
		if _, err := suggest("mallory"); !fault.Is(err, fault.NotFound) {
			t.Errorf("who may not read the repository is told of it: %v", err)
		}
		g.push("alice", "default/shop", map[string]string{s.Path: s.Document})
		l, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"target": target})
		if err != nil || !slices.Equal(l.Entities, []string{"component:default/shop"}) {
			t.Fatalf("%+v, %v", l, err)
		}
		e, err := client.Get[client.Entity](t.Context(), g.as["rita"], "/entities/component/default/shop", nil)
		if err != nil || e.Repository != "default/shop" {
			t.Errorf("its code is in %q, %v", e.Repository, err)
		}
		if s, err = suggest("alice"); err != nil || !slices.Equal(s.Existing, []string{"catalog-info.yaml"}) {
			t.Errorf("it is not told that it has one: %+v, %v", s, err)
		}
	})
}

// TestWhatTheGroupsBelowOwn is listed and counted with what a group owns.
func TestWhatTheGroupsBelowOwn(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: engineering}, spec: {type: department, children: [attic]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: attic}, spec: {type: team, children: [storage]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: storage}, spec: {type: team, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: disks}, spec: {type: service, lifecycle: production, owner: storage}}
---
{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: rack}, spec: {type: rack, owner: engineering}}
`)
		ask := func(more ...string) (refs, kinds []string) {
			t.Helper()
			query := url.Values{"owner": {"engineering"}, "facet": {"kind"}}
			for _, name := range more {
				query.Set(name, "true")
			}
			counts, err := client.Get[client.List[client.Facet]](t.Context(), g.as["rita"], "/facets", query)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range counts.Items {
				kinds = append(kinds, fmt.Sprint(f.Value, f.Count))
			}
			query.Del("facet")
			all, err := client.Get[client.List[client.Entity]](t.Context(), g.as["rita"], "/entities", query)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all.Items {
				refs = append(refs, e.Ref)
			}
			return refs, kinds
		}
		if refs, kinds := ask(); !slices.Equal(refs, []string{"resource:default/rack"}) || !slices.Equal(kinds, []string{"resource1"}) {
			t.Errorf("alone it owns %v, %v", refs, kinds)
		}
		if refs, kinds := ask("below"); !slices.Equal(refs, []string{"component:default/disks", "resource:default/rack"}) || !slices.Equal(kinds, []string{"component1", "resource1"}) {
			t.Errorf("with those below it owns %v, %v", refs, kinds)
		}
	})
}
