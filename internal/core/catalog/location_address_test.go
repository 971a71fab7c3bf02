package catalog_test

import (
	"context"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// connected says which repositories have their page where.
type connected struct {
	catalog.Repositories
	pages  map[string][]string
	forge  string
	former bool // they have their pages elsewhere by now
}

func (r connected) ByPage(_ context.Context, page string) ([]string, bool, error) {
	return r.pages[strings.ToLower(page)], r.former, nil
}

func (r connected) Home(context.Context, string) (catalog.Home, error) {
	return catalog.Home{Forge: r.forge, URL: "https://forge.test/acme/shop", Branch: "main"}, nil
}

// What people copy from where they look at a file names it.
func TestAddressesOfFilesAreTargets(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol := accesstest.As("alice"), accesstest.As("carol")
		b.repository(alice, "default", "team/shop")
		b.push(alice, "team/shop", map[string]string{"catalog-info.yaml": component("shop", "")})
		if _, err := b.repositories.CreateBranch(alice, "team/shop", repository.NewRef{Name: "feature/x", At: "main"}); err != nil {
			t.Fatal(err)
		}
		pages := map[string][]string{"https://forge.test/acme/shop": {"none/shop", "team/shop"}, "https://forge.test/acme/blob": {"team/shop"}, "https://forge.test/group/sub/shop": {"team/shop"}}
		b.Read(connected{b.repositories.Platform(), pages, "github", false})
		for text, want := range map[string]catalog.Target{
			"https://roadbed.test/git/team/shop/a/b.yaml":                          {Repository: "team/shop", Path: "a/b.yaml"},
			"https://roadbed.test/repositories/team/shop?path=a%2Fb.yaml&ref=next": {Repository: "team/shop", Path: "a/b.yaml", Branch: "next"},
			"url:https://forge.test/acme/shop/blob/main/a/b.yaml":                  {Repository: "team/shop", Path: "a/b.yaml"},
			"https://forge.test/Acme/Shop/blob/main/a/b.yaml#L3":                   {Repository: "team/shop", Path: "a/b.yaml"},
			"https://forge.test/acme/shop/raw/feature/x/a/b.yaml":                  {Repository: "team/shop", Path: "a/b.yaml", Branch: "feature/x"},
			"https://forge.test/acme/shop/blob/none/a/b.yaml":                      {Repository: "team/shop", Path: "a/b.yaml", Branch: "none"},
			"https://forge.test/acme/shop/edit/main/b%20c.yaml":                    {Repository: "team/shop", Path: "b c.yaml"},
			"https://forge.test/acme/blob/blob/main/b.yaml":                        {Repository: "team/shop", Path: "b.yaml"},
			"https://forge.test/group/sub/shop/-/blob/main/b.yaml":                 {Repository: "team/shop", Path: "b.yaml"},
			"https://forge.test/acme/shop/src/branch/main/b.yaml":                  {Repository: "team/shop", Path: "b.yaml"},
			"https://forge.test/acme/shop/tree/main":                               {Repository: "team/shop", Path: "catalog-info.yaml"},
			"https://forge.test/acme/shop":                                         {Repository: "team/shop", Path: "catalog-info.yaml"},
			"https://forge.test/acme/shop.git":                                     {Repository: "team/shop", Path: "catalog-info.yaml"},
			"https://forge.test/acme/shop/tree/main/services/api":                  {Repository: "team/shop", Path: "services/api/catalog-info.yaml"},
			"https://forge.test/acme/shop/src/branch/main/services":                {Repository: "team/shop", Path: "services/catalog-info.yaml"},
			"https://forge.test/acme/shop/tree/feature/x/a.yaml":                   {Repository: "team/shop", Path: "a.yaml", Branch: "feature/x"},
			"https://forge.test/acme/shop/blob/main/Catalog":                       {Repository: "team/shop", Path: "Catalog"},
			"https://roadbed.test/repositories/team/shop?path=services":            {Repository: "team/shop", Path: "services/catalog-info.yaml"},
			"https://roadbed.test/git/team/shop/services":                          {Repository: "team/shop", Path: "services"},
		} {
			got, err := b.TargetAt(alice, text)
			if err != nil || got != want {
				t.Errorf("%s: %+v, %v", text, got, err)
			}
		}
		_, err := b.TargetAt(carol, "https://forge.test/acme/shop/blob/main/a.yaml") // in no repository of hers
		refused(t, err, fault.Invalid, "connect it first")
		_, err = b.TargetAt(alice, "https://forge.test/acme/other/blob/main/a.yaml")
		refused(t, err, fault.Invalid, "connect it first")
		_, err = b.TargetAt(carol, "https://forge.test/acme/shop")
		refused(t, err, fault.Invalid, "connect it first")
		_, err = b.TargetAt(alice, "https://roadbed.test/acme/shop")
		refused(t, err, fault.Invalid, "/git/NAMESPACE/NAME/PATH")
		for _, text := range []string{"https://forge.test/acme/none", "ftp://forge.test/acme/shop/blob/main/a", "https:///acme/shop/blob/main/a", "x", ""} {
			_, err = b.TargetAt(alice, text)
			refused(t, err, fault.Invalid)
		}
	})
}

// Whoever registers the page that a repository had before it was renamed means the one that is there now, if there is one.
func TestAFormerPageIsConnectedAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, rita := accesstest.As("alice"), accesstest.As("rita")
		for _, name := range []string{"team/store", "team/shop"} {
			b.repository(alice, "default", name)
		}
		const page = "https://forge.test/acme/shop"
		pages := map[string][]string{page: {"team/store"}}
		known := connected{b.repositories.Platform(), pages, "github", true}
		b.Read(known)
		var asked []string
		answer := error(nil)
		is := false
		b.Connects(func(_ context.Context, space, address string) (bool, error) {
			asked = append(asked, space+" "+address)
			if is {
				b.Read(connected{b.repositories.Platform(), map[string][]string{page: {"team/shop"}}, "github", false})
			}
			return is, answer
		})
		add := func(ctx context.Context, want string) {
			t.Helper()
			for _, text := range []string{page, page + "/blob/main/catalog-info.yaml"} {
				got, err := b.TargetToAdd(ctx, "default", text)
				if err != nil || got.Repository != want {
					t.Errorf("%s: %+v, %v; want %s", text, got, err, want)
				}
			}
		}
		b.apply(system(), "default", "readers", "{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: readers}, spec: {role: reader, subjects: ['user:default/rita']}}")
		add(rita, "team/store")
		if len(asked) > 0 {
			t.Errorf("rita, who may not, has %v connected", asked)
		}
		add(alice, "team/store")
		answer = fault.Errorf(fault.Conflict, "it is connected already")
		add(alice, "team/store")
		for _, one := range asked {
			if one != "default "+page {
				t.Errorf("what was connected is %s", one)
			}
		}
		answer = fault.Errorf(fault.Unavailable, "the forge is away")
		_, err := b.TargetToAdd(alice, "default", page)
		refused(t, err, fault.Unavailable)
		if got, err := b.TargetAt(alice, page); err != nil || got.Repository != "team/store" {
			t.Errorf("what it leads to without is %+v, %v", got, err)
		}
		asked, answer, is = nil, nil, true
		add(alice, "team/shop")
		if len(asked) != 1 {
			t.Errorf("connected was %v", asked)
		}
	})
}
