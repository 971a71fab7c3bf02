package markdown

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var (
	kindAdmonition = ast.NewNodeKind("Admonition")
	kindTab        = ast.NewNodeKind("Tab")
	kindTabs       = ast.NewNodeKind("Tabs")
	kindRefused    = ast.NewNodeKind("Refused")
)

// admonition is a block that stands out: `!!! note "Title"`, `??? note` to unfold it, `???+ note` to fold it, and a quote
// that begins with [!NOTE].
type admonition struct {
	ast.BaseBlock
	kind  string // note, warning, …
	title string
	bare  bool // without a title
	fold  bool
	open  bool
}

func (n *admonition) Kind() ast.NodeKind            { return kindAdmonition }
func (n *admonition) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// tab is one of several texts of which one is looked at: `=== "Title"`.
type tab struct {
	ast.BaseBlock
	title string
}

func (n *tab) Kind() ast.NodeKind            { return kindTab }
func (n *tab) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// tabs are those that follow each other.
type tabs struct{ ast.BaseBlock }

func (n *tabs) Kind() ast.NodeKind            { return kindTabs }
func (n *tabs) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// refused is a line that would have brought in a file.
type refused struct {
	ast.BaseBlock
	line string
}

func (n *refused) Kind() ast.NodeKind            { return kindRefused }
func (n *refused) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// indented is what a block is made of whose content is what is indented by four below its first line.
type indented struct{}

func (indented) Continue(_ ast.Node, reader text.Reader, _ parser.Context) parser.State {
	line, _ := reader.PeekLine()
	if util.IsBlank(line) {
		reader.AdvanceToEOL()
		return parser.Continue | parser.HasChildren
	}
	if width, _ := util.IndentWidth(line, reader.LineOffset()); width < 4 {
		return parser.Close
	}
	pos, padding := util.IndentPosition(line, reader.LineOffset(), 4)
	reader.AdvanceAndSetPadding(pos, padding)
	return parser.Continue | parser.HasChildren
}

func (indented) Close(ast.Node, text.Reader, parser.Context) {}
func (indented) CanInterruptParagraph() bool                 { return true }
func (indented) CanAcceptIndentedLine() bool                 { return false }

var admonitionLine = regexp.MustCompile(`^(!!!|\?\?\?\+?)[ \t]+([\w-]+(?:[ \t]+[\w-]+)*)(?:[ \t]+"(.*?)")?[ \t]*$`)

type admonitionParser struct{ indented }

func (admonitionParser) Trigger() []byte { return []byte{'!', '?'} }

func (admonitionParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	m := admonitionLine.FindSubmatch(bytes.TrimSpace(line))
	if m == nil {
		return nil, parser.NoChildren
	}
	kinds := strings.Fields(string(m[2]))
	n := &admonition{kind: strings.ToLower(kinds[0]), fold: m[1][0] == '?', open: string(m[1]) == "???+", title: string(m[3])}
	n.bare = m[3] != nil && n.title == "" && !n.fold
	if n.title == "" {
		n.title = titled(n.kind)
	}
	reader.AdvanceToEOL()
	return n, parser.HasChildren
}

// titled gives the title of a block that has none of its own.
func titled(kind string) string {
	kind = strings.NewReplacer("-", " ", "_", " ").Replace(kind)
	if kind == "" {
		return ""
	}
	return strings.ToUpper(kind[:1]) + kind[1:]
}

var tabLine = regexp.MustCompile(`^===[!+]{0,2}[ \t]+"(.+?)"[ \t]*$`)

type tabParser struct{ indented }

func (tabParser) Trigger() []byte { return []byte{'='} }

func (tabParser) Open(_ ast.Node, reader text.Reader, _ parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	m := tabLine.FindSubmatch(bytes.TrimSpace(line))
	if m == nil {
		return nil, parser.NoChildren
	}
	reader.AdvanceToEOL()
	return &tab{title: string(m[1])}, parser.HasChildren
}

// snippetParser finds lines that would bring in a file: `--8<-- "FILE"`. None is, since it could be any file of the server
// that builds the page; here it is a note where it stands.
type snippetParser struct{}

var snippetLine = regexp.MustCompile(`^;*-{1,}8<-{1,}([ \t]+.*)?$`)

func (snippetParser) Trigger() []byte { return []byte{'-', ';'} }

func (snippetParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, segment := reader.PeekLine()
	if !snippetLine.Match(bytes.TrimSpace(line)) {
		return nil, parser.NoChildren
	}
	s := pc.Get(stateKey).(*state)
	n := &refused{line: string(bytes.TrimSpace(line))}
	s.problem(s.lines.at(segment.Start), "no files are included here ("+clip(n.line)+"); write the text, or link to it")
	reader.AdvanceToEOL()
	return n, parser.NoChildren
}

func (snippetParser) Continue(ast.Node, text.Reader, parser.Context) parser.State {
	return parser.Close
}
func (snippetParser) Close(ast.Node, text.Reader, parser.Context) {}
func (snippetParser) CanInterruptParagraph() bool                 { return true }
func (snippetParser) CanAcceptIndentedLine() bool                 { return false }

func clip(text string) string {
	if len(text) > 100 {
		return strings.ToValidUTF8(text[:100], "") + "…"
	}
	return text
}

// attributeParser takes away the attributes that Python's Markdown lets follow a link, an image or an emphasis, such as
// {: target=_blank .md-button}: none of them is kept, and they are no text.
type attributeParser struct{}

var attributes = regexp.MustCompile(`^\{:?[ \t]*(?:(?:[.#][\w:-]+|[\w-]+=(?:"[^"\n]*"|'[^'\n]*'|[^\s"'}]+))[ \t]*)+\}`)

func (attributeParser) Trigger() []byte { return []byte{'{'} }

func (attributeParser) Parse(parent ast.Node, block text.Reader, _ parser.Context) ast.Node {
	switch parent.LastChild().(type) {
	case *ast.Link, *ast.Image, *ast.CodeSpan, *ast.Emphasis, *ast.AutoLink:
	default:
		return nil
	}
	line, _ := block.PeekLine()
	m := attributes.Find(line[:min(len(line), 500)])
	if m == nil {
		return nil
	}
	block.Advance(len(m))
	return ast.NewString(nil)
}
