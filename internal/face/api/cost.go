package api

import (
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
