package proposal

import (
	"path"
	"strings"
)

// ownersFiles are where the file of owners is looked for, the first that is there counts.
var ownersFiles = [...]string{"CODEOWNERS", ".roadbed/CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS"}

// ownersLimit bounds the file, in bytes.
const ownersLimit = 1 << 20

// ownerRule is one line of the file.
type ownerRule struct {
	pattern string
	owners  []string // none: whoever it was before, nobody owns it
}

// parseOwners reads a file of owners, as GitHub and GitLab write it: PATTERN OWNER…, the last line that matches a file
// counts. A section's header ([Name]) names owners for the lines below it that name none.
func parseOwners(text string) (rules []ownerRule) {
	var section []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:i])
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if rest := strings.TrimPrefix(line, "^"); strings.HasPrefix(rest, "[") && strings.Contains(rest, "]") {
			_, after, _ := strings.Cut(rest, "]")
			if strings.HasPrefix(after, "[") { // a number of approvals
				_, after, _ = strings.Cut(after, "]")
			}
			section = strings.Fields(after)
			continue
		}
		fields := splitOwners(line)
		r := ownerRule{fields[0], fields[1:]}
		if len(r.owners) == 0 {
			r.owners = section
		}
		rules = append(rules, r)
	}
	return rules
}

// splitOwners divides a line at spaces that no backslash stands before.
func splitOwners(line string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && line[i+1] == ' ':
			b.WriteByte(' ')
			i++
		case c == ' ' || c == '\t':
			if b.Len() > 0 {
				out = append(out, b.String())
				b.Reset()
			}
		default:
			b.WriteByte(c)
		}
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

// ownersOf gives who owns a file by the last rule that matches it.
func ownersOf(rules []ownerRule, file string) []string {
	for i := len(rules) - 1; i >= 0; i-- {
		if ownerMatches(rules[i].pattern, file) {
			return rules[i].owners
		}
	}
	return nil
}

// ownerMatches tells whether a pattern is for a file, by the rules of .gitignore: one with a slash that is not its last
// character is of the root, any other of every folder; a folder's name is for all below it.
func ownerMatches(pattern, file string) bool {
	folder := strings.HasSuffix(pattern, "/")
	p := strings.TrimSuffix(pattern, "/")
	anchored := strings.Contains(p, "/")
	p = strings.TrimPrefix(p, "/")
	if p == "" || p == "*" {
		return pattern != "/*" || !strings.Contains(file, "/")
	}
	parts := strings.Split(p, "/")
	if !anchored && parts[0] != "**" {
		parts = append([]string{"**"}, parts...)
	}
	return matchOwned(parts, strings.Split(file, "/"), folder, false)
}

// matchOwned matches parts of a pattern with those of a path. What matches a folder matches all below it, save that a
// last part with a star in it is for files alone, as GitHub has it.
func matchOwned(pattern, name []string, folder, starred bool) bool {
	if len(pattern) == 0 {
		return len(name) == 0 && !folder || len(name) > 0 && !starred
	}
	if pattern[0] == "**" {
		if len(pattern) == 1 {
			return len(name) > 0
		}
		for i := range name {
			if matchOwned(pattern[1:], name[i:], folder, starred) {
				return true
			}
		}
		return false
	}
	if len(name) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], name[0])
	if err != nil || !ok {
		return false
	}
	return matchOwned(pattern[1:], name[1:], folder, len(pattern) == 1 && len(pattern) > 0 && strings.Contains(pattern[0], "*") && !folder)
}
