package server

import "testing"

// TestAWrongCallEndsWithTheCodeOfWrongUsage also for verbs that work without a server, and before anything is done.
func TestAWrongCallEndsWithTheCodeOfWrongUsage(t *testing.T) {
	atTerminal(t, "http://127.0.0.1:1", "") // where nothing answers, which would be told by another code
	dir := t.TempDir()
	sayAll(t, []said{
		{"nonsense", 2, `unknown command "nonsense" for "roadbed"`},
		{"nonsense --wait", 2, `unknown command "nonsense" for "roadbed"`},
		{"run shw", 2, "did you mean show?"},
		{"run shw --wait", 2, "did you mean show?"},
		{"audit nonsense", 2, `unknown command "nonsense" for "roadbed audit"`},
		{"completion nonsense", 2, "nonsense"},
		{"run show", 2, "write: roadbed run show ID"},
		{"run show a b", 2, "write: roadbed run show ID"},
		{"run list --nonsense", 2, "see roadbed run list --help"},
		{"run list --limit x", 2, "see roadbed run list --help"},
		{"run list --limit -1", 2, "0 is for all"},
		{"run cancel run_x -o xml", 2, "it is table, json or yaml"},
		{"apply", 2, `"file" not set; write: roadbed apply`},
		{"get component a:b:c", 2, "is not an entity reference"},
		{"describe a--b/c/d", 2, "is not an entity reference"},
		{"what-changed --since 0s", 2, "--since"},
		{"workflow lint", 2, "write: roadbed workflow lint FILE"},
		{"server --workers x --data " + dir, 2, "--workers"},
		{"doctor --log-level loud --data " + dir, 2, "log-level"},
		{"audit verify extra --data " + dir, 2, "extra"},
		{"image pack --file x --push registry.local/a/b:c", 2, "PATH=/PLACE"},
		{"run show run_x", 1, "is the server running?"},
		{"run", 0, "approve"},
		{"", 0, "workflow"},
	})
}
