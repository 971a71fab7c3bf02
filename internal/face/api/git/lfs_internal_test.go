package git

import (
	"net/http/httptest"
	"testing"
)

func TestLinksKeepToHTTPS(t *testing.T) {
	t.Parallel()
	h := &Handler{Base: "https://roadbed.example"}
	for host, want := range map[string]string{
		"roadbed.example": "https://roadbed.example/git/default/shop.git/info/lfs/objects/1", // behind a proxy that says nothing of it
		"inside:8080":     "http://inside:8080/git/default/shop.git/info/lfs/objects/1",
	} {
		r := httptest.NewRequest("POST", "http://"+host+"/git/default/shop.git/info/lfs/objects/batch", nil)
		if got := h.action(r, "default/shop", "GET", "1").Href; got != want {
			t.Errorf("the link is %s, want %s", got, want)
		}
	}
}
