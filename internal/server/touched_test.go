package server

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
)

// TestPushesAndProposalsNameWhatTheyTouch has the history of an entity tell of the pushes and proposals that change it, and
// not of those that change others of the same repository.
func TestPushesAndProposalsNameWhatTheyTouch(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		d := desk{g, "crew/mono"}
		component := func(name string) string {
			return "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + "}, spec: {type: service, lifecycle: production, owner: group:default/crew}}"
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		g.push("alice", d.repo, map[string]string{
			"catalog-info.yaml":   "{apiVersion: backstage.io/v1alpha1, kind: Location, metadata: {name: mono}, spec: {targets: [./a/catalog-info.yaml, ./b/catalog-info.yaml]}}",
			"a/catalog-info.yaml": component("a"), "b/catalog-info.yaml": component("b"),
		})
		if _, err := client.Post[client.Location](ctx, g.admin, "/locations", map[string]string{"repository": d.repo}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			if err := eventually(ctx, func() (bool, error) {
				list, err := client.All[client.Entity](ctx, g.admin, "/entities", url.Values{"kind": {"component"}, "name": {name}})
				return len(list) > 0, err
			}); err != nil {
				t.Fatalf("component %s is not read: %v", name, err)
			}
		}
		inA := g.push("alice", d.repo, map[string]string{"a/cmd/main.go": "package main"})
		inBoth := g.push("alice", d.repo, map[string]string{"a/go.mod": "module a", "b/go.mod": "module b"})
		g.push("alice", d.repo, map[string]string{"README.md": "# Mono"})
		p := d.propose("alice", "only-b", map[string]string{"b/cmd/main.go": "package main"})
		if !slices.Equal(p.Touches, []string{"component:default/b"}) {
			t.Errorf("the proposal touches %v", p.Touches)
		}
		told := func(entity string) (pushed, proposed []string, err error) {
			all, err := client.All[client.Entry](ctx, g.admin, "/ledger", url.Values{"ref": {entity}, "type": {"repository.pushed,proposal."}})
			slices.Reverse(all)
			for _, e := range all {
				var data struct{ New string }
				if err := json.Unmarshal(e.Data, &data); err != nil {
					return nil, nil, err
				}
				if e.Type == "repository.pushed" {
					pushed = append(pushed, data.New)
				} else {
					proposed = append(proposed, e.Type)
				}
			}
			return pushed, proposed, err
		}
		for entity, want := range map[string]struct{ pushed, proposed []string }{
			"component:default/a": {[]string{inA, inBoth}, nil}, "component:default/b": {[]string{inBoth}, []string{"proposal.opened"}},
		} {
			var pushed, proposed []string
			err := eventually(ctx, func() (_ bool, err error) { // when they are sealed
				pushed, proposed, err = told(entity)
				return slices.Equal(proposed, want.proposed) && len(pushed) >= len(want.pushed), err
			})
			if own := slices.DeleteFunc(pushed, func(hash string) bool { return hash == p.Head }); err != nil || !slices.Equal(own, want.pushed) || !slices.Equal(proposed, want.proposed) {
				t.Errorf("of %s the ledger tells %v and %v, %v", entity, pushed, proposed, err)
			}
		}
	})
}
