package markdown

import (
	"strings"

	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
)

// rawLinks notes the links of a piece of HTML that begins at a line.
func (s *state) rawLinks(source string, line int) {
	eachTag(source, line, func(t *html.Token, line int) {
		if name := linkAttribute(t.Data); name != "" {
			for _, a := range t.Attr {
				if a.Key == name {
					s.noteLink(Link{Target: strings.TrimSpace(a.Val), Line: line, Image: t.Data == "img"})
				}
			}
		}
	})
}

// rawAnchors notes what HTML names, so that links to it are right.
func (s *state) rawAnchors(segments *text.Segments) {
	eachTag(segmentsText(segments, s.source), 0, func(t *html.Token, _ int) {
		if id := anchorOf(t); id != "" {
			s.page.Anchors[id] = true
		}
	})
}

func anchorOf(t *html.Token) string {
	for _, a := range t.Attr {
		if a.Key == "id" || a.Key == "name" && t.Data == "a" {
			return a.Val
		}
	}
	return ""
}

func linkAttribute(tag string) string {
	switch tag {
	case "a":
		return "href"
	case "img":
		return "src"
	}
	return ""
}

// eachTag gives the tags that open in a piece of HTML, with their lines.
func eachTag(source string, line int, fn func(t *html.Token, line int)) {
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(MaxPage)
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return
		}
		lines := strings.Count(string(z.Raw()), "\n")
		if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
			t := z.Token()
			fn(&t, line)
		}
		line += lines
	}
}

// rewrite gives a piece of HTML with its links resolved and its names prefixed. What it may hold at all is decided at the end,
// over the whole page.
func (s *state) rewrite(source string, line int) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(source))
	z.SetMaxBuf(MaxPage)
	for {
		kind := z.Next()
		raw := string(z.Raw())
		switch kind {
		case html.ErrorToken:
			b.WriteString(raw) // the beginning of a tag that the next piece ends
			return b.String()
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			b.WriteString(s.rewriteTag(t, line))
		default:
			b.WriteString(raw)
		}
		line += strings.Count(raw, "\n")
	}
}

func (s *state) rewriteTag(t html.Token, line int) string {
	link := linkAttribute(t.Data)
	id := anchorOf(&t)
	var kept []html.Attribute
	for _, a := range t.Attr {
		switch {
		case a.Key == "id" || a.Key == "name" || a.Key == "class":
		case a.Key == link && link != "":
			to := s.resolve(Link{Target: strings.TrimSpace(a.Val), Line: line, Image: t.Data == "img"})
			if to.Outside {
				return outsideImage(attribute(t, "alt"), a.Val)
			}
			if to.Address != "" {
				kept = append(kept, html.Attribute{Key: link, Val: to.Address})
			}
		default:
			kept = append(kept, a)
		}
	}
	if id != "" {
		kept = append(kept, html.Attribute{Key: "id", Val: Prefix + id})
	}
	t.Attr = kept
	return t.String()
}

func attribute(t html.Token, name string) string {
	for _, a := range t.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// outsideImage names an image that is not of here: it isn't loaded, since that would tell its server who reads the page.
func outsideImage(alt, address string) string {
	if alt == "" {
		alt = "image"
	}
	return `<span class="doc-outside" title="` + html.EscapeString(address) + `">` + html.EscapeString(alt) + `</span>`
}

func (s *state) resolve(l Link) Resolved {
	if s.options.Resolve == nil {
		return Resolved{Address: l.Target}
	}
	return s.options.Resolve(l)
}
