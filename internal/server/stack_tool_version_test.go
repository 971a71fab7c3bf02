package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/kubernetestest"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
)

// toolReleases has a server download vendors' programs from a site.
func toolReleases(o *Options, site *toolchaintest.Site) {
	o.Download = true
	o.KubectlReleases, o.TerragruntReleases, o.PulumiReleases = site.Mirror("kubectl"), site.Mirror("terragrunt"), site.Mirror("pulumi")
	o.releases = releases{http: site.Transport()}
}

// built reads a program that was built for tests.
func built(t *testing.T, folder, name string) []byte {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(cache, "roadbed", folder, name))
	if err != nil {
		lacktest.Skip(t, "there is no %s of %s; run make kubernetes and make pulumi", name, folder)
	}
	return data
}

// standsIn is what stands in for a version of Terragrunt, which can't be had here.
func standsIn(version string) []byte {
	return fmt.Appendf(nil, `#!/bin/sh
set -eu
if [ "$1" = --version ]; then
  echo "terragrunt version v%s"
  exit
fi
echo "by terragrunt %[1]s: $1" >&2
exec "$TG_TF_PATH" "$@"
`, version)
}

func (g *ground) environmentOf(name string) client.StackEnvironment {
	g.t.Helper()
	e, err := client.Get[client.StackEnvironment](g.t.Context(), g.admin, "/stacks/default/"+name+"/environment", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return e
}

// TestStacksChooseVersionsOfTerragrunt has units run by the machine's own, where that will do, and else by one that is downloaded
// once, from plan to apply.
func TestStacksChooseVersionsOfTerragrunt(t *testing.T) {
	t.Parallel()
	engine := realEngine(t)
	own := filepath.Join(t.TempDir(), "terragrunt")
	if err := os.WriteFile(own, standsIn("0.99.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	eachDatabase(t, func(t *testing.T, database string) {
		site := toolchaintest.New(t, nil, nil)
		for _, v := range []string{"0.98.0", "0.98.3", "0.99.4", "1.0.0"} {
			site.Release(t, "terragrunt", v, map[string][]byte{"terragrunt": standsIn(v)})
		}
		o := options(t)
		o.Database, o.Engine, o.terragrunt = database, engine, own
		toolReleases(&o, site)
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		unit := map[string]string{"terragrunt.hcl": "", "main.tf": "resource \"terraform_data\" \"one\" {}\n"}
		for _, x := range []struct{ name, wanted, by string }{
			{"any", "", "0.99.1"}, {"own", "0.99", "0.99.1"}, {"older", "~0.98", "0.98.3"}, {"range", "< 0.99", "0.98.3"}, {"newest", "latest", "1.0.0"},
		} {
			vendor := "{}"
			if x.wanted != "" {
				vendor = "{terragruntVersion: '" + x.wanted + "'}"
			}
			id := g.tool(x.name, "  vendor: {terragrunt: "+vendor+"}\n", unit)
			g.wantRun(g.rests(id), "unconfirmed", "1 to create")
			g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
			for _, step := range []string{"plan", "apply"} {
				log := g.log(id, step)
				if !strings.Contains(log, "roadbed: terragrunt "+x.by+"\n") || !strings.Contains(log, "by terragrunt "+x.by+": "+step) {
					t.Errorf("%s: the log of %s is\n%s", x.name, step, log)
				}
				if downloads := strings.Contains(log, "roadbed: downloaded Terragrunt "+x.by+" from "+site.Mirror("terragrunt")); downloads != (step == "plan" && (x.name == "older" || x.name == "newest")) {
					t.Errorf("%s: the log of %s tells of a download: %v\n%s", x.name, step, downloads, log)
				}
			}
			if e := g.environmentOf(x.name); e.Tool == nil || e.Tool.Name != "terragrunt" || e.Tool.Wanted != x.wanted || x.wanted != "" && e.Tool.Version != x.by {
				t.Errorf("%s: runs use %+v", x.name, e.Tool)
			}
		}
		if n := site.Asked.Load(); n != 2 {
			t.Errorf("%d were downloaded", n)
		}

		// What there is not is told before anything is planned, or by the step that would have it.
		r := until(t, g.admin, g.tool("none", "  vendor: {terragrunt: {terragruntVersion: '0.97'}}\n", unit), ended)
		g.wantRun(r, "failed", "the stack asks for a program that can't be had: there is no Terragrunt 0.97 here")
		if len(r.Steps) > 0 || !strings.Contains(r.Reason, "to be downloaded are 1.0.0, 0.99.4, 0.98.3, 0.98.0") {
			t.Errorf("%s, after %d steps", r.Reason, len(r.Steps))
		}
		r = until(t, g.admin, g.tool("exactly", "  vendor: {terragrunt: {terragruntVersion: 0.97.1}}\n", unit), ended)
		if g.wantRun(r, "failed", "download Terragrunt 0.97.1 from "+site.Mirror("terragrunt")); !strings.Contains(r.Reason, "404") {
			t.Error(r.Reason)
		}
	})
}

// TestAWrongChecksumOfATool ends the run that asks for it with what is wrong, and keeps nothing.
func TestAWrongChecksumOfATool(t *testing.T) {
	t.Parallel()
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "terragrunt", "0.98.0", map[string][]byte{"terragrunt": standsIn("0.98.0")})
	site.Wrong("SHA256SUMS")
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Engine = database, realEngine(t)
		toolReleases(&o, site)
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		r := until(t, g.admin, g.tool("unit", "  vendor: {terragrunt: {terragruntVersion: 0.98.0}}\n", map[string]string{"terragrunt.hcl": ""}), ended)
		if g.wantRun(r, "failed", "planning: "); !strings.Contains(r.Reason, "SHA-256 of terragrunt_") {
			t.Errorf("it failed for %s", r.Reason)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Data, "tools", "engines", "terragrunt", "0.98.0", "*")); len(left) > 0 {
			t.Errorf("%v is kept", left)
		}
	})
}

// TestWithoutDownloadsRunsTellWhatToInstall has the machine's own program be another than a stack asks for.
func TestWithoutDownloadsRunsTellWhatToInstall(t *testing.T) {
	t.Parallel()
	own := filepath.Join(t.TempDir(), "terragrunt")
	if err := os.WriteFile(own, standsIn("0.99.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.terragrunt = database, own
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		r := until(t, g.admin, g.tool("unit", "  vendor: {terragrunt: {terragruntVersion: '1.0'}}\n", map[string]string{"terragrunt.hcl": ""}), ended)
		g.wantRun(r, "failed", "the stack asks for a program that can't be had: there is no Terragrunt 1.0 here: this server has 0.99.1")
		for _, want := range []string{"--download-engine=false", "install Terragrunt 1.0 on the machine's PATH", filepath.Join("engines", "terragrunt", "VERSION", "terragrunt")} {
			if !strings.Contains(r.Reason, want) {
				t.Errorf("%s; want %s", r.Reason, want)
			}
		}
		if e := g.environmentOf("unit"); !strings.Contains(e.Wrong, "there is no Terragrunt 1.0 here") {
			t.Errorf("its environment says %q", e.Wrong)
		}
	})
}

// TestManifestsAreAppliedByADownloadedKubectl in a real cluster, by the real program.
func TestManifestsAreAppliedByADownloadedKubectl(t *testing.T) {
	t.Parallel()
	cluster := kubernetestest.Start(t)
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "kubectl", kubernetestest.Version, map[string][]byte{"kubectl": built(t, "kubernetes-"+kubernetestest.Version, "kubectl")})
	kubeconfig, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "kubectl")
	if err := os.WriteFile(own, toolchaintest.Program("kubectl", "1.32.4"), 0o755); err != nil {
		t.Fatal(err)
	}
	minor := kubernetestest.Version[:strings.LastIndex(kubernetestest.Version, ".")]
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Network, o.kubectl = database, true, own
		toolReleases(&o, site)
		h, server := openWith(t, o)
		g := newGround(t, h, server)
		if err := g.admin.Do(t.Context(), "PUT", "/secrets/default/kubeconfig", nil, map[string]any{"value": string(kubeconfig)}, nil); err != nil {
			t.Fatal(err)
		}
		name := "tool-" + strings.ToLower(string(h.DB.Dialect()))
		cluster.Delete(t, "configmap/"+name)
		id := g.tool("shop", "  vendor: {kubernetes: {kubectlVersion: '"+minor+"'}}\n"+reach, map[string]string{
			"all.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", namespace: default}\ndata: {level: info}\n",
		})
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
		for step, want := range map[string]string{"plan": "roadbed: downloaded kubectl " + kubernetestest.Version, "show": "roadbed: kubectl " + kubernetestest.Version, "apply": "roadbed: kubectl " + kubernetestest.Version} {
			if log := g.log(id, step); !strings.Contains(log, want) {
				t.Errorf("the log of %s is\n%s", step, log)
			}
		}
		if got := cluster.Run(t, "get", "configmap/"+name, "-n", "default", "-o", "jsonpath={.data.level}"); got != "info" {
			t.Errorf("the cluster has %q", got)
		}
	})
}

// TestAProgramIsUpdatedByADownloadedPulumi by the real program, with the languages of its archive.
func TestAProgramIsUpdatedByADownloadedPulumi(t *testing.T) {
	t.Parallel()
	folder, files := "pulumi-"+pulumiVersion, map[string][]byte{}
	for _, name := range []string{"pulumi", "pulumi-language-yaml", "pulumi-resource-shelf"} {
		files[name] = built(t, folder, name)
	}
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "pulumi", pulumiVersion, files)
	eachDatabase(t, func(t *testing.T, database string) {
		there := newShelf(t)
		o := options(t)
		o.Database, o.Network = database, true
		toolReleases(&o, site)
		h, server := openWith(t, o)
		if v, _ := h.engine.Machine(t.Context(), "pulumi", true); v != "" {
			lacktest.Skip(t, "the machine has Pulumi %s anyway", v)
		}
		g := newGround(t, h, server)
		more := "  vendor: {pulumi: {stackName: prod, pulumiVersion: ~> 3.274.0}}\n  network: true\n  environment: [{name: SHELF, value: '" + there.url + "'}]\n  variables: {says: hello, sizes: [1]}\n"
		id := g.tool("shop", more, map[string]string{"Pulumi.yaml": pulumiProgram})
		g.wantRun(g.rests(id), "unconfirmed", "3 to create")
		if log := g.log(id, "plan"); !strings.Contains(log, "roadbed: downloaded Pulumi "+pulumiVersion) || !strings.Contains(log, "roadbed: pulumi "+pulumiVersion) {
			t.Errorf("the log of the preview is\n%s", log)
		}
		g.wantRun(g.confirms(id), "finished", "applied: 3 to create")
		if log := g.log(id, "apply"); strings.Contains(log, "roadbed: downloaded") {
			t.Errorf("it is downloaded again:\n%s", log)
		}
		if got := there.all(); len(got) != 2 {
			t.Errorf("there are %q", got)
		}
		// Who asks for none, where the machine has none, has the newest that is kept.
		id = g.tool("any", strings.Replace(more, ", pulumiVersion: ~> 3.274.0", "", 1), map[string]string{"Pulumi.yaml": pulumiProgram})
		g.wantRun(g.rests(id), "unconfirmed", "3 to create")
	})
}

// TestAgentsDownloadPulumiThemselves, since it is many files: the real program, on an agent whose machine has none.
func TestAgentsDownloadPulumiThemselves(t *testing.T) {
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "pulumi", pulumiVersion, map[string][]byte{
		"pulumi": built(t, "pulumi-"+pulumiVersion, "pulumi"), "pulumi-language-yaml": built(t, "pulumi-"+pulumiVersion, "pulumi-language-yaml"),
	})
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(poolDocument("eu", ""))
		a := &helper{
			t: t, name: "one", dir: filepath.Join(t.TempDir(), "one"), server: g.url, bare: true, env: []string{site.Trusted(t)},
			more: []string{"--download-engine=true", "--pulumi-releases", site.Mirror("pulumi"), "--opentofu-releases", "https://127.0.0.1:1"},
		}
		if err := os.MkdirAll(a.dir+".home", 0o755); err != nil {
			t.Fatal(err)
		}
		g.started(a, g.poolToken("eu").Secret)
		id := g.tool("shop", "  workerPool: eu\n  vendor: {pulumi: {stackName: prod, pulumiVersion: '3'}}\n", map[string]string{"Pulumi.yaml": "name: shop\nruntime: yaml\noutputs: {says: hello}\n"})
		g.wantRun(g.rests(id), "unconfirmed", "1 to create, 1 output")
		wantInOrder(t, g.log(id, "plan"), "roadbed: downloaded Pulumi "+pulumiVersion+" from "+site.Mirror("pulumi"), "roadbed: pulumi "+pulumiVersion)
		g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
		if got := g.output("shop", "says"); got != `"hello"` {
			t.Errorf("the output is %s", got)
		}
	})
}

// TestAgentsBringVersionsOfTools from the server that has downloaded them, where the agent's machine has no such version.
func TestAgentsBringVersionsOfTools(t *testing.T) {
	t.Parallel()
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "terragrunt", "0.98.3", map[string][]byte{"terragrunt": standsIn("0.98.3")})
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		toolReleases(&o, site)
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		g.apply(poolDocument("eu", ""))
		a := g.bareAgent("eu", "one")
		id := g.tool("unit", "  workerPool: eu\n  vendor: {terragrunt: {terragruntVersion: ~0.98}}\n", map[string]string{"terragrunt.hcl": "", "main.tf": "resource \"terraform_data\" \"one\" {}\n"})
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		wantInOrder(t, g.log(id, "plan"), "roadbed: fetched Terragrunt 0.98.3 from "+g.url, "roadbed: terragrunt 0.98.3", "by terragrunt 0.98.3: plan")
		g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
		if log := g.log(id, "apply"); strings.Contains(log, "roadbed: fetched Terragrunt") || !strings.Contains(log, "by terragrunt 0.98.3: apply") {
			t.Errorf("the log of the apply is\n%s", log)
		}
		if _, err := os.Stat(filepath.Join(a.dir, "tools", "engines", "terragrunt", "0.98.3", "terragrunt")); err != nil {
			t.Error(err)
		}
		id = g.tool("none", "  workerPool: eu\n  vendor: {terragrunt: {terragruntVersion: '0.97'}}\n", map[string]string{"terragrunt.hcl": ""})
		r := until(t, g.admin, id, ended)
		if g.wantRun(r, "failed", "planning: "); !strings.Contains(r.Reason, "there is no Terragrunt 0.97 here") || !strings.Contains(r.Reason, "the server gives none") {
			t.Error(r.Reason)
		}
	})
}

// TestAnApplyOnAnotherAgentHasTheProgramOfItsPlan, though that machine has one of its own that would do as well; where a document
// asks for none, the machine stops.
func TestAnApplyOnAnotherAgentHasTheProgramOfItsPlan(t *testing.T) {
	t.Parallel()
	site := toolchaintest.New(t, nil, nil)
	site.Release(t, "terragrunt", "0.98.3", map[string][]byte{"terragrunt": standsIn("0.98.3")})
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database = database
		toolReleases(&o, site)
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		g.apply(poolDocument("eu", ""))
		having := func(name, version string) *helper {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "terragrunt"), standsIn(version), 0o755); err != nil {
				t.Fatal(err)
			}
			a := &helper{t: t, name: name, dir: filepath.Join(t.TempDir(), name), server: g.url, env: []string{"PATH=" + dir + string(filepath.ListSeparator) + os.Getenv("PATH")}}
			g.started(a, g.poolToken("eu").Secret)
			return a
		}
		unit := map[string]string{"terragrunt.hcl": "", "main.tf": "resource \"terraform_data\" \"one\" {}\n"}
		one := g.bareAgent("eu", "one")
		id := g.tool("unit", "  workerPool: eu\n  vendor: {terragrunt: {terragruntVersion: ~0.98}}\n", unit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		one.stop()
		two := having("two", "0.98.9")
		g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
		wantInOrder(t, g.log(id, "apply"), "roadbed: fetched Terragrunt 0.98.3 from "+g.url, "roadbed: terragrunt 0.98.3", "by terragrunt 0.98.3: apply")

		id = g.tool("any", "  workerPool: eu\n  vendor: {terragrunt: {}}\n", unit)
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		wantInOrder(t, g.log(id, "plan"), "by terragrunt 0.98.9: plan")
		two.stop()
		having("three", "0.99.0")
		r := g.confirms(id)
		if !strings.Contains(r.Reason, "this run was planned by terragrunt 0.98.9, and the pool has 0.99.0 by now; start a new run") {
			t.Errorf("it is %s: %s", r.State, r.Reason)
		}
	})
}
