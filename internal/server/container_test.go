package server

import (
	"bytes"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/execute/container/containertest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestStacksRunInContainers has the real engine, as a tool, plan and apply in a container of the image that a stack names, on
// each kind of database.
func TestStacksRunInContainers(t *testing.T) {
	t.Parallel()
	engine := containertest.Open(t)
	const named = containertest.Variables
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.Executor = database, containerExecutor
		o.Containers = Containers{Host: engine.Host, Image: containertest.Shell, Allow: "roadbed.test/vari*"}
		o, err := o.complete()
		if err != nil {
			t.Fatal(err)
		}
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		if s, err := client.Get[client.Status](t.Context(), g.alice, "/status", nil); err != nil || s.Features.Executor != "container" || !s.Features.Isolated {
			t.Errorf("the server says %+v, %v", s.Features, err)
		}
		tell := "  hooks: {beforePlan: ['echo \"by $(readlink -f /bin/sh) as $(id -u), image $FROM_IMAGE\"']}\n"
		id := g.stack("net", lightInfra, tell+"  image: "+named+"\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		wantInOrder(t, g.log(id, "plan"), "by /bin/busybox as 70000, image yes")
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		if s := g.stackNow("net"); s.State == nil || s.State.Resources != 1 || g.output("net", "endpoint") != `"net.region-one"` {
			t.Errorf("after the apply the stack is %+v", s)
		}
		for _, name := range engine.Containers(t) {
			if strings.HasPrefix(name, "roadbed-") && strings.Contains(name, strings.ToLower(id)) {
				t.Errorf("container %s is left", name)
			}
		}

		// A step of a workflow is in the image of its template.
		flow, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": strings.ReplaceAll(inImages, "@WHICH@", named)})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, flow.ID, ended), "succeeded", "")
		refused, err := client.Post[client.RunDetail](t.Context(), g.alice, "/workflows/runs", map[string]string{"document": strings.ReplaceAll(inImages, "@WHICH@", "evil.test/x:1")})
		if err != nil {
			t.Fatal(err)
		}
		refused = until(t, g.admin, refused.ID, ended)
		if len(refused.Steps) == 0 || !strings.Contains(g.log(refused.ID, refused.Steps[0].Key), "evil.test/x:1 is not among those") {
			t.Errorf("a workflow in an image that is not allowed is %+v", refused)
		}

		// A repository names an image too; one that is not allowed is refused with a word, wherever it stands.
		if err := g.try("alice", stackDocument("net", "  image: evil.test/x:1\n")); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "evil.test/x:1 is not among those") {
			t.Errorf("an image that is not allowed: %v", err)
		}
		commit := g.push("alice", "crew/other", map[string]string{"infra/main.tf": lightInfra, ".spacelift/config.yml": "version: \"2\"\nstack_defaults: {runner_image: \"evil.test/x:1\"}\n"})
		g.apply(stackDocument("other", tell))
		g.wantRun(g.rests(g.stackRun("other", commit)), "failed", "evil.test/x:1 is not among those")
		commit = g.push("alice", "crew/other", map[string]string{".spacelift/config.yml": "version: \"2\"\nstack_defaults: {runner_image: \"" + named + "\"}\n", "infra/x": ""})
		g.wantRun(g.rests(g.stackRun("other", commit)), "unconfirmed", "1 to create")
	})
}

const inImages = `apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: image-}
spec:
  entrypoint: main
  templates:
  - {name: main, container: {image: "@WHICH@", command: [sh, -c, 'test "$FROM_IMAGE" = yes && of-image']}}
`

// TestProcessesRefuseImages says how a server without containers treats those who ask for an image.
func TestProcessesRefuseImages(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		err := g.try("alice", stackDocument("net", "  image: golang:1.26\n"))
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "--executor container") {
			t.Errorf("a stack with an image: %v", err)
		}
		commit := g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra, ".spacelift/config.yml": "version: \"2\"\nstack_defaults: {runner_image: \"golang:1.26\"}\n"})
		g.apply(stackDocument("net", ""))
		r := g.rests(g.stackRun("net", commit))
		g.wantRun(r, "unconfirmed", "1 to create")
		if !strings.Contains(strings.Join(r.Warnings, "\n"), "runner_image is not used here") {
			t.Errorf("the run warns of %v", r.Warnings)
		}
	})
}

func TestOptionsOfContainers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"another executor": {func(o *Options) { o.Executor = "vm" }, "neither process nor container"},
		"no image":         {func(o *Options) { o.Executor = containerExecutor }, "container-image"},
		"another machine": {func(o *Options) {
			o.Executor, o.Containers = containerExecutor, Containers{Image: "a", Host: "tcp://10.0.0.1:2375"}
		}, "on this machine"},
	} {
		o := Defaults()
		o.Data = t.TempDir()
		c.change(&o)
		if _, err := o.complete(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Doctor tells of an engine that is not there, and of one that is.
	var out bytes.Buffer
	o := Defaults()
	o.Executor, o.Containers = containerExecutor, Containers{Image: "a", Host: "unix://" + t.TempDir() + "/none"}
	if tellContainers(t.Context(), &out, o); !strings.Contains(out.String(), "containers   none: ask the engine") {
		t.Errorf("doctor says %s", out.String())
	}
	engine := containertest.Open(t)
	o.Containers = Containers{Image: containertest.Shell, Host: engine.Host}
	out.Reset()
	if tellContainers(t.Context(), &out, o); !strings.Contains(out.String(), "containers   Podman Engine") {
		t.Errorf("doctor says %s", out.String())
	}
}
