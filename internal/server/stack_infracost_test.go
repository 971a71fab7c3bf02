package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// infracostKey is the key that what stands in for Infracost takes.
const infracostKey = "ico-a-long-key-of-these-tests"

// infracost stands in for Infracost's program, which can't be had here: it takes the arguments that Infracost's command line of
// version 0.10 has, wants a key and nobody else's prices, reads the plan that it is given, prices terraform_data by the length of
// its input, and writes JSON of the form that Infracost gives. It shows that the plan, the key and the answer come through; nothing
// of what Infracost itself knows. As that does, it succeeds when it could not price, and says so in its answer.
func infracost(args []string) (code int) {
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	if len(args) == 0 || args[0] != "breakdown" {
		return fail(fmt.Errorf("unknown command %q", args))
	}
	flags := pflag.NewFlagSet("infracost breakdown", pflag.ContinueOnError)
	path, format, out := flags.String("path", "", ""), flags.String("format", "table", ""), flags.String("out-file", "", "")
	flags.Bool("no-color", false, "")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() > 0 || *format != "json" || os.Getenv("INFRACOST_SKIP_UPDATE_CHECK") != "true" {
		return fail(fmt.Errorf("arguments %q: %w", args, err))
	}
	key := os.Getenv("INFRACOST_API_KEY")
	if key == "" {
		return fail(errors.New("no INFRACOST_API_KEY environment variable is set"))
	}
	fmt.Fprintln(os.Stderr, "asked with the key", key)
	mine, err := os.ReadFile(".env") // which Infracost takes variables from
	if free := os.Getenv("INFRACOST_PRICING_API_ENDPOINT") != "" || os.Getenv("HTTPS_PROXY") != "" || err == nil; free {
		return fail(fmt.Errorf("somebody else's prices are asked for, by %q", mine))
	}
	data, err := os.ReadFile(*path)
	if err != nil {
		return fail(err)
	}
	var p struct {
		Format string `json:"format_version"`
		Prior  struct {
			Values infracostValues `json:"values"`
		} `json:"prior_state"`
		Planned *infracostValues `json:"planned_values"`
	}
	if err := json.Unmarshal(data, &p); err != nil || p.Format == "" || p.Planned == nil {
		return fail(fmt.Errorf("could not detect path type for %s: %w", *path, err))
	}
	metadata := map[string]any{"path": *path, "type": "terraform_plan_json"}
	if key != infracostKey {
		metadata["type"], metadata["errors"] = "error", []any{map[string]any{"code": 401, "message": "Infracost free monthly run limit exceeded.", "data": nil, "isError": true}}
		p.Planned.Root, p.Prior.Values.Root = infracostModule{}, infracostModule{}
	}
	past, before := p.Prior.Values.Root.breakdown()
	now, after := p.Planned.Root.breakdown()
	diff, _ := infracostModule{}.breakdown()
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	answer, err := json.Marshal(map[string]any{
		"version": "0.2", "currency": "USD", "metadata": map[string]any{"infracostCommand": "breakdown"},
		"projects":         []any{map[string]any{"name": "main", "metadata": metadata, "pastBreakdown": past, "breakdown": now, "diff": diff}},
		"totalMonthlyCost": text(after), "pastTotalMonthlyCost": text(before), "diffTotalMonthlyCost": text(after - before),
		"timeGenerated": "2026-01-01T00:00:00Z", "summary": map[string]any{"totalDetectedResources": 3, "totalSupportedResources": 2, "totalUnsupportedResources": 1},
	})
	switch os.Getenv("INFRACOST_STANDS_IN") {
	case "garbage":
		answer = []byte("Error: {")
	case "a number":
		answer = []byte("7")
	case "too much":
		answer = append(answer, bytes.Repeat([]byte(" "), 33<<20)...)
	}
	if err == nil {
		err = os.WriteFile(*out, answer, 0o600)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

type infracostValues struct {
	Root infracostModule `json:"root_module"`
}

type infracostModule struct {
	Resources []struct {
		Address string `json:"address"`
		Type    string `json:"type"`
		Values  struct {
			Input string `json:"input"`
		} `json:"values"`
	} `json:"resources"`
	Modules []infracostModule `json:"child_modules"`
}

// breakdown prices half a dollar a letter, and a dollar for a disk.
func (m infracostModule) breakdown() (all map[string]any, total float64) {
	resources := []any{}
	part := func(name, unit string, quantity int, price float64) []any {
		return []any{map[string]any{"name": name, "unit": unit, "monthlyQuantity": fmt.Sprint(quantity), "price": fmt.Sprint(price), "monthlyCost": fmt.Sprint(float64(quantity) * price)}}
	}
	var walk func(m infracostModule)
	walk = func(m infracostModule) {
		for _, r := range m.Resources {
			costs := float64(len(r.Values.Input))/2 + 1
			total += costs
			resources = append(resources, map[string]any{
				"name": r.Address, "resourceType": r.Type, "metadata": map[string]any{}, "tags": map[string]any{"input": r.Values.Input}, "monthlyCost": fmt.Sprint(costs), "costComponents": part("Letters", "letters", len(r.Values.Input), 0.5),
				"subresources": []any{map[string]any{"name": "disk", "metadata": map[string]any{}, "monthlyCost": "1", "costComponents": part("Storage", "GB", 10, 0.1)}},
			})
		}
		for _, child := range m.Modules {
			walk(child)
		}
	}
	walk(m)
	return map[string]any{"resources": resources, "totalMonthlyCost": fmt.Sprint(total)}, total
}

// costly is a configuration of two things, one of them in a module.
func costly(web, db string) map[string]string {
	files := map[string]string{"infra/data/main.tf": "resource \"terraform_data\" \"db\" {\n  input = \"" + db + "\"\n}\n", "infra/main.tf": "module \"data\" {\n  source = \"./data\"\n}\n"}
	if web != "" {
		files["infra/main.tf"] += "resource \"terraform_data\" \"web\" {\n  input = \"" + web + "\"\n}\n"
	}
	return files
}

// byLetters is a price list in whose stead Infracost is asked.
const byLetters = `apiVersion: roadbed.dev/v1
kind: PriceList
metadata: {name: data}
spec:
  owner: group:default/crew
  currency: EUR
  prices:
    - {resource: terraform_data, name: letters, unit: letter, monthly: 10, quantity: "double(values.input.size())"}
`

// TestInfracostTellsWhatAPlanCosts to people and to policies where a context gives a stack its key; and the price lists do where it
// can't. The program is the pool's: nothing of it is on a step's PATH but what is lent.
func TestInfracostTellsWhatAPlanCosts(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Engine, o.infracost = realEngine(t), program
	h, server := openWith(t, o)
	g := newGround(t, h, server)
	if err := g.admin.Do(t.Context(), http.MethodPut, "/secrets/default/infracost", nil, map[string]any{"value": infracostKey}, nil); err != nil {
		t.Fatal(err)
	}
	g.apply(byLetters + `---
apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: infracost}
spec:
  labels: ["autoattach:costs"]
  variables: [{name: INFRACOST_API_KEY, secretRef: default/infracost}]
`)
	g.policy("budget", "plan", `warn[sprintf("costs %s %s more", [c.diffTotalMonthlyCost, c.currency])] { c := input.third_party_metadata.infracost }
warn[sprintf("%s: %s on %s", [p.metadata.type, r.name, r.subresources[0].name])] { p := input.third_party_metadata.infracost.projects[0]; r := p.breakdown.resources[_] }
warn["tags"] { input.third_party_metadata.infracost.projects[_].breakdown.resources[_].tags }`, "")
	first := func(name, more string, files map[string]string) string {
		t.Helper()
		commit := g.push("alice", "crew/"+name, files)
		g.apply(strings.ReplaceAll(stackDocument(name, more), "  variables: {name: "+name+"}\n", ""))
		return g.stackRun(name, commit)
	}
	wantCost := func(id string, before, after float64, resources ...string) {
		t.Helper()
		c := g.plan(id).Cost
		if c == nil || c.Source != "infracost" || c.Currency != "USD" || c.Before != before || c.After != after || c.Delta != after-before || c.Unpriced != 1 || len(c.Notes) != 0 {
			t.Fatalf("the plan costs %s", asJSON(t, c))
		}
		var got []string
		for _, r := range c.Resources {
			got = append(got, fmt.Sprintf("%s %g %g", r.Address, r.Before, r.After))
			if len(r.Parts) != 2 || r.Parts[0].Name != "Letters" || r.Parts[1].Name != "disk: Storage" || r.Parts[0].Before+r.Parts[1].Before != r.Before || r.Parts[0].After+r.Parts[1].After != r.After {
				t.Errorf("the parts of %s are %s", r.Address, asJSON(t, r.Parts))
			}
		}
		if slices.Sort(got); !slices.Equal(got, resources) {
			t.Errorf("it costs %q, want %q", got, resources)
		}
	}

	id := first("net", "  labels: [costs]\n", costly("hello", "letters"))
	r := g.rests(id)
	g.wantRun(r, "unconfirmed", "2 to create")
	if got := slices.Sorted(slices.Values(r.Warnings)); !slices.Equal(got, []string{"costs 8 USD more", "terraform_plan_json: module.data.terraform_data.db on disk", "terraform_plan_json: terraform_data.web on disk"}) {
		t.Errorf("the warnings are %q", got)
	}
	var out stack.Output
	if err := json.Unmarshal(r.Output, &out); err != nil || out.Cost == nil || out.Cost.Source != stack.ByInfracost || out.Cost.After != 8 || len(out.Cost.Resources) != 0 {
		t.Errorf("the run shows %s, %v", r.Output, err)
	}
	wantCost(id, 0, 8, "module.data.terraform_data.db 0 4.5", "terraform_data.web 0 3.5")
	wantInOrder(t, g.log(id, "judge"), "cost, by infracost: 8.00 USD in a month, 0.00 before, +8.00")
	wantInOrder(t, g.log(id, "show"), "── show", "── infracost", "asked with the key ***", "── done")
	g.wantRun(g.confirms(id), "finished", "applied: 2 to create")

	// What is there costs something before the plan, and what goes costs nothing after it.
	id = g.stackRun("net", g.push("alice", "crew/net", costly("", "letters and more")))
	r = g.rests(id)
	g.wantRun(r, "unconfirmed", "1 to change, 1 to destroy")
	if !slices.Contains(r.Warnings, "costs 1 USD more") {
		t.Errorf("the warnings are %q", r.Warnings)
	}
	wantCost(id, 8, 9, "module.data.terraform_data.db 4.5 9", "terraform_data.web 3.5 0")

	// No plan fails because its costs are not known.
	given := func(name, key, does string) string {
		g.apply(fmt.Sprintf("apiVersion: roadbed.dev/v1\nkind: Context\nmetadata: {name: infracost-%s}\nspec: {variables: [{name: INFRACOST_API_KEY, value: '%s'}, {name: INFRACOST_STANDS_IN, value: '%s'}]}\n", name, key, does))
		return "  contexts: [infracost-" + name + "]\n"
	}
	const spent = "infracost can't price this plan: Infracost free monthly run limit exceeded."
	for name, c := range map[string]struct{ key, does, step, says, note string }{
		"no-key":   {"", "", "show", "no INFRACOST_API_KEY environment variable is set\ninfracost failed, or took longer than 300 seconds; the price lists alone tell", ""},
		"spent":    {"spent", "", "judge", "cost: " + spent + "\ncost, by price lists: ", spent},
		"garbage":  {infracostKey, "garbage", "judge", "cost: read what infracost says: ", "read what infracost says: "},
		"a-number": {infracostKey, "a number", "judge", "cost: read what infracost says: ", "read what infracost says: "},
		"too-much": {infracostKey, "too much", "show", "infracost wrote more than 32 MiB; the price lists alone tell", ""},
	} {
		id := first(name, given(name, c.key, c.does), costly("hello", "letters"))
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "2 to create")
		if !slices.Equal(r.Warnings, []string{"costs 120 EUR more"}) {
			t.Errorf("%s: the warnings are %q", name, r.Warnings)
		}
		if log := g.log(id, c.step); !strings.Contains(log, c.says) {
			t.Errorf("%s: %q is missing in\n%s", name, c.says, log)
		}
		if cost := g.plan(id).Cost; cost == nil || cost.Source != "prices" || cost.After != 120 || (len(cost.Notes) > 0) != (c.note != "") || c.note != "" && !strings.HasPrefix(cost.Notes[0], c.note) {
			t.Errorf("%s: it costs %s", name, asJSON(t, cost))
		}
	}

	// Who writes a stack, or what it runs, has no say in what Infracost tells: its proxy and its .env are not Infracost's.
	files := costly("hello", "letters")
	files["infra/.env"], files[".env"] = "INFRACOST_PRICING_API_ENDPOINT=https://mine.example\n", "INFRACOST_PRICING_API_ENDPOINT=https://mine.example\n"
	id = first("mine", "  labels: [costs]\n  environment: [{name: HTTPS_PROXY, value: 'http://127.0.0.1:9'}]\n", files)
	g.wantRun(g.rests(id), "unconfirmed", "2 to create")
	wantCost(id, 0, 8, "module.data.terraform_data.db 0 4.5", "terraform_data.web 0 3.5")
	const refused = "INFRACOST_PRICING_API_ENDPOINT is taken from contexts alone"
	text := stackDocument("mine", "  environment: [{name: INFRACOST_PRICING_API_ENDPOINT, value: 'https://mine.example'}]\n")
	if err := g.try("admin", text); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("a stack that chooses its prices: %v", err)
	}
	files[".roadbed/config.yml"] = "stacks: {chosen: {environment: {INFRACOST_PRICING_API_ENDPOINT: 'https://mine.example'}}}\n"
	g.wantRun(g.rests(first("chosen", "  labels: [costs]\n", files)), "failed", refused)

	// A stack without a key asks nobody, and waits for no step more.
	id = first("plain", "", costly("hello", "letters"))
	r = g.rests(id)
	g.wantRun(r, "unconfirmed", "2 to create")
	if cost := g.plan(id).Cost; cost == nil || cost.Source != "prices" || slices.ContainsFunc(r.Steps, func(s client.Step) bool { return strings.HasPrefix(s.Key, "show") }) {
		t.Errorf("without a key it costs %s by %s", asJSON(t, cost), asJSON(t, r.Steps))
	}
}

// TestInfracostIsLentToContainers: the image of the steps need not have it.
func TestInfracostIsLentToContainers(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	answer := asJSON(t, map[string]any{"version": "0.2", "currency": "USD", "projects": []any{}, "totalMonthlyCost": "42"})
	program := filepath.Join(t.TempDir(), "infracost")
	if err := os.WriteFile(program, []byte(`#!/bin/sh
[ "$1 $2 $4 $5 $6" = "breakdown --path --format json --out-file" ] && grep -q '"planned_values":.*terraform_data' "$3" && echo '`+answer+`' > "$7"
`), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Executor, o.Containers, o.infracost = containerExecutor, Containers{Host: engine.Host, Image: containertest.Shell}, program
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	h, server := openWith(t, o)
	needs(t, h.engine.path())
	g := newGround(t, h, server)
	g.apply("apiVersion: roadbed.dev/v1\nkind: Context\nmetadata: {name: infracost}\nspec: {variables: [{name: INFRACOST_API_KEY, value: " + infracostKey + "}]}\n")
	id := g.stack("net", lightInfra, "  contexts: [infracost]\n")
	g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	if c := g.plan(id).Cost; c == nil || c.Source != "infracost" || c.After != 42 {
		t.Errorf("the plan costs %s:\n%s", asJSON(t, c), g.log(id, "show"))
	}
}
