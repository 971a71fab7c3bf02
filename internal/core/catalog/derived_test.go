package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/catalog/index"
)

// Entities are found by the annotations that tell where they are from, though no document has them.
func TestEntitiesAreFoundByWhereTheyAreFrom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.apply(alice, "lab", "mine", component("applied", ""))
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{
			"all.yaml":   "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {targets: [./a.yaml, 'https://roadbed.test/git/team/shop/child.yaml']}}",
			"a.yaml":     strings.ReplaceAll(component("a", ""), "tags: [go]", "annotations: {backstage.io/managed-by-location: 'url:https://else.test/x'}"),
			"child.yaml": component("child", ""), "own.yaml": component("own", ""),
			"x/y/deep.yaml": component("deep", ""),
			"z/said.yaml":   strings.ReplaceAll(component("said", ""), "tags: [go]", "annotations: {backstage.io/source-location: 'url:https://else.test/src/'}"),
		})
		b.location(alice, "default", "team/shop", "all.yaml")
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.location(alice, "default", "team/shop", "own.yaml")
		const (
			by     = "metadata.annotations." + catalog.AnnotationLocation
			origin = "Metadata.Annotations." + catalog.AnnotationOrigin
			at     = "url:https://roadbed.test/git/team/shop/"
		)
		look := func(name string, f index.Filter, want string) {
			t.Helper()
			found, err := b.Find(alice, index.Query{Filter: f})
			var names []string
			for _, e := range found.Items {
				if e.Ref.Kind != "group" && e.Ref.Kind != "space" && e.Ref.Kind != "rolebinding" {
					names = append(names, e.Ref.Name)
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", name, got, err, want)
			}
			if f == nil {
				return
			}
			counts, err := b.Counts(alice, index.FacetQuery{Keys: []string{"kind"}, Filter: f})
			total := 0
			for _, c := range counts["kind"] {
				total += c.Count
			}
			if err != nil || total != len(found.Items) {
				t.Errorf("%s: %d counted, %d found, %v", name, total, len(found.Items), err)
			}
		}
		has := func(key string, values ...string) index.Filter { return index.Has{Key: key, Values: values} }
		begins := func(key, prefix string) index.Filter { return index.HasPrefix{Key: key, Prefix: prefix} }
		look("its file", has(by, at+"a.yaml"), "a")
		look("the file of a child", has(by, at+"child.yaml"), "child")
		look("two files", has(by, at+"a.yaml", at+"own.yaml"), "a own")
		look("what its own text says", has(by, "url:https://else.test/x"), "")
		look("its origin", has(origin, at+"all.yaml"), "a all child")
		look("an origin that is none", has(origin, at+"child.yaml"), "")
		look("not from there", index.All{has("kind", "component"), index.Not{Filter: has(origin, at+"all.yaml")}}, "applied own")
		look("any of two", index.Any{has(origin, at+"own.yaml"), has(by, "apply:lab/mine")}, "applied own")
		look("applied", has(origin, "apply:lab/mine"), "applied")
		look("has one", index.All{has("kind", "component"), index.Exists{Key: by}}, "a applied child own")
		look("a folder", begins(by, at), "a all child own")
		view := "metadata.annotations." + catalog.AnnotationView
		look("where it is looked at", has(view, b.get("own").File.View("https://roadbed.test")), "own")
		look("where it is edited", has("metadata.annotations."+catalog.AnnotationEdit, b.get("a").File.Edit("https://roadbed.test")), "a")
		look("can be looked at", index.All{has("kind", "component"), index.Exists{Key: view}}, "a child own")
		look("a part of a name", begins(by, strings.ToUpper(at+"a")), "a all")
		look("a server", begins(origin, "url:https://roadbed.test/"), "a all child own")
		look("the beginning of an origin", begins(origin, at+"al"), "a all child")
		look("applied in a space", begins(by, "apply:lab"), "applied")
		look("applied by a source", begins(by, "apply:lab/mi"), "applied")
		look("elsewhere", begins(by, "url:https://else"), "")

		for _, path := range []string{"x/y/deep.yaml", "z/said.yaml"} {
			b.location(alice, "default", "team/shop", path)
		}
		source := "metadata.annotations." + catalog.AnnotationSource
		look("its folder", has(source, at), "a all child own")
		look("what is no folder", has(source, strings.TrimSuffix(at, "/"), at+"a.yaml", at+"a.yaml/"), "")
		look("any folder of the repository", begins(source, "url:https://roadbed.test/git/team/s"), "a all child deep own")
		look("a folder that is deeper", has(source, at+"x/y/"), "deep")
		look("the folder around it has no file", has(source, at+"x/"), "")
		look("folders below one", begins(source, at+"x/"), "deep")
		look("a part of a folder's name", begins(source, at+"x/y"), "deep")
		look("a part of a file's name", begins(source, at+"x/y/d"), "")
		look("what its author says", has(source, "url:https://else.test/src/"), "said")
		look("the beginning of what its author says", begins(source, "url:https://else.test"), "said")
		look("what its author says otherwise", has(source, at+"z/"), "")
		look("two folders", has(source, at+"x/y/", "url:https://else.test/src/"), "deep said")
		look("no source", index.All{has("kind", "component"), index.Not{Filter: index.Exists{Key: source}}}, "applied")

		b.Read(connected{b.repositories.Platform(), map[string][]string{"https://forge.test/acme/shop": {"team/shop"}}, "github", false})
		for _, path := range []string{"all.yaml", "own.yaml"} {
			b.location(alice, "default", "team/shop", path)
		}
		const forge = "url:https://forge.test/acme/shop/blob/main/"
		look("its file at the forge", has(by, forge+"a.yaml"), "a")
		look("its origin at the forge", has(origin, forge+"own.yaml"), "own")
		look("a folder at the forge", begins(by, forge+"o"), "own")
		look("its folder at the forge", has(source, "url:https://forge.test/acme/shop/tree/main/"), "a all child own")
		look("a deeper folder at the forge", has(source, "url:https://forge.test/acme/shop/tree/main/x/y/"), "deep")
		look("folders at the forge", begins(source, "url:https://forge.test/acme/"), "a all own")
		look("a page at the forge", begins(origin, "url:https://forge.test/acme"), "a all child own")
	})
}
