package repository_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

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
			"tree": func(ctx context.Context) error { _, err := b.Tree(ctx, "default/shop", "main", ""); return err },
			"log": func(ctx context.Context) error {
				_, err := b.Log(ctx, "default/shop", "main", "", page.Request{})
				return err
			},
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
			"last commits": func(ctx context.Context) error {
				_, err := b.LastCommits(ctx, "default/shop", "main", "")
				return err
			},
			"commit": func(ctx context.Context) error { _, err := b.Commit(ctx, "default/shop", "main"); return err },
			"entry": func(ctx context.Context) error {
				_, err := b.Entry(ctx, "default/shop", "main", "README.md")
				return err
			},
			"blame": func(ctx context.Context) error {
				_, _, err := b.Blame(ctx, "default/shop", "main", "README.md", 0, 0)
				return err
			},
			"search": func(ctx context.Context) error {
				_, _, _, err := b.Search(ctx, "default/shop", "main", git.Search{Text: "hi"}, page.Request{})
				return err
			},
			"names": func(ctx context.Context) error {
				_, _, err := b.Names(ctx, "default/shop", "main", "r", 10)
				return err
			},
			"branches": func(ctx context.Context) error { _, err := b.BranchFacts(ctx, "default/shop", nil); return err },
			"tags":     func(ctx context.Context) error { _, _, err := b.TagFacts(ctx, "default/shop", nil); return err },
			"brought": func(ctx context.Context) error {
				_, err := b.Brought(ctx, "default/shop", strings.Repeat("1", 40))
				if fault.Is(err, fault.Internal) || err != nil && strings.Contains(err.Error(), "bad") {
					return nil // there is no such commit
				}
				return err
			},
			"raw": func(ctx context.Context) error {
				f, err := b.OpenFile(ctx, "default/shop", "main", "README.md")
				if err == nil {
					f.Close()
				}
				return err
			},
			"download": func(ctx context.Context) error {
				f, err := b.Download(ctx, "default/shop", "main", git.FormatZip, "shop")
				if err == nil {
					f.Close()
				}
				return err
			},
			"write: edit": func(ctx context.Context) error {
				_, err := b.Edit(ctx, "default/shop", repository.Edit{Message: "again", Changes: []repository.FileEdit{{Path: "README.md", Content: []byte("hi")}}})
				if fault.Is(err, fault.Invalid) {
					return nil // it is like this already: the right was there
				}
				return err
			},
			"write: tag": func(ctx context.Context) error {
				_, err := b.CreateTag(ctx, "default/shop", repository.NewRef{Name: "v1"})
				if fault.Is(err, fault.Conflict) {
					return nil // the right was there
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
