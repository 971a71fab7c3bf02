package repository

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/catalog"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Platform is the repositories as other rooms of the platform see them: it asks for no right. Whoever uses it for a
// request of somebody asks first, with the space that SpaceOf gives.
type Platform struct{ s *Service }

// Platform gives the view without rights.
func (s *Service) Platform() Platform { return Platform{s} }

// Head gives the commit of a branch, or with "" of the default branch; a tag, a full reference and a hash will do too.
// It is the commit that the ledger knows. NotFound when there is none.
func (p Platform) Head(ctx context.Context, repository, branch string) (commit string, err error) {
	r, err := p.s.find(ctx, repository)
	if err == nil && p.s.byAPI(r) {
		if commit, err = p.s.commitByAPI(ctx, r, branch); !errors.Is(err, errGit) {
			return commit, err
		}
		err = nil
	}
	if err != nil || branch == "" {
		return p.resolved(ctx, r, branch, err)
	}
	name := branch
	if !strings.HasPrefix(name, "refs/") {
		name = "refs/heads/" + branch
	}
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		commit, err = refHash(ctx, tx, r.ID, name)
		return err
	})
	if err == nil && strings.HasPrefix(name, "refs/heads/") {
		return commit, nil
	}
	if err == nil || fault.Is(err, fault.NotFound) {
		return p.resolved(ctx, r, branch, nil) // a tag may point at another object than a commit
	}
	return "", err
}

func (p Platform) resolved(ctx context.Context, r Repository, rev string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var commit string
	err = p.s.atCommit(ctx, r, rev, func(_, found string) error {
		commit = found
		return nil
	})
	return commit, err
}

// SpaceOf gives the space that a repository belongs to.
func (p Platform) SpaceOf(ctx context.Context, repository string) (string, error) {
	r, err := p.s.find(ctx, repository)
	return r.Space, err
}

// Home gives where people look at the files of a repository.
func (p Platform) Home(ctx context.Context, repository string) (catalog.Home, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil || r.Outside == nil {
		return catalog.Home{Branch: r.DefaultBranch}, err
	}
	terms, err := p.s.outside.Forges.Terms(ctx, r.Outside.Integration)
	if fault.Is(err, fault.NotFound) {
		err = nil // the integration is gone; the mirror is still read
	}
	return catalog.Home{Forge: cmp.Or(terms.Forge, "github"), URL: r.Outside.URL, Branch: r.DefaultBranch}, err
}

// ByPage gives the connected repositories that have their page there, such as https://github.com/acme/shop: one for each
// integration through which it is connected, also one that had its page there and is the same repository at the forge. Where none
// has, it gives the former ones, which had it before they were renamed there.
func (p Platform) ByPage(ctx context.Context, page string) (names []string, former bool, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		names, former, err = byPage(ctx, tx, page)
		return err
	})
	return names, former, fault.Wrap(err, "look for the repository of %s", page)
}

// ByRemote gives the repository that is connected by an integration (NAMESPACE/NAME), by its id at the forge. NotFound when none
// is.
func (p Platform) ByRemote(ctx context.Context, integration, remoteID string) (r Repository, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = byRemote(ctx, tx, strings.ToLower(integration), remoteID, "")
		return err
	})
	return r, err
}

// Matches tells whether a path matches a pattern as that of Glob; false for a pattern that is none.
func Matches(pattern, file string) bool {
	if _, err := path.Match(pattern, ""); err != nil || strings.Count(pattern, "**") > 4 {
		return false
	}
	return match(strings.Split(pattern, "/"), strings.Split(file, "/"))
}

// ByID gives a repository, whatever it is called now.
func (p Platform) ByID(ctx context.Context, id string) (Repository, error) { return p.s.byID(ctx, id) }

// ByIDTx is ByID in the transaction of another room.
func (p Platform) ByIDTx(ctx context.Context, tx *store.Tx, id string) (Repository, error) {
	return byID(ctx, tx, id)
}

// GetTx gives a repository in the transaction of another room.
func (p Platform) GetTx(ctx context.Context, tx *store.Tx, repository string) (Repository, error) {
	return byName(ctx, tx, repository)
}

// Get gives a repository.
func (p Platform) Get(ctx context.Context, repository string) (Repository, error) {
	return p.s.find(ctx, repository)
}

// ReadFile gives a file of at most limit bytes; see git.ReadFile for its errors.
func (p Platform) ReadFile(ctx context.Context, repository, commit, file string, limit int64) (text []byte, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	done, err := p.s.readByAPI(ctx, r, commit, func(c *content) (err error) {
		text, err = c.read(ctx, file, limit)
		return err
	})
	if done {
		return text, err
	}
	err = p.s.atCommit(ctx, r, commit, func(dir, commit string) error {
		text, err = p.s.git.ReadFile(ctx, dir, commit, file, limit)
		return err
	})
	return text, err
}

// filesAtOnce is how many names of files are given at a time.
const filesAtOnce = 50_000

// Tree lists a folder of a commit; see git.Tree.
func (p Platform) Tree(ctx context.Context, repository, commit, folder string) (entries []git.TreeEntry, err error) {
	err = p.at(ctx, repository, []string{commit}, func(dir string) error {
		entries, err = p.s.git.Tree(ctx, dir, commit, folder)
		return err
	})
	return entries, err
}

// Diff compares two commits; see git.Diff.
func (p Platform) Diff(ctx context.Context, repository, from, to string, limits git.DiffLimits) (d git.Diff, err error) {
	err = p.at(ctx, repository, []string{from, to}, func(dir string) error {
		d, err = p.s.git.Diff(ctx, dir, from, to, limits)
		return err
	})
	return d, err
}

// Interdiff compares two states of a change that is to go into target; see git.Interdiff.
func (p Platform) Interdiff(ctx context.Context, repository, target, oldHead, newBase, newHead string, limits git.DiffLimits) (d git.Diff, err error) {
	err = p.at(ctx, repository, []string{target, oldHead, newBase, newHead}, func(dir string) error {
		d, err = p.s.git.Interdiff(ctx, dir, target, oldHead, newBase, newHead, limits)
		return err
	})
	return d, err
}

// ReadFiles reads many files of one commit; see git.ReadFiles. What it gives is not to be changed.
func (p Platform) ReadFiles(ctx context.Context, repository, commit string, files []string, limit int64) (found map[string][]byte, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	q := filesAsked(r, commit, files)
	if known, ok := p.s.recall.find(q); ok {
		for name, text := range known.(map[string][]byte) {
			if int64(len(text)) > limit {
				return nil, fault.Errorf(fault.TooLarge, "%s at %s has more than %d bytes", name, commit, limit)
			}
		}
		return maps.Clone(known.(map[string][]byte)), nil
	}
	err = p.readingOf(ctx, r, commit, func(c *content) (err error) {
		found, err = c.readAll(ctx, files, limit)
		return err
	}, func(dir string) error {
		found, err = p.s.git.ReadFiles(ctx, dir, commit, files, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	size := 0
	for name, text := range found {
		size += len(name) + len(text)
	}
	p.s.recall.keep(q, maps.Clone(found), size)
	return found, nil
}

// Files lists the files below a folder, with their paths from the root. Without such a folder there are none. It fails
// with fault.TooLarge when there are more than 50,000.
func (p Platform) Files(ctx context.Context, repository, commit, folder string) ([]string, error) {
	return p.files(ctx, repository, commit, folder, func(string) bool { return true })
}

// FilesIn lists the files in a folder itself, in order, as Files does those below it.
func (p Platform) FilesIn(ctx context.Context, repository, commit, folder string) (files []string, err error) {
	err = p.reading(ctx, repository, commit, func(c *content) error {
		files, err = c.filesIn(ctx, folder)
		return err
	}, func(dir string) error {
		entries, err := p.s.git.Tree(ctx, dir, commit, folder)
		files = paths(slices.DeleteFunc(entries, func(e git.TreeEntry) bool { return e.Type != "blob" }))
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	slices.Sort(files)
	return files, nil
}

// files is Files with those that are wanted.
func (p Platform) files(ctx context.Context, repository, commit, folder string, wanted func(file string) bool) ([]string, error) {
	entries, err := p.entries(ctx, repository, commit, folder, wanted)
	return paths(entries), err
}

func paths(entries []git.TreeEntry) []string {
	var files []string
	for _, e := range entries {
		files = append(files, e.Path)
	}
	return files
}

func (p Platform) entries(ctx context.Context, repository, commit, folder string, wanted func(file string) bool) ([]git.TreeEntry, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	var files []git.TreeEntry
	take := func(e git.TreeEntry) error {
		if e.Type != "blob" || !wanted(e.Path) {
			return nil
		}
		if len(files) == filesAtOnce {
			return fault.Errorf(fault.TooLarge, "there are more than %d files; name a folder further down", filesAtOnce)
		}
		files = append(files, e)
		return nil
	}
	done, err := p.s.readByAPI(ctx, r, commit, func(c *content) error { return c.walk(ctx, folder, take) })
	if !done {
		files = nil
		err = p.s.atCommit(ctx, r, commit, func(_, commit string) error { return p.s.walk(ctx, r.ID, commit, folder, take) })
	}
	switch {
	case fault.Is(err, fault.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return files, nil
}

// Glob lists the files that match a pattern: path.Match within a folder's name, ** for any folders. A path without any
// pattern matches itself, when it is there.
func (p Platform) Glob(ctx context.Context, repository, commit, pattern string) ([]string, error) {
	entries, err := p.Match(ctx, repository, commit, pattern)
	return paths(entries), err
}

// Match is Glob with the hash of each file.
func (p Platform) Match(ctx context.Context, repository, commit, pattern string) ([]git.TreeEntry, error) {
	pattern, err := git.CheckPath(pattern)
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(pattern, ""); err != nil || strings.Count(pattern, "**") > 4 {
		return nil, fault.Errorf(fault.Invalid, "%q is not a pattern of paths; write it like services/*/catalog-info.yaml or **/*.yaml", pattern)
	}
	if !strings.ContainsAny(pattern, patterned) {
		r, err := p.s.find(ctx, repository)
		if err != nil {
			return nil, err
		}
		var one []git.TreeEntry
		done, err := p.s.readByAPI(ctx, r, commit, func(c *content) (err error) {
			one, err = c.match(ctx, pattern)
			return err
		})
		if fault.Is(err, fault.NotFound) {
			err = nil // no commit
		}
		if done {
			return one, err
		}
	}
	parts := strings.Split(pattern, "/")
	if parts[len(parts)-1] == "**" {
		parts = append(parts, "*") // the folder itself is no file in it
	}
	return p.entries(ctx, repository, commit, fixed(pattern), func(file string) bool { return match(parts, strings.Split(file, "/")) })
}

// ReadSome reads files of a commit until together they have total bytes; see git.ReadSome.
func (p Platform) ReadSome(ctx context.Context, repository, commit string, files []string, limit, total int64) (some []git.Content, err error) {
	err = p.reading(ctx, repository, commit, func(c *content) (err error) {
		some, err = c.readSome(ctx, files, limit, total)
		return err
	}, func(dir string) error {
		some, err = p.s.git.ReadSome(ctx, dir, commit, files, limit, total)
		return err
	})
	return some, err
}

// Hashes gives the hashes of files of a commit; what is not there is left out.
func (p Platform) Hashes(ctx context.Context, repository, commit string, files []string) (hashes map[string]string, err error) {
	err = p.reading(ctx, repository, commit, func(c *content) (err error) {
		hashes, err = c.hashes(ctx, files)
		return err
	}, func(dir string) error {
		hashes, err = p.s.git.Hashes(ctx, dir, commit, files)
		return err
	})
	return hashes, err
}

// Heads gives the commits of all default branches, by NAMESPACE/NAME, as the ledger knows them. It reads no repository.
func (p Platform) Heads(ctx context.Context) (heads map[string]string, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		heads = map[string]string{}
		rows, err := tx.Query(ctx, `SELECT r.namespace || '/' || r.name, h.hash FROM repositories r
			JOIN repository_refs h ON h.repository = r.id AND h.name = 'refs/heads/' || r.default_branch WHERE r.deleted = 0`)
		_, err = store.Collect(rows, err, func(r store.Row) (struct{}, error) {
			var name, hash string
			err := r.Scan(&name, &hash)
			heads[name] = hash
			return struct{}{}, err
		})
		return err
	})
	return heads, fault.Wrap(err, "read the heads of all repositories")
}

// HeadsOf gives the commits of branches, each with its NAMESPACE/NAME, as the ledger knows them; what is no branch is left out. It
// reads no repository.
func (p Platform) HeadsOf(ctx context.Context, branches [][2]string) (heads map[[2]string]string, err error) {
	heads = make(map[[2]string]string, len(branches))
	const atOnce = 500
	for part := range slices.Chunk(branches, atOnce) {
		marks, args := make([]string, len(part)), make([]any, 0, 3*len(part))
		for i, b := range part {
			namespace, name, _ := strings.Cut(b[0], "/")
			args = append(args, namespace, name, "refs/heads/"+b[1])
			marks[i] = fmt.Sprintf("($%d, $%d, $%d)", 3*i+1, 3*i+2, 3*i+3)
		}
		err = p.s.db.Read(ctx, func(tx *store.Tx) error {
			rows, err := tx.Query(ctx, `WITH wanted (namespace, name, ref) AS (VALUES `+strings.Join(marks, ", ")+`)
				SELECT DISTINCT w.namespace || '/' || w.name, w.ref, h.hash FROM wanted w JOIN repositories r ON r.namespace = w.namespace AND r.name = w.name
				JOIN repository_refs h ON h.repository = r.id AND h.name = w.ref WHERE r.deleted = 0`, args...)
			_, err = store.Collect(rows, err, func(r store.Row) (none struct{}, err error) {
				var name, branch, hash string
				err = r.Scan(&name, &branch, &hash)
				heads[[2]string{name, strings.TrimPrefix(branch, "refs/heads/")}] = hash
				return none, err
			})
			return err
		})
		if err != nil {
			return nil, fault.Wrap(err, "read the heads of branches")
		}
	}
	return heads, nil
}

// patterned are the characters that make a pattern of a path.
const patterned = `*?[\`

// fixed gives the folder that every match of a pattern lies in.
func fixed(pattern string) string {
	folder := path.Dir(pattern)
	if i := strings.IndexAny(pattern, patterned); i >= 0 {
		folder = path.Dir(pattern[:i] + "x")
	}
	if folder == "." {
		return ""
	}
	return folder
}

// match tells whether a path matches a sound pattern, both in parts. What the last ** stands for is all that is ever
// tried again, so that it ends soon however deep the path is.
func match(pattern, name []string) bool {
	p, n := 0, 0
	again, from := -1, 0 // the pattern after the last **, and the first part that it has not been tried at
	for n < len(name) {
		if p < len(pattern) && pattern[p] == "**" {
			p++
			again, from = p, n+1
			continue
		}
		if p < len(pattern) {
			if ok, err := path.Match(pattern[p], name[n]); ok && err == nil {
				p, n = p+1, n+1
				continue
			}
		}
		if again < 0 {
			return false
		}
		p, n = again, from
		from++
	}
	return p == len(pattern)
}

// ChangedPaths gives the paths that differ between two commits; from may be empty or Zero. It fails with fault.TooLarge
// when there are too many: take everything as changed then.
func (p Platform) ChangedPaths(ctx context.Context, repository, from, to string) (paths []string, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	done, err := p.s.readByAPI(ctx, r, to, func(c *content) (err error) {
		paths, err = c.changed(ctx, from)
		return err
	})
	if done {
		return paths, err
	}
	err = p.s.reading(ctx, r, []string{from, to}, func(string) error {
		paths, err = p.s.changedPaths(ctx, r.ID, from, to)
		return err
	})
	return paths, err
}

// reading runs byAPI where a repository is read so, and byGit in its folder otherwise.
func (p Platform) reading(ctx context.Context, repository, commit string, byAPI func(c *content) error, byGit func(dir string) error) error {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return err
	}
	return p.readingOf(ctx, r, commit, byAPI, byGit)
}

func (p Platform) readingOf(ctx context.Context, r Repository, commit string, byAPI func(c *content) error, byGit func(dir string) error) error {
	if done, err := p.s.readByAPI(ctx, r, commit, byAPI); done {
		return err
	}
	return p.s.reading(ctx, r, []string{commit}, byGit)
}

// at runs fn, which reads revisions, in the folder of a repository.
func (p Platform) at(ctx context.Context, repository string, revisions []string, fn func(dir string) error) error {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return err
	}
	return p.s.reading(ctx, r, revisions, fn)
}

// CommitAt gives one commit.
func (p Platform) CommitAt(ctx context.Context, repository, commit string) (git.Commit, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return git.Commit{}, err
	}
	q := commitAsked(r, commit)
	if known, ok := p.s.recall.find(q); ok {
		c := known.(git.Commit)
		c.Parents = slices.Clone(c.Parents)
		return c, nil
	}
	log, err := p.commits(ctx, r, commit, 1)
	if err == nil && len(log) == 0 {
		err = fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	if err != nil {
		return git.Commit{}, err
	}
	kept := log[0]
	kept.Parents = slices.Clone(kept.Parents)
	p.s.recall.keep(q, kept, len(kept.Message)+50*len(kept.Parents)+500)
	return log[0], nil
}

// Commits gives up to limit commits from one back, the newest first.
func (p Platform) Commits(ctx context.Context, repository, commit string, limit int) (commits []git.Commit, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	return p.commits(ctx, r, commit, limit)
}

func (p Platform) commits(ctx context.Context, r Repository, commit string, limit int) (commits []git.Commit, err error) {
	err = p.s.reading(ctx, r, []string{commit}, func(dir string) error {
		commits, err = p.s.git.Log(ctx, dir, commit, "", 0, limit)
		return err
	})
	return commits, err
}

// Parents gives the parents of a commit.
func (p Platform) Parents(ctx context.Context, repository, commit string) ([]string, error) {
	log, err := p.Commits(ctx, repository, commit, 1)
	if err != nil || len(log) == 0 {
		return nil, err
	}
	return log[0].Parents, nil
}

// IsAncestor tells whether a commit has ancestor among its ancestors, or is it.
func (p Platform) IsAncestor(ctx context.Context, repository, ancestor, commit string) (is bool, err error) {
	err = p.at(ctx, repository, []string{ancestor, commit}, func(dir string) error {
		is, err = p.s.git.IsAncestor(ctx, dir, ancestor, commit)
		return err
	})
	return is, err
}

// IsPlatformCommit tells whether the platform itself pushed a commit as the head of a branch.
func (p Platform) IsPlatformCommit(ctx context.Context, repository, commit string) (is bool, err error) {
	err = p.s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := byName(ctx, tx, repository)
		if err == nil {
			is, err = isPlatformCommit(ctx, tx, r.ID, commit)
		}
		return err
	})
	return is, err
}

// ArchiveAt gives the files of a commit below subpath as a tar stream; see git.Archive.
func (p Platform) ArchiveAt(ctx context.Context, repository, commit, subpath string) (io.ReadCloser, error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return nil, err
	}
	q := archiveAsked(r, commit, subpath)
	if known, ok := p.s.recall.find(q); ok {
		return io.NopCloser(bytes.NewReader(known.([]byte))), nil
	}
	dir, commit, done, err := p.s.atOf(ctx, r, commit)
	if err != nil {
		return nil, err
	}
	stream, err := p.s.git.Archive(ctx, dir, commit, subpath)
	if stream, err = until(stream, done, err); err != nil {
		return nil, err
	}
	return &recording{ReadCloser: stream, whole: func(content []byte) { p.s.recall.keep(q, content, len(content)) }}, nil
}

// Commit commits as the platform itself: its push is marked as such, so that it starts no pipeline. The ledger names
// the principal of ctx, or the platform when there is none, and it knows of the commit when this succeeds. It fails with
// fault.Conflict when the branch has moved.
func (p Platform) Commit(ctx context.Context, repository string, r git.CommitRequest) (commit string, err error) {
	found, err := p.s.find(ctx, repository)
	if err != nil {
		return "", err
	}
	if actor.From(ctx).Kind == actor.Anonymous {
		ctx = actor.AsSystem(ctx)
	}
	return p.s.commit(ctx, found, r, markOf(ctx, true))
}
