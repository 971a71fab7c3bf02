package repository

import (
	"bytes"
	"context"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// at gives the folder of a repository that the principal may read, and the commit that rev names in it: a full hash, a
// branch, a tag, a full reference, or "" for the head of the default branch.
// What is read is there until done.
func (s *Service) at(ctx context.Context, fullName, rev string) (dir, commit string, done func(), err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return "", "", nil, err
	}
	return s.atOf(ctx, r, rev)
}

// atOf is at without rights.
func (s *Service) atOf(ctx context.Context, r Repository, rev string) (dir, commit string, done func(), err error) {
	if dir, done, err = s.reach(ctx, r, rev); err != nil {
		return "", "", nil, err
	}
	if commit, err = s.resolve(ctx, r, rev); err != nil {
		done()
	}
	return dir, commit, done, err
}

func (s *Service) resolve(ctx context.Context, r Repository, rev string) (string, error) {
	switch {
	case git.IsHash(rev):
		return rev, nil
	case rev == "" && r.Head == "":
		return "", fault.Errorf(fault.NotFound, "repository %s has nothing on its default branch %s yet; push to it", r.FullName(), r.DefaultBranch)
	case rev == "", rev == r.DefaultBranch && r.Head != "":
		return r.Head, nil
	}
	commit, err := s.git.Resolve(ctx, s.folder(r.ID), rev)
	return commit, fault.Wrap(err, "repository %s", r.FullName())
}

// Resolve gives the commit that rev names; see the package's readers: a full hash, a branch, a tag, a full reference, or
// "" for the head of the default branch. It needs repository:read, as all of these do.
func (s *Service) Resolve(ctx context.Context, fullName, rev string) (commit string, err error) {
	_, commit, done, err := s.at(ctx, fullName, rev)
	if err == nil {
		done()
	}
	return commit, err
}

// Refs gives branches, tags and notes by name, as the ledger knows them. One of which they were not all asked for is cloned first.
func (s *Service) Refs(ctx context.Context, fullName string) (refs []Ref, err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	if s.byAPI(r) && r.partial() {
		done, err := s.use(ctx, r)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		refs, err = listRefs(ctx, tx, r.ID)
		return err
	})
	return refs, err
}

// ReadFile gives a file of at most limit bytes; see git.ReadFile for its errors.
func (s *Service) ReadFile(ctx context.Context, fullName, rev, path string, limit int64) ([]byte, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.git.ReadFile(ctx, dir, commit, path, limit)
}

// Tree lists a folder; see git.Tree.
func (s *Service) Tree(ctx context.Context, fullName, rev, path string) ([]git.TreeEntry, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.git.Tree(ctx, dir, commit, path)
}

// Log gives the history of a path, or of everything; see History.
func (s *Service) Log(ctx context.Context, fullName, rev, path string, part page.Request) (page.Of[git.Commit], error) {
	list, err := s.History(ctx, fullName, rev, git.History{Path: path}, part)
	commits := make([]git.Commit, len(list.Items))
	for i, c := range list.Items {
		commits[i] = c.Commit
	}
	return page.Of[git.Commit]{Items: commits, Next: list.Next}, err
}

// History gives commits, the newest first; see git.History. Its cursor keeps the commit that the first part began with, so
// that a push meanwhile moves nothing. h.Without may be a branch, a tag or a commit.
func (s *Service) History(ctx context.Context, fullName, rev string, h git.History, part page.Request) (page.Of[git.PathCommit], error) {
	var list page.Of[git.PathCommit]
	start, skip, err := skipped(part)
	if err != nil {
		return list, err
	}
	if start != "" {
		rev = start
	}
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return list, err
	}
	defer done()
	if h.Without != "" && !git.IsHash(h.Without) {
		if h.Without, err = s.Resolve(ctx, fullName, h.Without); err != nil {
			return list, err
		}
	}
	h.Skip, h.Limit = skip, part.Window()
	commits, err := s.reader(ctx).History(ctx, dir, commit, h)
	return page.Cut(commits, part, func(git.PathCommit) string { return after(commit, skip+part.Size()) }), err
}

// skipped reads a cursor of a list of a commit's: the commit, and how many items of it were given.
func skipped(part page.Request) (commit string, n int, err error) {
	if part.Cursor == "" {
		return "", 0, nil
	}
	commit, rest, _ := strings.Cut(part.Cursor, "+")
	number, err := page.Request{Cursor: rest}.Number()
	if err != nil || !git.IsHash(commit) || number == 0 || number > math.MaxInt32 {
		return "", 0, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
	}
	return commit, int(number), nil
}

// after gives the cursor that skipped reads.
func after(commit string, n int) string { return commit + "+" + strconv.Itoa(n) }

// Commit gives one commit: a full hash or its beginning, a branch, a tag, or "" for the head of the default branch.
func (s *Service) Commit(ctx context.Context, fullName, rev string) (git.Commit, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return git.Commit{}, err
	}
	defer done()
	log, err := s.git.Log(ctx, dir, commit, "", 0, 1)
	if err == nil && len(log) == 0 {
		err = fault.Errorf(fault.NotFound, "the repository has no commit %s", commit)
	}
	if err != nil {
		return git.Commit{}, err
	}
	return log[0], nil
}

// Diff compares two commits; an empty from is the empty tree.
func (s *Service) Diff(ctx context.Context, fullName, from, to string, limits git.DiffLimits) (git.Diff, error) {
	dir, commit, done, err := s.at(ctx, fullName, to)
	if err != nil {
		return git.Diff{}, err
	}
	defer done()
	if from != "" && !git.IsHash(from) {
		if from, err = s.git.Resolve(ctx, dir, from); err != nil {
			return git.Diff{}, err
		}
	}
	return s.git.Diff(ctx, dir, from, commit, limits)
}

// Archive gives the files below subpath as a tar stream; see git.Archive.
func (s *Service) Archive(ctx context.Context, fullName, rev, subpath string) (io.ReadCloser, error) {
	dir, commit, done, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	stream, err := s.git.Archive(ctx, dir, commit, subpath)
	return until(stream, done, err)
}

// OpenFile opens a file of any size; see git.OpenFile. For a pointer of Git LFS it is the file that it stands for, when the
// repository has it; its hash is then its name there. It ends when the repository is deleted.
func (s *Service) OpenFile(ctx context.Context, fullName, rev, path string) (*git.Blob, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	dir, commit, done, err := s.atOf(ctx, r, rev)
	if err != nil {
		return nil, err
	}
	serving, served := s.serving(ctx, r.ID)
	ended := func() { served(); done() }
	file, err := s.reader(serving).OpenFile(serving, dir, commit, path)
	if err != nil {
		ended()
		return nil, err
	}
	file.ReadCloser = closing{file.ReadCloser, ended}
	if file.Size > git.PointerBytes {
		return file, nil
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, git.PointerBytes))
	if err != nil {
		return nil, err
	}
	p, ok, err := s.LargeAt(ctx, fullName, content)
	if err != nil {
		return nil, err
	}
	if !ok {
		return &git.Blob{ReadCloser: io.NopCloser(bytes.NewReader(content)), Hash: file.Hash, Size: file.Size}, nil
	}
	large, size, err := s.OpenLarge(ctx, fullName, p.OID)
	if err != nil {
		return nil, err
	}
	return &git.Blob{ReadCloser: large, Hash: p.OID, Size: size}, nil
}

// Download gives all files of a commit as a zip or tar.gz below a folder; see git.Download. It ends when the repository is
// deleted.
func (s *Service) Download(ctx context.Context, fullName, rev, format, folder string) (io.ReadCloser, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	dir, commit, done, err := s.atOf(ctx, r, rev)
	if err != nil {
		return nil, err
	}
	ctx, served := s.serving(ctx, r.ID)
	archive, err := s.reader(ctx).Download(ctx, dir, commit, format, folder)
	return until(archive, func() { served(); done() }, err)
}
