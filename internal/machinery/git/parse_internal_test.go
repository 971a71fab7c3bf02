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
		"symlink 11":                {object{}, 11},
		"notdir 5":                  {object{}, 5},
		"symlink x":                 {object{}, -1},
		hash + ":blob 12 missing x": {object{}, -1},
	} {
		o, follows := parseHeader(line, true)
		if diff := cmp.Diff(want.object, o, cmp.AllowUnexported(object{})); diff != "" || follows != want.follows {
			t.Errorf("%q: %s, %d follow", line, diff, follows)
		}
	}
}
