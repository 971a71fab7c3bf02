package worker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// goSeedDir is where the compiled standard library of a Go is kept for new caches, in the cache folder of the user.
func goSeedDir(goroot string) (string, error) {
	data, err := os.ReadFile(filepath.Join(goroot, "VERSION"))
	if err != nil {
		return "", err
	}
	version, _, _ := strings.Cut(string(data), "\n")
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "roadbed", "go-std-"+filepath.Base(strings.TrimSpace(version))), nil
}

// goSeeds gives what WarmGo has made, for caches named "go" (below build, as CacheEnv says) and "go-build".
func goSeeds(goroot string) []Seed {
	dir, err := goSeedDir(goroot)
	if err != nil {
		return nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	return []Seed{{Cache: "go", At: "build", Dir: dir}, {Cache: "go-build", Dir: dir}}
}

// WarmGo compiles the standard library of this machine's Go once, as steps do it: plainly and with -trimpath, and what
// vet and the vet of tests, which looks for less, need of it. It gives the folder; done says that it was there before.
func WarmGo(ctx context.Context, progress io.Writer) (dir string, done bool, err error) {
	goroot := findGo(ctx)
	if goroot == "" {
		return "", false, fault.Errorf(fault.NotFound, "no Go is installed on this machine")
	}
	if dir, err = goSeedDir(goroot); err != nil {
		return "", false, fault.Errorf(fault.Unavailable, "find a place for the compiled standard library: %w", err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, true, nil
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "go-std-")
	if err != nil {
		if err = os.MkdirAll(filepath.Dir(dir), 0o755); err == nil {
			part, err = os.MkdirTemp(filepath.Dir(dir), "go-std-")
		}
		if err != nil {
			return "", false, fault.Errorf(fault.Unavailable, "find a place for the compiled standard library: %w", err)
		}
	}
	defer os.RemoveAll(part) // what is left when it was not finished
	if err := fillGo(ctx, goroot, part, progress); err != nil {
		return "", false, err
	}
	if err := os.Chmod(part, 0o755); err != nil {
		return "", false, err
	}
	if err := os.Rename(part, dir); err != nil {
		if _, there := os.Stat(dir); there == nil {
			return dir, true, nil // somebody else was quicker
		}
		return "", false, err
	}
	return dir, false, nil
}

// fillGo has Go fill a cache.
func fillGo(ctx context.Context, goroot, cache string, progress io.Writer) error {
	all, err := os.MkdirTemp("", "roadbed-warm-")
	if err != nil {
		return fault.Errorf(fault.Unavailable, "make a module of the standard library: %w", err)
	}
	defer os.RemoveAll(all)
	run := func(dir string, args ...string) ([]byte, error) {
		fmt.Fprintln(progress, "go", strings.Join(args, " "))
		c := exec.CommandContext(ctx, filepath.Join(goroot, "bin", "go"), args...)
		c.Dir = dir
		c.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "GOCACHE=" + cache, "GOPATH=" + cache + "/none"}
		for k, v := range goEnv() {
			c.Env = append(c.Env, k+"="+v)
		}
		c.Env = append(c.Env, "GOROOT="+goroot)
		var said bytes.Buffer // apart: Go tells there also what is no name of a package
		c.Stderr = &said
		out, err := c.Output()
		if err != nil {
			err = fault.Errorf(fault.Unavailable, "go %s: %w: %s%s", strings.Join(args, " "), err, out, said.Bytes())
		}
		return out, err
	}
	for _, args := range [][]string{{"build", "std"}, {"build", "-trimpath", "std"}} {
		if _, err := run("/", args...); err != nil {
			return err
		}
	}
	names, err := run("/", "list", "std")
	if err != nil {
		return err
	}
	for name, content := range map[string]string{"go.mod": "module warm\n", "warm_test.go": importing(strings.Fields(string(names)))} {
		if err := os.WriteFile(filepath.Join(all, name), []byte(content), 0o600); err != nil {
			return fault.Errorf(fault.Unavailable, "write a module of the standard library: %w", err)
		}
	}
	for _, args := range [][]string{{"vet", "."}, {"test", "-run=^$", "."}} {
		if _, err := run(all, args...); err != nil {
			return err
		}
	}
	return nil
}

// importing gives a file with all packages that a program without C can import.
func importing(names []string) string {
	var b strings.Builder
	b.WriteString("package warm\n\nimport (\n")
	for _, name := range names {
		if strings.Contains("/"+name+"/", "/internal/") || strings.HasPrefix(name, "vendor/") || name == "runtime/cgo" || name == "runtime/race" {
			continue
		}
		fmt.Fprintf(&b, "\t_ %q\n", name)
	}
	b.WriteString(")\n")
	return b.String()
}
