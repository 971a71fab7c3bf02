package repository_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/core/secret"
	"github.com/roadbed-dev/roadbed/internal/machinery/store/storetest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// imports makes a repository of a far one, as alice.
func (b *bench) imports(f *far, name string, c repository.Credentials, every time.Duration) repository.Repository {
	b.t.Helper()
	r, err := b.Create(accesstest.As("alice"), repository.NewRepository{Name: name, Import: &repository.NewImport{URL: f.url, Credentials: c, Every: every}})
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// refsOf gives what is here, as far.refs does.
func (b *bench) refsOf(name string) string {
	b.t.Helper()
	refs, err := b.Refs(accesstest.As("adam"), name)
	if err != nil {
		b.t.Fatal(err)
	}
	var lines []string
	for _, r := range refs {
		lines = append(lines, r.Name+" "+r.Hash)
	}
	return strings.Join(lines, "\n")
}

// An import brings branches, tags and the default branch and nothing else, starts no workflow, and keeps its password to
// itself.
func TestARepositoryIsImported(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		f := newFar(t)
		f.password.Store("s3cret word")
		head := f.commit("1", "trunk", "refs/tags/v1", "release/1")
		f.commit("2", "refs/pull/1/head", "refs/notes/x", "refs/changes/01/1/1")
		r := b.imports(f, "shop", repository.Credentials{Username: "robot", Password: "s3cret word"}, 0)
		if r.Import == nil || !slices.Contains([]string{repository.ImportWaiting, repository.ImportRunning, repository.ImportReady}, r.Import.State) {
			t.Errorf("at first it is %+v", r.Import)
		}
		r = b.until("default/shop", inState(repository.ImportReady))
		b.same("references", []string{b.refsOf("default/shop")}, "refs/heads/release/1 "+head+"\nrefs/heads/trunk "+head+"\nrefs/tags/v1 "+head)
		if r.DefaultBranch != "trunk" || r.Head != head || r.Import.Refs != 3 || r.Import.Bytes == 0 || r.Import.Error != "" {
			t.Errorf("it is %+v, %+v", r, r.Import)
		}
		var types []string
		for _, e := range b.entries("default/shop") {
			types = append(types, strings.TrimPrefix(e.Type, "repository.")+" "+e.Actor)
			if strings.Contains(string(e.Data), "s3cret") {
				t.Errorf("the ledger tells %s", e.Data)
			}
			var push repository.Push
			if e.Type == "repository.pushed" && (json.Unmarshal(e.Data, &push) != nil || !push.SkipsRuns()) {
				t.Errorf("a push of the import would start something: %s", e.Data)
			}
		}
		b.same("entries", types, "created pri_alice", "changed system", "pushed pri_alice", "pushed pri_alice", "pushed pri_alice", "imported system")
		if sealed := kept[string](b, "SELECT sealed FROM repository_imports"); sealed != "" {
			t.Error("the password is kept when all is done")
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "y", "mine")
		b.must("a", "push", "-q")
		if _, err := b.RetryImport(accesstest.As("alice"), "default/shop", repository.Credentials{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("imported twice: %v", err)
		}
		b.must("", "--git-dir="+filepath.Join(b.dir, r.ID+".git"), "fsck", "--full", "--strict")

		empty := newFar(t)
		b.imports(empty, "empty", repository.Credentials{}, 0)
		b.until("default/empty", inState(repository.ImportReady))
	})
}

// What can't be imported says why, changes nothing, and can be tried again or given up.
func TestAnImportThatFails(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		alice := accesstest.As("alice")
		f := newFar(t)
		f.commit("1", "trunk")
		f.password.Store("right")
		b.imports(f, "shop", repository.Credentials{Username: "robot", Password: "wr0ng word"}, 0)
		r := b.until("default/shop", inState(repository.ImportFailed))
		if !strings.Contains(r.Import.Error, "credentials") || strings.Contains(r.Import.Error, "wr0ng") {
			t.Errorf("it says %q", r.Import.Error)
		}
		if _, err := b.CommitFiles(alice, "default/shop", files("", "x", "y")); !fault.Is(err, fault.Conflict) {
			t.Errorf("what failed to be imported is changed: %v", err)
		}
		for who, kind := range map[string]fault.Kind{"bob": fault.Denied, "carol": fault.NotFound} {
			if _, err := b.RetryImport(accesstest.As(who), "default/shop", repository.Credentials{}); !fault.Is(err, kind) {
				t.Errorf("%s tries again: %v", who, err)
			}
		}
		if _, err := b.RetryImport(alice, "default/shop", repository.Credentials{Username: "robot", Password: "right"}); err != nil {
			t.Fatal(err)
		}
		b.until("default/shop", inState(repository.ImportReady))
		if got := b.kinds("default/shop"); got != "created import-failed changed pushed imported" {
			t.Errorf("entries: %s", got)
		}

		bad := newFar(t) // a tree that would write into .git
		blob := bad.git(bad.work, "hash-object", "-w", "--stdin")
		tree := filepath.Join(t.TempDir(), "tree")
		raw := make([]byte, 20)
		if _, err := fmt.Sscanf(blob, "%40x", &raw); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tree, append([]byte("100644 .git\x00"), raw...), 0o600); err != nil {
			t.Fatal(err)
		}
		hash := bad.git(bad.work, "hash-object", "-w", "-t", "tree", "--literally", tree)
		commit := bad.git(bad.work, "commit-tree", "-m", "bad", hash)
		bad.git(bad.work, "push", "-q", "origin", commit+":refs/heads/trunk")
		b.imports(bad, "bad", repository.Credentials{}, 0)
		if r := b.until("default/bad", inState(repository.ImportFailed)); !strings.Contains(r.Import.Error, "refuse") || b.refsOf("default/bad") != "" {
			t.Errorf("a .git in a tree: %q, %q", r.Import.Error, b.refsOf("default/bad"))
		}
		r, err := b.CancelImport(alice, "default/bad")
		if err != nil || r.Import.State != repository.ImportCanceled {
			t.Errorf("given up: %+v, %v", r.Import, err)
		}
		if _, err := b.CommitFiles(alice, "default/bad", files("", "x", "y")); err != nil {
			t.Errorf("after it was given up: %v", err)
		}
		if _, err := b.RetryImport(alice, "default/bad", repository.Credentials{}); !fault.Is(err, fault.Conflict) {
			t.Errorf("imported over what was pushed: %v", err)
		}
	})
}

// No import leads to an address that the server is not to reach, not even by a redirect.
func TestAnImportStaysOutside(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		for _, bad := range []string{
			"", "x", "file:///etc", "ssh://git@example.com/x", "git://example.com/x", "ext::sh -c true", "https://robot:word@example.com/x", "https://example.com/x?y=z", "https:///x",
			"http://127.0.0.2/x", "http://10.0.0.1/x.git", "http://169.254.169.254/latest", "http://[::1]/x", "https://2130706434/x", "http://[::ffff:127.0.0.2]/x",
		} {
			_, err := b.Create(accesstest.As("alice"), repository.NewRepository{Name: "bad", Import: &repository.NewImport{URL: bad}})
			if bad == "https://2130706434/x" { // an address in another form, which the proxy sees when it is dialled
				if err == nil {
					b.until("default/bad", func(r repository.Repository) bool { return r.Import.Error != "" && r.Import.Fetched.IsZero() })
					if err := b.Delete(accesstest.As("alice"), "default/bad"); err != nil {
						t.Fatal(err)
					}
					if err := b.Purge(accesstest.As("adam"), "default/bad"); err != nil {
						t.Fatal(err)
					}
				}
				continue
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		f := newFar(t)
		to := "http://127.0.0.2:1/shop.git/info/refs?service=git-upload-pack"
		lead := func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, to, http.StatusFound)
			return true
		}
		f.before.Store(&lead)
		b.imports(f, "led", repository.Credentials{}, 0)
		r := b.until("default/led", func(r repository.Repository) bool { return r.Import.Error != "" })
		if r.Head != "" || !r.Import.Fetched.IsZero() {
			t.Errorf("it was led to %+v", r.Import)
		}
		b.imports(f, "signed", repository.Credentials{Username: "robot", Password: "s3cret word"}, 0)
		b.until("default/signed", func(r repository.Repository) bool { return strings.Contains(r.Import.Error, "moved") })
	})
}

// A secret of a space is used by who may set it, and never told.
func TestAnImportBySecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		f := newFar(t)
		f.commit("1", "trunk")
		f.password.Store("s3cret word")
		if err := b.secrets.Put(accesstest.As("adam"), "default", "far", secret.Change{Value: []byte("s3cret word\n")}); err != nil {
			t.Fatal(err)
		}
		c := repository.Credentials{Username: "robot", Secret: "default/far"}
		if _, err := b.Create(accesstest.As("carol"), repository.NewRepository{Space: "lab", Name: "carols", Import: &repository.NewImport{URL: f.url, Credentials: c}}); !fault.Is(err, fault.Denied) {
			t.Errorf("carol uses a secret of another space: %v", err)
		}
		if _, err := b.Create(accesstest.As("alice"), repository.NewRepository{Name: "none", Import: &repository.NewImport{URL: f.url, Credentials: repository.Credentials{Secret: "default/none"}}}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a secret that there is not: %v", err)
		}
		b.imports(f, "shop", c, 0)
		b.until("default/shop", inState(repository.ImportReady))
	})
}

// An import ends when somebody cancels it, or deletes its repository; restored, it goes on.
func TestAnImportIsCanceled(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		alice := accesstest.As("alice")
		f := newFar(t)
		f.commit("1", "trunk")
		asked, hang := make(chan bool, 100), true
		never := func(_ http.ResponseWriter, r *http.Request) bool {
			if hang {
				asked <- true
				<-r.Context().Done()
			}
			return hang
		}
		f.before.Store(&never)
		b.imports(f, "shop", repository.Credentials{}, 0)
		<-asked
		if _, err := b.CommitFiles(alice, "default/shop", files("", "x", "y")); !fault.Is(err, fault.Conflict) {
			t.Errorf("changed while it is imported: %v", err)
		}
		if r, err := b.CancelImport(alice, "default/shop"); err != nil || r.Import.State != repository.ImportCanceled {
			t.Errorf("%+v, %v", r.Import, err)
		}
		if _, err := b.CancelImport(alice, "default/shop"); !fault.Is(err, fault.Conflict) {
			t.Errorf("canceled twice: %v", err)
		}
		if _, err := b.RetryImport(alice, "default/shop", repository.Credentials{}); err != nil {
			t.Fatal(err)
		}
		<-asked
		if err := b.Delete(alice, "default/shop"); err != nil {
			t.Fatal(err)
		}
		f.before.Store(nil)
		if _, err := b.Restore(alice, "default/shop"); err != nil {
			t.Fatal(err)
		}
		b.until("default/shop", inState(repository.ImportReady))
	})
}

// A repository that follows another one takes over what moves there, and nothing else; until it is told to stop.
func TestARepositoryFollowsAnother(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		alice := accesstest.As("alice")
		f := newFar(t)
		f.commit("1", "trunk", "old")
		b.imports(f, "shop", repository.Credentials{}, time.Hour)
		b.until("default/shop", inState(repository.ImportReady))
		b.same("first", []string{b.refsOf("default/shop")}, f.refs())
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "y", "mine")
		b.refused("follows", "a", "push", "-q")
		look := func() repository.Repository {
			t.Helper()
			before := b.until("default/shop", inState(repository.ImportReady)).Import
			if _, err := b.RetryImport(alice, "default/shop", repository.Credentials{}); err != nil {
				t.Fatal(err)
			}
			return b.until("default/shop", func(r repository.Repository) bool {
				return r.Import.Fetched.After(before.Fetched) || r.Import.Error != "" && r.Import.Attempts > before.Attempts
			})
		}
		f.git(f.work, "commit", "-q", "--amend", "-m", "rewritten")
		f.git(f.work, "push", "-q", "-f", "origin", "HEAD:trunk", ":old", "HEAD:new")
		look()
		b.same("moved on", []string{b.refsOf("default/shop")}, f.refs())
		f.password.Store("closed")
		if r := look(); !strings.Contains(r.Import.Error, "credentials") || r.Head == "" {
			t.Errorf("closed: %+v", r.Import)
		}
		f.password.Store("")
		look()
		if got := b.kinds("default/shop"); got != "created changed pushed pushed imported pushed pushed pushed mirror.failed mirror.recovered" {
			t.Errorf("entries: %s", got)
		}
		for i, push := range b.pushes("default/shop") {
			if system := strings.HasPrefix(push, "system "); system != (i >= 2) {
				t.Errorf("push %d is %s", i, push)
			}
		}
		if _, err := b.CancelImport(alice, "default/shop"); err != nil {
			t.Fatal(err)
		}
		b.must("a", "pull", "-q", "--rebase")
		b.must("a", "push", "-q")
	})
}

// A server that is killed while it imports goes on with that, and brings everything once.
func TestKilledWhileImporting(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, url string) {
		db := storetest.Open(t, url, rooms...)
		b := setup(t, db, t.TempDir())
		f := newFar(t)
		head := f.commit("1", "trunk", "refs/tags/v1")
		asked := make(chan bool, 10)
		first := func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "git-upload-pack") && r.Header.Get("Git-Protocol") != "" {
				_, _ = io.Copy(io.Discard, r.Body)
				asked <- true
				<-r.Context().Done()
				return true
			}
			return false
		}
		f.before.Store(&first)
		b.reach()
		b.imports(f, "shop", repository.Credentials{}, 0)
		killed := b.start(url, "")
		<-asked
		_ = killed.Process.Kill()
		_ = killed.Wait()
		f.before.Store(nil)
		again := open(t, db, b.dir)
		again.reaches()
		again.until("default/shop", inState(repository.ImportReady))
		again.same("references", []string{again.refsOf("default/shop")}, "refs/heads/trunk "+head+"\nrefs/tags/v1 "+head)
		if got := again.kinds("default/shop"); got != "created changed pushed pushed imported" {
			t.Errorf("entries: %s", got)
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, "rep_*.git", "objects", "incoming-*")); len(left) > 0 {
			t.Errorf("there is left %v", left)
		}
	})
}
