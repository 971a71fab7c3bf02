package worker

import (
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
	return filepath.Join(cache, "roadbed", "go-build-"+filepath.Base(strings.TrimSpace(version))), nil
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
// vet needs of it. It gives the folder; done says that it was there before.
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
	part, err := os.MkdirTemp(filepath.Dir(dir), "go-build-")
	if err != nil {
		if err = os.MkdirAll(filepath.Dir(dir), 0o755); err == nil {
			part, err = os.MkdirTemp(filepath.Dir(dir), "go-build-")
		}
		if err != nil {
			return "", false, fault.Errorf(fault.Unavailable, "find a place for the compiled standard library: %w", err)
		}
	}
	defer os.RemoveAll(part) // what is left when it was not finished
	for _, args := range [][]string{{"build", "std"}, {"build", "-trimpath", "std"}, {"vet", "net/http/httptest"}} {
		fmt.Fprintln(progress, "go", strings.Join(args, " "))
		c := exec.CommandContext(ctx, filepath.Join(goroot, "bin", "go"), args...)
		c.Dir = "/"
		c.Env = []string{"HOME=/nonexistent", "PATH=/usr/bin:/bin", "GOCACHE=" + part, "GOPATH=" + part + "/none"}
		for k, v := range goEnv() {
			c.Env = append(c.Env, k+"="+v)
		}
		c.Env = append(c.Env, "GOROOT="+goroot)
		if out, err := c.CombinedOutput(); err != nil {
			return "", false, fault.Errorf(fault.Unavailable, "go %s: %w: %s", strings.Join(args, " "), err, out)
		}
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
