package forgetest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func content(b *bench) {
	r := b.repository()
	w := b.clone(r.Name)
	first := w.commit("main", "first", map[string]string{"README.md": "# one\n", "src/main.go": "package main\n", "src/deep/x.txt": "x\n", "odd/a b#?%.txt": "odd\n", "é.txt": "accent\n"})
	if err := os.Symlink("README.md", filepath.Join(w.dir, "link")); err != nil {
		b.t.Fatal(err)
	}
	second := w.commit("main", "second", map[string]string{"README.md": "# two\n", "large.bin": strings.Repeat("0123456789", 10_000)})
	w.git(w.dir, "tag", "v1", first)
	w.git(w.dir, "push", "--quiet", "origin", "v1")

	for _, c := range []struct{ rev, path, want string }{
		{"", "README.md", "# two\n"}, {"main", "README.md", "# two\n"}, {first, "README.md", "# one\n"}, {"v1", "README.md", "# one\n"},
		{"", "src/deep/x.txt", "x\n"}, {"", "odd/a b#?%.txt", "odd\n"}, {"", "é.txt", "accent\n"}, {"", "link", "README.md"},
		{"", "large.bin", strings.Repeat("0123456789", 10_000)},
	} {
		got, err := b.Forge.ReadFile(b.ctx(), r.Name, c.rev, c.path, 1<<20)
		if err != nil || string(got) != c.want {
			b.t.Errorf("%s at %q is %.40q, %v", c.path, c.rev, got, err)
		}
	}
	_, err := b.Forge.ReadFile(b.ctx(), r.Name, "", "large.bin", 1000)
	b.refused("a file over the limit", err, fault.TooLarge)
	for _, c := range [][2]string{{"", "none"}, {"none", "README.md"}, {strings.Repeat("0", 39) + "1", "README.md"}} {
		_, err := b.Forge.ReadFile(b.ctx(), r.Name, c[0], c[1], 1000)
		b.refused(fmt.Sprint("to read ", c), err, fault.NotFound)
	}
	for _, bad := range []string{"../README.md", "/README.md", "src/../README.md", ""} {
		_, err := b.Forge.ReadFile(b.ctx(), r.Name, "", bad, 1000)
		b.refused("the path "+bad, err, fault.Invalid)
	}
	_, err = b.Forge.ReadFile(b.ctx(), r.Name, "", "src", 1000)
	b.refused("a folder as a file", err, fault.Invalid, fault.NotFound)

	names := func(t forge.Tree, kinds ...string) (out []string) {
		for _, e := range t.Entries {
			if len(kinds) == 0 || slices.Contains(kinds, e.Type) {
				out = append(out, e.Path)
			}
			if e.Hash == "" {
				b.t.Errorf("%s has no hash", e.Path)
			}
		}
		slices.Sort(out)
		return out
	}
	root, err := b.Forge.ListTree(b.ctx(), r.Name, second, "", false)
	b.good("list the root", err)
	if got := names(root); !slices.Equal(got, []string{"README.md", "large.bin", "link", "odd", "src", "é.txt"}) || root.Cut {
		b.t.Errorf("the root is %v", got)
	}
	if got := names(root, forge.TypeFolder); !slices.Equal(got, []string{"odd", "src"}) {
		b.t.Errorf("folders: %v", got)
	}
	if got := names(root, forge.TypeLink); !slices.Equal(got, []string{"link"}) {
		b.t.Errorf("links: %v", got)
	}
	src, err := b.Forge.ListTree(b.ctx(), r.Name, "", "src", true)
	b.good("list src", err)
	if got := names(src); !slices.Equal(got, []string{"src/deep/x.txt", "src/main.go"}) {
		b.t.Errorf("below src: %v", got)
	}
	_, err = b.Forge.ListTree(b.ctx(), r.Name, "", "none", false)
	b.refused("a folder that is not there", err, fault.NotFound)

	stream, err := b.Forge.Archive(b.ctx(), r.Name, second)
	b.good("archive", err)
	defer stream.Close()
	files := unpacked(b, stream)
	if files["README.md"] != "# two\n" || files["src/deep/x.txt"] != "x\n" || len(files["large.bin"]) != 100_000 {
		b.t.Errorf("the archive has %d files: README is %q", len(files), files["README.md"])
	}
	if bad, err := b.Forge.Archive(b.ctx(), r.Name, "none"); err == nil {
		bad.Close()
		b.t.Error("an archive of what is not there")
	}
}

// unpacked gives the files of an archive without its first folder.
func unpacked(b *bench, r io.Reader) map[string]string {
	b.t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		b.t.Fatal(err)
	}
	files := map[string]string{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			b.t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(t)
		if err != nil {
			b.t.Fatal(err)
		}
		_, path, _ := strings.Cut(h.Name, "/")
		files[path] = string(text)
	}
}

func commits(b *bench) {
	r := b.repository()
	w := b.clone(r.Name)
	var made []string
	for i := range 5 {
		made = append(made, w.commit("main", fmt.Sprintf("change %d\n\nwith a body", i), map[string]string{"a.txt": fmt.Sprint(i), fmt.Sprintf("f%d", i): "x"}))
	}
	got := all(b, func(part page.Request) (page.Of[forge.Commit], error) {
		return b.Forge.ListCommits(b.ctx(), r.Name, "main", "", part)
	})
	var hashes []string
	for _, c := range got {
		hashes = append(hashes, c.Hash)
	}
	slices.Reverse(hashes)
	if !slices.Equal(hashes, made) {
		b.t.Errorf("commits %v, made %v", hashes, made)
	}
	of := all(b, func(part page.Request) (page.Of[forge.Commit], error) {
		return b.Forge.ListCommits(b.ctx(), r.Name, "", "f2", part)
	})
	if len(of) != 1 || of[0].Hash != made[2] {
		b.t.Errorf("commits of f2: %+v", of)
	}
	c, err := b.Forge.GetCommit(b.ctx(), r.Name, "main")
	b.good("the head", err)
	if c.Hash != made[4] || !slices.Equal(c.Parents, made[3:4]) || strings.TrimSpace(c.Message) != "change 4\n\nwith a body" || c.Author.Name != "Ann" || c.Author.Email != "ann@example.com" || c.Author.When.IsZero() {
		b.t.Errorf("the head is %+v", c)
	}
	_, err = b.Forge.GetCommit(b.ctx(), r.Name, "none")
	b.refused("a commit that is not there", err, fault.NotFound, fault.Invalid)
	cmp, err := b.Forge.Compare(b.ctx(), r.Name, made[1], made[4])
	b.good("compare", err)
	var files []string
	for _, f := range cmp.Files {
		files = append(files, f.Way+" "+f.Path)
		if f.Patch == "" {
			b.t.Errorf("%s has no patch", f.Path)
		}
	}
	slices.Sort(files)
	if cmp.Ahead != 3 || cmp.Behind > 0 || cmp.Base != made[1] || cmp.Head != made[4] || len(cmp.Commits) != 3 || cmp.Commits[0].Hash != made[2] ||
		!slices.Equal(files, []string{"added f2", "added f3", "added f4", "modified a.txt"}) {
		b.t.Errorf("compared: %+v\nfiles %v", cmp, files)
	}
	w.git(w.dir, "mv", "f0", "moved")
	w.git(w.dir, "rm", "--quiet", "f1")
	last := w.commit("main", "move", map[string]string{})
	if cmp, err = b.Forge.Compare(b.ctx(), r.Name, made[4], last); err != nil {
		b.t.Fatal(err)
	}
	files = nil
	for _, f := range cmp.Files {
		files = append(files, strings.TrimSpace(f.Way+" "+f.OldPath+" "+f.Path))
	}
	slices.Sort(files)
	if !slices.Equal(files, []string{"removed  f1", "renamed f0 moved"}) && !slices.Equal(files, []string{"removed  f0", "renamed f1 moved"}) {
		b.t.Errorf("moved and removed: %q", files)
	}
	_, err = b.Forge.Compare(b.ctx(), r.Name, "none", last)
	b.refused("to compare with nothing", err, fault.NotFound, fault.Invalid)
}

func branches(b *bench) {
	r := b.repository()
	if list := all(b, func(part page.Request) (page.Of[forge.Branch], error) {
		return b.Forge.ListBranches(b.ctx(), r.Name, part)
	}); len(list) != 0 {
		b.t.Errorf("an empty repository has the branches %+v", list)
	}
	w := b.clone(r.Name)
	first := w.commit("main", "first", map[string]string{"a": "1"})
	second := w.commit("main", "second", map[string]string{"a": "2"})
	b.good("a branch", b.Forge.CreateBranch(b.ctx(), r.Name, "feature/one", first))
	b.refused("it again", b.Forge.CreateBranch(b.ctx(), r.Name, "feature/one", second), fault.Conflict)
	for _, bad := range []string{"", "../x", "a..b", "a b", "-x", "a~1", "refs/heads/\x01"} {
		b.refused("the branch "+bad, b.Forge.CreateBranch(b.ctx(), r.Name, bad, first), fault.Invalid)
	}
	b.good("a third", b.Forge.CreateBranch(b.ctx(), r.Name, "other", second))
	heads := map[string]string{}
	for _, h := range all(b, func(part page.Request) (page.Of[forge.Branch], error) {
		return b.Forge.ListBranches(b.ctx(), r.Name, part)
	}) {
		heads[h.Name] = h.Commit
	}
	if len(heads) != 3 || heads["main"] != second || heads["feature/one"] != first || heads["other"] != second {
		b.t.Errorf("the branches are %v", heads)
	}
	one, err := b.Forge.GetBranch(b.ctx(), r.Name, "feature/one")
	if err != nil || one.Commit != first || one.Name != "feature/one" {
		b.t.Errorf("the branch is %+v, %v", one, err)
	}
	b.good("delete it", b.Forge.DeleteBranch(b.ctx(), r.Name, "feature/one"))
	_, err = b.Forge.GetBranch(b.ctx(), r.Name, "feature/one")
	b.refused("what is deleted", err, fault.NotFound)
	w.git(w.dir, "tag", "v1", first)
	w.git(w.dir, "tag", "--annotate", "--message", "the second", "v2", second)
	w.git(w.dir, "tag", "v3", second)
	w.git(w.dir, "push", "--quiet", "--tags", "origin")
	tags := map[string]string{}
	for _, tag := range all(b, func(part page.Request) (page.Of[forge.Tag], error) { return b.Forge.ListTags(b.ctx(), r.Name, part) }) {
		tags[tag.Name] = tag.Commit
	}
	if len(tags) != 3 || tags["v1"] != first || tags["v2"] != second || tags["v3"] != second {
		b.t.Errorf("the tags are %v", tags)
	}
}
