package gitea

import (
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
)

// parseDiff reads what git diff writes. What it does not know it leaves out.
func parseDiff(text string) []forge.Changed {
	out := []forge.Changed{}
	var c *forge.Changed
	var oldLeft, newLeft int // lines of the hunk that are still to come
	var patch strings.Builder
	end := func() {
		if c != nil {
			c.Patch = strings.TrimSuffix(patch.String(), "\n")
			if c.Way != forge.Renamed {
				c.OldPath = ""
			}
		}
		patch.Reset()
	}
	for line := range strings.Lines(text) {
		bare := strings.TrimRight(line, "\r\n")
		if oldLeft > 0 || newLeft > 0 || strings.HasPrefix(line, `\`) && patch.Len() > 0 {
			patch.WriteString(line)
			switch line[0] {
			case '+':
				newLeft--
				c.Additions++
			case '-':
				oldLeft--
				c.Deleted++
			case ' ', '\n', '\r':
				oldLeft--
				newLeft--
			}
			continue
		}
		if rest, ok := strings.CutPrefix(bare, "diff --git "); ok {
			end()
			old, path := bothPaths(rest)
			out = append(out, forge.Changed{Path: path, OldPath: old, Way: forge.Modified})
			c = &out[len(out)-1]
			continue
		}
		if c == nil {
			continue
		}
		switch word, rest, _ := strings.Cut(bare, " "); {
		case strings.HasPrefix(bare, "new file mode"):
			c.Way = forge.Added
		case strings.HasPrefix(bare, "deleted file mode"):
			c.Way = forge.Removed
		case strings.HasPrefix(bare, "rename from "):
			c.Way, c.OldPath = forge.Renamed, unquoted(strings.TrimPrefix(bare, "rename from "))
		case strings.HasPrefix(bare, "rename to "):
			c.Path = unquoted(strings.TrimPrefix(bare, "rename to "))
		case word == "---" && rest != "/dev/null" && c.Way == forge.Removed:
			c.Path = side1(rest, "a/")
		case word == "+++" && rest != "/dev/null":
			c.Path = side1(rest, "b/")
		case word == "@@":
			oldLeft, newLeft = hunk(rest)
			patch.WriteString(line)
		}
	}
	end()
	return out
}

// side1 reads the path of a line that begins with --- or +++.
func side1(s, prefix string) string {
	return strings.TrimPrefix(unquoted(strings.TrimSuffix(s, "\t")), prefix)
}

// bothPaths reads the two paths of a file's first line. Where they are not quoted nothing parts them, but then they are
// the same, or other lines tell them.
func bothPaths(s string) (old, path string) {
	if strings.HasPrefix(s, `"`) || strings.HasSuffix(s, `"`) {
		if q, err := strconv.QuotedPrefix(s); err == nil {
			return strings.TrimPrefix(unquoted(q), "a/"), strings.TrimPrefix(unquoted(strings.TrimPrefix(s[len(q):], " ")), "b/")
		}
		if i := strings.Index(s, ` "b/`); i >= 0 {
			return strings.TrimPrefix(s[:i], "a/"), strings.TrimPrefix(unquoted(s[i+1:]), "b/")
		}
	}
	half := len(s) / 2
	if len(s)%2 == 1 && s[half] == ' ' {
		return strings.TrimPrefix(s[:half], "a/"), strings.TrimPrefix(s[half+1:], "b/")
	}
	return "", ""
}

// unquoted takes the quotes from a path in which git escaped something.
func unquoted(s string) string {
	if strings.HasPrefix(s, `"`) {
		if plain, err := strconv.Unquote(s); err == nil {
			return plain
		}
	}
	return s
}

// hunk reads how many lines of each side a hunk has, of "-1,2 +3,4 @@".
func hunk(s string) (before, after int) {
	count := func(part string) int {
		_, n, ok := strings.Cut(part, ",")
		if !ok {
			return 1
		}
		v, err := strconv.Atoi(n)
		if err != nil {
			return 0
		}
		return v
	}
	sides := strings.Fields(s)
	if len(sides) < 2 {
		return 0, 0
	}
	return count(sides[0]), count(sides[1])
}
