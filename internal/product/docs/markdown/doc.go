// Package markdown turns a page of Markdown, as MkDocs and forges take it, into HTML that is safe to show: CommonMark and
// GitHub's additions, footnotes, definition lists, emoji, admonitions, foldable blocks, tabs, code with a title and
// line numbers, and diagrams. To draw these and to colour code is left to who shows the page.
//
// What people wrote is not trusted. HTML within a page is kept as far as an allowlist goes that the whole page is held to at
// its end (policy.go): no script, no style, no frame, no form, no address but of the web and of mail, no class and no id
// that is not of this package. Ids begin with Prefix, so that a page can take no name that the portal uses.
//
// A page is bounded in bytes and in depth.
package markdown
