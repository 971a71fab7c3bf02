package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestEveryPageIsServed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/catalog", "/runs/run_x", "/../../etc/passwd"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path
		Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>Roadbed</title>") {
			t.Errorf("GET %s = %d %.80q", path, w.Code, w.Body.String())
		}
	}
}

func TestTextsAreSentCompressedToThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"index.html":      {Data: []byte("page")},
		"assets/a.js":     {Data: []byte("script")},
		"assets/a.js.gz":  {Data: []byte("small")},
		"assets/b.woff2":  {Data: []byte("font")},
		"assets/c.js.map": {Data: []byte("map")},
	}
	for _, c := range []struct {
		path, accepts           string
		status                  int
		body, coding, mediaType string
	}{
		{"/assets/a.js", "gzip, deflate, br", 200, "small", "gzip", "text/javascript; charset=utf-8"},
		{"/assets/a.js", "br, gzip;q=0.5", 200, "small", "gzip", "text/javascript; charset=utf-8"},
		{"/assets/a.js", "", 200, "script", "", "text/javascript; charset=utf-8"},
		{"/assets/a.js", "gzip;q=0, br", 200, "script", "", "text/javascript; charset=utf-8"},
		{"/assets/b.woff2", "gzip", 200, "font", "", "font/woff2"},
		{"/assets/none.js", "gzip", 404, "404 page not found\n", "", "text/plain; charset=utf-8"},
		{"/catalog/component/default/shop", "gzip", 200, "page", "", "text/html; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Accept-Encoding", c.accepts)
		serve(files).ServeHTTP(w, r)
		h := w.Header()
		if w.Code != c.status || w.Body.String() != c.body || h.Get("Content-Encoding") != c.coding || h.Get("Content-Type") != c.mediaType {
			t.Errorf("GET %s for %q = %d %q %q %q", c.path, c.accepts, w.Code, w.Body.String(), h.Get("Content-Encoding"), h.Get("Content-Type"))
		}
		if strings.HasPrefix(c.path, "/assets/a") && h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("GET %s varies by %q", c.path, h.Get("Vary"))
		}
	}
}
