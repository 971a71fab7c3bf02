package markdown

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	emoji "github.com/yuin/goldmark-emoji"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of a page.
const (
	MaxPage  = 1 << 20 // bytes
	maxDepth = 60      // of blocks within blocks that one line opens
	maxHTML  = 16 << 20
	maxScan  = 20_000_000 // links of a line by its bytes
)

// Prefix is before every id of a page; an anchor is named without it.
const Prefix = "doc-"

// Link is a place that a page names.
type Link struct {
	Target string
	Line   int
	Image  bool
}

// Resolved is what became of a link.
type Resolved struct {
	Address string // "" takes the link away and leaves its text
	Outside bool   // an image of elsewhere, which is named in place of shown
}

// Options are what a page needs to know of the place that it stands in.
type Options struct {
	// Resolve gives the address of a link. It is nil when links are of no interest.
	Resolve func(Link) Resolved
}

// Heading is one of a page.
type Heading struct {
	Level int
	ID    string // without Prefix
	Text  string
	Line  int
}

// Section is the text under a heading, for search. That before the first heading has none.
type Section struct {
	ID      string
	Heading string
	Text    string
}

// Problem is something in the text of a page that can't be shown as it is meant.
type Problem struct {
	Line    int
	Message string
}

// Page is a page that was read.
type Page struct {
	Title       string // of the front matter, else the first heading of level one; "" without either
	Description string // of the front matter
	HTML        string
	Headings    []Heading
	Sections    []Section
	Links       []Link
	Anchors     map[string]bool // ids that a link can name, without Prefix
	Problems    []Problem
	Mermaid     bool // it has a diagram
}

// Renderer reads pages. It is safe for concurrent use.
type Renderer struct {
	markdown goldmark.Markdown
	policy   *bluemonday.Policy
}

// New gives a renderer.
func New() *Renderer {
	m := goldmark.New(
		goldmark.WithExtensions(
			extension.Linkify, extension.TaskList, extension.DefinitionList,
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), emoji.New(emoji.WithRenderingMethod(emoji.Unicode)),
			extension.NewFootnote(extension.WithFootnoteIDPrefix(Prefix)),
		),
		goldmark.WithParserOptions(
			parser.WithAutoHeadingID(), parser.WithHeadingAttribute(),
			parser.WithBlockParsers(util.Prioritized(admonitionParser{}, 90), util.Prioritized(tabParser{}, 91), util.Prioritized(snippetParser{}, 92), util.Prioritized(abbreviationParser{}, 93)),
			parser.WithInlineParsers(util.Prioritized(attributeParser{}, 90), util.Prioritized(spanParser{}, 500)),
			parser.WithASTTransformers(util.Prioritized(transformer{}, 1000)),
		),
		goldmark.WithRendererOptions(html.WithUnsafe(), renderer.WithNodeRenderers(util.Prioritized(nodes{}, 50))),
	)
	return &Renderer{markdown: m, policy: policy()}
}

// state is what one reading of a page gathers; the parsers and renderers find it in the context and in the document.
type state struct {
	page     *Page
	source   []byte
	lines    lineIndex
	options  Options
	meanings map[string]string // of abbreviations
}

var stateKey = parser.NewContextKey()

// Render reads a page and gives it as HTML. A page that is too large or too deep is fault.TooLarge.
func (r *Renderer) Render(source []byte, o Options) (Page, error) {
	s, root, err := r.parse(source, o)
	if err != nil {
		return Page{}, err
	}
	root.(*ast.Document).AddMeta(metaState, s)
	var out bytes.Buffer
	if err := r.markdown.Renderer().Render(&limited{&out}, s.source, root); err != nil {
		return Page{}, fault.Errorf(fault.TooLarge, "the page can't be shown: %w", err)
	}
	s.page.HTML = r.policy.SanitizeReader(&out).String()
	return *s.page, nil
}

// Read is Render without HTML, for who wants to know what a page holds and names.
func (r *Renderer) Read(source []byte) (Page, error) {
	s, _, err := r.parse(source, Options{})
	if err != nil {
		return Page{}, err
	}
	return *s.page, nil
}

const metaState = "roadbed.state"

func (r *Renderer) parse(source []byte, o Options) (*state, ast.Node, error) {
	if len(source) > MaxPage {
		return nil, nil, fault.Errorf(fault.TooLarge, "the page has %d bytes; at most %d are shown", len(source), MaxPage)
	}
	source = clean(source)
	front, source := frontMatter(source)
	if line := tooDeep(source); line > 0 {
		return nil, nil, fault.Errorf(fault.TooLarge, "line %d has more blocks within each other, or more links, than are shown (%d levels)", line, maxDepth)
	}
	s := &state{page: &Page{Anchors: map[string]bool{}}, source: source, lines: indexLines(source), options: o}
	s.page.Title, s.page.Description = front.title, front.description
	pc := parser.NewContext(parser.WithIDs(&ids{used: map[string]int{}}))
	pc.Set(stateKey, s)
	root := r.markdown.Parser().Parse(text.NewReader(source), parser.WithContext(pc))
	s.gather(root)
	return s, root, nil
}

// clean makes any bytes a text of lines.
func clean(source []byte) []byte {
	source = bytes.TrimPrefix(source, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(source, '\r') >= 0 {
		source = bytes.ReplaceAll(bytes.ReplaceAll(source, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	}
	if !utf8.Valid(source) {
		source = bytes.ToValidUTF8(source, []byte("\uFFFD"))
	}
	return source
}

// tooDeep gives the first line that opens more blocks, or has more links, than a page may have, and 0 when there is none. What a line opens is at
// most what its signs of quotes and lists say, and its indent.
func tooDeep(source []byte) int {
	number := 0
	for line := range bytes.Lines(source) {
		number++
		depth, indent := 0, 0
	signs:
		for i := 0; i < len(line); i++ {
			switch c := line[i]; {
			case c == '>':
				depth++
			case c == ' ':
				indent++
			case c == '\t':
				indent += 4
			case (c == '-' || c == '*' || c == '+' || c == '.' || c == ')' || c == ':') && i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t'):
				depth++
			case c >= '0' && c <= '9':
			default:
				break signs
			}
		}
		// The end of a link's address is looked for to the end of its line, from every link anew.
		if bytes.Count(line, []byte("]("))*len(line) > maxScan {
			return number
		}
		if depth > maxDepth || indent > 8*maxDepth && depth > 2 {
			return number
		}
	}
	return 0
}

// lineIndex finds the line of a place in the source.
type lineIndex []int

func indexLines(source []byte) lineIndex {
	starts := lineIndex{0}
	for i, c := range source {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (l lineIndex) at(pos int) int {
	low, high := 0, len(l)
	for low+1 < high {
		if mid := (low + high) / 2; l[mid] <= pos {
			low = mid
		} else {
			high = mid
		}
	}
	return low + 1
}

// line gives the line that a node begins at, or the nearest one above it that has a place.
func (s *state) line(n ast.Node) int {
	for ; n != nil; n = n.Parent() {
		if t, ok := n.(*ast.Text); ok {
			return s.lines.at(t.Segment.Start)
		}
		if pos := n.Pos(); pos >= 0 && n.Kind() != ast.KindDocument {
			return s.lines.at(pos)
		}
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			return s.lines.at(n.Lines().At(0).Start)
		}
	}
	return 1
}

func (s *state) problem(line int, message string) {
	const most = 100
	if len(s.page.Problems) < most {
		s.page.Problems = append(s.page.Problems, Problem{Line: line, Message: message})
	}
}

// limited ends a rendering that grows beyond all bounds.
type limited struct{ *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxHTML {
		return 0, fault.Errorf(fault.TooLarge, "it is more than %d MiB of HTML", maxHTML>>20)
	}
	return l.Buffer.Write(p)
}

type front struct{ title, description string }

// frontMatter takes the block of YAML off the top of a page. Its lines stay as empty ones, so that the others keep their
// numbers.
func frontMatter(source []byte) (front, []byte) {
	rest, ok := bytes.CutPrefix(source, []byte("---\n"))
	if !ok {
		return front{}, source
	}
	const most = 64 << 10
	end := bytes.Index(rest[:min(len(rest), most)], []byte("\n---"))
	if bytes.HasPrefix(rest, []byte("---")) {
		end = -1 // two rules, one after the other
	}
	if end < 0 {
		return front{}, source
	}
	head, tail := rest[:end+1], rest[end+4:]
	if i := bytes.IndexByte(tail, '\n'); i < 0 {
		tail = nil
	} else if len(bytes.TrimSpace(tail[:i])) > 0 {
		return front{}, source
	} else {
		tail = tail[i+1:]
	}
	f := front{title: field(head, "title"), description: field(head, "description")}
	blank := bytes.Repeat([]byte("\n"), bytes.Count(head, []byte("\n"))+2)
	return f, append(blank, tail...)
}

// field gives a text of the top level of YAML. A front matter is anybody's, so it is read for what is of use and never
// refused.
func field(yaml []byte, name string) string {
	for line := range bytes.Lines(yaml) {
		if value, ok := strings.CutPrefix(string(line), name+":"); ok {
			value = strings.TrimSpace(value)
			if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
				value = value[1 : n-1]
			} else if i := strings.Index(value, " #"); i >= 0 {
				value = strings.TrimSpace(value[:i])
			}
			if strings.ContainsAny(value[:min(1, len(value))], "|>&*{[") {
				return ""
			}
			return value
		}
	}
	return ""
}
