package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const shopDocs = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, annotations: {backstage.io/techdocs-ref: "dir:."}}, spec: {type: service, lifecycle: production, owner: crew}}
`

// docsOf reads what is said of an entity's docs.
func docsOf[T any](g *ground, who, entity, what string, query ...string) (T, error) {
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	return client.Get[T](g.t.Context(), g.as[who], "/entities/"+entity+"/docs"+what, values)
}

// listsDocs waits until the list of docs is as it should be.
func (g *ground) listsDocs(who string, want func([]client.DocsListed) bool) {
	g.t.Helper()
	var last []client.DocsListed
	ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
	defer cancel()
	err := eventually(ctx, func() (bool, error) {
		var err error
		last, err = client.All[client.DocsListed](g.t.Context(), g.as[who], "/docs", nil)
		return want(last), err
	})
	if err != nil {
		g.t.Fatalf("%v; last %+v", err, last)
	}
}

// TestDocs is the story of docs that live beside the code: declared, written, read, corrected, and not for everybody.
func TestDocs(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		head := g.push("alice", "default/shop", map[string]string{
			"catalog-info.yaml": shopDocs,
			"mkdocs.yml": "site_name: The shop\nnav:\n  - Home: index.md\n  - Guide:\n      - guide/install.md\n      - Gone: gone.md\n  - Elsewhere: https://example.org\nplugins: [techdocs-core]\n" +
				"markdown_extensions:\n  - pymdownx.emoji:\n      emoji_index: !!python/name:materialx.emoji.twemoji\n",
			"docs/index.md": "# Welcome\n\n[Install](guide/install.md#steps), [bad](nowhere.md), [bad anchor](guide/install.md#no), [code](../main.go), [self](#welcome)\n\n" +
				"![logo](img/logo.svg)\n\n!!! note\n    Mind the gap.\n\n<script>alert(1)</script>\n",
			"docs/guide/install.md": "# Installing\n\nThe walrus sits here.\n\n## Steps\n\n```go\nfunc main() {}\n```\n\n[home](../index.md)\n",
			"docs/other.md":         "# Another\n",
			"docs/img/logo.svg":     "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
			"main.go":               "package main\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		const shop = "component/default/shop"
		site, err := docsOf[client.Docs](g, "rita", shop, "")
		if err != nil || site.Title != "The shop" || site.Commit != head || site.Repository != "default/shop" || len(site.Pages) != 3 || len(site.Nav) != 3 ||
			site.Nav[1].Items[0].Title != "Installing" || *site.Nav[1].Items[0].Path != "guide/install" || site.Nav[2].Address != "https://example.org" || site.Pages[2].Path != "other" {
			t.Fatalf("the site is %+v, %v", site, err)
		}
		if len(site.Problems) != 1 || site.Problems[0].File != "mkdocs.yml" || site.Problems[0].Line != 6 {
			t.Errorf("the navigation's problems are %+v", site.Problems)
		}
		p, err := docsOf[client.DocsPage](g, "rita", shop, "/page")
		if err != nil || p.Title != "Home" || p.Edit != "" || p.Next == nil || p.Next.Path != "guide/install" || p.Previous != nil || len(p.Problems) != 1 {
			t.Fatalf("the page is %+v, %v", p, err)
		}
		for _, want := range []string{
			`<a href="/docs/default/component/shop/guide/install#steps">Install</a>`, ` bad,`, `<a href="/repositories/default/shop?path=main.go">code</a>`, `<a href="#welcome">self</a>`,
			`<img src="/api/v1/entities/component/default/shop/docs/file?path=docs%2Fimg%2Flogo.svg" alt="logo"`, `Mind the gap.`,
		} {
			if !strings.Contains(p.HTML, want) {
				t.Errorf("the page lacks %s:\n%s", want, p.HTML)
			}
		}
		if strings.Contains(p.HTML, "script") {
			t.Errorf("the page has a script:\n%s", p.HTML)
		}
		if mine, err := docsOf[client.DocsPage](g, "alice", shop, "/page", "path", "guide/install"); err != nil || mine.Edit != "/repositories/default/shop?look=edit&path=docs%2Fguide%2Finstall.md" || mine.Previous == nil {
			t.Errorf("who may write is given %+v, %v", mine, err)
		}
		g.wantFile(shop)

		report, err := docsOf[client.DocsReport](g, "rita", shop, "/check")
		if err != nil || len(report.Problems) != 3 || report.Pages != 3 {
			t.Fatalf("the check says %+v, %v", report, err)
		}
		if bad := report.Problems[1]; bad.File != "docs/index.md" || bad.Line != 3 || bad.Target != "nowhere.md" || bad.Message != "there is no page docs/nowhere.md" {
			t.Errorf("the bad link is %+v", bad)
		}
		found, err := docsOf[client.List[client.DocsFound]](g, "rita", shop, "/search", "text", "walrus sits")
		if err != nil || len(found.Items) != 1 || found.Items[0].Path != "guide/install" || found.Items[0].Anchor != "installing" || !strings.Contains(found.Items[0].Excerpt, "The walrus") {
			t.Errorf("the search finds %+v, %v", found, err)
		}

		g.listsDocs("rita", func(all []client.DocsListed) bool {
			return len(all) == 1 && all[0].Entity == "component:default/shop" && all[0].Pages == 3 && all[0].Broken == 3 && all[0].Commit == head
		})
		fixed := g.push("alice", "default/shop", map[string]string{
			"docs/index.md": "# Welcome\n", "mkdocs.yml": "site_name: The shop\n",
			"catalog-info.yaml": shopDocs + "---\n{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: shop, annotations: {backstage.io/techdocs-entity: \"component:default/shop\", backstage.io/techdocs-entity-path: /guide/install/}}, spec: {type: openapi, lifecycle: production, owner: crew, definition: x}}\n",
		})
		g.listsDocs("rita", func(all []client.DocsListed) bool {
			return len(all) == 2 && all[0].Entity == "api:default/shop" && all[1].Commit == fixed && all[1].Broken == 0
		})
		if of, err := docsOf[client.Docs](g, "rita", "api/default/shop", ""); err != nil || of.Start != "guide/install" || len(of.Pages) != 3 {
			t.Errorf("the docs of another entity begin at %q, %v", of.Start, err)
		}
		if own, err := docsOf[client.Docs](g, "rita", shop, ""); err != nil || own.Start != "" {
			t.Errorf("its own docs begin at %q, %v", own.Start, err)
		}
		if old, err := docsOf[client.DocsPage](g, "rita", shop, "/page", "ref", head); err != nil || !strings.Contains(old.HTML, `<a href="/docs/default/component/shop/guide/install?ref=`+head+`#steps">`) {
			t.Errorf("the page as it was is %+v, %v", old, err)
		}

		for _, what := range []string{"", "/page", "/check", "/search?text=walrus", "/file?path=main.go"} {
			if _, err := client.Get[any](t.Context(), g.as["mallory"], "/entities/"+shop+"/docs"+what, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("who may not read gets %s: %v", what, err)
			}
		}
		g.listsDocs("mallory", func(all []client.DocsListed) bool { return len(all) == 0 })
	})
}

// TestDocsElsewhere is about an entity that was applied, whose docs are in a repository that not everybody who sees the
// entity may read, and about a README that nobody named.
func TestDocsElsewhere(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(`{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: vault}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: stores}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-reads}, spec: {role: reader, space: stores, subjects: ["user:default/mallory"]}}
`)
		declare := func(annotations string) {
			t.Helper()
			_, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{"source": "test", "space": "stores", "documents": `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: pay` + annotations + `}, spec: {type: service, lifecycle: production, owner: crew}}`})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Post[client.Repository](t.Context(), g.admin, "/repositories", map[string]string{"namespace": "vault", "name": "docs", "space": "vault"}); err != nil {
			t.Fatal(err)
		}
		g.as["root"] = g.admin
		g.push("root", "vault/docs", map[string]string{"services/pay/README.md": "# Paying\n\n[a](../other.md)\n"})
		declare(`, annotations: {backstage.io/techdocs-ref: "url:/git/vault/docs/services/pay"}`)
		p, err := docsOf[client.DocsPage](g, "admin", "component/default/pay", "/page")
		if err != nil || p.Title != "Paying" || p.File != "services/pay/README.md" {
			t.Fatalf("the page is %+v, %v", p, err)
		}
		g.listsDocs("admin", func(all []client.DocsListed) bool { return len(all) == 1 && all[0].Title == "Paying" })
		g.listsDocs("mallory", func(all []client.DocsListed) bool { return len(all) == 0 })
		if _, err := client.Get[client.Entity](t.Context(), g.as["mallory"], "/entities/component/default/pay", nil); err != nil {
			t.Errorf("who may see the entity: %v", err)
		}
		if _, err := docsOf[client.DocsPage](g, "mallory", "component/default/pay", "/page"); !fault.Is(err, fault.NotFound) {
			t.Errorf("who may not read the repository: %v", err)
		}
		declare(``)
		g.listsDocs("admin", func(all []client.DocsListed) bool { return len(all) == 0 })

		g.push("alice", "default/tool", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: tool}, spec: {type: library, lifecycle: production, owner: crew}}\n",
			"README.md":         "# The tool\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/tool"}); err != nil {
			t.Fatal(err)
		}
		if site, err := docsOf[client.Docs](g, "rita", "component/default/tool", ""); err != nil || !site.Convention || site.Title != "The tool" {
			t.Errorf("the README is %+v, %v", site, err)
		}
		g.listsDocs("rita", func(all []client.DocsListed) bool { return len(all) == 1 && all[0].Entity == "component:default/tool" })

		report, err := client.Post[client.DocsReport](t.Context(), g.as["rita"], "/docs/check", client.DocsFiles{
			Pages: map[string]string{"docs/index.md": "[a](b.md) [c](../x.go)\n"}, Others: []string{"x.go"},
		})
		if err != nil || len(report.Problems) != 1 || report.Problems[0].Target != "b.md" {
			t.Errorf("files that are sent: %+v, %v", report, err)
		}
	})
}

// TestDocsOfSeveralSites is about a navigation that brings in the pages of other sites of its repository.
func TestDocsOfSeveralSites(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "default/shop", map[string]string{
			"catalog-info.yaml":      shopDocs,
			"mkdocs.yml":             "site_name: All\nnav:\n  - Home: index.md\n  - Paying: '!include ./svc/pay/mkdocs.yml'\n  - Out: '!include ../other/mkdocs.yml'\n",
			"docs/index.md":          "# Welcome\n\n[pay](pay/steps.md)\n",
			"svc/pay/mkdocs.yml":     "site_name: pay\n",
			"svc/pay/docs/index.md":  "# Pay\n",
			"svc/pay/docs/steps.md":  "# Steps\n\nThe ==walrus== drinks H~2~O. [top](../index.md)\n",
			"svc/ship/docs/index.md": "# Not named\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		site, err := docsOf[client.Docs](g, "rita", "component/default/shop", "")
		if err != nil || len(site.Pages) != 3 || len(site.Nav) != 2 || site.Nav[1].Title != "Paying" || len(site.Nav[1].Items) != 2 || len(site.Problems) != 1 || !strings.Contains(site.Problems[0].Message, "leads out") {
			t.Fatalf("the site is %+v, %v", site, err)
		}
		home, err := docsOf[client.DocsPage](g, "rita", "component/default/shop", "/page")
		if err != nil || !strings.Contains(home.HTML, `<a href="/docs/default/component/shop/pay/steps">`) {
			t.Errorf("the first page is %+v, %v", home, err)
		}
		steps, err := docsOf[client.DocsPage](g, "alice", "component/default/shop", "/page", "path", "pay/steps")
		if err != nil || !strings.Contains(steps.HTML, "The <mark>walrus</mark> drinks H<sub>2</sub>O.") || !strings.Contains(steps.HTML, `<a href="/docs/default/component/shop">`) ||
			steps.File != "svc/pay/docs/steps.md" || steps.Edit != "/repositories/default/shop?look=edit&path=svc%2Fpay%2Fdocs%2Fsteps.md" {
			t.Errorf("a page of the other site is %+v, %v", steps, err)
		}
		g.searches("rita", "walrus", finds("/docs/default/component/shop/pay/steps"), "in", "docs")
		g.push("alice", "default/shop", map[string]string{"svc/pay/docs/steps.md": "# Steps\n\nThe zebra.\n"})
		g.searches("rita", "zebra", finds("/docs/default/component/shop/pay/steps"), "in", "docs")
	})
}

// TestDocsOfManyEntities is about a repository that declares more than are looked at as a whole: of those that a push changes,
// each gets its docs, or loses them, by itself.
func TestDocsOfManyEntities(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const services = 250
		declared := func(i int, annotation string) string {
			return fmt.Sprintf("---\n{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: s%03d%s}, spec: {type: service, lifecycle: production, owner: crew}}\n", i, annotation)
		}
		const own = `, annotations: {backstage.io/techdocs-ref: "dir:."}`
		from := func(first int, change func(i int) string) string {
			var b strings.Builder
			for i := range services {
				b.WriteString(declared(first+i, change(i)))
			}
			return b.String()
		}
		all := func(change func(i int) string) string { return from(0, change) }
		g.push("alice", "default/fleet", map[string]string{
			"catalog-info.yaml": "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: fleet}, spec: {targets: [./fleet/all.yaml, ./few/one.yaml, ./depot/all.yaml]}}\n",
			"depot/all.yaml":    from(1000, func(int) string { return "" }), "depot/README.md": "# The depot\n",
			"fleet/all.yaml": all(func(i int) string { return map[bool]string{true: own}[i == 7] }), "fleet/README.md": "# The fleet\n",
			"few/one.yaml": declared(900, ""), "few/README.md": "# One of few\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/fleet"}); err != nil {
			t.Fatal(err)
		}
		lists := func(want ...string) {
			t.Helper()
			g.listsDocs("rita", func(listed []client.DocsListed) bool {
				var names []string
				for _, l := range listed {
					names = append(names, strings.TrimPrefix(l.Entity, "component:default/"))
				}
				return slices.Equal(names, want)
			})
		}
		lists("s007", "s900")
		g.push("alice", "default/fleet", map[string]string{"fleet/all.yaml": all(func(i int) string { return map[bool]string{true: own}[i == 8] })})
		lists("s008", "s900")
		g.push("alice", "default/fleet", map[string]string{"fleet/all.yaml": all(func(i int) string { return map[bool]string{true: own}[i%100 == 0] })})
		lists("s000", "s100", "s200", "s900")
		g.push("alice", "default/fleet", map[string]string{"fleet/all.yaml": declared(3, "")})
		lists("s003", "s900")
	})
}

// wantFile has an image of the docs come so that no browser runs it.
func (g *ground) wantFile(entity string) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, g.url+"/api/v1/entities/"+entity+"/docs/file?path=docs/img/logo.svg", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+g.as["rita"].Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	h := response.Header
	if response.StatusCode != http.StatusOK || h.Get("Content-Type") != "image/svg+xml" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") {
		g.t.Errorf("the image comes with %d %v", response.StatusCode, h)
	}
}
