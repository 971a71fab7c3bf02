package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Delete removes a repository with everything in it. It needs repository:admin; who made it needs no more than
// repository:create, so that what went wrong half way can be undone.
func (s *Service) Delete(ctx context.Context, fullName string) error {
	return s.delete(ctx, fullName, func(Repository) error { return nil })
}

// DeleteUnchanged removes a repository as Delete does, if it is the one of that id (else NotFound) and all that is in
// it is what refs say: hashes by the names of references. Conflict, which names what else is there, otherwise.
func (s *Service) DeleteUnchanged(ctx context.Context, fullName, id string, refs map[string]string) error {
	return s.delete(ctx, fullName, func(r Repository) error {
		if r.ID != id {
			return access.NotFound("repository " + fullName)
		}
		actual, err := s.git.Refs(ctx, s.folder(r.ID))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		var others []string
		for _, name := range slices.Sorted(maps.Keys(actual)) {
			if refs[name] != actual[name] {
				others = append(others, fmt.Sprintf("%s at %.10s", name, actual[name]))
			}
		}
		if n := len(others); n > 10 {
			others = append(others[:10], fmt.Sprintf("%d more", n-10))
		}
		if len(others) > 0 {
			return fault.Errorf(fault.Conflict, "repository %s has what others pushed: %s", r.FullName(), strings.Join(others, ", "))
		}
		return nil
	})
}

// delete removes a repository that check lets go. The check is done under the repository's lock, so that nothing is
// pushed between it and the end.
func (s *Service) delete(ctx context.Context, fullName string, check func(r Repository) error) error {
	r, err := s.deletable(ctx, fullName)
	if err != nil {
		return err
	}
	drop := func() error {
		now, err := s.deletable(ctx, fullName) // under the lock, which a new name, a new space and settings take too
		if err != nil {
			return err
		}
		if now.ID != r.ID {
			return access.NotFound("repository " + fullName) // another one has its name
		}
		r = now
		if err := check(r); err != nil {
			return err
		}
		err = s.db.Write(ctx, func(tx *store.Tx) error {
			if _, err := byID(ctx, tx, r.ID); err != nil {
				return access.NotFound("repository " + fullName)
			}
			if err := keepFormer(ctx, tx, r); err != nil {
				return err
			}
			if err := remove(ctx, tx, r.ID); err != nil {
				return err
			}
			return s.tell(ctx, tx, "repository.deleted", r, map[string]string{"repository": r.FullName(), "head": r.Head})
		})
		if err != nil {
			return fault.Wrap(err, "delete repository %s", r.FullName())
		}
		s.expel(r.ID)
		if err := s.dropFolder(r.ID); err != nil {
			s.log.Error("remove the folder of a deleted repository; it is tried again later", "repository", r.ID, "error", err)
		}
		return nil
	}
	if _, err := os.Stat(s.folder(r.ID)); errors.Is(err, os.ErrNotExist) {
		return drop() // nothing to wait for
	}
	return s.locked(ctx, r.ID, func(*git.Git) error { return drop() })
}

// deletable gives a repository that the principal of ctx may delete.
func (s *Service) deletable(ctx context.Context, fullName string) (Repository, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return Repository{}, err
	}
	err = s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName())
	if err != nil && r.CreatedBy != "" && r.CreatedBy == actor.From(ctx).ID && s.access.AuthorizeObject(ctx, Make, r.Space, r.FullName()) == nil {
		return r, nil
	}
	return r, err
}

// serving gives the context in which a clone, fetch or push of a repository is served; call ended when it is over.
func (s *Service) serving(ctx context.Context, id string) (_ context.Context, ended func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.served[id] == nil {
		s.served[id] = map[*context.CancelCauseFunc]bool{}
	}
	s.served[id][&cancel] = true
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.served[id], &cancel); len(s.served[id]) == 0 {
			delete(s.served, id)
		}
	}
}

// expel ends what is being served of a repository that is no more.
func (s *Service) expel(id string) {
	gone := fault.Errorf(fault.NotFound, "the repository was deleted meanwhile")
	s.mu.Lock()
	defer s.mu.Unlock()
	for cancel := range s.served[id] {
		(*cancel)(gone)
	}
}
