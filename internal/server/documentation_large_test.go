package server

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestDocsOfALargeRepository has mkdocs.yml, docs/ and a README found at the root of a repository of more files than are listed.
func TestDocsOfALargeRepository(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		files := map[string]string{
			"catalog-info.yaml": shopDocs, "mkdocs.yml": "site_name: The shop\nnav:\n  - Start: index.md\n  - guide/install.md\n",
			"docs/index.md": "# Welcome\n\n[code](../src/f7.go) [gone](gone.md)\n", "docs/guide/install.md": "# Installing\n\nThe walrus sits here.\n",
		}
		for i := range 250 {
			files[fmt.Sprintf("src/f%d.go", i)] = "package src\n"
		}
		g.push("alice", "default/shop", files)
		dir := filepath.Join(g.dir, "alice", "default/shop")
		for i := range 8 { // each time twice as many
			g.do("alice", dir, "read-tree", fmt.Sprintf("--prefix=copy%d/", i), g.do("alice", dir, "write-tree"))
		}
		g.do("alice", dir, "commit", "--quiet", "--message", "very large")
		g.do("alice", dir, "push", "--quiet", "origin", "main")
		head := g.do("alice", dir, "rev-parse", "HEAD")
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		site, err := docsOf[client.Docs](g, "rita", "component/default/shop", "")
		if err != nil || site.Title != "The shop" || site.Commit != head || len(site.Pages) != 2 || len(site.Nav) != 2 || site.Nav[0].Title != "Start" ||
			len(site.Problems) != 1 || !strings.Contains(site.Problems[0].Message, "links out of docs are not looked at") {
			t.Fatalf("the site is %+v, %v", site, err)
		}
		page, err := docsOf[client.DocsPage](g, "rita", "component/default/shop", "/page")
		if err != nil || !strings.Contains(page.HTML, `<a href="/repositories/default/shop?path=src%2Ff7.go">code</a>`) || len(page.Problems) != 1 || page.Problems[0].Target != "gone.md" {
			t.Errorf("the first page is %+v, %v", page, err)
		}
		g.listsDocs("rita", func(all []client.DocsListed) bool {
			return len(all) == 1 && all[0].Pages == 2 && all[0].Broken == 2 && all[0].Commit == head
		})
		g.searches("rita", "walrus", finds("/docs/default/component/shop/guide/install"), "in", "docs")
	})
}

// TestDocsOfManyHeadings is about a site of more headings than the search takes: that is told, what comes before is found, and so is
// what is written when there are fewer.
func TestDocsOfManyHeadings(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		files := map[string]string{"catalog-info.yaml": shopDocs, "docs/index.md": "# Welcome\n\nThe walrus sits here.\n", "docs/z.md": "# Last\n\nThe zebra.\n"}
		for i := range 10 {
			files[fmt.Sprintf("docs/p%d.md", i)] = strings.Repeat("# A\n", 2000)
		}
		g.push("alice", "default/shop", files)
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "walrus", finds("/docs/default/component/shop"), "in", "docs")
		report, err := docsOf[client.DocsReport](g, "rita", "component/default/shop", "/check")
		if err != nil || len(report.Problems) != 1 || report.Problems[0].File != "docs/p9.md" || !strings.Contains(report.Problems[0].Message, "more than 20000 headings") {
			t.Fatalf("the check says %+v, %v", report, err)
		}
		g.listsDocs("rita", func(all []client.DocsListed) bool { return len(all) == 1 && all[0].Pages == 12 && all[0].Broken == 1 })
		g.searches("rita", "zebra", finds(""), "in", "docs")
		head := g.push("alice", "default/shop", map[string]string{"docs/p9.md": "# A\n"})
		g.searches("rita", "zebra", finds("/docs/default/component/shop/z"), "in", "docs")
		g.searches("rita", "walrus", finds("/docs/default/component/shop"), "in", "docs")
		g.listsDocs("rita", func(all []client.DocsListed) bool {
			return len(all) == 1 && all[0].Commit == head && all[0].Broken == 0
		})

		// What has nothing to do with the pages is no news, though it is in the site's folder.
		news := func() int {
			all, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", url.Values{"type": {"docs.changed"}})
			if err != nil {
				t.Fatal(err)
			}
			return len(all)
		}
		if err := eventually(t.Context(), func() (bool, error) { return news() == 2, nil }); err != nil {
			t.Fatalf("two readings are told %d times", news())
		}
		head = g.push("alice", "default/shop", map[string]string{"main.go": "package main\n"})
		g.listsDocs("rita", func(all []client.DocsListed) bool { return len(all) == 1 && all[0].Commit == head })
		g.push("alice", "default/shop", map[string]string{"docs/p9.md": "# B\n\nThe gnu.\n"})
		g.searches("rita", "gnu", finds("/docs/default/component/shop/p9"), "in", "docs")
		if n := news(); n != 3 {
			t.Errorf("three readings that differ are told %d times", n)
		}
	})
}
