package repository

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of an edit.
const (
	editFiles = 100
	editBytes = 5 << 20 // of all files
)

// FileEdit is what becomes of one file.
type FileEdit struct {
	Path    string
	Content []byte
	Mode    string // "" keeps what it has
	Delete  bool
	// Base is the blob that the editor saw: when the file is another one now, the edit is refused. "" means that there is
	// no file yet; nil takes whatever is there.
	Base *string
}

// Edit is a commit that somebody makes without a clone.
type Edit struct {
	Branch  string // "" for the default one
	From    string // a branch, tag or commit that Branch begins at, which must not exist then; "" for one that is there
	Message string
	Changes []FileEdit
}

func (e Edit) check() error {
	if len(e.Changes) == 0 || len(e.Changes) > editFiles {
		return fault.Errorf(fault.Invalid, "an edit changes 1 to %d files; push a larger one with git", editFiles)
	}
	total, seen := 0, map[string]bool{}
	for _, c := range e.Changes {
		clean, err := git.CheckPath(c.Path)
		if err != nil {
			return err
		}
		if clean == "" || clean != c.Path {
			return fault.Errorf(fault.Invalid, "%.200q is not the path of a file", c.Path)
		}
		if seen[c.Path] {
			return fault.Errorf(fault.Invalid, "%s is changed twice", c.Path)
		}
		seen[c.Path] = true
		if total += len(c.Content); total > editBytes {
			return fault.Errorf(fault.TooLarge, "an edit has at most %d bytes; push a larger one with git", editBytes)
		}
		if c.Base != nil && *c.Base != "" && !git.IsHash(*c.Base) {
			return fault.Errorf(fault.Invalid, "%s: the base is the hash of a file, or empty", c.Path)
		}
	}
	return nil
}

// Edit changes files of a branch as the principal of ctx, in one commit on its newest head, and gives that. It needs
// repository:write, and that the rules let the caller push there. It fails with fault.Conflict when a file is not what the
// editor saw, with a detail for each such file, and when a new branch exists already.
func (s *Service) Edit(ctx context.Context, fullName string, e Edit) (commit string, err error) {
	r, err := s.open(ctx, Write, fullName)
	if err != nil {
		return "", err
	}
	if err := e.check(); err != nil {
		return "", err
	}
	if e.Branch == "" {
		e.Branch = r.DefaultBranch
	}
	if err := git.CheckBranch(e.Branch); err != nil {
		return "", err
	}
	done, err := s.use(ctx, r)
	if err != nil {
		return "", err
	}
	defer done()
	for range 5 { // another push may come in between; what counts is that nobody touched these files
		var request git.CommitRequest
		if request, err = s.prepare(ctx, r, e); err != nil {
			return "", err
		}
		commit, err = s.commit(ctx, r, request, markOf(ctx, false))
		if fault.Is(err, fault.Conflict) && !request.New && !r.Archived {
			if now, again := s.resolve(ctx, r, "refs/heads/"+e.Branch); again == nil && now != request.Parent {
				continue
			}
		}
		if err == nil && commit == request.Parent {
			err = fault.Errorf(fault.Invalid, "the files are like this already, so that there is nothing to commit")
		}
		return commit, err
	}
	return "", err
}

// prepare makes the commit of an edit on the head that its branch has now.
func (s *Service) prepare(ctx context.Context, r Repository, e Edit) (git.CommitRequest, error) {
	request := git.CommitRequest{Branch: e.Branch, Message: e.Message}
	head, err := s.git.Resolve(ctx, s.folder(r.ID), "refs/heads/"+e.Branch)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return request, err
	case err == nil && e.From != "":
		return request, fault.Errorf(fault.Conflict, "%s has a branch %s already; choose another name", r.FullName(), e.Branch)
	case err == nil:
		request.Parent = head
	case e.From != "":
		if request.Parent, err = s.commitAt(ctx, r, e.From); err != nil {
			return request, err
		}
		request.New = true
	case r.Head != "" || e.Branch != r.DefaultBranch:
		return request, fault.Errorf(fault.NotFound, "%s has no branch %s; name what it is to begin at", r.FullName(), e.Branch)
	}
	there, err := s.entries(ctx, r, request.Parent, e.Changes)
	if err != nil {
		return request, err
	}
	var details []fault.Detail
	against := func(i int, format string, args ...any) {
		details = append(details, fault.Detail{Field: fmt.Sprintf("changes[%d]", i), Message: fmt.Sprintf(format, args...)})
	}
	for i, c := range e.Changes {
		now, exists := there[c.Path]
		for up := path.Dir(c.Path); up != "."; up = path.Dir(up) {
			if above, ok := there[up]; ok && above.Type != "tree" && !c.Delete {
				against(i, "%s is no folder, so that %s can't be in it", up, c.Path)
			}
		}
		switch {
		case exists && now.Type != "blob":
			against(i, "%s is a folder or a submodule", c.Path)
		case c.Delete && !exists:
			against(i, "%s is not there any more", c.Path)
		case c.Base != nil && *c.Base == "" && exists:
			against(i, "there is a file %s already", c.Path)
		case c.Base != nil && *c.Base != "" && !exists:
			against(i, "%s was deleted meanwhile", c.Path)
		case c.Base != nil && *c.Base != "" && now.Hash != *c.Base:
			against(i, "%s was changed meanwhile, and is %s now", c.Path, now.Hash)
		}
		mode := c.Mode
		if mode == "" && exists {
			mode = now.Mode
		}
		request.Changes = append(request.Changes, git.FileChange{Path: c.Path, Content: c.Content, Mode: mode, Delete: c.Delete})
	}
	if len(details) > 0 {
		err := &fault.Error{Kind: fault.Conflict, Message: "files of " + e.Branch + " are not what the edit began with; look at them again, then repeat it", Details: details}
		return request, err
	}
	return request, nil
}

// entries gives what is at the paths of an edit and of the folders above them.
func (s *Service) entries(ctx context.Context, r Repository, commit string, changes []FileEdit) (map[string]git.TreeEntry, error) {
	there := map[string]git.TreeEntry{}
	if commit == "" {
		return there, nil
	}
	levels := map[int][]string{} // a listing that is asked for a folder and for what is in it gives only one of them
	for _, c := range changes {
		for p := c.Path; p != "."; p = path.Dir(p) {
			depth := strings.Count(p, "/")
			if !slices.Contains(levels[depth], p) {
				levels[depth] = append(levels[depth], p)
			}
		}
	}
	for _, paths := range levels {
		found, err := s.git.Entries(ctx, s.folder(r.ID), commit, paths)
		if err != nil {
			return nil, err
		}
		for p, e := range found {
			there[p] = e
		}
	}
	return there, nil
}
