package server

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/product/proposal"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// proposalFacts tells the room of stacks what push policies see of proposals.
type proposalFacts struct{ h *House }

func (f proposalFacts) ProposalFacts(ctx context.Context, repository string, number int) (stack.ProposalFacts, error) {
	d, err := f.h.Proposals.Get(actor.AsSystem(ctx), repository, number)
	if err != nil {
		return stack.ProposalFacts{}, err
	}
	approved := false
	for _, r := range d.Reviews {
		if r.Head == d.Head {
			approved = approved || r.Verdict == proposal.Approved
		}
	}
	ref, fork := "refs/heads/"+d.Source, false
	var labels []string
	if d.There != nil {
		labels = d.There.Labels
		if fork = d.OfFork(); fork {
			ref = d.There.Ref
		}
	}
	merge := ""
	if d.State == proposal.Merged {
		merge = d.Merge
	}
	return stack.ProposalFacts{
		Common: d.Standing.Base, Merge: merge, Ref: ref, Fork: fork,
		Labels: labels,
		Title:  d.Title, Author: d.Author, Source: d.Source, Target: d.Target, Head: d.Head, Base: d.Base, State: d.State, Draft: d.Draft,
		Approved: approved, Mergeable: d.State == proposal.Open && len(d.Blockers) == 0, Undiverged: d.Standing.Behind == 0,
	}, nil
}

// moduleFacts tells the room of stacks what notification policies see of versions of modules.
type moduleFacts struct{ h *House }

func (f moduleFacts) ModuleVersion(ctx context.Context, module, version string) (stack.ModuleVersion, error) {
	n, err := f.h.Modules.Notice(ctx, module, version)
	return stack.ModuleVersion(n), err
}
