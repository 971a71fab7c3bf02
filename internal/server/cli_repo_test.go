package server

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestARepositorysLifeAtATerminal makes, changes, moves, clones, deletes and restores a repository.
func TestARepositorysLifeAtATerminal(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	clone := filepath.Join(t.TempDir(), "a clone's folder")
	sayAll(t, []said{
		{"repo create crew/shop --default-branch trunk", 0, "crew/shop"},
		{"repo set crew/shop", 2, "--protected"},
		{"repo set crew/shop --description Sells --protected=false", 0, "Sells"},
		{"repo get crew/shop", 0, "trunk"},
		{"repo rename crew/shop crew/store", 0, "crew/store"},
		{"repo get crew/shop", 4, "is called crew/store now"},
		{"repo transfer crew/store nowhere", 4, "nowhere"},
		{"repo archive crew/store", 0, "true"},
		{"repo unarchive crew/store", 0, "crew/store"},
		{"repo clone crew/store --print", 0, "git clone " + server.URL + "/git/crew/store.git"},
		{"repo delete crew/store", 0, "repo restore crew/store"},
		{"repo get crew/store", 4, "crew/store"},
		{"repo list", 0, ""},
		{"repo list --deleted", 0, "crew/store"},
		{"repo create crew/store", 5, "repo restore crew/store"},
		{"repo restore crew/store", 0, "crew/store"},
		{"repo restore crew/store", 4, "repo list --deleted"},
		{"repo delete crew/store --now", 2, "--confirm"},
		{"repo delete crew/store --now --confirm crew/shop", 1, "not its name"},
		{"repo list --text stor", 0, "crew/store"},
	})
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	if code, out, problem := sayWords([]string{"repo", "clone", "crew/store", clone}); code != 0 {
		t.Errorf("clone = %d %s%s", code, out, problem)
	}
	if config, err := os.ReadFile(filepath.Join(clone, ".git", "config")); err != nil || !strings.Contains(string(config), "git-credential") || strings.Contains(string(config), h.Options.AdminToken) {
		t.Errorf("the clone is configured as %s, %v", config, err)
	}
	sayAll(t, []said{
		{"repo delete crew/store --now --confirm crew/store", 0, "for good"},
		{"repo list --deleted", 0, "no deleted repositories"},
	})
}

// TestABackupCarriesADeletedRepository restores one on the server that a backup was restored on.
func TestABackupCarriesADeletedRepository(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		h, server := openWith(t, o)
		api := client.New(server.URL, h.Options.AdminToken)
		made, err := client.Post[client.Repository](t.Context(), api, "/repositories", map[string]string{"namespace": "crew", "name": "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if err := api.Do(t.Context(), http.MethodDelete, "/repositories/crew/shop", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "backup.tar.gz")
		if _, err := backup(t.Context(), h.DB, h.Options.Data, file); err != nil {
			t.Fatal(err)
		}
		o.Data, o.Database = filepath.Join(t.TempDir(), "restored"), newDatabase(t, "sqlite")
		if _, err := restore(t.Context(), o, file, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		again, server := openWith(t, o)
		api = client.New(server.URL, o.AdminToken)
		back, err := client.Post[client.Repository](t.Context(), api, "/repositories/crew/shop/restore", nil)
		if err != nil || back.ID != made.ID {
			t.Fatalf("restored %+v, %v", back, err)
		}
		if _, err := os.Stat(again.path("repositories", made.ID+".git", "HEAD")); err != nil {
			t.Error(err)
		}
	})
}
