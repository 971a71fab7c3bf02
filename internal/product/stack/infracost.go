package stack

import (
	"encoding/json"
	"strconv"

	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where a pool has the program infracost on its PATH, what that says of a plan counts instead of price lists. It is run in the
// step that reads the plan, with the environment of the stack, which has its key.

// askInfracost is what the step does. It is no fault of a plan that its costs are not known.
const askInfracost = `
if command -v infracost >/dev/null 2>&1; then
  infracost breakdown --path "$ROADBED_WORK/plan.json" --format json --out-file "$ROADBED_WORK/infracost.json" --no-color ||
    { rm -f "$ROADBED_WORK/infracost.json"; echo "infracost failed: costs are told by the price lists alone" >&2; }
else
  echo "infracost is not on the PATH of this pool: costs are told by the price lists alone"
fi
`

const mostParts = 1000 // of a resource

// infracostDocument is what of infracost's JSON is read, and written for policies: those that were written for it find the
// costs of price lists where infracost's are.
type infracostDocument struct {
	Version      string             `json:"version"`
	Currency     string             `json:"currency"`
	Projects     []infracostProject `json:"projects"`
	Total        *string            `json:"totalMonthlyCost"`
	PastTotal    *string            `json:"pastTotalMonthlyCost"`
	DiffTotal    *string            `json:"diffTotalMonthlyCost"`
	TotalHourly  *string            `json:"totalHourlyCost"`
	Summary      infracostSummary   `json:"summary"`
	TimeOfMaking string             `json:"timeGenerated,omitempty"`
}

type infracostSummary struct {
	Detected    int `json:"totalDetectedResources"`
	Supported   int `json:"totalSupportedResources"`
	Unsupported int `json:"totalUnsupportedResources"`
	NoPrice     int `json:"totalNoPriceResources"`
}

type infracostProject struct {
	Name string             `json:"name"`
	Past infracostBreakdown `json:"pastBreakdown"`
	Now  infracostBreakdown `json:"breakdown"`
	Diff infracostBreakdown `json:"diff"`
}

type infracostBreakdown struct {
	Resources []infracostResource `json:"resources"`
	Total     *string             `json:"totalMonthlyCost"`
}

type infracostResource struct {
	Name    string          `json:"name"`
	Type    string          `json:"resourceType,omitempty"`
	Monthly *string         `json:"monthlyCost"`
	Parts   []infracostPart `json:"costComponents"`
}

type infracostPart struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Quantity *string `json:"monthlyQuantity"`
	Price    string  `json:"price"`
	Monthly  *string `json:"monthlyCost"`
}

// readInfracost reads what infracost says of a plan.
func readInfracost(data []byte) (*Cost, error) {
	var d infracostDocument
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fault.Errorf(fault.Invalid, "read what infracost says: %w", err)
	}
	if d.Projects == nil || d.Currency == "" {
		return nil, fault.Errorf(fault.Invalid, "read what infracost says: no projects and currency; is this the output of --format json?")
	}
	c := &Cost{Source: ByInfracost, Currency: d.Currency, Before: number(d.PastTotal), After: number(d.Total), Unpriced: d.Summary.Unsupported}
	at := map[string]int{}
	of := func(address string) *CostOf {
		i, known := at[address]
		if !known {
			i = len(c.Resources)
			at[address] = i
			c.Resources = append(c.Resources, CostOf{Address: address})
		}
		return &c.Resources[i]
	}
	tooMuch := func(parts []infracostPart) bool { return len(c.Resources) > mostPriced || len(parts) > mostParts }
	many := fault.Errorf(fault.TooLarge, "infracost tells of more than %d resources, or of more than %d parts of one", mostPriced, mostParts)
	before, after := 0.0, 0.0
	for _, p := range d.Projects {
		for _, r := range p.Past.Resources {
			if tooMuch(r.Parts) {
				return nil, many
			}
			one := of(r.Name)
			one.Before += number(r.Monthly)
			for _, part := range r.Parts {
				one.part(part).Before, one.part(part).QuantityBefore = number(part.Monthly), number(part.Quantity)
			}
		}
		for _, r := range p.Now.Resources {
			if tooMuch(r.Parts) {
				return nil, many
			}
			one := of(r.Name)
			one.After += number(r.Monthly)
			for _, part := range r.Parts {
				one.part(part).After, one.part(part).Quantity = number(part.Monthly), number(part.Quantity)
			}
		}
		before, after = before+number(p.Past.Total), after+number(p.Now.Total)
	}
	if d.PastTotal == nil {
		c.Before = before
	}
	if d.Total == nil {
		c.After = after
	}
	if len(c.Resources) > mostPriced {
		return nil, many
	}
	c.Priced = len(c.Resources)
	return c.rounded(), nil
}

// part gives a part of a resource by its name, made when there is none.
func (c *CostOf) part(p infracostPart) *CostPart {
	for i := range c.Parts {
		if c.Parts[i].Name == p.Name {
			return &c.Parts[i]
		}
	}
	c.Parts = append(c.Parts, CostPart{Name: p.Name, Unit: p.Unit, Price: number(&p.Price)})
	return &c.Parts[len(c.Parts)-1]
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
