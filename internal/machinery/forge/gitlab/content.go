package gitlab

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gl "gitlab.com/gitlab-org/api/client-go"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Bounds of what is put together from many pages.
const (
	mostEntries = 20_000
	mostCommits = 250
)

// ReadFile gives a file as it is stored: of a symbolic link that is its target, of a large file its pointer.
func (f *Forge) ReadFile(ctx context.Context, repository, rev, name string, limit int64) ([]byte, error) {
	rev, err := checkAt(repository, rev)
	if err != nil {
		return nil, err
	}
	if clean, err := git.CheckPath(name); err != nil || clean != name || name == "" {
		return nil, fault.Errorf(fault.Invalid, "%.200q is not the path of a file in a repository", name)
	}
	text, err := one(f.api.RepositoryFiles.GetRawFile(repository, name, &gl.GetRawFileOptions{Ref: &rev}, gl.WithContext(ctx)))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes; the limit is %d", name, len(text), limit)
	}
	return text, nil
}

// ListTree gives a folder's entries. GitLab tells no sizes.
func (f *Forge) ListTree(ctx context.Context, repository, rev, folder string, recursive bool) (forge.Tree, error) {
	rev, err := checkAt(repository, rev)
	if err != nil {
		return forge.Tree{}, err
	}
	if folder, err = git.CheckPath(folder); err != nil {
		return forge.Tree{}, err
	}
	nodes, cut, err := whole(mostEntries, func(o gl.ListOptions) ([]*gl.TreeNode, *gl.Response, error) {
		return f.api.Repositories.ListTree(repository, &gl.ListTreeOptions{ListOptions: o, Path: optional(folder), Ref: &rev, Recursive: &recursive}, gl.WithContext(ctx))
	})
	if err != nil {
		return forge.Tree{}, err
	}
	tree := forge.Tree{Cut: cut}
	if git.IsHash(rev) {
		tree.Commit = rev
	}
	for _, n := range nodes {
		e := forge.Entry{Path: n.Path, Hash: n.ID, Size: -1, Type: forge.TypeFile}
		switch {
		case n.Type == "tree":
			e.Type = forge.TypeFolder
		case n.Type == "commit":
			e.Type = forge.TypeProject
		case n.Mode == "120000":
			e.Type = forge.TypeLink
		}
		if !recursive || e.Type != forge.TypeFolder {
			tree.Entries = append(tree.Entries, e)
		}
	}
	slices.SortFunc(tree.Entries, func(a, b forge.Entry) int { return strings.Compare(a.Path, b.Path) })
	return tree, nil
}

func commit(c *gl.Commit) forge.Commit {
	if c == nil {
		return forge.Commit{}
	}
	return forge.Commit{
		Hash: c.ID, Parents: c.ParentIDs, Message: c.Message, URL: c.WebURL,
		Author:    forge.Signature{Name: c.AuthorName, Email: c.AuthorEmail, When: when(c.AuthoredDate)},
		Committer: forge.Signature{Name: c.CommitterName, Email: c.CommitterEmail, When: when(c.CommittedDate)},
	}
}

// GetCommit gives one commit.
func (f *Forge) GetCommit(ctx context.Context, repository, rev string) (forge.Commit, error) {
	rev, err := checkAt(repository, rev)
	if err != nil {
		return forge.Commit{}, err
	}
	c, err := one(f.api.Commits.GetCommit(repository, rev, nil, gl.WithContext(ctx)))
	return commit(c), err
}

// ListCommits gives commits, the newest first.
func (f *Forge) ListCommits(ctx context.Context, repository, rev, name string, part page.Request) (page.Of[forge.Commit], error) {
	rev, err := checkAt(repository, rev)
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	if name, err = git.CheckPath(name); err != nil {
		return page.Of[forge.Commit]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Commit, *gl.Response, error) {
		return f.api.Commits.ListCommits(repository, &gl.ListCommitsOptions{ListOptions: o, RefName: &rev, Path: optional(name)}, gl.WithContext(ctx))
	}, func(c *gl.Commit) (forge.Commit, bool) { return commit(c), true })
}

// Compare compares head with what it has in common with base. GitLab does not tell by how much head is behind.
func (f *Forge) Compare(ctx context.Context, repository, base, head string) (forge.Comparison, error) {
	base, err := checkAt(repository, base)
	if err != nil {
		return forge.Comparison{}, err
	}
	if head, err = checkAt(repository, head); err != nil {
		return forge.Comparison{}, err
	}
	newest, err := f.GetCommit(ctx, repository, head)
	if err != nil {
		return forge.Comparison{}, err
	}
	common, err := one(f.api.Repositories.MergeBase(repository, &gl.MergeBaseOptions{Ref: &[]string{base, newest.Hash}}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Comparison{}, err
	}
	got, err := one(f.api.Repositories.Compare(repository, &gl.CompareOptions{From: &base, To: &newest.Hash}, gl.WithContext(ctx)))
	if err != nil {
		return forge.Comparison{}, err
	}
	out := forge.Comparison{Base: common.ID, Head: newest.Hash, Ahead: len(got.Commits), Behind: -1, Cut: got.CompareTimeout}
	for _, c := range got.Commits {
		out.Commits = append(out.Commits, commit(c))
	}
	if n := len(out.Commits); n > 1 && out.Commits[0].Hash == newest.Hash {
		slices.Reverse(out.Commits)
	}
	out.Commits = out.Commits[max(0, len(out.Commits)-mostCommits):]
	for _, d := range got.Diffs {
		out.Files = append(out.Files, changed(d.OldPath, d.NewPath, d.Diff, d.NewFile, d.DeletedFile, d.RenamedFile))
	}
	return out, nil
}

func changed(from, to, diff string, added, removed, renamed bool) forge.Changed {
	c := forge.Changed{Path: to, Way: forge.Modified, Patch: diff, Additions: -1, Deleted: -1}
	switch {
	case added:
		c.Way = forge.Added
	case removed:
		c.Way, c.Path = forge.Removed, from
	case renamed:
		c.Way, c.OldPath = forge.Renamed, from
	}
	if diff != "" {
		c.Additions, c.Deleted = 0, 0
		for line := range strings.Lines(diff) {
			switch line[0] {
			case '+':
				c.Additions++
			case '-':
				c.Deleted++
			}
		}
	}
	return c
}

// Archive gives a gzip-compressed tar stream. It is not read at once: the caller closes it.
func (f *Forge) Archive(ctx context.Context, repository, rev string) (io.ReadCloser, error) {
	rev, err := checkAt(repository, rev)
	if err != nil {
		return nil, err
	}
	address := f.api.BaseURL().String() + "projects/" + gl.PathEscape(repository) + "/repository/archive.tar.gz?sha=" + url.QueryEscape(rev)
	r, err := http.NewRequestWithContext(forge.Streamed(ctx), http.MethodGet, address, nil)
	if err != nil {
		return nil, wrong(err)
	}
	r.Header.Set("User-Agent", f.api.UserAgent)
	answer, err := (&http.Client{Transport: f.transport}).Do(r)
	if err != nil {
		return nil, wrong(err)
	}
	return answer.Body, nil
}

func branch(b *gl.Branch) (forge.Branch, bool) {
	return forge.Branch{Name: b.Name, Commit: commit(b.Commit).Hash, Protected: b.Protected}, true
}

// ListBranches gives branches, by name.
func (f *Forge) ListBranches(ctx context.Context, repository string, part page.Request) (page.Of[forge.Branch], error) {
	if err := checkRepository(repository); err != nil {
		return page.Of[forge.Branch]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Branch, *gl.Response, error) {
		return f.api.Branches.ListBranches(repository, &gl.ListBranchesOptions{ListOptions: o}, gl.WithContext(ctx))
	}, branch)
}

func checkBranch(repository, name string) error {
	if err := checkRepository(repository); err != nil {
		return err
	}
	return git.CheckBranch(name)
}

// GetBranch gives one branch.
func (f *Forge) GetBranch(ctx context.Context, repository, name string) (forge.Branch, error) {
	if err := checkBranch(repository, name); err != nil {
		return forge.Branch{}, err
	}
	b, err := one(f.api.Branches.GetBranch(repository, name, gl.WithContext(ctx)))
	if err != nil {
		return forge.Branch{}, err
	}
	out, _ := branch(b)
	return out, nil
}

// CreateBranch makes a branch.
func (f *Forge) CreateBranch(ctx context.Context, repository, name, commit string) error {
	if err := checkBranch(repository, name); err != nil {
		return err
	}
	if !git.IsHash(commit) {
		return fault.Errorf(fault.Invalid, "%.100q is not a commit", commit)
	}
	_, err := one(f.api.Branches.CreateBranch(repository, &gl.CreateBranchOptions{Branch: &name, Ref: &commit}, gl.WithContext(ctx)))
	if fault.Is(err, fault.Invalid) && strings.Contains(err.Error(), "already exists") {
		return fault.Errorf(fault.Conflict, "%w", err)
	}
	return err
}

// DeleteBranch deletes a branch.
func (f *Forge) DeleteBranch(ctx context.Context, repository, name string) error {
	if err := checkBranch(repository, name); err != nil {
		return err
	}
	return done(f.api.Branches.DeleteBranch(repository, name, gl.WithContext(ctx)))
}

// ListTags gives tags, by name.
func (f *Forge) ListTags(ctx context.Context, repository string, part page.Request) (page.Of[forge.Tag], error) {
	if err := checkRepository(repository); err != nil {
		return page.Of[forge.Tag]{}, err
	}
	return list(part, func(o gl.ListOptions) ([]*gl.Tag, *gl.Response, error) {
		return f.api.Tags.ListTags(repository, &gl.ListTagsOptions{ListOptions: o, OrderBy: gl.Ptr("name"), Sort: gl.Ptr("asc")}, gl.WithContext(ctx))
	}, func(t *gl.Tag) (forge.Tag, bool) {
		return forge.Tag{Name: t.Name, Commit: commit(t.Commit).Hash, Message: t.Message}, true
	})
}
