package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
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

// TestRepositoriesOfAnotherServer imports one of another Roadbed, follows one, and pushes on to one, as a person does at a
// terminal.
func TestRepositoriesOfAnotherServer(t *testing.T) {
	far, farServer := open(t)
	pushed := func(name, parent, content string) string {
		t.Helper()
		head, err := far.Repositories.CommitFiles(actor.AsSystem(t.Context()), name, git.CommitRequest{
			Branch: "main", Parent: parent, Message: "work", Changes: []git.FileChange{{Path: "x", Content: []byte(content)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	for _, name := range []string{"shop", "copy"} {
		if _, err := client.Post[client.Repository](t.Context(), client.New(farServer.URL, far.Options.AdminToken), "/repositories", map[string]string{"namespace": "far", "name": name}); err != nil {
			t.Fatal(err)
		}
	}
	head := pushed("far/shop", "", "1")
	o := options(t)
	o.Private = "127.0.0.1"
	h, server := openWith(t, o)
	atTerminal(t, server.URL, h.Options.AdminToken)
	if err := h.Secrets.Put(actor.AsSystem(t.Context()), "default", "far", secret.Change{Value: []byte(far.Options.AdminToken)}); err != nil {
		t.Fatal(err)
	}
	from, to := farServer.URL+"/git/far/shop.git", farServer.URL+"/git/far/copy.git"
	sayAll(t, []said{
		{"repo import shop", 2, "not the address"},
		{"repo import " + from + " crew/shop --secret default/none", 5, "default/none"},
		{"repo import http://10.0.0.1/x.git crew/shop", 1, "--allow-private"},
		{"repo import " + from + " crew/shop", 1, "credentials"},
		{"repo import crew/shop --retry --username x --secret default/far", 0, "crew/shop"},
		{"repo import crew/shop --retry", 5, "was imported"},
		{"repo import crew/shop --cancel", 5, "nothing is being imported"},
		{"repo import " + from + " crew/follows --secret default/far --every 30s", 1, "1m0s"},
		{"repo import " + from + " crew/follows --secret default/far --every 1h", 0, head[:8]},
		{"repo list", 0, "crew/follows"},
		{"repo mirror list crew/shop", 0, "repo mirror add"},
		{"repo mirror add crew/shop " + to + " --secret default/far --pattern main", 0, "mir_"},
		{"repo mirror add crew/shop acme/shop --integration default/none", 4, "default/none"},
	})
	second := pushed("far/shop", head, "2")
	sayAll(t, []said{{"repo import crew/follows --retry --background", 0, "crew/follows"}})
	at := func(house *House, name, commit string) {
		t.Helper()
		err := eventually(t.Context(), func() (bool, error) {
			now, err := house.Repositories.Platform().Head(t.Context(), name, "main")
			return now == commit, err
		})
		if err != nil {
			t.Errorf("%s never came to %s: %v", name, commit, err)
		}
	}
	at(h, "crew/follows", second)
	at(h, "crew/shop", head)
	soon, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := eventually(soon, func() (bool, error) {
		now, err := far.Repositories.Get(actor.AsSystem(t.Context()), "far/copy")
		return now.Head == head, err
	})
	if err != nil {
		_, out, problem := say("repo mirror list crew/shop")
		t.Fatalf("it is never mirrored: %v\n%s%s", err, out, problem)
	}
	_, out, _ := say("repo mirror list crew/shop -o json")
	var mirrors []client.Mirror
	if err := json.Unmarshal([]byte(out), &mirrors); err != nil || len(mirrors) != 1 || strings.Contains(out, far.Options.AdminToken) {
		t.Fatalf("the mirrors are %s, %v", out, err)
	}
	sayAll(t, []said{
		{"repo mirror push crew/shop " + mirrors[0].ID, 0, "mirror list"},
		{"repo mirror remove crew/shop " + mirrors[0].ID, 0, "removed"},
		{"repo mirror remove crew/shop " + mirrors[0].ID, 4, "no mirror"},
		{"repo import crew/follows --cancel", 0, "like any other"},
	})
}
