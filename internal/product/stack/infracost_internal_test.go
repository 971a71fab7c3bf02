package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/policy"
	"github.com/roadbed-dev/roadbed/internal/core/run"
	"github.com/roadbed-dev/roadbed/internal/machinery/worker"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// infracostSays has the shape that infracost gives its JSON.
const infracostSays = `{"version":"0.2","currency":"USD","projects":[{"name":"main","metadata":{"path":"plan.json","type":"terraform_plan_json"},
 "pastBreakdown":{"resources":[{"name":"aws_instance.web","resourceType":"aws_instance","hourlyCost":"0.01","monthlyCost":"7.3","costComponents":[{"name":"Instance usage","unit":"hours","hourlyQuantity":"1","monthlyQuantity":"730","price":"0.01","hourlyCost":"0.01","monthlyCost":"7.3"}]}],"totalHourlyCost":"0.01","totalMonthlyCost":"7.3"},
 "breakdown":{"resources":[{"name":"aws_instance.web","resourceType":"aws_instance","monthlyCost":"14.6","costComponents":[{"name":"Instance usage","unit":"hours","monthlyQuantity":"730","price":"0.02","monthlyCost":"14.6"}]},{"name":"aws_s3_bucket.logs","monthlyCost":null}],"totalMonthlyCost":"14.6"},
 "diff":{"resources":[],"totalMonthlyCost":"7.3"},"summary":{}}],
 "totalHourlyCost":"0.02","totalMonthlyCost":"14.6","pastTotalMonthlyCost":"7.3","diffTotalMonthlyCost":"7.3","timeGenerated":"2026-01-01T00:00:00Z","summary":{"totalDetectedResources":3,"totalSupportedResources":2,"totalUnsupportedResources":1}}`

func TestWhatInfracostSaysIsRead(t *testing.T) {
	t.Parallel()
	c, _, err := readInfracost(t.Context(), []byte(infracostSays))
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
		if _, _, err := readInfracost(t.Context(), []byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
	odd := `{"currency": "USD", "projects": [{"breakdown": {"resources": [{"name": "a", "monthlyCost": "1e999"}, {"name": "b", "monthlyCost": "NaN"}, {"name": "c", "monthlyCost": "x"}]}}]}`
	if c, _, err := readInfracost(t.Context(), []byte(odd)); err != nil || c.After != 0 {
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
	c, _, err := readInfracost(t.Context(), resource(disk))
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
	many := `{"name": "many", "costComponents": [` + strings.Repeat(`{"name": "x"},`, mostParts) + `{"name": "x"}]}`
	resources := `{"currency": "USD", "projects": [{"breakdown": {"resources": [` + strings.Repeat(`{"name": "a"},`, 2)
	for i := range mostPriced {
		resources += fmt.Sprintf(`{"name": "a%d"},`, i)
	}
	for name, text := range map[string][]byte{"too deep": resource(deep), "too many parts": resource(many), "too many resources": []byte(resources + `{"name": "b"}]}}]}`)} {
		if _, _, err := readInfracost(t.Context(), text); err == nil || !strings.Contains(err.Error(), "infracost tells of more than 20000 resources, or of more than 1000 parts of one") {
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
		_, _, err := readInfracost(t.Context(), told(metadata))
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
	const key = "INFRACOST_API_KEY"
	for name, c := range map[string]struct {
		in   Input
		asks bool
	}{
		"nothing":             {Input{Env: map[string]string{"REGION": "eu", "INFRACOST_CURRENCY": "EUR"}}, false},
		"a key":               {Input{SecretEnv: map[string]string{key: "default/infracost"}}, true},
		"a key that reads":    {Input{SecretEnv: map[string]string{readOnly + key: "default/infracost"}}, true},
		"a key that writes":   {Input{SecretEnv: map[string]string{writeOnly + key: "default/infracost"}}, false},
		"prices of one's own": {Input{Env: map[string]string{"INFRACOST_PRICING_API_ENDPOINT": "https://prices.example"}}, true},
		"no context's key":    {Input{Env: map[string]string{key: "mine"}, Given: Given{Own: []string{key}}}, false},
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
		"none":                       {"", "", "this pool has no infracost: install it on the pool's machine"},
		"one that tells":             {into + `echo "skips $INFRACOST_SKIP_UPDATE_CHECK" > "$out"`, "skips true\n", ""},
		"one that fails":             {into + `echo half > "$out"; echo "no key" >&2; exit 1`, "", "no key\ninfracost failed"},
		"a silent one":               {"#!/bin/sh\n", "", "infracost wrote nothing"},
		"an odd one":                 {into + `mkdir "$out"`, "", "infracost wrote nothing"},
		"one that tells too much":    {into + `head -c 33554433 /dev/zero > "$out"`, "", "infracost wrote more than 32 MiB"},
		"one that hangs":             {into + `echo half > "$out"; exec sleep 300`, "", "or took longer than 1 seconds"},
		"one that hangs and insists": {into + `echo half > "$out"; trap : TERM; while :; do sleep 1; done`, "", "or took longer than 1 seconds"},
	} {
		for with, timeout := range map[string]string{"": timeoutOf(t), ", where timeout has no -k": "#!/bin/sh\nexit 1\n", ", where there is no timeout": ""} {
			t.Run(name+with, func(t *testing.T) {
				t.Parallel()
				w := newShellWork(t)
				path := infracostPath(t, w, c.program, timeout)
				ask := Input{Limits: Limits{Time: "10m"}}.askInfracost()
				script := "set -eu\ntrap : TERM\n" + phasing + strings.NewReplacer("roadbed_bound=300\n", "roadbed_bound=1\n", `"$roadbed_left" -ge 600`, `1 = 1`, `"$roadbed_bound" -lt 10`, `1 = 2`, "-k 10", "-k 1", "sleep 10\n", "sleep 1\n").Replace(ask) + phaseDone
				began := time.Now()
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
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		}
	}
}

// timeoutOf gives a program that is this machine's timeout.
func timeoutOf(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("timeout")
	if err != nil {
		t.Fatal(err)
	}
	return "#!/bin/sh\nexec " + program + " \"$@\"\n"
}

// infracostPath makes a PATH with little more than infracost, as a program stands in for it, and timeout; "" for none of them.
func infracostPath(t *testing.T, w shellWork, infracost, timeout string) string {
	t.Helper()
	path := filepath.Join(w.dir, "path")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{"rm", "wc", "head", "mkdir", "sleep", "cat", "env"} {
		program, err := exec.LookPath(needed)
		if err == nil {
			err = os.Symlink(program, filepath.Join(path, needed))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, program := range map[string]string{"infracost": infracost, "timeout": timeout} {
		if program != "" {
			w.write("path/"+name, program, 0o700)
		}
	}
	return path
}

// TestInfracostHasAPartOfTheStepsTime: a step that ends before it fails a run.
func TestInfracostHasAPartOfTheStepsTime(t *testing.T) {
	t.Parallel()
	for limit, c := range map[string]struct {
		gone int // seconds
		has  string
	}{"": {0, "300"}, "20m": {0, "300"}, "5m": {0, "150"}, "3m": {100, "40"}, "1m": {0, "30"}, "1m0s": {50, "none"}, "61s": {70, "none"}} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			w := newShellWork(t)
			path := infracostPath(t, w, "#!/bin/sh\n", "#!/bin/sh\n[ \"$1 $2 $3\" = \"-k 10 5\" ] || echo \"has $3\"\n")
			// The clock of phases stands where so much of the step is over.
			ask := strings.Replace(Input{Limits: Limits{Time: limit}}.askInfracost(), "roadbed_phase infracost\n", fmt.Sprintf("roadbed_phase infracost\nroadbed_at_time=set roadbed_clock=%d\n", c.gone*10), 1)
			out, ok := w.run("set -eu\n"+phasing+ask+phaseDone, "PATH="+path)
			want := "has " + c.has + "\n"
			if c.has == "none" {
				want = "nothing is left of the step's time to ask infracost; the price lists alone tell"
			}
			if !ok || !strings.Contains(out, want) {
				t.Errorf("%t, it says\n%s\nwant %q", ok, out, want)
			}
		})
	}
}

// TestInfracostIsToldByContextsAlone: neither the stack's variables, nor its repository, nor a configuration of infracost's that
// lies about has a say.
func TestInfracostIsToldByContextsAlone(t *testing.T) {
	t.Parallel()
	w := newShellWork(t)
	w.write("source/.env", "INFRACOST_PRICING_API_ENDPOINT=https://mine.example\n", 0o600)
	path := infracostPath(t, w, "#!/bin/sh\nwhile [ \"$1\" != --out-file ]; do shift; done\n{ env; [ ! -e .env ] || cat .env; [ ! -e \"$HOME/.config\" ] || echo configured; } > \"$2\"\n", timeoutOf(t))
	for _, name := range []string{"engine", "engine/infracost", "engine/infracost/.config"} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write("engine/infracost/.env", "INFRACOST_PRICING_API_ENDPOINT=https://mine.example\n", 0o600)
	in := Input{
		Given:     Given{Own: []string{"HTTPS_PROXY", "HOME", "INFRACOST_PRICING_API_ENDPOINT", "NOT SET; exit 1", "PATH"}},
		DependsOn: []Dependency{{Outputs: []OutputUse{{Output: "ca", As: "ro_SSL_CERT_FILE"}}}},
	}
	out, ok := w.run("set -eu\n"+phasing+in.askInfracost()+"echo \"then $HTTPS_PROXY\"\n", "PATH="+path, "HTTPS_PROXY=https://mine.example", "SSL_CERT_FILE=mine", "HOME=/mine", "INFRACOST_PRICING_API_ENDPOINT=https://mine.example",
		"INFRACOST_API_KEY=theirs", "NO_PROXY=theirs")
	said := w.read("infracost.json")
	if !ok || !strings.Contains(out, "then https://mine.example") || strings.Contains(said, "mine") || strings.Contains(said, "configured") || strings.Contains(said, "SSL_CERT_FILE") {
		t.Errorf("%t, %s\nit is told\n%s", ok, out, said)
	}
	for _, want := range []string{"INFRACOST_API_KEY=theirs", "NO_PROXY=theirs", "HOME=" + w.dir + "/engine/infracost"} {
		if !strings.Contains(said, want) {
			t.Errorf("it is not told %s:\n%s", want, said)
		}
	}
}

// TestAStackDoesNotChooseItsPrices: variables of Infracost's are refused wherever but a context would set them.
func TestAStackDoesNotChooseItsPrices(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"INFRACOST_PRICING_API_ENDPOINT", "INFRACOST_API_KEY", "ro_INFRACOST_API_KEY", "wo_INFRACOST_X"} {
		want := name + " is taken from contexts alone, since it has a say in what plans cost"
		for _, spec := range []string{
			"  environment: [{name: " + name + ", value: x}]\n", "  environment: [{name: " + name + ", secretRef: default/x}]\n",
			"  dependsOn: [{stack: other, outputs: [{output: x, as: " + name + "}]}]\n",
		} {
			if _, wrong := read(documentOf(t, spec)); len(wrong) != 1 || wrong[0].Message != want || wrong[0].Hint != "put it into a context that the stack has" {
				t.Errorf("%s: %v", spec, wrong)
			}
		}
		for _, text := range []string{"stack_defaults: {environment: {" + name + ": x}}", "stacks: {net: {environment: {" + name + ": x}}}"} {
			for _, file := range []string{ourConfiguration, theirConfiguration} {
				if _, err := parseConfiguration(file, []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		contextOf(t, "metadata: {name: a}\nspec: {variables: [{name: "+name+", value: x}]}")
	}
	if _, wrong := read(documentOf(t, "  dependsOn: [{stack: other, outputs: [{output: x, as: ro_LD_PRELOAD}]}]\n")); len(wrong) != 1 {
		t.Errorf("ro_ before the name of a variable of the platform's gives %v", wrong)
	}
}

// TestContextsOfOneSpaceTellInfracost: of those that do, that which is furthest up, so that who writes contexts below has no say.
func TestContextsOfOneSpaceTellInfracost(t *testing.T) {
	t.Parallel()
	of := func(name, space, variables string) attachment {
		a := contextOf(t, "metadata: {name: "+name+"}\nspec: {variables: ["+variables+"]}")
		a.Space = space
		return a
	}
	up := []string{"crew", "shop", "default"}
	all := []attachment{
		of("root", "default", "{name: REGION, value: eu}"),
		of("shop", "shop", "{name: INFRACOST_API_KEY, secretRef: shop/infracost}"),
		of("shop2", "shop", "{name: INFRACOST_CURRENCY, value: EUR}"),
		of("mine", "crew", "{name: ro_INFRACOST_PRICING_API_ENDPOINT, value: \"https://mine.example\"}, {name: SIZE, value: \"3\"}"),
	}
	names := func(e Environment) (names []string) {
		for _, v := range e.Variables {
			names = append(names, v.Name)
		}
		return names
	}
	taken, warnings := onePricer(all, up)
	e := combine(stackOf(t, "  environment: [{name: HTTPS_PROXY, value: x}, {name: ro_REGION, value: x}]\n  variables: {size: 3}\n"), taken, configuration{})
	if got, want := names(e), []string{"HTTPS_PROXY", "INFRACOST_API_KEY", "INFRACOST_CURRENCY", "REGION", "SIZE", "TF_VAR_size", "ro_REGION"}; !slices.Equal(got, want) {
		t.Errorf("it is given %q, want %q", got, want)
	}
	if !slices.Equal(warnings, []string{"what context:default/mine tells Infracost is left out: a context of space shop, above, tells it"}) {
		t.Errorf("the warnings are %q", warnings)
	}
	if got := e.ownNames(); !slices.Equal(got, []string{"HTTPS_PROXY", "REGION"}) {
		t.Errorf("its own are %q", got)
	}
	if len(all[3].Spec.Variables) != 2 {
		t.Error("the context itself is changed")
	}
	taken, warnings = onePricer(all[3:], up)
	if got := names(combine(stackOf(t, ""), taken, configuration{})); len(got) != 2 || len(warnings) != 0 {
		t.Errorf("alone it gives %q, %q", got, warnings)
	}
	if got := (combine(stackOf(t, "  environment: [{name: A, value: x}]\n"), all[:1], configuration{})).ownNames(); got != nil {
		t.Errorf("%q are noted where Infracost is not asked", got)
	}
}

// TestWhatInfracostSaysIsBounded, whoever's agent brings it: it takes neither long nor much.
func TestWhatInfracostSaysIsBounded(t *testing.T) {
	t.Parallel()
	breakdown := func(side, resources string) string {
		return `{"currency": "USD", "projects": [{"` + side + `": {"resources": [` + resources + `]}}]}`
	}
	var one, deep strings.Builder
	for i := range 20_000 { // of one address, each with another part
		fmt.Fprintf(&one, `{"name":"a","costComponents":[{"name":"p%d"}]},`, i)
	}
	long := strings.Repeat("x", mostName)
	deep.WriteString(`{"name": "a", "subresources": [` + strings.Repeat(`{"name":"b"},`, mostPriceTold) + `{"name":"b"}]}`)
	parts := `{"name":"a%d","costComponents":[` + strings.Repeat(`{"name":"`+long+`"},`, 999) + `{"name":"x"}]},`
	for name, text := range map[string]string{
		"parts of one, now":     breakdown("breakdown", one.String()+`{"name":"a"}`),
		"parts of one, before":  breakdown("pastBreakdown", one.String()+`{"name":"a"}`),
		"resources of one name": breakdown("breakdown", strings.Repeat(`{"name":"a"},`, mostPriceTold)+`{"name":"a"}`),
		"resources within one":  breakdown("breakdown", deep.String()),
		"objects":               breakdown("diff", strings.Repeat(`{},`, mostPriceObjects)+`{}`),
		"a long name":           breakdown("breakdown", `{"name":"`+long+`x"}`),
		"a long name of a part": breakdown("breakdown", `{"name":"a","costComponents":[{"name":"`+long+`x"}]}`),
		"a long name within":    breakdown("breakdown", `{"name":"a","subresources":[{"name":"`+long+`"}]}`),
		"text":                  breakdown("breakdown", fmt.Sprintf(parts, 1)+fmt.Sprintf(parts, 2)+fmt.Sprintf(parts, 3)+fmt.Sprintf(parts, 4)+fmt.Sprintf(parts, 5)+`{"name":"a"}`),
	} {
		if _, _, err := readInfracost(t.Context(), []byte(text)); !fault.Is(err, fault.TooLarge) {
			t.Errorf("too many %s: %v", name, err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, _, err := readInfracost(ctx, []byte(infracostSays)); !errors.Is(err, context.Canceled) {
		t.Errorf("when nobody waits: %v", err)
	}
	// What is told of an address in several places, or twice, is added up.
	c, _, err := readInfracost(t.Context(), []byte(breakdown("breakdown", strings.Repeat(`{"name":"a","monthlyCost":"2","costComponents":[{"name":"p","monthlyCost":"1","monthlyQuantity":"3"},{"name":"p","monthlyCost":"1"}]},`, 2)+`{"name":"b"}`)))
	if err != nil || len(c.Resources) != 2 || c.Resources[0].After != 4 || len(c.Resources[0].Parts) != 1 || c.Resources[0].Parts[0].After != 4 || c.Resources[0].Parts[0].Quantity != 6 {
		t.Errorf("it is %+v, %v", c, err)
	}
}

// TestPoliciesSeeNoTags: what infracost copies out of a plan may be sensitive, and nothing marks it.
func TestPoliciesSeeNoTags(t *testing.T) {
	t.Parallel()
	const hidden = `"tags":{"a":"geheim"},"defaultTags":{"a":"geheim"},"tagPropagation":{"tags":{"a":"geheim"}},"metadata":{"calls":[{"blockName":"geheim"}]}`
	part := `{"name":"Hours","unit":"hours","hourlyQuantity":"1","monthlyQuantity":"730","price":"0.1","hourlyCost":"0.1","monthlyCost":"73","usageBased":true,"priceNotFound":"geheim"}`
	resource := `{"name":"vm.a","resourceType":"vm",` + hidden + `,"hourlyCost":"0.1","monthlyCost":"73","costComponents":[` + part + `],"subresources":[{"name":"disk",` + hidden + `,"monthlyCost":null,"costComponents":[` + part + `]}]}`
	side := `{"resources":[` + resource + `],"freeResources":[{"name":"free.a",` + hidden + `}],"totalHourlyCost":"0.1","totalMonthlyCost":"73"}`
	text := `{"version":"0.2","metadata":{"vcsCommitMessage":"geheim"},"runId":"geheim","currency":"USD","projects":[{"name":"main","metadata":{"path":"plan.json","type":"terraform_plan_json","vcsRepositoryUrl":"geheim",
 "errors":[{"message":"geheim","isError":false}],"providers":[{` + hidden + `}]},"pastBreakdown":` + side + `,"breakdown":` + side + `,"diff":` + side + `,"summary":{"totalDetectedResources":2}}],
 "tagPolicies":["geheim"],"totalHourlyCost":"0.1","totalMonthlyCost":"73","pastTotalHourlyCost":"0.1","pastTotalMonthlyCost":"73","diffTotalHourlyCost":"0.0","diffTotalMonthlyCost":"0","summary":{"totalResources":2,"totalDetectedResources":2,"totalUnsupportedResources":1,"unsupportedResourceCounts":{"x":1}}}`
	c, said, err := readInfracost(t.Context(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	about, log := map[string]any{}, strings.Builder{}
	if err := c.shown(about, "net", said, &log); err != nil || log.String() != "" || len(c.Notes) != 0 {
		t.Fatalf("%v, %s", err, log.String())
	}
	value, err := policy.Seen(about)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(value)
	if err != nil || strings.Contains(string(raw), "geheim") {
		t.Errorf("policies see %s, %v", raw, err)
	}
	for path, want := range map[string]any{
		"projects.0.breakdown.resources.0.name": "vm.a", "projects.0.diff.resources.0.resourceType": "vm", "projects.0.pastBreakdown.resources.0.hourlyCost": "0.1", "projects.0.breakdown.totalMonthlyCost": "73",
		"projects.0.breakdown.resources.0.costComponents.0.usageBased": true, "projects.0.breakdown.resources.0.subresources.0.costComponents.0.hourlyQuantity": "1", "projects.0.breakdown.totalHourlyCost": "0.1",
		"projects.0.metadata.type": "terraform_plan_json", "projects.0.metadata.path": "plan.json", "projects.0.summary.totalDetectedResources": json.Number("2"), "projects.0.breakdown.freeResources.0.name": "free.a",
		"totalMonthlyCost": "73", "pastTotalHourlyCost": "0.1", "diffTotalHourlyCost": "0.0", "summary.unsupportedResourceCounts.x": json.Number("1"), "summary.totalResources": json.Number("2"), "version": "0.2", "currency": "USD",
	} {
		if got, there := attribute(value, "third_party_metadata.infracost."+path); !there || got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
}

// TestCostsLeaveRoomForThePlan: what costs are told in detail is not why policies can't be asked about a plan.
func TestCostsLeaveRoomForThePlan(t *testing.T) {
	t.Parallel()
	cost := func(resources int) *Cost {
		c := &Cost{Source: ByPrices, Currency: "EUR", Before: 1, After: 9, Delta: 8}
		for i := range resources {
			c.Resources = append(c.Resources, CostOf{Address: fmt.Sprintf("module.much[%d].vm.a", i), Before: 1, After: 2, Delta: 1, Parts: []CostPart{{Name: strings.Repeat("part ", 60), Unit: "hours", After: 2}}})
		}
		return c
	}
	said := func(c *Cost, size int) *infracostDocument {
		d := c.infracost("main")
		d.Projects[0].Name = strings.Repeat("x", size)
		return &d
	}
	for name, c := range map[string]struct {
		cost      *Cost
		said      int // bytes at least; 0 for price lists
		plan      int
		shortened string
		resources float64
		parts     float64
	}{
		"lists":                             {cost(10), 0, 1000, "", 10, 1},
		"infracost":                         {cost(10), 7 << 20, 1000, "", 10, 1},
		"much of infracost":                 {cost(10), 9 << 20, 1000, "what Infracost says beside the costs of resources and their parts", 10, 1},
		"infracost beside a big plan":       {cost(10), 7 << 20, 26 << 20, "what Infracost says beside the costs of resources and their parts", 10, 1},
		"much of lists":                     {cost(15_000), 0, 1000, "the parts of resources", 15_000, 0},
		"lists beside a big plan":           {cost(15_000), 0, policy.MaxInput - 2<<20, "all but the totals", 0, 0},
		"infracost beside the biggest plan": {cost(10), 7 << 20, policy.MaxInput - 3000, "all but the totals", 0, 0},
	} {
		about, log := map[string]any{"plan": strings.Repeat("x", c.plan)}, strings.Builder{}
		var doc *infracostDocument
		if c.said > 0 {
			doc = said(c.cost, c.said)
		}
		if err := c.cost.shown(about, "net", doc, &log); err != nil {
			t.Fatal(err)
		}
		value, err := policy.Seen(about)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at := func(path string) any {
			v, _ := attribute(value, "third_party_metadata.infracost."+path)
			return v
		}
		note := ""
		if c.shortened != "" {
			note = "policies don't see " + c.shortened + ": it is too much beside the plan, or more than 8 MiB"
		}
		if got, _ := at("shortened").(string); got != note || len(c.cost.Notes) > 0 != (note != "") || note != "" && (c.cost.Notes[0] != note || log.String() != "cost: "+note+"\n") {
			t.Errorf("%s: it is shortened by %q, noted %q, logged %q", name, got, c.cost.Notes, log.String())
		}
		if at("diffTotalMonthlyCost") != "8" || at("totalMonthlyCost") != "9" {
			t.Errorf("%s: the totals are %v", name, at("diffTotalMonthlyCost"))
		}
		list, _ := at("projects.0.breakdown.resources").([]any)
		parts, _ := at("projects.0.breakdown.resources.0.costComponents").([]any)
		if float64(len(list)) != c.resources || float64(len(parts)) != c.parts {
			t.Errorf("%s: %d resources, the first of %d parts", name, len(list), len(parts))
		}
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
	back, _, err := readInfracost(t.Context(), raw)
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
		c, _, err := readInfracost(t.Context(), data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(c.infracost("x")); err != nil {
			t.Fatal(err)
		}
	})
}
