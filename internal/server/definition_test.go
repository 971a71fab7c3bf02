package server

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/docs"
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
		keyed := func(security string) {
			g.apply(fmt.Sprintf("{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: keyed}, spec: {type: openapi, lifecycle: production, owner: crew, definition: %q}}",
				"openapi: 3.0.0\nsecurity: "+security+"\npaths: {/a: {get: {responses: {}}}}\ncomponents: {securitySchemes: {key: {type: http, scheme: bearer}}}"))
		}
		keyed("[]")
		keyed("[{key: []}]")
		const ofKeyed = "/entities/api/default/keyed/definition"
		if d, err := client.Get[client.Definition](t.Context(), g.as["rita"], ofKeyed, nil); err != nil || len(d.Operations) != 1 || !slices.Equal(d.Operations[0].Security, []string{"HTTP bearer"}) {
			t.Errorf("what needs a token is %+v, %v", d, err)
		}
		if c, err := client.Get[client.DefinitionChanges](t.Context(), g.as["rita"], ofKeyed+"/changes", nil); err != nil || c.Breaking != 1 || c.Changes[0].Where != "GET /a: authentication" {
			t.Errorf("what needs a token now: %+v, %v", c, err)
		}
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: odd}, spec: {type: openapi, lifecycle: production, owner: crew, definition: "a: ["}}`)
		odd, err := client.Get[client.Definition](t.Context(), g.as["rita"], "/entities/api/default/odd/definition", nil)
		if err != nil || odd.Format != "text" || odd.Text != "a: [" || odd.Error == "" {
			t.Errorf("a definition that is none is %+v, %v", odd, err)
		}
		if _, err := client.Get[client.Definition](t.Context(), g.as["rita"], "/entities/api/default/odd/definition", url.Values{"at": {"main"}}); err == nil || !strings.Contains(err.Error(), "was applied") {
			t.Errorf("a commit of what was applied: %v", err)
		}
		if err := g.admin.Do(t.Context(), http.MethodDelete, "/entities/api/default/odd", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		of := func(who, at string) error {
			_, err := client.Get[client.Definition](t.Context(), g.as[who], "/entities/api/default/odd/definition", url.Values{"at": {at}})
			return err
		}
		if err := of("rita", "1"); err != nil {
			t.Errorf("a version of what is deleted: %v", err)
		}
		for _, asked := range [][2]string{{"rita", ""}, {"rita", "2"}, {"rita", "main"}, {"mallory", "1"}} {
			if err := of(asked[0], asked[1]); !fault.Is(err, fault.NotFound) {
				t.Errorf("what is deleted, to %s at %q: %v", asked[0], asked[1], err)
			}
		}
		if _, err := client.Get[any](t.Context(), g.as["rita"], "/entities/api/default/odd/definition/changes", url.Values{"from": {"main"}, "to": {"1"}}); !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "version by its number") {
			t.Errorf("what changed since a commit in what is deleted: %v", err)
		}
	})
}

// TestDefinitionsOfSeveralFiles is the story of a definition whose types are in files of their own: of its repository, and of
// another one. What breaks there is told of a branch as it is of versions, to who may read all of them.
func TestDefinitionsOfSeveralFiles(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		const entity = "{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: orders}, spec: {type: openapi, lifecycle: production, owner: crew, definition: {$openapi: /api/orders.yaml}}}\n"
		const definition = "openapi: 3.0.0\ninfo: {title: Orders, version: '1'}\npaths:\n  /orders:\n    post:\n      requestBody: {content: {application/json: {schema: {$ref: '../types/order.yaml#/Order'}}}}\n      responses: {204: {description: Taken}}\n"
		g.push("alice", "default/orders", map[string]string{
			"main/catalog-info.yaml": entity, "api/orders.yaml": definition, "types/order.yaml": "Order: {type: object, properties: {note: {type: string, maxLength: 500}}}\n",
		})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/orders", "path": "main/catalog-info.yaml"}); err != nil {
			t.Fatal(err)
		}
		const at = "/entities/api/default/orders/definition"
		branch := func(name string, files map[string]string) {
			t.Helper()
			dir := filepath.Join(g.dir, "alice", "default/orders")
			g.do("alice", dir, "switch", "--quiet", "--create", name, "main")
			for path, content := range files {
				write(t, filepath.Join(dir, path), content)
			}
			g.do("alice", dir, "add", "--all")
			g.do("alice", dir, "commit", "--quiet", "--message", name)
			g.do("alice", dir, "push", "--quiet", "origin", name)
			g.do("alice", dir, "switch", "--quiet", "main")
		}
		changes := func(who, from, to string) (client.DefinitionChanges, error) {
			return client.Get[client.DefinitionChanges](t.Context(), g.as[who], at+"/changes", url.Values{"from": {from}, "to": {to}})
		}
		branch("shorter", map[string]string{"types/order.yaml": "Order: {type: object, properties: {note: {type: string, maxLength: 50}}}\n"})
		for _, from := range []string{"main", "1"} {
			if same, err := changes("rita", from, "main"); err != nil || len(same.Changes) != 0 {
				t.Errorf("from %s to what it is: %+v, %v", from, same, err)
			}
			c, err := changes("rita", from, "shorter")
			if err != nil || c.Breaking != 1 || len(c.Changes) != 1 || !strings.Contains(c.Changes[0].Message, `"length at most 500" and are "length at most 50"`) {
				t.Errorf("from %s to the branch: %+v, %v", from, c, err)
			}
		}
		branch("torn", map[string]string{"api/orders.yaml": strings.Replace(definition, "../types/order.yaml", "gone.yaml", 1)})
		if _, err := changes("rita", "main", "torn"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "api/gone.yaml") {
			t.Errorf("a file that is not there: %v", err)
		}

		// The types move to another repository, which not everybody may read who may read this one.
		g.push("alice", "default/types", map[string]string{"order.yaml": "Order: {type: object, properties: {note: {type: string, maxLength: 60}}}\n"})
		branch("moved", map[string]string{
			"main/catalog-info.yaml": strings.Replace(entity, "/api/orders.yaml", "../api/orders.yaml", 1),
			"api/orders.yaml":        strings.Replace(definition, "../types/order.yaml", "/git/default/types/order.yaml", 1),
		})
		if c, err := changes("rita", "main", "moved"); err != nil || c.Breaking != 1 || !strings.Contains(c.Changes[0].Message, "at most 60") {
			t.Errorf("types of another repository: %+v, %v", c, err)
		}
		token, err := client.Post[client.NewToken](t.Context(), g.as["admin"], "/tokens", map[string]any{
			"name": "narrow", "owner": "user:default/rita", "scopes": []string{"entity:read", "repository:read=default/orders"},
		})
		if err != nil {
			t.Fatal(err)
		}
		g.as["narrow"] = client.New(g.url, token.Secret)
		if c, err := changes("narrow", "main", "shorter"); err != nil || c.Breaking != 1 {
			t.Errorf("with a token for this repository: %+v, %v", c, err)
		}
		if _, err := changes("narrow", "main", "moved"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "default/types that both you and space default may read") {
			t.Errorf("with a token that does not read the other: %v", err)
		}
	})
}

// TestOldDefinitions tells when the last versions say the same, and that older ones were not looked at.
func TestOldDefinitions(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		api := func(description, definition string) {
			g.apply(fmt.Sprintf("{apiVersion: backstage.io/v1alpha1, kind: API, metadata: {name: old, description: %q}, spec: {type: graphql, lifecycle: production, owner: crew, definition: %q}}", description, definition))
		}
		api("first", "type Query { a: Int b: Int }")
		changes := func() client.DefinitionChanges {
			c, err := client.Get[client.DefinitionChanges](t.Context(), g.as["rita"], "/entities/api/default/old/definition/changes", nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		for i := range docs.Versions - 1 {
			api(fmt.Sprint(i), "type Query { a: Int }")
		}
		if c := changes(); c.Breaking != 1 || c.From.At != "1" || c.Older {
			t.Errorf("the oldest of those that are looked at: %+v", c)
		}
		api("last", "type Query { a: Int }")
		if c := changes(); len(c.Changes) != 0 || !c.Older {
			t.Errorf("one that is older than those: %+v", c)
		}
	})
}
