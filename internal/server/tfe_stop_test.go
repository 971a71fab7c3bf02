package server

import (
	"bufio"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitingInfra has a plan that ends when it is stopped.
const waitingInfra = `
terraform {
  required_providers {
    null = { source = "hashicorp/null" }
  }
}
data "null_loud" "waits" {
  text = "never said"
  wait = true
}
output "text" { value = data.null_loud.waits.text }
`

// TestARemotePlanIsSeenAndStoppedHere: a terminal shows what a plan says while it goes on, and ^C ends it.
func TestARemotePlanIsSeenAndStoppedHere(t *testing.T) {
	archive := nullProvider(t)
	eachDesktopWith(t, func(_ *testing.T, o *Options) { o.ProviderMirror = mirrorOnly }, func(d *desktop) {
		d.g.mirrors("null", nullVersion, archive)
		d.as("alice")
		d.providers("null", nullVersion, archive)
		for name, block := range map[string]string{"net": d.cloud(`name = "net"`), "old": d.backend(`name = "old"`)} {
			d.dir = d.t.TempDir()
			d.files(map[string]string{"main.tf": block + waitingInfra})
			d.runs(0, "", "init")

			c, _ := d.command(nil, nil, "apply", "-auto-approve")
			c.Stdout, c.Stderr = nil, nil
			out, err := c.StdoutPipe()
			if err != nil {
				d.t.Fatal(err)
			}
			c.Stderr = c.Stdout
			if err := c.Start(); err != nil {
				d.t.Fatal(err)
			}
			hung := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Kill() })
			said, lines := "", bufio.NewReader(out)
			for !strings.Contains(said, "data.null_loud.waits: Reading...") {
				line, err := lines.ReadString('\n')
				if said += line; err != nil {
					d.t.Fatalf("%s: nothing is seen of the plan: %v\n%s", name, err, said)
				}
			}
			r := d.lastRun("stack:default/" + name)
			if r.State != "planning" {
				d.t.Errorf("%s: what the plan says is seen when the run is %s", name, r.State)
			}
			if err := c.Process.Signal(syscall.SIGINT); err != nil {
				d.t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil {
				d.t.Fatal(err)
			}
			_ = c.Wait() // it ends as it likes, when it is stopped
			hung.Stop()
			if said += string(rest); !strings.Contains(said, "remote operation was successfully cancelled") || strings.Contains(said, "never said") {
				d.t.Errorf("%s: after ^C the terminal says\n%s", name, said)
			}
			if r := until(d.t, d.g.admin, r.ID, ended); r.State != "canceled" {
				d.t.Errorf("%s: after ^C the run is %s: %s", name, r.State, r.Reason)
			}
			// Nothing of it holds up what comes after.
			d.files(map[string]string{"main.tf": block + remoteInfra})
			d.runs(0, "1 to add, 0 to change, 0 to destroy", "plan")
		}
	})
}
