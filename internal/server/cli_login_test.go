package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSeveralServersAreRemembered says verbs to two servers, by their names, as somebody with one file of logins.
func TestSeveralServersAreRemembered(t *testing.T) {
	h, server := open(t)
	other, second := open(t)
	atTerminal(t, "", "")
	dir := os.Getenv("XDG_CONFIG_HOME")
	file := filepath.Join(dir, "roadbed", "login.json")
	host := strings.TrimPrefix(server.URL, "http://")
	sayAll(t, []said{
		{"whoami", 1, "no server is known"},
		{"login list", 0, "no servers are remembered"},
		{"logout", 2, "no server is current"},
		{"login localhost:8080", 2, "is not the address of a server"},
		{"login ftp://localhost", 2, "is not the address of a server"},
	})

	// A file of when there was one server, which others may read.
	write(t, file, `{"url":"`+server.URL+`","token":"`+h.Options.AdminToken+`"}`)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	sayAll(t, []said{
		{"whoami", 0, server.URL},
		{"login list", 0, "* " + host + "  " + server.URL + "\n"},
	})

	t.Setenv("ROADBED_TOKEN", "rbt_wrong")
	sayAll(t, []said{{"login " + second.URL, 3, ""}, {"whoami", 3, ""}})
	t.Setenv("ROADBED_TOKEN", other.Options.AdminToken)
	sayAll(t, []said{{"login " + second.URL + "/ --name second", 0, "logged in to " + second.URL}})
	t.Setenv("ROADBED_TOKEN", "")
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of logins is %v, %v", info, err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("beside the file of logins lie %v, %v", left, err)
	}

	sayAll(t, []said{
		{"login list", 0, "\n* second "},
		{"login list -o json", 0, `"name": "` + host + `"`},
		{"whoami", 0, second.URL},
		{"whoami --server " + host, 0, server.URL},
		{"whoami --url " + server.URL, 0, "admin"},
		{"whoami --server nothing", 2, "there are " + host + ", second"},
		{"whoami --server second --url " + server.URL, 2, "none of the others can be"},
		{"login use nothing", 2, "there are"},
		{"login use " + host, 0, server.URL},
		{"whoami", 0, server.URL},
	})
	t.Setenv("ROADBED_SERVER", "second")
	sayAll(t, []said{{"whoami", 0, second.URL}, {"whoami --server " + host, 0, server.URL}, {"login use " + host, 0, "the environment names second, which wins"}})
	t.Setenv("ROADBED_URL", server.URL)
	t.Setenv("ROADBED_TOKEN", h.Options.AdminToken)
	sayAll(t, []said{{"whoami", 0, server.URL}})
	t.Setenv("ROADBED_TOKEN", "rbt_of-another-server")
	sayAll(t, []said{{"whoami", 3, ""}, {"whoami --server second", 0, second.URL}}) // a login has a token of its own
	for _, name := range []string{"ROADBED_SERVER", "ROADBED_URL", "ROADBED_TOKEN"} {
		t.Setenv(name, "")
	}

	sayAll(t, []said{
		{"logout", 0, ""},
		{"whoami", 1, "roadbed login use NAME"},
		{"whoami --server second", 0, second.URL},
		{"logout nothing", 2, "there are second"},
	})
	if _, out, _ := say("login list -o json"); strings.Contains(out, other.Options.AdminToken) || strings.Contains(out, host) {
		t.Errorf("the logins are %s", out)
	}
	write(t, file, "{")
	sayAll(t, []said{{"whoami", 1, "is damaged"}, {"logout", 1, "is damaged"}, {"logout --all", 0, ""}, {"whoami", 1, "no server is known"}})
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file of logins is still there: %v", err)
	}
}
