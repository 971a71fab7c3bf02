package repository

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
)

// Those who are told of a push ask the same of its commits within a moment, and each process of git that is not started
// then has it seen sooner. What is between commits never changes.
const (
	recentAnswers = 8    // that are kept, of each kind
	recentNames   = 2000 // of one of them; larger ones are not kept
)

// question names what was asked: the difference of two commits of a repository, or what is in a folder of one.
type question struct{ repository, commit, from string }

// recent keeps the last answers to questions. It is safe for concurrent use.
type recent[V any] struct {
	mu   sync.Mutex
	kept []answered[V] // the last one at the end
}

type answered[V any] struct {
	question question
	names    []V
}

func (r *recent[V]) find(q question) (names []V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.kept {
		if a.question == q {
			return a.names, true
		}
	}
	return nil, false
}

func (r *recent[V]) keep(q question, names []V) {
	if len(names) > recentNames || !git.IsHash(q.commit) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = slices.DeleteFunc(r.kept, func(a answered[V]) bool { return a.question == q })
	if len(r.kept) == recentAnswers {
		r.kept = slices.Delete(r.kept, 0, 1)
	}
	r.kept = append(r.kept, answered[V]{q, slices.Clone(names)})
}

// changedPaths is git.ChangedPaths in the folder of a repository.
func (s *Service) changedPaths(ctx context.Context, id, from, to string) ([]string, error) {
	q := question{repository: id, commit: to, from: from}
	if names, ok := s.changes.find(q); ok {
		return slices.Clone(names), nil
	}
	names, err := s.git.ChangedPaths(ctx, s.folder(id), from, to)
	if err == nil && git.IsHash(from) {
		s.changes.keep(q, names)
	}
	return names, err
}

// walk is git.Walk in the folder of a repository, but for a folder that is not there, which may have nothing in it.
func (s *Service) walk(ctx context.Context, id, commit, folder string, fn func(git.TreeEntry) error) error {
	return s.walkBy(id, commit, folder, fn, func(folder string, fn func(git.TreeEntry) error) error {
		return s.git.Walk(ctx, s.folder(id), commit, folder, fn)
	})
}

// walkBy is walk with what gives the entries when they are not known.
func (s *Service) walkBy(id, commit, folder string, fn func(git.TreeEntry) error, by func(folder string, fn func(git.TreeEntry) error) error) error {
	folder, err := git.CheckPath(folder)
	if err != nil {
		return err
	}
	for above := folder; ; above = upper(above) {
		all, ok := s.listings.find(question{repository: id, commit: commit, from: above})
		if !ok && above != "" {
			continue
		}
		if !ok {
			break
		}
		for _, e := range all {
			if folder != "" && !strings.HasPrefix(e.Path, folder+"/") {
				continue
			}
			if err := fn(e); err != nil {
				return err
			}
		}
		return nil
	}
	var all []git.TreeEntry
	err = by(folder, func(e git.TreeEntry) error {
		if len(all) <= recentNames {
			all = append(all, e)
		}
		return fn(e)
	})
	if err == nil {
		s.listings.keep(question{repository: id, commit: commit, from: folder}, all)
	}
	return err
}

// upper gives the folder that a folder is in; "" is the topmost.
func upper(folder string) string {
	if above := path.Dir(folder); above != "." {
		return above
	}
	return ""
}
