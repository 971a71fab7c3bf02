package repository_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// mirrored waits until the one mirror of a repository is as wished.
func (b *bench) mirrored(name string, wished func(m repository.Mirror) bool) repository.Mirror {
	b.t.Helper()
	var last any
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		list, err := b.Mirrors(accesstest.As("adam"), name, page.Request{})
		if err != nil {
			b.t.Fatal(err)
		}
		if len(list.Items) == 1 && wished(list.Items[0]) {
			return list.Items[0]
		}
		last = list.Items
		<-time.After(20 * time.Millisecond)
	}
	b.t.Fatalf("the mirror never came to be as wished: %+v", last)
	return repository.Mirror{}
}

// there waits until a far repository has what a pattern of this one has.
func (b *bench) there(f *far, name string) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); f.refs() != b.refsOf(name); {
		if time.Now().After(deadline) {
			b.t.Fatalf("there is\n%s\nwant\n%s", f.refs(), b.refsOf(name))
		}
		<-time.After(20 * time.Millisecond)
	}
}

// What is pushed here is soon there: new, moved, rewritten and deleted branches and tags; and nothing that is not from here
// is touched.
func TestARepositoryIsMirrored(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		adam := accesstest.As("adam")
		f := newFar(t)
		f.password.Store("s3cret word")
		b.create("default/shop")
		protected := false
		if _, err := b.Update(adam, "default/shop", repository.Change{Protected: &protected}); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side", "HEAD:refs/tags/v1", "HEAD:refs/notes/n")
		b.must("a", "push", "-q", "origin", ":refs/notes/n")
		n := repository.NewMirror{URL: f.url, Credentials: repository.Credentials{Username: "robot", Password: "s3cret word"}}
		for who, kind := range map[string]fault.Kind{"alice": fault.Denied, "carol": fault.NotFound} {
			if _, err := b.AddMirror(accesstest.As(who), "default/shop", n); !fault.Is(err, kind) {
				t.Errorf("%s adds a mirror: %v", who, err)
			}
		}
		m, err := b.AddMirror(adam, "default/shop", n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.AddMirror(adam, "default/shop", n); !fault.Is(err, fault.Conflict) {
			t.Errorf("mirrored twice: %v", err)
		}
		b.there(f, "default/shop")
		b.commit("a", "x", "2")
		b.must("a", "push", "-q", "origin", "HEAD:main", ":side", "HEAD:release/1")
		b.there(f, "default/shop")
		b.must("a", "commit", "-q", "--amend", "-m", "rewritten")
		b.must("a", "push", "-q", "-f", "origin", "HEAD:main", "HEAD:refs/tags/v1")
		b.there(f, "default/shop")
		b.mirrored("default/shop", func(m repository.Mirror) bool { return !m.Pushed.IsZero() && m.Error == "" })

		// Somebody pushes there: that is left alone, and told, and the rest goes on.
		f.git(f.work, "pull", "-q", "origin", "main")
		theirs := f.commit("theirs", "main", "theirs-alone")
		b.commit("a", "x", "3")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:more")
		failing := b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Error != "" })
		if !strings.Contains(failing.Error, "refs/heads/main") || strings.Contains(failing.Error, "theirs-alone") || failing.Failing.IsZero() {
			t.Errorf("it says %q", failing.Error)
		}
		if refs := f.refs(); !strings.Contains(refs, "refs/heads/main "+theirs) || !strings.Contains(refs, "refs/heads/theirs-alone "+theirs) || !strings.Contains(refs, "refs/heads/more") {
			t.Errorf("there is\n%s", refs)
		}
		// It is brought here, and all is well again.
		b.must("a", "pull", "-q", "--no-rebase", "-s", "ours", f.signed("s3cret word"), "main")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Error == "" })
		if got := b.kinds("default/shop"); !strings.HasSuffix(got, "pushed mirror.failed pushed mirror.recovered") {
			t.Errorf("entries: %s", got)
		}
		for _, e := range b.entries("default/shop") {
			if strings.Contains(string(e.Data), "s3cret") {
				t.Errorf("the ledger tells %s", e.Data)
			}
		}
		if err := b.RemoveMirror(adam, "default/shop", m.ID, ""); err != nil {
			t.Fatal(err)
		}
		if err := b.PushMirror(adam, "default/shop", m.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("a mirror that was removed is pushed to: %v", err)
		}
		if n := kept[int](b, "SELECT (SELECT COUNT(*) FROM repository_mirrors) + (SELECT COUNT(*) FROM repository_mirror_refs)"); n != 0 {
			t.Errorf("%d rows are left of it", n)
		}
	})
}

// signed gives the address with its password in it, as a person would write it.
func (f *far) signed(password string) string {
	return strings.Replace(f.url, "://", "://robot:"+strings.ReplaceAll(password, " ", "%20")+"@", 1)
}

// By force a mirror becomes what is here, whatever was there; by patterns only some of it.
func TestAMirrorByForceAndByPattern(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		adam := accesstest.As("adam")
		b.create("default/shop")
		if _, err := b.CommitFiles(adam, "default/shop", files("", "x", "y")); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		head := b.must("a", "rev-parse", "HEAD")
		b.must("a", "push", "-q", "origin", "HEAD:release/1/x", "HEAD:side", "HEAD:refs/tags/v1", "HEAD:refs/tags/w1")
		forced := newFar(t)
		forced.commit("theirs", "main", "theirs", "refs/tags/v1")
		first, err := b.AddMirror(adam, "default/shop", repository.NewMirror{URL: forced.url, Force: true})
		if err != nil {
			t.Fatal(err)
		}
		b.there(forced, "default/shop")
		if err := b.RemoveMirror(adam, "default/shop", first.ID, ""); err != nil {
			t.Fatal(err)
		}
		some := newFar(t)
		if _, err := b.AddMirror(adam, "default/shop", repository.NewMirror{URL: some.url, Patterns: []string{"main", "release/*", "refs/tags/v*"}}); err != nil {
			t.Fatal(err)
		}
		b.mirrored("default/shop", func(m repository.Mirror) bool { return !m.Pushed.IsZero() })
		b.same("there", []string{some.refs()}, "refs/heads/main "+head+"\nrefs/heads/release/1/x "+head+"\nrefs/tags/v1 "+head)
		for _, bad := range []repository.NewMirror{
			{URL: "ssh://x/y"}, {URL: some.url, Every: time.Second}, {URL: some.url, Patterns: []string{"refs/notes/*"}}, {URL: some.url, Patterns: []string{"a..b"}},
			{URL: "http://10.0.0.1/x"}, {URL: some.url, Patterns: []string{"a b"}}, {URL: "x", Integration: "default/x"},
		} {
			if _, err := b.AddMirror(adam, "default/shop", bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
	})
}

// A mirror that can't be reached is told once, and catches up when it can; one of a deleted repository rests.
func TestAMirrorCatchesUp(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.reaches()
		adam := accesstest.As("adam")
		b.create("default/shop")
		head, err := b.CommitFiles(adam, "default/shop", files("", "x", "1"))
		if err != nil {
			t.Fatal(err)
		}
		f := newFar(t)
		away := func(w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "away", http.StatusBadGateway)
			return true
		}
		f.before.Store(&away)
		m, err := b.AddMirror(adam, "default/shop", repository.NewMirror{URL: f.url})
		if err != nil {
			t.Fatal(err)
		}
		b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Attempts == 1 && m.Error != "" })
		if head, err = b.CommitFiles(adam, "default/shop", files(head, "x", "2")); err != nil {
			t.Fatal(err)
		}
		b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Attempts == 2 })
		if err := b.Delete(adam, "default/shop"); err != nil {
			t.Fatal(err)
		}
		f.before.Store(nil)
		if _, err := b.Restore(adam, "default/shop"); err != nil {
			t.Fatal(err)
		}
		if err := b.PushMirror(adam, "default/shop", m.ID); err != nil {
			t.Fatal(err)
		}
		b.there(f, "default/shop")
		b.mirrored("default/shop", func(m repository.Mirror) bool { return m.Error == "" && m.Attempts == 0 })
		if got := b.kinds("default/shop"); got != "created pushed mirror.added mirror.failed pushed deleted restored mirror.recovered" {
			t.Errorf("entries: %s", got)
		}
		if !strings.Contains(f.refs(), head) {
			t.Errorf("there is %s", f.refs())
		}
		if err := b.Purge(adam, "default/shop"); err != nil {
			t.Fatal(err)
		}
		if n := kept[int](b, "SELECT (SELECT COUNT(*) FROM repository_mirrors) + (SELECT COUNT(*) FROM repository_mirror_refs)"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}
