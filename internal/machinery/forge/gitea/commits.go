package gitea

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

const (
	mostCommits = 250     // of a comparison
	mostFiles   = 3000    // of a comparison
	diffLimit   = 8 << 20 // bytes of a comparison's patches
)

// GetCommit gives one.
func (f *Forge) GetCommit(ctx context.Context, repository, rev string) (forge.Commit, error) {
	hash, err := f.resolve(ctx, repository, rev)
	if err != nil {
		return forge.Commit{}, err
	}
	return f.commit(ctx, repository, hash)
}

// ListCommits gives commits from rev back.
func (f *Forge) ListCommits(ctx context.Context, repository, rev, of string, part page.Request) (page.Of[forge.Commit], error) {
	var none page.Of[forge.Commit]
	path, err := at(repository, "commits")
	if err != nil {
		return none, err
	}
	query := bare()
	if rev != "" {
		if err := checkRev(rev); err != nil {
			return none, err
		}
		query.Set("sha", rev)
	}
	if of != "" {
		if err := checkPath(of); err != nil {
			return none, err
		}
		query.Set("path", of)
	}
	got, err := f.history(ctx, part, pages(ctx, f, path, query, array[commit]))
	if forge.Status(err) == http.StatusConflict { // the repository is empty
		if rev == "" {
			return none, nil
		}
		return none, fault.Errorf(fault.NotFound, "%s is empty", repository)
	}
	return got, err
}

// history gives a part of commits, of which Gitea gives fewer at once than of other things, and of a file's as many as it
// likes, whatever is asked for: the first page tells how many.
func (f *Forge) history(ctx context.Context, part page.Request, read reader[commit]) (page.Of[forge.Commit], error) {
	most, err := f.pageSize(ctx)
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	first, total, err := read(1, most)
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	before, err := part.Number()
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	size := max(len(first), 1)
	got, err := forge.Numbered(page.Request{Cursor: part.Cursor, Limit: size}, size, func(number, _ int) ([]commit, bool, error) {
		items, err := first, error(nil)
		if number > 1 {
			items, total, err = read(number, most)
		}
		return items, more(number, size, len(items), total), err
	})
	if err != nil {
		return page.Of[forge.Commit]{}, err
	}
	out := page.Of[forge.Commit]{Next: got.Next}
	if len(got.Items) > part.Size() {
		got.Items, out.Next = got.Items[:part.Size()], strconv.FormatInt(before+int64(part.Size()), 10)
	}
	for _, c := range got.Items {
		out.Items = append(out.Items, c.commit())
	}
	return out, nil
}

// Compare tells how head differs from what it has in common with base. How far base is ahead is not told.
func (f *Forge) Compare(ctx context.Context, repository, base, head string) (forge.Comparison, error) {
	from, err := f.resolve(ctx, repository, base)
	if err != nil {
		return forge.Comparison{}, err
	}
	to, err := f.resolve(ctx, repository, head)
	if err != nil {
		return forge.Comparison{}, err
	}
	commits, err := f.between(ctx, repository, from, to, false)
	if err != nil {
		return forge.Comparison{}, err
	}
	out := forge.Comparison{Head: to, Ahead: len(commits), Behind: -1}
	if out.Base, err = f.common(ctx, repository, to, commits); err != nil {
		return forge.Comparison{}, err
	}
	if out.Base == from {
		out.Behind = 0
	}
	for _, c := range commits[:min(len(commits), mostCommits)] {
		out.Commits = append(out.Commits, c.commit())
	}
	slices.Reverse(out.Commits)
	if out.Files, err = f.changed(ctx, repository, from, to); err != nil {
		return forge.Comparison{}, err
	}
	if out.Files == nil && len(commits) > 0 {
		if out.Files, err = f.touched(ctx, repository, from, to); err != nil {
			return forge.Comparison{}, err
		}
	}
	if len(out.Files) > mostFiles {
		out.Files, out.Cut = out.Files[:mostFiles], true
	}
	return out, nil
}

// between gives the commits of head alone, the newest first.
func (f *Forge) between(ctx context.Context, repository, base, head string, files bool) ([]commit, error) {
	path, err := at(repository, "compare", base+"..."+head)
	if err != nil {
		return nil, err
	}
	query := bare()
	query.Set("files", strconv.FormatBool(files))
	var got struct {
		Commits []commit `json:"commits"`
	}
	err = unless(f.get(ctx, path, query, &got), func() error {
		for _, hash := range []string{base, head} {
			if _, err := f.commit(ctx, repository, hash); err != nil {
				return err
			}
		}
		return nil
	})
	return got.Commits, err
}

// common gives the commit that two have in common, from those of head alone: the one from which they began. Where they
// began more than once, because the other was merged in between, it is the beginning that has the others behind it.
func (f *Forge) common(ctx context.Context, repository, head string, alone []commit) (string, error) {
	if len(alone) == 0 {
		return head, nil
	}
	of := map[string]bool{}
	for _, c := range alone {
		of[c.SHA] = true
	}
	base := ""
	for _, c := range alone {
		for _, p := range c.Parents {
			if of[p.SHA] {
				continue
			}
			of[p.SHA] = true // looked at
			if base != "" {
				newer, err := f.between(ctx, repository, base, p.SHA, false)
				if err != nil {
					return "", err
				}
				if len(newer) == 0 {
					continue
				}
			}
			base = p.SHA
		}
	}
	return base, nil
}

// changed gives the files with their patches; nil when Gitea is too old to give them, or they are too large.
func (f *Forge) changed(ctx context.Context, repository, base, head string) ([]forge.Changed, error) {
	path, err := at(repository, "compare", base+"..."+head)
	if err != nil {
		return nil, err
	}
	text, err := f.bounded(ctx, "the comparison", path, url.Values{"output": {"diff"}}, diffLimit)
	switch {
	case fault.Is(err, fault.TooLarge), len(text) > 0 && text[0] == '{':
		return nil, nil
	case err != nil:
		return nil, err
	}
	return parseDiff(string(text)), nil
}

// touched gives the files that commits name, without lines and patches. One that came and went is among them.
func (f *Forge) touched(ctx context.Context, repository, base, head string) ([]forge.Changed, error) {
	commits, err := f.between(ctx, repository, base, head, true)
	if err != nil {
		return nil, err
	}
	ways := map[string]string{"added": forge.Added, "removed": forge.Removed, "deleted": forge.Removed}
	at := map[string]int{}
	var out []forge.Changed
	for _, c := range slices.Backward(commits) {
		for _, file := range c.Files {
			way := ways[file.Status]
			if way == "" {
				way = forge.Modified
			}
			i, known := at[file.Name]
			switch {
			case !known:
				at[file.Name] = len(out)
				out = append(out, forge.Changed{Path: file.Name, Way: way, Additions: -1, Deleted: -1})
			case out[i].Way != forge.Added || way == forge.Removed:
				out[i].Way = way
			}
		}
	}
	return out, nil
}
