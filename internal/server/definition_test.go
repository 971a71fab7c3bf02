package server

import (
	"net/url"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestDefinitions is the story of an API whose definition changes: by versions of its entity, and on a branch before it is merged.
func TestDefinitions(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const entity = "{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: pets}, spec: {type: graphql, lifecycle: production, owner: crew, definition: {$text: ./pets.graphql}}}\n"
		first := g.push("alice", "default/pets", map[string]string{
			"api/catalog-info.yaml": entity,
			"api/pets.graphql":      "type Query { pet(id: ID!): Pet pets: [Pet!]! }\ntype Pet { id: ID! name: String! }\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/pets", "path": "api/catalog-info.yaml"}); err != nil {
			t.Fatal(err)
		}
		const at = "/entities/api/default/pets/definition"
		d, err := client.Get[client.Definition](t.Context(), g.as["rita"], at, nil)
		if err != nil || d.Format != "graphql" || len(d.Operations) != 2 || d.Operations[0].ID != "Query.pet" || len(d.Types) != 1 || d.At != "1" || d.Commit != first {
			t.Fatalf("the definition is %+v, %v", d, err)
		}
		changes := func(from, to string) (client.DefinitionChanges, error) {
			return client.Get[client.DefinitionChanges](t.Context(), g.as["rita"], at+"/changes", url.Values{"from": {from}, "to": {to}})
		}
		if none, err := changes("", ""); err != nil || len(none.Changes) != 0 {
			t.Errorf("a definition without an older one: %+v, %v", none, err)
		}
		second := g.push("alice", "default/pets", map[string]string{"api/pets.graphql": "type Query { pets: [Pet!]! }\ntype Pet { id: ID! name: String! age: Int }\n"})
		if err := eventually(t.Context(), func() (bool, error) {
			d, err := client.Get[client.Definition](t.Context(), g.as["rita"], at, nil)
			return d.Commit == second, err
		}); err != nil {
			t.Fatal(err)
		}
		for _, of := range [][2]string{{"", ""}, {"1", "2"}, {first, second}, {first[:12], "main"}} {
			c, err := changes(of[0], of[1])
			if err != nil || c.Breaking != 1 || len(c.Changes) != 2 || c.Changes[0] != (client.DefinitionChange{Where: "Query.pet", Message: "is gone", Breaking: true}) || c.Changes[1].Where != "Pet: age" {
				t.Errorf("the changes from %q to %q are %+v, %v", of[0], of[1], c, err)
			}
		}
		if back, err := changes("2", "1"); err != nil || back.Breaking != 1 || back.Changes[0].Where != "Pet: age" {
			t.Errorf("the way back is %+v, %v", back, err)
		}
		if _, err := changes("7", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("a version that never was: %v", err)
		}
		for _, path := range []string{at, at + "?at=1", at + "?at=main", at + "/changes"} {
			if _, err := client.Get[any](t.Context(), g.as["mallory"], path, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("who may not see the API gets %s: %v", path, err)
			}
		}
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: odd}, spec: {type: openapi, lifecycle: production, owner: crew, definition: "a: ["}}`)
		odd, err := client.Get[client.Definition](t.Context(), g.as["rita"], "/entities/api/default/odd/definition", nil)
		if err != nil || odd.Format != "text" || odd.Text != "a: [" || odd.Error == "" {
			t.Errorf("a definition that is none is %+v, %v", odd, err)
		}
		if _, err := client.Get[client.Definition](t.Context(), g.as["rita"], "/entities/api/default/odd/definition", url.Values{"at": {"main"}}); err == nil || !strings.Contains(err.Error(), "was applied") {
			t.Errorf("a commit of what was applied: %v", err)
		}
	})
}
