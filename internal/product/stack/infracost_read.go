package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Bounds of what infracost says.
const (
	mostParts        = 1000      // of a resource
	deepestPart      = 8         // resources within resources
	mostPriceTold    = 400_000   // resources and their parts, before and after
	mostPriceObjects = 1_000_000 // of its JSON
	mostName         = 4 << 10   // bytes of a resource's name, or of a part's
	mostText         = 16 << 20  // bytes of the names of all parts
	mostPriceSeen    = 8 << 20   // bytes of JSON that policies see of it
)

// infracostDocument is what of infracost's JSON is read, and written for policies: those that were written for it find the
// costs of price lists where infracost's are. Tags and metadata of resources are not: they may have values that are sensitive.
type infracostDocument struct {
	Version      string             `json:"version"`
	Currency     string             `json:"currency"`
	Projects     []infracostProject `json:"projects"`
	Total        *string            `json:"totalMonthlyCost"`
	PastTotal    *string            `json:"pastTotalMonthlyCost"`
	DiffTotal    *string            `json:"diffTotalMonthlyCost"`
	TotalHourly  *string            `json:"totalHourlyCost"`
	PastHourly   *string            `json:"pastTotalHourlyCost,omitempty"`
	DiffHourly   *string            `json:"diffTotalHourlyCost,omitempty"`
	Summary      infracostSummary   `json:"summary"`
	TimeOfMaking string             `json:"timeGenerated,omitempty"`
	Shortened    string             `json:"shortened,omitempty"` // the platform's: what is left out
}

type infracostSummary struct {
	Total       int `json:"totalResources,omitempty"`
	Detected    int `json:"totalDetectedResources"`
	Supported   int `json:"totalSupportedResources"`
	Unsupported int `json:"totalUnsupportedResources"`
	UsageBased  int `json:"totalUsageBasedResources,omitempty"`
	NoPrice     int `json:"totalNoPriceResources"`

	SupportedOf   map[string]int `json:"supportedResourceCounts,omitempty"` // by type
	UnsupportedOf map[string]int `json:"unsupportedResourceCounts,omitempty"`
	NoPriceOf     map[string]int `json:"noPriceResourceCounts,omitempty"`
}

type infracostProject struct {
	Name     string             `json:"name"`
	Metadata *infracostMetadata `json:"metadata,omitempty"`
	Past     infracostBreakdown `json:"pastBreakdown"`
	Now      infracostBreakdown `json:"breakdown"`
	Diff     infracostBreakdown `json:"diff"`
	Summary  *infracostSummary  `json:"summary,omitempty"`
}

// infracostMetadata tells of a project that could not be priced: the program succeeds all the same, and its costs are 0.
type infracostMetadata struct {
	Type   string `json:"type,omitempty"`
	Path   string `json:"path,omitempty"`
	Errors []struct {
		Message string `json:"message"`
		IsError *bool  `json:"isError"`
	} `json:"errors,omitempty"`
}

// wrong gives what kept infracost from pricing; "" for nothing.
func (m *infracostMetadata) wrong() string {
	if m == nil {
		return ""
	}
	for _, e := range m.Errors {
		if e.IsError == nil || *e.IsError {
			return strings.Join(strings.Fields(e.Message), " ")
		}
	}
	return ""
}

type infracostBreakdown struct {
	Resources []infracostResource `json:"resources"`
	Free      []infracostResource `json:"freeResources,omitempty"`
	Hourly    *string             `json:"totalHourlyCost,omitempty"`
	Total     *string             `json:"totalMonthlyCost"`
}

type infracostResource struct {
	Name    string          `json:"name"`
	Type    string          `json:"resourceType,omitempty"`
	Hourly  *string         `json:"hourlyCost,omitempty"`
	Monthly *string         `json:"monthlyCost"`
	Parts   []infracostPart `json:"costComponents"`

	Within []infracostResource `json:"subresources,omitempty"` // such as the disks of a machine, whose costs its own have in them
}

type infracostPart struct {
	Name           string  `json:"name"`
	Unit           string  `json:"unit"`
	HourlyQuantity *string `json:"hourlyQuantity,omitempty"`
	Quantity       *string `json:"monthlyQuantity"`
	Price          string  `json:"price"`
	Hourly         *string `json:"hourlyCost,omitempty"`
	Monthly        *string `json:"monthlyCost"`
	UsageBased     bool    `json:"usageBased,omitempty"`
}

// readInfracost reads what infracost says of a plan; seen is as much of that as policies see.
func readInfracost(ctx context.Context, data []byte) (c *Cost, seen *infracostDocument, err error) {
	if bytes.Count(data, []byte("{")) > mostPriceObjects {
		return nil, nil, tooMuchOfInfracost()
	}
	var d infracostDocument
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "read what infracost says: %w", err)
	}
	if d.Projects == nil || !currency.MatchString(d.Currency) {
		return nil, nil, fault.Errorf(fault.Invalid, "read what infracost says: no projects and currency; is this the output of --format json?")
	}
	for _, p := range d.Projects {
		if wrong := p.Metadata.wrong(); wrong != "" {
			return nil, nil, fault.Errorf(fault.Unavailable, "infracost can't price this plan: %.300s", wrong)
		}
	}
	r := infracostReading{ctx: ctx, at: map[string]int{}, parts: map[partOf]int{}}
	before, after := 0.0, 0.0
	for i, p := range d.Projects {
		if p.Metadata != nil {
			d.Projects[i].Metadata = &infracostMetadata{Type: p.Metadata.Type, Path: p.Metadata.Path}
		}
		for _, one := range p.Past.Resources {
			if err := r.take(one, false); err != nil {
				return nil, nil, err
			}
		}
		for _, one := range p.Now.Resources {
			if err := r.take(one, true); err != nil {
				return nil, nil, err
			}
		}
		before, after = before+number(p.Past.Total), after+number(p.Now.Total)
	}
	c = &Cost{Source: ByInfracost, Currency: d.Currency, Before: number(d.PastTotal), After: number(d.Total), Priced: len(r.resources), Unpriced: d.Summary.Unsupported, Resources: r.resources}
	if d.PastTotal == nil {
		c.Before = before
	}
	if d.Total == nil {
		c.After = after
	}
	return c.rounded(), &d, nil
}

// infracostReading puts together what infracost says of each address, within bounds: what it reads may come from anybody's pool.
type infracostReading struct {
	ctx       context.Context
	resources []CostOf
	at        map[string]int // address → place in resources
	parts     map[partOf]int // → place in the parts of that
	told      int            // resources and parts so far, however often
	text      int            // bytes of their names
}

type partOf struct {
	resource int
	name     string
}

func tooMuchOfInfracost() error {
	return fault.Errorf(fault.TooLarge, "infracost tells of more than %d resources, or of more than %d parts of one or %d of all, or of names of more than %d bytes", mostPriced, mostParts, mostPriceTold, mostName)
}

// take adds what infracost says of a resource.
func (r *infracostReading) take(one infracostResource, after bool) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	i, known := r.at[one.Name]
	if !known {
		if i = len(r.resources); i >= mostPriced {
			return tooMuchOfInfracost()
		}
		r.at[one.Name] = i
		r.resources = append(r.resources, CostOf{Address: one.Name})
	}
	if money := number(one.Monthly); after {
		r.resources[i].After += money
	} else {
		r.resources[i].Before += money
	}
	return r.within(i, one, "", 0, after)
}

// within adds what a resource's costs are made of, with what is within it.
func (r *infracostReading) within(of int, one infracostResource, before string, depth int, after bool) error {
	if r.told++; r.told > mostPriceTold || depth > deepestPart || len(one.Parts) > mostParts || len(one.Name) > mostName || len(before) > mostName {
		return tooMuchOfInfracost()
	}
	for _, p := range one.Parts {
		if r.told, r.text = r.told+1, r.text+len(before)+len(p.Name); r.told > mostPriceTold || r.text > mostText || len(p.Name) > mostName {
			return tooMuchOfInfracost()
		}
		in := &r.resources[of]
		key := partOf{of, before + p.Name}
		i, known := r.parts[key]
		if !known {
			if i = len(in.Parts); i >= mostParts {
				return tooMuchOfInfracost()
			}
			r.parts[key] = i
			in.Parts = append(in.Parts, CostPart{Name: key.name, Unit: p.Unit, Price: number(&p.Price)})
		}
		if is := &in.Parts[i]; after {
			is.After, is.Quantity = is.After+number(p.Monthly), is.Quantity+number(p.Quantity)
		} else {
			is.Before, is.QuantityBefore = is.Before+number(p.Monthly), is.QuantityBefore+number(p.Quantity)
		}
	}
	for _, w := range one.Within {
		if err := r.within(of, w, before+w.Name+": ", depth+1, after); err != nil {
			return err
		}
	}
	return nil
}

func number(text *string) float64 {
	if text == nil {
		return 0
	}
	v, err := strconv.ParseFloat(*text, 64)
	if err != nil || v != v || v > 1e15 || v < -1e15 {
		return 0
	}
	return v
}

// infracost writes a cost as infracost would, for policies.
func (c *Cost) infracost(stack string) infracostDocument {
	text := func(v float64) *string {
		s := strconv.FormatFloat(v, 'f', -1, 64)
		return &s
	}
	p := infracostProject{Name: stack}
	p.Past.Resources, p.Now.Resources, p.Diff.Resources = []infracostResource{}, []infracostResource{}, []infracostResource{}
	for _, r := range c.Resources {
		past, now := infracostResource{Name: r.Address, Monthly: text(r.Before), Parts: []infracostPart{}}, infracostResource{Name: r.Address, Monthly: text(r.After), Parts: []infracostPart{}}
		for _, part := range r.Parts {
			one := infracostPart{Name: part.Name, Unit: part.Unit, Price: *text(part.Price)}
			one.Quantity, one.Monthly = text(part.QuantityBefore), text(part.Before)
			past.Parts = append(past.Parts, one)
			one.Quantity, one.Monthly = text(part.Quantity), text(part.After)
			now.Parts = append(now.Parts, one)
		}
		if r.Before != 0 {
			p.Past.Resources = append(p.Past.Resources, past)
		}
		if r.After != 0 {
			p.Now.Resources = append(p.Now.Resources, now)
		}
		if r.Delta != 0 {
			p.Diff.Resources = append(p.Diff.Resources, infracostResource{Name: r.Address, Monthly: text(r.Delta), Parts: []infracostPart{}})
		}
	}
	p.Past.Total, p.Now.Total, p.Diff.Total = text(c.Before), text(c.After), text(c.Delta)
	return infracostDocument{
		Version: "0.2", Currency: c.Currency, Projects: []infracostProject{p}, Total: text(c.After), PastTotal: text(c.Before), DiffTotal: text(c.Delta),
		TotalHourly: text(cents(c.After / 730)),
		Summary:     infracostSummary{Detected: c.Priced + c.Unpriced, Supported: c.Priced, Unsupported: c.Unpriced},
	}
}

// seen gives what policies see of a cost, in as much detail as mostPriceSeen and the room that is left for it beside the rest of what
// they are asked with; note tells what is left out. said is what infracost says itself; nil for none.
func (c *Cost) seen(stack string, said *infracostDocument, room int) (seen json.RawMessage, note string, err error) {
	room = min(room, mostPriceSeen)
	short := c.infracost(stack)
	for i, left := range []string{"", "what Infracost says beside the costs of resources and their parts", "the parts of resources", "all but the totals"} {
		d := short
		switch i {
		case 0:
			if said == nil {
				continue
			}
			d = *said
		case 1:
			if said == nil {
				left = ""
			}
		case 2, 3:
			d = short.briefly(i == 3)
		}
		if left != "" {
			note = fmt.Sprintf("policies don't see %s: it is too much beside the plan, or more than %d MiB", left, mostPriceSeen>>20)
			d.Shortened = note
		}
		if seen, err = json.Marshal(d); err != nil || len(seen) <= room {
			break
		}
	}
	return seen, note, err
}

// briefly leaves out the parts of resources, or the resources, too.
func (d infracostDocument) briefly(total bool) infracostDocument {
	brief := func(b *infracostBreakdown) {
		all := []infracostResource{}
		if !total {
			for _, r := range b.Resources {
				r.Parts = []infracostPart{}
				all = append(all, r)
			}
		}
		b.Resources = all
	}
	d.Projects = slices.Clone(d.Projects)
	for i := range d.Projects {
		p := &d.Projects[i]
		brief(&p.Past)
		brief(&p.Now)
		brief(&p.Diff)
	}
	return d
}
