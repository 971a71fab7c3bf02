package catalog_test

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func resource(name string) string {
	return "---\n{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: " + name + "}, spec: {type: database, owner: team}}\n"
}

// An administrator says what a location may bring, and what the locations of a space may where they say nothing.
func TestRulesSayWhatALocationMayBring(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice, olga := accesstest.As("adam"), accesstest.As("alice"), accesstest.As("olga")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "") + resource("db")})
		l := b.location(alice, "default", "team/shop", "")
		b.get("resource:db")
		refused(t, b.RuleLocation(alice, l.ID, catalog.Rules{Kinds: []string{"Component"}}, ""), fault.Denied, "space:admin")
		refused(t, b.RuleLocation(adam, l.ID, catalog.Rules{Kinds: []string{"Compnent"}}, ""), fault.Invalid, "there is no kind")
		refused(t, b.RuleLocation(adam, l.ID, catalog.Rules{Orphans: "maybe"}, ""), fault.Invalid, "orphans")
		refused(t, b.RuleLocation(adam, l.ID, catalog.Rules{}, "stale"), fault.Stale)
		if err := b.RuleLocation(adam, l.ID, catalog.Rules{Kinds: []string{"components", "location"}}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		if got := details(b.again(l)); !strings.Contains(got, "a Resource is not taken from this location, which may bring Component, Location") {
			t.Error(got)
		}
		if e := b.get("resource:db"); !strings.Contains(e.Error, "is not taken from this location") {
			t.Errorf("what was good before: %+v", e)
		}
		// Of the space, where the location says nothing.
		if err := b.RuleLocation(adam, l.ID, catalog.Rules{}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		if now := b.again(l); now.Error != "" {
			t.Error(now.Error)
		}
		refused(t, second(b.SetLocationDefaults(alice, "default", catalog.Rules{}, "")), fault.Denied, "space:admin")
		refused(t, second(b.SetLocationDefaults(olga, "default", catalog.Rules{}, "")), fault.NotFound)
		refused(t, second(b.SetLocationDefaults(adam, "nowhere", catalog.Rules{}, "")), fault.NotFound)
		if _, err := b.SetLocationDefaults(adam, "default", catalog.Rules{Kinds: []string{"Resource"}, Orphans: catalog.KeepOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SetLocationDefaults(adam, "lab", catalog.Rules{Kinds: []string{"Component"}}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		if got := details(b.again(l)); !strings.Contains(got, "a Component is not taken from this location, which may bring Resource") {
			t.Error(got)
		}
		b.repository(alice, "lab", "lab/tool")
		b.push(alice, "lab/tool", map[string]string{"catalog-info.yaml": component("tool", "") + resource("tooldb")})
		below := b.location(accesstest.As("carol"), "lab", "lab/tool", "")
		if got := details(below); !strings.Contains(got, "a Resource is not taken from this location, which may bring Component") {
			t.Error(got)
		}
		b.get("tool")
		if r, err := b.EffectiveRules(adam, below); err != nil || strings.Join(r.Kinds, " ") != "Component" || r.Orphans != catalog.KeepOrphans {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := b.LocationDefaults(adam, "lab"); err != nil || strings.Join(r.Kinds, " ") != "Component" || r.Orphans != "" {
			t.Errorf("%+v, %v", r, err)
		}
		if n := b.entries("location.ruled", l.ID); n != 2 {
			t.Errorf("%d entries tell of the rules", n)
		}
	})
}

// What no file declares any more is deleted, or stays as an orphan that anybody may take up.
func TestOrphansAreDeletedOrKept(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice := accesstest.As("adam"), accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		const group = "---\n{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: []}}\n"
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("a", "") + component("b", "") + component("c", "") + group + locationTo("more", "/git/team/far"), "other.yaml": component("d", "")})
		b.repository(alice, "default", "team/far")
		b.push(alice, "team/far", map[string]string{"catalog-info.yaml": component("far", "")})
		l := b.location(alice, "default", "team/shop", "")
		if err := b.TrustLocation(adam, l.ID, []string{"Group"}, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.SetLocationDefaults(adam, "default", catalog.Rules{Orphans: catalog.KeepOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.get("far")
		b.get("group:crew")
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("a", "")}) })
		b.work()
		for _, name := range []string{"b", "c", "far"} {
			e := b.get(name)
			if !e.Orphan || catalog.Annotated(e, "https://roadbed.test").Metadata.Annotations[catalog.AnnotationOrphan] != "true" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if e := b.get("a"); e.Orphan || catalog.Annotated(e, "https://roadbed.test").Metadata.Annotations[catalog.AnnotationOrphan] != "" {
			t.Errorf("%+v", e)
		}
		b.gone(alice, "group:crew") // who is in it is not kept
		orphan := "metadata.annotations." + catalog.AnnotationOrphan
		for want, f := range map[string]index.Filter{
			"b c far": index.Has{Key: orphan, Values: []string{"true"}}, "a": index.All{index.Has{Key: "kind", Values: []string{"component"}}, index.Not{Filter: index.Exists{Key: orphan}}},
			"": index.Has{Key: orphan, Values: []string{"false"}},
		} {
			found, err := b.Find(alice, index.Query{Filter: f})
			var names []string
			for _, e := range found.Items {
				names = append(names, e.Ref.Name)
			}
			if got := strings.Join(names, " "); err != nil || got != want {
				t.Errorf("%+v finds %q, %v; want %q", f, got, err, want)
			}
		}
		// One is declared again, one is taken up by an apply, one by another location, and one is deleted.
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("a", "") + component("b", "")})
		})
		if e := b.get("b"); e.Orphan {
			t.Errorf("declared again: %+v", e)
		}
		if got := b.apply(alice, "default", "", component("c", "")); got != "updated" {
			t.Error(got)
		}
		if e := b.get("c"); e.Orphan || e.Source != "apply" {
			t.Errorf("taken up: %+v", e)
		}
		b.repository(alice, "default", "team/new")
		b.push(alice, "team/new", map[string]string{"catalog-info.yaml": component("far", "")})
		n := b.location(alice, "default", "team/new", "")
		if e := b.get("far"); n.Error != "" || e.Orphan || e.Source != "location:"+n.ID {
			t.Errorf("taken up by a location: %s %+v", n.Error, e)
		}
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("b", "")}) })
		if err := b.Delete(alice, parseRef(t, "a"), ""); err != nil {
			t.Error(err)
		}
		// Where they are not kept any more, they go.
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("z", "")}) })
		if e := b.get("b"); !e.Orphan {
			t.Errorf("%+v", e)
		}
		if err := b.RuleLocation(adam, l.ID, catalog.Rules{Orphans: catalog.DeleteOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.gone(system(), "b")
		// Whoever removes a location wants nothing of it.
		if _, err := b.SetLocationDefaults(adam, "default", catalog.Rules{Orphans: catalog.KeepOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		if err := b.RemoveLocation(adam, l.ID, ""); err != nil {
			t.Fatal(err)
		}
		b.gone(system(), "z")
	})
}

// An orphan that another source takes up while it is being deleted stays; one that is deleted first is made anew.
func TestAnOrphanIsTakenUpOrDeleted(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam, alice := accesstest.As("adam"), accesstest.As("alice")
		const widgets = "---\n{apiVersion: test.dev/v1, kind: Widget, metadata: {name: w}, spec: {}}\n---\n{apiVersion: test.dev/v1, kind: Widget, metadata: {name: v}, spec: {}}\n"
		all := component("a", "") + component("c", "") + widgets
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": all})
		l := b.location(alice, "default", "team/shop", "")
		if err := b.RuleLocation(adam, l.ID, catalog.Rules{Orphans: catalog.KeepOrphans}, ""); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.follow(func() { b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("z", "")}) })
		first, second := []string{"a", "widget:w"}, []string{"c", "widget:v"}
		for _, name := range append(first, second...) {
			if e := b.get(name); !e.Orphan || e.Source != "location:"+l.ID {
				t.Fatalf("%s is no orphan: %+v", name, e)
			}
		}
		remove := func(names []string) {
			t.Helper()
			for _, name := range names {
				if err := b.RemoveOf(system(), "default", "location:"+l.ID, parseRef(t, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		uid := b.get("widget:v").UID
		remove(second)
		if got := b.apply(adam, "default", "", all); got != "updated created updated created" {
			t.Errorf("what was left is %s", got)
		}
		remove(first)
		for _, name := range append(first, second...) {
			if e := b.get(name); e.Orphan || e.Source != "apply" {
				t.Errorf("%s is %+v", name, e)
			}
		}
		if b.get("widget:v").UID == uid {
			t.Error("what was deleted is there as it was")
		}
	})
}

func second[T any](_ T, err error) error { return err }
