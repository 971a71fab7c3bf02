package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// rotatingInfra has a resource that its provider finds gone as soon as it is made: its time is over.
const rotatingInfra = `terraform {
  required_providers {
    time = { source = "hashicorp/time" }
  }
}
resource "time_rotating" "old" {
  rfc3339        = "2020-01-01T00:00:00Z"
  rotation_years = 1
}
resource "terraform_data" "kept" { input = "kept" }
`

// TestWhatWasChangedOutsideIsTakenUp has a real provider find that something is gone: a plan tells so, and a run that only
// refreshes waits to be confirmed, and writes the state.
func TestWhatWasChangedOutsideIsTakenUp(t *testing.T) {
	t.Parallel()
	program := realProvider(t)
	eachDatabase(t, func(t *testing.T, database string) {
		g := mirroring(t, database, mirrorOn, timeRegistry(t, program))
		m := remote{g, "admin"}
		ws := m.workspace("default", "net")
		c := m.sends(ws.ID, false, map[string]string{"main.tf": rotatingInfra})
		n := 0
		begins := func(more string) client.RunDetail {
			t.Helper()
			m.begins(201, ws.ID, c, more)
			n++
			return g.rests(g.nth("net", "tracked", n))
		}
		g.finish(begins("").ID)

		again := begins("")
		g.wantRun(again, "unconfirmed", "1 to create")
		if p := g.plan(again.ID); len(p.Outside) != 1 || p.Outside[0].Address != "time_rotating.old" || p.Outside[0].Action != "delete" || p.Refresh {
			t.Errorf("what was changed outside is %+v", p.Outside)
		}
		if _, err := g.act("admin", again.ID, "discard"); err != nil {
			t.Fatal(err)
		}

		preview := m.begins(201, ws.ID, c, `,"refresh-only":true,"plan-only":true`)
		if x := m.status(preview.ID, "planned_and_finished", "errored"); x.text("has-changes") != "true" || x.text("refresh-only") != "true" {
			t.Errorf("the preview is %+v", x)
		}
		r := begins(`,"refresh-only":true`)
		g.wantRun(r, "unconfirmed", "1 to forget; waits for somebody to confirm it")
		if p := g.plan(r.ID); !p.Refresh || len(p.Changes) != 1 || p.Changes[0].Action != "forget" || len(p.Outside) != 0 {
			t.Errorf("the plan is %+v", p)
		}
		before := g.stackNow("net").State
		if _, err := g.act("bob", r.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, r.ID, ended), "finished", "applied: 1 to forget")
		if s := g.stackNow("net").State; before.Resources != 2 || s.Resources != 1 || s.Serial <= before.Serial || s.Run != r.ID {
			t.Errorf("the state is %+v, after %+v", s, before)
		}
		g.wantRun(begins(`,"refresh-only":true`), "finished", "nothing to change")
	})
}

// TestATerminalTakesUpWhatWasChangedOutside by `apply -refresh-only`, which asks and is answered.
func TestATerminalTakesUpWhatWasChangedOutside(t *testing.T) {
	program := realProvider(t)
	eachDesktopWith(t, func(t *testing.T, o *Options) {
		o.ProviderMirror, o.releases.http = mirrorOn, timeRegistry(t, program).Transport()
	}, func(d *desktop) {
		d.alone()
		d.providers("time", timeVersion, timeArchive(t, program))
		d.files(map[string]string{"main.tf": d.cloud(`name = "net"`) + rotatingInfra})
		d.runs(0, "", "init")
		d.runs(0, "2 added, 0 changed, 0 destroyed", "apply", "-auto-approve")
		d.told(1, "discarded", "no\n", nil, "apply", "-refresh-only")
		d.g.wantRun(d.lastRun("stack:default/net"), "discarded", "")
		d.told(0, "", "yes\n", nil, "apply", "-refresh-only")
		d.g.wantRun(d.lastRun("stack:default/net"), "finished", "applied: 1 to forget")
		if out := d.runs(0, "terraform_data.kept", "state", "list"); strings.Contains(out, "time_rotating") {
			d.t.Errorf("the state still has what is gone: %s", out)
		}
	})
}
