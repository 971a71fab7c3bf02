package git_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	face "github.com/roadbed-dev/roadbed/internal/face/api/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/blob"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/ledger"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// setup serves a repository default/shop with some files. A token is token- and the name of who it is; alice may write,
// rita may read, carol may nothing.
func setup(t *testing.T) (url, head string) {
	t.Helper()
	url, head, _ = open(t)
	return url, head
}

func open(t *testing.T) (url, head string, handler http.Handler) {
	t.Helper()
	db := storetest.SQLite(t, ledger.Migrations(), access.Migrations(), repository.Migrations())
	log := storetest.Log(t)
	l := ledger.New(db, time.Now, log)
	rights := access.New(db, l, time.Now, log)
	world := accesstest.New(t, db, rights)
	for _, who := range []string{"alice", "bob", "rita", "carol", "adam"} {
		world.User(who)
	}
	world.Bind("developer", "default", "user:default/alice", "user:default/bob")
	world.Bind("admin", "default", "user:default/adam")
	world.Bind("reader", "default", "user:default/rita")
	program, err := git.New("", log)
	if err == nil {
		program = program.Impatient(10 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	repositories, err := repository.New(db, rights, l, program, t.TempDir(), time.Now, log)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := secret.OpenKeeper(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	large, err := blob.OpenFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	repositories.KeepLarge(large)
	alice := accesstest.As("alice")
	if _, err := repositories.Create(alice, repository.NewRepository{Name: "shop"}); err != nil {
		t.Fatal(err)
	}
	if head, err = repositories.CommitFiles(alice, "default/shop", git.CommitRequest{Branch: "main", Message: "first", Changes: []git.FileChange{
		{Path: "README.md", Content: []byte("# Shop\n")}, {Path: "a b/ü.yaml", Content: []byte("x: 1\n")},
		{Path: "evil.html", Content: []byte("<script>alert(1)</script>")}, {Path: "evil.svg", Content: []byte("<svg onload='alert(1)'/>")},
		{Path: "bin", Content: []byte{0, 1, 2}}, {Path: "logo.PNG", Content: []byte{0x89, 'P'}}, {Path: "info/refs", Content: []byte("a file\n")},
		{Path: "link", Content: []byte("/etc/passwd"), Mode: "120000"},
	}}); err != nil {
		t.Fatal(err)
	}
	names := func(_ context.Context, ids []string) (map[string]string, error) {
		out := map[string]string{}
		for _, id := range ids {
			out[id] = strings.TrimPrefix(id, "pri_")
		}
		return out, nil
	}
	handler = &face.Handler{Repositories: repositories, Large: repositories, Seal: keeper, Names: names, Log: log, Authenticate: func(_ context.Context, token string) (actor.Principal, error) {
		who, ok := strings.CutPrefix(token, "token-")
		if !ok {
			return actor.Principal{}, fault.Errorf(fault.Unauthenticated, "the token is not valid")
		}
		return actor.From(accesstest.As(who)), nil
	}}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL, head, handler
}

func get(t *testing.T, address, token string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestFilesAreSafe(t *testing.T) {
	t.Parallel()
	url, head := setup(t)
	for path, want := range map[string][2]string{
		"README.md":                             {"text/plain; charset=utf-8", "# Shop\n"},
		"a%20b/%C3%BC.yaml":                     {"text/plain; charset=utf-8", "x: 1\n"},
		"evil.html":                             {"text/plain; charset=utf-8", "<script>alert(1)</script>"},
		"evil.svg":                              {"image/svg+xml", "<svg onload='alert(1)'/>"},
		"bin":                                   {"application/octet-stream", "\x00\x01\x02"},
		"logo.PNG":                              {"image/png", "\x89P"},
		"info/refs":                             {"text/plain; charset=utf-8", "a file\n"},
		"README.md?ref=main":                    {"text/plain; charset=utf-8", "# Shop\n"},
		"README.md?ref=" + head:                 {"text/plain; charset=utf-8", "# Shop\n"},
		"README.md?service=git-upload-pack&x=y": {"text/plain; charset=utf-8", "# Shop\n"},
	} {
		res, body := get(t, url+"/git/default/shop/"+path, "token-rita")
		h := res.Header
		if res.StatusCode != 200 || h.Get("Content-Type") != want[0] || body != want[1] {
			t.Errorf("%s: %s %s %q", path, res.Status, h.Get("Content-Type"), body)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") || !strings.HasPrefix(h.Get("Cache-Control"), "private") {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	if res, _ := get(t, url+"/git/default/shop/README.md", "token-rita", "If-None-Match", `"`+head+`"`); res.StatusCode != http.StatusNotModified {
		t.Errorf("an unchanged file is %s", res.Status)
	}
}

// bounded is a client that notes until when it is waited for.
type bounded struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (b *bounded) SetWriteDeadline(t time.Time) error {
	b.deadlines = append(b.deadlines, t)
	return nil
}

// A client that does not read its file is not waited for without end, and what it asks for next has a new bound.
func TestAFileIsPaced(t *testing.T) {
	t.Parallel()
	_, _, handler := open(t)
	r := httptest.NewRequest(http.MethodGet, "/git/default/shop/README.md", nil)
	r.Header.Set("Authorization", "Bearer token-rita")
	w := &bounded{ResponseRecorder: httptest.NewRecorder()}
	handler.ServeHTTP(w, r)
	if n := len(w.deadlines); w.Code != http.StatusOK || n < 2 || w.deadlines[0].IsZero() || !w.deadlines[n-1].IsZero() {
		t.Errorf("%d, with the deadlines %v", w.Code, w.deadlines)
	}
}

func TestWhoIsRefused(t *testing.T) {
	t.Parallel()
	url, _ := setup(t)
	const file, refs = "/git/default/shop/README.md", "/git/default/shop.git/info/refs?service=git-"
	for _, c := range []struct {
		path, token string
		status      int
	}{
		{file, "", 401},
		{file, "wrong", 401},
		{file, "token-carol", 404},
		{"/git/default/none/README.md", "token-rita", 404},
		{"/git/default/none/README.md", "", 401},
		{"/git/default/shop/no", "token-rita", 404},
		{"/git/default/shop/link", "token-rita", 404},
		{"/git/default/shop/a%20b", "token-rita", 422},
		{"/git/default/shop/..%2f..%2fx", "token-rita", 422},
		{"/git/default/shop/README.md?ref=-x", "token-rita", 422},
		{"/git/default/shop/README.md?ref=no", "token-rita", 404},
		{"/git/default/shop.git/README.md", "token-rita", 404},
		{"/git/default/shop", "token-rita", 404},
		{"/git/../x/y", "token-rita", 422},
		{refs + "upload-pack", "", 401},
		{refs + "upload-pack", "token-rita", 200},
		{refs + "upload-pack", "token-carol", 404},
		{refs + "receive-pack", "token-rita", 403},
		{refs + "receive-pack", "token-alice", 200},
		{"/git/default/none.git/info/refs?service=git-receive-pack", "token-alice", 404},
		{"/git/default/shop.git/HEAD", "token-alice", 404},
	} {
		res, body := get(t, url+c.path, c.token)
		if res.StatusCode != c.status {
			t.Errorf("%s as %q: %s %s, want %d", c.path, c.token, res.Status, body, c.status)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); (c.status == 401) != strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("%s as %q: the challenge is %q", c.path, c.token, challenge)
		}
	}
	res, err := http.Post(url+file, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a POST of a file is %s", res.Status)
	}
}

// Plain git clones and pushes with a token, given in each of the ways that people use.
func TestPlainGit(t *testing.T) {
	t.Parallel()
	url, head := setup(t)
	home := t.TempDir()
	run := func(dir string, args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = home + "/" + dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	must := func(dir string, args ...string) string {
		t.Helper()
		out, err := run(dir, args...)
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	with := func(credentials string) string {
		return strings.Replace(url, "://", "://"+credentials+"@", 1) + "/git/default/shop"
	}
	must("", "clone", "-q", with("anyone:token-alice")+".git", "a")
	must("", "clone", "-q", with("token-alice"), "b")
	must("", "-c", "http.extraHeader=Authorization: Bearer token-rita", "clone", "-q", url+"/git/Default/Shop.git", "c")
	for _, clone := range []string{"a", "b", "c"} {
		if got := must(clone, "rev-parse", "HEAD"); got != head {
			t.Errorf("clone %s is at %s", clone, got)
		}
	}
	commit := []string{"-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "-q", "--allow-empty", "-m", "more"}
	must("a", commit...)
	must("a", "push", "-q")
	must("b", "pull", "-q")
	must("b", commit...)
	if out, err := run("b", "push", with("x:token-rita")); err == nil || !strings.Contains(out, "repository:write in space default is missing") {
		t.Errorf("rita's push: %v\n%s", err, out)
	}
	if out, err := run("", "clone", with("x:wrong"), "d"); err == nil || !strings.Contains(out, "Authentication failed") {
		t.Errorf("a clone with a wrong token: %v\n%s", err, out)
	}
	if out, err := run("", "clone", with("x:token-carol"), "d"); err == nil || !strings.Contains(out, "not found") {
		t.Errorf("carol's clone: %v\n%s", err, out)
	}
}

// TestARepositorysAddressLeadsToItsPage opens in a browser what people clone.
func TestARepositorysAddressLeadsToItsPage(t *testing.T) {
	t.Parallel()
	address, _ := setup(t)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]string{
		"default/shop": "/repositories/default/shop", "default/shop/": "/repositories/default/shop", "default/shop.git": "/repositories/default/shop",
		"default/shop/a b/?ref=v1": "/repositories/default/shop?path=a+b%2F&ref=v1",
		"default":                  "", "default/": "", "/evil.example": "", // never to another host
	} {
		res, err := client.Get(address + "/git/" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Location"); got != want || (want != "") != (res.StatusCode == http.StatusFound) {
			t.Errorf("%s: %s, leads to %q, want %q", path, res.Status, got, want)
		}
	}
}

// Who has too much under way is told so in words that git shows, and when to come again; others are served.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	url, head := setup(t)
	for range 16 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "POST /git/default/shop.git/git-upload-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-rita\r\n"+
			"Expect: 100-continue\r\nContent-Type: application/x-git-upload-pack-request\r\nContent-Length: 100\r\n\r\n")
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 100" { // its body is being read
			t.Fatalf("%q, %v", answer, err)
		}
	}
	res, body := get(t, url+"/git/default/shop.git/info/refs?service=git-upload-pack", "token-rita")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(body, "you have 16 clones") {
		t.Errorf("%s, Retry-After %q: %s", res.Status, res.Header.Get("Retry-After"), body)
	}
	list := func(token string) string {
		out, _ := exec.Command("git", "-c", "http.extraHeader=Authorization: Bearer "+token, "ls-remote", url+"/git/default/shop.git", "HEAD").CombinedOutput()
		return string(out)
	}
	if out := list("token-rita"); !strings.Contains(out, "remote: you have 16 clones, fetches and pushes under way") || !strings.Contains(out, "429") {
		t.Errorf("git says %s", out)
	}
	if out := list("token-alice"); !strings.HasPrefix(out, head) {
		t.Errorf("git says %s", out)
	}
}
