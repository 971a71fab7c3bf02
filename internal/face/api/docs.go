package api

import (
	"fmt"
	"html"
	"net/http"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// docsRoutes serves /api/docs: the operations as one page without scripts, beside /openapi.json for tools.
func (a *API) docsRoutes() {
	a.mux.HandleFunc("GET /api/docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(a.page())) // the client is gone when this can't be written
	})
}

func (a *API) page() string {
	type row struct{ tag, method, path, summary string }
	var rows []row
	for path, item := range a.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if op != nil && len(op.Tags) > 0 {
				rows = append(rows, row{op.Tags[0], method, path, op.Summary})
			}
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].tag != rows[j].tag {
			return rows[i].tag < rows[j].tag
		}
		return rows[i].path+rows[i].method < rows[j].path+rows[j].method
	})
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Roadbed API</title>
<style>body{font:14px/1.5 system-ui;max-width:64rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}code{font-size:13px}td{padding:.2rem .8rem .2rem 0;vertical-align:top}h2{margin-top:2rem}</style>
<h1>Roadbed API</h1><p>The whole description is at <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Send a token as <code>Authorization: Bearer …</code>.</p>`)
	tag := ""
	for _, r := range rows {
		if r.tag != tag {
			if tag != "" {
				b.WriteString("</table>")
			}
			tag = r.tag
			fmt.Fprintf(&b, "<h2>%s</h2><table>", html.EscapeString(tag))
		}
		fmt.Fprintf(&b, "<tr><td>%s<td><code>%s</code><td>%s", r.method, html.EscapeString(r.path), html.EscapeString(r.summary))
	}
	b.WriteString("</table></html>")
	return b.String()
}
