package repository_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// What was asked of commits a moment ago is told again without git, also of folders of what was listed, and as git tells it.
func TestWhatWasAskedAMomentAgo(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		commit := func(parent string, changes ...git.FileChange) string {
			t.Helper()
			hash, err := b.CommitFiles(accesstest.As("alice"), "default/shop", git.CommitRequest{Branch: "main", Parent: parent, Message: "change", Changes: changes})
			if err != nil {
				t.Fatal(err)
			}
			return hash
		}
		first := commit("", git.FileChange{Path: "a/b/c.yaml"}, git.FileChange{Path: "a/d.yaml"}, git.FileChange{Path: "ab/e.yaml"}, git.FileChange{Path: "f.yaml"})
		second := commit(first, git.FileChange{Path: "a/b/g.yaml", Content: []byte("g")}, git.FileChange{Path: "f.yaml", Content: []byte("f")})
		fresh := b.At(time.Now).Platform() // asks git
		ctx, platform := t.Context(), b.Platform()
		whole, err := platform.Match(ctx, "default/shop", second, "**")
		if err != nil || len(whole) != 5 {
			t.Fatalf("there are %v, %v", whole, err)
		}
		changed, err := platform.ChangedPaths(ctx, "default/shop", first, second)
		if err != nil || strings.Join(changed, " ") != "a/b/g.yaml f.yaml" {
			t.Fatalf("changed are %v, %v", changed, err)
		}
		patterns := []string{"**", "*", "a/**", "a/*", "a/b/*.yaml", "a/b/c.yaml", "f.yaml", "a", "none/*", "f.yaml/*"}
		want := map[string][]git.TreeEntry{}
		for _, p := range patterns {
			if want[p], err = fresh.Match(ctx, "default/shop", second, p); err != nil {
				t.Fatal(err)
			}
		}
		objects := filepath.Join(b.dir, r.ID+".git", "objects")
		if err := os.Rename(objects, objects+".away"); err != nil {
			t.Fatal(err)
		}
		for _, p := range patterns {
			if got, err := platform.Match(ctx, "default/shop", second, p); err != nil || !slices.Equal(got, want[p]) {
				t.Errorf("%s matches %v, %v; want %v", p, got, err, want[p])
			}
		}
		if again, err := platform.ChangedPaths(ctx, "default/shop", first, second); err != nil || !slices.Equal(again, changed) {
			t.Errorf("changed are %v, %v", again, err)
		}
		if other, err := platform.Match(ctx, "default/shop", first, "**"); err == nil {
			t.Errorf("a commit that was not asked for has %v", other)
		}
		if err := os.Rename(objects+".away", objects); err != nil {
			t.Fatal(err)
		}
		for i := range 9 { // more than are kept
			if _, err := platform.ChangedPaths(ctx, "default/shop", second, commit(b.head(t), git.FileChange{Path: "n", Content: []byte{byte('a' + i)}})); err != nil {
				t.Fatal(err)
			}
		}
		if again, err := platform.ChangedPaths(ctx, "default/shop", first, second); err != nil || !slices.Equal(again, changed) {
			t.Errorf("asked later, changed are %v, %v", again, err)
		}
	})
}

func (b *bench) head(t *testing.T) string {
	t.Helper()
	head, err := b.Platform().Head(t.Context(), "default/shop", "main")
	if err != nil {
		t.Fatal(err)
	}
	return head
}
