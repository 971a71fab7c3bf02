package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/core/repository"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// UpdateRequest says how to bring a proposal's target into its source.
type UpdateRequest struct {
	Way  string // merge, or rebase: the source's commits are made anew
	Head string // that was looked at; "" for the head now
}

// Update brings a proposal's target into its source, as the caller. It needs repository:write; Conflict names the files
// that both changed, or tells that there is nothing to bring; Stale tells that the head moved since it was looked at.
func (s *Service) Update(ctx context.Context, repo string, number int, u UpdateRequest) (Detail, error) {
	r, p, err := s.find(ctx, repository.Write, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if u.Way != git.MergeCommit && u.Way != git.MergeRebase {
		return Detail{}, fault.Errorf(fault.Invalid, "%.100q is no way to update a branch; choose merge or rebase", u.Way)
	}
	if p, err = s.upToDate(ctx, r, p); err != nil {
		return Detail{}, err
	}
	switch {
	case p.State != Open:
		return Detail{}, fault.Errorf(fault.Conflict, "it is %s", p.State)
	case p.OfFork():
		return Detail{}, inThere(p, "changing its branch")
	case u.Head != "" && u.Head != p.Head:
		return Detail{}, stale(p)
	case p.Standing.Behind == 0:
		return s.detail(ctx, r, p) // as it was asked for
	case u.Way == git.MergeRebase && r.Protected && p.Source == r.DefaultBranch:
		return Detail{}, fault.Errorf(fault.Denied, "%s is the default branch of %s and protected: it can't be rewritten", p.Source, r.FullName())
	}
	if err := s.mayPush(ctx, r, git.Update{Ref: "refs/heads/" + p.Source, Old: p.Head, New: p.Base}); err != nil {
		return Detail{}, err
	}
	platform := s.Repositories.Platform()
	if u.Way == git.MergeRebase {
		_, err = platform.Rebase(ctx, r.FullName(), p.Source, p.Head, p.Base, p.Target, s.roadbed())
	} else {
		_, err = platform.Merge(ctx, r.FullName(), git.MergeRequest{
			Way: git.MergeCommit, Branch: p.Source, Target: p.Head, Source: p.Base, Author: s.signature(ctx), Committer: s.roadbed(),
			Message: fmt.Sprintf("Merge %s into %s", p.Target, p.Source),
		})
	}
	if err != nil {
		return Detail{}, err
	}
	if p, err = s.upToDate(ctx, r, p); err != nil {
		return Detail{}, err
	}
	return s.detail(ctx, r, p)
}

// revertNames bounds the branches that reverts of one proposal leave behind.
const revertNames = 20

// Revert opens a proposal that takes a merged one back, by one commit on a branch of its own, as the caller. It needs
// repository:write. Conflict when it was not merged, when what came later is in the way, which names the files, or when
// an open proposal reverts it already.
func (s *Service) Revert(ctx context.Context, repo string, number int) (Detail, error) {
	r, p, err := s.find(ctx, repository.Write, repo, number)
	if err != nil {
		return Detail{}, err
	}
	if p.State != Merged {
		return Detail{}, fault.Errorf(fault.Conflict, "it is %s; only what was merged can be reverted", p.State)
	}
	platform := s.Repositories.Platform()
	target, err := platform.Head(ctx, r.FullName(), p.Target)
	if err != nil {
		return Detail{}, fault.Wrap(err, "find the target")
	}
	before, after, err := s.brought(ctx, r, p)
	if err != nil {
		return Detail{}, err
	}
	trailer := "Reverts: " + Full(r.FullName(), p.Number)
	title := clip(fmt.Sprintf("Revert %q", p.Title), titleLimit)
	branch, made, err := s.revertBranch(ctx, r, p, target, trailer)
	if err != nil {
		return Detail{}, err
	}
	if !made {
		_, err = platform.Undo(ctx, r.FullName(), git.UndoRequest{
			Branch: branch, Onto: target, Before: before, After: after, Author: s.signature(ctx), Committer: s.roadbed(),
			Message: fmt.Sprintf("%s\n\nThis reverts what %s brought into %s.\n\n%s\n", title, Full(r.FullName(), p.Number), p.Target, trailer),
		})
		if err != nil {
			return Detail{}, err
		}
	}
	return s.Open(ctx, NewProposal{
		Repository: r.FullName(), Title: title, Body: fmt.Sprintf("Reverts #%d.", p.Number), Source: branch, Target: p.Target,
	})
}

// brought gives the two commits between which lies what a merged proposal changed in its target.
func (s *Service) brought(ctx context.Context, r repository.Repository, p Proposal) (before, after string, err error) {
	switch p.MergeWay {
	case git.MergeRebase: // it moved the target from there
		return p.Base, p.Merge, nil
	case mergedByPush: // with others' commits maybe
		if p.Standing.Base == "" {
			return "", "", fault.Errorf(fault.Conflict, "the two branches had nothing in common; take it back by hand")
		}
		return p.Standing.Base, p.Head, nil
	}
	parents, err := s.Repositories.Platform().Parents(ctx, r.FullName(), p.Merge)
	if err == nil && len(parents) == 0 {
		err = fault.Errorf(fault.Conflict, "the commit %.8s has no parent; take it back by hand", p.Merge)
	}
	if err != nil {
		return "", "", err
	}
	return parents[0], p.Merge, nil
}

// revertBranch gives the name of the branch of a revert, and whether it is there already, made by a try that ended before
// its proposal was opened.
func (s *Service) revertBranch(ctx context.Context, r repository.Repository, p Proposal, target, trailer string) (branch string, made bool, err error) {
	platform := s.Repositories.Platform()
	for i := 1; i <= revertNames; i++ {
		if branch = fmt.Sprintf("revert-%d", p.Number); i > 1 {
			branch = fmt.Sprintf("%s-%d", branch, i)
		}
		head, err := platform.Head(ctx, r.FullName(), branch)
		if fault.Is(err, fault.NotFound) {
			return branch, false, nil
		}
		if err != nil {
			return "", false, err
		}
		var open []Proposal
		err = s.DB.Read(ctx, func(tx *store.Tx) error {
			open, err = openOf(ctx, tx, r.ID, branch)
			return err
		})
		if err != nil {
			return "", false, err
		}
		if j := slices.IndexFunc(open, func(o Proposal) bool { return o.Source == branch && o.Target == p.Target }); j >= 0 {
			return "", false, fault.Errorf(fault.Conflict, "%s reverts it already", Full(r.FullName(), open[j].Number))
		}
		c, err := platform.CommitAt(ctx, r.FullName(), head)
		if err != nil {
			return "", false, err
		}
		if slices.Equal(c.Parents, []string{target}) && strings.HasSuffix(strings.TrimSpace(c.Message), "\n"+trailer) {
			return branch, true, nil
		}
	}
	return "", false, fault.Errorf(fault.Conflict, "%s has %d branches of reverts of it already; delete those that nobody needs", r.FullName(), revertNames)
}
