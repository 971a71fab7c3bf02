package git_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"pgregory.net/rapid"
)

// Names are judged as git check-ref-format judges them.
func TestCheckRefIsGits(t *testing.T) {
	t.Parallel()
	part := rapid.SampledFrom([]string{"refs", "heads", "main", "/", "/", "/", ".", "..", "@", "{", "@{", ".lock", "-", " ", "~", "^", ":", "?", "*", "[", `\`, "ü", "\x7f", "\t", "a", "b"})
	rapid.Check(t, func(t *rapid.T) {
		name := "refs/" + strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "")
		want := exec.Command("git", "check-ref-format", name).Run() == nil
		if err := git.CheckRef(name); (err == nil) != want {
			t.Errorf("CheckRef(%q) = %v; git takes it: %v", name, err, want)
		}
	})
}

func TestCheckNames(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "-x", "HEAD", "refs/heads/x", "a b", "a..b", "x.lock", "a\x00b", strings.Repeat("a", 300), "--upload-pack=x"} {
		if err := git.CheckBranch(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckBranch(%q) = %v", bad, err)
		}
	}
	for in, want := range map[string]string{"": "", ".": "", "a/b/": "a/b", "a//b": "a/b", "./a": "a", "a/../b": "b", "-x": "-x", ":(glob)*": ":(glob)*"} {
		if got, err := git.CheckPath(in); err != nil || got != want {
			t.Errorf("CheckPath(%q) = %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"/a", "..", "../a", "a/../../b", "a\nb", "a\x00", strings.Repeat("a", 5000)} {
		if got, err := git.CheckPath(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("CheckPath(%q) = %q, %v", bad, got, err)
		}
	}
}
