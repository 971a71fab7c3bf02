package git_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// record makes a commit on main with a message.
func (b *bench) record(parent, message string, changes ...git.FileChange) string {
	b.t.Helper()
	r := request(parent, changes...)
	r.Message = message
	hash, err := b.git.Commit(b.t.Context(), b.dir, r)
	if err != nil {
		b.t.Fatal(err)
	}
	return hash
}

func file(path, content string) git.FileChange {
	return git.FileChange{Path: path, Content: []byte(content)}
}

func TestLinesHaveTheCommitsThatWroteThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first := b.record("", "first", file(`a "b".txt`, "1\n2\n3\n4\n5\n6\n"), file("empty", ""))
	second := b.record(first, "second", git.FileChange{Path: `a "b".txt`, Delete: true}, file("b.txt", "1\n2\n3\n4\n5\nsix\nseven\n"))
	third := b.record(second, "third", file("b.txt", "1\n2\n3!\n4\n5\nsix\nseven\n"))
	blame, err := b.git.Blame(ctx, b.dir, third, "b.txt", 0, 0)
	want := []git.BlameHunk{
		{Line: 1, Lines: 2, Commit: first, Path: `a "b".txt`, From: 1},
		{Line: 3, Lines: 1, Commit: third, Path: "b.txt", From: 3, Before: second, BeforePath: "b.txt"},
		{Line: 4, Lines: 2, Commit: first, Path: `a "b".txt`, From: 4},
		{Line: 6, Lines: 2, Commit: second, Path: "b.txt", From: 6, Before: first, BeforePath: `a "b".txt`},
	}
	if d := cmp.Diff(want, blame.Hunks); d != "" || err != nil {
		t.Errorf("blame: %v %s", err, d)
	}
	if c := blame.Commits[third]; c.Message != "third" || c.Author.Name != "Roadbed" || !c.Author.When.Equal(noon) {
		t.Errorf("the commit is %+v", c)
	}
	if part, err := b.git.Blame(ctx, b.dir, third, "b.txt", 3, 4); err != nil || len(part.Hunks) != 2 || part.Hunks[0].Line != 3 || part.Hunks[1].Lines != 1 {
		t.Errorf("of two lines: %+v, %v", part, err)
	}
	for path, lines := range map[string][2]int{"empty": {0, 0}, "b.txt": {100, 200}} {
		if part, err := b.git.Blame(ctx, b.dir, third, path, lines[0], lines[1]); err != nil || len(part.Hunks) != 0 {
			t.Errorf("where %s has no lines: %+v, %v", path, part, err)
		}
	}
	for path, kind := range map[string]fault.Kind{"no": fault.NotFound, "": fault.Invalid, "../x": fault.Invalid, "-L1": fault.NotFound} {
		if _, err := b.git.Blame(ctx, b.dir, third, path, 0, 0); !fault.Is(err, kind) {
			t.Errorf("blame of %q: %v", path, err)
		}
	}
	large := b.record(third, "large", file("large", strings.Repeat("0123456\n", 600_000)))
	if _, err := b.git.Blame(ctx, b.dir, large, "large", 0, 0); !fault.Is(err, fault.TooLarge) {
		t.Errorf("blame of a large file: %v", err)
	}
}

func TestTextIsFoundInFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	head := b.record("", "first",
		file("a.go", "one\ntwo\nthree Needle and needle\nfour\nfive\nsix\n"), file("src/b.go", "needle(1)\n"), file("src/deep/c.txt", "größe: nEEdle\r\n"),
		file("bin", "\x00needle"), file("long.js", strings.Repeat("x", 100_000)+"needle"+strings.Repeat("y", 100_000)+"\nnext\n"),
		git.FileChange{Path: "link", Content: []byte("../needle"), Mode: "120000"}, file("many", strings.Repeat("needle\n", 50)))
	look := func(s git.Search) git.Results {
		t.Helper()
		found, err := b.git.Grep(ctx, b.dir, head, s)
		if err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
		return found
	}
	paths := func(r git.Results) (out []string) {
		for _, f := range r.Files {
			out = append(out, f.Path)
		}
		return out
	}
	all := look(git.Search{Text: "needle"})
	if got := paths(all); !slices.Equal(got, []string{"a.go", "link", "long.js", "many", "src/b.go", "src/deep/c.txt"}) && !slices.Equal(got, []string{"a.go", "long.js", "many", "src/b.go", "src/deep/c.txt"}) || all.More || all.Cut != "" {
		t.Errorf("found %q, %v %q", got, all.More, all.Cut)
	}
	want := git.Found{Path: "a.go", Lines: []git.FoundLine{
		{Line: 1, Text: "one"}, {Line: 2, Text: "two"}, {Line: 3, Text: "three Needle and needle", Match: true, Marks: [][2]int{{6, 12}, {17, 23}}}, {Line: 4, Text: "four"}, {Line: 5, Text: "five"},
	}}
	if d := cmp.Diff(want, all.Files[0]); d != "" {
		t.Error(d)
	}
	for _, f := range all.Files {
		switch f.Path {
		case "long.js":
			if l := f.Lines[0]; len(l.Text) > 1000 || !l.Cut || !strings.Contains(l.Text, "needle") || len(l.Marks) != 1 {
				t.Errorf("a long line is shown as %q, %+v", l.Text, l.Marks)
			}
		case "many":
			if len(f.Lines) != 20 || !f.More {
				t.Errorf("of 50 matches %d are given, more: %v", len(f.Lines), f.More)
			}
		case "src/deep/c.txt":
			if l := f.Lines[0]; l.Text != "größe: nEEdle" || l.Marks[0] != [2]int{7, 13} {
				t.Errorf("the line is %+v", l)
			}
		}
	}
	for _, c := range []struct {
		search git.Search
		want   string
	}{
		{git.Search{Text: "Needle", Case: true}, "a.go"},
		{git.Search{Text: `needle\(`, Regex: true}, "src/b.go"},
		{git.Search{Text: "needle(1)"}, "src/b.go"},
		{git.Search{Text: "^(größe|one)", Regex: true}, "a.go src/deep/c.txt"},
		{git.Search{Text: "needle", Path: "*.go"}, "a.go src/b.go"},
		{git.Search{Text: "needle", Path: "src"}, "src/b.go src/deep/c.txt"},
		{git.Search{Text: "needle", Path: "deep/"}, "src/deep/c.txt"},
		{git.Search{Text: "needle", Path: "src/**/*.txt"}, "src/deep/c.txt"},
		{git.Search{Text: "needle", Path: ":!src"}, ""},
		{git.Search{Text: "--open-files-in-pager=touch /tmp/owned"}, ""},
		{git.Search{Text: "nowhere"}, ""},
	} {
		if got := strings.Join(paths(look(c.search)), " "); got != c.want {
			t.Errorf("%+v found %q, want %q", c.search, got, c.want)
		}
	}
	one := look(git.Search{Text: "needle", Path: "*.go", Files: 1})
	two := look(git.Search{Text: "needle", Path: "*.go", Files: 1, Skip: 1})
	if strings.Join(append(paths(one), paths(two)...), " ") != "a.go src/b.go" || !one.More || two.More {
		t.Errorf("by parts: %+v, then %+v", one, two)
	}
	for _, s := range []git.Search{{}, {Text: "a\nb"}, {Text: strings.Repeat("x", 501)}, {Text: "x", Path: "../x"}, {Text: "x", Path: "a\x00b"}, {Text: "(", Regex: true}, {Text: "x", Path: strings.Repeat("**/", 20)}} {
		if _, err := b.git.Grep(ctx, b.dir, head, s); !fault.Is(err, fault.Invalid) {
			t.Errorf("%.40v: %v", s, err)
		}
	}
	if _, err := b.git.Grep(ctx, b.dir, git.Zero, git.Search{Text: "x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("at no commit: %v", err)
	}
	if _, err := b.git.Grep(ctx, b.dir, "--help", git.Search{Text: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("at an option: %v", err)
	}
}

// An expression that grows without end ends within its bounds, and the next search is served.
func TestHostileExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.git.SetMemory(512 << 20)
	head := b.record("", "first", file("a", strings.Repeat("a", 5000)+"\n"))
	for _, text := range []string{"((((a{1,100}){1,100}){1,100}){1,100}){1,100}", `(a*)*(a*)*(a*)*\1\2\3b`} {
		if found, err := b.git.Grep(t.Context(), b.dir, head, git.Search{Text: text, Regex: true}); err == nil && found.Cut == "" && len(found.Files) > 0 {
			t.Errorf("%s found %+v", text, found)
		}
	}
	if found, err := b.git.Grep(t.Context(), b.dir, head, git.Search{Text: "aaa"}); err != nil || len(found.Files) != 1 {
		t.Errorf("afterwards: %+v, %v", found, err)
	}
}

func TestEntriesHaveTheirLastCommits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first := b.record("", "first", file("a/x\"y", "1"), file("a/deep/z", "1"), file("b", "1"), file("a[b]/c", "1"))
	second := b.record(first, "second", file("a/deep/z", "2"))
	third := b.record(second, "third", file("b", "2"))
	side := request(first, file("a/x\"y", "2"))
	side.Branch, side.Message, side.Parent = "side", "side", ""
	if err := b.git.UpdateRef(ctx, b.dir, "refs/heads/side", "", first); err != nil {
		t.Fatal(err)
	}
	side.Parent = first
	other, err := b.git.Commit(ctx, b.dir, side)
	if err != nil {
		t.Fatal(err)
	}
	merged, err := b.git.Merge(ctx, b.dir, git.MergeRequest{Branch: "main", Target: third, Source: other, Way: git.MergeCommit, Message: "merge", Author: side.Author})
	if err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string]map[string]string{
		"":     {"a": other, "b": third, "a[b]": first},
		"a":    {"x\"y": other, "deep": second},
		"a[b]": {"c": first},
	} {
		var names []string
		for n := range want {
			names = append(names, n)
		}
		last, err := b.git.LastCommits(ctx, b.dir, merged, folder, names)
		if d := cmp.Diff(want, last.Of); d != "" || err != nil || !last.Complete {
			t.Errorf("of %q: %v %v %s", folder, err, last.Complete, d)
		}
		for _, hash := range last.Of {
			if c := last.Commits[hash]; c.Message == "" || c.Author.Name == "" {
				t.Errorf("the commit is %+v", c)
			}
		}
	}
	last, err := b.git.LastCommits(ctx, b.dir, merged, "", []string{"b", "never"})
	if err != nil || last.Complete || last.Of["b"] != third {
		t.Errorf("with one that never was: %+v, %v", last, err)
	}
	if _, err := b.git.LastCommits(ctx, b.dir, git.Zero, "", []string{"a"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("at no commit: %v", err)
	}
}

func TestHistoryIsNarrowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	first := b.record("", "Begin [x]", file("old name", "1\n2\n3\n4\n5\n"), file("other", "1"))
	r := request(first, git.FileChange{Path: "old name", Delete: true}, file("dir/new", "1\n2\n3\n4\n5\n"))
	r.Message, r.Author.Name = "Move it\n\nwith a long story: "+strings.Repeat("word ", 20_000), "Zoë Müller"
	r.Message = r.Message[:60_000]
	second, err := b.git.Commit(ctx, b.dir, r)
	if err != nil {
		t.Fatal(err)
	}
	third := b.record(second, "Change it", file("dir/new", "1\n2\n3\n4\nfive\n"))
	look := func(h git.History) (out []string) {
		t.Helper()
		h.Limit = 100
		commits, err := b.git.History(ctx, b.dir, third, h)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commits {
			out = append(out, c.Subject()+":"+c.Path)
		}
		return out
	}
	for want, h := range map[string]git.History{
		"Change it: Move it: Begin [x]:":                       {},
		"Change it: Move it:":                                  {Path: "dir/new"},
		"Change it:dir/new Move it:dir/new Begin [x]:old name": {Path: "dir/new", Follow: true},
		"Move it:dir/new Begin [x]:old name":                   {Path: "dir/new", Follow: true, Skip: 1},
		"Move it:":                                             {Author: "müller"},
		"Begin [x]:":                                           {Text: "[x]"},
		"Change it:":                                           {Without: second},
	} {
		if got := strings.Join(look(h), " "); got != want {
			t.Errorf("%+v gives %q, want %q", h, got, want)
		}
	}
	if _, err := b.git.History(ctx, b.dir, third, git.History{Author: "a\nb"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("two lines: %v", err)
	}
	found, err := b.git.CommitsOf(ctx, b.dir, []string{third, first, git.Zero, "--help"})
	if err != nil || len(found) != 2 || found[third].Subject() != "Change it" || found[first].Subject() != "Begin [x]" {
		t.Errorf("by hashes: %+v, %v", found, err)
	}
	for rev, want := range map[string]string{third[:7]: third, third[:39]: third, "main": third} {
		if got, err := b.git.Resolve(ctx, b.dir, rev); err != nil || got != want {
			t.Errorf("%s is %s, %v", rev, got, err)
		}
	}
	if _, err := b.git.Resolve(ctx, b.dir, third[:6]); !fault.Is(err, fault.NotFound) {
		t.Errorf("six digits: %v", err)
	}
}

func TestTagsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	head := b.record("", "first", file("a", "1"))
	hash, err := b.git.WriteTag(ctx, b.dir, "v1.0", head, "First release\n\nwith notes", git.Signature{Name: "Ann", Email: "ann@example.com", When: noon})
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]string{"v1.0": hash, "plain": head, "a/b": head} {
		if err := b.git.UpdateRef(ctx, b.dir, "refs/tags/"+name, "", at); err != nil {
			t.Fatal(err)
		}
	}
	tags, err := b.git.Tags(ctx, b.dir, []string{"v1.0", "plain", "a", "none"})
	if err != nil {
		t.Fatal(err)
	}
	v1 := tags["v1.0"]
	if v1.Commit != head || v1.Message != "First release\n\nwith notes" || v1.Tagger.Name != "Ann" || v1.Tagger.Email != "ann@example.com" || !v1.Tagger.When.Equal(noon) {
		t.Errorf("the tag is %+v", v1)
	}
	if tags["plain"].Commit != head || tags["plain"].Message != "" {
		t.Errorf("the plain tag is %+v", tags["plain"])
	}
	if got, err := b.git.Resolve(ctx, b.dir, "v1.0"); err != nil || got != head {
		t.Errorf("v1.0 is %s, %v", got, err)
	}
	for _, name := range []string{"../x", "a b", "-x\n", "a.lock"} {
		if _, err := b.git.WriteTag(ctx, b.dir, name, head, "m", git.Signature{Name: "Ann", When: noon}); !fault.Is(err, fault.Invalid) {
			t.Errorf("the tag %q: %v", name, err)
		}
	}
	if err := b.git.Check(ctx, b.dir); err != nil {
		t.Error(err)
	}
}

func TestDownloadsHoldAllFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	_, head := history(t, b)
	read := func(format string) []byte {
		t.Helper()
		r, err := b.git.Download(ctx, b.dir, head, format, "shop-main")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	content := read(git.FormatZip)
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range z.File {
		names[f.Name] = true
	}
	if !names["shop-main/README.md"] || !names["shop-main/dir/deep/bin"] {
		t.Errorf("the zip has %v", names)
	}
	plain, err := gzip.NewReader(bytes.NewReader(read(git.FormatTar)))
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(plain)
	if err != nil || !bytes.Contains(unpacked, []byte("shop-main/README.md")) {
		t.Errorf("the tar: %d bytes, %v", len(unpacked), err)
	}
	for _, c := range [][3]string{{head, "rar", "x"}, {head, "zip", "../x"}, {"--help", "zip", "x"}, {head, "zip", "-x\n"}} {
		if _, err := b.git.Download(ctx, b.dir, c[0], c[1], c[2]); !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
	if _, err := b.git.Download(ctx, b.dir, git.Zero, "zip", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("of no commit: %v", err)
	}
}

func TestFilesAreOpenedWhateverTheirSize(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	text := strings.Repeat("0123456789", 300_000)
	head := b.record("", "first", file("large", text), git.FileChange{Path: "link", Content: []byte("large"), Mode: "120000"})
	f, err := b.git.OpenFile(ctx, b.dir, head, "large")
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err != nil || string(content) != text || f.Size != int64(len(text)) {
		t.Errorf("%d of %d bytes, %v", len(content), f.Size, err)
	}
	f.Close()
	if f, err = b.git.OpenFile(ctx, b.dir, head, "large"); err != nil {
		t.Fatal(err)
	}
	f.Close() // nobody reads it
	if _, err := b.git.Entries(ctx, b.dir, strings.Repeat("1", 40), []string{"large"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("of a commit that is not there: %v", err)
	}
	entries, err := b.git.Entries(ctx, b.dir, head, []string{"large", "link", "none"})
	if err != nil || entries["large"].Hash != f.Hash || entries["link"].Mode != "120000" || len(entries) != 2 {
		t.Errorf("entries %v, %v", entries, err)
	}
	for path, kind := range map[string]fault.Kind{"none": fault.NotFound, "": fault.Invalid, "../x": fault.Invalid, "a\nb": fault.Invalid} {
		if _, err := b.git.OpenFile(ctx, b.dir, head, path); !fault.Is(err, kind) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// One client does not keep the others from searching and downloading.
func TestLookingIsShared(t *testing.T) {
	t.Parallel()
	b := setup(t)
	head := b.record("", "first", file("a", "text"))
	patient := b.git
	busy := patient.Impatient(time.Millisecond).Asking("busy")
	var open []io.Closer
	for range git.ServeShare {
		f, err := busy.OpenFile(t.Context(), b.dir, head, "a")
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, f)
	}
	if _, err := busy.OpenFile(t.Context(), b.dir, head, "a"); !fault.Is(err, fault.Exhausted) {
		t.Errorf("one download too many: %v", err)
	}
	f, err := busy.Asking("other").Download(t.Context(), b.dir, head, git.FormatZip, "x")
	if err != nil {
		t.Fatalf("another client: %v", err)
	}
	f.Close()
	for _, f := range open {
		f.Close()
		f.Close() // twice gives no second slot
	}
	if f, err := busy.OpenFile(t.Context(), b.dir, head, "a"); err != nil {
		t.Errorf("afterwards: %v", err)
	} else {
		f.Close()
	}
}
