// Package architecture holds the rules of the house to the tree.
package architecture

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/roadbed-dev/roadbed/"

// core lists the rooms of the core in their order: each may import those above it.
var core = []string{"document", "access", "secret", "oidc", "policy", "identity", "catalog", "integration", "hook", "repository", "run", "pool"}

// heavy names the one room that each heavy dependency lives in.
var heavy = map[string]string{
	"github.com/moby/moby":                     "internal/machinery/execute/container",
	"github.com/open-policy-agent/opa":         "internal/core/policy",
	"github.com/dop251/goja":                   "internal/machinery/nunjucks",
	"modernc.org/sqlite":                       "internal/machinery/store",
	"github.com/jackc/pgx/v5":                  "internal/machinery/store internal/machinery/ledger", // the sealer writes in batches
	"github.com/google/go-containerregistry":   "internal/machinery/oci",
	"k8s.io/api":                               "internal/machinery/cluster",
	"filippo.io/age":                           "internal/core/secret",
	"github.com/danielgtaylor/huma/v2":         "internal/face/api",
	"github.com/spf13/cobra":                   "internal/face/cli internal/server cmd/roadbed",
	"github.com/opentofu/tofudl":               "internal/machinery/toolchain",
	"github.com/hashicorp/go-version":          "internal/machinery/toolchain",
	"github.com/ProtonMail/go-crypto":          "internal/machinery/toolchain internal/machinery/provider internal/product/registry",
	"golang.org/x/mod":                         "internal/machinery/provider",
	"github.com/hashicorp/hcl/v2":              "internal/product/registry",
	"github.com/prometheus/client_golang":      "internal/server",
	"github.com/santhosh-tekuri/jsonschema/v6": "internal/product/scaffold internal/core/catalog internal/core/document internal/machinery/forge/github/githubtest",
	"github.com/expr-lang/expr":                "internal/product/workflow",
	"github.com/google/cel-go":                 "internal/product/insight internal/product/stack", // rules of scorecards, and prices
	"github.com/google/go-github/v75":          "internal/machinery/forge/github",
	"gitlab.com/gitlab-org/api/client-go":      "internal/machinery/forge/gitlab",
	"github.com/pressly/goose/v3":              "internal/machinery/store",
	"github.com/yuin/goldmark":                 "internal/product/docs",
	"github.com/microcosm-cc/bluemonday":       "internal/product/docs",
	"github.com/vektah/gqlparser/v2":           "internal/product/docs",
	"github.com/emicklei/proto":                "internal/product/docs",
}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Module                             *struct{ Path string }
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for decoder.More() {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		t.Fatalf("go list gives only %d packages", len(all))
	}
	return all
}

// floor gives the floor of a package's path within the module, and the room on it.
func floor(path string) (int, string) {
	parts := strings.Split(path, "/")
	if parts[0] != "internal" || len(parts) < 2 {
		switch parts[0] {
		case "cmd":
			return 7, path
		case "client":
			return 2, "client" // it sees only the vocabulary
		case "web":
			return 4, "web" // an embedded folder
		}
		return 8, path
	}
	room := parts[1]
	if len(parts) > 2 {
		room = parts[2]
	}
	switch parts[1] {
	case "words":
		return 1, room
	case "machinery":
		return 2, room
	case "core":
		return 3, room
	case "product":
		return 4, room
	case "face":
		return 5, room
	case "server":
		return 6, "server"
	}
	return 0, room
}

// allowed tells whether a package may import another of this module, and why not.
func allowed(from, to string) string {
	fromFloor, fromRoom := floor(from)
	toFloor, toRoom := floor(to)
	switch {
	case fromFloor == 0:
		return "it is on no floor of the house"
	case (strings.HasPrefix(from, "internal/face/cli") || strings.HasPrefix(from, "internal/face/demo")) && toFloor != 1 && !strings.HasPrefix(to, "client") && fromRoom != toRoom:
		return "the CLI and the demo see only client/ and words/"
	case fromRoom == toRoom && fromFloor == toFloor:
		return ""
	case fromFloor == 1:
		if toFloor == 1 {
			return ""
		}
		return "words stand on the standard library alone"
	case fromFloor == 2 && toFloor == 2:
		return "" // siblings; the compiler refuses circles
	case fromFloor == 3 && toFloor == 3:
		if place(toRoom) < place(fromRoom) {
			return ""
		}
		return fmt.Sprintf("in core, %s stands below %s in the order", toRoom, fromRoom)
	case fromFloor == 5 && toFloor == 5 && fromRoom == "api":
		return ""
	case toFloor < fromFloor:
		return ""
	}
	return fmt.Sprintf("floor %d may not see floor %d", fromFloor, toFloor)
}

func place(room string) int {
	for i, name := range core {
		if name == room {
			return i
		}
	}
	return len(core)
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			if why := allowed(from, to); why != "" {
				t.Errorf("%s imports %s: %s", from, to, why)
			}
		}
	}
}

// crossing are what tests may import besides, with the reason. All else holds for tests as it does for what they test.
var crossing = map[[2]string]string{
	{"client", "internal/server"}:                           "the client is asked of a real server",
	{"internal/core/catalog", "internal/core/repository"}:   "locations are read from real repositories",
	{"internal/product/scaffold", "internal/product/stack"}: "the infrastructure of a golden path is validated by the engine",
}

func TestImportsOfTestsGoDown(t *testing.T) {
	t.Parallel()
	seen, used := 0, map[[2]string]bool{}
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			to, ours := strings.CutPrefix(imported, module)
			if !ours || to == from {
				continue
			}
			seen++
			way := [2]string{from, to}
			if used[way] = true; crossing[way] != "" {
				continue
			}
			if why := allowed(from, to); why != "" {
				t.Errorf("a test of %s imports %s: %s", from, to, why)
			}
		}
	}
	if seen < 100 {
		t.Errorf("the tests of all packages import only %d of ours", seen)
	}
	for way, why := range crossing {
		if !used[way] {
			t.Errorf("no test of %s imports %s any more (%s); take it out of the list", way[0], way[1], why)
		}
	}
}

// TestProgramsHaveNoTestingWithin says that what helps tests is in no program.
func TestProgramsHaveNoTestingWithin(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		if helpsTests(from) {
			continue
		}
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module); ours && helpsTests(to) || imported == "testing" {
				t.Errorf("%s imports %s outside of its tests", from, imported)
			}
		}
	}
}

// helpsTests tells whether a package is there for tests, by its name.
func helpsTests(path string) bool { return strings.HasSuffix(path, "test") }

func TestHeavyDependenciesHaveOneRoom(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range packages(t) {
		from := strings.TrimPrefix(p.ImportPath, module)
		for _, imported := range p.Imports {
			for dependency, rooms := range heavy {
				if imported != dependency && !strings.HasPrefix(imported, dependency+"/") {
					continue
				}
				used[dependency] = true
				if !within(from, strings.Fields(rooms)) {
					t.Errorf("%s imports %s, which lives in %s", from, imported, rooms)
				}
			}
		}
	}
	for dependency := range heavy {
		if !used[dependency] {
			t.Errorf("nothing imports %s any more; take it out of the list", dependency)
		}
	}
}

func within(path string, rooms []string) bool {
	for _, room := range rooms {
		if path == room || strings.HasPrefix(path, room+"/") {
			return true
		}
	}
	return false
}

// TestAllowed shows that the rule can refuse.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"internal/core/run", "internal/core/access", true},
		{"internal/core/access", "internal/core/run", false},
		{"internal/product/stack", "internal/product/delivery", false},
		{"internal/product/stack", "internal/core/run", true},
		{"internal/core/run", "internal/product/stack", false},
		{"internal/machinery/ledger", "internal/machinery/store", true},
		{"internal/machinery/ledger", "internal/core/run", false},
		{"internal/face/cli", "internal/core/run", false},
		{"internal/face/cli", "client", true},
		{"internal/face/api", "internal/product/stack", true},
		{"internal/words/ref", "internal/words/fault", true},
		{"internal/words/ref", "internal/machinery/store", false},
		{"internal/server", "internal/face/api", true},
		{"internal/face/api", "internal/server", false},
		{"internal/odd", "internal/words/ref", false},
	} {
		if why := allowed(c.from, c.to); (why == "") != c.ok {
			t.Errorf("allowed(%s, %s) = %q", c.from, c.to, why)
		}
	}
}
