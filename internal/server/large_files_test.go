package server

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// largeDesk is a home for plain git with Git LFS.
type largeDesk struct {
	*ground
	home string
}

func newLargeDesk(g *ground) largeDesk {
	g.t.Helper()
	if _, err := exec.LookPath("git-lfs"); err != nil {
		lacktest.Skip(g.t, "no git-lfs here: %v", err)
	}
	d := largeDesk{g, g.t.TempDir()}
	d.must("", "lfs", "install", "--skip-repo")
	return d
}

func (d largeDesk) must(dir string, args ...string) string {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), "git", args...)
	c.Dir = filepath.Join(d.home, dir)
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=Alice", "GIT_COMMITTER_EMAIL=alice@example.com",
	}
	out, err := c.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// clone clones a repository as alice, with the files of Git LFS.
func (d largeDesk) clone(name, dir string) {
	d.t.Helper()
	d.must("", "clone", "--quiet", strings.Replace(d.url, "://", "://x:"+d.alice.Token+"@", 1)+"/git/"+name+".git", dir)
}

// commit writes a file and commits it; it gives the commit.
func (d largeDesk) commit(dir, name, content string) string {
	d.t.Helper()
	write(d.t, filepath.Join(d.home, dir, name), content)
	d.must(dir, "add", "--all")
	d.must(dir, "commit", "--quiet", "--message", "change "+name)
	return d.must(dir, "rev-parse", "HEAD")
}

// TestLargeFilesComeAlong goes from a repository that git-lfs pushed to over an import of it and a follower to a mirror,
// and clones each as git-lfs does.
func TestLargeFilesComeAlong(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		d, ctx := newLargeDesk(g), t.Context()
		create := func(name string, more map[string]any) {
			t.Helper()
			in := map[string]any{"namespace": "crew", "name": name}
			for k, v := range more {
				in[k] = v
			}
			if _, err := client.Post[client.Repository](ctx, d.admin, "/repositories", in); err != nil {
				t.Fatal(err)
			}
		}
		from := map[string]any{"url": d.url + "/git/crew/shop.git", "username": "x", "password": d.alice.Token}
		create("shop", nil)
		d.clone("crew/shop", "shop")
		d.must("shop", "lfs", "track", "*.bin")
		large, older := random(3<<20), random(70_000)
		d.commit("shop", "model.bin", older)
		head := d.commit("shop", "model.bin", large)
		d.must("shop", "push", "--quiet", "origin", "HEAD:main")

		at := func(name, commit string) {
			t.Helper()
			within, stop := context.WithTimeout(ctx, time.Minute)
			defer stop()
			var r client.Repository
			err := eventually(within, func() (done bool, err error) {
				r, err = client.Get[client.Repository](within, d.admin, "/repositories/crew/"+name, nil)
				if err != nil || r.Import != nil && (r.Import.Error != "" || r.Import.State != "ready") {
					return false, err
				}
				return r.Head == commit, nil
			})
			if err != nil {
				t.Fatalf("%s never came to %s: %v; it is %+v, %+v", name, commit, err, r, r.Import)
			}
		}
		whole := func(name string) {
			t.Helper()
			d.clone("crew/"+name, name)
			if got, err := os.ReadFile(filepath.Join(d.home, name, "model.bin")); err != nil || string(got) != large {
				t.Errorf("%s has a model.bin of %d bytes: %v", name, len(got), err)
			}
			d.must(name, "lfs", "fetch", "--all")
			d.must(name, "lfs", "fsck")
		}
		create("copy", map[string]any{"import": from})
		at("copy", head)
		whole("copy")
		from["every"] = "1h"
		create("follower", map[string]any{"import": from})
		at("follower", head)
		create("mirror", nil)
		mirror := map[string]any{"url": d.url + "/git/crew/mirror.git", "username": "x", "password": d.alice.Token}
		if _, err := client.Post[client.Mirror](ctx, d.admin, "/repositories/crew/copy/mirrors", mirror); err != nil {
			t.Fatal(err)
		}
		at("mirror", head)
		whole("mirror")

		large = random(1 << 20)
		head = d.commit("shop", "model.bin", large)
		d.must("shop", "push", "--quiet", "origin", "HEAD:main")
		if err := d.admin.Do(ctx, http.MethodPost, "/repositories/crew/follower/import/retry", nil, map[string]any{}, nil); err != nil {
			t.Fatal(err)
		}
		at("follower", head)
		whole("follower")
	})
}
