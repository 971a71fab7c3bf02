package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

var pageAll = page.Request{Limit: 100}

// paged knows repositories by their pages at a forge.
type paged struct {
	catalog.Repositories
	pages map[string]string
}

func (p paged) ByPage(_ context.Context, page string) ([]string, bool, error) {
	if name := p.pages[page]; name != "" {
		return []string{name}, false, nil
	}
	return nil, false, nil
}

func locationTo(name string, targets ...string) string {
	return "---\n{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: " + name + "}, spec: {type: url, targets: ['" + strings.Join(targets, "', '") + "']}}\n"
}

// A file may name files at a forge whose repositories are connected, and that its space may read.
func TestALocationNamesFilesAtForges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, olga := accesstest.As("alice"), accesstest.As("olga")
		pages := map[string]string{}
		b.Read(paged{b.repositories.Platform(), pages})
		for _, name := range []string{"team/index", "team/hub", "team/lab", "team/tea", "team/own"} {
			b.repository(alice, "default", name)
		}
		b.repository(olga, "ops", "ops/secret")
		b.push(olga, "ops/secret", map[string]string{"x.yaml": component("secret", "")})
		b.push(alice, "team/hub", map[string]string{"services/a/x.yaml": component("a", ""), "services/b/x.yaml": component("b", "")})
		b.push(alice, "team/lab", map[string]string{"deep/x.yaml": component("c", "")})
		b.push(alice, "team/tea", map[string]string{"x.yaml": component("d", "")})
		b.push(alice, "team/own", map[string]string{"x.yaml": component("e", "")})
		b.push(alice, "team/index", map[string]string{
			"catalog-info.yaml": locationTo("all", "https://github.com/acme/hub/blob/main/services/*/x.yaml", "https://gitlab.example.com/acme/sub/lab/-/blob/main/deep/x.yaml",
				"https://gitea.example.com/acme/tea/src/branch/main/x.yaml", "https://github.com/acme/unknown/blob/main/x.yaml", "http://127.0.0.1:8080/x/y/blob/main/x.yaml", "https://git.internal/x.yaml",
				"https://git.internal/acme/own/blob/main/x.yaml") + // a forge in the company's own network

				"---\n{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: old}, spec: {type: github-org, target: 'https://github.com/acme'}}\n" +
				"---\n{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: may}, spec: {presence: optional, targets: ['./none.yaml', '/git/team/tea/none.yaml']}}\n",
		})
		pages["https://github.com/acme/hub"], pages["https://gitlab.example.com/acme/sub/lab"], pages["https://gitea.example.com/acme/tea"] = "team/hub", "team/lab", "team/tea"
		pages["https://git.internal/acme/own"] = "team/own"
		l := b.location(alice, "default", "team/index", "")
		b.work()
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			b.get(name)
		}
		for _, want := range []string{
			"spec.targets.3: \"https://github.com/acme/unknown/blob/main/x.yaml\" is in no repository that is connected and that space default may read",
			"spec.targets.4: 127.0.0.1 is a private address", "spec.targets.5: git.internal is a private address", `spec.type: locations of type "github-org" are not read`,
		} {
			if got := details(b.again(l)); !strings.Contains(got, want) {
				t.Errorf("%s is not in\n%s", want, got)
			}
		}
		if n := len(b.again(l).Details); n != 4 {
			t.Errorf("%d things are wrong:\n%s", n, details(b.again(l)))
		}
		list, err := b.Locations(alice, catalog.LocationQuery{Repository: "team/tea"}, pageAll)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Items {
			if one.Error != "" {
				t.Errorf("%s: %s", one, one.Error)
			}
		}
		// What is known later is followed then, though the file is the same.
		b.repository(alice, "default", "team/late")
		b.push(alice, "team/late", map[string]string{"x.yaml": component("late", "")})
		pages["https://github.com/acme/unknown"] = "team/late"
		if _, _, err := b.RefreshLocation(alice, l.ID); err != nil {
			t.Fatal(err)
		}
		b.work()
		b.get("late")
		// A file lends nobody's rights.
		pages["https://github.com/acme/secret"] = "ops/secret"
		b.repository(alice, "lab", "lab/index")
		b.push(alice, "lab/index", map[string]string{"catalog-info.yaml": locationTo("steal", "https://github.com/acme/secret/blob/main/x.yaml")})
		thief := b.location(alice, "lab", "lab/index", "")
		b.work()
		if got := details(b.again(thief)); !strings.Contains(got, "in no repository that is connected and that space lab may read") {
			t.Error(got)
		}
		b.gone(system(), "secret")
	})
}

// Locations that name one another across repositories end at a depth, and rings end at once.
func TestChainsOfLocationsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice := accesstest.As("alice")
		const long = 14
		for i := range long {
			name := fmt.Sprintf("team/r%d", i)
			b.repository(alice, "default", name)
			b.push(alice, name, map[string]string{"catalog-info.yaml": component(fmt.Sprintf("c%d", i), "") + locationTo(fmt.Sprintf("l%d", i), fmt.Sprintf("/git/team/r%d", (i+1)%long))})
		}
		b.location(alice, "default", "team/r0", "")
		b.work()
		b.get("c10")
		b.gone(alice, "c11")
		list, err := b.Locations(alice, catalog.LocationQuery{Repository: "team/r10"}, pageAll)
		if err != nil || len(list.Items) != 1 || !strings.Contains(details(list.Items[0]), "more than 10 locations away from one that somebody registered") {
			t.Errorf("%+v, %v", list, err)
		}
		// A ring of two.
		b.repository(alice, "default", "ring/a")
		b.repository(alice, "default", "ring/b")
		b.push(alice, "ring/a", map[string]string{"catalog-info.yaml": component("ra", "") + locationTo("to-b", "/git/ring/b")})
		b.push(alice, "ring/b", map[string]string{"catalog-info.yaml": component("rb", "") + locationTo("to-a", "/git/ring/a")})
		l := b.location(alice, "default", "ring/a", "")
		b.work()
		b.get("rb")
		if now := b.again(l); now.Error != "" {
			t.Error(now.Error)
		}
	})
}
