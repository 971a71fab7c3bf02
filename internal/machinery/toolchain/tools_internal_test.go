package toolchain

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestAListOfReleasesIsReadPageByPage as GitHub gives it, and no further than it goes, or than is bounded.
func TestAListOfReleasesIsReadPageByPage(t *testing.T) {
	t.Parallel()
	asked, all := 0, 230
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		page := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		list := []map[string]any{}
		for n := (page - 1) * pageOf; n < min(page*pageOf, all); n++ {
			list = append(list, map[string]any{"tag_name": fmt.Sprintf("v0.%d.0", n), "draft": n == 1, "prerelease": n == 2})
		}
		_ = json.NewEncoder(w).Encode(list)
	}))
	defer s.Close()
	got, err := listReleases(t.Context(), s.Client(), s.URL, perPage)
	if err != nil || len(got) != all-2 || asked != 3 || strings.Contains(strings.Join(got, " ")+" ", "0.1.0 ") {
		t.Errorf("%d of %d pages, %v", len(got), asked, err)
	}
	asked, all = 0, 100*pageOf
	if got, err := listReleases(t.Context(), s.Client(), s.URL, perPage); err != nil || asked != mostPages || len(got) != mostPages*pageOf-2 {
		t.Errorf("%d of %d pages, %v", len(got), asked, err)
	}
}
