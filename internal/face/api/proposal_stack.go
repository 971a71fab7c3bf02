package api

import (
	"context"
	"net/http"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

func (a *API) proposalStackRoutes() {
	register(a, operation("listProposalStacks", http.MethodGet, "/repositories/{namespace}/{name}/proposals/{number}/stacks", "proposals",
		"What it does to stacks, by reference"), a.listProposalStacks)
}

func (a *API) listProposalStacks(ctx context.Context, in *proposalPartInput) (*body[List[ProposalStack]], error) {
	d, err := a.Proposals.Get(ctx, in.full(), in.Number) // who may see it
	if err != nil {
		return nil, err
	}
	all, err := a.Stacks.ForProposal(ctx, in.full(), d.Number)
	return listPart(page.From(all, in.part(), func(w stack.Standing) string { return w.Stack }), wireProposalStack), err
}

func wireProposalStack(w stack.Standing) ProposalStack {
	out := ProposalStack{Stack: w.Stack, Commit: w.Head, Reason: w.Why, Applied: w.Applied != nil}
	if r := w.Current(); r != nil {
		out.Run, out.State, out.Reason, out.Commit = r.ID, r.State, r.Reason, r.Source.Commit
	}
	if w.Summary != nil {
		s := client.Summary(*w.Summary)
		out.Summary = &s
	}
	return out
}
