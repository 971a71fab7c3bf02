package markdown

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

func render(t *testing.T, source string) Page {
	t.Helper()
	p, err := New().Render([]byte(source), Options{})
	if err != nil {
		t.Fatalf("render %.100q: %v", source, err)
	}
	return p
}

// TestFeatures shows what each construct becomes.
func TestFeatures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, source, want string }{
		{"heading", "# Hello, *World*!", `<h1 id="doc-hello-world">Hello, <em>World</em>!<a class="doc-anchor" href="#hello-world" title="Link to this section">#</a></h1>`},
		{"heading twice", "## Use\n## Use", `id="doc-use_1"`},
		{"heading of its own id", "## Use {#how}", `<h2 id="doc-how">Use<a class="doc-anchor" href="#how"`},
		{"heading of letters beyond ASCII", "## Größe überall", `id="doc-große-uberall"`},
		{"note", "!!! note\n    Look *here*.\n\n    And here.\n\nOut", "<div class=\"doc-admonition doc-note\">\n<p class=\"doc-title\">Note</p>\n<p>Look <em>here</em>.</p>\n<p>And here.</p>\n</div>\n<p>Out</p>"},
		{"note with a title", "!!! warning \"Mind <this>\"\n    x", `<p class="doc-title">Mind &lt;this&gt;</p>`},
		{"note without a title", "!!! danger \"\"\n    x", "<div class=\"doc-admonition doc-danger\">\n<p>x</p>"},
		{"folded", "??? tip \"More\"\n    x", "<details class=\"doc-admonition doc-tip\"><summary>More</summary>\n<p>x</p>"},
		{"unfolded", "???+ tip\n    x", `<details class="doc-admonition doc-tip" open=""><summary>Tip</summary>`},
		{"note in a list", "- a\n\n    !!! note\n        deep", "<p class=\"doc-title\">Note</p>\n<p>deep</p>\n</div>\n</li>"},
		{"note in a note", "!!! note\n    !!! tip\n        deep", "<p class=\"doc-title\">Tip</p>\n<p>deep</p>\n</div>\n</div>"},
		{"code in a note", "!!! note\n    ```go\n    x := \"1\"\n    ```\n", `<div class="doc-code" data-language="go"><pre><code><span class="doc-line">x := &#34;1&#34;`},
		{"alert", "> [!WARNING]\n> Take *care*.", "<div class=\"doc-admonition doc-warning\">\n<p class=\"doc-title\">Warning</p>\n<p>Take <em>care</em>.</p>"},
		{"quote", "> [!OTHER]\n> text", "<blockquote>"},
		{"tabs", "=== \"One\"\n    a\n\n=== \"Two\"\n    b\n\nOut\n\n=== \"Three\"\n    c", "<div class=\"doc-tabs\">\n<section class=\"doc-tab\"><p class=\"doc-title\">One</p>\n<p>a</p>\n</section>\n<section class=\"doc-tab\"><p class=\"doc-title\">Two</p>\n<p>b</p>\n</section>\n</div>\n<p>Out</p>\n<div class=\"doc-tabs\">"},
		{"code", "```python title=\"a <b>.py\" linenums=\"7\" hl_lines=\"2\"\nx = 1\ny = 2\n```", "<div class=\"doc-code\" data-language=\"python\"><div class=\"doc-codetitle\">a &lt;b&gt;.py</div><pre><code><span class=\"doc-line\" data-line=\"7\">x = 1\n</span><span class=\"doc-line doc-marked\" data-line=\"8\">y = 2\n</span></code></pre></div>"},
		{"marked line", "```python hl_lines=\"2\"\nx = 1\ny = 2\n```", "<span class=\"doc-line\">x = 1\n</span><span class=\"doc-line doc-marked\">y = 2\n</span>"},
		{"code in braces", "```{.yaml .annotate title=\"x\"}\na: 1\n```", `<div class="doc-code" data-language="yaml"><div class="doc-codetitle">x</div>`},
		{"code of no language", "```\n<b>\n```", "<div class=\"doc-code\"><pre><code><span class=\"doc-line\">&lt;b&gt;\n</span></code></pre></div>"},
		{"indented code", "    <b>", "<span class=\"doc-line\">&lt;b&gt;"},
		{"mermaid", "```mermaid\ngraph TD; A-->B\n```", `<pre class="doc-mermaid">graph TD; A--&gt;B`},
		{"table", "| a | b |\n|:-:|---|\n| 1 | 2 |", `<td align="center">1</td>`},
		{"task", "- [x] done\n- [ ] not", `<span class="doc-task">☑ </span>`},
		{"strike", "~~no~~", "<del>no</del>"},
		{"strike as GitHub has it", "~not this~ ~~nor *this*~~", "<p><del>not this</del> <del>nor <em>this</em></del></p>"},
		{"mark", "==so *it* is==, (==a==)", "<p><mark>so <em>it</em> is</mark>, (<mark>a</mark>)</p>"},
		{"no mark", "a==b==c, a == b == c, === x ===, ==open", "<p>a==b==c, a == b == c, === x ===, ==open</p>"},
		{"insert", "^^so it is^^ and 2^^3^^4", "<p><ins>so it is</ins> and 2^^3^^4</p>"},
		{"low", "H~2~O, CO~2~", "<p>H<sub>2</sub>O, CO<sub>2</sub></p>"},
		{"high", "x^2^ + y^10^", "<p>x<sup>2</sup> + y<sup>10</sup></p>"},
		{"neither low nor high", "~/a and ~/b, x^2 + y^2, `a~b~c^d^ ==e==`, \\~a\\~", "<p>~/a and ~/b, x^2 + y^2, <code>a~b~c^d^ ==e==</code>, ~a~</p>"},
		{"low that would be HTML", "a~<b>~ x^&lt;i&gt;^", "x<sup>&lt;i&gt;</sup>"},
		{"mark in a heading", "## The ==one==", `<h2 id="doc-the-one">The <mark>one</mark><a`},
		{"abbreviations", "The API of APIs: HTTP API.\n\n*[API]: Application <Interface>\n*[HTTP API]: Both", "<p>The <abbr title=\"Application &lt;Interface&gt;\">API</abbr> of APIs: <abbr title=\"Both\">HTTP API</abbr>.</p>\n"},
		{"abbreviations elsewhere", "*[CI]: Integration\n\n# The CI\n\n`CI` **CI**, [CI](x)\n", "The <abbr title=\"Integration\">CI</abbr><a"},
		{"abbreviations and code", "*[CI]: Integration\n\n`CI` **CI**\nCI", "<p><code>CI</code> <strong><abbr title=\"Integration\">CI</abbr></strong>\n<abbr title=\"Integration\">CI</abbr></p>"},
		{"contents", "# A\n\n[TOC]\n\n## B *c*\n### D\n## E\n", "<div class=\"doc-contents\">\n<ul>\n<li><a href=\"#a\">A</a><ul>\n<li><a href=\"#b-c\">B c</a><ul>\n<li><a href=\"#d\">D</a></li>\n</ul>\n</li>\n<li><a href=\"#e\">E</a></li>\n</ul>\n</li>\n</ul>\n</div>\n<h2"},
		{"contents within a text", "see [TOC] here", "<p>see [TOC] here</p>"},
		{"address", "see https://example.org/a?b=1", `<a href="https://example.org/a?b=1" rel="nofollow noreferrer">`},
		{"footnote", "A[^1].\n\n[^1]: Because.", `<a href="#doc-fn:1" class="footnote-ref">1</a>`},
		{"definition", "Term\n:   Meaning", "<dd>Meaning</dd>"},
		{"emoji", "So :tada: and :no-such:", "So 🎉 and :no-such:"},
		{"attributes", "[a](b){: .md-button target=_blank } and {x}", `and {x}</p>`},
		{"front matter", "---\ntitle: \"A\"\ntags: [x]\n---\ntext", "<p>text</p>\n"},
		{"html", "<details><summary>More</summary>\n\n*x*\n\n</details>", "<details><summary>More</summary>\n<p><em>x</em></p>\n</details>"},
		{"html inline", "H<sub>2</sub>O, <kbd>Ctrl</kbd>", "H<sub>2</sub>O, <kbd>Ctrl</kbd>"},
		{"html anchor", "<a name=\"old\"></a>", `<a id="doc-old"></a>`},
		{"html comment", "a <!-- b --> c", "<p>a  c</p>"},
		{"snippet", "a\n\n--8<-- \"../secret\"\n", `<p class="doc-refused">No files are included here: <code>--8&lt;-- &#34;../secret&#34;</code></p>`},
		{"snippet in code", "```\n--8<-- \"x\"\n```", "<span class=\"doc-line\">--8&lt;-- &#34;x&#34;"},
		{"line ends of Windows", "# A\r\n\r\ntext\r\n", "<p>text</p>"},
		{"no text", "\xff\xfe", "\uFFFD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := render(t, c.source).HTML; !strings.Contains(got, c.want) {
				t.Errorf("%q became\n%s\nwithout\n%s", c.source, got, c.want)
			}
		})
	}
}

// TestPage shows what is known of a page beside its HTML.
func TestPage(t *testing.T) {
	t.Parallel()
	p := render(t, `---
title: The guide
description: 'How to'
---
Before [it](a.md "t").

# Install `+"`it`"+`

Run *this*:

`+"```sh\nmake <all>\n```"+`

!!! note "Mind"
    The ![gap](gap.png).

## Then
<a href="b.md#x">b</a>
<img src="c.png" alt="c">

`+"```mermaid\ngraph\n```\n")
	if p.Title != "The guide" || p.Description != "How to" || !p.Mermaid {
		t.Errorf("title %q, description %q, mermaid %v", p.Title, p.Description, p.Mermaid)
	}
	if len(p.Headings) != 2 || p.Headings[0] != (Heading{1, "install-it", "Install it", 7}) || p.Headings[1] != (Heading{2, "then", "Then", 18}) {
		t.Errorf("headings %+v", p.Headings)
	}
	want := []Link{{"a.md", 5, false}, {"gap.png", 16, true}, {"b.md#x", 19, false}, {"c.png", 20, true}}
	if len(p.Links) != len(want) {
		t.Fatalf("links %+v", p.Links)
	}
	for i, l := range p.Links {
		if l != want[i] {
			t.Errorf("link %d is %+v, not %+v", i, l, want[i])
		}
	}
	if len(p.Sections) != 3 || p.Sections[0] != (Section{"", "", "Before it."}) || p.Sections[1].Heading != "Install it" ||
		!strings.Contains(p.Sections[1].Text, "Run this:") || !strings.Contains(p.Sections[1].Text, "make <all>") || !strings.Contains(p.Sections[1].Text, "Mind\nThe gap.") {
		t.Errorf("sections %+v", p.Sections)
	}
	read, err := New().Read([]byte("# A\n--8<-- \"x\"\n"))
	if err != nil || read.Title != "A" || len(read.Problems) != 1 || read.Problems[0].Line != 2 || read.HTML != "" {
		t.Errorf("read %+v, %v", read, err)
	}
}

// TestLinksAreResolved shows that links of Markdown and of HTML take the address that they are given.
func TestLinksAreResolved(t *testing.T) {
	t.Parallel()
	p, err := New().Render([]byte("[a](a.md) ![i](i.png) [gone](gone.md)\n\n<a href=\"h.md\">h</a><img src=\"x.png\">\n\n[![b](https://x.org/b.svg)](https://x.org)\n\n![c](https://x.org/c.svg)\n"), Options{
		Resolve: func(l Link) Resolved {
			switch {
			case strings.HasPrefix(l.Target, "gone"):
				return Resolved{}
			case l.Image && strings.HasPrefix(l.Target, "https:"):
				return Resolved{Address: l.Target, Outside: true}
			case strings.HasPrefix(l.Target, "https:"):
				return Resolved{Address: l.Target}
			}
			return Resolved{Address: "/at/" + l.Target}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<a href="/at/a.md">a</a>`, `<img src="/at/i.png" alt="i" loading="lazy">`, ` gone</p>`, `<a href="/at/h.md">h</a><img src="/at/x.png">`,
		`<a href="https://x.org" rel="nofollow noreferrer"><span class="doc-outside" title="https://x.org/b.svg">b</span></a>`,
		`<a href="https://x.org/c.svg" rel="nofollow noreferrer"><span class="doc-outside"`,
	} {
		if !strings.Contains(p.HTML, want) {
			t.Errorf("%s\nlacks %s", p.HTML, want)
		}
	}
}

// TestHostilePages ends soon for pages that are made to be slow or deep, or refuses them.
func TestHostilePages(t *testing.T) {
	t.Parallel()
	const size = 100_000
	for name, unit := range map[string]string{
		"quotes": ">", "lists": "- ", "numbers": "1. ", "brackets": "[", "images": "![", "stars": "*a ", "under": "_a", "ticks": "`a", "html": "<a ", "open": "<!--", "braces": "{.a",
		"links": "[a](", "emphasis": "**a*", "footnotes": "[^a]", "entities": "&a", "tilde": "~~a", "tables": "|", "colons": ":", "escapes": "\\", "notes": "!!! note ",
		"definitions": "a\n: ", "references": "[a]: b\n", "nested notes": "!!! note\n    ", "closed": "[]", "linked images": "[![a](b)", "titles": "[a](b \"c\n", "attributes": "[x](y){: a=", "pointed": "[a](<", "marks": "==a ", "inserts": "^^a ", "high": "^a", "low": "a~", "abbreviations": "*[a]: b\n", "contents": "[TOC]\n\n# a\n\n", "autolinks": "www.a", "mails": "a@", "cdata": "<![CDATA[", "pi": "<?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := New().Render([]byte(strings.Repeat(unit, size/len(unit))), Options{})
			if err != nil && !fault.Is(err, fault.TooLarge) {
				t.Errorf("%v", err)
			}
			if len(p.HTML) > maxHTML {
				t.Errorf("%d bytes of HTML", len(p.HTML))
			}
		})
	}
	p, err := New().Render([]byte("*[A]: b\n\n"+strings.Repeat("A ", maxExplained+size)), Options{})
	if n := strings.Count(p.HTML, "<abbr"); err != nil || n != maxExplained {
		t.Errorf("%d places are explained, %v", n, err)
	}
	if _, err := New().Render(make([]byte, MaxPage+1), Options{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too large a page: %v", err)
	}
	if _, err := New().Render([]byte(strings.Repeat("> ", maxDepth+1)+"x"), Options{}); !fault.Is(err, fault.TooLarge) {
		t.Errorf("too deep a page: %v", err)
	}
	if _, err := New().Render([]byte(strings.Repeat("> ", maxDepth)+"x"), Options{}); err != nil {
		t.Errorf("a deep page: %v", err)
	}
}
