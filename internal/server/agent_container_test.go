package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestAgentsRunStepsInContainers has an agent run the real engine in containers, for a server whose own steps are processes and
// that says which images there may be.
func TestAgentsRunStepsInContainers(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	const named = containertest.Variables
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Containers = database, Containers{Allow: "roadbed.test/vari*,roadbed.test/shell,roadbed.test/unknown"}
		o, err := o.complete()
		if err != nil {
			t.Fatal(err)
		}
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		g.apply(poolDocument("eu", ""))
		a := g.helper("one", g.url, g.poolToken("eu").Secret, "--engine", h.engine.path(), "--executor", "container",
			"--container-host", engine.Host, "--container-image", containertest.Shell, "--container-allow", "roadbed.test/vari*")

		tell := "  workerPool: eu\n  hooks: {beforePlan: ['echo \"by $(readlink -f /bin/sh) as $(id -u), image ${FROM_IMAGE:-usual}\"']}\n"
		id := g.stack("net", lightInfra, tell+"  image: "+named+"\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		wantInOrder(t, g.log(id, "plan"), "by /bin/busybox as 70000, image yes")
		if got := g.agentNow("eu", "one"); got.Executor != "container" {
			t.Errorf("the agent is shown as %+v", got)
		}
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 1 {
			t.Errorf("after the apply the stack is %+v", s)
		}

		// Who names none is in the image of the agent, or of the pool where that names one.
		plain := g.stack("plain", lightInfra, tell)
		g.wantRun(g.rests(plain), "unconfirmed", "1 to create")
		wantInOrder(t, g.log(plain, "plan"), "by /bin/busybox as 70000, image usual")
		g.apply(poolDocument("eu", "image: '"+named+"'"))
		if p, err := client.Get[client.Pool](t.Context(), g.admin, "/pools/default/eu", nil); err != nil || p.Image != named {
			t.Errorf("the pool is %+v, %v", p, err)
		}
		preview, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/plain/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(preview.ID), "finished", "1 to create")
		wantInOrder(t, g.log(preview.ID, "plan"), "by /bin/busybox as 70000, image yes")

		// What the server does not allow is refused when it is declared, and what comes by a workflow when its step is given out; what
		// the agent does not allow, by the agent.
		for what, document := range map[string]string{"a stack": stackDocument("net", "  workerPool: eu\n  image: evil.test/x:1\n"), "a pool": poolDocument("us", "image: evil.test/x:1")} {
			if err := g.try("admin", document); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "evil.test/x:1 is not among those") {
				t.Errorf("%s with an image that is not allowed: %v", what, err)
			}
		}
		if err := g.try("alice", stackDocument("here", "  image: "+named+"\n")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "--executor container") {
			t.Errorf("a stack of the server itself, whose steps are processes, names an image: %v", err)
		}
		for image, want := range map[string]string{named: "", "evil.test/x:1": "evil.test/x:1 is not among those", "roadbed.test/unknown:1": "roadbed.test/unknown:1 is not among those that steps may run in here"} {
			flow := strings.Replace(strings.ReplaceAll(inImages, "@WHICH@", image), "generateName: image-", "generateName: image-, annotations: {roadbed.dev/pool: eu}", 1)
			r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": flow})
			if err != nil {
				t.Fatal(err)
			}
			r = until(t, g.admin, r.ID, ended)
			if want == "" {
				g.wantRun(r, "succeeded", "")
				continue
			}
			if said := r.Steps[0].Reason + g.log(r.ID, r.Steps[0].Key); r.State == "succeeded" || !strings.Contains(said, want) {
				t.Errorf("a workflow in %s is %s: %s", image, r.State, said)
			}
		}
		if code := a.stop(); code != 0 {
			t.Errorf("the agent ends with %d", code)
		}
		for _, name := range engine.Containers(t) {
			if strings.HasPrefix(name, "roadbed-") && strings.Contains(name, strings.ToLower(id)) {
				t.Errorf("container %s is left", name)
			}
		}
	})
}

// TestAnAgentsOptionsOfContainersAreAServers gives an agent what can't be right.
func TestAnAgentsOptionsOfContainersAreAServers(t *testing.T) {
	t.Parallel()
	for want, more := range map[string][]string{
		"neither process nor container": {"--executor", "vm"},
		"container-image":               {"--executor", "container"},
		"on this machine":               {"--executor", "container", "--container-image", "a", "--container-host", "tcp://10.0.0.1:2375"},
		"is not the name of an image":   {"--container-allow", "Not:A:Name"},
	} {
		args := append([]string{"--server", "https://roadbed.test", "--token-file", "x"}, more...)
		if _, err := typed(t, agentCommand("test"), args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v; want %q", more, err, want)
		}
	}
}
