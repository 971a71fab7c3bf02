package server

import (
	"path/filepath"
	"testing"
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
