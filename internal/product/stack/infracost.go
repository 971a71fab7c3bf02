package stack

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// Where the environment of a stack has a key of Infracost, and the pool its program, what that says of a plan counts instead of
// price lists. It is run in the step that reads the plan, which is one of its own then: it is told the key.

// ToolInfracost is the pool's tool that is infracost. Most pools do without.
const ToolInfracost = "infracost"

// asksInfracost tells whether the environment of a run has what infracost does nothing without: a key, or another address
// of prices than its maker's.
func (in Input) asksInfracost() bool {
	names := in.names()
	return names["INFRACOST_API_KEY"] || names["INFRACOST_PRICING_API_ENDPOINT"]
}

// showing gives the script of a step that reads a plan.
func (in Input) showing(script string) string {
	if in.asksInfracost() {
		script += askInfracost
	}
	return script + phaseDone
}

// infracostSaid is where the step leaves what infracost says. What askInfracost leaves there is no larger.
var infracostSaid = worker.Output{Name: ByInfracost, Path: "/work/infracost.json", Kind: worker.OutputFile, MaxBytes: 32 << 20, Optional: true}

// askInfracost is what the step does. It is no fault of a plan that its costs are not known, nor does it wait long for them.
const askInfracost = `
roadbed_phase infracost
roadbed_uncosted() { # WHY
  rm -rf "$ROADBED_WORK/infracost.json"
  echo "$1; the price lists alone tell what this plan costs"
}
roadbed_bound=
if ! command -v infracost >/dev/null 2>&1; then
  roadbed_uncosted "the stack has a key of Infracost, and this pool has no infracost: install it on the pool's machine, and start its server or agent again"
else
  if command -v timeout >/dev/null 2>&1; then roadbed_bound="timeout 300"; fi
  if ! INFRACOST_SKIP_UPDATE_CHECK="${INFRACOST_SKIP_UPDATE_CHECK:-true}" $roadbed_bound infracost breakdown \
    --path "$ROADBED_WORK/plan.json" --format json --out-file "$ROADBED_WORK/infracost.json" --no-color; then
    roadbed_uncosted "infracost failed, or took longer than 5 minutes"
  elif [ ! -f "$ROADBED_WORK/infracost.json" ]; then
    roadbed_uncosted "infracost wrote nothing"
  elif [ "$(wc -c < "$ROADBED_WORK/infracost.json")" -gt 33554432 ]; then
    roadbed_uncosted "infracost wrote more than 32 MiB"
  fi
fi
`

// Bounds of what infracost says of a resource.
const (
	mostParts   = 1000
	deepestPart = 8 // resources within resources
)

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
	Name     string             `json:"name"`
	Metadata *infracostMetadata `json:"metadata,omitempty"`
	Past     infracostBreakdown `json:"pastBreakdown"`
	Now      infracostBreakdown `json:"breakdown"`
	Diff     infracostBreakdown `json:"diff"`
}

// infracostMetadata tells of a project that could not be priced: the program succeeds all the same, and its costs are 0.
type infracostMetadata struct {
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
	Total     *string             `json:"totalMonthlyCost"`
}

type infracostResource struct {
	Name    string          `json:"name"`
	Type    string          `json:"resourceType,omitempty"`
	Monthly *string         `json:"monthlyCost"`
	Parts   []infracostPart `json:"costComponents"`

	Within []infracostResource `json:"subresources,omitempty"` // such as the disks of a machine, whose costs its own have in them
}

// parts gives what a resource's costs are made of, with what is within it; false for too many.
func (r infracostResource) parts(before string, depth int) (all []infracostPart, ok bool) {
	if depth > deepestPart || len(r.Parts) > mostParts || len(r.Within) > mostParts {
		return nil, false
	}
	for _, p := range r.Parts {
		p.Name = before + p.Name
		all = append(all, p)
	}
	for _, w := range r.Within {
		more, ok := w.parts(before+w.Name+": ", depth+1)
		if all = append(all, more...); !ok || len(all) > mostParts {
			return nil, false
		}
	}
	return all, true
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
	if d.Projects == nil || !currency.MatchString(d.Currency) {
		return nil, fault.Errorf(fault.Invalid, "read what infracost says: no projects and currency; is this the output of --format json?")
	}
	for _, p := range d.Projects {
		if wrong := p.Metadata.wrong(); wrong != "" {
			return nil, fault.Errorf(fault.Unavailable, "infracost can't price this plan: %.300s", wrong)
		}
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
	many := fault.Errorf(fault.TooLarge, "infracost tells of more than %d resources, or of more than %d parts of one", mostPriced, mostParts)
	before, after := 0.0, 0.0
	for _, p := range d.Projects {
		for _, r := range p.Past.Resources {
			parts, ok := r.parts("", 0)
			if !ok || len(c.Resources) > mostPriced {
				return nil, many
			}
			one := of(r.Name)
			one.Before += number(r.Monthly)
			for _, part := range parts {
				is := one.part(part)
				is.Before, is.QuantityBefore = number(part.Monthly), number(part.Quantity)
			}
		}
		for _, r := range p.Now.Resources {
			parts, ok := r.parts("", 0)
			if !ok || len(c.Resources) > mostPriced {
				return nil, many
			}
			one := of(r.Name)
			one.After += number(r.Monthly)
			for _, part := range parts {
				is := one.part(part)
				is.After, is.Quantity = number(part.Monthly), number(part.Quantity)
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
