package repository

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// DefaultGrace is how long a deleted repository is kept when nothing else is said.
const DefaultGrace = 7 * 24 * time.Hour

// Grace has deleted repositories kept for a time in which they can be restored; with 0 they are removed at once.
func (s *Service) Grace(d time.Duration) { s.grace = d }

// Delete hides a repository: it is not found any more, its name is kept for it, and after the grace it is removed for
// good. One that lives at a forge is disconnected: nothing changes there, so that nothing is kept here. It needs
// repository:admin; who made it needs no more than repository:create, so that what went wrong half way can
// be undone.
func (s *Service) Delete(ctx context.Context, fullName string) error {
	return s.DeleteSeen(ctx, fullName, "")
}

// DeleteSeen is Delete of a repository that is as it was seen: ifMatch is for fault.IfMatch.
func (s *Service) DeleteSeen(ctx context.Context, fullName, ifMatch string) error {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return err
	}
	return s.delete(ctx, fullName, s.grace <= 0 || r.Outside != nil, ifMatch, nil)
}

// Purge removes a repository with everything in it for good, also one that was deleted before. It needs repository:admin.
func (s *Service) Purge(ctx context.Context, fullName string) error {
	return s.PurgeSeen(ctx, fullName, "")
}

// PurgeSeen is Purge of a repository that is as it was seen: ifMatch is for fault.IfMatch.
func (s *Service) PurgeSeen(ctx context.Context, fullName, ifMatch string) error {
	_, err := s.open(ctx, Manage, fullName)
	if err == nil {
		return s.delete(ctx, fullName, true, ifMatch, func(now Repository) error {
			return s.access.AuthorizeObject(ctx, Manage, now.Space, now.FullName())
		})
	}
	if !fault.Is(err, fault.NotFound) {
		return err
	}
	r, err := s.deleted(ctx, fullName)
	if err != nil {
		return err
	}
	if err := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName()); err != nil {
		return err
	}
	return s.purge(ctx, r.ID, ifMatch)
}

// DeleteUnchanged removes a repository at once and for good, if it is the one of that id (else NotFound) and all that is
// in it is what refs say: hashes by the names of references. Conflict, which names what else is there, otherwise. It
// needs the rights that Delete needs.
func (s *Service) DeleteUnchanged(ctx context.Context, fullName, id string, refs map[string]string) error {
	return s.delete(ctx, fullName, true, "", func(r Repository) error {
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

// delete hides a repository that check lets go, or removes it for good. The check is done under the repository's lock, so
// that nothing is pushed between it and the end.
func (s *Service) delete(ctx context.Context, fullName string, forGood bool, ifMatch string, check func(r Repository) error) error {
	r, err := s.deletable(ctx, fullName)
	if err != nil {
		return err
	}
	return s.emptied(ctx, r.ID, func() error {
		now, err := s.deletable(ctx, fullName) // under the lock, which a new name, a new space and settings take too
		if err != nil {
			return err
		}
		if now.ID != r.ID {
			return access.NotFound("repository " + fullName) // another one has its name
		}
		if check != nil {
			if err := check(now); err != nil {
				return err
			}
		}
		// What was pushed is told before the end is.
		if settled, err := s.isSettled(ctx, now.ID); err == nil && !settled {
			_ = s.settle(ctx, now.ID)
		}
		if err := s.db.Write(ctx, func(tx *store.Tx) error { return s.hide(ctx, tx, now.ID, forGood, ifMatch) }); err != nil {
			return fault.Wrap(err, "delete repository %s", now.FullName())
		}
		s.expel(now.ID)
		if forGood {
			s.sweepAway(ctx, now.ID)
		}
		return nil
	})
}

// hide writes that a repository is deleted, and with forGood that nothing is left of it.
func (s *Service) hide(ctx context.Context, tx *store.Tx, id string, forGood bool, ifMatch string) error {
	r, err := held(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := r.unchanged(ifMatch); err != nil {
		return err
	}
	at := s.now()
	data := map[string]any{"repository": r.FullName(), "head": r.Head}
	if !forGood {
		data["purge"] = at.Add(s.grace).UTC()
	}
	if err := setDeleted(ctx, tx, id, at, actor.From(ctx).ID, at.Add(s.grace)); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, "repository.deleted", r, data); err != nil || !forGood {
		return err
	}
	return s.erase(ctx, tx, r)
}

// erase removes the row of a repository, and all that is kept of it here.
func (s *Service) erase(ctx context.Context, tx *store.Tx, r Repository) error {
	if err := keepFormer(ctx, tx, r); err != nil {
		return err
	}
	if err := remove(ctx, tx, r.ID); err != nil {
		return err
	}
	return s.tell(ctx, tx, "repository.purged", r, map[string]string{"repository": r.FullName()})
}

// purge removes a deleted repository for good. Its row goes first, for one that says that the folder is to go: what a crash
// leaves of that goes when the server starts.
func (s *Service) purge(ctx context.Context, id, ifMatch string) error {
	return s.emptied(ctx, id, func() error {
		err := s.db.Write(ctx, func(tx *store.Tx) error {
			r, err := rowByID(ctx, tx, id)
			if err != nil || !r.gone() { // restored meanwhile
				return err
			}
			if err := r.unchanged(ifMatch); err != nil {
				return err
			}
			return s.erase(ctx, tx, r)
		})
		if err != nil {
			return fault.Wrap(err, "remove a deleted repository")
		}
		if _, err := s.rowByID(ctx, id); fault.Is(err, fault.NotFound) {
			s.sweepAway(ctx, id)
		}
		return nil
	})
}

// purgeDue removes the deleted repositories whose time is over, and what a crash has left of earlier ones.
func (s *Service) purgeDue(ctx context.Context) {
	var ids, swept []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if ids, err = dueIDs(ctx, tx, s.now()); err == nil {
			swept, err = purgedIDs(ctx, tx)
		}
		return err
	})
	for _, id := range swept {
		err = errors.Join(err, s.sweep(ctx, id))
	}
	for _, id := range ids {
		within, cancel := context.WithTimeout(ctx, recordAtStart)
		one := s.purge(within, id, "")
		cancel()
		if one != nil && !fault.Is(one, fault.NotFound) {
			err = errors.Join(err, one)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Error("remove deleted repositories; it is tried again", "error", err)
	}
}

// Restore brings a deleted repository back as it was. It needs the rights that Delete needs. Whoever may not read it
// learns nothing of it.
func (s *Service) Restore(ctx context.Context, fullName string) (Repository, error) {
	r, err := s.deleted(ctx, fullName)
	if err != nil {
		return Repository{}, err
	}
	if err := s.mayDelete(ctx, r); err != nil {
		return Repository{}, err
	}
	err = s.locked(ctx, r.ID, func(*git.Git) error {
		return s.db.Write(ctx, func(tx *store.Tx) error {
			now, err := rowByID(ctx, tx, r.ID)
			if err != nil || !now.gone() { // removed for good, or somebody else was faster
				return err
			}
			if err := setDeleted(ctx, tx, r.ID, time.Time{}, "", time.Time{}); err != nil {
				return err
			}
			return s.tell(ctx, tx, "repository.restored", now, map[string]string{"repository": now.FullName(), "head": now.Head})
		})
	})
	if err != nil {
		return Repository{}, fault.Wrap(err, "restore repository %s", r.FullName())
	}
	s.poke() // what was not recorded when it was deleted
	s.exchanges.poke()
	return s.byID(ctx, r.ID)
}

// deleted gives a repository that was deleted and that the principal of ctx might read.
func (s *Service) deleted(ctx context.Context, fullName string) (r Repository, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err = deletedByName(ctx, tx, fullName)
		return err
	})
	if err == nil && s.access.AuthorizeObject(ctx, Read, r.Space, r.FullName()) == nil {
		return r, nil
	}
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Repository{}, err
	}
	if actor.From(ctx).Kind == actor.Anonymous {
		return Repository{}, s.access.Authorize(ctx, Manage, "") // says that nobody is signed in
	}
	return Repository{}, fault.Errorf(fault.NotFound, "there is no deleted repository %s; `roadbed repo list --deleted` shows them", fullName)
}

// emptied runs fn under the lock of a repository, or without it when there is no folder, and so nothing to wait for.
func (s *Service) emptied(ctx context.Context, id string, fn func() error) error {
	if _, err := os.Stat(s.folder(id)); errors.Is(err, os.ErrNotExist) {
		return fn()
	}
	return s.locked(ctx, id, func(*git.Git) error { return fn() })
}

// sweepAway removes the folder of a repository that is in the database no more, and whose lock is held.
func (s *Service) sweepAway(ctx context.Context, id string) {
	if err := s.swept(context.WithoutCancel(ctx), id); err != nil {
		s.log.Error("remove the folder of a deleted repository; it is tried again", "repository", id, "error", err)
	}
}

func (s *Service) swept(ctx context.Context, id string) error {
	if err := s.dropFolder(id); err != nil {
		return err
	}
	return fault.Wrap(s.db.Write(ctx, func(tx *store.Tx) error { return setSwept(ctx, tx, id) }), "note that a repository is gone")
}

// sweep removes what is left of the folder of a repository that was removed for good; one of the same id that was made
// since has nothing to fear.
func (s *Service) sweep(ctx context.Context, id string) error {
	leave, err := s.locks.enter(ctx, id)
	if err != nil {
		return err
	}
	defer leave()
	left := false
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		left, err = isPurged(ctx, tx, id)
		return err
	})
	if err != nil || !left {
		return err
	}
	return s.swept(ctx, id)
}

// deletable gives a repository that the principal of ctx may delete.
func (s *Service) deletable(ctx context.Context, fullName string) (Repository, error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return Repository{}, err
	}
	return r, s.mayDelete(ctx, r)
}

// mayDelete asks for the right to delete a repository, or to restore it.
func (s *Service) mayDelete(ctx context.Context, r Repository) error {
	err := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName())
	if err != nil && r.CreatedBy != "" && r.CreatedBy == actor.From(ctx).ID && s.access.AuthorizeObject(ctx, Make, r.Space, r.FullName()) == nil {
		return nil
	}
	return err
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
