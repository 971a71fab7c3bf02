package repository_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

var nothing = short(repository.Zero)

func TestPushesAreInTheLedger(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		b.must("a", "push", "-q", "origin", "main") // nothing new
		second := b.commit("a", "x", "2")
		b.must("a", "tag", "v1")
		b.must("a", "push", "-q", b.address("bob", "default/shop"), "main", "v1", ":side")
		for range 3 {
			if err := b.Settle(t.Context(), r.ID); err != nil {
				t.Fatal(err)
			}
		}
		b.same("pushes", b.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"pri_alice refs/heads/side "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"pri_bob refs/heads/side "+short(first)+" "+nothing,
			"pri_bob refs/tags/v1 "+nothing+" "+short(second))
		entries := b.entries("default/shop")
		if e := entries[0]; e.Type != "repository.created" || e.Subject != "repository:default/shop" || e.Actor != "pri_alice" || e.Space != "default" {
			t.Errorf("the first entry is %+v", e)
		}
		got, err := b.Get(accesstest.As("rita"), "Default/Shop.git")
		if err != nil || got.Head != second || got.Pushed.IsZero() || got.CreatedBy != "pri_alice" {
			t.Errorf("the repository is %+v, %v", got, err)
		}
	})
}

func TestRightsOverGit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		b.must("", "clone", "-q", b.address("rita", "default/shop"), "r")
		b.commit("r", "x", "2")
		b.refused("denied: repository:write in space default is missing", "r", "push", "origin", "main")
		b.refused("not found: there is no repository default/shop", "", "clone", b.address("carol", "default/shop"), "c")
		b.refused("not found: there is no repository default/none", "", "clone", b.address("alice", "default/none"), "c")
		b.refused("could not read Username", "", "clone", repository.CloneURL(b.url, "default/none"), "c")
		if got := len(b.pushes("default/shop")); got != 1 {
			t.Errorf("there are %d pushes", got)
		}
	})
}

func TestRightsOfTheService(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.create("default/other")
		if _, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "README.md", "hi")); err != nil {
			t.Fatal(err)
		}
		workload := func(scopes ...string) context.Context {
			return actor.With(t.Context(), actor.Principal{ID: "step_x", Kind: actor.Workload, Space: "default", Scopes: scopes, Run: "run_x"})
		}
		everything := map[string]func(ctx context.Context) error{
			"get":     func(ctx context.Context) error { _, err := b.Get(ctx, "default/shop"); return err },
			"refs":    func(ctx context.Context) error { _, err := b.Refs(ctx, "default/shop"); return err },
			"resolve": func(ctx context.Context) error { _, err := b.Resolve(ctx, "default/shop", ""); return err },
			"file": func(ctx context.Context) error {
				_, err := b.ReadFile(ctx, "default/shop", "", "README.md", 10)
				return err
			},
			"tree": func(ctx context.Context) error { _, err := b.Tree(ctx, "default/shop", "main", "", false); return err },
			"log":  func(ctx context.Context) error { _, err := b.Log(ctx, "default/shop", "main", "", 1); return err },
			"diff": func(ctx context.Context) error {
				_, err := b.Diff(ctx, "default/shop", "", "main", git.DiffLimits{})
				return err
			},
			"archive": func(ctx context.Context) error {
				a, err := b.Archive(ctx, "default/shop", "main", "")
				if err == nil {
					a.Close()
				}
				return err
			},
			"write: commit": func(ctx context.Context) error {
				_, err := b.CommitFiles(ctx, "default/shop", files(git.Zero, "x", "y"))
				if fault.Is(err, fault.Conflict) {
					return nil // the right was there
				}
				return err
			},
			"admin: update": func(ctx context.Context) error {
				_, err := b.Update(ctx, "default/shop", repository.Change{})
				return err
			},
			"admin: rename": func(ctx context.Context) error { _, err := b.Rename(ctx, "default/shop", "default/shop"); return err },
			"admin: transfer": func(ctx context.Context) error {
				_, err := b.Transfer(ctx, "default/shop", "default")
				return err
			},
		}
		for name, do := range everything {
			level, _, _ := strings.Cut(name, ":")
			reads, writes := fault.Denied, fault.Denied
			if level != "write" && level != "admin" {
				reads, writes = 0, 0
			} else if level == "write" {
				writes = 0
			}
			for who, c := range map[string]struct {
				ctx  context.Context
				want fault.Kind
			}{
				"nobody":            {context.Background(), fault.Unauthenticated},
				"carol":             {accesstest.As("carol"), fault.NotFound},
				"rita":              {accesstest.As("rita"), reads},
				"alice":             {accesstest.As("alice"), writes},
				"adam":              {accesstest.As("adam"), 0},
				"adam held to read": {accesstest.As("adam", "repository:read"), reads},
				"adam for other":    {accesstest.As("adam", "repository:*=default/other"), fault.NotFound},
				"adam for shop":     {accesstest.As("adam", "repository:read=default/shop", "repository:write=default/shop"), writes},
				"step for shop":     {workload("repository:read=default/shop", "repository:write=default/shop"), writes},
				"step for other":    {workload("repository:write=default/other"), fault.NotFound},
				"step for nothing":  {workload(), fault.NotFound},
			} {
				if err := do(c.ctx); c.want == 0 && err != nil || c.want != 0 && !fault.Is(err, c.want) {
					t.Errorf("%s as %s: %v, want %v", name, who, err, c.want)
				}
			}
		}
		for who, want := range map[string]fault.Kind{"bob": fault.Denied, "rita": fault.Denied, "carol": fault.NotFound} {
			if err := b.Delete(accesstest.As(who), "default/shop"); !fault.Is(err, want) {
				t.Errorf("%s deletes: %v", who, err)
			}
		}
		if err := b.Delete(accesstest.As("alice"), "default/other"); err != nil { // who made it
			t.Error(err)
		}
		if _, err := b.Create(accesstest.As("rita"), repository.NewRepository{Name: "ritas"}); !fault.Is(err, fault.Denied) {
			t.Errorf("rita creates: %v", err)
		}
		if _, err := b.Create(accesstest.As("alice", "repository:create=default/this"), repository.NewRepository{Name: "that"}); !fault.Is(err, fault.Denied) {
			t.Errorf("a token for one name creates another: %v", err)
		}
	})
}

// files is a commit of one file to main.
func files(parent, path, content string) git.CommitRequest {
	return git.CommitRequest{Branch: "main", Parent: parent, Message: "change " + path, Changes: []git.FileChange{{Path: path, Content: []byte(content)}}}
}

func TestCreateNamesAndLists(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		alice, adam := accesstest.As("alice"), accesstest.As("adam")
		for _, bad := range []string{"", ".", "..", "-a", "a/b", "a b", "a..", "x.git", "x.lock", "ä", "a%2e", strings.Repeat("a", 64), "a\x00"} {
			_, err := b.Create(alice, repository.NewRepository{Name: bad})
			if bad == "x.git" { // the ending of the address is taken off
				if err != nil {
					t.Error(err)
				}
				continue
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("name %q: %v", bad, err)
			}
		}
		for _, n := range []repository.NewRepository{
			{Name: "a", DefaultBranch: "../x"}, {Name: "a", Namespace: "../x"}, {Name: "a", Description: strings.Repeat("x", 2000)},
		} {
			if _, err := b.Create(alice, n); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", n, err)
			}
		}
		if _, err := b.Create(adam, repository.NewRepository{Name: "a", Space: "nowhere"}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if _, err := b.Create(alice, repository.NewRepository{Name: "X"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a name that differs in case: %v", err)
		}
		for i := range 5 {
			if _, err := b.Create(adam, repository.NewRepository{Namespace: "lab", Name: fmt.Sprintf("r%d", i), Space: "lab", Description: "Tools of the lab"}); err != nil {
				t.Fatal(err)
			}
		}
		list := func(ctx context.Context, q repository.Query) string {
			var names []string
			for {
				page, err := b.List(ctx, q)
				if err != nil {
					return err.Error()
				}
				for _, r := range page.Items {
					names = append(names, r.FullName())
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return strings.Join(names, " ")
				}
			}
		}
		all, lab := "default/x lab/r0 lab/r1 lab/r2 lab/r3 lab/r4", "lab/r0 lab/r1 lab/r2 lab/r3 lab/r4"
		for what, c := range map[string][2]string{
			"adam":            {list(adam, repository.Query{Limit: 2}), all},
			"carol":           {list(accesstest.As("carol"), repository.Query{}), lab},
			"namespace":       {list(adam, repository.Query{Namespace: "LAB", Limit: 5}), lab},
			"space":           {list(adam, repository.Query{Space: "default"}), "default/x"},
			"name":            {list(adam, repository.Query{Text: "b/R3"}), "lab/r3"},
			"description":     {list(adam, repository.Query{Text: "tools OF"}), lab},
			"wildcard":        {list(adam, repository.Query{Text: "%"}), ""},
			"scope":           {list(accesstest.As("adam", "repository:read=lab/r1", "repository:read=no/no"), repository.Query{}), "lab/r1"},
			"scope of others": {list(accesstest.As("carol", "repository:read=default/x"), repository.Query{}), ""},
		} {
			if c[0] != c[1] {
				t.Errorf("%s: %s, want %s", what, c[0], c[1])
			}
		}
		if _, err := b.List(context.Background(), repository.Query{}); !fault.Is(err, fault.Unauthenticated) {
			t.Error(err)
		}
		if _, err := b.List(adam, repository.Query{Cursor: "x"}); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
	})
}

func TestProtectedDefaultBranch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		first := b.commit("a", "x", "1")
		b.must("a", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		second := b.commit("a", "x", "2")
		b.must("a", "push", "-q", "origin", "main", "HEAD:side")
		b.must("a", "reset", "-q", "--hard", first)
		third := b.commit("a", "x", "3")
		b.refused("main is the default branch of default/shop and protected: it can't be rewritten; pull, then push", "a", "push", "-f", "origin", "main")
		b.refused("it can't be deleted", "a", "push", "origin", ":main")
		b.refused("push branches, tags or notes", "a", "push", "origin", "HEAD:refs/pull/1/head")
		b.refused("can't be told from a commit", "a", "push", "origin", "HEAD:refs/heads/"+first)
		b.must("a", "push", "-q", "-f", "origin", "HEAD:side")
		no := false
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{Protected: &no}); err != nil {
			t.Fatal(err)
		}
		b.must("a", "push", "-q", "-f", "origin", "main")
		main := "side"
		if _, err := b.Update(accesstest.As("adam"), "default/shop", repository.Change{DefaultBranch: &main}); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("rita", "default/shop"), "r")
		if got := b.must("r", "branch", "--show-current"); got != "side" {
			t.Errorf("a clone is on %s", got)
		}
		b.must("a", "push", "-q", "origin", ":main")
		b.same("pushes", b.pushes("default/shop")[2:],
			"pri_alice refs/heads/main "+short(first)+" "+short(second),
			"pri_alice refs/heads/side "+short(first)+" "+short(second),
			"pri_alice refs/heads/side "+short(second)+" "+short(third),
			"pri_alice refs/heads/main "+short(second)+" "+short(third),
			"pri_alice refs/heads/main "+short(third)+" "+nothing)
	})
}

func TestCommitFiles(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		platform := b.Platform()
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "README.md", "hello"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := platform.Commit(t.Context(), "default/shop", files(first, "deploy/image", "2"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := platform.Commit(t.Context(), "default/shop", files(first, "deploy/image", "3")); !fault.Is(err, fault.Conflict) {
			t.Errorf("a commit on an old head: %v", err)
		}
		if same, err := platform.Commit(t.Context(), "default/shop", files(second, "deploy/image", "2")); err != nil || same != second {
			t.Errorf("a commit of nothing: %s, %v", same, err)
		}
		b.same("pushes", b.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"system refs/heads/main "+short(first)+" "+short(second)+" platform")
		for commit, want := range map[string]bool{first: false, second: true} {
			if got, err := platform.IsPlatformCommit(t.Context(), "default/shop", commit); err != nil || got != want {
				t.Errorf("%s is the platform's: %v, %v", commit, got, err)
			}
		}
		log, err := b.Log(accesstest.As("rita"), "default/shop", "", "", 10)
		if err != nil || len(log) != 2 || log[0].Author.Name != "Roadbed" || log[1].Author.Name != "alice" {
			t.Errorf("the history is %+v, %v", log, err)
		}
	})
}

func TestPlatformView(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		ctx := t.Context()
		b.create("default/shop")
		p := b.Platform()
		if _, err := p.Head(ctx, "default/shop", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("an empty repository has a head: %v", err)
		}
		request := files("", "catalog-info.yaml", "kind: x")
		for _, path := range []string{"a/catalog-info.yaml", "a/b/catalog-info.yaml", "a/b/other.yaml", "c.yaml"} {
			request.Changes = append(request.Changes, git.FileChange{Path: path})
		}
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", request)
		if err != nil {
			t.Fatal(err)
		}
		for _, rev := range []string{"", "main", "refs/heads/main", first} {
			if got, err := p.Head(ctx, "default/shop", rev); err != nil || got != first {
				t.Errorf("the head of %q is %s, %v", rev, got, err)
			}
		}
		if _, err := p.Head(ctx, "default/shop", "no"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		for pattern, want := range map[string]string{
			"catalog-info.yaml": "catalog-info.yaml", "./catalog-info.yaml": "catalog-info.yaml", "no.yaml": "",
			"*.yaml": "c.yaml catalog-info.yaml", "*/catalog-info.yaml": "a/catalog-info.yaml",
			"**/catalog-info.yaml": "a/b/catalog-info.yaml a/catalog-info.yaml catalog-info.yaml",
			"a/**":                 "a/b/catalog-info.yaml a/b/other.yaml a/catalog-info.yaml", "a/*/o*": "a/b/other.yaml", "no/**/x": "", "**/b/**/o*": "a/b/other.yaml",
		} {
			if got, err := p.Glob(ctx, "default/shop", first, pattern); err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s matches %v, %v", pattern, got, err)
			}
		}
		for _, bad := range []string{"../x", "[", strings.Repeat("**/", 5) + "x"} {
			if _, err := p.Glob(ctx, "default/shop", first, bad); !fault.Is(err, fault.Invalid) {
				t.Errorf("pattern %q: %v", bad, err)
			}
		}
		second, err := p.Commit(ctx, "default/shop", files(first, "c.yaml", "new"))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.ChangedPaths(ctx, "default/shop", first, second); err != nil || strings.Join(got, " ") != "c.yaml" {
			t.Error(got, err)
		}
		if got, err := p.Parents(ctx, "default/shop", second); err != nil || strings.Join(got, " ") != first {
			t.Error(got, err)
		}
		if ok, err := p.IsAncestor(ctx, "default/shop", first, second); err != nil || !ok {
			t.Error(ok, err)
		}
		if got, err := p.Files(ctx, "default/shop", second, "a/b"); err != nil || strings.Join(got, " ") != "a/b/catalog-info.yaml a/b/other.yaml" {
			t.Error(got, err)
		}
		if got, err := p.Files(ctx, "default/shop", second, "no"); err != nil || got != nil {
			t.Error(got, err)
		}
		if space, err := p.SpaceOf(ctx, "default/shop"); err != nil || space != "default" {
			t.Error(space, err)
		}
	})
}

func TestRenameTransferDelete(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		adam := accesstest.As("adam")
		r := b.create("default/shop")
		b.create("default/taken")
		head, err := b.CommitFiles(adam, "default/shop", files("", "x", "y"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Rename(adam, "default/shop", "default/taken"); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
		if moved, err := b.Rename(adam, "default/shop", "team/store"); err != nil || moved.ID != r.ID || moved.Head != head {
			t.Error(moved, err)
		}
		if _, err := b.Get(adam, "default/shop"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if _, err := b.Transfer(adam, "team/store", "nowhere"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if moved, err := b.Transfer(adam, "team/store", "lab"); err != nil || moved.Space != "lab" {
			t.Error(moved, err)
		}
		b.must("", "clone", "-q", b.address("carol", "team/store"), "c")
		second := b.commit("c", "x", "z")
		b.must("c", "push", "-q")
		b.same("pushes", b.pushes("team/store"), "pri_carol refs/heads/main "+short(head)+" "+short(second))
		if err := b.Delete(adam, "team/store"); err != nil {
			t.Fatal(err)
		}
		b.refused("there is no repository", "c", "fetch")
		if left, _ := os.ReadDir(b.dir); len(left) != 1 {
			t.Errorf("there is left %v", left)
		}
		types := ""
		for _, e := range b.entries("team/store") {
			types += e.Type + " " + e.Space + ", "
		}
		if types != "repository.renamed default, repository.transferred lab, repository.pushed lab, repository.deleted lab, " {
			t.Error(types)
		}
		if history := b.entries("default/shop"); history[len(history)-1].Type != "repository.renamed" {
			t.Error("the old name's history does not end with the renaming")
		}
		again := b.create("default/shop")
		if again.Head != "" || again.ID == r.ID {
			t.Errorf("the new repository is %+v", again)
		}
	})
}

// Many write at once; every change has its one entry, in an order in which each begins where the last one ended.
func TestConcurrentPushes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		head, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "x", ""))
		if err != nil {
			t.Fatal(err)
		}
		const writers, rounds = 3, 3
		var group sync.WaitGroup
		for w := range writers {
			clone := fmt.Sprintf("w%d", w)
			who := []string{"alice", "bob"}[w%2]
			b.must("", "clone", "-q", b.address(who, "default/shop"), clone)
			group.Go(func() {
				for i := range rounds {
					b.commit(clone, clone, fmt.Sprint(i))
					b.must(clone, "push", "-q", "origin", "HEAD:"+clone)
				}
			})
			group.Go(func() {
				parent := head
				for i := range rounds {
					request := files(parent, "y", fmt.Sprint(w, i))
					request.Branch = "main"
					_, err := b.CommitFiles(accesstest.As(who), "default/shop", request)
					if err != nil && !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
					if parent, err = b.Platform().Head(t.Context(), "default/shop", "main"); err != nil {
						t.Error(err)
					}
				}
			})
			group.Go(func() {
				for range rounds {
					if err := b.Settle(t.Context(), r.ID); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		b.chain("default/shop")
		if got := len(b.pushes("default/shop")); got < 1+writers*rounds {
			t.Errorf("there are only %d pushes", got)
		}
	})
}

// chain makes sure that the entries of each reference follow one another and end where git is.
func (b *bench) chain(name string) {
	b.t.Helper()
	at := map[string]string{}
	for _, line := range b.pushes(name) {
		f := strings.Fields(line)
		if old := at[f[1]]; old == "" && f[2] != nothing || old != "" && old != f[2] {
			b.t.Errorf("%s does not follow %q", line, old)
		}
		at[f[1]] = f[3]
		if f[3] == nothing {
			delete(at, f[1])
		}
	}
	refs, err := b.Refs(accesstest.As("adam"), name)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, r := range refs {
		if at[r.Name] != short(r.Hash) {
			b.t.Errorf("%s is at %s, the ledger's last word is %q", r.Name, r.Hash, at[r.Name])
		}
		delete(at, r.Name)
	}
	if len(at) != 0 {
		b.t.Errorf("the ledger has %v, which is not there", at)
	}
}

// A commit of a step is the step's, with its run.
func TestWorkloadsAreNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		b.create("default/shop")
		run := ref.NewID(ref.Run, time.Now())
		ctx := actor.With(t.Context(), actor.Principal{ID: "stp_1", Kind: actor.Workload, Name: "step build", Space: "default", Run: run, Scopes: []string{"repository:write=default/shop"}})
		if _, err := b.CommitFiles(ctx, "default/shop", files("", "x", "y")); err != nil {
			t.Fatal(err)
		}
		entries := b.entries("default/shop")
		if e := entries[len(entries)-1]; e.Actor != "stp_1" || e.Run != run {
			t.Errorf("the entry is of %s in %s", e.Actor, e.Run)
		}
	})
}

// What somebody did to a folder past the server is recorded at the next start or push, as the platform's doing.
func TestChangesPastTheServer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		first, err := b.CommitFiles(accesstest.As("alice"), "default/shop", files("", "x", "1"))
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(b.dir, r.ID+".git")
		b.must("", "--git-dir="+folder, "update-ref", "refs/heads/hand", first)
		second, err := b.CommitFiles(accesstest.As("bob"), "default/shop", files(first, "x", "2"))
		if err != nil {
			t.Fatal(err)
		}
		b.must("", "--git-dir="+folder, "update-ref", "-d", "refs/heads/hand")
		again := open(t, b.db, b.dir)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- again.Run(ctx) }()
		for len(again.pushes("default/shop")) < 4 {
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		again.same("pushes", again.pushes("default/shop"),
			"pri_alice refs/heads/main "+nothing+" "+short(first),
			"system refs/heads/hand "+nothing+" "+short(first),
			"pri_bob refs/heads/main "+short(first)+" "+short(second),
			"system refs/heads/hand "+short(first)+" "+nothing)
	})
}

// A copy that is made while pushes go on is a whole repository, and serves as one.
func TestCopyWhileInUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		r := b.create("default/shop")
		gone := b.create("default/gone")
		if err := os.RemoveAll(filepath.Join(b.dir, gone.ID+".git")); err != nil {
			t.Fatal(err)
		}
		b.must("", "clone", "-q", b.address("alice", "default/shop"), "a")
		b.commit("a", "x", "0")
		b.must("a", "push", "-q", "origin", "HEAD:main")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := range 5 {
				b.commit("a", "x", fmt.Sprint("more", i))
				b.must("a", "push", "-q", "origin", "HEAD:main")
			}
		}()
		target := filepath.Join(t.TempDir(), "copy")
		if err := b.Copy(t.Context(), target); err != nil {
			t.Fatal(err)
		}
		<-done
		copied := filepath.Join(target, r.ID+".git")
		b.must("", "--git-dir="+copied, "fsck", "--full", "--strict")
		head := b.must("", "--git-dir="+copied, "rev-parse", "main")
		b.must("a", "merge-base", "--is-ancestor", head, "main")
		if err := b.Copy(t.Context(), target); !fault.Is(err, fault.Conflict) {
			t.Errorf("a copy over a copy: %v", err)
		}
	})
}

// Folders of repositories that never came to be are removed, others are not.
func TestOrphansAreRemoved(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, b *bench) {
		kept := b.create("default/shop")
		old := time.Now().Add(-3 * time.Hour)
		orphan, draft, young, strange := ref.NewID("rep", old)+".git", "draft-"+ref.NewID("rep", old), ref.NewID("rep", time.Now())+".git", "strange"
		for _, name := range []string{orphan, draft, young, strange} {
			if err := os.MkdirAll(filepath.Join(b.dir, name, "objects"), 0o700); err != nil {
				t.Fatal(err)
			}
			if name != young {
				if err := os.Chtimes(filepath.Join(b.dir, name), old, old); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.Chtimes(filepath.Join(b.dir, kept.ID+".git"), old, old); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.Run(ctx) }()
		for {
			if _, err := os.Stat(filepath.Join(b.dir, draft)); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
		for {
			if _, err := os.Stat(filepath.Join(b.dir, orphan)); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, name := range []string{kept.ID + ".git", young, strange} {
			if _, err := os.Stat(filepath.Join(b.dir, name)); err != nil {
				t.Error(err)
			}
		}
	})
}
