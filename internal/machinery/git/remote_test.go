package git_test

import (
	"context"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// forge is a bench that others fetch from: it asks for the password "s3cret word".
type forge struct {
	*bench
	remote git.Remote
	asked  atomic.Int64                                          // requests
	before atomic.Pointer[func(http.ResponseWriter) (done bool)] // every request; nil for nothing
	judge  atomic.Pointer[func(git.Incoming) error]              // every push as a whole; nil for nobody
	mirror string                                                // an empty repository
}

var branchesAndTags = []string{"refs/heads/", "refs/tags/"}

func newForge(t *testing.T) *forge {
	t.Helper()
	f := &forge{bench: setup(t), mirror: filepath.Join(t.TempDir(), "mirror.git")}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if before := f.before.Load(); before != nil && (*before)(w) {
			return
		}
		if user, password, _ := r.BasicAuth(); user != "robot" || password != "s3cret word" {
			w.Header().Set("WWW-Authenticate", `Basic realm="forge"`)
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		o := git.ServeOptions{Write: true, Path: strings.TrimPrefix(r.URL.Path, "/repo.git/")}
		if judge := f.judge.Load(); judge != nil {
			o.PreReceive = func(_ context.Context, in git.Incoming) error { return (*judge)(in) }
		}
		if err := f.git.Serve(w, r, f.dir, o); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	f.remote = git.Remote{URL: server.URL + "/repo.git", Username: "robot", Password: "s3cret word", CA: ca}
	if err := f.git.Init(t.Context(), f.mirror); err != nil {
		t.Fatal(err)
	}
	f.must("", "clone", "-q", f.url, "work")
	return f
}

func (f *forge) fetch(q git.FetchRequest) (git.Fetched, error) {
	if q.Prefixes == nil && q.Commits == nil {
		q.Prefixes, q.Prune = branchesAndTags, true
	}
	return f.git.Fetch(f.t.Context(), f.mirror, f.remote, q)
}

func (f *forge) fetched(q git.FetchRequest) git.Fetched {
	f.t.Helper()
	got, err := f.fetch(q)
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

// same makes sure that the mirror has the references of the forge, whole, and nothing that is half received.
func (f *forge) same() {
	f.t.Helper()
	mirror, err := f.git.Refs(f.t.Context(), f.mirror)
	if err != nil {
		f.t.Fatal(err)
	}
	for name, hash := range f.refs() {
		if mirror[name] != hash {
			f.t.Errorf("the mirror has %s at %q, the forge at %s", name, mirror[name], hash)
		}
		delete(mirror, name)
	}
	for name := range mirror {
		f.t.Errorf("only the mirror has %s", name)
	}
	if err := f.git.Check(f.t.Context(), f.mirror); err != nil {
		f.t.Error(err)
	}
	f.clean()
}

func (f *forge) clean() {
	f.t.Helper()
	for _, pattern := range []string{"objects/incoming-*", "objects/tmp_*", "objects/pack/tmp_*"} {
		if left, _ := filepath.Glob(filepath.Join(f.mirror, pattern)); len(left) > 0 {
			f.t.Errorf("left behind: %s", left)
		}
	}
}

func TestFetchFollowsARemote(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	first := f.commit("work", "a", "1")
	f.must("work", "tag", "-a", "-m", "one", "v1")
	f.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:topic", "v1", "HEAD:refs/pull/7/head")
	var told []git.Progress
	got := f.fetched(git.FetchRequest{Prefixes: branchesAndTags, Prune: true, Limits: git.Limits{Progress: func(p git.Progress) { told = append(told, p) }}})
	if len(got.Moved) != 3 || got.Moved[0] != (git.Update{Ref: "refs/heads/main", Old: git.Zero, New: first}) || got.Bytes == 0 {
		t.Errorf("the first fetch gave %+v", got)
	}
	if !slices.ContainsFunc(told, func(p git.Progress) bool { return p.Phase == "Receiving objects" && p.Done > 0 && p.Done == p.Total }) {
		t.Errorf("it was told %+v", told)
	}
	f.must("work", "push", "-q", "origin", ":refs/pull/7/head")
	f.same()

	// Nothing moved: one look, and nothing is written or asked about.
	asked := f.asked.Load()
	got = f.fetched(git.FetchRequest{Prefixes: branchesAndTags, Prune: true, Before: func(context.Context, []git.Update) error { t.Error("asked"); return nil }})
	if n := f.asked.Load() - asked; len(got.Moved) != 0 || got.Bytes != 0 || n > 3 {
		t.Errorf("a fetch of nothing gave %+v in %d requests", got, n)
	}

	// A branch is rewritten, one makes room for others of its name, a tag moves.
	f.must("work", "commit", "-q", "--amend", "-m", "another")
	f.must("work", "push", "-q", "-f", "origin", "HEAD:main", ":topic")
	f.must("work", "push", "-q", "-f", "origin", "HEAD:topic/a", "HEAD:refs/tags/v1")
	f.fetched(git.FetchRequest{})
	f.same()

	// What nothing leads to can be had by its name.
	loose := f.commit("work", "a", "2")
	f.must("work", "push", "-q", "origin", "HEAD:refs/pull/8/head")
	f.fetched(git.FetchRequest{Commits: []string{loose}})
	if content, err := f.git.ReadFile(t.Context(), f.mirror, loose, "a", 10); err != nil || string(content) != "2" {
		t.Errorf("the file of the commit is %q, %v", content, err)
	}
	if _, err := f.fetch(git.FetchRequest{Commits: []string{strings.Repeat("ab", 20)}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a commit that nobody has: %v", err)
	}
	if head, err := f.git.RemoteHead(t.Context(), f.remote, git.Limits{}); err != nil || head != "main" {
		t.Errorf("the default branch is %q, %v", head, err)
	}
}

func TestFetchIsRefusedWhole(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main")
	f.fetched(git.FetchRequest{})
	before, err := f.git.Refs(t.Context(), f.mirror)
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 1<<20)
	rand.Read(noise)
	f.write("work/big", strings.Repeat("x", 1<<20)+string(noise))
	f.must("work", "add", "-A")
	f.must("work", "commit", "-q", "-m", "big")
	f.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:b", "HEAD:c")
	canceled, cancel := context.WithCancel(t.Context())
	cases := map[string]struct {
		q    git.FetchRequest
		kind fault.Kind
	}{
		"too large":           {git.FetchRequest{Limits: git.Limits{Pack: 100 << 10}}, fault.TooLarge},
		"too many references": {git.FetchRequest{Limits: git.Limits{Refs: 2}}, fault.TooLarge},
		"refused": {git.FetchRequest{Before: func(context.Context, []git.Update) error {
			return fault.Errorf(fault.Denied, "no")
		}}, fault.Denied},
	}
	for name, c := range cases {
		c.q.Prefixes, c.q.Prune = branchesAndTags, true
		if _, err := f.fetch(c.q); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop := func(http.ResponseWriter) bool {
		if f.asked.Load()%2 == 0 {
			cancel()
		}
		return false
	}
	f.before.Store(&stop)
	if _, err := f.git.Fetch(canceled, f.mirror, f.remote, git.FetchRequest{Prefixes: branchesAndTags}); !fault.Is(err, fault.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	f.before.Store(nil)
	after, err := f.git.Refs(t.Context(), f.mirror)
	if err != nil || len(after) != len(before) || after["refs/heads/main"] != before["refs/heads/main"] {
		t.Errorf("the references are %v, %v; they were %v", after, err, before)
	}
	f.clean()
	f.fetched(git.FetchRequest{})
	f.same()
}

// What a forge sends is checked as what a client pushes is.
func TestFetchOfWhatIsNotSound(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.commit("work", "a", "1")
	blob := f.must("work", "rev-parse", "HEAD:a")
	tree := f.mktree("work", "100644 blob "+blob+"\t.git\n")
	bad := f.must("work", "commit-tree", "-m", "bad", tree)
	// The forge takes anything.
	f.must("", "--git-dir="+f.dir, "fetch", "-q", filepath.Join(f.home, "work"), "+"+bad+":refs/heads/main")
	if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the fetch of a tree with .git: %v", err)
	}
	refs, err := f.git.Refs(t.Context(), f.mirror)
	if err != nil || len(refs) > 0 {
		t.Errorf("the references are %v, %v", refs, err)
	}
	f.clean()
}

func TestFetchTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	answer := func(status int) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.Header().Set("Location", elsewhere.URL+"/repo.git/info/refs?service=git-upload-pack")
			w.WriteHeader(status)
			return true
		}
	}
	for status, kind := range map[int]fault.Kind{
		401: fault.Unauthenticated, 403: fault.Denied, 404: fault.NotFound, 429: fault.Exhausted, 500: fault.Unavailable, 503: fault.Unavailable,
		301: fault.Conflict, 302: fault.Conflict,
	} {
		before := answer(status)
		f.before.Store(&before)
		_, err := f.fetch(git.FetchRequest{})
		if !fault.Is(err, kind) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("status %d: %v; want %v", status, err, kind)
		}
	}
	// A page is no list of references, and none that is empty.
	f.before.Store(nil)
	f.fetched(git.FetchRequest{})
	for _, body := range []string{"<html>welcome", "", "<html>\n", strings.Repeat("ab", 20) + "\trefs/heads/x\n"} {
		page := func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(body)); return true }
		f.before.Store(&page)
		if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("the page %q: %v", body, err)
		}
	}
	f.before.Store(nil)
	f.same()

	good := f.remote
	f.remote.Password = "wrong"
	if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong password: %v", err)
	}
	f.remote = good
	f.remote.CA = ""
	if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	f.remote = good
	for _, address := range []string{
		"http://127.0.0.1:1/x.git", "file://" + f.dir, f.dir, "ext::sh -c true", "-oProxy=x", "https://a:b@127.0.0.1/x", "https:///x", "ssh://git@127.0.0.1/x",
		"https://127.0.0.1/x?y", "https://127.0.0.1/a\nb", "git://127.0.0.1/x", "",
	} {
		f.remote.URL = address
		if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "a:b@") {
			t.Errorf("the address %q: %v", address, err)
		}
	}
	f.remote = good
	f.remote.Password = "a\nhost=evil"
	if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a password of two lines: %v", err)
	}
}

// Neither a command line nor the environment of any process holds the password while it is used.
func TestCredentialsStayHidden(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main")
	looks := atomic.Int64{}
	look := func(http.ResponseWriter) bool {
		for _, file := range []string{"cmdline", "environ"} {
			paths, _ := filepath.Glob("/proc/[0-9]*/" + file)
			for _, path := range paths {
				content, err := os.ReadFile(path)
				if err != nil {
					continue // another's, or gone
				}
				looks.Add(1)
				if strings.Contains(string(content), "s3cret") {
					t.Errorf("%s holds the password", path)
				}
			}
		}
		return false
	}
	f.before.Store(&look)
	f.fetched(git.FetchRequest{})
	if looks.Load() == 0 {
		if _, err := os.Stat("/proc/self/cmdline"); err == nil {
			t.Fatal("no process was looked at while the password was used")
		}
		t.Log("there is no /proc: what processes show is left out")
	}
	err := filepath.WalkDir(f.mirror, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), "s3cret") {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Every connection goes through the proxy, and what it forbids is told.
func TestFetchThroughAProxy(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	connects := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connects <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	f.remote.Proxy = proxy.URL
	if _, err := f.fetch(git.FetchRequest{}); !fault.Is(err, fault.Denied) {
		t.Errorf("a forbidden connection: %v", err)
	}
	home, err := url.Parse(f.remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-connects; got != "CONNECT "+home.Host {
		t.Errorf("the proxy was asked for %q", got)
	}
}

func TestPushTo(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	first := f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:old")
	f.fetched(git.FetchRequest{})
	second, err := f.git.Commit(t.Context(), f.mirror, request(first, git.FileChange{Path: "b", Content: []byte("2")}))
	if err != nil {
		t.Fatal(err)
	}
	push := func(atomic bool, updates ...git.Update) error {
		return f.git.PushTo(t.Context(), f.mirror, f.remote, git.PushRequest{Updates: updates, Atomic: atomic})
	}
	if err := push(true, git.Update{Ref: "refs/heads/main", Old: first, New: second}, git.Update{Ref: "refs/heads/new", Old: git.Zero, New: first},
		git.Update{Ref: "refs/heads/old", Old: first, New: git.Zero}); err != nil {
		t.Fatal(err)
	}
	f.must("work", "fetch", "-q")
	want := map[string]string{"refs/heads/main": second, "refs/heads/new": first}
	if got := f.refs(); len(got) != len(want) || got["refs/heads/main"] != second || got["refs/heads/new"] != first {
		t.Errorf("the forge has %v, want %v", got, want)
	}
	// A lost race moves nothing, nor what comes with it.
	if err := push(true, git.Update{Ref: "refs/heads/main", Old: first, New: first}, git.Update{Ref: "refs/heads/side", New: first}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a lease that is lost: %v", err)
	}
	if err := push(false, git.Update{Ref: "refs/heads/new", Old: git.Zero, New: second}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a branch that was to be new: %v", err)
	}
	if got := f.refs(); len(got) != 2 || got["refs/heads/main"] != second {
		t.Errorf("the forge has %v", got)
	}
	// Without a lease it moves anywhere.
	if err := push(false, git.Update{Ref: "refs/heads/main", New: first}); err != nil {
		t.Error(err)
	}
	// What the forge refuses is told in its words.
	f.must("", "--git-dir="+f.dir, "symbolic-ref", "HEAD", "refs/heads/main")
	if err := push(false, git.Update{Ref: "refs/heads/main", New: git.Zero}); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "prohibited") {
		t.Errorf("a refusal: %v", err)
	}
	f.remote.Password = "wrong"
	if err := push(false, git.Update{Ref: "refs/heads/main", New: second}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a wrong password: %v", err)
	}
	f.whole()
}

// A forge whose hook refuses a push for one reference takes the others all the same, and is heard.
func TestPushBesideWhatIsRefused(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	first := f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main")
	f.fetched(git.FetchRequest{})
	pushes := 0
	judge := func(in git.Incoming) error {
		pushes++
		for _, u := range in.Updates {
			if strings.Contains(u.Ref, "guarded") {
				return fault.Errorf(fault.Denied, "nobody touches what is guarded")
			}
		}
		return nil
	}
	f.judge.Store(&judge)
	push := func(atomic bool, names ...string) {
		t.Helper()
		var updates []git.Update
		for _, name := range names {
			updates = append(updates, git.Update{Ref: "refs/heads/" + name, Old: git.Zero, New: first})
		}
		pushes = 0
		err := f.git.PushTo(t.Context(), f.mirror, f.remote, git.PushRequest{Updates: updates, Atomic: atomic})
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "guarded") || !strings.Contains(err.Error(), "nobody touches") {
			t.Errorf("a refusal: %v", err)
		}
	}
	push(true, "a", "guarded")
	if got := len(f.refs()); got != 1 || pushes != 1 {
		t.Errorf("all or none: the forge has %d references after %d pushes", got, pushes)
	}
	push(false, "a", "b", "c", "d", "e", "f", "guarded", "h", "i")
	if got := f.refs(); len(got) != 9 || got["refs/heads/guarded"] != "" {
		t.Errorf("the forge has %v", got)
	}
	var all []string
	for i := range 400 {
		all = append(all, fmt.Sprint("guarded-", i))
	}
	if push(false, all...); pushes > 70 {
		t.Errorf("where all is refused there were %d pushes", pushes)
	}
}

// Many references take several commands.
func TestPushManyReferences(t *testing.T) {
	t.Parallel()
	f := newForge(t)
	first := f.commit("work", "a", "1")
	f.must("work", "push", "-q", "origin", "HEAD:main")
	f.fetched(git.FetchRequest{})
	var updates []git.Update
	for i := range 600 {
		updates = append(updates, git.Update{Ref: "refs/heads/n/" + strings.Repeat("x", i%200) + string(rune('a'+i/200)), Old: git.Zero, New: first})
	}
	if err := f.git.PushTo(t.Context(), f.mirror, f.remote, git.PushRequest{Updates: updates}); err != nil {
		t.Fatal(err)
	}
	if got := len(f.refs()); got != 601 {
		t.Errorf("the forge has %d references", got)
	}
	f.fetched(git.FetchRequest{})
	f.same()
}

func TestARemoteIsPrintedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	r := git.Remote{URL: "https://forge.example.com/a/b.git", Username: "robot", Password: "s3cret"}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("fetch", "remote", r, "pointer", &r)
	slog.New(slog.NewTextHandler(&out, nil)).Info("fetch", "remote", r, "pointer", &r)
	if strings.Contains(out.String(), "s3cret") {
		t.Errorf("the log says %s", out.String())
	}
}
