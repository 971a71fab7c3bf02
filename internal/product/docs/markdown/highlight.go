package markdown

import (
	"html"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
)

// Bounds of what is highlighted. The patterns of some languages can be made to take long, so that there is a budget of time
// too; what is beyond it is shown plain.
const (
	maxCode    = 64 << 10
	codeBudget = time.Second // of a page
)

type highlighter struct {
	spent time.Duration
	names map[string]chroma.Lexer
	now   func() time.Time
}

func newHighlighter(now func() time.Time) *highlighter {
	return &highlighter{names: map[string]chroma.Lexer{}, now: now}
}

// code is a block of code.
type code struct {
	language string
	title    string
	numbers  int // the number of its first line; 0 for none
	marked   map[int]bool
}

// html gives the lines of code as spans, one a line.
func (h *highlighter) html(c code, source string) string {
	lines := h.tokens(c.language, source)
	var b strings.Builder
	for i, line := range lines {
		b.WriteString(`<span class="doc-line`)
		if c.marked[i+1] {
			b.WriteString(" doc-marked")
		}
		b.WriteByte('"')
		if c.numbers > 0 {
			b.WriteString(` data-line="` + strconv.Itoa(c.numbers+i) + `"`)
		}
		b.WriteByte('>')
		for _, t := range line {
			class := classOf(t.Type)
			if class != "" {
				b.WriteString(`<span class="` + class + `">`)
			}
			b.WriteString(html.EscapeString(t.Value))
			if class != "" {
				b.WriteString(`</span>`)
			}
		}
		b.WriteString("</span>")
	}
	return b.String()
}

func classOf(t chroma.TokenType) string {
	for ; t != 0; t = t.Parent() {
		if class, ok := chroma.StandardTypes[t]; ok {
			return class
		}
		if t == t.Parent() {
			break
		}
	}
	return ""
}

func (h *highlighter) tokens(language, source string) [][]chroma.Token {
	plain := func() [][]chroma.Token {
		return chroma.SplitTokensIntoLines([]chroma.Token{{Value: source}})
	}
	if language == "" || len(source) > maxCode || h.spent >= codeBudget {
		return plain()
	}
	lexer := h.lexer(language)
	if lexer == nil {
		return plain()
	}
	begun := h.now()
	defer func() { h.spent += h.now().Sub(begun) }()
	next, err := lexer.Tokenise(nil, source)
	if err != nil {
		return plain()
	}
	var all []chroma.Token
	size := 0
	for t := next(); t != chroma.EOF; t = next() {
		if h.spent+h.now().Sub(begun) > codeBudget {
			return plain()
		}
		size += len(t.Value)
		all = append(all, t)
	}
	if size < len(source) {
		return plain() // nothing that was written is lost
	}
	return chroma.SplitTokensIntoLines(all)
}

func (h *highlighter) lexer(language string) chroma.Lexer {
	lexer, known := h.names[language]
	if !known {
		if lexer = lexers.Get(language); lexer != nil {
			lexer = chroma.Coalesce(lexer)
		}
		h.names[language] = lexer
	}
	return lexer
}
