package markdown

import (
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// nodes renders what this package adds or does in its own way.
type nodes struct{}

func (r nodes) RegisterFuncs(reg renderer.NodeRendererFuncRegisterer) {
	reg.Register(kindAdmonition, r.admonition)
	reg.Register(kindTabs, r.tabs)
	reg.Register(kindTab, r.tab)
	reg.Register(kindRefused, r.refused)
	reg.Register(kindSpan, r.span)
	reg.Register(kindAbbreviation, r.nothing)
	reg.Register(kindContents, r.contents)
	reg.Register(ast.KindHeading, r.heading)
	reg.Register(ast.KindFencedCodeBlock, r.fenced)
	reg.Register(ast.KindCodeBlock, r.codeBlock)
	reg.Register(ast.KindLink, r.link)
	reg.Register(ast.KindImage, r.image)
	reg.Register(ast.KindHTMLBlock, r.htmlBlock)
	reg.Register(ast.KindRawHTML, r.rawHTML)
	reg.Register(extast.KindTaskCheckBox, r.task)
	reg.Register(extast.KindTable, r.table)
}

func stateOf(n ast.Node) *state {
	s, _ := n.OwnerDocument().Meta()[metaState].(*state)
	return s
}

// write writes texts; the buffer keeps its error for the end.
func write(w util.BufWriter, texts ...string) {
	for _, t := range texts {
		_, _ = w.WriteString(t)
	}
}

// colors are the kinds of admonitions that look different; others look like a note.
var colors = map[string]string{
	"note": "note", "seealso": "note", "abstract": "note", "summary": "note", "tldr": "note", "info": "note", "todo": "note", "important": "important",
	"tip": "tip", "hint": "tip", "success": "tip", "check": "tip", "done": "tip", "question": "question", "help": "question", "faq": "question",
	"warning": "warning", "attention": "warning", "caution": "danger", "failure": "danger", "fail": "danger", "missing": "danger",
	"danger": "danger", "error": "danger", "bug": "danger", "example": "example", "quote": "quote", "cite": "quote",
}

func (nodes) admonition(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*admonition)
	color := colors[n.kind]
	if color == "" {
		color = "note"
	}
	class := `class="doc-admonition doc-` + color + `"`
	switch {
	case n.fold && entering:
		open := ""
		if n.open {
			open = ` open=""`
		}
		write(w, "<details ", class, open, "><summary>", html.EscapeString(n.title), "</summary>\n")
	case n.fold:
		write(w, "</details>\n")
	case entering:
		write(w, "<div ", class, ">\n")
		if !n.bare {
			write(w, `<p class="doc-title">`, html.EscapeString(n.title), "</p>\n")
		}
	default:
		write(w, "</div>\n")
	}
	return ast.WalkContinue, nil
}

func (nodes) tabs(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		write(w, `<div class="doc-tabs">`, "\n")
	} else {
		write(w, "</div>\n")
	}
	return ast.WalkContinue, nil
}

func (nodes) tab(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		write(w, `<section class="doc-tab"><p class="doc-title">`, html.EscapeString(node.(*tab).title), "</p>\n")
	} else {
		write(w, "</section>\n")
	}
	return ast.WalkContinue, nil
}

func (nodes) refused(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		write(w, `<p class="doc-refused">No files are included here: <code>`, html.EscapeString(node.(*refused).line), "</code></p>\n")
	}
	return ast.WalkContinue, nil
}

func (nodes) heading(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*ast.Heading)
	level := strconv.Itoa(n.Level)
	id := ""
	if raw, ok := n.AttributeString("id"); ok {
		if bytes, ok := raw.([]byte); ok {
			id = string(bytes)
		}
	}
	if entering {
		write(w, "<h", level)
		if id != "" {
			write(w, ` id="`, Prefix, html.EscapeString(id), `"`)
		}
		write(w, ">")
		return ast.WalkContinue, nil
	}
	if id != "" {
		write(w, `<a class="doc-anchor" href="#`, html.EscapeString(id), `" title="Link to this section">#</a>`)
	}
	write(w, "</h", level, ">\n")
	return ast.WalkContinue, nil
}

func linesText(lines *text.Segments, source []byte) string { return segmentsText(lines, source) }

func (nodes) fenced(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*ast.FencedCodeBlock)
	var c code
	if n.Info != nil {
		c = parseInfo(string(n.Info.Value(source)))
	}
	writeCode(w, c, linesText(n.Lines(), source))
	return ast.WalkSkipChildren, nil
}

func (nodes) codeBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		writeCode(w, code{}, linesText(node.Lines(), source))
	}
	return ast.WalkSkipChildren, nil
}

// code is a block of code.
type code struct {
	language string
	title    string
	numbers  int // the number of its first line; 0 for none
	marked   map[int]bool
}

// writeCode writes a block with a span for each of its lines. Whoever shows the page colours them by data-language.
func writeCode(w util.BufWriter, c code, source string) {
	if c.language == "mermaid" {
		write(w, `<pre class="doc-mermaid">`, html.EscapeString(source), "</pre>\n")
		return
	}
	write(w, `<div class="doc-code"`)
	if c.language != "" {
		write(w, ` data-language="`, html.EscapeString(c.language), `"`)
	}
	write(w, ">")
	if c.title != "" {
		write(w, `<div class="doc-codetitle">`, html.EscapeString(c.title), "</div>")
	}
	write(w, "<pre><code>")
	number := 0
	for line := range strings.Lines(source) {
		number++
		write(w, `<span class="doc-line`)
		if c.marked[number] {
			write(w, " doc-marked")
		}
		write(w, `"`)
		if c.numbers > 0 {
			write(w, ` data-line="`, strconv.Itoa(c.numbers+number-1), `"`)
		}
		write(w, ">", html.EscapeString(line), "</span>")
	}
	write(w, "</code></pre></div>\n")
}

var infoOption = regexp.MustCompile(`([\w-]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^\s"'}]+))`)

// parseInfo reads what stands behind the fence of a block: python title="x.py" linenums="1" hl_lines="2 4-6", or the same in
// braces.
func parseInfo(info string) code {
	c := code{marked: map[int]bool{}}
	info = strings.TrimSpace(info)
	inner, braces := info, false
	if rest, ok := strings.CutPrefix(info, "{"); ok {
		inner, braces = strings.TrimSuffix(rest, "}"), true
	}
	if fields := strings.Fields(inner); len(fields) > 0 && !strings.Contains(fields[0], "=") {
		name, _, _ := strings.Cut(fields[0], "{")
		if !braces || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "python") {
			c.language = strings.ToLower(strings.TrimPrefix(name, "."))
		}
	}
	for _, m := range infoOption.FindAllStringSubmatch(inner, 20) {
		value := m[2] + m[3] + m[4]
		switch m[1] {
		case "title":
			c.title = value
		case "linenums":
			n, err := strconv.Atoi(strings.Fields(value + " 1")[0])
			if err == nil && n > 0 && n < 1_000_000 {
				c.numbers = n
			}
		case "hl_lines":
			markLines(c.marked, value)
		}
	}
	return c
}

func markLines(marked map[int]bool, value string) {
	const most = 10_000
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' }) {
		from, to, isRange := strings.Cut(part, "-")
		a, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		b := a
		if isRange {
			if b, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		for i := a; i <= b && i > 0 && len(marked) < most; i++ {
			marked[i] = true
		}
	}
}

func (nodes) link(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n, s := node.(*ast.Link), stateOf(node)
	to := s.resolve(Link{Target: string(n.Destination), Line: s.line(n)})
	switch {
	case to.Address == "":
	case entering:
		write(w, `<a href="`, html.EscapeString(to.Address), `"`)
		if len(n.Title) > 0 {
			write(w, ` title="`, html.EscapeString(string(n.Title)), `"`)
		}
		write(w, ">")
	default:
		write(w, "</a>")
	}
	return ast.WalkContinue, nil
}

func (nodes) image(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n, s := node.(*ast.Image), stateOf(node)
	var alt strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			s.inline(&alt, n)
		}
		return ast.WalkContinue, nil
	})
	target := string(n.Destination)
	to := s.resolve(Link{Target: target, Line: s.line(n), Image: true})
	switch {
	case to.Outside:
		inLink := false
		for p := n.Parent(); p != nil && !inLink; p = p.Parent() {
			inLink = p.Kind() == ast.KindLink
		}
		if inLink {
			write(w, outsideImage(alt.String(), target))
		} else {
			write(w, `<a href="`, html.EscapeString(target), `">`, outsideImage(alt.String(), target), "</a>")
		}
	case to.Address == "":
		write(w, html.EscapeString(alt.String()))
	default:
		write(w, `<img src="`, html.EscapeString(to.Address), `" alt="`, html.EscapeString(alt.String()), `" loading="lazy"`)
		if len(n.Title) > 0 {
			write(w, ` title="`, html.EscapeString(string(n.Title)), `"`)
		}
		write(w, ">")
	}
	return ast.WalkSkipChildren, nil
}

func (nodes) htmlBlock(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if n, s := node.(*ast.HTMLBlock), stateOf(node); entering {
		write(w, s.rewrite(s.htmlOf(n), s.line(n)))
	}
	return ast.WalkSkipChildren, nil
}

func (nodes) rawHTML(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if n, s := node.(*ast.RawHTML), stateOf(node); entering {
		write(w, s.rewrite(segmentsText(n.Segments, source), s.line(n)))
	}
	return ast.WalkSkipChildren, nil
}

func (nodes) task(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		box := "☐ "
		if node.(*extast.TaskCheckBox).IsChecked {
			box = "☑ "
		}
		write(w, `<span class="doc-task">`, box, "</span>")
	}
	return ast.WalkContinue, nil
}

// table lets a wide table scroll by itself.
func (nodes) table(w util.BufWriter, _ []byte, _ ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		write(w, `<div class="doc-table"><table>`, "\n")
	} else {
		write(w, "</table></div>\n")
	}
	return ast.WalkContinue, nil
}
