package markdown

import (
	"bytes"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

var (
	kindSpan         = ast.NewNodeKind("Span")
	kindAbbreviation = ast.NewNodeKind("Abbreviation")
	kindContents     = ast.NewNodeKind("Contents")
)

// span is a piece of text of a meaning: ==mark==, ^^insert^^, ~~delete~~, H~2~O, x^2^, and an abbreviation with what it stands for.
type span struct {
	ast.BaseInline
	tag   string
	title string
}

func (n *span) Kind() ast.NodeKind            { return kindSpan }
func (n *span) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// abbreviation is a line that says what one stands for. It is not shown.
type abbreviation struct{ ast.BaseBlock }

func (n *abbreviation) Kind() ast.NodeKind            { return kindAbbreviation }
func (n *abbreviation) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// contents stands where a page says [TOC].
type contents struct{ ast.BaseBlock }

func (n *contents) Kind() ast.NodeKind            { return kindContents }
func (n *contents) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// around is a sign that stands on both sides of a text: twice, or of a tilde once, too.
type around struct {
	sign byte
	tag  string
}

var arounds = map[byte]around{'=': {'=', "mark"}, '^': {'^', "ins"}, '~': {'~', "del"}}

func (a around) IsDelimiter(b byte) bool { return b == a.sign }

func (a around) CanOpenCloser(opener, closer *parser.Delimiter) bool {
	return opener.Char == closer.Char && opener.OriginalLength == closer.OriginalLength
}

func (a around) OnMatch(int) ast.Node { return &span{tag: a.tag} }

// spanParser reads spans as Python's Markdown has them with PyMdown's extensions.
type spanParser struct{}

func (spanParser) Trigger() []byte { return []byte{'=', '^', '~'} }

func (spanParser) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	sign := line[0]
	if before == rune(sign) || segment.Padding != 0 {
		return nil
	}
	if n := low(line); n > 0 {
		s := &span{tag: map[byte]string{'~': "sub", '^': "sup"}[sign]}
		s.SetPos(segment.Start)
		s.AppendChild(s, ast.NewTextSegment(text.NewSegment(segment.Start+1, segment.Start+1+n)))
		block.Advance(n + 2)
		return s
	}
	d := parser.ScanDelimiter(line, before, 1, arounds[sign])
	if d == nil || d.OriginalLength > 2 || d.OriginalLength == 1 && sign != '~' {
		return nil
	}
	if sign != '~' { // not in the middle of a word: x==y
		after, _ := utf8.DecodeRune(line[d.OriginalLength:])
		d.CanOpen, d.CanClose = d.CanOpen && !isWord(before), d.CanClose && !isWord(after)
	}
	if !d.CanOpen && !d.CanClose {
		return nil
	}
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	pc.PushDelimiter(d)
	return d
}

// low gives the length of the text between two single signs that a line begins with, which has no space: ~2~ and ^2^.
func low(line []byte) int {
	sign := line[0]
	if sign == '=' {
		return 0
	}
	for i := 1; i < len(line); i++ {
		switch c := line[i]; {
		case c == sign && i > 1 && (i+1 == len(line) || line[i+1] != sign):
			return i - 1
		case c == sign || c <= ' ' || c == '`' || c == '[' || c == ']' || c == '<' || c == '\\':
			return 0
		}
	}
	return 0
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// Bounds of the abbreviations of a page.
const (
	maxAbbreviations = 200
	maxAbbreviation  = 100    // bytes of one
	maxMeaning       = 500    // of what it stands for
	maxExplained     = 10_000 // places where they are written
)

var abbreviationLine = regexp.MustCompile(`^\*\[([^\[\]]+)\][ \t]?:[ \t]*(.*)$`)

// abbreviationParser reads lines such as *[API]: Application Programming Interface.
type abbreviationParser struct{}

func (abbreviationParser) Trigger() []byte { return []byte{'*'} }

func (abbreviationParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	m := abbreviationLine.FindSubmatch(bytes.TrimSpace(line))
	if m == nil || len(m[1]) > maxAbbreviation || len(m[2]) > maxMeaning {
		return nil, parser.NoChildren
	}
	s := pc.Get(stateKey).(*state)
	if s.meanings == nil {
		s.meanings = map[string]string{}
	}
	if name := strings.TrimSpace(string(m[1])); name != "" && len(s.meanings) < maxAbbreviations {
		s.meanings[name] = string(m[2])
	}
	reader.AdvanceToEOL()
	return &abbreviation{}, parser.NoChildren
}

func (abbreviationParser) Continue(ast.Node, text.Reader, parser.Context) parser.State {
	return parser.Close
}
func (abbreviationParser) Close(ast.Node, text.Reader, parser.Context) {}
func (abbreviationParser) CanInterruptParagraph() bool                 { return true }
func (abbreviationParser) CanAcceptIndentedLine() bool                 { return false }

// explain puts what abbreviations stand for where they are written first, as whole words.
func (s *state) explain(texts []*ast.Text) {
	byFirst := map[byte][]string{}
	for name := range s.meanings {
		byFirst[name[0]] = append(byFirst[name[0]], name)
	}
	for _, names := range byFirst {
		slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // the longest is meant
	}
	explained := 0
	for _, t := range texts {
		parent := t.Parent()
		if parent == nil || t.Segment.Padding != 0 {
			continue
		}
		joinText(parent, t)
		for from := t.Segment.Start; from < t.Segment.Stop && explained < maxExplained; {
			name := s.abbreviated(byFirst, t.Segment, from)
			if name == "" {
				_, size := utf8.DecodeRune(s.source[from:t.Segment.Stop])
				from += size
				continue
			}
			explained++
			of := &span{tag: "abbr", title: s.meanings[name]}
			of.SetPos(from)
			of.AppendChild(of, ast.NewTextSegment(text.NewSegment(from, from+len(name))))
			if from > t.Segment.Start {
				parent.InsertBefore(parent, t, ast.NewTextSegment(t.Segment.WithStop(from)))
			}
			parent.InsertBefore(parent, t, of)
			from += len(name)
			t.Segment = t.Segment.WithStart(from)
		}
	}
}

// joinText makes one of a text and those right after it, which the parser has apart where a sign might have begun something.
func joinText(parent ast.Node, t *ast.Text) {
	for {
		next, is := t.NextSibling().(*ast.Text)
		if !is || next.Segment.Start != t.Segment.Stop || next.Segment.Padding != 0 || t.SoftLineBreak() || t.HardLineBreak() || next.IsRaw() != t.IsRaw() {
			return
		}
		t.Segment = t.Segment.WithStop(next.Segment.Stop)
		t.SetSoftLineBreak(next.SoftLineBreak())
		t.SetHardLineBreak(next.HardLineBreak())
		parent.RemoveChild(parent, next)
	}
}

// abbreviated gives the abbreviation that stands at a place of a text.
func (s *state) abbreviated(byFirst map[byte][]string, in text.Segment, at int) string {
	names := byFirst[s.source[at]]
	if len(names) == 0 {
		return ""
	}
	first, _ := utf8.DecodeRune(s.source[at:in.Stop])
	if before, _ := utf8.DecodeLastRune(s.source[:at]); isWord(before) && isWord(first) {
		return ""
	}
	for _, name := range names {
		if !bytes.HasPrefix(s.source[at:in.Stop], []byte(name)) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(name)
		if after, _ := utf8.DecodeRune(s.source[at+len(name):]); !isWord(after) || !isWord(last) {
			return name
		}
	}
	return ""
}

func (nodes) span(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	n := node.(*span)
	switch {
	case !entering:
		write(w, "</", n.tag, ">")
	case n.title != "":
		write(w, "<", n.tag, ` title="`, html.EscapeString(n.title), `">`)
	default:
		write(w, "<", n.tag, ">")
	}
	return ast.WalkContinue, nil
}

func (nodes) nothing(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

// contents writes the headings of the page as a list that leads to them.
func (nodes) contents(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	var open []int // the levels of the items that are open
	write(w, `<div class="doc-contents">`, "\n")
	for _, h := range stateOf(node).page.Headings {
		if len(open) == 0 || h.Level > open[len(open)-1] {
			open = append(open, h.Level)
			write(w, "<ul>\n")
		} else {
			for len(open) > 1 && h.Level < open[len(open)-1] {
				open = open[:len(open)-1]
				write(w, "</li>\n</ul>\n")
			}
			write(w, "</li>\n")
		}
		write(w, `<li><a href="#`, html.EscapeString(h.ID), `">`, html.EscapeString(h.Text), "</a>")
	}
	for range open {
		write(w, "</li>\n</ul>\n")
	}
	write(w, "</div>\n")
	return ast.WalkSkipChildren, nil
}
