package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain/toolchaintest"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// engineSaid gives what the first step of a run says that its engine is.
func engineSaid(r client.RunDetail) string {
	for _, s := range r.Steps {
		if is := s.Outputs[stack.OutputEngine]; is != "" {
			return is
		}
	}
	return ""
}

// TestStacksChooseTheirEngines has stacks planned by the engines that the machine has, one by a version that is
// downloaded, and one that asks for what there is not.
func TestStacksChooseTheirEngines(t *testing.T) {
	t.Parallel()
	site := toolchaintest.New(t, []string{"1.5.7", "1.6.1"}, []string{"1.6.0"})
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Download, o.OpenTofuReleases, o.TerraformReleases = database, true, site.URL, site.URL
		o.releases = releases{openTofuKey: site.OpenTofuKey, terraformKey: site.TerraformKey, http: site.Transport()}
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		own := h.engine.is()

		g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		g.apply(stackDocument("net", ""))
		id := g.stackRun("net", "")
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		if engineSaid(r) != own || !strings.Contains(g.log(id, "plan"), "roadbed: "+own+"\n") {
			t.Errorf("a stack that asks for nothing is planned by %q, want %q", engineSaid(r), own)
		}

		// What the machine has is found by its name and version.
		for _, p := range h.engine.cache.Local(t.Context(), toolchain.Engines()...) {
			name := "by-" + p.Name
			commit := g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": lightInfra})
			g.apply(stackDocument(name, fmt.Sprintf("  engine: {name: %s, version: %q}\n", p.Name, p.Version)))
			r := g.rests(g.stackRun(name, commit))
			g.wantRun(r, "unconfirmed", "1 to create")
			if engineSaid(r) != p.String() {
				t.Errorf("%s is planned by %q", p, engineSaid(r))
			}
			if _, err := g.act("bob", r.ID, "confirm"); err != nil {
				t.Fatal(err)
			}
			r = until(t, g.admin, r.ID, ended)
			g.wantRun(r, "finished", "applied")
			if log := g.log(r.ID, "apply"); !strings.Contains(log, "roadbed: "+p.String()+"\n") {
				t.Errorf("%s does not apply what it has planned:\n%s", p, log)
			}
		}

		// What it lacks is downloaded once, when a step needs it.
		before := site.Asked.Load()
		for i, file := range []string{"old/.terraform-version", "infra/.terraform-version"} {
			name := fmt.Sprint("old-", i)
			g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": lightInfra, strings.Replace(file, "old/", "", 1): "1.5.7\n"})
			g.apply(stackDocument(name, "  engine: {name: terraform}\n"))
			r := until(t, g.admin, g.stackRun(name, ""), ended)
			g.wantRun(r, "failed", "planning: ")
			log := g.log(r.ID, "plan")
			if downloads := strings.Contains(log, "roadbed: downloading Terraform 1.5.7"); downloads != (i == 0) || !strings.Contains(log, "roadbed: Terraform v1.5.7\n") || !strings.Contains(log, "asked to init") {
				t.Errorf("run %d says:\n%s", i, log)
			}
			e, err := client.Get[client.StackEnvironment](t.Context(), g.admin, "/stacks/default/"+name+"/environment", nil)
			if err != nil || e.Engine != (client.StackEngine{Name: "terraform", Version: "1.5.7", Wanted: "1.5.7", From: strings.Replace(file, "old/", "", 1)}) {
				t.Errorf("%+v, %v", e.Engine, err)
			}
		}
		if n := site.Asked.Load() - before; n != 1 {
			t.Errorf("it was downloaded %d times", n)
		}

		// What can't be had is told before anything is planned, with what can.
		g.push("alice", "crew/none", map[string]string{"infra/main.tf": lightInfra})
		g.apply(stackDocument("none", "  engine: {name: terraform, version: ~> 0.12.0}\n"))
		r = until(t, g.admin, g.stackRun("none", ""), ended)
		g.wantRun(r, "failed", "the stack asks for an engine that can't be had: there is no Terraform ~> 0.12.0 here")
		if len(r.Steps) > 0 || !strings.Contains(r.Reason, "to be downloaded are 1.6.1, 1.5.7") {
			t.Errorf("%s, after %d steps", r.Reason, len(r.Steps))
		}
	})
}
