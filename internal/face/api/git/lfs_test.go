package git_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	face "github.com/roadbed-dev/roadbed/internal/face/api/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
)

// desk is a home for clients with Git LFS.
type desk struct {
	t            *testing.T
	home, url    string
	repositories *repository.Service
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	if _, err := exec.LookPath("git-lfs"); err != nil {
		lacktest.Skip(t, "no git-lfs here: %v", err)
	}
	url, _, handler := open(t)
	d := &desk{t, t.TempDir(), url, handler.(*face.Handler).Repositories.(*repository.Service)}
	d.must("", "lfs", "install", "--skip-repo")
	d.must("", "config", "--global", "user.name", "Alice")
	d.must("", "config", "--global", "user.email", "alice@example.com")
	return d
}

func (d *desk) run(dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(d.t.Context(), "git", args...)
	cmd.Dir = filepath.Join(d.home, dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *desk) must(dir string, args ...string) string {
	d.t.Helper()
	out, err := d.run(dir, args...)
	if err != nil {
		d.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (d *desk) refused(word, dir string, args ...string) {
	d.t.Helper()
	out, err := d.run(dir, args...)
	if err == nil || !strings.Contains(out, word) {
		d.t.Fatalf("git %s: %v, want a refusal with %q:\n%s", strings.Join(args, " "), err, word, out)
	}
}

func (d *desk) clone(who, dir string) {
	d.t.Helper()
	d.must("", "clone", "-q", strings.Replace(d.url, "://", "://x:token-"+who+"@", 1)+"/git/default/shop.git", dir)
}

func (d *desk) write(dir, name string, content []byte) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.home, dir, name), content, 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) commit(dir, name string, content []byte) {
	d.t.Helper()
	d.write(dir, name, content)
	d.must(dir, "add", "-A")
	d.must(dir, "commit", "-q", "-m", "change "+name)
}

func noise(n int) []byte {
	content := make([]byte, n)
	rand.Read(content)
	return content
}

func oidOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// ask sends a request of Git LFS as somebody.
func (d *desk) ask(method, path, token string, body any) (int, map[string]any) {
	d.t.Helper()
	raw, ok := body.([]byte)
	if !ok {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			d.t.Fatal(err)
		}
	}
	if !strings.HasPrefix(path, "http") {
		path = d.url + "/git/default/shop.git/info/lfs/" + path
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, path, bytes.NewReader(raw))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/vnd.git-lfs+json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		out = map[string]any{"body": string(answer)}
	}
	return res.StatusCode, out
}

// With plain git-lfs a large file goes up, comes down and is shown, and whoever may only read sends none.
func TestLargeFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clone("alice", "a")
	d.must("a", "lfs", "track", "*.bin")
	content := noise(3 << 20)
	d.commit("a", "model.bin", content)
	d.must("a", "push", "-q", "origin", "main")
	if out := d.must("a", "show", "HEAD:model.bin"); !strings.Contains(out, "oid sha256:"+oidOf(content)) {
		t.Fatalf("the repository holds %q", out)
	}
	d.clone("rita", "r")
	if got, err := os.ReadFile(filepath.Join(d.home, "r", "model.bin")); err != nil || !bytes.Equal(got, content) {
		t.Fatalf("a clone has %d other bytes, %v", len(got), err)
	}
	text := []byte(strings.Repeat("wörter ", 1000))
	d.must("a", "lfs", "track", "*.txt")
	d.commit("a", "words.txt", text)
	d.must("a", "push", "-q", "origin", "main")
	d.must("r", "pull", "-q")
	if got, err := os.ReadFile(filepath.Join(d.home, "r", "words.txt")); err != nil || !bytes.Equal(got, text) {
		t.Fatalf("after a pull there are %d other bytes, %v", len(got), err)
	}
	for path, want := range map[string]struct {
		content []byte
		kind    string
	}{"model.bin": {content, "application/octet-stream"}, "words.txt": {text, "text/plain; charset=utf-8"}} {
		res, body := get(t, d.url+"/git/default/shop/"+path, "token-rita")
		if res.StatusCode != 200 || body != string(want.content) || res.Header.Get("Content-Type") != want.kind || res.ContentLength != int64(len(want.content)) {
			t.Errorf("%s is shown as %s, %d bytes, %v", path, res.Status, len(body), res.Header)
		}
	}
	if res, body := get(t, d.url+"/git/default/shop/model.bin", "token-rita", "Range", "bytes=10-19"); res.StatusCode != http.StatusPartialContent || body != string(content[10:20]) {
		t.Errorf("a part of it is %s, %d bytes", res.Status, len(body))
	}
	d.commit("r", "other.bin", noise(100))
	d.refused("repository:write in space default is missing", "r", "lfs", "push", "--all", "origin")
}

// A push whose pointers lead nowhere is refused with what to do; then it goes through.
func TestAPushWithoutItsLargeFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clone("alice", "a")
	d.must("a", "lfs", "track", "*.bin")
	content := noise(1000)
	d.commit("a", "dir.bin", content)
	d.refused("git lfs push --all", "a", "push", "--no-verify", "origin", "main") // the client's hook uploads
	if out, _ := d.run("a", "push", "--no-verify", "origin", "main"); !strings.Contains(out, "dir.bin: "+oidOf(content)) {
		t.Errorf("it does not say which file:\n%s", out)
	}
	d.must("a", "push", "-q", "--no-verify", "-o", "lfs.allow-missing", "origin", "main:broken")
	d.must("a", "lfs", "push", "--all", "origin")
	d.must("a", "push", "-q", "--no-verify", "origin", "main")
}

// What is wrong with a file is told, and nothing of it is kept.
func TestLargeFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.repositories.Bound(repository.Limits{Object: 10 << 10, Large: 15 << 10})
	d.clone("alice", "a")
	d.must("a", "lfs", "track", "*.bin")
	d.commit("a", "big.bin", noise(11<<10))
	d.refused("at most 10 KiB here, this one 11 KiB", "a", "push", "origin", "main")
	d.must("a", "reset", "-q", "--hard", "HEAD~1")
	d.must("a", "lfs", "track", "*.bin")
	d.commit("a", "one.bin", noise(9<<10))
	d.must("a", "push", "-q", "origin", "main")
	d.commit("a", "two.bin", noise(7<<10))
	d.refused("may have 15 KiB of files of Git LFS, and has 9 KiB", "a", "push", "origin", "main")

	content := noise(2000)
	oid := oidOf(content)
	for what, c := range map[string]struct {
		path, token string
		body        []byte
		status      int
	}{
		"another content":       {"objects/" + oid, "token-alice", noise(2000), 422},
		"a part of it":          {"objects/" + oid, "token-alice", content[:1999], 422},
		"too much":              {"objects/" + oid, "token-alice", noise(11 << 10), 413},
		"a name that is none":   {"objects/../../x", "token-alice", content, 422},
		"another name":          {"objects/" + strings.ToUpper(oid), "token-alice", content, 422},
		"whoever may only read": {"objects/" + oid, "token-rita", content, 403},
		"whoever may nothing":   {"objects/" + oid, "token-carol", content, 404},
		"nobody":                {"objects/" + oid, "", content, 401},
	} {
		if status, answer := d.ask("PUT", c.path, c.token, c.body); status != c.status {
			t.Errorf("%s: %d %v, want %d", what, status, answer, c.status)
		}
	}
	// An upload that is cut.
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT /git/default/shop.git/info/lfs/objects/%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-alice\r\nContent-Length: 2000\r\n\r\n", oid)
	conn.Write(content[:1000])
	conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
	conn.Close()
	if status, _ := d.ask("GET", "objects/"+oid, "token-alice", nil); status != 404 {
		t.Errorf("after all that it is there: %d", status)
	}
	if status, answer := d.ask("PUT", "objects/"+oid, "token-alice", content); status != 200 {
		t.Errorf("the whole of it: %d %v", status, answer)
	}
	if status, _ := d.ask("POST", "objects/"+oid+"/verify", "token-alice", map[string]any{"oid": oid, "size": 2000}); status != 200 {
		t.Errorf("verified: %d", status)
	}
	if status, _ := d.ask("POST", "objects/"+oid+"/verify", "token-alice", map[string]any{"oid": oid, "size": 2001}); status != 422 {
		t.Errorf("verified with another size: %d", status)
	}
}

// A batch gives links that open one file for a while, and nothing else.
func TestLinksToLargeFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	content := noise(500)
	oid := oidOf(content)
	batch := func(token, operation string) (href, pass string) {
		t.Helper()
		status, answer := d.ask("POST", "objects/batch", token, map[string]any{
			"operation": operation, "transfers": []string{"lfs-standalone-file", "basic"}, "hash_algo": "sha256", "objects": []any{map[string]any{"oid": oid, "size": 500}},
		})
		if status != 200 {
			t.Fatalf("a batch is answered %d %v", status, answer)
		}
		object := answer["objects"].([]any)[0].(map[string]any)
		actions, ok := object["actions"].(map[string]any)
		if !ok {
			return "", ""
		}
		action := actions[operation].(map[string]any)
		if action["expires_in"].(float64) != 900 {
			t.Errorf("the action is %v", action)
		}
		return action["href"].(string), strings.TrimPrefix(action["header"].(map[string]any)["Authorization"].(string), "Bearer ")
	}
	if href, _ := batch("token-rita", "download"); href != "" {
		t.Errorf("what is not there is at %s", href)
	}
	up, pass := batch("token-alice", "upload")
	if strings.Contains(pass, "token-alice") {
		t.Error("the link shows the token")
	}
	for what, c := range map[string]struct{ method, url, pass string }{
		"another file":    {"PUT", strings.Replace(up, oid, oidOf(nil), 1), pass},
		"another method":  {"GET", up, pass},
		"another address": {"POST", d.url + "/git/default/shop.git/info/lfs/objects/batch", pass},
		"a changed pass":  {"PUT", up, strings.ToUpper(pass[:40]) + pass[40:]},
	} {
		if status, answer := d.ask(c.method, c.url, c.pass, content); status != 401 {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
	if status, answer := d.ask("PUT", up, pass, content); status != 200 {
		t.Errorf("the upload: %d %v", status, answer)
	}
	if href, _ := batch("token-alice", "upload"); href != "" {
		t.Error("what is there is to be uploaded again")
	}
	down, pass := batch("token-rita", "download")
	if status, answer := d.ask("GET", down, pass, nil); status != 200 || answer["body"] != string(content) {
		t.Errorf("the download: %d", status)
	}
	for what, body := range map[string]any{
		"no operation": map[string]any{}, "other hashes": map[string]any{"operation": "download", "hash_algo": "sha512"},
		"other transfers": map[string]any{"operation": "download", "transfers": []string{"tus"}}, "no JSON": []byte("x"),
		"too many": map[string]any{"operation": "download", "objects": make([]map[string]any, 1001)}, "too large": bytes.Repeat([]byte(" "), 2<<20),
	} {
		if status, answer := d.ask("POST", "objects/batch", "token-rita", body); status < 400 || status >= 500 || answer["message"] == "" {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
}

// Locks are kept among people: one has a file, others see it, an administrator takes it away.
func TestLocksOfFiles(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.clone("alice", "a")
	d.must("a", "lfs", "track", "--lockable", "*.psd")
	d.commit("a", "logo.psd", noise(100))
	d.must("a", "push", "-q", "origin", "main")
	d.clone("bob", "b")
	d.must("a", "lfs", "lock", "logo.psd")
	d.refused("is locked already", "b", "lfs", "lock", "logo.psd")
	if out := d.must("b", "lfs", "locks"); !strings.Contains(out, "logo.psd") || !strings.Contains(out, "alice") {
		t.Errorf("bob sees %q", out)
	}
	d.must("b", "lfs", "locks", "--verify")
	d.must("b", "config", "lfs."+d.must("b", "remote", "get-url", "origin")+"/info/lfs.locksverify", "true")
	_ = os.Chmod(filepath.Join(d.home, "b", "logo.psd"), 0o600)
	d.commit("b", "logo.psd", noise(100))
	d.refused("alice", "b", "push", "origin", "main") // git-lfs of bob keeps to it
	d.refused("locked by somebody else", "b", "lfs", "unlock", "logo.psd", "--id=", "--force=false")
	d.must("a", "lfs", "unlock", "logo.psd")
	d.must("b", "push", "-q", "origin", "main")
	d.must("a", "lfs", "lock", "README.md")
	status, list := d.ask("GET", "locks?path=README.md", "token-rita", nil)
	if status != 200 || len(list["locks"].([]any)) != 1 {
		t.Fatalf("the locks are %d %v", status, list)
	}
	id := list["locks"].([]any)[0].(map[string]any)["id"].(string)
	for token, want := range map[string]int{"token-bob": 403, "token-rita": 403, "token-carol": 404} {
		if status, answer := d.ask("POST", "locks/"+id+"/unlock", token, map[string]any{"force": true}); status != want {
			t.Errorf("%s unlocks by force: %d %v", token, status, answer)
		}
	}
	if status, answer := d.ask("POST", "locks/"+id+"/unlock", "token-adam", map[string]any{"force": true}); status != 200 {
		t.Errorf("adam unlocks by force: %d %v", status, answer)
	}
	if status, _ := d.ask("POST", "locks/"+id+"/unlock", "token-adam", map[string]any{"force": true}); status != 404 {
		t.Errorf("once more: %d", status)
	}
	for _, path := range []string{"", "../x", "/x", "a\nb"} {
		if status, _ := d.ask("POST", "locks", "token-alice", map[string]any{"path": path}); status != 422 {
			t.Errorf("a lock of %q: %d", path, status)
		}
	}
}
