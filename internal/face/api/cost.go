package api

import (
	"context"

	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

func wireCost(c *stack.Cost) *PlanCost {
	if c == nil {
		return nil
	}
	out := &PlanCost{
		Source: c.Source, Currency: c.Currency, Before: c.Before, After: c.After, Delta: c.Delta, Priced: c.Priced, Unpriced: c.Unpriced,
		Notes: c.Notes, Lists: c.Lists, Resources: make([]ResourceCost, len(c.Resources)),
	}
	for i, r := range c.Resources {
		one := ResourceCost{Address: r.Address, Before: r.Before, After: r.After, Delta: r.Delta}
		for _, part := range r.Parts {
			one.Parts = append(one.Parts, CostPart(part))
		}
		out.Resources[i] = one
	}
	return out
}

func (a *API) listStackSets(ctx context.Context, in *Paging) (*body[List[StackSet]], error) {
	part, err := a.Stacks.Sets(ctx, in.part())
	return listPart(part, wireSet), err
}

func (a *API) getStackSet(ctx context.Context, in *Named) (*body[StackSet], error) {
	t, err := a.Stacks.GetSet(ctx, in.ref("stackset"))
	return answer(wireSet(t)), err
}

func wireSet(t stack.Set) StackSet {
	r := t.Report
	return StackSet{
		Ref: t.Ref.String(), Namespace: t.Ref.Namespace, Name: t.Ref.Name, Space: t.Space, Repository: t.Spec.Source.Repository, Branch: t.Spec.Source.Branch,
		Folders: append([]string{}, t.Spec.Folders...), Removed: t.Spec.Removed, Seen: t.Seen, Looked: moment(r.Looked), Took: r.Took, Stacks: r.Stacks,
		Kept: r.Kept, Held: r.Held, Wrong: r.Wrong, Problems: append([]string{}, r.Problem...), Message: r.Message,
	}
}
