package gitea

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	treePage    = 1000    // entries that Gitea gives at once, at most
	mostEntries = 100_000 // of a tree
)

// resolve gives the commit that rev is. Everything else is asked by the commit: what is not a reference Gitea takes in
// some places for the beginning of a path, and reads the default branch.
func (f *Forge) resolve(ctx context.Context, repository, rev string) (string, error) {
	switch {
	case git.IsHash(rev):
		return rev, nil
	case rev == "":
		rev = "HEAD"
	default:
		if err := checkRev(rev); err != nil {
			return "", err
		}
	}
	if !strings.Contains(rev, "/") {
		c, err := f.commit(ctx, repository, rev)
		return c.Hash, err
	}
	b, err := f.GetBranch(ctx, repository, rev) // these two may have slashes in their addresses
	if !fault.Is(err, fault.NotFound) {
		return b.Commit, err
	}
	path, err := at(repository, "tags", rev)
	if err != nil {
		return "", err
	}
	var t tag
	err = f.get(ctx, path, nil, &t)
	return t.Commit.SHA, err
}

// bare leaves out what Gitea would compute for a commit.
func bare() url.Values {
	return url.Values{"stat": {"false"}, "verification": {"false"}, "files": {"false"}}
}

func (f *Forge) commit(ctx context.Context, repository, rev string) (forge.Commit, error) {
	path, err := at(repository, "git/commits", rev)
	if err != nil {
		return forge.Commit{}, err
	}
	var c commit
	err = f.get(ctx, path, bare(), &c)
	return c.commit(), err
}

// ReadFile reads a file.
func (f *Forge) ReadFile(ctx context.Context, repository, rev, path string, limit int64) ([]byte, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if path == "" {
		return nil, fault.Errorf(fault.Invalid, "the root of a repository is no file")
	}
	hash, err := f.resolve(ctx, repository, rev)
	if err != nil {
		return nil, err
	}
	address, err := at(repository, "raw", path)
	if err != nil {
		return nil, err
	}
	return f.bounded(ctx, path, address, url.Values{"ref": {hash}}, limit)
}

type entry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	Size int64  `json:"size"`
	SHA  string `json:"sha"`
}

func (e *entry) entry(below string) forge.Entry {
	out := forge.Entry{Path: below + e.Path, Type: forge.TypeFile, Hash: e.SHA, Size: e.Size}
	switch {
	case e.Type == "tree":
		out.Type = forge.TypeFolder
	case e.Type == "commit" || e.Mode == "160000":
		out.Type = forge.TypeProject
	case e.Mode == "120000":
		out.Type = forge.TypeLink
	}
	if out.Type == forge.TypeFolder || out.Type == forge.TypeProject {
		out.Size = -1
	}
	return out
}

// ListTree lists a folder, to which it goes from the root.
func (f *Forge) ListTree(ctx context.Context, repository, rev, path string, recursive bool) (forge.Tree, error) {
	if err := checkPath(path); err != nil {
		return forge.Tree{}, err
	}
	hash, err := f.resolve(ctx, repository, rev)
	if err != nil {
		return forge.Tree{}, err
	}
	tree, below := hash, ""
	for step := range strings.SplitSeq(path, "/") {
		if path == "" {
			break
		}
		entries, _, err := f.tree(ctx, repository, tree, false)
		if err != nil {
			return forge.Tree{}, err
		}
		tree = ""
		for _, e := range entries {
			if e.Path == step && e.Type == "tree" {
				tree = e.SHA
			}
		}
		if tree == "" {
			return forge.Tree{}, fault.Errorf(fault.NotFound, "%s has no folder %.200q at %.100s", repository, path, hash)
		}
		below += step + "/"
	}
	entries, cut, err := f.tree(ctx, repository, tree, recursive)
	if err != nil {
		return forge.Tree{}, err
	}
	out := forge.Tree{Commit: hash, Cut: cut}
	for _, e := range entries {
		if e := e.entry(below); !recursive || e.Type != forge.TypeFolder {
			out.Entries = append(out.Entries, e)
		}
	}
	return out, nil
}

// tree reads a tree, or that of a commit.
func (f *Forge) tree(ctx context.Context, repository, hash string, recursive bool) (entries []entry, cut bool, err error) {
	path, err := at(repository, "git/trees", hash)
	if err != nil {
		return nil, false, err
	}
	query := url.Values{"per_page": {strconv.Itoa(treePage)}}
	if recursive {
		query.Set("recursive", "true")
	}
	for number := 1; ; number++ {
		query.Set("page", strconv.Itoa(number))
		var got struct {
			Tree []entry `json:"tree"`
			More bool    `json:"truncated"`
		}
		err := f.get(ctx, path, query, &got)
		if forge.Status(err) == http.StatusBadRequest {
			return nil, false, fault.Errorf(fault.NotFound, "%s has no commit %s", repository, hash)
		}
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, got.Tree...)
		if !got.More || len(got.Tree) == 0 {
			return entries, got.More, nil
		}
		if len(entries) >= mostEntries {
			return entries, true, nil
		}
	}
}

// Archive streams one.
func (f *Forge) Archive(ctx context.Context, repository, rev string) (io.ReadCloser, error) {
	hash, err := f.resolve(ctx, repository, rev)
	if err != nil {
		return nil, err
	}
	path, err := at(repository, "archive", hash+".tar.gz")
	if err != nil {
		return nil, err
	}
	answer, err := f.open(forge.Streamed(ctx), http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

type branch struct {
	Name   string `json:"name"`
	Commit struct {
		ID string `json:"id"`
	} `json:"commit"`
	Protected bool `json:"protected"`
}

func (b *branch) branch() forge.Branch {
	return forge.Branch{Name: b.Name, Commit: b.Commit.ID, Protected: b.Protected}
}

// ListBranches gives branches in Gitea's order.
func (f *Forge) ListBranches(ctx context.Context, repository string, part page.Request) (page.Of[forge.Branch], error) {
	path, err := at(repository, "branches")
	if err != nil {
		return page.Of[forge.Branch]{}, err
	}
	return list(ctx, f, part, path, nil, all((*branch).branch))
}

// atBranch gives where the API has a branch.
func atBranch(repository, name string) (string, error) {
	if err := git.CheckBranch(name); err != nil {
		return "", err
	}
	return at(repository, "branches", name)
}

// GetBranch gives one.
func (f *Forge) GetBranch(ctx context.Context, repository, name string) (forge.Branch, error) {
	path, err := atBranch(repository, name)
	if err != nil {
		return forge.Branch{}, err
	}
	var b branch
	err = unless(f.get(ctx, path, nil, &b), func() error {
		r, err := f.GetRepository(ctx, repository)
		if err == nil && r.Empty {
			return fault.Errorf(fault.NotFound, "%s is empty", repository)
		}
		return err
	})
	return b.branch(), err
}

// CreateBranch makes one.
func (f *Forge) CreateBranch(ctx context.Context, repository, name, commit string) error {
	if err := checkCommit(commit); err != nil {
		return err
	}
	if _, err := atBranch(repository, name); err != nil {
		return err
	}
	path, err := at(repository, "branches")
	if err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodPost, path, nil, map[string]any{"new_branch_name": name, "old_ref_name": commit}, nil)
	return unless(err, func() error { _, err := f.commit(ctx, repository, commit); return err })
}

// DeleteBranch deletes one.
func (f *Forge) DeleteBranch(ctx context.Context, repository, name string) error {
	path, err := atBranch(repository, name)
	if err != nil {
		return err
	}
	_, err = f.send(ctx, http.MethodDelete, path, nil, nil, nil)
	return err
}

type tag struct {
	Name    string `json:"name"`
	Message string `json:"message"`
	ID      string `json:"id"`
	Commit  struct {
		SHA string `json:"sha"`
	} `json:"commit"`
}

// ListTags gives tags in Gitea's order. Of one that is not annotated Gitea gives the commit's message, which is left out.
func (f *Forge) ListTags(ctx context.Context, repository string, part page.Request) (page.Of[forge.Tag], error) {
	path, err := at(repository, "tags")
	if err != nil {
		return page.Of[forge.Tag]{}, err
	}
	return list(ctx, f, part, path, nil, func(t tag) (forge.Tag, bool) {
		out := forge.Tag{Name: t.Name, Commit: t.Commit.SHA}
		if t.ID != t.Commit.SHA {
			out.Message = t.Message
		}
		return out, true
	})
}
