package server

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

const changingInfra = `variable "password" {
  sensitive = true
  default   = "PASSWORD"
}
resource "terraform_data" "user" {
  input = { name = "net", password = var.password, note = "NOTE" }
}
resource "terraform_data" "disk" {
  triggers_replace = ["SIZE"]
}
`

// TestAPlanTellsThatASecretChangesAndWhatForcesAReplacement of what the engine plans, and its log tells its phases.
func TestAPlanTellsThatASecretChangesAndWhatForcesAReplacement(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		edition := func(password, note, size string) map[string]string {
			return map[string]string{"infra/main.tf": strings.NewReplacer("PASSWORD", password, "NOTE", note, "SIZE", size).Replace(changingInfra)}
		}
		first := g.stack("net", edition("hush-one", "a", "10")["infra/main.tf"], "")
		g.wantRun(g.rests(first), "unconfirmed", "2 to create")
		if _, err := g.act("bob", first, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, first, ended), "finished", "applied")
		wantInOrder(t, g.log(first, "plan"), "── init", "Initializing", "── plan", "2 to add", "── done")
		wantInOrder(t, g.log(first, "apply"), "── apply", "2 added", "── done")

		plan := func(files map[string]string) map[string]client.PlanChange {
			id := g.stackRun("net", g.push("alice", "crew/net", files))
			g.wantRun(g.rests(id), "unconfirmed", "")
			p, err := client.Get[client.Plan](t.Context(), g.admin, "/runs/"+id+"/plan", nil)
			if err == nil {
				_, err = g.act("bob", id, "discard")
			}
			if err != nil {
				t.Fatal(err)
			}
			changes := map[string]client.PlanChange{}
			for _, c := range p.Changes {
				changes[c.Address] = c
			}
			return changes
		}
		input := func(side any) string {
			values, _ := side.(map[string]any)
			data, err := json.Marshal(values["input"])
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		changes := plan(edition("hush-two", "a", "20"))
		user := changes["terraform_data.user"]
		if before, after := input(user.Before), input(user.After); before != `{"name":"net","note":"a","password":"(sensitive value)"}` || after != `{"name":"net","note":"a","password":"(sensitive value, changed)"}` {
			t.Errorf("the user is shown as %s, and then as %s", before, after)
		}
		if disk := changes["terraform_data.disk"]; disk.Action != "replace" || !slices.Equal(disk.ReplacePaths, []string{"triggers_replace"}) {
			t.Errorf("the disk is shown as %+v", disk)
		}
		user = plan(edition("hush-one", "b", "10"))["terraform_data.user"]
		if after := input(user.After); after != `{"name":"net","note":"b","password":"(sensitive value)"}` || user.ReplacePaths != nil {
			t.Errorf("a secret that stays is shown in %s", after)
		}
	})
}
