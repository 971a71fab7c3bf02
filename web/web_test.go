package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
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
