package repository_test

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// files is a commit of one file to main.
func files(parent, path, content string) git.CommitRequest {
	return git.CommitRequest{Branch: "main", Parent: parent, Message: "change " + path, Changes: []git.FileChange{{Path: path, Content: []byte(content)}}}
}

func TestCommitFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		platform := b.Platform()
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "README.md", "hello"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := platform.Commit(t.Context(), "default/shop", files(first, "deploy/image", "2"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := platform.Commit(t.Context(), "default/shop", files(first, "deploy/image", "3")); !fault.Is(err, fault.Conflict) {
			t.Errorf("a commit on an old head: %v", err)
		}
		if same, err := platform.Commit(t.Context(), "default/shop", files(second, "deploy/image", "2")); err != nil || same != second {
			t.Errorf("a commit of nothing: %s, %v", same, err)
		}
		b.same("pushes", b.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"system refs/heads/main "+short(first)+" "+short(second)+" platform")
		for commit, want := range map[string]bool{first: false, second: true} {
			if got, err := platform.IsPlatformCommit(t.Context(), "default/shop", commit); err != nil || got != want {
				t.Errorf("%s is the platform's: %v, %v", commit, got, err)
			}
		}
		log, err := b.Log(accesstest.As("rita"), "default/shop", "", "", page.Request{})
		if err != nil || len(log.Items) != 2 || log.Items[0].Author.Name != "Roadbed" || log.Items[1].Author.Name != "alice" || log.Next != "" {
			t.Errorf("the history is %+v, %v", log, err)
		}
	})
}

// TestACommitOfThePlatformIsDoneWhenTheLedgerKnowsIt ends the database after git has the commit.
func TestACommitOfThePlatformIsDoneWhenTheLedgerKnowsIt(t *testing.T) {
	t.Parallel()
	ctx, server := t.Context(), storetest.Own(t)
	b := setup(t, storetest.Open(t, server.URL, rooms...), t.TempDir())
	b.create("default/shop")
	first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "README.md", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	waiting, _ := storetest.Hold(t, server.URL, "repository_refs", storetest.FromWriting)
	committed := make(chan error, 1)
	go func() {
		_, err := b.Platform().Commit(ctx, "default/shop", files(first, "deploy/image", "2"))
		committed <- err
	}()
	waiting()
	server.Stop(t)
	if err := <-committed; !fault.Is(err, fault.Unavailable) {
		t.Errorf("a commit that could not be recorded: %v", err)
	}
	server.Start(t)
	again := error(nil)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); { // connections may still be broken
		if _, again = b.Platform().Commit(ctx, "default/shop", files(first, "deploy/image", "2")); !fault.Is(again, fault.Unavailable) {
			break
		}
	}
	if !fault.Is(again, fault.Conflict) {
		t.Errorf("the commit again: %v", again)
	}
	head, err := b.Platform().Head(ctx, "default/shop", "main")
	if err != nil || head == first {
		t.Errorf("the head is %s, %v", head, err)
	}
	if own, err := b.Platform().IsPlatformCommit(ctx, "default/shop", head); err != nil || !own {
		t.Errorf("the head is the platform's: %v, %v", own, err)
	}
}

func TestPlatformView(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.create("default/shop")
		p := b.Platform()
		if _, err := p.Head(ctx, "default/shop", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("an empty repository has a head: %v", err)
		}
		request := files("", "catalog-info.yaml", "kind: x")
		for _, path := range []string{"a/catalog-info.yaml", "a/b/catalog-info.yaml", "a/b/other.yaml", "c.yaml"} {
			request.Changes = append(request.Changes, git.FileChange{Path: path})
		}
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", request)
		if err != nil {
			t.Fatal(err)
		}
		for _, rev := range []string{"", "main", "refs/heads/main", first} {
			if got, err := p.Head(ctx, "default/shop", rev); err != nil || got != first {
				t.Errorf("the head of %q is %s, %v", rev, got, err)
			}
		}
		if _, err := p.Head(ctx, "default/shop", "no"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		for pattern, want := range map[string]string{
			"catalog-info.yaml": "catalog-info.yaml", "./catalog-info.yaml": "catalog-info.yaml", "no.yaml": "",
			"*.yaml": "c.yaml catalog-info.yaml", "*/catalog-info.yaml": "a/catalog-info.yaml",
			"**/catalog-info.yaml": "a/b/catalog-info.yaml a/catalog-info.yaml catalog-info.yaml",
			"a/**":                 "a/b/catalog-info.yaml a/b/other.yaml a/catalog-info.yaml", "a/*/o*": "a/b/other.yaml", "no/**/x": "", "**/b/**/o*": "a/b/other.yaml", "c.yaml/**": "",
			"**/a/**/b/*": "a/b/catalog-info.yaml a/b/other.yaml", "**/**": "a/b/catalog-info.yaml a/b/other.yaml a/catalog-info.yaml c.yaml catalog-info.yaml",
		} {
			if got, err := p.Glob(ctx, "default/shop", first, pattern); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s matches %v, %v", pattern, got, err)
			}
		}
		for _, bad := range []string{"../x", "[", strings.Repeat("**/", 5) + "x"} {
			if _, err := p.Glob(ctx, "default/shop", first, bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("pattern %q: %v", bad, err)
			}
		}
		deep, err := b.CommitFiles(accesstest.As("alice"), "default/shop", git.CommitRequest{Branch: "deep", Message: "deep",
			Changes: []git.FileChange{{Path: strings.Repeat("a/", 1000) + "b"}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Glob(ctx, "default/shop", deep, "**/a/**/a/**/a/**/c"); err != nil || len(got) != 0 { // soon, that is
			t.Errorf("a deep path matches %v, %v", got, err)
		}
		second, err := p.Commit(ctx, "default/shop", files(first, "c.yaml", "new"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.ChangedPaths(ctx, "default/shop", first, second); err != nil || strings.Join(got, " ") != "c.yaml" {
			t.Error(got, err)
		}
		if got, err := p.Parents(ctx, "default/shop", second); err != nil || strings.Join(got, " ") != first {
			t.Error(got, err)
		}
		if ok, err := p.IsAncestor(ctx, "default/shop", first, second); err != nil || !ok {
			t.Error(ok, err)
		}
		if got, err := p.Files(ctx, "default/shop", second, "a/b"); err != nil || strings.Join(got, " ") != "a/b/catalog-info.yaml a/b/other.yaml" {
			t.Error(got, err)
		}
		if got, err := p.Files(ctx, "default/shop", second, "no"); err != nil || got != nil {
			t.Error(got, err)
		}
		if got, err := p.FilesIn(ctx, "default/shop", second, "a/b"); err != nil || strings.Join(got, " ") != "a/b/catalog-info.yaml a/b/other.yaml" {
			t.Error(got, err)
		}
		if got, err := p.FilesIn(ctx, "default/shop", second, "a"); err != nil || slices.Contains(got, "a/b") || slices.Contains(got, "a/b/other.yaml") {
			t.Error(got, err)
		}
		if got, err := p.FilesIn(ctx, "default/shop", second, "no"); err != nil || got != nil {
			t.Error(got, err)
		}
		if space, err := p.SpaceOf(ctx, "default/shop"); err != nil || space != "default" {
			t.Error(space, err)
		}
	})
}

// TestWhatStepsAreGivenOfACommitIsRecalled takes the folder away after the first time.
func TestWhatStepsAreGivenOfACommitIsRecalled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		r := b.create("default/shop")
		p := b.Platform()
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "infra/main.tf", "# one"))
		if err != nil {
			t.Fatal(err)
		}
		tell := func(commit string) (string, error) {
			c, err := p.CommitAt(ctx, "default/shop", commit)
			if err != nil {
				return "", err
			}
			found, err := p.ReadFiles(ctx, "default/shop", commit, []string{"infra/main.tf", "none"}, 100)
			if err != nil {
				return "", err
			}
			archive, err := p.ArchiveAt(ctx, "default/shop", commit, "infra")
			if err != nil {
				return "", err
			}
			defer archive.Close()
			files := tar.NewReader(archive)
			var all []string
			for {
				h, err := files.Next()
				if err == io.EOF {
					return fmt.Sprint(c, found, all), nil
				}
				if err != nil {
					return "", err
				}
				all = append(all, h.Name)
			}
		}
		want, err := tell(first)
		if err != nil || !strings.Contains(want, "main.tf") {
			t.Fatal(want, err)
		}
		if err := os.Rename(filepath.Join(b.dir, r.ID+".git"), filepath.Join(b.dir, "away")); err != nil {
			t.Fatal(err)
		}
		if got, err := tell(first); err != nil || got != want {
			t.Errorf("the second time it is %s, %v; want %s", got, err, want)
		}
		if _, err := p.ReadFiles(ctx, "default/shop", first, []string{"infra/main.tf", "none"}, 2); !fault.Is(err, fault.TooLarge) {
			t.Errorf("a file of more bytes than are wanted: %v", err)
		}
		if got, err := tell(strings.Repeat("a", 40)); err == nil {
			t.Errorf("of a commit that nobody has asked for it tells %s", got)
		}
		if err := b.Delete(accesstest.As("adam"), "default/shop"); err != nil {
			t.Fatal(err)
		}
		if got, err := tell(first); !fault.Is(err, fault.NotFound) {
			t.Errorf("of a deleted repository it tells %s, %v", got, err)
		}
	})
}
