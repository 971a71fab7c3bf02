package git_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// history makes two commits and gives their hashes.
func history(t *testing.T, b *bench) (first, second string) {
	t.Helper()
	var err error
	if first, err = b.git.Commit(t.Context(), b.dir, request("",
		git.FileChange{Path: "README.md", Content: []byte("hello\n")},
		git.FileChange{Path: "dir/a.txt", Content: []byte("1\n2\n3\n4\n5\n6\n7\n8\n")},
		git.FileChange{Path: "dir/deep/bin", Content: []byte{0, 1, 2}},
		git.FileChange{Path: "dir/link", Content: []byte("../README.md"), Mode: "120000"},
		git.FileChange{Path: "out", Content: []byte("/etc/passwd"), Mode: "120000"},
		git.FileChange{Path: "empty"},
		git.FileChange{Path: ".gitattributes", Content: []byte("*.md export-ignore\n")})); err != nil {
		t.Fatal(err)
	}
	if second, err = b.git.Commit(t.Context(), b.dir, request(first,
		git.FileChange{Path: "README.md", Content: []byte("hello\nworld\n")},
		git.FileChange{Path: "dir/a.txt", Delete: true},
		git.FileChange{Path: "dir/b.txt", Content: []byte("1\n2\n3\n4\n5\n6\n7\nacht\n")},
		git.FileChange{Path: "dir/deep/bin", Content: []byte{0, 1, 3}},
		git.FileChange{Path: "empty", Mode: "100755"})); err != nil {
		t.Fatal(err)
	}
	return first, second
}

func TestReadFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, second := history(t, b)
	for path, want := range map[string]string{"README.md": "hello\nworld\n", "dir/b.txt": "1\n2\n3\n4\n5\n6\n7\nacht\n", "dir/deep/bin": "\x00\x01\x03", "dir/link": "hello\nworld\n", "./dir//link": "hello\nworld\n", "empty": ""} {
		for _, at := range []string{second, "HEAD", "refs/heads/main"} {
			if got, err := b.git.ReadFile(ctx, b.dir, at, path, 1000); err != nil || string(got) != want {
				t.Errorf("%s at %s is %q, %v", path, at, got, err)
			}
		}
	}
	for path, kind := range map[string]fault.Kind{"no": fault.NotFound, "README.md/x": fault.NotFound, "out": fault.NotFound, "dir": fault.Invalid, "": fault.Invalid, "../x": fault.Invalid, "a\nb": fault.Invalid} {
		if got, err := b.git.ReadFile(ctx, b.dir, second, path, 1000); !fault.Is(err, kind) {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	if _, err := b.git.ReadFile(ctx, b.dir, second, "README.md", 11); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a file over the limit: %v", err)
	}
	for _, bad := range []string{"main", "-x", "--help", "HEAD~1", "refs/heads/a b", second[:10]} {
		if _, err := b.git.ReadFile(ctx, b.dir, bad, "README.md", 100); !fault.Is(err, fault.Invalid) {
			t.Errorf("at %q: %v", bad, err)
		}
	}
	if _, err := b.git.ReadFile(ctx, b.dir, git.Zero, "README.md", 100); !fault.Is(err, fault.NotFound) {
		t.Errorf("at no commit: %v", err)
	}
	got, err := b.git.ReadFiles(ctx, b.dir, first, []string{"README.md", "no", "out", "dir/a.txt", "empty"}, 1000)
	if keys := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(keys, []string{"README.md", "dir/a.txt", "empty"}) || string(got["README.md"]) != "hello\n" {
		t.Errorf("many files: %q, %v", got, err)
	}
	if _, err := b.git.ReadFile(ctx, b.dir+"x", "HEAD", "x", 10); !fault.Is(err, fault.NotFound) {
		t.Errorf("no repository: %v", err)
	}
}

func TestResolveAndAncestors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	if _, err := b.git.Resolve(ctx, b.dir, "HEAD"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an empty repository has a head: %v", err)
	}
	first, second := history(t, b)
	b.must("", "clone", "-q", b.url, "a")
	b.must("a", "tag", "-a", "v1", "-m", "one", first)
	b.must("a", "tag", "main", first) // a tag with a branch's name
	b.must("a", "push", "-q", "origin", "v1", "refs/tags/main")
	for rev, want := range map[string]string{"HEAD": second, "main": second, "refs/heads/main": second, "v1": first, "refs/tags/v1": first, "refs/tags/main": first, first: first} {
		if got, err := b.git.Resolve(ctx, b.dir, rev); err != nil || got != want {
			t.Errorf("%s is %s, %v", rev, got, err)
		}
	}
	for rev, kind := range map[string]fault.Kind{"no": fault.NotFound, git.Zero: fault.NotFound, "-x": fault.Invalid, "a b": fault.Invalid, "HEAD^": fault.Invalid, "": fault.Invalid} {
		if got, err := b.git.Resolve(ctx, b.dir, rev); !fault.Is(err, kind) {
			t.Errorf("%q is %s, %v", rev, got, err)
		}
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{{first, second, true}, {second, first, false}, {first, first, true}} {
		if got, err := b.git.IsAncestor(ctx, b.dir, c.a, c.b); err != nil || got != c.want {
			t.Errorf("%s in %s: %v, %v", c.a, c.b, got, err)
		}
	}
	if err := b.git.SetHead(ctx, b.dir, "trunk"); err != nil {
		t.Fatal(err)
	}
	if head, err := b.git.Head(ctx, b.dir); err != nil || head != "trunk" {
		t.Errorf("HEAD is %q, %v", head, err)
	}
}

// unpack makes a file of each object of a repository.
func unpack(t *testing.T, dir string) {
	t.Helper()
	packs, err := filepath.Glob(filepath.Join(dir, "objects", "pack", "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	for _, pack := range packs {
		data, err := os.ReadFile(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{".pack", ".idx"} {
			if err := os.Remove(strings.TrimSuffix(pack, ".pack") + end); err != nil {
				t.Fatal(err)
			}
		}
		c := exec.Command("git", "--git-dir="+dir, "unpack-objects", "-q")
		c.Stdin = bytes.NewReader(data)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestTreeAndLog(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, second := history(t, b)
	paths := func(entries []git.TreeEntry, err error) string {
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Type+" "+e.Path)
		}
		return strings.Join(names, ", ")
	}
	if got := paths(b.git.Tree(ctx, b.dir, second, "")); got != "blob .gitattributes, blob README.md, tree dir, blob empty, blob out" {
		t.Error(got)
	}
	walk := func(dir, folder string) (entries []git.TreeEntry, err error) {
		err = b.git.Walk(ctx, dir, second, folder, func(e git.TreeEntry) error { entries = append(entries, e); return nil })
		return entries, err
	}
	if got := paths(walk(b.dir, "dir/")); got != "blob dir/b.txt, blob dir/deep/bin, blob dir/link" {
		t.Error(got)
	}
	for _, missing := range []string{"no", "README.md"} {
		if _, err := b.git.Tree(ctx, b.dir, second, missing); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	// A folder that can't be read is not one that isn't there.
	damaged := filepath.Join(t.TempDir(), "damaged.git")
	if err := os.CopyFS(damaged, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	entries, err := b.git.Tree(ctx, damaged, second, "")
	if err != nil {
		t.Fatal(err)
	}
	unpack(t, damaged)
	for _, e := range entries {
		if e.Type == "tree" {
			object := filepath.Join(damaged, "objects", e.Hash[:2], e.Hash[2:])
			if err := os.Remove(object); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := walk(damaged, "dir"); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("a folder that is lost: %v", err)
	}
	log, err := b.git.Log(ctx, b.dir, "HEAD", "", 0, 10)
	if err != nil || len(log) != 2 {
		t.Fatal(log, err)
	}
	want := git.Commit{Hash: second, Tree: log[0].Tree, Parents: []string{first}, Message: "change things",
		Author: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: noon}, Committer: git.Signature{Name: "Roadbed", Email: "roadbed@localhost", When: noon}}
	if diff := cmp.Diff(want, log[0]); diff != "" {
		t.Error(diff)
	}
	if log, err := b.git.Log(ctx, b.dir, "HEAD", "dir/a.txt", 0, 1); err != nil || len(log) != 1 || log[0].Hash != second {
		t.Error(log, err)
	}
	if log, err := b.git.Log(ctx, b.dir, "HEAD", "*", 0, 10); err != nil || len(log) != 0 {
		t.Error("a path is taken for a pattern", log, err)
	}
	if _, err := b.git.Log(ctx, b.dir, git.Zero, "", 0, 1); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

// A folder with more entries than are kept is refused with a word, a walk gives them all, and what stops it ends git.
func TestAHugeFolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	b.commit("a", "x", "1")
	blob := b.must("a", "rev-parse", "HEAD:x")
	var listing strings.Builder
	for i := range git.TreeEntries + 1 {
		fmt.Fprintf(&listing, "100644 blob %s\tf%06d\n", blob, i)
	}
	huge := b.must("a", "commit-tree", "-m", "huge", b.mktree("a", listing.String()))
	long := b.must("a", "commit-tree", "-m", "long", b.mktree("a", "100644 blob "+blob+"\t"+strings.Repeat("n", 100<<10)+"\n"))
	b.must("a", "push", "-q", "origin", huge+":refs/heads/huge", long+":refs/heads/long")
	if _, err := b.git.Tree(t.Context(), b.dir, huge, ""); !fault.Is(err, fault.TooLarge) || !strings.Contains(err.Error(), "more than 50000 entries") {
		t.Errorf("a huge folder is listed: %v", err)
	}
	seen := 0
	if err := b.git.Walk(t.Context(), b.dir, huge, "", func(git.TreeEntry) error { seen++; return nil }); err != nil || seen != git.TreeEntries+1 {
		t.Errorf("a walk gives %d files, %v", seen, err)
	}
	enough := errors.New("enough")
	if err := b.git.Walk(t.Context(), b.dir, huge, "", func(git.TreeEntry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a walk that is stopped ends with %v", err)
	}
	if _, err := b.git.Tree(t.Context(), b.dir, long, ""); !fault.Is(err, fault.TooLarge) {
		t.Errorf("a name that is too long: %v", err)
	}
}

// A history that can't be read is not one that isn't there.
func TestADamagedHistoryIsNotAMissingOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, second := history(t, b)
	const unknown = "0123456789012345678901234567890123456789"
	unpack(t, b.dir)
	object := filepath.Join(b.dir, "objects", first[:2], first[2:])
	ask := func(what string, want func(error) bool) {
		t.Helper()
		if _, err := b.git.Log(ctx, b.dir, second, "", 0, 10); !want(err) {
			t.Errorf("%s: its history: %v", what, err)
		}
		if _, err := b.git.IsAncestor(ctx, b.dir, second, first); !want(err) {
			t.Errorf("%s: its ancestors: %v", what, err)
		}
	}
	ask("whole", func(err error) bool { return err == nil })
	if err := os.Chmod(object, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask("damaged", func(err error) bool { return err != nil && !fault.Is(err, fault.NotFound) })
	if err := os.Remove(object); err != nil {
		t.Fatal(err)
	}
	if _, err := b.git.Log(ctx, b.dir, second, "", 0, 10); err == nil || fault.Is(err, fault.NotFound) {
		t.Errorf("the history of a commit whose parent is lost: %v", err)
	}
	if _, err := b.git.Log(ctx, b.dir, unknown, "", 0, 10); !fault.Is(err, fault.NotFound) {
		t.Errorf("the history of no commit: %v", err)
	}
	for _, pair := range [][2]string{{unknown, second}, {second, unknown}} {
		if _, err := b.git.IsAncestor(ctx, b.dir, pair[0], pair[1]); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s and %s: %v", pair[0], pair[1], err)
		}
	}
}

func TestDiffs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, second := history(t, b)
	if got, err := b.git.ChangedPaths(ctx, b.dir, first, second); err != nil || strings.Join(got, " ") != "README.md dir/a.txt dir/b.txt dir/deep/bin empty" {
		t.Error(got, err)
	}
	if got, err := b.git.ChangedPaths(ctx, b.dir, git.Zero, first); err != nil || len(got) != 7 {
		t.Error(got, err)
	}
	if got, err := b.git.ChangedPaths(ctx, b.dir, first, first); err != nil || got != nil {
		t.Error(got, err)
	}
	d, err := b.git.Diff(ctx, b.dir, first, second, git.DiffLimits{})
	if err != nil || d.Truncated || len(d.Files) != 4 {
		t.Fatal(d, err)
	}
	type short struct {
		Status, Old, New string
		Plus, Minus      int
		Binary           bool
		Patch            string
	}
	var got []short
	for _, f := range d.Files {
		got = append(got, short{f.Status, f.OldPath, f.Path, f.Additions, f.Deletions, f.Binary, f.Patch})
	}
	want := []short{
		{"modified", "README.md", "README.md", 1, 0, false, "@@ -1 +1,2 @@\n hello\n+world\n"},
		{"renamed", "dir/a.txt", "dir/b.txt", 1, 1, false, "@@ -5,4 +5,4 @@\n 5\n 6\n 7\n-8\n+acht\n"},
		{"modified", "dir/deep/bin", "dir/deep/bin", 0, 0, true, ""},
		{"modified", "empty", "empty", 0, 0, false, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	d, err = b.git.Diff(ctx, b.dir, "", second, git.DiffLimits{Files: 3, Bytes: 600})
	if err != nil || !d.Truncated || len(d.Files) != 3 || d.Files[0].Patch == "" {
		t.Error(d, err)
	}
	if _, err := b.git.Diff(ctx, b.dir, first, strings.Repeat("1", 40), git.DiffLimits{}); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

func TestArchive(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first, _ := history(t, b)
	read := func(subpath string) (string, []byte) {
		a, err := b.git.Archive(ctx, b.dir, first, subpath)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		raw, err := io.ReadAll(a)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for r := tar.NewReader(bytes.NewReader(raw)); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				return strings.Join(names, " "), raw
			}
			if err != nil {
				t.Fatal(err)
			}
			if !h.ModTime.Equal(noon) {
				t.Errorf("%s is of %v", h.Name, h.ModTime)
			}
			names = append(names, h.Name)
		}
	}
	all, raw := read("")
	if all != ".gitattributes README.md dir/ dir/a.txt dir/deep/ dir/deep/bin dir/link empty out" {
		t.Error(all)
	}
	if _, again := read(""); !bytes.Equal(raw, again) {
		t.Error("the same commit gives another archive")
	}
	if sub, _ := read("dir"); sub != "a.txt deep/ deep/bin link" {
		t.Error(sub)
	}
	for _, missing := range []string{"no", "README.md"} {
		if _, err := b.git.Archive(ctx, b.dir, first, missing); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	a, err := b.git.Archive(ctx, b.dir, first, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil { // without having read: the command ends
		t.Error(err)
	}
}

// Nothing of the server's environment or of a user's configuration reaches git.
// What a tree says of how its files are to be written out changes nothing in an archive.
func TestAnArchiveIsAsCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head, err := b.git.Commit(t.Context(), b.dir, request("",
		git.FileChange{Path: ".gitattributes", Content: []byte("a text eol=crlf\nb ident export-subst\nc working-tree-encoding=UTF-16\n")},
		git.FileChange{Path: "a", Content: []byte("one\ntwo\n")}, git.FileChange{Path: "b", Content: []byte("$Id$ $Format:%H$\n")}, git.FileChange{Path: "c", Content: []byte("c\n")}))
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.git.Archive(t.Context(), b.dir, head, "")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	got := map[string]string{}
	for r := tar.NewReader(a); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(r)
		got[h.Name] = string(content)
	}
	delete(got, ".gitattributes")
	if diff := cmp.Diff(map[string]string{"a": "one\ntwo\n", "b": "$Id$ $Format:%H$\n", "c": "c\n"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(home+"/.gitconfig", []byte("[broken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_CONFIG_COUNT", "broken")
	b := setup(t)
	if refs := b.refs(); len(refs) != 0 {
		t.Errorf("a new repository has %v", refs)
	}
	if _, err := git.New("no-such-program", slog.New(slog.DiscardHandler)); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

// References are what git lists, packed or loose, updated or deleted since.
func TestRefsAreGits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := history(t, b)
	on := func(args ...string) string {
		t.Helper()
		return b.must("", append([]string{"--git-dir=" + b.dir}, args...)...)
	}
	check := func(when string) {
		t.Helper()
		want := map[string]string{}
		for line := range strings.Lines(on("for-each-ref", "--format=%(objectname) %(refname)") + "\n") {
			hash, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			if !strings.HasPrefix(name, "refs/roadbed/") {
				want[name] = hash
			}
		}
		if diff := cmp.Diff(want, b.refs()); diff != "" {
			t.Errorf("%s: %s", when, diff)
		}
	}
	check("one")
	for i := range 20 {
		on("branch", "-q", strings.Repeat("x/", i)+"y"+strings.Repeat("z", i), first)
	}
	on("tag", "-a", "-m", "annotated", "v1", first)
	on("update-ref", "refs/roadbed/hidden/x", first)
	on("update-ref", "refs/notes/commits", first)
	check("loose")
	on("pack-refs", "--all", "--prune")
	check("packed")
	on("branch", "-q", "-f", "y", second)
	on("tag", "-d", "v1")
	on("update-ref", "refs/roadbed/hidden/y", first)
	if err := os.WriteFile(b.dir+"/refs/heads/main.lock", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("both")
	if _, err := b.git.Refs(t.Context(), b.dir+"x"); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

// A link that leads out of the tree is only its own text: nothing here follows it.
func TestLinksOutOfATreeAreNotFollowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must("", "clone", "-q", b.url, "work")
	work := filepath.Join(b.home, "work")
	for name, to := range map[string]string{"file": secret, "folder": filepath.Dir(secret), "up": "../../../../etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(work, name)); err != nil {
			t.Fatal(err)
		}
	}
	b.must("work", "add", "--all")
	b.must("work", "commit", "-q", "-m", "links")
	b.must("work", "push", "-q", "origin", "HEAD:main")
	head := strings.TrimSpace(b.must("work", "rev-parse", "HEAD"))
	for path, kind := range map[string]fault.Kind{"folder/secret": fault.NotFound, "up/x": fault.NotFound} {
		if got, err := b.git.ReadFile(t.Context(), b.dir, head, path, 1000); !fault.Is(err, kind) {
			t.Errorf("%s gives %q, %v", path, got, err)
		}
	}
	if got, err := b.git.ReadFile(t.Context(), b.dir, head, "file", 1000); strings.Contains(string(got), "s3cret") {
		t.Errorf("the link is followed: %q, %v", got, err)
	}
	archive, err := b.git.Archive(t.Context(), b.dir, head, "")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	links := 0
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeSymlink {
			links++
		}
		if content, err := io.ReadAll(r); err != nil || len(content) > 0 {
			t.Errorf("%s of the archive holds %q, %v", h.Name, content, err)
		}
	}
	if links != 3 {
		t.Errorf("the archive has %d links, want 3", links)
	}
	if err := b.git.Check(t.Context(), b.dir); err != nil {
		t.Errorf("git fsck: %v", err)
	}
}
