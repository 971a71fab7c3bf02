package cli

import (
	"path"
	"strings"
)

// ignoring tells which files of a folder its .terraformignore leaves out, by the rules of .gitignore: later lines win, !
// takes back, / at the end means folders, and elsewhere binds to the folder's top.
type ignoring []ignoreRule

type ignoreRule struct {
	parts   []string // of the pattern, between the /
	folders bool
	back    bool
}

func readIgnore(text string) (rules ignoring) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		var r ignoreRule
		line, r.back = strings.CutPrefix(line, "!")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, r.folders = strings.CutSuffix(line, "/")
		bound := strings.Contains(line, "/")
		line = strings.TrimPrefix(line, "/")
		if r.parts = strings.Split(line, "/"); !bound {
			r.parts = append([]string{"**"}, r.parts...)
		}
		rules = append(rules, r)
	}
	return rules
}

// leavesOut tells whether a file or folder is left out by itself; its parents are asked before.
func (rules ignoring) leavesOut(name string, folder bool) bool {
	parts := strings.Split(name, "/")
	for i := len(rules) - 1; i >= 0; i-- {
		if r := rules[i]; (folder || !r.folders) && fits(r.parts, parts) {
			return !r.back
		}
	}
	return false
}

// fits tells whether a pattern stands for a path; ** is any number of folders.
func fits(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(name) > 0
			}
			for i := range name {
				if fits(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}
