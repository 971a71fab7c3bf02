package markdown

import (
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// vectors are pages that would run something, load something, or look like something that they are not.
var vectors = []string{
	`<script>alert(1)</script>`, `<SCRIPT SRC=//x.org/x.js></SCRIPT>`, `<scr<script>ipt>alert(1)</script>`, `<script/xss src="x">`, `<script
>alert(1)</script
>`,
	`<img src=x onerror=alert(1)>`, `<img src="javascript:alert(1)">`, `<IMG """><SCRIPT>alert(1)</SCRIPT>"\>`, `<img src=1 href=1 onerror="javascript:alert(1)"></img>`,
	`<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`, `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`,
	`<a href="javascript:alert(1)">x</a>`, `<a href=" javascript:alert(1)">x</a>`, `<a href="java&#x09;script:alert(1)">x</a>`, `<a href="JaVaScRiPt:alert(1)">x</a>`, `<a href="&#106;avascript:alert(1)">x</a>`,
	"<a href=\"java\tscript:alert(1)\">x</a>", `<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<a href="vbscript:x">x</a>`, `<a href="x" onclick="alert(1)">x</a>`, `<a href="file:///etc/passwd">x</a>`,
	`[x](javascript:alert(1))`, `[x](<javascript:alert(1)>)`, `[x](JAVASCRIPT:alert(1))`, "[x](java\nscript:alert(1))", `[x](data:text/html;base64,PHNjcmlwdD4=)`, `![x](javascript:alert(1))`, `[x](vbscript:a)`,
	`[x](&#106;avascript:alert(1))`, `[x](javascript&colon;alert(1))`, `[x]: javascript:alert(1)` + "\n\n[x]", `<javascript:alert(1)>`, `![x](x"onerror="alert(1))`, `[x](y "z\" onclick=\"alert(1)")`,
	`![a" onerror="alert(1)](x.png)`, `[x](http://a/"onmouseover="alert(1))`,
	`<iframe src="https://x.org"></iframe>`, `<iframe srcdoc="<script>alert(1)</script>">`, `<object data="x.swf"></object>`, `<embed src="x.swf">`, `<applet code="x">`, `<frameset><frame src="x">`,
	`<form action="/api/v1/apply" method="post"><input name=a><button>Go</button></form>`, `<input onfocus=alert(1) autofocus>`, `<select onfocus=alert(1) autofocus>`, `<textarea autofocus onfocus=alert(1)>`, `<button formaction="javascript:alert(1)">x</button>`,
	`<style>body{display:none}</style>`, `<style>@import 'https://x.org/x.css';</style>`, `<div style="position:fixed;inset:0">x</div>`, `<p style="background:url(javascript:alert(1))">x</p>`, `<link rel=stylesheet href="https://x.org/x.css">`,
	`<div class="mantine-Overlay-root">x</div>`, `<div id="root">x</div>`, `<a name="root">x</a>`, `<img name="body" src=x>`, `<meta http-equiv="refresh" content="0;url=https://x.org">`, `<base href="https://x.org/">`,
	`<body onload=alert(1)>`, `<html onmouseover=alert(1)>`, `<video src=x onerror=alert(1)>`, `<audio src=x onerror=alert(1)>`, `<video><source onerror="alert(1)">`, `<details open ontoggle=alert(1)>x</details>`, `<marquee onstart=alert(1)>x</marquee>`,
	`<template><script>alert(1)</script></template>`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<title><img src=x onerror=alert(1)></title>`, `<xmp><img src=x onerror=alert(1)></xmp>`, `<plaintext><img src=x onerror=alert(1)>`,
	`<!--><img src=x onerror=alert(1)>-->`, `<!--[if IE]><script>alert(1)</script><![endif]-->`, `<![CDATA[<img src=x onerror=alert(1)>]]>`, `<?php echo 1 ?><script>alert(1)</script>`, `<?x <img src=x onerror=alert(1)> ?>`,
	"```\"><script>alert(1)</script>\nx\n```", "```js title=\"<img src=x onerror=alert(1)>\"\nx\n```", "```{.js title='\"><script>alert(1)</script>'}\nx\n```", "```mermaid\n</pre><script>alert(1)</script>\n```", "`<script>alert(1)</script>`",
	`!!! note "<img src=x onerror=alert(1)>"` + "\n    x", `!!! "><script>` + "\n    x", `??? tip "</summary><script>alert(1)</script>"` + "\n    x", `=== "<script>alert(1)</script>"` + "\n    x", `--8<-- "<script>alert(1)</script>"`,
	`# <img src=x onerror=alert(1)>`, `# x {#"><script>alert(1)</script>}`, `# x {onclick="alert(1)" style="position:fixed" #a}`, `# x {#root .mantine-Overlay-root}`, `[^1]` + "\n\n[^1]: <script>alert(1)</script>",
	`| <script>alert(1)</script> | b |` + "\n|---|---|\n| <img src=x onerror=alert(1)> | y |", "<a href=\"x\">[y](javascript:alert(1))</a>", "<div onclick=\"alert(1)\"\n\nx</div>", `<div title="` + "\n\n" + `<img src=x onerror=alert(1)>">`,
	`<a title="` + "`" + `" onclick="alert(1)">x</a>`, "<img src=`x` onerror=alert(1)>", `<x onpointerenter=alert(1)>x</x>`, `<p/onclick=alert(1)>x`, `<a href="//x.org" target="_blank" rel="opener">x</a>`, `<img srcset="x 1x, javascript:alert(1) 2x">`,
	`<svg><style><img src=x onerror=alert(1)></style></svg>`, `<math href="javascript:alert(1)">x</math>`, `<table background="javascript:alert(1)"><td>x</table>`, `<img dynsrc="javascript:alert(1)">`, `<div data-x="y" is="z">x</div>`,
	"---\ntitle: <script>alert(1)</script>\n---\n# x", `<span class="doc-mermaid">x</span>`, `{: onclick="alert(1)" }`, `[x](y){: onclick="alert(1)" }`, `<slot name=x>`, `<dialog open>x</dialog>`, `<portal src=x>`, `&lt;script&gt;alert(1)&lt;/script&gt;`,
	`==<script>alert(1)</script>==`, `x^<script>^ ~"onclick="x~`, "*[x]: \"><script>alert(1)</script>\n\nx", "*[<img src=x onerror=alert(1)>]: y\n\n<img src=x onerror=alert(1)>", "[TOC]\n\n# <img src=x onerror=alert(1)> {#\"><script>}",
}

// TestNothingHostileGetsThrough holds every vector, alone and among text, to what a page may hold.
func TestNothingHostileGetsThrough(t *testing.T) {
	t.Parallel()
	for _, v := range vectors {
		for _, source := range []string{v, "text " + v + " text", "> " + v, "- a\n\n    " + v, "!!! note\n    " + v, v + "\n\n" + v} {
			checkSafe(t, source, render(t, source).HTML)
		}
	}
}

// TestSafeSees shows that the check finds what it is there for.
func TestSafeSees(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{`<script>x</script>`, `<p onclick="x">`, `<a href="javascript:x">`, `<p style="x">`, `<img src="data:x">`, `<p id="root">`, `<p class="mantine-x">`, `<span class="k">`, `<iframe>`} {
		if unsafe(bad) == "" {
			t.Errorf("%s passes", bad)
		}
	}
}

func checkSafe(t *testing.T, source, out string) {
	t.Helper()
	if why := unsafe(out); why != "" {
		t.Errorf("%q became %q: %s", source, out, why)
	}
}

var (
	safeTags = regexp.MustCompile(`^(h[1-6]|p|br|hr|div|span|section|blockquote|pre|code|kbd|samp|var|em|strong|b|i|u|s|del|ins|mark|su[bp]|small|abbr|q|cite|dfn|[uod]l|li|d[td]|table|caption|col|colgroup|thead|tbody|tfoot|t[rhd]|details|summary|figure|figcaption|img|a)$`)
	safeKeys = regexp.MustCompile(`^(id|class|title|dir|lang|data-line|data-language|open|v?align|colspan|rowspan|scope|start|value|type|reversed|href|src|alt|width|height|loading|rel)$`)
	safeURL  = regexp.MustCompile(`(?i)^(https?:|mailto:|tel:|[^:]*$|[^:]*[/?#])`)
)

// unsafe reads HTML as a browser does, and tells what in it is not allowed.
func unsafe(out string) string {
	root, err := html.Parse(strings.NewReader("<!doctype html><body>" + out))
	if err != nil {
		return err.Error()
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || n.Data == "html" || n.Data == "head" || n.Data == "body" {
			continue
		}
		if !safeTags.MatchString(n.Data) || n.Namespace != "" {
			return "there is <" + n.Data + ">"
		}
		for _, a := range n.Attr {
			switch {
			case !safeKeys.MatchString(a.Key):
				return "there is the attribute " + a.Key
			case (a.Key == "href" || a.Key == "src") && (!safeURL.MatchString(a.Val) || strings.ContainsAny(a.Val, "\t\n\r\x00")):
				return "there is the address " + a.Val
			case a.Key == "id" && !strings.HasPrefix(a.Val, Prefix):
				return "there is the id " + a.Val
			case a.Key == "class":
				for _, c := range strings.Fields(a.Val) {
					if !strings.HasPrefix(c, "doc-") && !strings.HasPrefix(c, "footnote") {
						return "there is the class " + c
					}
				}
			}
		}
	}
	return ""
}

// FuzzRender holds every page to what a page may hold.
func FuzzRender(f *testing.F) {
	for _, v := range vectors {
		f.Add(v)
	}
	f.Add("# a\n\n=== \"b\"\n    !!! note\n        ```go\n        x\n        ```\n\n[^1]: a\n\n| a |\n|---|\n| b |\n\na\n: b\n")
	r := New()
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 10_000 {
			return
		}
		p, err := r.Render([]byte(source), Options{})
		if err != nil {
			return
		}
		checkSafe(t, source, p.HTML)
		for _, l := range p.Links {
			if l.Line < 1 || l.Line > strings.Count(source, "\n")+strings.Count(source, "\r")+1 {
				t.Errorf("%q has a link on line %d", source, l.Line)
			}
		}
	})
}
