package server

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestAFileWhoseNameIsNoText is named by its location's status, holds up no file beside it, and is taken once it has another name.
func TestAFileWhoseNameIsNoText(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const repository, odd = "default/odd", "bad-\xe9.yaml" // of Latin-1
		g.push("alice", repository, map[string]string{"good.yaml": declares("good")})
		l, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": repository, "path": "*.yaml"})
		if err != nil || l.Error != "" {
			t.Fatal(l.Error, err)
		}
		// at waits until the location has been read at a commit.
		at := func(commit string) (now client.Location) {
			t.Helper()
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			if err := eventually(ctx, func() (bool, error) {
				var err error
				now, err = client.Get[client.Location](ctx, g.as["alice"], "/locations/"+l.ID, nil)
				return now.Commit == commit, err
			}); err != nil {
				t.Fatalf("the location is %+v, %v", now, err)
			}
			return now
		}
		now := at(g.push("alice", repository, map[string]string{odd: declares("bad"), "other.yaml": declares("other")}))
		if now.Error == "" || !slices.ContainsFunc(now.Problems, func(p client.FileProblem) bool {
			return p.File == "bad-\uFFFD.yaml" && strings.HasPrefix(p.Hint, "rename it; until then")
		}) {
			t.Errorf("the location says %q, %+v", now.Error, now.Problems)
		}
		g.there("component/default/good")
		g.there("component/default/other")
		if _, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/component/default/bad", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("what the file declares is there: %v", err)
		}

		dir := filepath.Join(g.dir, "alice", repository)
		g.do("alice", dir, "mv", odd, "bad.yaml")
		if now = at(g.push("alice", repository, nil)); now.Error != "" || len(now.Problems) > 0 {
			t.Errorf("with another name: %q, %+v", now.Error, now.Problems)
		}
		g.there("component/default/bad")
	})
}

// TestADocsPageWhoseNameIsNoText is told by the check of the docs, and holds up no page beside it.
func TestADocsPageWhoseNameIsNoText(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.push("alice", "default/shop", map[string]string{
			"catalog-info.yaml": shopDocs, "docs/index.md": "# Welcome\n\nThe walrus sits here.\n", "docs/odd-\xe9.md": "Nothing has a title here.\n", "docs/latin.md": "# Caf\xe9\n\nOf the yak.\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/shop"}); err != nil {
			t.Fatal(err)
		}
		g.searches("rita", "walrus", finds("/docs/default/component/shop"))
		g.searches("rita", "yak", finds("/docs/default/component/shop/latin"))
		site, err := docsOf[client.Docs](g, "rita", "component/default/shop", "")
		if err != nil || len(site.Pages) != 2 || len(site.Problems) != 1 || site.Problems[0].File != "docs/odd-\uFFFD.md" || !strings.Contains(site.Problems[0].Message, "rename it") {
			t.Errorf("the docs are %+v, %v", site, err)
		}
		g.push("alice", "default/shop", map[string]string{"docs/index.md": "# Welcome\n\nThe zebu sits here.\n"})
		g.searches("rita", "zebu", finds("/docs/default/component/shop"))
	})
}
