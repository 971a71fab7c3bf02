package repository_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/access/accesstest"
	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// The content of the one repository, as the contract of forges has it.

// answers gives why an API is not to answer.
func (a awayForge) answers() error {
	a.asked.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unseen != nil {
		return a.unseen
	}
	return a.fails
}

func (a awayForge) GetBranch(ctx context.Context, _, name string) (forge.Branch, error) {
	if err := a.answers(); err != nil {
		return forge.Branch{}, err
	}
	refs, err := a.git.Refs(ctx, a.dir)
	if hash := refs["refs/heads/"+name]; err == nil && hash != "" {
		return forge.Branch{Name: name, Commit: hash}, nil
	}
	return forge.Branch{}, errors.Join(err, fault.Errorf(fault.NotFound, "there is no branch %s", name))
}

func (a awayForge) GetCommit(ctx context.Context, _, rev string) (forge.Commit, error) {
	if err := a.answers(); err != nil {
		return forge.Commit{}, err
	}
	hash, err := a.git.Resolve(ctx, a.dir, rev)
	return forge.Commit{Hash: hash}, err
}

func (a awayForge) ReadFile(ctx context.Context, _, rev, path string, limit int64) ([]byte, error) {
	if err := a.answers(); err != nil {
		return nil, err
	}
	if strings.Contains(path, "linked/") { // no forge follows a link on the way
		return nil, fault.Errorf(fault.NotFound, "there is no file %s", path)
	}
	found, err := a.git.Entries(ctx, a.dir, rev, []string{path})
	if err != nil {
		return nil, err
	}
	if e := found[path]; e.Mode == "120000" {
		target, err := a.git.Link(ctx, a.dir, e.Hash)
		return []byte(target), err
	}
	return a.git.ReadFile(ctx, a.dir, rev, path, limit)
}

func (a awayForge) ListTree(ctx context.Context, _, rev, path string, recursive bool) (t forge.Tree, err error) {
	if err := a.answers(); err != nil {
		return t, err
	}
	a.mu.Lock()
	t.Cut = a.cut
	a.mu.Unlock()
	add := func(e git.TreeEntry) error {
		kind := map[string]string{"tree": forge.TypeFolder, "commit": forge.TypeProject, "blob": forge.TypeFile}[e.Type]
		if e.Mode == "120000" {
			kind = forge.TypeLink
		}
		t.Entries = append(t.Entries, forge.Entry{Path: e.Path, Type: kind, Hash: e.Hash, Size: -1})
		return nil
	}
	if recursive {
		return t, a.git.Walk(ctx, a.dir, rev, path, add)
	}
	entries, err := a.git.Tree(ctx, a.dir, rev, path)
	for _, e := range entries {
		_ = add(e)
	}
	return t, err
}

func (a awayForge) Compare(ctx context.Context, _, base, head string) (forge.Comparison, error) {
	if err := a.answers(); err != nil {
		return forge.Comparison{}, err
	}
	s, err := a.git.Standing(ctx, a.dir, base, head)
	if err != nil {
		return forge.Comparison{}, err
	}
	paths, err := a.git.ChangedPaths(ctx, a.dir, s.Base, head)
	c := forge.Comparison{Base: s.Base, Head: head, Ahead: s.Ahead, Behind: -1}
	for _, p := range paths {
		c.Files = append(c.Files, forge.Changed{Path: p, Way: forge.Modified})
	}
	return c, err
}

// read makes default/shop, which is read by API, and looks at it.
func (b *bench) read() repository.Repository {
	b.t.Helper()
	n := repository.NewOutside{Integration: "default/forge", Remote: "acme/Shop", Content: repository.ContentAPI}
	if _, err := b.Connect(accesstest.As("alice"), n); err != nil {
		b.t.Fatal(err)
	}
	return b.fetch()
}

// byAPI is a bench whose repository is read by API, after a push of files to main.
func byAPI(t *testing.T, files map[string]string, fn func(t *testing.T, b *bench, a *away, r repository.Repository, first string)) {
	t.Parallel()
	outside(t, func(t *testing.T, b *bench, a *away) {
		first := b.files("work", files)
		b.must("work", "push", "-q", "origin", "HEAD:main", "HEAD:side")
		fn(t, b, a, b.read(), first)
	})
}
