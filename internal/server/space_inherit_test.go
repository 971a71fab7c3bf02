package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const inheritSpaces = `{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: near}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: apart}, spec: {parent: default, inherit: false}}
---
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: below}, spec: {parent: apart, inherit: true}}
`

const inheritedThings = `apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: all}
spec:
  labels: ["autoattach:*"]
  variables: [{name: FROM, value: default}]
---
apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: named}
spec:
  variables: [{name: NAMED, value: default}]
---
apiVersion: roadbed.dev/v1
kind: WorkerPool
metadata: {name: eu}
spec: {shared: true}
---
apiVersion: roadbed.dev/v1
kind: PriceList
metadata: {name: data}
spec:
  owner: group:default/crew
  currency: EUR
  prices: [{resource: terraform_data, monthly: 2.5}]
`

func (g *ground) tryIn(space, documents string) error {
	_, err := client.Post[client.List[client.Applied]](g.t.Context(), g.admin, "/apply", map[string]any{"documents": documents, "source": space, "space": space})
	return err
}

// stackIn declares a stack in a space, whose repository holds a configuration, and gives its first run.
func (g *ground) stackIn(space, name, more string) string {
	g.t.Helper()
	if _, err := client.Post[client.Repository](g.t.Context(), g.admin, "/repositories", map[string]string{"namespace": "crew", "name": name, "space": space}); err != nil {
		g.t.Fatal(err)
	}
	commit := g.push("alice", "crew/"+name, map[string]string{"infra/main.tf": lightInfra})
	if err := g.tryIn(space, stackDocument(name, more)); err != nil {
		g.t.Fatal(err)
	}
	return g.stackRun(name, commit)
}

// TestASpaceMayStandApart has what is in the root space used in a space below that inherits, and not in one that does not,
// nor below that. Rights, and policies that govern the root, reach all of them.
func TestASpaceMayStandApart(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.apply(inheritSpaces)
		g.apply(inheritedThings)
		if err := g.admin.Do(t.Context(), http.MethodPut, "/secrets/default/token", nil, map[string]any{"value": "a-very-secret-token", "shared": true}, nil); err != nil {
			t.Fatal(err)
		}
		g.policy("by-label", "plan", `warn["by label"] { true }`, "  labels: [\"autoattach:eu\"]\n")
		g.policy("by-star", "plan", `warn["for all"] { true }`, "  labels: [\"autoattach:*\"]\n")
		g.policy("by-name", "plan", `warn["by name"] { true }`, "  attach: {labels: [eu], stacks: [far, deep]}\n")
		g.policy("governs", "plan", `warn["governs"] { true }`, "")
		if err := g.tryIn("apart", "{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: own}, spec: {labels: ['autoattach:eu'], variables: [{name: OWN, value: apart}]}}\n"); err != nil {
			t.Fatal(err)
		}

		labels := "  labels: [eu]\n"
		runs := map[string]string{"close": g.stackIn("near", "close", labels), "far": g.stackIn("apart", "far", labels), "deep": g.stackIn("below", "deep", labels)}
		given := func(name string) (contexts []string, wrong string) {
			t.Helper()
			e := mustGet[client.StackEnvironment](g, "alice", "/stacks/default/"+name+"/environment")
			for _, c := range e.Contexts {
				contexts = append(contexts, c.Ref)
			}
			slices.Sort(contexts)
			return contexts, e.Wrong
		}
		for name, want := range map[string][2]string{ // what it is given, and what policies say
			"close": {"context:default/all", "by label by name for all governs"},
			"far":   {"context:default/own", "by name for all governs"},
			"deep":  {"context:default/own", "by name for all governs"},
		} {
			r := g.rests(runs[name])
			g.wantRun(r, "unconfirmed", "1 to create")
			slices.Sort(r.Warnings)
			if got := strings.Join(r.Warnings, " "); got != want[1] {
				t.Errorf("of %s policies say %q, want %q", name, got, want[1])
			}
			if got, wrong := given(name); strings.Join(got, " ") != want[0] || wrong != "" {
				t.Errorf("%s is given %q (%s), want %q", name, got, wrong, want[0])
			}
			plan := mustGet[client.Plan](g, "alice", "/runs/"+r.ID+"/plan")
			if priced := plan.Cost != nil; priced != (name == "close") {
				t.Errorf("the plan of %s costs %+v", name, plan.Cost)
			}
			if _, err := g.act("bob", r.ID, "discard"); err != nil { // his role is the root's
				t.Errorf("bob may not discard the run of %s: %v", name, err)
			}
		}
		stacks := mustGet[client.List[client.ContextStack]](g, "alice", "/contexts/default/all/stacks").Items
		if len(stacks) != 1 || stacks[0].Ref != "stack:default/close" {
			t.Errorf("the context of the root has %+v", stacks)
		}

		// By its name a context is not reached either, nor are a pool and a secret that are shared.
		for name, is := range map[string]bool{"close": true, "far": false, "deep": false} {
			space := map[string]string{"close": "near", "far": "apart", "deep": "below"}[name]
			if err := g.tryIn(space, stackDocument(name, "  contexts: [named]\n")); err != nil {
				t.Fatal(err)
			}
			if _, wrong := given(name); strings.Contains(wrong, "context:default/named, which the stack names, is not in space "+space) == is {
				t.Errorf("of the context that it names %s is told %q", name, wrong)
			}
			err := g.tryIn(space, stackDocument(name, "  workerPool: eu\n"))
			if is != (err == nil) || err != nil && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s names the pool of the root: %v", name, err)
			}
		}
		env := "  environment: [{name: TOKEN, secretRef: default/token}]\n"
		g.wantRun(g.rests(g.stackIn("near", "trusted", env)), "unconfirmed", "")
		g.wantRun(g.rests(g.stackIn("apart", "tight", env)), "failed", "secret default/token is not in space apart")

		// Whoever keeps the space above decides that, and may decide otherwise.
		spaces := map[string]bool{}
		for _, s := range mustGet[client.List[client.Space]](g, "alice", "/spaces").Items {
			spaces[s.Name] = s.Inherit
		}
		if want := map[string]bool{"default": true, "near": true, "apart": false, "below": true}; fmt.Sprint(spaces) != fmt.Sprint(want) {
			t.Errorf("the spaces are %v", spaces)
		}
		g.apply(strings.Replace(inheritSpaces, "inherit: false", "inherit: true", 1))
		if got, wrong := given("far"); strings.Join(got, " ") != "context:default/all context:default/named" || wrong != "" {
			t.Errorf("now it is given %q (%s)", got, wrong)
		}
		if err := g.try("admin", "{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: default}, spec: {inherit: false}}\n"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "nothing to inherit") {
			t.Errorf("the root stands apart: %v", err)
		}
	})
}
