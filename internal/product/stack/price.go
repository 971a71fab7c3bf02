package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/google/cel-go/cel"

	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

// PriceSpec is what a PriceList document says: what resources cost in a month.
type PriceSpec struct {
	Owner    string  `json:"owner,omitempty"`
	Currency string  `json:"currency"` // ISO 4217, such as EUR
	Prices   []Price `json:"prices"`
}

// Price is what one part of a kind of resource costs.
type Price struct {
	Resource string         `json:"resource"`           // type, such as aws_instance
	Name     string         `json:"name,omitempty"`     // of the part, such as disk; the resource as a whole when left out
	Match    map[string]any `json:"match,omitempty"`    // attributes, such as instance_type: t3.small; a list for any of several
	When     string         `json:"when,omitempty"`     // CEL: whether it counts
	Monthly  float64        `json:"monthly"`            // of one unit
	Unit     string         `json:"unit,omitempty"`     // such as GB
	Quantity string         `json:"quantity,omitempty"` // CEL: how many units; 1 when left out
}

// Bounds of a price list.
const (
	mostPrices     = 2000
	mostMatches    = 20
	mostLists      = 50 // that count for one stack
	mostMoney      = 1e9
	mostUnits      = 1e9
	mostExpression = 2000 // bytes
	expressionCost = 10_000
)

var (
	currency     = regexp.MustCompile(`^[A-Z]{3}$`)
	resourceType = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)
)

// PriceKind gives the kind PriceList, kept by s.
func PriceKind(s *Service) document.Kind {
	return document.Kind{
		APIVersions: []string{"roadbed.dev/v1"}, Name: "PriceList", Plural: "pricelists",
		Description: "What resources cost in a month, for the plans of its space and of those below.",
		Validate: func(d document.Document) []fault.Detail {
			_, wrong := readPrices(d)
			return wrong
		},
		Relations: func(d document.Document) []document.Relation {
			spec, wrong := readPrices(d)
			if owner, err := ref.Parse(spec.Owner, "group", d.Ref().Namespace); len(wrong) == 0 && spec.Owner != "" && err == nil {
				return []document.Relation{{Type: "ownedBy", Target: owner}}
			}
			return nil
		},
		Changed: s.pricesChanged,
	}
}

func readPrices(d document.Document) (PriceSpec, []fault.Detail) {
	var spec PriceSpec
	if err := document.Decode(d, &spec); err != nil {
		return spec, fault.Details(err)
	}
	var wrong []fault.Detail
	bad := func(message, hint string, at ...string) {
		wrong = append(wrong, d.At(message, hint, append([]string{"spec"}, at...)...))
	}
	if !currency.MatchString(spec.Currency) {
		bad(fmt.Sprintf("%q is not a currency", spec.Currency), "write its three letters, such as EUR", "currency")
	}
	if n := len(spec.Prices); n == 0 || n > mostPrices {
		bad(fmt.Sprintf("has %d prices", n), fmt.Sprintf("write 1 to %d", mostPrices), "prices")
		return spec, wrong
	}
	env := priceEnvironment()
	for i, p := range spec.Prices {
		at := []string{"prices", strconv.Itoa(i)}
		if !resourceType.MatchString(p.Resource) {
			bad(fmt.Sprintf("%q is not the type of a resource", p.Resource), "write one as the plan has it, such as aws_instance", append(at, "resource")...)
		}
		if math.IsNaN(p.Monthly) || p.Monthly < 0 || p.Monthly > mostMoney {
			bad(fmt.Sprintf("%v is not a price", p.Monthly), "write what one unit costs in a month, such as 15.33", append(at, "monthly")...)
		}
		if len(p.Name) > 100 || len(p.Unit) > 100 {
			bad("has a name or a unit of more than 100 characters", "shorten it", at...)
		}
		if len(p.Match) > mostMatches {
			bad(fmt.Sprintf("matches %d attributes", len(p.Match)), fmt.Sprintf("write at most %d, or when", mostMatches), append(at, "match")...)
		}
		for field, text := range map[string]string{"when": p.When, "quantity": p.Quantity} {
			if text == "" {
				continue
			}
			if _, problem := compilePrice(env, text, field == "when"); problem != "" {
				bad(problem, "the variables are values (the attributes of the resource) and resource (address, type, name, module)", append(at, field)...)
			}
		}
	}
	return spec, wrong
}

func priceEnvironment() *cel.Env {
	object := cel.MapType(cel.StringType, cel.DynType)
	env, err := cel.NewEnv(cel.Variable("values", object), cel.Variable("resource", object), cel.OptionalTypes(),
		cel.CrossTypeNumericComparisons(true), cel.ParserRecursionLimit(50), cel.ParserExpressionSizeLimit(mostExpression))
	if err != nil {
		panic(err) // it is the same each time
	}
	return env
}

// compilePrice gives the program of an expression, or what is wrong with it.
func compilePrice(env *cel.Env, text string, condition bool) (cel.Program, string) {
	if len(text) > mostExpression {
		return nil, fmt.Sprintf("is longer than %d bytes", mostExpression)
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, fmt.Sprintf("column %d: %.300s", first.Location.Column()+1, first.Message)
	}
	switch out := checked.OutputType(); {
	case out.IsExactType(cel.DynType):
	case condition && !out.IsExactType(cel.BoolType):
		return nil, fmt.Sprintf("gives %s, and not true or false", out)
	case !condition && !out.IsExactType(cel.IntType) && !out.IsExactType(cel.DoubleType) && !out.IsExactType(cel.UintType):
		return nil, fmt.Sprintf("gives %s, and not a number", out)
	}
	program, err := env.Program(checked, cel.CostLimit(expressionCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, fmt.Sprintf("%.300s", err)
	}
	return program, ""
}

// pricesChanged keeps the row of a price list, in the transaction of its document.
func (s *Service) pricesChanged(ctx context.Context, tx *store.Tx, c document.Change) error {
	if c.New == nil {
		_, err := tx.Exec(ctx, "DELETE FROM stack_prices WHERE ref = $1", c.Ref.String())
		return fault.Wrap(err, "forget %s", c.Ref)
	}
	spec, wrong := readPrices(*c.New)
	if len(wrong) > 0 {
		return fault.At(fmt.Sprintf("PriceList %s is not valid", c.New.Metadata.Name), wrong...)
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return fault.Wrap(err, "encode %s", c.Ref)
	}
	_, err = tx.Exec(ctx, "INSERT INTO stack_prices (ref, space, spec) VALUES ($1,$2,$3) ON CONFLICT (ref) DO UPDATE SET space=excluded.space, spec=excluded.spec",
		c.Ref.String(), c.Space, string(raw))
	return fault.Wrap(err, "keep %s", c.Ref)
}

// priceList is a list that counts for a stack.
type priceList struct {
	name, space string
	PriceSpec
}

// pricesFor gives the lists that count in a space: its own, then those of the spaces above from which it inherits, by name.
func (s *Service) pricesFor(ctx context.Context, space string) (lists []priceList, err error) {
	up, err := s.Access.Inherited(ctx, space)
	if err != nil {
		return nil, err
	}
	near := map[string]int{space: 0}
	for i, one := range up {
		if _, known := near[one]; !known {
			near[one] = i + 1
		}
	}
	w := &store.Where{}
	names := []string{space}
	names = append(names, up...)
	w.Add(w.In("space", names))
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(ctx, "SELECT ref, space, spec FROM stack_prices"+w.String()+" ORDER BY ref LIMIT "+w.Arg(mostLists), w.Args...)
		lists, err = store.Collect(rows, err, func(row store.Row) (p priceList, err error) {
			var text string
			if err := row.Scan(&p.name, &p.space, &text); err != nil {
				return p, err
			}
			return p, json.Unmarshal([]byte(text), &p.PriceSpec)
		})
		return fault.Wrap(err, "read the prices of space %s", space)
	})
	sortByNear(lists, near)
	return lists, err
}

// attribute gives an attribute by its path, such as root_block_device.0.volume_size.
func attribute(values any, field string) (any, bool) {
	for part := range strings.SplitSeq(field, ".") {
		switch v := values.(type) {
		case map[string]any:
			next, there := v[part]
			if !there {
				return nil, false
			}
			values = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			values = v[i]
		default:
			return nil, false
		}
	}
	return values, true
}
