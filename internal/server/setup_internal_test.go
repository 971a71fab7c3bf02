package server

import (
	"os"
	"slices"
	"testing"
)

func TestThePortalsNamesAreNoApplications(t *testing.T) {
	t.Parallel()
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	h := &House{Options: Options{Listen: "0.0.0.0:8080", BaseURL: "https://portal.example.com"}}
	for _, name := range []string{"localhost", "127.0.0.1", "portal.example.com", machine} {
		if !slices.Contains(h.reservedHosts(), name) {
			t.Errorf("%s can be taken", name)
		}
	}
}
