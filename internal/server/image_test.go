package server

import (
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/oci"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// packed gives an image that holds a file.
func packed(t *testing.T, content string) v1.Image {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app")
	write(t, file, content)
	image, err := oci.Pack(t.Context(), oci.PackOptions{
		Files: []oci.PackFile{{Source: file, Path: "/app"}}, Entrypoint: []string{"/app"}, Platform: v1.Platform{OS: "linux", Architecture: "amd64"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestImagesStayWithTheirRepository renames a repository, and deletes it: its images go where it goes, and whoever gets
// its name later gets none of them.
func TestImagesStayWithTheirRepository(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		image := packed(t, "a program")
		makes := func() {
			t.Helper()
			if _, err := client.Post[client.Repository](t.Context(), g.admin, "/repositories", map[string]string{"namespace": "crew", "name": "shop"}); err != nil {
				t.Fatal(err)
			}
		}
		registry := oci.Remote{Host: strings.TrimPrefix(g.url, "http://"), PlainHTTP: true, User: "any", Password: g.as["alice"].Token}
		pull := func(name string) error {
			_, err := registry.Pull(t.Context(), "registry.local/crew/"+name+":v1", nil)
			return err
		}
		makes()
		if _, err := registry.Push(t.Context(), image, "registry.local/crew/shop:v1"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.house.Repositories.Rename(actor.AsSystem(t.Context()), "crew/shop", "crew/store"); err != nil {
			t.Fatal(err)
		}
		if err := pull("store"); err != nil {
			t.Errorf("by the new name: %v", err)
		}
		makes()
		if err := pull("shop"); !fault.Is(err, fault.NotFound) {
			t.Errorf("who has the old name gets %v", err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/repositories/crew/store", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := pull("store"); !fault.Is(err, fault.NotFound) {
			t.Errorf("of a deleted repository: %v", err)
		}
		if _, err := g.house.tidyOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Post[client.Repository](t.Context(), g.admin, "/repositories/crew/store/restore", nil); err != nil {
			t.Fatal(err)
		}
		if err := pull("store"); err != nil {
			t.Errorf("of a restored repository: %v", err)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/repositories/crew/store?now=true", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := g.house.Repositories.Rename(actor.AsSystem(t.Context()), "crew/shop", "crew/store"); err != nil {
			t.Fatal(err)
		}
		if err := pull("store"); !fault.Is(err, fault.NotFound) {
			t.Errorf("who has the name of a deleted repository gets %v", err)
		}
		if _, err := registry.Push(t.Context(), image, "registry.local/crew/store:v1"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.house.tidyOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		kept, err := g.house.Registry.Repositories(t.Context())
		if err != nil || len(kept) != 1 {
			t.Errorf("after tidying the registry keeps %v, %v", kept, err)
		}
		if err := pull("store"); err != nil {
			t.Errorf("after tidying: %v", err)
		}
	})
}
