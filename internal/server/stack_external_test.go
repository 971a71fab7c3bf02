package server

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// waitsOutside has pushes to a stack's branch, and to others, wait for an image of their commit, and for a chart.
const waitsOutside = `
track { input.push.branch == input.stack.branch; is_null(input.pull_request) }
propose { input.push.branch != input.stack.branch; is_null(input.pull_request) }
external_dependency[sprintf("%s-image", [input.push.hash])] { true }
external_dependency["chart"] { true }`

// mark says of an external dependency as somebody what became of it.
func (g *ground) mark(who, space, name, status, note string) (client.DependencyMarking, error) {
	return client.Post[client.DependencyMarking](g.t.Context(), g.as[who], "/external-dependencies", client.MarkDependency{Space: space, Name: name, Status: status, Note: note})
}

// marked is mark as Alice in the root space, and gives what it means for a run.
func (g *ground) marked(name, status, note, run string) string {
	g.t.Helper()
	m, err := g.mark("alice", "", name, status, note)
	if err != nil {
		g.t.Fatal(err)
	}
	at := slices.IndexFunc(m.Runs, func(r client.MarkedRun) bool { return r.ID == run })
	if at < 0 {
		g.t.Fatalf("%s is none of the runs that %s is for: %+v", run, name, m.Runs)
	}
	return m.Runs[at].Says
}

func (g *ground) runNow(id string) client.RunDetail {
	g.t.Helper()
	r, err := client.Get[client.RunDetail](g.t.Context(), g.alice, "/runs/"+id, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return r
}

// region pushes a configuration of a stack, with a region of its own.
func (g *ground) region(name, region string) (commit string) {
	g.t.Helper()
	return g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", region)})
}

// waitingOutside fails the test unless a run waits for some names.
func (g *ground) waitingOutside(id string, names ...string) client.RunDetail {
	g.t.Helper()
	r := g.runNow(id)
	var waits []string
	for _, d := range r.External {
		if d.Status == "waiting" {
			waits = append(waits, d.Name)
		}
	}
	slices.Sort(names)
	slices.Sort(waits)
	if r.State != "queued" || r.Wait == nil || r.Wait.For != "external" || !slices.Equal(waits, names) || !strings.Contains(r.Wait.Reason, names[0]) {
		g.t.Fatalf("run %s is %s (%s), waits as %+v, for %+v; want it to wait for %q", id, r.State, r.Reason, r.Wait, r.External, names)
	}
	return r
}

// TestARunWaitsForWhatIsOutside until it is marked, without holding others up.
func TestARunWaitsForWhatIsOutside(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: payments}, spec: {parent: default}}\n")
		if _, err := g.act("admin", first, "discard"); err != nil {
			t.Fatal(err)
		}
		g.policy("images", "push", waitsOutside, "")
		commit := g.region("net", "region-two")
		id, image := g.stackRun("net", commit), commit+"-image"
		r := g.waitingOutside(id, "chart", image)
		if !slices.Contains(r.Can, "mark") || len(r.Steps) != 1 || r.Steps[0].State != "waiting" || r.Terminal || r.Waiting {
			t.Errorf("alice can %q, and its steps are %+v", r.Can, r.Steps)
		}
		if seen, err := client.Get[client.RunDetail](t.Context(), g.as["rita"], "/runs/"+id, nil); err != nil || slices.Contains(seen.Can, "mark") {
			t.Errorf("rita can %q, %v", seen.Can, err)
		}

		// Another run goes first, and nothing is in its way.
		other, err := client.Post[client.RunDetail](t.Context(), g.bob, "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(other.ID), "unconfirmed", "1 to create")
		queue, err := client.All[client.QueuedRun](t.Context(), g.alice, "/stacks/default/net/queue", nil)
		if err != nil || len(queue) != 2 || !queue[0].Holds || queue[0].Run.ID != other.ID || queue[1].Run.ID != id || queue[1].Wait == nil || queue[1].Wait.For != "external" {
			t.Errorf("the queue is %+v, %v", queue, err)
		}

		for who, kind := range map[string]fault.Kind{"rita": fault.Denied, "otto": fault.Denied, "mallory": fault.Denied} {
			if _, err := g.mark(who, "", image, "finished", ""); !fault.Is(err, kind) {
				t.Errorf("%s marks: %v, want %v", who, err, kind)
			}
		}
		for _, bad := range []client.MarkDependency{{Name: image, Status: "done"}, {Name: " ", Status: "finished"}, {Name: strings.Repeat("é", 150), Status: "finished"}, {Name: "a\nb", Status: "failed"}} {
			if _, err := g.mark("alice", "", bad.Name, bad.Status, ""); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v is marked: %v", bad, err)
			}
		}
		if _, err := g.mark("admin", "nowhere", image, "finished", ""); !fault.Is(err, fault.Denied) && !fault.Is(err, fault.NotFound) {
			t.Errorf("it is marked in a space that there is not: %v", err)
		}
		if m, err := g.mark("alice", "payments", image, "failed", ""); err != nil || len(m.Runs) != 0 || !m.New {
			t.Errorf("what is said in a space below is for %+v, %v", m, err)
		}
		if says := g.marked("chart", "skipped", "", id); says != "still waits for "+image {
			t.Errorf("after the first it %s", says)
		}
		r = g.waitingOutside(id, image)
		if at := slices.IndexFunc(r.External, func(d client.ExternalDependency) bool { return d.Name == "chart" }); r.External[at].Status != "skipped" || !strings.Contains(r.External[at].By.Name, "alice") {
			t.Errorf("the first is %+v", r.External[at])
		}
		if m, err := g.mark("bob", "", "chart", "skipped", ""); err != nil || m.New || len(m.Runs) != 1 || !m.Until.After(m.Marked.Add(7*24*time.Hour)) {
			t.Errorf("said twice it is %+v, %v", m, err)
		}
		r = g.waitingOutside(id, image)
		if at := slices.IndexFunc(r.External, func(d client.ExternalDependency) bool { return d.Name == "chart" }); !strings.Contains(r.External[at].By.Name, "alice") {
			t.Errorf("said twice it is %+v", r.External[at])
		}
		if says := g.marked(image, "finished", "build 6", id); says != "goes on" {
			t.Errorf("after the last it %s", says)
		}
		if now := g.runNow(id); now.State != "queued" || now.Wait == nil || now.Wait.For != "lock" || now.Wait.Behind != other.ID {
			t.Errorf("while another holds the stack it is %s and waits as %+v", now.State, now.Wait)
		}
		if _, err := g.act("admin", other.ID, "discard"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if says := g.marked(image, "failed", "", id); !strings.HasPrefix(says, "had gone on already") {
			t.Errorf("what is said too late %s", says)
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
		comesTrue(t, func() bool {
			entries, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"type": {"stack.dependency-marked"}})
			return err == nil && len(entries) == 4
		}, "the ledger has the four markings that said something new")

		// A preview waits too, and what was said before the push counts.
		idea := g.branch("alice", "crew/net", "idea", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-three")})
		preview := g.stackRun("net", idea)
		g.waitingOutside(preview, idea+"-image")
		if says := g.marked(idea+"-image", "finished", "", preview); says != "goes on" {
			t.Errorf("the preview %s", says)
		}
		g.wantRun(g.rests(preview), "finished", "1 to change")

		// More names than a run waits for begin none.
		g.policy("images", "push", `track { true }
external_dependency[sprintf("part-%d", [i])] { i := numbers.range(1, 51)[_] }`, "")
		many := g.region("net", "region-many")
		comesTrue(t, func() bool { return strings.Contains(g.stackNow("net").Message, "names 51 external dependencies") }, "the stack says that it is too much")
		if runs := g.runsAt("net", many); len(runs) != 0 {
			t.Errorf("it began %+v", runs)
		}
	})
}

// TestWhatFailsOutsideFailsTheRun, which can be retried; what another run makes stale is canceled, and anybody may cancel.
func TestWhatFailsOutsideFailsTheRun(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.rests(first)
		if _, err := g.act("bob", first, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, first, ended), "finished", "applied")
		g.applied("net", first)
		g.policy("images", "push", waitsOutside, "")
		if _, err := g.mark("alice", "", "chart", "finished", ""); err != nil {
			t.Fatal(err)
		}
		pushed := func(region string) (id, image string) {
			t.Helper()
			commit := g.region("net", region)
			id = g.stackRun("net", commit)
			g.waitingOutside(id, commit+"-image")
			return id, commit + "-image"
		}
		id, image := pushed("region-two")
		if says := g.marked(image, "failed", "build 7", id); says != "has failed by it" {
			t.Errorf("what failed %s", says)
		}
		g.wantRun(g.runNow(id), "failed", image+", for which it waits, failed: build 7")
		if _, err := g.act("bob", id, "retry"); err != nil { // it has still failed
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "failed", "failed: build 7")
		g.followed("stack.ends", "run.state-changed", id, "failed")
		if says := g.marked(image, "finished", "build 8", id); !strings.HasPrefix(says, "had ended (failed)") {
			t.Errorf("of a run that has ended it says that it %s", says)
		}
		if _, err := g.act("bob", id, "retry"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(id), "unconfirmed", "1 to change")
		if _, err := g.act("admin", id, "discard"); err != nil {
			t.Fatal(err)
		}

		old, oldImage := pushed("region-three")
		newer, newImage := pushed("region-four")
		if says := g.marked(newImage, "finished", "", newer); says != "goes on" {
			t.Errorf("the newer %s", says)
		}
		g.wantRun(g.rests(newer), "unconfirmed", "1 to change")
		if says := g.marked(oldImage, "finished", "", old); says != "goes on" { // behind the newer one
			t.Errorf("the older %s", says)
		}
		if _, err := g.act("bob", newer, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, newer, ended), "finished", "applied: 1 to change")
		g.wantRun(until(t, g.admin, old, ended), "canceled", fmt.Sprintf("run %s, which was begun after it, has finished while this one waited", newer))
		if says := g.marked(oldImage, "failed", "", old); !strings.HasPrefix(says, "had ended (canceled)") {
			t.Errorf("of one that was canceled it says that it %s", says)
		}
		if got := g.output("net", "region"); got != `"region-four"` {
			t.Errorf("the region is %s", got)
		}

		last, _ := pushed("region-five")
		if r, err := g.act("alice", last, "cancel"); err != nil || r.State != "canceled" {
			t.Errorf("a run that waits is canceled as %s, %v", r.State, err)
		}
		if open := g.runsOf("net", stack.Tracked); slices.ContainsFunc(open, func(r client.Run) bool { return !r.Terminal }) {
			t.Errorf("there is something under way: %+v", open)
		}
	})
}

// TestADependencyIsMarkedByCommand as a build does it, with a stack that needs no engine to wait.
func TestADependencyIsMarkedByCommand(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.rests(g.stack("net", lightInfra, ""))
	g.policy("images", "push", `track { true }
external_dependency["chart"] { true }`, "")
	id := g.stackRun("net", g.region("net", "region-two"))
	g.waitingOutside(id, "chart")
	atTerminal(t, server.URL, h.Options.AdminToken)
	sayAll(t, []said{
		{"run show " + id, 0, "waits for chart, which nobody has marked as finished yet"},
		{"run mark chart", 2, "--status finished"},
		{"run mark chart --status done", 1, "status"},
		{"run mark", 2, ""},
		{"run mark base --status finished", 0, "it counts for those that begin to"},
		{"run mark chart --status failed --note build-7 --space default", 0, "has failed by it"},
		{"run mark chart --status failed --note build-7", 0, "it was said before"},
		{"run show " + id, 0, "chart, for which it waits, failed: build-7"},
		{"run show " + id + " -o json", 0, `"status": "failed"`},
	})
}

// TestAMarkingAndAPushAtTheSameMoment find each other, whichever comes first.
func TestAMarkingAndAPushAtTheSameMoment(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.rests(g.stack("net", lightInfra, ""))
		g.policy("images", "push", `propose { true }
external_dependency[sprintf("%s-image", [input.push.hash])] { true }`, "")
		dir := filepath.Join(g.dir, "alice", "crew/net")
		for i := range 5 {
			write(t, filepath.Join(dir, "infra", "main.tf"), strings.ReplaceAll(lightInfra, "region-one", fmt.Sprint("region-", i)))
			g.do("alice", dir, "commit", "--quiet", "--all", "--message", fmt.Sprint("change ", i))
			commit := g.do("alice", dir, "rev-parse", "HEAD")
			marked := make(chan error, 1)
			go func() {
				_, err := g.mark("bob", "", commit+"-image", "finished", "")
				marked <- err
			}()
			g.do("alice", dir, "push", "--quiet", "origin", "main")
			if err := <-marked; err != nil {
				t.Fatal(err)
			}
			id := g.stackRun("net", commit)
			until(t, g.admin, id, func(r client.RunDetail) bool { return r.State != "queued" })
		}
	})
}
