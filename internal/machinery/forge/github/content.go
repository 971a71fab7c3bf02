package github

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	gh "github.com/google/go-github/v75/github"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// Media types of what is asked for otherwise than as usual.
const (
	asObject = "application/vnd.github.object+json"
	asRaw    = "application/vnd.github.raw+json"
	asDiff   = "application/vnd.github.diff"
)

const (
	folderLimit = 1000 // entries of a folder that the contents API gives
	filesLimit  = 300  // files of a comparison that GitHub gives
)

// folder gives the tree of a folder: the contents API tells its name, the trees API all that is in it.
func (g *GitHub) folder(ctx context.Context, repository, rev, dir string, recursive bool) (*gh.Tree, error) {
	owner, repo, err := split(repository)
	if err != nil {
		return nil, err
	}
	found, err := g.look(ctx, repository, rev, dir)
	if err != nil {
		return nil, err
	}
	if found.Type != "dir" {
		return nil, fault.Errorf(fault.NotFound, "%s is not a folder in %s", dir, repository)
	}
	tree, _, err := g.api.Git.GetTree(ctx, owner, repo, found.SHA, recursive)
	return tree, told(err)
}

// object is what the contents API tells of a path.
type object struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	SHA     string   `json:"sha"`
	Size    int64    `json:"size"`
	Entries []object `json:"entries"`
}

func (g *GitHub) look(ctx context.Context, repository, rev, at string) (*object, error) {
	address := "repos/" + repository + "/contents/" + escape(at)
	if rev != "" {
		if _, err := checkRev(rev); err != nil {
			return nil, err
		}
		address += "?ref=" + url.QueryEscape(rev)
	}
	found := &object{}
	return found, g.get(ctx, address, asObject, found)
}

// checkPath takes the clean path of an entry.
func checkPath(at string) error {
	if clean, err := git.CheckPath(at); err != nil || clean != at || at == "" {
		return fault.Errorf(fault.Invalid, "%.100q is not the path of a file in a repository", at)
	}
	return nil
}

// ReadFile finds the entry in its folder and reads that: asked for by its path, GitHub follows a symbolic link.
func (g *GitHub) ReadFile(ctx context.Context, repository, rev, file string, limit int64) ([]byte, error) {
	owner, repo, err := split(repository)
	if err == nil {
		err = checkPath(file)
	}
	if err != nil {
		return nil, err
	}
	dir, name := path.Split(file)
	dir = strings.TrimSuffix(dir, "/")
	found, err := g.look(ctx, repository, rev, dir)
	if err != nil {
		return nil, err
	}
	if found.Type == "dir" && len(found.Entries) >= folderLimit { // it may not be all
		tree, _, err := g.api.Git.GetTree(ctx, owner, repo, found.SHA, false)
		if err != nil {
			return nil, told(err)
		}
		found.Entries = nil
		for _, e := range tree.Entries {
			kind := "file"
			if e.GetType() != "blob" {
				kind = "dir"
			}
			found.Entries = append(found.Entries, object{Type: kind, Name: e.GetPath(), SHA: e.GetSHA(), Size: int64(e.GetSize())})
		}
	}
	for _, e := range found.Entries {
		switch {
		case e.Name != name:
		case e.Type != "file" && e.Type != "symlink":
			return nil, fault.Errorf(fault.Invalid, "%s is not a file in %s", file, repository)
		case e.Size > limit:
			return nil, fault.Errorf(fault.TooLarge, "%s has %d bytes, more than the %d that are taken", file, e.Size, limit)
		default:
			text, err := g.text(ctx, "repos/"+repository+"/git/blobs/"+e.SHA, asRaw)
			if err == nil && int64(len(text)) > limit {
				err = fault.Errorf(fault.TooLarge, "%s has more than %d bytes", file, limit)
			}
			if err != nil {
				return nil, err
			}
			return text, nil
		}
	}
	return nil, fault.Errorf(fault.NotFound, "%s is not there in %s", file, repository)
}

// ListTree gives the entries of a folder.
func (g *GitHub) ListTree(ctx context.Context, repository, rev, dir string, recursive bool) (forge.Tree, error) {
	if dir != "" {
		if err := checkPath(dir); err != nil {
			return forge.Tree{}, err
		}
	}
	tree, err := g.folder(ctx, repository, rev, dir, recursive)
	if err != nil {
		return forge.Tree{}, err
	}
	out := forge.Tree{Cut: tree.GetTruncated()}
	for _, e := range tree.Entries {
		x := forge.Entry{Path: path.Join(dir, e.GetPath()), Hash: e.GetSHA(), Size: -1, Type: forge.TypeFile}
		switch {
		case e.GetMode() == "120000":
			x.Type = forge.TypeLink
		case e.GetType() == "tree":
			x.Type = forge.TypeFolder
		case e.GetType() == "commit":
			x.Type = forge.TypeProject
		}
		if e.Size != nil {
			x.Size = int64(*e.Size)
		}
		if !recursive || x.Type != forge.TypeFolder {
			out.Entries = append(out.Entries, x)
		}
	}
	return out, nil
}

// GetCommit gives one commit.
func (g *GitHub) GetCommit(ctx context.Context, repository, rev string) (forge.Commit, error) {
	if _, _, err := split(repository); err != nil {
		return forge.Commit{}, err
	}
	if rev == "" {
		rev = "HEAD"
	}
	at, err := checkRev(rev)
	if err != nil {
		return forge.Commit{}, err
	}
	c := &gh.RepositoryCommit{}
	err = g.get(ctx, "repos/"+repository+"/commits/"+at, "", c)
	if err != nil {
		return forge.Commit{}, as(err, fault.NotFound, http.StatusUnprocessableEntity, http.StatusConflict)
	}
	return commitOf(c), nil
}

func commitOf(c *gh.RepositoryCommit) forge.Commit {
	signature := func(a *gh.CommitAuthor) forge.Signature {
		return forge.Signature{Name: a.GetName(), Email: a.GetEmail(), When: a.GetDate().Time}
	}
	out := forge.Commit{
		Hash: c.GetSHA(), Message: c.GetCommit().GetMessage(), Author: signature(c.GetCommit().GetAuthor()),
		Committer: signature(c.GetCommit().GetCommitter()), AuthorLogin: c.GetAuthor().GetLogin(), URL: c.GetHTMLURL(),
	}
	for _, p := range c.Parents {
		out.Parents = append(out.Parents, p.GetSHA())
	}
	return out
}

// ListCommits gives no commits of an empty repository.
func (g *GitHub) ListCommits(ctx context.Context, repository, rev, file string, part page.Request) (page.Of[forge.Commit], error) {
	owner, repo, err := split(repository)
	if err == nil && rev != "" {
		_, err = checkRev(rev)
	}
	if err == nil && file != "" {
		err = checkPath(file)
	}
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	got, err := list(part, func(o gh.ListOptions) ([]*gh.RepositoryCommit, *gh.Response, error) {
		return g.api.Repositories.ListCommits(ctx, owner, repo, &gh.CommitsListOptions{SHA: rev, Path: file, ListOptions: o})
	}, commitOf)
	if forge.Status(err) == http.StatusConflict { // "Git Repository is empty."
		return page.Of[forge.Commit]{}, nil
	}
	return got, err
}

// Compare compares by three dots, as a proposal does.
func (g *GitHub) Compare(ctx context.Context, repository, base, head string) (forge.Comparison, error) {
	if _, _, err := split(repository); err != nil {
		return forge.Comparison{}, err
	}
	from, err := checkRev(base)
	if err != nil {
		return forge.Comparison{}, err
	}
	to, err := checkRev(head)
	if err != nil {
		return forge.Comparison{}, err
	}
	got := &gh.CommitsComparison{}
	if err := g.get(ctx, "repos/"+repository+"/compare/"+from+"..."+to, "", got); err != nil {
		return forge.Comparison{}, err
	}
	out := forge.Comparison{
		Base: got.GetMergeBaseCommit().GetSHA(), Head: got.GetMergeBaseCommit().GetSHA(), Ahead: got.GetAheadBy(), Behind: got.GetBehindBy(),
		Cut: len(got.Files) >= filesLimit,
	}
	for _, c := range got.Commits {
		out.Commits = append(out.Commits, commitOf(c))
		out.Head = c.GetSHA() // the last is the newest
	}
	for _, f := range got.Files {
		x := forge.Changed{Path: f.GetFilename(), Way: forge.Modified, Additions: f.GetAdditions(), Deleted: f.GetDeletions(), Patch: f.GetPatch()}
		switch f.GetStatus() {
		case "added", "copied":
			x.Way = forge.Added
		case "removed":
			x.Way = forge.Removed
		case "renamed":
			x.Way, x.OldPath = forge.Renamed, f.GetPreviousFilename()
		}
		out.Files = append(out.Files, x)
	}
	return out, nil
}

// Archive gives what GitHub packs, from wherever it leads.
func (g *GitHub) Archive(ctx context.Context, repository, rev string) (io.ReadCloser, error) {
	if _, _, err := split(repository); err != nil {
		return nil, err
	}
	if rev == "" {
		rev = "HEAD"
	}
	at, err := checkRev(rev)
	if err != nil {
		return nil, err
	}
	r, err := g.api.NewRequest(http.MethodGet, "repos/"+repository+"/tarball/"+at, nil)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%w", err)
	}
	answer, err := (&http.Client{Transport: g.transport}).Do(r.WithContext(forge.Streamed(ctx)))
	if err != nil {
		return nil, told(err)
	}
	return answer.Body, nil
}

// ListBranches gives all branches.
func (g *GitHub) ListBranches(ctx context.Context, repository string, part page.Request) (page.Of[forge.Branch], error) {
	owner, repo, err := split(repository)
	if err != nil {
		return page.Of[forge.Branch]{}, err
	}
	return list(part, func(o gh.ListOptions) ([]*gh.Branch, *gh.Response, error) {
		return g.api.Repositories.ListBranches(ctx, owner, repo, &gh.BranchListOptions{ListOptions: o})
	}, branchOf)
}

func branchOf(b *gh.Branch) forge.Branch {
	return forge.Branch{Name: b.GetName(), Commit: b.GetCommit().GetSHA(), Protected: b.GetProtected()}
}

// GetBranch does not follow a branch to its new name.
func (g *GitHub) GetBranch(ctx context.Context, repository, name string) (forge.Branch, error) {
	if _, _, err := split(repository); err != nil {
		return forge.Branch{}, err
	}
	if err := git.CheckBranch(name); err != nil {
		return forge.Branch{}, err
	}
	b := &gh.Branch{}
	if err := g.get(ctx, "repos/"+repository+"/branches/"+escape(name), "", b); err != nil {
		return forge.Branch{}, err
	}
	if b.GetName() != name {
		return forge.Branch{}, fault.Errorf(fault.NotFound, "the branch %s of %s is now called %s", name, repository, b.GetName())
	}
	return branchOf(b), nil
}

// CreateBranch makes a branch.
func (g *GitHub) CreateBranch(ctx context.Context, repository, name, commit string) error {
	owner, repo, err := split(repository)
	if err == nil {
		err = git.CheckBranch(name)
	}
	if err == nil {
		err = checkHash(commit)
	}
	if err != nil {
		return err
	}
	_, _, err = g.api.Git.CreateRef(ctx, owner, repo, gh.CreateRef{Ref: "refs/heads/" + name, SHA: commit})
	return taken(told(err))
}

// DeleteBranch deletes a branch.
func (g *GitHub) DeleteBranch(ctx context.Context, repository, name string) error {
	if _, _, err := split(repository); err != nil {
		return err
	}
	if err := git.CheckBranch(name); err != nil {
		return err
	}
	r, err := g.api.NewRequest(http.MethodDelete, "repos/"+repository+"/git/refs/heads/"+escape(name), nil)
	if err != nil {
		return fault.Errorf(fault.Invalid, "%w", err)
	}
	_, err = g.api.Do(ctx, r, nil)
	if err = told(err); err != nil && strings.Contains(err.Error(), "does not exist") {
		return as(err, fault.NotFound, http.StatusUnprocessableEntity)
	}
	return err
}

// ListTags gives tags without their messages.
func (g *GitHub) ListTags(ctx context.Context, repository string, part page.Request) (page.Of[forge.Tag], error) {
	owner, repo, err := split(repository)
	if err != nil {
		return page.Of[forge.Tag]{}, err
	}
	return list(part, func(o gh.ListOptions) ([]*gh.RepositoryTag, *gh.Response, error) {
		return g.api.Repositories.ListTags(ctx, owner, repo, &o)
	}, func(t *gh.RepositoryTag) forge.Tag {
		return forge.Tag{Name: t.GetName(), Commit: t.GetCommit().GetSHA()}
	})
}
