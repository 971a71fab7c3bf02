package server

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitlab/gitlabtest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// TestASourceAtTheTerminal is pushed as a whole, in part, with something wrong, and deleted.
func TestASourceAtTheTerminal(t *testing.T) {
	h, server := open(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	line := func(name string) string {
		return `{"apiVersion": "backstage.io/v1alpha1", "kind": "System", "metadata": {"name": "` + name + `"}, "spec": {"owner": "crew"}}` + "\n"
	}
	all := file("all.ndjson", line("tills")+line("stores"))
	part := file("part.ndjson", line("vans")+`{"apiVersion": "backstage.io/v1alpha1", "kind": "System", "metadata": {"name": "tills"}, "spec": {}}`+"\n")
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{
		{"discovery list", 0, "no discoveries"},
		{"discovery show acme", 4, "no discovery default/acme"},
		{"discovery preview", 1, "name the document's file with -f"},
		{"source list", 0, "source push"},
		{"source push cmdb", 1, "nothing to push"},
		{"source push cmdb -f " + all, 0, "2 created"},
		{"source push cmdb -f " + all, 0, "2 created"}, // as the last one: nothing was done
		{"source push cmdb --part -f " + part, 0, "1 created, 1 wrong"},
		{"source show cmdb", 0, "documents:2: spec.owner: "},
		{"delete system tills", 5, "pushed by the source cmdb"},
		{"source push cmdb --delete system:default/vans", 0, "1 deleted"},
		{"source list", 0, "cmdb"},
		{"source delete cmdb", 0, "deleted the source cmdb"},
		{"source show cmdb", 4, ""},
	})
}

// TestTheCommandLineOfDiscoveries looks at what an organization would bring, has it brought, and looks again when the forge has
// ended its token.
func TestTheCommandLineOfDiscoveries(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	lab := gitlabtest.New(t)
	lab.User("ann", "token-of-ann", "api")
	lab.Group("acme", map[string]int{"ann": gitlabtest.Owner})
	secret := func(value string) {
		if err := g.admin.Do(t.Context(), http.MethodPut, "/secrets/default/lab", nil, map[string]any{"value": value}, nil); err != nil {
			t.Fatal(err)
		}
	}
	secret("token-of-ann")
	g.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: lab}, spec: {forge: gitlab, url: " + lab.URL + ", token: {secretRef: default/lab}}}")
	f, err := h.Integrations.Forge(actor.AsSystem(t.Context()), "default/lab")
	if err != nil {
		t.Fatal(err)
	}
	for path, file := range map[string]string{"acme/shop": "catalog-info.yaml", "acme/notes": "README.md"} {
		if _, err := f.CreateRepository(t.Context(), forge.NewRepository{Name: path, Private: true}); err != nil {
			t.Fatal(err)
		}
		lab.Commit(path, "ann", "main", file, declares("shop"))
	}
	doc := "{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: acme}, spec: {integration: lab, organization: acme, repositories: {exclude: [%]}}}"
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	all, none := file("acme.yaml", strings.Replace(doc, "%", "", 1)), file("none.yaml", strings.Replace(doc, "%", "shop", 1))
	mallory := func() string {
		made, err := client.Post[client.NewToken](t.Context(), g.admin, "/tokens", map[string]any{"name": "m", "owner": "user:default/mallory"})
		if err != nil {
			t.Fatal(err)
		}
		return made.Secret
	}()

	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{
		{"discovery preview -f " + all, 0, "acme/shop"},
		{"discovery preview -f " + all + " -o json", 0, `"registered": 1`},
		{"discovery preview -f " + none, 0, "excluded        1"},
		{"discovery preview -f " + file("other.yaml", "{apiVersion: roadbed.dev/v1, kind: Policy, metadata: {name: acme}, spec: {}}"), 1, "Discovery"},
		{"discovery preview -f " + filepath.Join(dir, "nothing.yaml"), 1, "nothing.yaml"},
		{"discovery preview -f " + all + " --space nowhere", 4, "nowhere"},
		{"discovery list", 0, "no discoveries"}, // a preview writes nothing
		{"discovery look acme", 4, "no discovery default/acme"},
		{"apply -f " + all, 0, "discovery:default/acme"},
	})
	g.discovered("default/acme", func(d client.Discovery) bool { return d.Looked != nil && !d.Busy })
	sayAll(t, []said{
		{"discovery look acme", 0, "healthy"},
		{"discovery look default/acme -o json", 0, `"state": "healthy"`},
		{"discovery repositories acme --state without", 0, "acme/notes"},
		{"discovery list", 0, "default/acme"},
	})
	secret("token-of-nobody")
	sayAll(t, []said{{"discovery look acme", 1, "default/acme is "}})
	t.Setenv("ROADBED_TOKEN", mallory)
	sayAll(t, []said{
		{"discovery look acme", 4, "no discovery default/acme"},
		{"discovery preview -f " + all, 3, "space:admin"},
	})
}
