package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi" //nolint:gosec // what is said of it is of Go before 1.6.3
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

const (
	polledRepositories = 2_000
	polledRounds       = 2
)

// far is a forge with many repositories, which all hold the same. It answers as GitHub does, by git's own server program.
type far struct {
	*httptest.Server
	git    http.Handler
	asked  atomic.Int64 // of a repository
	same   atomic.Int64 // answers that there is nothing new
	listed atomic.Int64 // times that git asked for references
}

func newFar(ctx context.Context, me *person) (*far, error) {
	root := filepath.Join(me.home, "far")
	in := "commit refs/heads/main\ncommitter Bench <bench@example.com> 1700000000 +0000\ndata 3\nall\nM 100644 inline catalog-info.yaml\ndata 2\n{}\n"
	if _, err := me.git(ctx, "", "init", "--quiet", "--bare", filepath.Join(root, "one.git")); err != nil {
		return nil, err
	}
	if _, err := me.gitWith(ctx, filepath.Join(root, "one.git"), in, "fast-import", "--quiet"); err != nil {
		return nil, err
	}
	programs, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return nil, err
	}
	f := &far{git: &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(programs)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "PATH=" + os.Getenv("PATH")},
	}}
	f.Server = httptest.NewServer(f)
	return f, nil
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if name, found := strings.CutPrefix(r.URL.Path, "/api/v3/repos/acme/"); found {
		f.repository(w, r, name)
		return
	}
	_, rest, found := strings.Cut(r.URL.Path, ".git/")
	if !found {
		http.NotFound(w, r)
		return
	}
	if rest == "info/refs" {
		f.listed.Add(1)
	}
	r.URL.Path = "/one.git/" + rest
	f.git.ServeHTTP(w, r)
}

// repository answers with about as much as GitHub does.
func (f *far) repository(w http.ResponseWriter, r *http.Request, name string) {
	if strings.HasSuffix(name, "/pulls") {
		f.answer(w, r, "[]")
		return
	}
	f.asked.Add(1)
	links := map[string]string{}
	for i := range 40 {
		links[fmt.Sprintf("link_%d_url", i)] = fmt.Sprintf("%s/api/v3/repos/acme/%s/things/%d{/number}{?query}", f.URL, name, i)
	}
	text, err := json.Marshal(links)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	number := 0
	_, _ = fmt.Sscanf(name, "repository-%d", &number) // others have the number 0
	body := fmt.Sprintf(`{"id": %d, "name": %q, "full_name": %q, "private": true, "default_branch": "main", "size": 1, "html_url": "%s/acme/%s",
"clone_url": "%s/acme/%s.git", "created_at": "2023-01-01T00:00:00Z", "pushed_at": "2023-11-14T22:13:20Z", "links": %s}`,
		number+1, name, "acme/"+name, f.URL, name, f.URL, name, text)
	if f.answer(w, r, body) {
		f.same.Add(1)
	}
}

// answer sends a body, or says that it is what the client has.
func (f *far) answer(w http.ResponseWriter, r *http.Request, body string) (same bool) {
	mark := fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(body)))
	w.Header().Set("ETag", mark)
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("If-None-Match") == mark {
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	_, _ = io.WriteString(w, body) //nolint:gosec // it is read by one server, and by no browser
	return false
}

// polledFigures are of many repositories at a forge that sends no webhooks.
func polledFigures(ctx context.Context, b *bench) error {
	if err := os.Setenv("ROADBED_ALLOW_PRIVATE", "127.0.0.0/8"); err != nil {
		return err
	}
	return b.eachDatabase(ctx, (*catalogued).polling)
}

func (c *catalogued) polling(ctx context.Context) error {
	f, err := newFar(ctx, c.me)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.connect(ctx, f); err != nil {
		return err
	}
	if err := c.quiet(ctx, f); err != nil {
		return err
	}
	if err := c.polled(ctx, f, "polled"); err != nil {
		return err
	}
	c.s.stop()
	if err := c.start(ctx); err != nil {
		return err
	}
	return c.polled(ctx, f, "polled_after_a_start")
}

// connect has the server follow the repositories.
func (c *catalogued) connect(ctx context.Context, f *far) error {
	if err := c.s.api.Do(ctx, http.MethodPut, "/secrets/default/far", nil, map[string]string{"value": "bench"}, nil); err != nil {
		return err
	}
	document := "{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: far}, spec: {forge: github, url: '" + f.URL + "', token: {secretRef: default/far}, poll: {interval: 1m}}}"
	if _, err := client.Post[client.List[client.Applied]](ctx, c.s.api, "/apply", map[string]string{"documents": document, "source": "far"}); err != nil {
		return err
	}
	began := time.Now()
	for i := range polledRepositories {
		if _, err := client.Post[client.Repository](ctx, c.s.api, "/integrations/default/far/repositories", map[string]string{
			"remote": fmt.Sprintf("acme/repository-%04d", i),
		}); err != nil {
			return err
		}
	}
	err := c.until(ctx, time.Hour, func() (bool, error) { return f.listed.Load() >= polledRepositories, nil })
	figure(c.name("polled_connected"), time.Since(began).Seconds(), "s")
	return err
}

// quiet waits until the repositories are only asked for.
func (c *catalogued) quiet(ctx context.Context, f *far) error {
	listed, since := int64(-1), int64(0)
	return c.until(ctx, time.Hour, func() (bool, error) {
		if now := f.listed.Load(); now != listed {
			listed, since = now, f.asked.Load()
		}
		return f.asked.Load()-since >= polledRepositories, nil
	})
}

// polled measures what some rounds of looks take, and that they are what they are to be: conditional requests alone.
func (c *catalogued) polled(ctx context.Context, f *far, name string) error {
	asked, same, listed, cpu, began := f.asked.Load(), f.same.Load(), f.listed.Load(), c.s.cpu(), time.Now()
	if err := c.until(ctx, time.Hour, func() (bool, error) { return f.asked.Load()-asked >= polledRounds*polledRepositories, nil }); err != nil {
		return err
	}
	cpu = c.s.cpu() - cpu
	asked, same, listed = f.asked.Load()-asked, f.same.Load()-same, f.listed.Load()-listed
	if same != asked || listed > 0 {
		return fmt.Errorf("of %d looks at what had not changed %d were answered so, and git was asked %d times", asked, same, listed)
	}
	figure(c.name(name+"_per_second"), float64(asked)/time.Since(began).Seconds(), "1/s")
	c.most(c.name(name+"_cpu_per_10000"), cpu*10_000/float64(asked), 5, "s")
	return nil
}
