package markdown

import (
	"bytes"
	"strings"

	emojiast "github.com/yuin/goldmark-emoji/ast"
	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// transformer shapes the tree of a page: quotes that are alerts, tabs that belong together, abbreviations, and the first place
// for the list of headings.
type transformer struct{}

func (transformer) Transform(root *ast.Document, reader text.Reader, pc parser.Context) {
	var quotes []*ast.Blockquote
	var firsts []*tab
	var toc *ast.Paragraph
	var texts []*ast.Text
	s := pc.Get(stateKey).(*state)
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Blockquote:
			quotes = append(quotes, n)
		case *tab:
			if _, follows := n.PreviousSibling().(*tab); !follows {
				firsts = append(firsts, n)
			}
		case *ast.Paragraph:
			if toc == nil && n.Lines().Len() == 1 && bytes.Equal(bytes.TrimSpace(n.Lines().Value(reader.Source())), []byte("[TOC]")) {
				toc = n
			}
		case *ast.CodeSpan:
			return ast.WalkSkipChildren, nil
		case *ast.Text:
			if len(s.meanings) > 0 {
				texts = append(texts, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, q := range quotes {
		alert(q, reader.Source())
	}
	for _, first := range firsts {
		parent, group := first.Parent(), &tabs{}
		group.SetPos(first.Pos())
		parent.InsertBefore(parent, first, group)
		for n := ast.Node(first); n != nil; {
			next := n.NextSibling()
			if _, is := n.(*tab); !is {
				break
			}
			group.AppendChild(group, n)
			n = next
		}
	}
	s.explain(texts)
	if toc != nil {
		toc.Parent().ReplaceChild(toc.Parent(), toc, &contents{})
	}
}

var alerts = map[string]string{"[!NOTE]": "note", "[!TIP]": "tip", "[!IMPORTANT]": "important", "[!WARNING]": "warning", "[!CAUTION]": "caution"}

// alert makes a quote that begins with [!NOTE] an admonition.
func alert(q *ast.Blockquote, source []byte) {
	p, ok := q.FirstChild().(*ast.Paragraph)
	if !ok || p.Lines().Len() == 0 {
		return
	}
	first := p.Lines().At(0)
	kind := alerts[strings.ToUpper(string(bytes.TrimSpace(first.Value(source))))]
	if kind == "" {
		return
	}
	for n := p.FirstChild(); n != nil; {
		next := n.NextSibling()
		t, is := n.(*ast.Text)
		if !is || t.Segment.Start >= first.Stop {
			break
		}
		p.RemoveChild(p, n)
		n = next
	}
	a := &admonition{kind: kind, title: titled(kind)}
	a.SetPos(q.Pos())
	for n := q.FirstChild(); n != nil; {
		next := n.NextSibling()
		if n != ast.Node(p) || p.HasChildren() {
			a.AppendChild(a, n)
		}
		n = next
	}
	q.Parent().ReplaceChild(q.Parent(), q, a)
}

// Bounds of what is kept of a page for search.
const (
	maxHeadings = 2000
	maxLinks    = 10_000
)

// gather notes the headings, the text and the links of a page.
func (s *state) gather(root ast.Node) {
	var words strings.Builder
	current := Section{}
	end := func() {
		current.Text = strings.TrimSpace(words.String())
		if current.Text != "" || current.Heading != "" {
			s.page.Sections = append(s.page.Sections, current)
		}
		words.Reset()
	}
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock || n.Kind() == extast.KindTableCell {
				words.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			if h := s.heading(n); n.Parent() == root && len(s.page.Headings) < maxHeadings {
				end()
				current = Section{ID: h.ID, Heading: h.Text}
				s.page.Headings = append(s.page.Headings, h)
				s.links(n)
				return ast.WalkSkipChildren, nil
			}
		case *admonition:
			if !n.bare {
				words.WriteString(n.title + "\n")
			}
		case *tab:
			words.WriteString(n.title + "\n")
		case *ast.FencedCodeBlock:
			if string(n.Language(s.source)) == "mermaid" {
				s.page.Mermaid = true
			}
			s.write(&words, n.Lines())
		case *ast.CodeBlock:
			s.write(&words, n.Lines())
		case *ast.HTMLBlock:
			s.rawAnchors(n.Lines())
		case *ast.RawHTML:
			s.rawAnchors(n.Segments)
		default:
			s.inline(&words, n)
		}
		s.link(n)
		return ast.WalkContinue, nil
	})
	end()
	if s.page.Title == "" {
		for _, h := range s.page.Headings {
			if h.Level == 1 {
				s.page.Title = h.Text
				break
			}
		}
	}
}

func (s *state) write(b *strings.Builder, lines *text.Segments) {
	for i := range lines.Len() {
		line := lines.At(i)
		b.Write(line.Value(s.source))
	}
}

// inline writes the text of one inline node.
func (s *state) inline(b *strings.Builder, n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		b.Write(n.Segment.Value(s.source))
		if n.SoftLineBreak() || n.HardLineBreak() {
			b.WriteByte('\n')
		}
	case *ast.String:
		b.Write(n.Value)
	case *ast.AutoLink:
		b.Write(n.Label(s.source))
	case *emojiast.Emoji:
		if n.Value != nil && n.Value.IsUnicode() {
			b.WriteString(string(n.Value.Unicode))
		}
	}
}

func (s *state) heading(n *ast.Heading) Heading {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			s.inline(&b, n)
		}
		return ast.WalkContinue, nil
	})
	h := Heading{Level: n.Level, Text: strings.TrimSpace(b.String()), Line: s.line(n)}
	if id, ok := n.AttributeString("id"); ok {
		if raw, ok := id.([]byte); ok {
			h.ID = string(raw)
		}
	}
	s.page.Anchors[h.ID] = true
	return h
}

func (s *state) links(under ast.Node) {
	_ = ast.Walk(under, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			s.link(n)
		}
		return ast.WalkContinue, nil
	})
}

// link notes a link, and those that HTML has.
func (s *state) link(n ast.Node) {
	switch n := n.(type) {
	case *ast.Link:
		s.noteLink(Link{Target: string(n.Destination), Line: s.line(n)})
	case *ast.Image:
		s.noteLink(Link{Target: string(n.Destination), Line: s.line(n), Image: true})
	case *ast.HTMLBlock:
		s.rawLinks(s.htmlOf(n), s.line(n))
	case *ast.RawHTML:
		s.rawLinks(segmentsText(n.Segments, s.source), s.line(n))
	}
}

func (s *state) noteLink(l Link) {
	if l.Target != "" && len(s.page.Links) < maxLinks {
		s.page.Links = append(s.page.Links, l)
	}
}

func segmentsText(segments *text.Segments, source []byte) string {
	var b strings.Builder
	for i := range segments.Len() {
		segment := segments.At(i)
		b.Write(segment.Value(source))
	}
	return b.String()
}

// htmlOf gives the source of a block of HTML.
func (s *state) htmlOf(n *ast.HTMLBlock) string {
	source := segmentsText(n.Lines(), s.source)
	if n.HasClosure() {
		source += string(n.ClosureLine.Value(s.source))
	}
	return source
}
