package server

import (
	"syscall"
	"testing"
)

// twoParts has an apply that makes one thing at once, and then takes a while with another.
const twoParts = `variable "name" { type = string }

resource "terraform_data" "quick" {
  input = var.name
}

resource "terraform_data" "slow" {
  input = terraform_data.quick.output
  provisioner "local-exec" { command = "sleep 33.25 || true" }
}
`

// TestAServerThatIsStoppedInTheMiddleOfAnApplyKeepsItsState stops a whole server as a machine does, while the real
// engine applies: what was made is in the state when the server is back, the run says how it ended, and a retry does
// the rest.
func TestAServerThatIsStoppedInTheMiddleOfAnApplyKeepsItsState(t *testing.T) {
	t.Parallel()
	engine := realEngine(t)
	eachDatabase(t, func(t *testing.T, database string) {
		v := newVictim(t, light{engine: engine}, database)
		g := groundAt(t, "http://"+v.address, crashToken)
		id := g.stack("net", twoParts, "")
		g.applies(id)
		v.stop(t)
		if left := strays(t, v.data); len(left) > 0 {
			t.Errorf("processes are left after the server: %v", left)
		}
		v.start(t)
		v.awaitReady(t)
		g.wantRun(until(t, g.admin, id, ended), "failed", "applying: ")
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 2 || s.State.Run != id || s.Lock != "" {
			t.Errorf("after the stop the stack is %+v", s)
		}
		if _, err := g.act("alice", id, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "unconfirmed", "1 to replace")
		_, sleeps := g.applies(id)
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to replace")
	})
}
