package git_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The pointers of Git LFS in a history are found wherever they stand in it, once, and without what was known before.
func TestPointersInAHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must("", "clone", "-q", b.url, "a")
	pointer := func(digit string) string {
		return fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12\n", strings.Repeat(digit, 64))
	}
	commit := func(files map[string]string) string {
		t.Helper()
		for name, content := range files {
			b.write("a/"+name, content)
		}
		b.must("a", "add", "-A")
		b.must("a", "commit", "-q", "-m", "change")
		return b.must("a", "rev-parse", "HEAD")
	}
	first := commit(map[string]string{"one": pointer("1"), "same": pointer("1"), "near": pointer("9") + strings.Repeat("x", 2000), "text": "version 1\n", "empty": ""})
	second := commit(map[string]string{"one": pointer("2")})
	b.must("a", "push", "-q", "origin", "HEAD:main")
	found := func(tips, known []string) (digits string) {
		t.Helper()
		list, err := b.git.Pointers(t.Context(), b.dir, tips, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Size != 12 {
				t.Errorf("%+v", p)
			}
			digits += p.OID[:1]
		}
		parts := strings.Split(digits, "")
		slices.Sort(parts)
		return strings.Join(parts, "")
	}
	lost := strings.Repeat("ab", 20)
	for _, c := range []struct {
		tips, known []string
		want        string
	}{
		{nil, nil, ""},
		{[]string{first}, nil, "1"},
		{[]string{second}, nil, "12"},
		{[]string{second, first}, []string{first}, "2"},
		{[]string{second}, []string{first, lost}, "2"},
		{[]string{second}, []string{second}, ""},
	} {
		if got := found(c.tips, c.known); got != c.want {
			t.Errorf("%v without %v: %q, want %q", c.tips, c.known, got, c.want)
		}
	}
	if _, err := b.git.Pointers(t.Context(), b.dir, []string{"--all"}, nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("what is no hash: %v", err)
	}
}
