package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAGoldenPathIsPreviewed at the terminal: its files as a list, one as its text, and all in a new folder.
func TestAGoldenPathIsPreviewed(t *testing.T) {
	h, server := open(t)
	newGround(t, h, server)
	atTerminal(t, server.URL, h.Options.AdminToken)
	folder := filepath.Join(t.TempDir(), "preview")
	const line = "template preview go-service --no-input -p name=shop -p owner=group:default/crew -p space=default"
	sayAll(t, []said{
		{"template preview nothing", 4, "nothing"},
		{"template preview go-service --no-input", 1, "is missing"},
		{line, 0, "catalog-info.yaml"},
		{line + " catalog-info.yaml", 0, "name: shop"},
		{line + " catalog-info.yaml -o json", 0, `"path": "catalog-info.yaml"`},
		{line + " nothing.txt", 4, "nothing.txt"},
		{line + " --out " + folder, 0, "wrote the files to"},
		{line + " --out " + folder, 1, "make the folder"},
		{"repo list", 0, "golden-paths"},
	})
	if text, err := os.ReadFile(filepath.Join(folder, "catalog-info.yaml")); err != nil || !strings.Contains(string(text), "name: shop") {
		t.Errorf("the folder holds %s, %v", text, err)
	}
	if _, out, _ := say("repo list"); strings.Contains(out, "/shop") {
		t.Errorf("a preview made a repository: %s", out)
	}
}
