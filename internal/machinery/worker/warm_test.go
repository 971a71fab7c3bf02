package worker

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

func TestGoToolBuildsOffline(t *testing.T) {
	t.Parallel()
	tools, err := DefaultTools(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := tools["go"]; !ok {
		lacktest.Skip(t, "no Go to lend on this machine")
	}
	b := start(t, func(o *Options) { o.Tools = tools })
	j := sh("go version && go list -f '{{.Name}}' . && go env GOCACHE GOROOT && which go")
	j.Tools, j.Caches = []string{"go"}, []Cache{{Name: "go", Path: "/cache/go"}}
	j.Files = []File{{Path: "go.mod", Content: "module example.com/x\n\ngo 1.24\n"}, {Path: "main.go", Content: "package main\n\nfunc main() {}\n"}}
	b.hub.offer("a", j)
	result, log := b.hub.result(t, "a")
	if result.ExitCode != 0 || !strings.Contains(log, "main\n/cache/go/build\n/tools/go\n/tools/go/bin/go\n") {
		t.Errorf("got %+v, %q", result, log)
	}
}

// TestAStepWithTheSeedCompilesOnlyItsOwn has Go tell what it compiles when it vets, tests and builds a program that
// answers requests, in a new cache.
func TestAStepWithTheSeedCompilesOnlyItsOwn(t *testing.T) {
	t.Parallel()
	tools, err := DefaultTools(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(tools["go"].Seeds) == 0 {
		lacktest.Skip(t, "the standard library is not compiled for new caches; run make warm")
	}
	b := start(t, func(o *Options) { o.Tools = tools })
	j := sh("go vet -x . && go test -x . && go build -x -o /work/plain . && go build -x -trimpath -o /work/trimmed .")
	j.Tools, j.Caches = []string{"go"}, []Cache{{Name: "go", Path: "/cache/go"}}
	j.Files = []File{{Path: "go.mod", Content: "module example.com/x\n\ngo 1.24\n"}, {Path: "main.go", Content: `package main

import "net/http"

func main() { panic(http.ListenAndServe("127.0.0.1:8080", http.NotFoundHandler())) }
`}, {Path: "main_test.go", Content: `package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestNothingIsThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil || response.StatusCode != http.StatusNotFound {
		t.Error(response, err)
	}
}
`}}
	b.hub.waiting <- Lease{ID: "a", Step: "a", Job: j, Expires: time.Now().Add(10 * time.Minute), Space: "default"}
	result, log := b.hub.result(t, "a")
	if result.ExitCode != 0 {
		t.Fatalf("got %+v, %s", result, log)
	}
	own := 0
	for _, vetted := range regexp.MustCompile(`"ImportPath": "(\S+)`).FindAllStringSubmatch(log, -1) {
		if !strings.HasPrefix(vetted[1], "example.com/") {
			t.Errorf("%s is vetted", vetted[1])
		}
	}
	for _, compiled := range regexp.MustCompile(`/(?:compile|asm) .*-p (\S+)`).FindAllStringSubmatch(log, -1) {
		if name := compiled[1]; name != "main" && !strings.HasPrefix(name, "example.com/") {
			t.Errorf("%s is compiled", name)
		} else {
			own++
		}
	}
	if own < 4 { // with its tests, what runs them, plainly, and with -trimpath
		t.Errorf("%d packages are compiled, want the program's own: %s", own, log)
	}
}

// What Go says beside its answer is no package.
func TestOnlyPackagesAreImported(t *testing.T) {
	t.Parallel()
	goroot, cache := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(goroot, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
echo "go: a warning" >&2
case $1 in
list) echo fmt; echo net/http ;;
vet) cp warm_test.go "$GOCACHE/" ;;
test) echo "why it fails"; exit 1 ;;
esac
`
	syscall.ForkLock.RLock() // no other test's process has the file open when it is run
	err := os.WriteFile(filepath.Join(goroot, "bin", "go"), []byte(script), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	err = fillGo(t.Context(), goroot, cache, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "why it fails") || !strings.Contains(err.Error(), "a warning") {
		t.Errorf("a test that fails is told as %v", err)
	}
	got, err := os.ReadFile(filepath.Join(cache, "warm_test.go"))
	if want := importing([]string{"fmt", "net/http"}); err != nil || string(got) != want {
		t.Errorf("the module is %s, %v, want %s", got, err, want)
	}
}
