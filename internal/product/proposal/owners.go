package proposal

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// ownersFiles are where the file of owners is looked for, the first that is there counts.
var ownersFiles = [...]string{"CODEOWNERS", ".roadbed/CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS"}

// Bounds of the file: its bytes, and the words about it that are given.
const (
	ownersLimit    = 1 << 20
	ownersWarnings = 20
)

// ownerRule is one line of the file.
type ownerRule struct {
	pattern string
	owners  []string // none: whoever it was before, nobody owns it
	except  bool     // !PATTERN: nobody of its section owns it, whatever else is said
}

// ownerSection is a part of the file whose rules count by themselves. A file as GitHub has it is one section.
type ownerSection struct {
	name     string // "" for what stands before the first header
	optional bool   // ^[NAME]: its owners are asked, and need not answer
	needs    int    // [NAME][2]: so many of the owners of each file must approve
	rules    []ownerRule
}

var sectionHeader = regexp.MustCompile(`^(\^?)\[([^\[\]]+)\](?:\[(\d{1,2})\])?(?:\s+(.*))?$`)

// parseOwners reads a file of owners, as GitHub and GitLab write it: PATTERN OWNER…, of which the last line that matches a
// file counts. A header ([Name]) begins a section, which counts besides the others; it names owners for the lines below it
// that name none. Sections of one name are one. What can't be read is left out, with a word.
func parseOwners(text string) (sections []*ownerSection, warnings []string) {
	here := &ownerSection{needs: 1}
	sections = append(sections, here)
	var usual []string
	number := 0
	warn := func(format string, args ...any) {
		if len(warnings) < ownersWarnings {
			warnings = append(warnings, fmt.Sprintf("line %d: ", number)+fmt.Sprintf(format, args...))
		}
	}
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if i := strings.Index(line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:i])
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if m := sectionHeader.FindStringSubmatch(line); m != nil {
			usual = strings.Fields(m[4])
			here = sectionOf(&sections, strings.TrimSpace(m[2]))
			here.optional = here.optional || m[1] != ""
			if n, err := strconv.Atoi(m[3]); err == nil {
				here.needs = max(here.needs, n)
			}
			warnOwners(usual, warn)
			continue
		}
		if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "^[") {
			warn("%.100q is no header of a section; write [Name], [Name][2] or ^[Name]", line)
			continue
		}
		fields := splitOwners(line)
		r := ownerRule{pattern: fields[0], owners: fields[1:]}
		r.pattern, r.except = strings.CutPrefix(r.pattern, "!")
		if _, err := path.Match(strings.ReplaceAll(r.pattern, "**", "*"), "x"); err != nil || r.pattern == "" {
			warn("%.100q is no pattern", fields[0])
			continue
		}
		warnOwners(r.owners, warn)
		if len(r.owners) == 0 {
			r.owners = usual
		}
		here.rules = append(here.rules, r)
	}
	return sections, warnings
}

// sectionOf gives the section of a name, whatever its case; a new one when there is none.
func sectionOf(sections *[]*ownerSection, name string) *ownerSection {
	for _, s := range *sections {
		if strings.EqualFold(s.name, name) {
			return s
		}
	}
	s := &ownerSection{name: name, needs: 1}
	*sections = append(*sections, s)
	return s
}

// warnOwners says which owners can be nobody. They stay: what is theirs waits for somebody all the same.
func warnOwners(owners []string, warn func(format string, args ...any)) {
	for _, owner := range owners {
		switch {
		case strings.HasPrefix(owner, "@@"):
			warn("%.100s is a role, and roles own nothing here; write @name of a user or a group", owner)
		case strings.HasPrefix(owner, "@") && len(owner) > 1, strings.Contains(owner, ":"):
		case strings.Contains(owner, "@"):
			warn("%.100s is an address, and nobody is known by one; write @name", owner)
		default:
			warn("%.100s is no owner; write @name of a user or a group", owner)
		}
	}
}

// splitOwners divides a line at spaces that no backslash stands before.
func splitOwners(line string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '#'):
			b.WriteByte(line[i+1])
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

// ownersOf gives who owns a file in a section by the last rule that matches it.
func (s *ownerSection) ownersOf(file string) (owners []string) {
	for _, r := range s.rules {
		if !ownerMatches(r.pattern, file) {
			continue
		}
		if r.except {
			return nil
		}
		owners = r.owners
	}
	return owners
}

// ownedBy groups changed files by section and owners, in the order of the file.
func ownedBy(sections []*ownerSection, changed []string) (out []Owned) {
	for _, s := range sections {
		at := map[string]int{}
		for _, file := range changed {
			owners := s.ownersOf(file)
			if len(owners) == 0 {
				continue
			}
			key := strings.Join(owners, " ")
			i, known := at[key]
			if !known {
				i = len(out)
				at[key] = i
				out = append(out, Owned{Section: s.name, Optional: s.optional, Needs: s.needs, Owners: owners})
			}
			out[i].Files = append(out[i].Files, file)
		}
	}
	return out
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
