// Package giteatest runs a real Gitea for tests: the program that `make gitea` builds, on a port and a data folder of
// the test's own, with people, organizations and tokens as the test wants them. It ends with the test.
package giteatest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// Version is that of the program, as the Makefile has it.
const Version = "1.27.3"

// patience is how long a Gitea may take to answer for the first time, on a machine that is busy with other tests.
const patience = 2 * time.Minute

// Server is a Gitea that runs.
type Server struct {
	URL string // without a slash at its end

	t      testing.TB
	dir    string
	config string
	admin  string // token
}

// program gives the folder with the program: what a test can't have it skips, and in CI fails.
func program(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if set := os.Getenv("XDG_CACHE_HOME"); set != "" {
		cache, err = set, nil
	}
	dir := filepath.Join(cache, "roadbed", "gitea-"+Version)
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "gitea"))
	}
	if err != nil {
		lacktest.Skip(t, "no Gitea; `make gitea` builds it: %v", err)
	}
	lacktest.Programs()
	return dir
}

// Start runs a Gitea until the end of the test. more is appended to its app.ini.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	from := program(t)
	port := free(t)
	s.URL, s.config = "http://127.0.0.1:"+port, filepath.Join(s.dir, "app.ini")
	who, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("{dir}", s.dir, "{port}", port, "{static}", filepath.Join(from, "static"), "{user}", who.Username,
		"{secret}", rand.Text(), "{token}", rand.Text()+rand.Text()).Replace(configuration + strings.Join(more, ""))
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(from, "migrate")
	log, err := os.Create(filepath.Join(s.dir, "gitea.log"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	c := s.command(ctx, from, "web")
	c.Stdout, c.Stderr = log, log
	c.Cancel, c.WaitDelay = func() error { return c.Process.Signal(syscall.SIGTERM) }, 10*time.Second
	endWithParent(c)
	if err := c.Start(); err != nil {
		end()
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = c.Wait() // it is ended by a signal
	}()
	t.Cleanup(func() {
		end()
		<-gone
		log.Close()
		if t.Failed() {
			t.Logf("Gitea says:\n%s", s.log())
		}
	})
	s.await(gone)
	s.admin = s.Person("root", "all")
	return s
}

// await waits for the first answer.
func (s *Server) await(gone <-chan struct{}) {
	s.t.Helper()
	late := time.After(patience)
	for {
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+"/api/v1/version", nil)
		if err != nil {
			s.t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-gone:
			s.t.Fatal("Gitea did not start")
		case <-late:
			s.t.Fatal("Gitea does not answer")
		case <-time.After(50 * time.Millisecond): // there is nothing else to wait for
		}
	}
}

func (s *Server) command(ctx context.Context, from string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(from, "gitea"), append([]string{"--config", s.config, "--work-path", s.dir}, args...)...)
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "TMPDIR=" + s.dir}
	return c
}

func (s *Server) run(from string, args ...string) string {
	s.t.Helper()
	c := s.command(s.t.Context(), from, args...)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		s.t.Fatalf("gitea %s: %v\n%s%s", strings.Join(args, " "), err, &out, &said)
	}
	return strings.TrimSpace(out.String())
}

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "gitea.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-8<<10):])
}

// Person makes a person, of whom "root" is the administrator, and gives a token with these scopes.
func (s *Server) Person(name string, scopes ...string) string {
	s.t.Helper()
	from := program(s.t)
	args := []string{"admin", "user", "create", "--username", name, "--password", rand.Text(), "--email", name + "@example.com", "--must-change-password=false"}
	if name == "root" {
		args = append(args, "--admin")
	}
	s.run(from, args...)
	return s.Token(name, scopes...)
}

// Token makes a further token of a person.
func (s *Server) Token(name string, scopes ...string) string {
	s.t.Helper()
	return s.run(program(s.t), "admin", "user", "generate-access-token", "--username", name, "--token-name", rand.Text(), "--scopes", strings.Join(scopes, ","), "--raw")
}

// Do asks the API as the administrator, or as somebody else by their token. An answer of 400 or more ends the test.
func (s *Server) Do(token, method, path string, body any) map[string]any {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "token "+cmp.Or(token, s.admin))
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 400 {
		s.t.Fatalf("%s %s: %s %v\n%s", method, path, answer.Status, err, said)
	}
	out := map[string]any{}
	if len(said) > 0 && said[0] == '{' {
		if err := json.Unmarshal(said, &out); err != nil {
			s.t.Fatal(err)
		}
	}
	return out
}

// Organization makes an organization of an owner with a team that may write everywhere, whose members are told.
func (s *Server) Organization(ownerToken, name, team string, members ...string) {
	s.t.Helper()
	s.Do(ownerToken, http.MethodPost, "/orgs", map[string]any{"username": name, "visibility": "private"})
	made := s.Do(ownerToken, http.MethodPost, "/orgs/"+name+"/teams", map[string]any{
		"name": team, "permission": "write", "includes_all_repositories": true, "can_create_org_repo": true,
		"units": []string{"repo.code", "repo.issues", "repo.pulls", "repo.releases"},
	})
	for _, member := range members {
		s.Do(ownerToken, http.MethodPut, fmt.Sprintf("/teams/%.0f/members/%s", made["id"], member), nil)
	}
}

// free gives a port on which nobody listens.
func free(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
