package server

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRepositoriesAreReadFromATerminal reads a repository by the command line alone.
func TestRepositoriesAreReadFromATerminal(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.push("alice", "crew/shop", map[string]string{"a.txt": "one\ntwo\n", "src/main.go": "package main\n"})
	text := t.TempDir() + "/text"
	write(t, text, "said\r\n")
	dot := filepath.Join(filepath.Dir(text), "dot.bin")
	write(t, dot, "\x89PNG\x00\xff")
	for i, c := range []struct {
		who, line string
		code      int
		wants     []string
	}{
		{"alice", "repo files crew/shop", 0, []string{"a.txt", "src/", "100644"}},
		{"alice", "repo files crew/shop src", 0, []string{"src/main.go"}},
		{"alice", "repo files crew/shop nowhere", 4, []string{"there is no folder"}},
		{"alice", "repo cat crew/shop a.txt", 0, []string{"one\ntwo\n"}},
		{"alice", "repo find crew/shop main", 0, []string{"src/main.go"}},
		{"alice", "repo search crew/shop TWO", 0, []string{"a.txt:2:two"}},
		{"alice", "repo search crew/shop ^(one|package) --regex --path *.go", 0, []string{"src/main.go:1:package main"}},
		{"alice", "repo search crew/shop TWO --case", 0, []string{"nothing was found"}},
		{"alice", "repo search crew/shop ( --regex", 1, []string{"is not a regular expression"}},
		{"alice", "repo blame crew/shop a.txt", 0, []string{"1-2"}},
		{"alice", "repo log crew/shop --path src", 0, []string{"COMMIT"}},
		{"alice", "repo tag crew/shop v1 --message First", 0, nil},
		{"alice", "repo tags crew/shop", 0, []string{"v1", "First"}},
		{"alice", "repo branch crew/shop fix", 0, nil},
		{"alice", "repo branches crew/shop", 0, []string{"fix", "main", "0"}},
		{"alice", "repo compare crew/shop v1 fix", 0, []string{"0 ahead, 0 behind, 0 files"}},
		{"alice", "repo tag crew/shop v1 --delete", 0, nil},
		{"alice", "repo branch crew/shop fix --delete", 0, nil},
		{"alice", "repo download crew/shop", 2, []string{"--to"}},
		{"alice", "repo download crew/shop --to " + t.TempDir() + "/x.tar.gz", 0, nil},
		{"alice", "repo write crew/shop docs/new.md", 2, []string{"--content"}},
		{"alice", "repo write crew/shop docs/new.md --content " + text + " --from main", 2, []string{"--branch"}},
		{"alice", "repo write crew/shop docs/new.md --content " + text + " --from main --branch docs --message Begin", 0, []string{"docs "}},
		{"alice", "repo write crew/shop docs/new.md --content " + text + " --branch docs --base=", 5, []string{"there is a file docs/new.md already"}},
		{"alice", "repo cat crew/shop docs/new.md --ref docs", 0, []string{"said\r\n"}},
		{"alice", "repo write crew/shop docs/new.md --delete --branch docs", 0, nil},
		{"alice", "repo cat crew/shop docs/new.md --ref docs", 4, nil},
		{"alice", "repo upload crew/shop " + dot + " --from main", 2, []string{"--branch"}},
		{"alice", "repo upload crew/shop " + dot + " " + text + " --to docs/images --from main --branch pictures", 0, []string{"pictures "}},
		{"alice", "repo log crew/shop --ref pictures", 0, []string{"Upload 2 files to docs/images"}},
		{"alice", "repo cat crew/shop docs/images/dot.bin --ref pictures", 0, []string{"\x89PNG\x00\xff"}},
		{"alice", "repo cat crew/shop docs/images/text --ref pictures", 0, []string{"said\r\n"}},
		{"alice", "repo upload crew/shop " + dot + " --to docs/images --branch pictures --new", 5, []string{"there is a file docs/images/dot.bin already"}},
		{"alice", "repo upload crew/shop - --branch pictures", 2, []string{"repo write"}},
		{"alice", "repo upload crew/shop " + filepath.Dir(text) + " --branch pictures", 1, []string{"is a directory"}},
		{"mallory", "repo cat crew/shop a.txt", 4, []string{"there is no repository"}},
	} {
		atTerminal(t, server.URL, g.as[c.who].Token)
		code, out, problem := say(c.line)
		for _, want := range c.wants {
			if !strings.Contains(out+problem, want) {
				t.Errorf("%d: %s: roadbed %s lacks %q:\n%s%s", i, c.who, c.line, want, out, problem)
			}
		}
		if code != c.code {
			t.Errorf("%d: %s: roadbed %s = %d, want %d:\n%s%s", i, c.who, c.line, code, c.code, out, problem)
		}
	}
}
