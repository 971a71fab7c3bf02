package repository

import (
	"context"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Compare gives what source changes since what it has in common with target, each a branch, a tag or a commit. It needs
// repository:read.
func (s *Service) Compare(ctx context.Context, fullName, target, source string, limits git.DiffLimits) (from, to string, standing git.Standing, d git.Diff, err error) {
	r, err := s.open(ctx, Read, fullName)
	if err != nil {
		return "", "", standing, d, err
	}
	err = s.reading(ctx, r, []string{target, source}, func(dir string) error {
		if to, err = s.resolve(ctx, r, source); err != nil {
			return err
		}
		base, err := s.resolve(ctx, r, target)
		if err != nil {
			return err
		}
		if standing, err = s.git.Standing(ctx, dir, base, to); err != nil {
			return err
		}
		d, err = s.git.Diff(ctx, dir, standing.Base, to, limits)
		return err
	})
	return standing.Base, to, standing, d, err
}

// RemoveBranch deletes a branch as the principal of ctx. It needs repository:write. Conflict for the default branch, and
// when a push comes at the same moment. ifMatch is for fault.IfMatch, with the commit that the branch is at.
func (s *Service) RemoveBranch(ctx context.Context, fullName, branch, ifMatch string) error {
	r, err := s.open(ctx, Write, fullName)
	if err != nil {
		return err
	}
	if err := git.CheckBranch(branch); err != nil {
		return err
	}
	done, err := s.use(ctx, r)
	if err != nil {
		return err
	}
	defer done()
	at, err := s.resolve(ctx, r, "refs/heads/"+branch)
	if err != nil {
		return err
	}
	if err := fault.IfMatch(ifMatch, at, "branch "+branch); err != nil {
		return err
	}
	if s.gate != nil {
		if err := s.gate(ctx, r, git.Update{Ref: "refs/heads/" + branch, Old: at, New: Zero}); err != nil {
			return err
		}
	}
	return s.Platform().DeleteBranch(ctx, r.FullName(), branch, at)
}

// Standing tells how a source stands to the target that it is to be brought into; see git.Standing.
func (p Platform) Standing(ctx context.Context, repository, target, source string) (standing git.Standing, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return standing, err
	}
	done, err := p.s.readByAPI(ctx, r, source, func(c *content) (err error) {
		standing, err = c.standing(ctx, target)
		return err
	})
	if done {
		return standing, err
	}
	err = p.s.reading(ctx, r, []string{target, source}, func(dir string) error {
		standing, err = p.s.git.Standing(ctx, dir, target, source)
		return err
	})
	return standing, err
}

// Merge brings a commit into a branch, as the principal of ctx: it is a push like another, and starts what a push
// starts. Errors are those of git.Merge.
func (p Platform) Merge(ctx context.Context, repository string, r git.MergeRequest) (commit string, err error) {
	found, err := p.s.find(ctx, repository)
	if err != nil {
		return "", err
	}
	err = p.s.moving(ctx, found, func(g *git.Git) error {
		commit, err = g.Merge(ctx, p.s.folder(found.ID), r)
		return err
	})
	return commit, fault.Wrap(err, "merge into %s of %s", r.Branch, found.FullName())
}

// Rebase makes the commits of a branch anew on another commit, as the principal of ctx; see git.Rebase.
func (p Platform) Rebase(ctx context.Context, repository, branch, head, target, onto string, by git.Signature) (commit string, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return "", err
	}
	err = p.s.moving(ctx, r, func(g *git.Git) error {
		commit, err = g.Rebase(ctx, p.s.folder(r.ID), branch, head, target, onto, by)
		return err
	})
	return commit, fault.Wrap(err, "rebase %s of %s", branch, r.FullName())
}

// Undo makes a branch that takes a change back, as the principal of ctx; see git.Undo.
func (p Platform) Undo(ctx context.Context, repository string, u git.UndoRequest) (commit string, err error) {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return "", err
	}
	err = p.s.moving(ctx, r, func(g *git.Git) error {
		commit, err = g.Undo(ctx, p.s.folder(r.ID), u)
		return err
	})
	return commit, fault.Wrap(err, "make the branch %s of %s", u.Branch, r.FullName())
}

// DeleteBranch deletes a branch that is at a commit, as the principal of ctx. Conflict when it is elsewhere, or the
// default branch.
func (p Platform) DeleteBranch(ctx context.Context, repository, branch, at string) error {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return err
	}
	if branch == r.DefaultBranch {
		return fault.Errorf(fault.Conflict, "%s is the default branch of %s", branch, r.FullName())
	}
	return fault.Wrap(p.s.moving(ctx, r, func(g *git.Git) error {
		return g.UpdateRef(ctx, p.s.folder(r.ID), "refs/heads/"+branch, at, "")
	}), "delete the branch %s of %s", branch, r.FullName())
}

// moving lets fn move references of a repository, in the name of the principal of ctx.
func (s *Service) moving(ctx context.Context, r Repository, fn func(g *git.Git) error) error {
	return s.movingAs(ctx, r, markOf(ctx, false), fn)
}

// movingAs is moving in the name of whom m says.
func (s *Service) movingAs(ctx context.Context, r Repository, m mark, fn func(g *git.Git) error) error {
	if r.Outside != nil {
		return s.outward(ctx, r, m, fn)
	}
	return s.locked(ctx, r.ID, func(g *git.Git) error {
		now, err := s.byID(ctx, r.ID)
		if err != nil {
			return err
		}
		if err := now.changeable(); err != nil {
			return err
		}
		if err := s.begin(ctx, r.ID, m); err != nil {
			return err
		}
		err = fn(g)
		// When this fails the mark stays: a record that is late is no reason for a person to move anything again. What the
		// platform does next goes by the ledger, and its next try finds what has moved.
		if late := s.finish(ctx, r.ID); err == nil && m.platform {
			return late
		}
		return err
	})
}

// Shown is what a proposal leads git's users to: refs/proposals/NUMBER/head and, where it can be merged, the merge that
// it would give, refs/proposals/NUMBER/merge.
type Shown struct {
	Number int
	Head   string
	Before string // the head before, which stays readable when Head does not descend from it; "" for none
	Target string // commit that Head is merged with; "" for no merge
	By     git.Signature
}

// Show makes the references of a proposal, whatever they led to before. What they lead to is kept whatever becomes of
// the branches.
func (p Platform) Show(ctx context.Context, repository string, shown Shown) error {
	r, err := p.s.find(ctx, repository)
	if err != nil {
		return err
	}
	number := strconv.Itoa(shown.Number)
	leads := map[string]string{git.ProposalPrefix + number + "/head": shown.Head, git.ProposalPrefix + number + "/merge": ""}
	release, err := p.s.use(ctx, r)
	if err != nil {
		return err
	}
	defer release()
	return fault.Wrap(p.s.locked(ctx, r.ID, func(g *git.Git) error {
		dir := p.s.folder(r.ID)
		if shown.Before != "" && shown.Before != shown.Head {
			if in, err := g.IsAncestor(ctx, dir, shown.Before, shown.Head); err != nil && !fault.Is(err, fault.NotFound) {
				return err
			} else if err == nil && !in {
				leads["refs/roadbed/proposals/"+number+"/"+shown.Before] = shown.Before
			}
		}
		if shown.Target != "" {
			trial, err := g.Trial(ctx, dir, shown.Target, shown.Head, shown.By, "Merge "+shown.Head+" into "+shown.Target)
			if err != nil {
				return err
			}
			leads[git.ProposalPrefix+number+"/merge"] = trial
		}
		return g.Keep(ctx, dir, leads)
	}), "show proposal %d of %s", shown.Number, r.FullName())
}

// Brings gives the commits that head has and base has not, the newest first, after the first skip of them.
func (p Platform) Brings(ctx context.Context, repository, base, head string, skip, limit int) (commits []git.Commit, err error) {
	err = p.at(ctx, repository, []string{base, head}, func(dir string) error {
		commits, err = p.s.git.Brings(ctx, dir, base, head, skip, limit)
		return err
	})
	return commits, err
}

// Gate decides, besides the repository's own rules, whether somebody may move a branch by a push: nil lets it through.
type Gate func(ctx context.Context, r Repository, u git.Update) error

// Guard has every push of a branch asked about.
func (s *Service) Guard(g Gate) { s.gate = g }
