package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

const costInfra = `variable "TFC_WORKSPACE_SLUG" {}
variable "TFC_CONFIGURATION_VERSION_GIT_TAG" {}
resource "terraform_data" "a" { input = "tag '${var.TFC_CONFIGURATION_VERSION_GIT_TAG}' of ${var.TFC_WORKSPACE_SLUG}" }
resource "terraform_data" "free" {
  for_each = toset(["one"])
}
`

func prices(currency string) string {
	return "{apiVersion: roadbed.dev/v1, kind: PriceList, metadata: {name: data}, spec: {owner: 'group:default/crew', currency: " + currency +
		", prices: [{resource: terraform_data, monthly: 2.5, when: 'resource.name == \"a\"'}]}}\n"
}

// TestATerminalTellsWhatAPlanCosts in dollars, as engines write it, and leaves another currency to the log of the plan.
func TestATerminalTellsWhatAPlanCosts(t *testing.T) {
	eachDesktop(t, func(d *desktop) {
		d.as("alice")
		d.g.apply(prices("USD"))
		d.files(map[string]string{"main.tf": d.cloud(`name = "net"`) + costInfra})
		d.runs(0, "", "init")
		out := d.runs(0, "Cost Estimation: Resources: 1 of 2 estimated $2.50/mo +$2.50", "plan")
		if !strings.Contains(out, "tag '' of default/net") {
			d.t.Errorf("the names of the run are not in\n%s", out)
		}
		m := remote{d.g, "admin"}
		own := strings.TrimPrefix(d.lastRun("stack:default/net").ID, "run_")
		e := m.wants(200, "GET", "cost-estimates/ce-"+own, "")
		if e.text("status") != "finished" || e.text("proposed-monthly-cost") != "2.50" || e.text("prior-monthly-cost") != "0.00" || !strings.Contains(e.text("status-timestamps"), "finished-at") {
			d.t.Errorf("the estimate is %+v", e)
		}
		if _, said := m.send("GET", "runs/run-"+own+"?include=cost_estimate", nil); !strings.Contains(string(said), `"id":"ce-`+own+`"`) || !strings.Contains(string(said), `"delta-monthly-cost":"2.50"`) {
			d.t.Errorf("the run is %s", said)
		}
		(remote{d.g, "mallory"}).wants(404, "GET", "cost-estimates/ce-"+own, "")
		m.wants(404, "GET", "cost-estimates/ce-none", "")

		d.g.apply(prices("EUR"))
		out = d.runs(0, "2.50 EUR in a month", "plan")
		if strings.Contains(out, "Cost Estimation") {
			d.t.Errorf("euros are told as dollars:\n%s", out)
		}
		m.wants(404, "GET", "cost-estimates/ce-"+strings.TrimPrefix(d.lastRun("stack:default/net").ID, "run_"), "")
	})
}

// TestARemoteRunTellsItsPlace among those of its stack that wait.
func TestARemoteRunTellsItsPlace(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.wantRun(g.rests(g.stack("net", lightInfra, "")), "unconfirmed", "")
		for _, want := range []string{"1", "2"} {
			r, err := client.Post[client.RunDetail](t.Context(), g.as["bob"], "/stacks/default/net/runs", map[string]string{"type": "tracked"})
			if err != nil {
				t.Fatal(err)
			}
			x := remote{g, "alice"}.wants(200, "GET", "runs/"+strings.Replace(r.ID, "_", "-", 1), "")
			if x.text("status") != "pending" || x.text("position-in-queue") != want {
				t.Errorf("it is %s at %s, want %s", x.text("status"), x.text("position-in-queue"), want)
			}
		}
	})
}
