package repository

import (
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
func (s *Service) at(ctx context.Context, fullName, rev string) (dir, commit string, err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return "", "", err
	}
	commit, err = s.resolve(ctx, r, rev)
	return s.folder(r.ID), commit, err
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
	_, commit, err = s.at(ctx, fullName, rev)
	return commit, err
}

// Refs gives branches, tags and notes by name, as the ledger knows them.
func (s *Service) Refs(ctx context.Context, fullName string) (refs []Ref, err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		refs, err = listRefs(ctx, tx, r.ID)
		return err
	})
	return refs, err
}

// ReadFile gives a file of at most limit bytes; see git.ReadFile for its errors.
func (s *Service) ReadFile(ctx context.Context, fullName, rev, path string, limit int64) ([]byte, error) {
	dir, commit, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	return s.git.ReadFile(ctx, dir, commit, path, limit)
}

// Tree lists a folder; see git.Tree.
func (s *Service) Tree(ctx context.Context, fullName, rev, path string) ([]git.TreeEntry, error) {
	dir, commit, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	return s.git.Tree(ctx, dir, commit, path)
}

// Log gives the history of a path, or of everything, the newest first; see git.Log. Its cursor keeps the commit that
// the first part began with, so that a push meanwhile moves nothing.
func (s *Service) Log(ctx context.Context, fullName, rev, path string, part page.Request) (page.Of[git.Commit], error) {
	var skip int64
	if part.Cursor != "" {
		start, after, _ := strings.Cut(part.Cursor, "+")
		var err error
		if skip, err = (page.Request{Cursor: after}).Number(); err != nil || !git.IsHash(start) || skip == 0 || skip > math.MaxInt32 {
			return page.Of[git.Commit]{}, fault.Errorf(fault.Invalid, "cursor %q is not one that a list gave", part.Cursor)
		}
		rev = start
	}
	dir, commit, err := s.at(ctx, fullName, rev)
	if err != nil {
		return page.Of[git.Commit]{}, err
	}
	commits, err := s.git.Log(ctx, dir, commit, path, int(skip), part.Window())
	return page.Cut(commits, part, func(git.Commit) string {
		return commit + "+" + strconv.FormatInt(skip+int64(part.Size()), 10)
	}), err
}

// Diff compares two commits; an empty from is the empty tree.
func (s *Service) Diff(ctx context.Context, fullName, from, to string, limits git.DiffLimits) (git.Diff, error) {
	dir, commit, err := s.at(ctx, fullName, to)
	if err != nil {
		return git.Diff{}, err
	}
	if from != "" && !git.IsHash(from) {
		if from, err = s.git.Resolve(ctx, dir, from); err != nil {
			return git.Diff{}, err
		}
	}
	return s.git.Diff(ctx, dir, from, commit, limits)
}

// Archive gives the files below subpath as a tar stream; see git.Archive.
func (s *Service) Archive(ctx context.Context, fullName, rev, subpath string) (io.ReadCloser, error) {
	dir, commit, err := s.at(ctx, fullName, rev)
	if err != nil {
		return nil, err
	}
	return s.git.Archive(ctx, dir, commit, subpath)
}
