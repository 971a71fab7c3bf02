package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider/providertest"
)

const (
	goTFE       = "github.com/hashicorp/go-tfe"
	goTFEModule = "../../test/tfe" // which names its version
	nullVersion = "3.2.1"
)

// listedTests gives the tests of go-tfe that have to pass, as go test names them.
func listedTests(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(goTFEModule, "pass.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			names = append(names, line)
		}
	}
	if len(names) < 100 {
		t.Fatalf("pass.txt lists only %d tests", len(names))
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			t.Errorf("pass.txt lists %s twice", name)
		}
	}
	return names
}

func rootOf(test string) string {
	root, _, _ := strings.Cut(test, "/")
	return root
}

// TestEveryListedTestIsToldOf holds the page on the protocol to the list.
func TestEveryListedTestIsToldOf(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reference/tfe-api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range listedTests(t) {
		if !strings.Contains(string(page), "`"+rootOf(name)+"`") {
			t.Errorf("docs/reference/tfe-api.md does not name %s", rootOf(name))
		}
	}
}

// inModule runs go where go-tfe is required.
func inModule(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", args...)
	var out, wrong bytes.Buffer
	c.Dir, c.Stdout, c.Stderr = goTFEModule, &out, &wrong
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s%s", args[0], err, &out, &wrong)
	}
	return strings.TrimSpace(out.String()), nil
}

// goTFETests builds the tests that are in the module of go-tfe, and gives the program and a folder with the files that they
// read.
func goTFETests(t *testing.T) (program, dir string) {
	t.Helper()
	lacktest.Programs()
	if _, err := os.ReadFile(filepath.Join(goTFEModule, "go.mod")); err != nil { // with another version the result is another one
		t.Fatal(err)
	}
	if _, err := inModule(t, "list", "-deps", "-test", goTFE); err != nil {
		lacktest.Skip(t, "go-tfe can't be had: %v", err)
	}
	module, err := inModule(t, "list", "-m", "-f", "{{.Dir}}", goTFE)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	program = filepath.Join(dir, "go-tfe.test")
	if _, err := inModule(t, "test", "-c", "-trimpath", "-o", program, goTFE); err != nil {
		t.Fatal(err)
	}
	const fixtures = "test-fixtures" // some tests write into it
	if err := os.CopyFS(filepath.Join(dir, fixtures), os.DirFS(filepath.Join(module, fixtures))); err != nil {
		t.Fatal(err)
	}
	return program, dir
}

// nullProvider gives hashicorp/null, which the configuration in go-tfe's tests is made of.
func nullProvider(t *testing.T) []byte {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(cache, "roadbed", "provider-null-"+nullVersion, "terraform-provider-null"))
	if err != nil {
		lacktest.Skip(t, "there is no provider; run make provider")
	}
	return providertest.Archive(t, "null", nullVersion, program, nil)
}

// pattern gives that of go test for tests and nothing beside them.
func pattern(names []string) string {
	var all []string
	for _, name := range names {
		var levels []string
		for _, level := range strings.Split(name, "/") {
			levels = append(levels, "^"+regexp.QuoteMeta(level)+"$")
		}
		all = append(all, strings.Join(levels, "/"))
	}
	return strings.Join(all, "|")
}

var testResult = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)

// TestGoTFEsOwnTestsPass runs the integration tests that the client library of the remote protocol ships with, those that
// test/tfe/pass.txt lists, against a server as people start one.
func TestGoTFEsOwnTestsPass(t *testing.T) {
	t.Parallel()
	names := listedTests(t)
	found := remotes(t)
	engine, host := found["tofu"], "registry.opentofu.org"
	if engine == "" {
		engine, host = found["terraform"], "registry.terraform.io"
	}
	archive := nullProvider(t)
	program, dir := goTFETests(t)
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Dev, o.Isolation, o.Engine, o.ProviderMirror, o.Database = true, preferIsolation, engine, mirrorOnly, database
		address := running(t, o)
		g := groundAt(t, "http://"+address, o.AdminToken)
		// The tests confirm what they began themselves.
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		raw := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }}
		if err := g.admin.Do(t.Context(), "PUT", "/mirror/providers/"+host+"/hashicorp/null/"+nullVersion+"/"+packages.Here(), nil, raw, nil); err != nil {
			t.Fatal(err)
		}
		_, port, _ := strings.Cut(address, ":")
		environment := append(os.Environ(), "TFE_ADDRESS=https://localhost:"+port, "TFE_TOKEN="+g.token("user:default/admin"),
			"SSL_CERT_FILE="+filepath.Join(o.Data, "ca.pem"), "ENABLE_TFE=1", "ENABLE_BETA=1")

		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		said := map[string]string{} // by each test, in what its program has written
		var all sync.WaitGroup
		var lock sync.Mutex
		for _, group := range suiteGroups(names) {
			all.Go(func() {
				c := exec.CommandContext(ctx, program, "-test.v", "-test.timeout=5m", "-test.parallel=4", "-test.run="+pattern(group))
				c.Dir, c.Env = dir, environment
				if cloudOnly(group[0]) {
					c.Env = append(slices.Clone(environment), "ENABLE_TFE=0")
				}
				out, _ := c.CombinedOutput() // what failed is told by its name
				lock.Lock()
				defer lock.Unlock()
				for _, name := range group {
					said[name] = string(out)
				}
			})
		}
		all.Wait()
		told := map[string]bool{}
		for _, name := range names {
			if result := resultOf(name, said[name]); result != "PASS" {
				if t.Errorf("%s: %q, and has to pass", name, result); !told[said[name]] {
					told[said[name]] = true
					t.Log(said[name])
				}
			}
		}
	})
}

// resultOf gives how a test ended by what go test has written: "" when it did not run to its end.
func resultOf(name, out string) (result string) {
	for _, m := range testResult.FindAllStringSubmatch(out, -1) {
		if m[2] == name {
			result = m[1]
		}
	}
	return result
}

// TestAListedTestHasToRunAndPass shows that the suite can fail.
func TestAListedTestHasToRunAndPass(t *testing.T) {
	t.Parallel()
	const out = "=== RUN   TestA\n=== RUN   TestA/b_c\n    a_test.go:1: no\n--- FAIL: TestA (0.00s)\n    --- PASS: TestA/b_c (0.00s)\n    --- SKIP: TestA/d (0.00s)\n=== RUN   TestB\npanic: no\n"
	for name, want := range map[string]string{"TestA": "FAIL", "TestA/b_c": "PASS", "TestA/d": "SKIP", "TestA/b": "", "TestB": "", "TestC": ""} {
		if got := resultOf(name, out); got != want {
			t.Errorf("%s ends with %q, want %q", name, got, want)
		}
	}
	if got, want := pattern([]string{"TestA/b_(c)", "TestB"}), `^TestA$/^b_\(c\)$|^TestB$`; got != want {
		t.Errorf("the pattern is %s, want %s", got, want)
	}
}

// cloudOnly tells of a test that skips itself where ENABLE_TFE says that the server is no HCP Terraform.
func cloudOnly(test string) bool { return strings.HasPrefix(test, "TestAgentTokens") }

// suiteGroups splits tests into those that run beside each other by themselves, some programs' worth of those that
// begin runs, which wait for each other within one program, and those that run as at HCP Terraform.
func suiteGroups(names []string) [][]string {
	const programs = 5
	groups := make([][]string, programs)
	var roots []string
	for _, name := range names {
		root, at := rootOf(name), 0
		switch {
		case cloudOnly(name):
			at = programs - 1
		case strings.HasSuffix(root, "_RunDependent"):
			i := slices.Index(roots, root)
			if i < 0 {
				i = len(roots)
				roots = append(roots, root)
			}
			at = 1 + i%(programs-2)
		}
		groups[at] = append(groups[at], name)
	}
	return slices.DeleteFunc(groups, func(g []string) bool { return len(g) == 0 })
}
