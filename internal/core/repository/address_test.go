package repository_test

import (
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	const base = "https://road.example.com:8443"
	if got := repository.CloneURL(base+"/", "default/shop"); got != base+"/git/default/shop.git" {
		t.Error(got)
	}
	if got := repository.FileURL(base, "default/shop", "a b/c.yaml"); got != base+"/git/default/shop/a%20b/c.yaml" {
		t.Error(got)
	}
	for address, want := range map[string][2]string{
		base + "/git/default/shop.git":                               {"default/shop", ""},
		base + "/git/Default/Shop":                                   {"default/shop", ""},
		"http://x:token@ROAD.example.com:8443/git/a/b/dir/c%20d.yml": {"a/b", "dir/c d.yml"},
		base + "/git/default":                                        {},
		base + "/git/default/../etc":                                 {},
		base + "/gits/default/shop":                                  {},
		"https://other.example.com/git/default/shop":                 {},
		"/git/default/shop":                                          {},
		"::":                                                         {},
	} {
		name, file, ok := repository.ParseURL(base, address)
		if name != want[0] || file != want[1] || ok != (want[0] != "") {
			t.Errorf("%s is %q %q %v", address, name, file, ok)
		}
	}
	if name, file, ok := repository.ParseURL("http://localhost/road/", "http://localhost/road/git/a/b/c"); name != "a/b" || file != "c" || !ok {
		t.Error(name, file, ok)
	}
}
