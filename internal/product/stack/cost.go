package stack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Cost is what a plan would change of what a stack costs in a month.
type Cost struct {
	Source   string   `json:"source"` // prices or infracost
	Currency string   `json:"currency"`
	Before   float64  `json:"before"`
	After    float64  `json:"after"`
	Delta    float64  `json:"delta"`
	Priced   int      `json:"priced"`          // resources
	Unpriced int      `json:"unpriced"`        // managed resources that no price speaks of
	Notes    []string `json:"notes,omitempty"` // what could not be told, at most 20
	Lists    []string `json:"lists,omitempty"` // price lists, the nearest first
	Digest   string   `json:"digest,omitempty"`

	Resources []CostOf `json:"resources,omitempty"` // what costs something before or after; kept apart
}

// CostOf is the part of one resource.
type CostOf struct {
	Address string     `json:"address"`
	Before  float64    `json:"before"`
	After   float64    `json:"after"`
	Delta   float64    `json:"delta"`
	Parts   []CostPart `json:"parts,omitempty"`
}

// CostPart is what one price gives.
type CostPart struct {
	Name           string  `json:"name"`
	Unit           string  `json:"unit,omitempty"`
	Price          float64 `json:"price"`
	QuantityBefore float64 `json:"quantityBefore"`
	Quantity       float64 `json:"quantity"`
	Before         float64 `json:"before"`
	After          float64 `json:"after"`
}

// Sources of costs.
const (
	ByPrices    = "prices"
	ByInfracost = ToolInfracost
)

// Bounds of pricing one plan.
const (
	mostPriced   = 20_000  // resources
	mostMatched  = 4 << 10 // bytes of an attribute that a price may be of
	mostCostTime = 10 * time.Second
	mostNotes    = 20
)

func sortByNear(lists []priceList, near map[string]int) {
	slices.SortStableFunc(lists, func(a, b priceList) int {
		return cmp.Or(cmp.Compare(near[a.space], near[b.space]), cmp.Compare(a.name, b.name))
	})
}

// pricing is the evaluation of one plan.
type pricing struct {
	env      *cel.Env
	programs map[string]cel.Program
	cost     Cost
}

func (p *pricing) note(text string) {
	if len(p.cost.Notes) < mostNotes && !slices.Contains(p.cost.Notes, text) {
		p.cost.Notes = append(p.cost.Notes, text)
	}
}

// price gives what a plan costs by price lists, the nearest first; nil where there is none. Of two prices of the same part of
// a resource the nearer list's counts, and in a list the first that fits. A list of another currency than the nearest is left out.
func price(ctx context.Context, plan Plan, lists []priceList) *Cost {
	if len(lists) == 0 {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, mostCostTime)
	defer stop()
	p := &pricing{env: priceEnvironment(), programs: map[string]cel.Program{}, cost: Cost{Source: ByPrices, Currency: lists[0].Currency}}
	byType := map[string][]Price{}
	for _, l := range lists {
		if l.Currency != p.cost.Currency {
			p.note(fmt.Sprintf("%s is left out: its currency is %s", l.name, l.Currency))
			continue
		}
		p.cost.Lists = append(p.cost.Lists, l.name)
		for _, one := range l.Prices {
			byType[one.Resource] = append(byType[one.Resource], one)
		}
	}
	done := 0
	for _, c := range plan.Changes {
		if c.Mode == "data" {
			continue
		}
		if done++; done > mostPriced || ctx.Err() != nil {
			p.note(fmt.Sprintf("only %d of %d resources were priced: pricing a plan is bounded to %d resources and %s", done-1, len(plan.Changes), mostPriced, mostCostTime))
			break
		}
		prices := byType[c.Type]
		if len(prices) == 0 {
			p.cost.Unpriced++
			continue
		}
		p.resource(ctx, c, prices)
	}
	return p.cost.rounded()
}

// resource adds what a resource costs before and after.
func (p *pricing) resource(ctx context.Context, c Change, prices []Price) {
	one := CostOf{Address: c.Address}
	parts := map[string]*CostPart{}
	var order []string
	fits := false
	side := func(values any, after bool) {
		object, ok := values.(map[string]any)
		if !ok {
			return
		}
		taken := map[string]bool{}
		for _, price := range prices {
			if ctx.Err() != nil { // who prices the next resource says so
				return
			}
			name := cmp.Or(price.Name, c.Type)
			if taken[name] || !price.matches(object) {
				continue
			}
			quantity, counts := p.quantity(ctx, c, price, object)
			if !counts {
				continue
			}
			taken[name], fits = true, true
			part, known := parts[name]
			if !known {
				part = &CostPart{Name: name}
				parts[name], order = part, append(order, name)
			}
			part.Unit, part.Price = price.Unit, price.Monthly
			if money := quantity * price.Monthly; after {
				part.Quantity, part.After = quantity, money
				one.After += money
			} else {
				part.QuantityBefore, part.Before = quantity, money
				one.Before += money
			}
		}
	}
	side(c.Before, false)
	side(c.After, true)
	if !fits {
		p.cost.Unpriced++
		return
	}
	p.cost.Priced++
	for _, name := range order {
		one.Parts = append(one.Parts, *parts[name])
	}
	p.cost.Before, p.cost.After = p.cost.Before+one.Before, p.cost.After+one.After
	if one.Before != 0 || one.After != 0 {
		p.cost.Resources = append(p.cost.Resources, one)
	}
}

// matches tells whether a resource has the attributes of a price.
func (p Price) matches(values map[string]any) bool {
	for field, want := range p.Match {
		have, there := attribute(values, field)
		if !there {
			return false
		}
		accepted, several := want.([]any)
		if !several {
			accepted = []any{want}
		}
		if text, is := have.(string); is && len(text) > mostMatched {
			return false
		}
		switch have.(type) {
		case []any, map[string]any: // no price is of one
			return false
		}
		if !slices.ContainsFunc(accepted, func(one any) bool { return sameText(have, one) }) {
			return false
		}
	}
	return true
}

// sameText compares plain values as they are written: engines have 3 as a number or as text.
func sameText(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(bytes.Trim(x, `"`)) == string(bytes.Trim(y, `"`))
}

// quantity gives how many units a price counts of a resource; false when it does not count.
func (p *pricing) quantity(ctx context.Context, c Change, price Price, values map[string]any) (float64, bool) {
	about := map[string]any{"values": values, "resource": map[string]any{"address": c.Address, "type": c.Type, "name": c.Name, "module": c.Module}}
	if price.When != "" {
		v, err := p.eval(ctx, price.When, true, about)
		if err != nil {
			p.note(fmt.Sprintf("%s: when of %s: %s", c.Address, cmp.Or(price.Name, price.Resource), fault.Message(err)))
			return 0, false
		}
		if v != true {
			return 0, false
		}
	}
	if price.Quantity == "" {
		return 1, true
	}
	v, err := p.eval(ctx, price.Quantity, false, about)
	if err != nil {
		p.note(fmt.Sprintf("%s: quantity of %s: %s", c.Address, cmp.Or(price.Name, price.Resource), fault.Message(err)))
		return 0, false
	}
	n := math.NaN()
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	case float64:
		n = v
	}
	if math.IsNaN(n) || n < 0 || n > mostUnits {
		p.note(fmt.Sprintf("%s: the quantity of %s is no number from 0 to %v", c.Address, cmp.Or(price.Name, price.Resource), mostUnits))
		return 0, false
	}
	return n, true
}

func (p *pricing) eval(ctx context.Context, text string, condition bool, about map[string]any) (any, error) {
	program, known := p.programs[text]
	if !known {
		var problem string
		if program, problem = compilePrice(p.env, text, condition); problem != "" {
			return nil, fault.Errorf(fault.Invalid, "%s", problem)
		}
		p.programs[text] = program
	}
	out, _, err := program.ContextEval(ctx, about)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "%.300s", err.Error())
	}
	if types.IsUnknownOrError(out) {
		return nil, fault.Errorf(fault.Invalid, "%.300v", out.Value())
	}
	return out.Value(), nil
}

// cents rounds money to hundredths of a hundredth, below which no list of prices goes.
func cents(v float64) float64 { return math.Round(v*1e4) / 1e4 }

func (c *Cost) rounded() *Cost {
	c.Before, c.After = cents(c.Before), cents(c.After)
	c.Delta = cents(c.After - c.Before)
	for i := range c.Resources {
		r := &c.Resources[i]
		r.Before, r.After = cents(r.Before), cents(r.After)
		r.Delta = cents(r.After - r.Before)
		for k := range r.Parts {
			r.Parts[k].Before, r.Parts[k].After = cents(r.Parts[k].Before), cents(r.Parts[k].After)
		}
	}
	return c
}

func (c *Cost) String() string {
	if c == nil {
		return "unknown"
	}
	return fmt.Sprintf("%s %s in a month, %s before, %s", money(c.After), c.Currency, money(c.Before), signed(c.Delta))
}

func money(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func signed(v float64) string {
	if v > 0 {
		return "+" + money(v)
	}
	return money(v)
}

// keepCost stores the parts of a cost, and gives what a run shows.
func (s *Service) keepCost(ctx context.Context, c *Cost) (*Cost, error) {
	if c == nil {
		return nil, nil
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	sealed := s.Seal.Sealing(bytes.NewReader(raw))
	defer sealed.Close()
	brief := *c
	brief.Resources = nil
	brief.Digest, _, err = s.Blob.Put(ctx, sealed, 2*StateLimit)
	return &brief, fault.Wrap(err, "keep what the plan costs")
}

// costOf reads what was kept of a run's cost.
func (s *Service) costOf(ctx context.Context, brief *Cost) (*Cost, error) {
	if brief == nil {
		return nil, nil
	}
	data, err := s.readBlob(ctx, brief.Digest)
	if err != nil {
		return nil, fault.Wrap(err, "read what the plan costs")
	}
	var c Cost
	return &c, json.Unmarshal(data, &c)
}

// costs gives what a plan costs: what infracost says, or else the price lists that count in the run's space; nil where there is
// neither. A program that says what can't be read, or that it knows no prices, leaves the costs to the lists. doc is as much of what
// infracost says as policies may see.
func (s *Service) costs(ctx context.Context, space string, plan Plan, said string, log io.Writer) (c *Cost, doc *infracostDocument, err error) {
	why := ""
	if said != "" {
		data, err := s.readBlob(ctx, said)
		if err != nil {
			return nil, nil, fault.Wrap(err, "read what infracost says of the plan")
		}
		c, doc, err := readInfracost(ctx, data)
		if err == nil {
			fmt.Fprintf(log, "cost, by infracost: %s\n", c)
			return c, doc, nil
		}
		if ctx.Err() != nil {
			return nil, nil, err
		}
		why = fault.Message(err)
		fmt.Fprintf(log, "cost: %s\n", why)
	}
	lists, err := s.pricesFor(ctx, space)
	if err != nil {
		return nil, nil, err
	}
	c = price(ctx, plan, lists)
	if c == nil {
		return nil, nil, nil
	}
	if why != "" {
		c.noteFirst(why)
	}
	fmt.Fprintf(log, "cost, by price lists: %s\n", c)
	for _, n := range c.Notes {
		fmt.Fprintf(log, "cost: %s\n", n)
	}
	return c, nil, nil
}

func (c *Cost) noteFirst(note string) {
	c.Notes = append([]string{note}, c.Notes[:min(len(c.Notes), mostNotes-1)]...)
}

// shown puts what a plan costs into what policies are asked with. That it is short there is noted.
func (c *Cost) shown(about map[string]any, stack string, doc *infracostDocument, log io.Writer) error {
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(about)
	if err != nil {
		return fault.Wrap(err, "write what policies are asked with")
	}
	seen, note, err := c.seen(stack, doc, policy.MaxInput-len(raw)-1<<10)
	if err != nil {
		return fault.Wrap(err, "write what the plan costs for policies")
	}
	about["third_party_metadata"] = map[string]any{ByInfracost: seen}
	if note != "" {
		c.noteFirst(note)
		fmt.Fprintf(log, "cost: %s\n", note)
	}
	return nil
}
