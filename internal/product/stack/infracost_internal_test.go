package stack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
)

// infracostSays has the shape that infracost gives its JSON.
const infracostSays = `{"version":"0.2","currency":"USD","projects":[{"name":"main","metadata":{"path":"plan.json","type":"terraform_plan_json"},
 "pastBreakdown":{"resources":[{"name":"aws_instance.web","resourceType":"aws_instance","hourlyCost":"0.01","monthlyCost":"7.3","costComponents":[{"name":"Instance usage","unit":"hours","hourlyQuantity":"1","monthlyQuantity":"730","price":"0.01","hourlyCost":"0.01","monthlyCost":"7.3"}]}],"totalHourlyCost":"0.01","totalMonthlyCost":"7.3"},
 "breakdown":{"resources":[{"name":"aws_instance.web","resourceType":"aws_instance","monthlyCost":"14.6","costComponents":[{"name":"Instance usage","unit":"hours","monthlyQuantity":"730","price":"0.02","monthlyCost":"14.6"}]},{"name":"aws_s3_bucket.logs","monthlyCost":null}],"totalMonthlyCost":"14.6"},
 "diff":{"resources":[],"totalMonthlyCost":"7.3"},"summary":{}}],
 "totalHourlyCost":"0.02","totalMonthlyCost":"14.6","pastTotalMonthlyCost":"7.3","diffTotalMonthlyCost":"7.3","timeGenerated":"2026-01-01T00:00:00Z","summary":{"totalDetectedResources":3,"totalSupportedResources":2,"totalUnsupportedResources":1}}`

func TestWhatInfracostSaysIsRead(t *testing.T) {
	t.Parallel()
	c, err := readInfracost([]byte(infracostSays))
	if err != nil {
		t.Fatal(err)
	}
	if c.Source != ByInfracost || c.Currency != "USD" || c.Before != 7.3 || c.After != 14.6 || c.Delta != 7.3 || c.Unpriced != 1 || len(c.Resources) != 2 {
		t.Errorf("it is %+v", c)
	}
	if web := c.Resources[0]; web.Address != "aws_instance.web" || web.Delta != 7.3 || len(web.Parts) != 1 || web.Parts[0].Quantity != 730 || web.Parts[0].Before != 7.3 {
		t.Errorf("the instance is %+v", web)
	}
	for _, text := range []string{"", "7", "{}", `{"projects": 7}`, `{"projects": [], "currency": ""}`, `{"projects": [], "currency": "dollars"}`} {
		if _, err := readInfracost([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	odd := `{"currency": "USD", "projects": [{"breakdown": {"resources": [{"name": "a", "monthlyCost": "1e999"}, {"name": "b", "monthlyCost": "NaN"}, {"name": "c", "monthlyCost": "x"}]}}]}`
	if c, err := readInfracost([]byte(odd)); err != nil || c.After != 0 {
		t.Errorf("odd numbers are read as %+v, %v", c, err)
	}
}

// TestInfracostsPartsAreTold with those of what is within a resource, whose costs the resource's own have in them.
func TestInfracostsPartsAreTold(t *testing.T) {
	t.Parallel()
	disk := `{"name": "disk", "monthlyCost": "5", "costComponents": [{"name": "Storage", "unit": "GB", "monthlyQuantity": "50", "price": "0.1", "monthlyCost": "5"}]}`
	resource := func(within string) []byte {
		return []byte(`{"currency": "USD", "projects": [{"breakdown": {"totalMonthlyCost": "12", "resources": [{"name": "vm.a", "monthlyCost": "12", "costComponents":
 [{"name": "Hours", "unit": "hours", "monthlyQuantity": "70", "price": "0.1", "monthlyCost": "7"}], "subresources": [` + within + `]}]}}]}`)
	}
	c, err := readInfracost(resource(disk))
	if err != nil || c.After != 12 || len(c.Resources) != 1 {
		t.Fatalf("it is %+v, %v", c, err)
	}
	want := []CostPart{{Name: "Hours", Unit: "hours", Price: 0.1, Quantity: 70, After: 7}, {Name: "disk: Storage", Unit: "GB", Price: 0.1, Quantity: 50, After: 5}}
	if a := c.Resources[0]; a.After != 12 || !slices.Equal(a.Parts, want) {
		t.Errorf("the resource is %+v", a)
	}
	deep := disk
	for range deepestPart {
		deep = `{"name": "in", "subresources": [` + deep + `]}`
	}
	many := `{"name": "many", "costComponents": [` + strings.Repeat(`{"name": "x"},`, mostParts-1) + `{"name": "x"}]}`
	resources := `{"currency": "USD", "projects": [{"breakdown": {"resources": [` + strings.Repeat(`{"name": "a"},`, 2)
	for i := range mostPriced {
		resources += fmt.Sprintf(`{"name": "a%d"},`, i)
	}
	for name, text := range map[string][]byte{"too deep": resource(deep), "too many parts": resource(many), "too many resources": []byte(resources + `{"name": "b"}]}}]}`)} {
		if _, err := readInfracost(text); err == nil || !strings.Contains(err.Error(), "infracost tells of more than 20000 resources, or of more than 1000 parts of one") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatInfracostCouldNotPriceHasNoCosts: it succeeds all the same then, and says that everything costs nothing.
func TestWhatInfracostCouldNotPriceHasNoCosts(t *testing.T) {
	t.Parallel()
	told := func(metadata string) []byte {
		return []byte(`{"currency": "USD", "totalMonthlyCost": "0", "projects": [{"name": "main", "metadata": ` + metadata + `, "breakdown": {"resources": [], "totalMonthlyCost": "0"}}]}`)
	}
	for metadata, want := range map[string]string{
		`{"type": "error", "errors": [{"code": 401, "message": "the limit of\n runs is reached", "data": null, "isError": true}]}`: "infracost can't price this plan: the limit of runs is reached",
		`{"errors": [{"code": 102, "message": "` + strings.Repeat("é", 1000) + `"}]}`:                                              "infracost can't price this plan: " + strings.Repeat("é", 300),
		`{"errors": [{"code": 1, "message": "only a warning", "isError": false}]}`:                                                 "",
		`{"errors": []}`: "",
		`null`:           "",
	} {
		_, err := readInfracost(told(metadata))
		said := ""
		if err != nil {
			said = err.Error()
		}
		if said != want {
			t.Errorf("%s: %q, want %q", metadata, said, want)
		}
	}
}

// TestOnlyStacksWithAKeyAskInfracost, in a step of its own that is lent the program.
func TestOnlyStacksWithAKeyAskInfracost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   Input
		asks bool
	}{
		"nothing":             {Input{Env: map[string]string{"REGION": "eu", "INFRACOST_CURRENCY": "EUR"}}, false},
		"a key":               {Input{SecretEnv: map[string]string{"INFRACOST_API_KEY": "default/infracost"}}, true},
		"a key that reads":    {Input{SecretEnv: map[string]string{"ro_INFRACOST_API_KEY": "default/infracost"}}, true},
		"prices of one's own": {Input{Env: map[string]string{"INFRACOST_PRICING_API_ENDPOINT": "https://prices.example"}}, true},
	} {
		r := &run.Run{ID: "run_1"}
		c.in.Stack = "stack:default/net"
		plan, show := planStep(r, c.in, 1).Job, showStep(r, c.in, made{plan: "x"}, 1).Job
		script := show.Argv[len(show.Argv)-1]
		if (plan.Then == nil) != c.asks || strings.Contains(script, "infracost breakdown") != c.asks || slices.Contains(show.Extras, ToolInfracost) != c.asks || slices.Contains(plan.Extras, ToolInfracost) {
			t.Errorf("%s: the plan's step goes on with %v, and the one that reads it has %v and runs\n%s", name, plan.Then, show.Extras, script)
		}
		if said := slices.ContainsFunc(show.Outputs, func(o worker.Output) bool { return o.Name == ByInfracost }); said != c.asks || !strings.HasSuffix(script, phaseDone) {
			t.Errorf("%s: it gives %v", name, show.Outputs)
		}
	}
}

// TestInfracostIsNoFaultOfAPlan runs what a step does with programs that stand in for infracost: whatever becomes of them, the
// step goes on, and leaves nothing that is not whole.
func TestInfracostIsNoFaultOfAPlan(t *testing.T) {
	t.Parallel()
	const into = "#!/bin/sh\nwhile [ \"$1\" != --out-file ]; do shift; done\nout=$2\n"
	for name, c := range map[string]struct{ program, leaves, says string }{
		"none":                    {"", "", "this pool has no infracost: install it on the pool's machine"},
		"one that tells":          {into + `echo "skips $INFRACOST_SKIP_UPDATE_CHECK" > "$out"`, "skips true\n", ""},
		"one that fails":          {into + `echo half > "$out"; echo "no key" >&2; exit 1`, "", "no key\ninfracost failed"},
		"a silent one":            {"#!/bin/sh\n", "", "infracost wrote nothing"},
		"an odd one":              {into + `mkdir "$out"`, "", "infracost wrote nothing"},
		"one that tells too much": {into + `head -c 33554433 /dev/zero > "$out"`, "", "infracost wrote more than 32 MiB"},
		"one that hangs":          {into + `echo half > "$out"; exec sleep 300`, "", "or took longer than 5 minutes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			path := filepath.Join(w.dir, "path")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, needed := range []string{"rm", "wc", "head", "mkdir", "sleep", "timeout"} {
				program, err := exec.LookPath(needed)
				if err == nil {
					err = os.Symlink(program, filepath.Join(path, needed))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if c.program != "" {
				w.write("path/infracost", c.program, 0o700)
			}
			script := "set -eu\n" + phasing + strings.Replace(askInfracost, "timeout 300", "timeout 1", 1) + phaseDone
			out, ok := w.run(script, "PATH="+path)
			if !ok || !slices.Equal(phasesOf(out), []string{"infracost", "done"}) || !strings.Contains(out, c.says) {
				t.Errorf("%t, it says\n%s", ok, out)
			}
			if told := strings.Contains(out, "the price lists alone tell"); told != (c.says != "") {
				t.Errorf("whose prices count is not said:\n%s", out)
			}
			if got := w.read("infracost.json"); got != c.leaves {
				t.Errorf("it leaves %.100q", got)
			}
		})
	}
}

// TestPoliciesSeeCostsAsInfracostGivesThem: what is written for policies is read as infracost's own.
func TestPoliciesSeeCostsAsInfracostGivesThem(t *testing.T) {
	t.Parallel()
	c := &Cost{Source: ByPrices, Currency: "EUR", Before: 1, After: 3.5, Delta: 2.5, Priced: 1, Resources: []CostOf{{Address: "vm.a", Before: 1, After: 3.5, Delta: 2.5, Parts: []CostPart{{Name: "compute", Price: 0.5, QuantityBefore: 2, Quantity: 7, Before: 1, After: 3.5}}}}}
	raw, err := json.Marshal(c.infracost("net"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"diffTotalMonthlyCost":"2.5"`) || !strings.Contains(string(raw), `"breakdown":{"resources":[{"name":"vm.a"`) {
		t.Errorf("policies see %s", raw)
	}
	back, err := readInfracost(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", back.Resources), fmt.Sprintf("%+v", c.Resources); got != want || back.Delta != c.Delta {
		t.Errorf("it is read as %s, want %s", got, want)
	}
}

func FuzzReadInfracost(f *testing.F) {
	f.Add([]byte(infracostSays))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readInfracost(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(c.infracost("x")); err != nil {
			t.Fatal(err)
		}
	})
}
