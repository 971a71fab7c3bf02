package markdown

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"
	"golang.org/x/text/unicode/norm"
)

// ids gives headings the anchors that MkDocs gives them, so that links that people have keep their meaning.
type ids struct{ used map[string]int }

// Generate gives the anchor of a heading.
func (i *ids) Generate(value []byte, _ ast.NodeKind) []byte {
	// The parser gives the source of the heading; what is a link or an entity in it counts by its text.
	return []byte(i.unique(slug(plain(string(value)))))
}

// Put takes an anchor that its author chose.
func (i *ids) Put(value []byte) { i.used[util.BytesToReadOnlyString(value)]++ }

func (i *ids) unique(id string) string {
	if id == "" {
		id = "section"
	}
	first := id
	for i.used[id] > 0 {
		id = first + "_" + strconv.Itoa(i.used[first])
		i.used[first]++
	}
	i.used[id]++
	return id
}

// plain takes the signs of Markdown out of the source of a heading, as far as they would change its anchor.
func plain(heading string) string {
	var b strings.Builder
	for i := 0; i < len(heading); i++ {
		if heading[i] == ']' && i+1 < len(heading) && (heading[i+1] == '(' || heading[i+1] == '[') {
			closing := byte(')')
			if heading[i+1] == '[' {
				closing = ']'
			}
			if end := strings.IndexByte(heading[i+2:], closing); end >= 0 {
				i += 2 + end
				continue
			}
		}
		b.WriteByte(heading[i])
	}
	return b.String()
}

// slug is the anchor of a text by the rules of Python's Markdown; letters beyond ASCII stay, since a heading without any
// other would have none.
func slug(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_':
			b.WriteRune(unicode.ToLower(r))
		case unicode.IsSpace(r) || r == '-':
			b.WriteByte('-')
		}
		if b.Len() > 200 {
			break
		}
	}
	parts := strings.FieldsFunc(b.String(), func(r rune) bool { return r == '-' })
	return norm.NFC.String(strings.Join(parts, "-"))
}

// Title gives the title of a page without reading it in whole: that of its front matter, else its first heading of level
// one.
func Title(source []byte) string {
	source = clean(source[:min(len(source), 64<<10)])
	f, rest := frontMatter(source)
	if f.title != "" {
		return f.title
	}
	fence, last := "", ""
	for line := range strings.Lines(string(rest)) {
		line = strings.TrimRight(line, "\n ")
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~"):
			fence = trimmed[:3]
		case strings.HasPrefix(line, "# "):
			return inlineText(strings.TrimRight(strings.TrimSpace(line[2:]), "# "))
		case last != "" && line != "" && strings.Trim(line, "=") == "":
			return inlineText(last)
		default:
			last = trimmed
			continue
		}
		last = ""
	}
	return ""
}

var (
	titleMarks = strings.NewReplacer("`", "", "**", "", "__", "", "*", "")
	titleHTML  = regexp.MustCompile(`<[^>]*>|!\[[^\]]*\]\([^)]*\)|\{[:#.][^}]*\}|\{#[^}]*\}`)
	titleLink  = regexp.MustCompile(`\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?`)
)

func inlineText(line string) string {
	line = titleLink.ReplaceAllString(titleHTML.ReplaceAllString(line, ""), "$1")
	return strings.TrimSpace(html.UnescapeString(titleMarks.Replace(line)))
}
