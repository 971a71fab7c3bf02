package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// An entity's code is where it says, as far as the reader may look, or where its file is.
func TestTheCodeOfAnEntityIsFound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol := accesstest.As("alice"), accesstest.As("carol") // who reads in lab alone
		b.repository(alice, "default", "team/shop")
		b.repository(alice, "lab", "team/api")
		b.repository(alice, "default", "team/secret")
		pages := map[string][]string{
			"https://github.com/acme/api": {"team/secret", "team/api"}, "https://forge.test/acme/own": {"team/api"}, "https://github.com/acme/secret": {"team/secret"},
			"https://gitlab.com/group/sub/api": {"team/api"},
		}
		b.Read(connected{b.repositories.Platform(), pages, "github", false})
		files := map[string]string{}
		annotated := map[string]string{
			"plain": "example.org/x: y", "slug": "github.com/project-slug: acme/api", "own": "github.com/project-slug: acme/own", "lab": "gitlab.com/project-slug: group/sub/api",
			"gone": "github.com/project-slug: acme/gone", "secret": "github.com/project-slug: acme/secret", "odd": "'github.com/project-slug': '../../x'",
			"source": "backstage.io/source-location: 'url:https://github.com/acme/api/tree/main/src/'", "page": "backstage.io/source-location: 'url:https://github.com/acme/api'",
			"here": "backstage.io/source-location: 'url:https://roadbed.test/git/team/api/src/'", "hidden": "backstage.io/source-location: 'url:https://roadbed.test/git/team/secret/'",
		}
		for name, annotation := range annotated {
			files[name+".yaml"] = strings.ReplaceAll(component(name, ""), "tags: [go]", "annotations: {"+annotation+"}")
		}
		b.push(alice, "team/shop", files)
		b.location(alice, "default", "team/shop", "*.yaml")
		b.apply(alice, "default", "mine", component("applied", ""))
		want := map[string]string{"slug": "team/api", "own": "team/api", "lab": "team/api", "source": "team/api", "page": "team/api", "here": "team/api", "applied": ""}
		for name := range annotated {
			if _, set := want[name]; !set {
				want[name] = "team/shop"
			}
		}
		for name, repository := range want {
			if got, err := b.CodeOf(carol, b.get("component:"+name)); err != nil || got != repository {
				t.Errorf("the code of %s is in %q, %v; want %q", name, got, err, repository)
			}
		}
		if got, err := b.CodeOf(alice, b.get("component:secret")); err != nil || got != "team/secret" {
			t.Errorf("to who may read it, it is in %q, %v", got, err)
		}
	})
}

// What is suggested for a repository can be taken as it is.
func TestAnEntityIsSuggested(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, carol := member("alice", "group:default/team"), accesstest.As("carol")
		b.repository(accesstest.As("alice"), "default", "team/shop")
		b.push(accesstest.As("alice"), "team/shop", map[string]string{"svc/pay/main.go": "package main\n"})
		suggests := func(address, path, name string, existing ...string) string {
			t.Helper()
			s, err := b.Suggest(alice, address)
			if err != nil || s.Repository != "team/shop" || s.Path != path || !slices.Equal(s.Existing, existing) || !strings.Contains(s.Document, "\n  name: "+name+"\n") || !strings.Contains(s.Document, "\n  owner: group:default/team\n") {
				t.Errorf("%s suggests %+v, %v", address, s, err)
			}
			return s.Document
		}
		suggests("https://roadbed.test/git/team/shop", "catalog-info.yaml", "shop")
		suggests("/git/team/shop", "catalog-info.yaml", "shop")
		suggests("/git/team/shop/*.yaml", "catalog-info.yaml", "shop")
		suggests("/git/team/shop/svc/pay", "svc/pay/catalog-info.yaml", "pay")
		suggests("/git/team/shop/svc/2024/catalog-info.yaml", "svc/2024/catalog-info.yaml", `"2024"`)
		suggests("/git/team/shop/svc/true", "svc/true/catalog-info.yaml", `"true"`)
		suggests("/git/team/shop/svc/null", "svc/null/catalog-info.yaml", `"null"`)
		document := suggests("url:https://roadbed.test/git/team/shop/svc/pay/catalog-info.yaml", "svc/pay/catalog-info.yaml", "pay")
		b.push(accesstest.As("alice"), "team/shop", map[string]string{"svc/pay/catalog-info.yaml": document})
		b.location(accesstest.As("alice"), "default", "team/shop", "svc/pay/catalog-info.yaml")
		if owner := b.get("component:pay").Owner.String(); owner != "group:default/team" {
			t.Errorf("what was suggested is owned by %s", owner)
		}
		suggests("/git/team/shop", "catalog-info.yaml", "shop", "svc/pay/catalog-info.yaml")
		for _, address := range []string{"https://roadbed.test/git/team/shop", "https://roadbed.test/git/team/none"} {
			if s, err := b.Suggest(carol, address); !fault.Is(err, fault.NotFound) || s.Document != "" {
				t.Errorf("%s suggests %+v, %v", address, s, err)
			}
		}
		if _, err := b.Suggest(alice, "https://elsewhere.test/x"); !fault.Is(err, fault.Invalid) {
			t.Error("an address of nothing that is known", err)
		}
		b.Read(connected{b.repositories.Platform(), map[string][]string{"https://forge.test/acme/shop": {"team/shop"}}, "github", false})
		if s, err := b.Suggest(alice, "https://forge.test/acme/shop"); err != nil || !strings.Contains(s.Document, "github.com/project-slug: acme/shop\n") {
			t.Errorf("at a forge it is %+v, %v", s, err)
		}
	})
}
