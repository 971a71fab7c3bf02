package scaffold

import (
	"regexp"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// patterns is a list of globs; one that starts with "!" takes out again. A pattern that names a folder stands for
// all below it.
type patterns []pattern

type pattern struct {
	re  *regexp.Regexp
	not bool
}

func compileGlobs(globs []string) (patterns, error) {
	if len(globs) > 200 {
		return nil, fault.Errorf(fault.Invalid, "%d patterns are too many; at most 200 are taken", len(globs))
	}
	var list patterns
	for _, glob := range globs {
		text, not := strings.CutPrefix(glob, "!")
		if len(text) > 1000 {
			return nil, fault.Errorf(fault.Invalid, "the pattern %q is over 1000 characters", clip(text, 60))
		}
		text = strings.TrimSuffix(strings.TrimPrefix(text, "./"), "/")
		re, err := regexp.Compile("^" + globExpression(text) + "(?:/.*)?$")
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, "%q is not a pattern of files", clip(glob, 200))
		}
		list = append(list, pattern{re, not})
	}
	return list, nil
}

func (list patterns) match(name string) bool {
	matched := false
	for _, p := range list {
		if p.re.MatchString(name) {
			matched = !p.not
		}
	}
	return matched
}

// globExpression turns **, *, ?, [a-z] and {a,b} into a regular expression.
func globExpression(glob string) string {
	var b strings.Builder
	var braces []bool // open ones: whether each is a list of choices
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case strings.HasPrefix(glob[i:], "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[':
			if end := strings.IndexByte(glob[i+1:], ']'); end > 0 {
				class := strings.ReplaceAll(glob[i+1:i+1+end], `\`, `\\`)
				if rest, not := strings.CutPrefix(class, "!"); not {
					class = "^/" + rest
				}
				b.WriteString("[" + strings.ReplaceAll(class, "[", `\[`) + "]")
				i += end + 1
			} else {
				b.WriteString(`\[`)
			}
		case c == '{':
			choices := hasChoices(glob[i+1:])
			braces = append(braces, choices)
			b.WriteString(map[bool]string{true: "(?:", false: `\{`}[choices])
		case c == '}' && len(braces) > 0:
			choices := braces[len(braces)-1]
			braces = braces[:len(braces)-1]
			b.WriteString(map[bool]string{true: ")", false: `\}`}[choices])
		case c == ',' && len(braces) > 0 && braces[len(braces)-1]:
			b.WriteString("|")
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return b.String()
}

// hasChoices tells whether what follows a brace is a list such as a,b}: braces around one thing stand for themselves.
func hasChoices(rest string) bool {
	depth, choices := 0, false
	for _, c := range rest {
		switch c {
		case '{':
			depth++
		case ',':
			choices = choices || depth == 0
		case '}':
			if depth == 0 {
				return choices
			}
			depth--
		}
	}
	return false
}
