package server

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	packages "github.com/roadbed-dev/roadbed/internal/machinery/provider"
	"github.com/roadbed-dev/roadbed/internal/machinery/provider/providertest"
	"github.com/roadbed-dev/roadbed/internal/machinery/toolchain"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// bareAgent starts an agent on a machine that has no engine and downloads none.
func (g *ground) bareAgent(pool, name string) *helper {
	g.t.Helper()
	a := &helper{t: g.t, name: name, dir: filepath.Join(g.t.TempDir(), name), server: g.url, bare: true}
	if err := os.MkdirAll(a.dir+".home", 0o755); err != nil {
		g.t.Fatal(err)
	}
	g.started(a, g.poolToken(pool).Secret)
	return a
}

// TestAgentsTakeEnginesAndProvidersFromTheServer has each engine, in the version that a stack asks for, plan and apply with a real
// provider on an agent that has neither, and no network. What it was given it keeps.
func TestAgentsTakeEnginesAndProvidersFromTheServer(t *testing.T) {
	t.Parallel()
	program := realProvider(t)
	eachDatabase(t, func(t *testing.T, database string) {
		r := timeRegistry(t, program)
		g := mirroring(t, database, mirrorOn, r)
		g.apply(poolDocument("eu", ""))
		a := g.bareAgent("eu", "one")
		registries := 0
		for _, p := range g.house.engine.cache.Local(t.Context(), toolchain.Engines()...) {
			registries++
			name := "time-" + p.Name
			commit := g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": timeInfra})
			more := fmt.Sprintf("  workerPool: eu\n  engine: {name: %s, version: %q}\n", p.Name, p.Version)
			g.apply(stackDocument(name, more))
			run := g.rests(g.stackRun(name, commit))
			g.wantRun(run, "unconfirmed", "1 to create")
			wantInOrder(t, g.log(run.ID, "plan"), "fetched "+p.String()[:strings.Index(p.String(), " ")]+" "+p.Version+" from "+g.url, "its checksum is right")
			if _, err := g.act("bob", run.ID, "confirm"); err != nil {
				t.Fatal(err)
			}
			run = until(t, g.admin, run.ID, ended)
			g.wantRun(run, "finished", "applied")
			if log := g.log(run.ID, "apply"); strings.Contains(log, "roadbed: fetched") {
				t.Errorf("the engine is fetched again:\n%s", log)
			}
			wantInOrder(t, g.log(run.ID, "plan"), "Installed hashicorp/time v"+timeVersion+" (verified checksum)")
			if g.house.capabilities().Isolated { // the next step links to what this one has brought
				wantInOrder(t, g.log(run.ID, "apply"), "Installed hashicorp/time v"+timeVersion+" (unauthenticated)")
			}
			for _, s := range run.Steps {
				if (s.Key == "plan" || s.Key == "apply") && s.Worker != "default/eu/one" {
					t.Errorf("step %s is by %s", s.Key, s.Worker)
				}
			}
			kept := filepath.Join(a.dir, "tools", "engines", p.Name, p.Version, p.Name)
			if _, err := os.Stat(kept); err != nil {
				t.Errorf("the agent keeps no engine: %v", err)
			}

			// A lock file of another system has no hash for what is unpacked; the archive is taken then, from what the agent keeps.
			host := registryOf[p.Name]
			lock := lockOfAnother(g, host)
			commit = g.push("alice", "crew/"+name, map[string]string{"infra/.terraform.lock.hcl": lock})
			g.wantRun(g.rests(g.stackRun(name, commit)), "finished", "nothing to change")

			// A file on the agent's disk that was changed is not given to anybody.
			archives, _ := filepath.Glob(filepath.Join(a.dir, "providers", "packages", host, "hashicorp", "time", "*.zip"))
			if len(archives) != 1 {
				t.Fatalf("the agent keeps %v", archives)
			}
			write(t, archives[0], "something else")
			commit = g.push("alice", "crew/"+name, map[string]string{"infra/.terraform.lock.hcl": lock, "infra/x": "1"})
			g.wantRun(g.rests(g.stackRun(name, commit)), "finished", "nothing to change")

			// Another archive in the server's mirror takes the place of what the agent has.
			path := "/mirror/providers/" + host + "/hashicorp/time/" + timeVersion + "/" + packages.Here()
			if err := g.admin.Do(t.Context(), http.MethodDelete, path, nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			another := providertest.Archive(t, "time", timeVersion, program, map[string]string{"LICENSE": "other words\n"})
			raw := client.Raw{Type: "application/zip", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(string(another))), nil }}
			if err := g.admin.Do(t.Context(), http.MethodPut, path, nil, raw, nil); err != nil {
				t.Fatal(err)
			}
			commit = g.push("alice", "crew/again-"+p.Name, map[string]string{"infra/main.tf": timeInfra})
			g.apply(stackDocument("again-"+p.Name, more))
			g.wantRun(g.rests(g.stackRun("again-"+p.Name, commit)), "unconfirmed", "1 to create")
			if now, err := os.ReadFile(archives[0]); err != nil || string(now) != string(another) {
				t.Errorf("the agent keeps %d bytes of the provider, %v; want the %d of the other archive", len(now), err, len(another))
			}
		}
		if n := r.Count(); n != registries { // the registry of each engine is another
			t.Errorf("%d registries gave the provider %d times", registries, n)
		}
		// Who asks for no version, on an agent without an engine, has the server's.
		id := g.stack("plain", lightInfra, "  workerPool: eu\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	})
}

// TestAnAgentIsGivenNoEngineButItsSteps asks for others.
func TestAnAgentIsGivenNoEngineButItsSteps(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		p := g.house.engine.cache.Local(t.Context(), toolchain.Engines()...)[0]
		tool := "engine:" + p.Name + "@" + p.Version
		g.apply(poolDocument("eu", ""))
		h := g.asAgent("one", g.poolToken("eu").Secret)
		g.stack("net", lightInfra, fmt.Sprintf("  workerPool: eu\n  engine: {name: %s, version: %q}\n", p.Name, p.Version))
		l := g.taken(h)
		name, version, got, err := h.Engine(t.Context(), l.ID, l.Job.Tools[0])
		if err != nil || name != p.Name || version != p.Version || len(got.Sum) != 64 {
			t.Fatalf("the step's engine is %s %s, %+v, %v", name, version, got, err)
		}
		got.Body.Close()
		for what, c := range map[string][2]string{"that its step does not name": {l.ID, "engine:tofu@0.0.1"}, "by no lease": {"lea_x", tool}, "that is a file": {l.ID, "engine:tofu@../../x"}} {
			if _, _, _, err := h.Engine(t.Context(), c[0], c[1]); !fault.Is(err, fault.NotFound) {
				t.Errorf("an engine %s: %v", what, err)
			}
		}
	})
}
