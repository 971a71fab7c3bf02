package git

import (
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What git prints holds names that came from outside; nothing of it may make a reader fail otherwise than by an error.
func FuzzParseRaw(f *testing.F) {
	hash := strings.Repeat("1", 40)
	f.Add(":100644 100644 " + hash + " " + hash + " M\x00a\x00" + "1\t2\ta\x00")
	f.Add(":100644 100644 " + hash + " " + hash + " R100\x00a\x00b\x00" + "0\t0\t\x00a\x00b\x00")
	f.Add(":\x00")
	f.Fuzz(func(t *testing.T, out string) {
		files, err := parseRaw(out)
		for _, d := range files {
			if err == nil && d.Status == "" {
				t.Errorf("%q gives %+v", out, d)
			}
		}
	})
}

func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{"a/b", "../x", "a/../../b", "./a//b/", "\x00", "-x", ".git"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		clean, err := CheckPath(p)
		if err != nil {
			return
		}
		if strings.HasPrefix(clean, "/") || strings.Contains("/"+clean+"/", "/../") || strings.ContainsAny(clean, "\n\x00") {
			t.Errorf("%q is let through as %q", p, clean)
		}
		if again, err := CheckPath(clean); err != nil || again != clean {
			t.Errorf("%q is clean as %q, which is clean as %q, %v", p, clean, again, err)
		}
		if checkNewPath(p) == nil && (clean != p || path.Base(p) == ".git") {
			t.Errorf("%q may be written", p)
		}
	})
}

func FuzzPackedRefs(f *testing.F) {
	hash := strings.Repeat("1", 40)
	f.Add("# pack-refs with: peeled fully-peeled sorted \n" + hash + " refs/heads/main\n" + hash + " refs/tags/v1\n^" + hash + "\n")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, content string) {
		dir := t.TempDir()
		if err := os.WriteFile(dir+"/packed-refs", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		refs, err := packedRefs(dir)
		for name, hash := range refs {
			if err == nil && (!IsHash(hash) || strings.Contains(name, "\n")) {
				t.Errorf("%q gives %q %q", content, name, hash)
			}
		}
	})
}

func TestParseHeader(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("a", 40)
	for line, want := range map[string]struct {
		object  object
		follows int64
	}{
		hash + " blob 12":           {object{hash: hash, kind: "blob"}, 12},
		hash + " blob -1":           {object{}, -1},
		hash + ":a b missing":       {object{}, -1},
		"symlink 11":                {object{lost: leadsOut}, 11},
		"dangling 9":                {object{lost: leadsNowhere}, 9},
		"loop 0":                    {object{lost: leadsRound}, 0},
		"notdir 5":                  {object{lost: leadsThroughFile}, 5},
		"notdir -5":                 {object{}, -1},
		"lost 5":                    {object{}, -1},
		"symlink x":                 {object{}, -1},
		hash + ":blob 12 missing x": {object{}, -1},
	} {
		o, follows := parseHeader(line, true)
		if diff := cmp.Diff(want.object, o, cmp.AllowUnexported(object{})); diff != "" || follows != want.follows {
			t.Errorf("%q: %s, %d follow", line, diff, follows)
		}
	}
}

// Whatever a repository holds, what git says of it is read within the bounds of a search.
func FuzzFinder(f *testing.F) {
	f.Add("c:a\x001\x003\x00a needle\nc:a\x002\x00next\n--\nc:b\x001\x001\x00needle\n", 1)
	f.Add("c:\x00\x00\x00\n", 0)
	f.Fuzz(func(t *testing.T, out string, skip int) {
		s := Search{Text: "needle", Files: 3, Skip: skip % 5}
		found := &finder{search: s, prefix: "c:", marks: s.marker()}
		_ = found.read(strings.NewReader(out)) // what it says is no matter
		all := found.results()
		if len(all.Files) > s.Files {
			t.Errorf("%q gives %d files", out, len(all.Files))
		}
		for _, file := range all.Files {
			for _, l := range file.Lines {
				for _, m := range l.Marks {
					if n := len([]rune(l.Text)); m[0] < 0 || m[1] > n || m[0] >= m[1] {
						t.Errorf("%q marks %v of %q", out, m, l.Text)
					}
				}
				if len(l.Text) > 3*grepWidth {
					t.Errorf("%q gives a line of %d bytes", out, len(l.Text))
				}
			}
		}
	})
}

func FuzzBlame(f *testing.F) {
	hash := strings.Repeat("1", 40)
	f.Add(hash + " 1 1 2\nauthor a\nauthor-time 5\nsummary s\nprevious " + hash + " b\nfilename a\n")
	f.Add(hash + " 1 x 2\nfilename \"a\\\"\n")
	f.Fuzz(func(t *testing.T, out string) {
		b := Blame{Commits: map[string]Commit{}}
		if b.read(strings.NewReader(out)) != nil {
			return
		}
		for _, h := range b.sorted().Hunks {
			if _, ok := b.Commits[h.Commit]; !ok {
				t.Errorf("%q has a hunk of %s, which it does not tell of", out, h.Commit)
			}
		}
	})
}
