// Package web is the portal: its build is embedded when the program is built with the tag portal (make build does).
// Without it, a page says how to build it, so that the Go code builds and tests on a machine without npm.
package web

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// Handler serves the portal. Paths that are no file of it are pages of the single-page app.
func Handler() http.Handler {
	files, ok := portal()
	if !ok {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(missing)) // the client is gone when this can't be written
		})
	}
	return serve(files)
}

func serve(files fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "nothing takes "+r.Method+" here; the API is at /api/v1", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		data, err := fs.ReadFile(files, name)
		if err != nil || name == "index.html" {
			if strings.HasPrefix(name, "assets/") {
				http.NotFound(w, r)
				return
			}
			name = "index.html"
			if data, err = fs.ReadFile(files, name); err != nil {
				http.Error(w, "the portal is damaged; build it again with make build", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Cache-Control", "no-cache")
		} else if strings.HasPrefix(name, "assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable") // their names hold a hash
		}
		w.Header().Set("Content-Type", contentType(name))
		if small, err := fs.ReadFile(files, name+".gz"); err == nil {
			w.Header().Set("Vary", "Accept-Encoding")
			if takesGzip(r) {
				w.Header().Set("Content-Encoding", "gzip")
				data = small
			}
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
}

// contentType is told by the name alone, so that it is the same on every machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	case ".png":
		return "image/png"
	case ".json", ".webmanifest":
		return "application/json"
	}
	return "application/octet-stream"
}

func takesGzip(r *http.Request) bool {
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.TrimSpace(coding) == "gzip" {
			weight = strings.ReplaceAll(weight, " ", "")
			return weight != "q=0" && weight != "q=0.0"
		}
	}
	return false
}

const missing = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Roadbed</title>
<style>body{font:16px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem;color-scheme:light dark}code{font-size:14px}</style>
<h1>Roadbed runs, without its portal</h1>
<p>This program was built without the portal. Build it with <code>make build</code> (Node and npm are needed once), and start <code>bin/roadbed</code>.</p>
<p>Everything works without it: the API is described at <a href="/api/docs">/api/docs</a>, and <code>roadbed --help</code> lists what the command line does.</p></html>`
