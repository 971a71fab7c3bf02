package catalog_test

import (
	"context"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// atForge says that repositories lie at a forge.
type atForge struct {
	catalog.Repositories
	home *catalog.Home
}

func (r atForge) Home(context.Context, string) (catalog.Home, error) { return *r.home, nil }

// An entity says where it came from as Backstage's clients look for it, whatever its own text says of that.
func TestAnEntitySaysWhereItCameFrom(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		const base = "https://roadbed.test/"
		look := func(name string) map[string]string {
			return catalog.Annotated(b.get(name), base).Metadata.Annotations
		}
		want := func(name string, pairs ...string) {
			t.Helper()
			got := look(name)
			for i := 0; i < len(pairs); i += 2 {
				if got[pairs[i]] != pairs[i+1] {
					t.Errorf("%s: %s is %q, want %q", name, pairs[i], got[pairs[i]], pairs[i+1])
				}
			}
		}
		b.apply(alice, "default", "", component("applied", ""))
		want("applied", catalog.AnnotationLocation, "apply:default/apply", catalog.AnnotationOrigin, "apply:default/apply", catalog.AnnotationView, "")

		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: all}, spec: {targets: ['./a b/info.yaml', 'https://roadbed.test/git/team/shop/other.yaml?ref=main']}}",
			"a b/info.yaml": `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: a, annotations: {backstage.io/managed-by-location: 'url:https://else.test/x', backstage.io/view-url: 'https://mine.test', mine: kept}},
spec: {type: service, lifecycle: production, owner: team}}`,
			"other.yaml": component("other", ""),
		})
		l := b.location(alice, "default", "team/shop", "")
		if l.Error != "" {
			t.Fatal(l.Error, details(l))
		}
		if _, err := b.queue.Work(t.Context()); err != nil {
			t.Fatal(err)
		}
		want("a", catalog.AnnotationLocation, "url:https://roadbed.test/git/team/shop/a%20b/info.yaml", catalog.AnnotationOrigin, "url:https://roadbed.test/git/team/shop/catalog-info.yaml",
			catalog.AnnotationSource, "url:https://roadbed.test/git/team/shop/a%20b/", catalog.AnnotationView, "https://mine.test",
			catalog.AnnotationEdit, "https://roadbed.test/repositories/team/shop?look=edit&path=a+b%2Finfo.yaml", "mine", "kept")
		// What the addresses name is what the catalog reads.
		target, err := b.ParseTarget(look("a")[catalog.AnnotationLocation])
		if err != nil || target.Path != "a b/info.yaml" {
			t.Errorf("%+v, %v", target, err)
		}
		want("other", catalog.AnnotationLocation, "url:https://roadbed.test/git/team/shop/other.yaml?ref=main", catalog.AnnotationOrigin, "url:https://roadbed.test/git/team/shop/catalog-info.yaml",
			catalog.AnnotationView, "https://roadbed.test/repositories/team/shop?path=other.yaml&ref=main", catalog.AnnotationSource, "url:https://roadbed.test/git/team/shop/?ref=main")

		home := catalog.Home{Forge: "github", URL: "https://github.com/acme/shop", Branch: "main"}
		b.Read(atForge{b.repositories.Platform(), &home})
		for _, forge := range []struct {
			home                     catalog.Home
			file, folder, edit, root string
		}{
			{home, "/blob/main/a%20b/info.yaml", "/tree/main/a%20b/", "/edit/main/a%20b/info.yaml", "/tree/main/"},
			{catalog.Home{Forge: "gitlab", URL: "https://gitlab.test/acme/sub/shop", Branch: "feature/x"}, "/-/blob/feature/x/a%20b/info.yaml", "/-/tree/feature/x/a%20b/",
				"/-/edit/feature/x/a%20b/info.yaml", "/-/tree/main/"},
			{catalog.Home{Forge: "gitea", URL: "https://gitea.test/acme/shop", Branch: "main"}, "/src/branch/main/a%20b/info.yaml", "/src/branch/main/a%20b/",
				"/_edit/main/a%20b/info.yaml", "/src/branch/main/"},
		} {
			home = forge.home
			if _, _, err := b.RefreshLocation(alice, l.ID); err != nil {
				t.Fatal(err)
			}
			list, err := b.Locations(alice, catalog.LocationQuery{}, page.Request{})
			if err != nil || len(list.Items) != 2 {
				t.Fatalf("%+v, %v", list, err)
			}
			for _, one := range list.Items {
				if _, _, err := b.RefreshLocation(alice, one.ID); err != nil {
					t.Fatal(err)
				}
			}
			want("a", catalog.AnnotationLocation, "url:"+home.URL+forge.file, catalog.AnnotationSource, "url:"+home.URL+forge.folder, catalog.AnnotationEdit, home.URL+forge.edit)
			want("other", catalog.AnnotationSource, "url:"+home.URL+forge.root) // of a branch that its address names
		}
	})
}

// Why the latest text was not taken is said in Backstage's form, and the last good entity stays.
func TestARefusedTextIsAStatusItem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "x: good")})
		b.location(alice, "default", "team/shop", "")
		if items := catalog.StatusItems(b.get("shop")); items != nil {
			t.Fatalf("%+v", items)
		}
		b.follow(func() {
			b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "x: bad, system: 1")})
		})
		e := b.get("shop")
		items := catalog.StatusItems(e)
		if len(items) != 1 || items[0].Type != "backstage.io/catalog-processing" || items[0].Level != "error" || items[0].Error.Name != "InputError" || items[0].Error.Message != e.Error || e.Error == "" {
			t.Errorf("%+v", items)
		}
		if e.Document.Spec["x"] != "good" {
			t.Errorf("the last good entity is gone: %v", e.Document.Spec)
		}
	})
}
