package repository

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Rename gives a repository another address; see Update.
func (s *Service) Rename(ctx context.Context, fullName, newName string) (Repository, error) {
	return s.Update(ctx, fullName, Change{Name: &newName})
}

// Transfer moves a repository to another space, whose rights hold from then on; see Update.
func (s *Service) Transfer(ctx context.Context, fullName, space string) (Repository, error) {
	return s.Update(ctx, fullName, Change{Space: &space})
}

// Update changes settings, the space and the address of a repository: all of it with its entries, or nothing. It needs
// repository:admin, and for another space or address repository:create there. A new default branch need not exist yet.
// The old address is free at once for who made the repository, and for administrators of its space; Conflict when the
// new one is taken; Stale when the repository is not as c.IfMatch says.
func (s *Service) Update(ctx context.Context, fullName string, c Change) (Repository, error) {
	if err := c.check(); err != nil {
		return Repository{}, err
	}
	r, err := s.open(ctx, Manage, fullName)
	if err != nil {
		return Repository{}, err
	}
	if err := r.belongs(c); err != nil {
		return Repository{}, err
	}
	done, err := s.use(ctx, r) // its lock is in the folder
	if err != nil {
		return Repository{}, err
	}
	defer done()
	err = s.locked(ctx, r.ID, func(g *git.Git) error {
		old, err := s.open(ctx, Manage, fullName) // as it is now
		if err != nil {
			return err
		}
		steps := c.steps(old)
		if len(steps) == 0 {
			r = old
			return r.unchanged(c.IfMatch)
		}
		r = steps[len(steps)-1].after
		r.Updated = s.now()
		if err := s.mayMove(ctx, old, r); err != nil {
			return err
		}
		if err := s.change(ctx, old, r, steps, c.IfMatch); err != nil {
			return err
		}
		if r.DefaultBranch != old.DefaultBranch {
			// The row leads: after a crash here tidy makes HEAD follow it.
			if err := g.SetHead(context.WithoutCancel(ctx), s.folder(r.ID), r.DefaultBranch); err != nil {
				return err
			}
		}
		r, err = s.byID(ctx, r.ID)
		return err
	})
	return r, err
}

// check refuses what can't be, whatever the repository is like.
func (c *Change) check() error {
	if c.DefaultBranch != nil {
		if err := git.CheckBranch(*c.DefaultBranch); err != nil {
			return err
		}
	}
	if _, _, err := (Limits{}).change(c.Limits); err != nil {
		return err
	}
	if c.Name != nil {
		namespace, name, err := ParseName(*c.Name)
		if err != nil {
			return err
		}
		full := namespace + "/" + name
		c.Name = &full
	}
	if c.Description != nil {
		return checkDescription(*c.Description)
	}
	return nil
}

// step is one entry of a change, and what the repository is after it.
type step struct {
	kind  string
	after Repository
	data  any
}

// steps gives what a change does to a repository. A description, a branch and the like make an entry also when they are
// as they were: somebody said so.
func (c Change) steps(r Repository) (steps []step) {
	settings := map[string]any{"repository": r.FullName()}
	if c.Description != nil {
		r.Description = *c.Description
		settings["description"] = r.Description
	}
	if c.Protected != nil {
		r.Protected = *c.Protected
		settings["protected"] = r.Protected
	}
	if c.Archived != nil {
		r.Archived = *c.Archived
		settings["archived"] = r.Archived
	}
	if c.SecretCheck != nil {
		r.SecretCheck = *c.SecretCheck
		settings["secret_check"] = r.SecretCheck
	}
	if limits, changed, _ := r.Limits.change(c.Limits); changed { // check has read it
		r.Limits = limits
		settings["limits"] = map[string]int64{"push": r.Limits.Push, "file": r.Limits.File, "lfs_file": r.Limits.Object, "lfs": r.Limits.Large}
	}
	if c.DefaultBranch != nil {
		r.DefaultBranch = *c.DefaultBranch
		settings["default_branch"] = r.DefaultBranch
	}
	if len(settings) > 1 {
		steps = append(steps, step{"repository.changed", r, settings})
	}
	if c.Space != nil && *c.Space != r.Space {
		data := map[string]string{"repository": r.FullName(), "from": r.Space, "to": *c.Space}
		r.Space = *c.Space
		steps = append(steps, step{"repository.transferred", r, data})
	}
	if c.Name != nil && *c.Name != r.FullName() {
		data := map[string]string{"from": r.FullName(), "repository": *c.Name}
		r.Namespace, r.Name, _ = ParseName(*c.Name) // check has read it
		steps = append(steps, step{"repository.renamed", r, data})
	}
	return steps
}

// mayMove asks for the right to have a repository where it is to be, when that is not where it was.
func (s *Service) mayMove(ctx context.Context, old, r Repository) error {
	renamed := r.FullName() != old.FullName()
	if !renamed && r.Space == old.Space {
		return nil
	}
	if err := s.mayMake(ctx, r.Space, r.FullName()); err != nil {
		return err
	}
	if renamed {
		return s.checkFree(ctx, r.FullName())
	}
	return nil
}

// unchanged refuses with Stale to change a repository that is not as it was seen.
func (r Repository) unchanged(ifMatch string) error {
	return fault.IfMatch(ifMatch, r.Etag(), "repository "+r.FullName())
}

// change writes a changed row and the entries of the steps that led to it.
func (s *Service) change(ctx context.Context, old, r Repository, steps []step, ifMatch string) error {
	administers := s.access.AuthorizeObject(ctx, Manage, r.Space, r.FullName()) == nil
	return s.db.Write(ctx, func(tx *store.Tx) error {
		now, err := held(ctx, tx, r.ID)
		if err != nil {
			return err
		}
		if err := now.unchanged(ifMatch); err != nil {
			return err
		}
		if r.FullName() != old.FullName() {
			if err := s.checkFormer(ctx, tx, r, administers); err != nil {
				return err
			}
			if err := keepFormer(ctx, tx, old); err != nil {
				return err
			}
		}
		if err := update(ctx, tx, r); err != nil {
			return err
		}
		for _, one := range steps {
			var others []string
			if one.after.FullName() != old.FullName() {
				others = append(others, old.Subject())
			}
			if err := s.tell(ctx, tx, one.kind, one.after, one.data, others...); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkFree refuses a name that a repository has, or that is kept for a deleted one. Who may restore that one is told so.
func (s *Service) checkFree(ctx context.Context, fullName string) error {
	var r Repository
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = named(ctx, tx, fullName, "1 = 1")
		return err
	})
	switch {
	case fault.Is(err, fault.NotFound):
		return nil
	case err != nil:
		return err
	case r.gone() && s.mayDelete(ctx, r) == nil:
		return fault.Errorf(fault.Conflict, "the name %s is kept for a repository that was deleted, until %s; restore it with `roadbed repo restore %s`, or delete it for good with `roadbed repo delete %[1]s --now`",
			r.FullName(), r.Purge.UTC().Format("2006-01-02 15:04"), r.FullName())
	}
	return taken(r.FullName())
}
