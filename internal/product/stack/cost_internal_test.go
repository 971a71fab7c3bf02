package stack

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

func prices(t *testing.T, text string) (PriceSpec, string) {
	t.Helper()
	docs, err := document.Parse("prices.yaml", []byte("apiVersion: roadbed.dev/v1\nkind: PriceList\nmetadata: {name: list}\nspec:\n"+text), document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	spec, wrong := readPrices(docs[0])
	if len(wrong) > 0 {
		return spec, fmt.Sprint(wrong)
	}
	return spec, ""
}

const someprices = `
  currency: EUR
  prices:
    - {resource: vm, name: compute, match: {size: [small, tiny]}, monthly: 10}
    - {resource: vm, name: compute, match: {size: large}, monthly: 40}
    - {resource: vm, name: disk, unit: GB, monthly: 0.1, quantity: "values.disk[0].size * 2.0"}
    - {resource: vm, name: address, monthly: 3, when: "has(values.public) && values.public"}
    - {resource: bucket, monthly: 5, quantity: "values.name.size() > 3 ? 1.0 : 0.5"}
`

func vm(size string, disk any, more map[string]any) map[string]any {
	out := map[string]any{"size": size, "disk": []any{map[string]any{"size": disk}}}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func TestAPlanIsPriced(t *testing.T) {
	t.Parallel()
	spec, wrong := prices(t, someprices)
	if wrong != "" {
		t.Fatal(wrong)
	}
	plan := Plan{Changes: []Change{
		{Address: "vm.new", Type: "vm", Mode: "managed", After: vm("small", 50.0, map[string]any{"public": true})},
		{Address: "vm.grown", Type: "vm", Mode: "managed", Before: vm("tiny", 10.0, nil), After: vm("large", 10.0, nil)},
		{Address: "vm.same", Type: "vm", Mode: "managed", Before: vm("large", 1.0, nil), After: vm("large", 1.0, nil)},
		{Address: "vm.gone", Type: "vm", Mode: "managed", Before: vm("large", 100.0, nil)},
		{Address: "bucket.logs", Type: "bucket", Mode: "managed", After: map[string]any{"name": "logs"}},
		{Address: "vm.odd", Type: "vm", Mode: "managed", After: map[string]any{"size": "huge"}},
		{Address: "queue.a", Type: "queue", Mode: "managed", After: map[string]any{}},
		{Address: "data.vm.x", Type: "vm", Mode: "data", After: vm("small", 1.0, nil)},
	}}
	c := price(t.Context(), plan, []priceList{{name: "pricelist:default/list", PriceSpec: spec}})
	got := map[string]string{}
	for _, r := range c.Resources {
		got[r.Address] = fmt.Sprintf("%g %g %g %d", r.Before, r.After, r.Delta, len(r.Parts))
	}
	for address, want := range map[string]string{
		"vm.new": "0 23 23 3", "vm.grown": "12 42 30 2", "vm.same": "40.2 40.2 0 2", "vm.gone": "60 0 -60 2", "bucket.logs": "0 5 5 1",
	} {
		if got[address] != want {
			t.Errorf("%s costs %s, want %s", address, got[address], want)
		}
	}
	if c.Before != 112.2 || c.After != 110.2 || c.Delta != -2 || c.Currency != "EUR" || c.Priced != 5 || c.Unpriced != 2 || len(c.Resources) != 5 {
		t.Errorf("together it is %+v", c)
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "vm.odd: quantity of disk") {
		t.Errorf("it says %q", c.Notes)
	}
}

func TestTheNearestListCounts(t *testing.T) {
	t.Parallel()
	near, _ := prices(t, "  currency: EUR\n  prices: [{resource: vm, name: compute, monthly: 1}]\n")
	far, _ := prices(t, someprices)
	other, _ := prices(t, "  currency: USD\n  prices: [{resource: queue, monthly: 7}]\n")
	plan := Plan{Changes: []Change{{Address: "vm.a", Type: "vm", After: vm("small", 10.0, nil)}, {Address: "queue.a", Type: "queue", After: map[string]any{}}}}
	c := price(t.Context(), plan, []priceList{{name: "near", PriceSpec: near}, {name: "far", PriceSpec: far}, {name: "other", PriceSpec: other}})
	if c.After != 3 || c.Unpriced != 1 || strings.Join(c.Lists, " ") != "near far" || !strings.Contains(strings.Join(c.Notes, " "), "other is left out: its currency is USD") {
		t.Errorf("it costs %+v", c)
	}
	if price(t.Context(), plan, nil) != nil {
		t.Error("without a list it costs something")
	}
}

func TestPricingIsBounded(t *testing.T) {
	t.Parallel()
	spec, wrong := prices(t, `
  currency: EUR
  prices:
    - {resource: vm, name: slow, monthly: 1, quantity: "values.all.map(a, values.all.map(b, values.all.map(c, 1))).size()"}
    - {resource: vm, name: endless, monthly: 1, quantity: "values.n / 0.0"}
    - {resource: vm, name: below, monthly: 1, quantity: "0.0 - values.n"}
    - {resource: vm, name: good, monthly: 1, quantity: "values.n"}
`)
	if wrong != "" {
		t.Fatal(wrong)
	}
	all := make([]any, 300)
	for i := range all {
		all[i] = float64(i)
	}
	plan := Plan{}
	for i := range mostPriced + 10 {
		plan.Changes = append(plan.Changes, Change{Address: fmt.Sprint("vm.n", i), Type: "queue", After: map[string]any{}})
	}
	plan.Changes[0] = Change{Address: "vm.n0", Type: "vm", After: map[string]any{"all": all, "n": 2.0}}
	c := price(t.Context(), plan, []priceList{{name: "l", PriceSpec: spec}})
	said := strings.Join(c.Notes, "\n")
	for _, want := range []string{"quantity of slow: operation cancelled: actual cost limit exceeded", "quantity of endless is no number", "quantity of below is no number", "only 20000 of 20010 resources were priced"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in:\n%s", want, said)
		}
	}
	if c.After != 2 || math.IsInf(c.After, 0) {
		t.Errorf("it costs %v", c.After)
	}
}

func TestWhatAPriceListCantSay(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"  currency: euro\n  prices: [{resource: vm, monthly: 1}]\n":                       "is not a currency",
		"  currency: EUR\n  prices: []\n":                                                  "has 0 prices",
		"  currency: EUR\n  prices: [{resource: 'a b', monthly: 1}]\n":                     "is not the type of a resource",
		"  currency: EUR\n  prices: [{resource: vm, monthly: -1}]\n":                       "is not a price",
		"  currency: EUR\n  prices: [{resource: vm, monthly: 1, quantity: 'values.'}]\n":   "column",
		"  currency: EUR\n  prices: [{resource: vm, monthly: 1, quantity: '\"a\"'}]\n":     "not a number",
		"  currency: EUR\n  prices: [{resource: vm, monthly: 1, when: '1 + 1'}]\n":         "not true or false",
		"  currency: EUR\n  prices: [{resource: vm, monthly: 1, quantity: 'secrets.x'}]\n": "undeclared reference",
	} {
		if _, wrong := prices(t, text); !strings.Contains(wrong, want) {
			t.Errorf("%s: %q, want %q", text, wrong, want)
		}
	}
}
