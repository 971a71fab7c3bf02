package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheGraphAndThePastFromACommandLine tells of an entity whose owner and relations change, and that is deleted.
func TestTheGraphAndThePastFromACommandLine(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	file := filepath.Join(t.TempDir(), "shop.yaml")
	apply := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, problem := say("apply -f " + file); code != 0 {
			t.Fatal(code, out, problem)
		}
	}
	const group = "{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: tribe}, spec: {type: tribe, children: []}}\n---\n" +
		"{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew, title: 'The \"Crew\"'}, spec: {type: team, parent: tribe, children: []}}\n---\n"
	const db = "{apiVersion: backstage.io/v1alpha1, kind: Resource, metadata: {name: db}, spec: {type: database, owner: crew}}\n---\n"
	shop := func(title string) string {
		return "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, title: " + title + "}, spec: {type: service, lifecycle: production, owner: crew, dependsOn: ['resource:db']}}"
	}
	apply(group + db + shop("First"))
	apply(group + db + shop("Second"))
	var versions []struct{ Time, Diff, Entry string }
	_, out, problem := say("history shop -o json")
	if err := json.Unmarshal([]byte(out), &versions); err != nil {
		t.Fatal(err, out, problem)
	}
	if len(versions) != 2 || versions[0].Entry == "" || !strings.Contains(versions[0].Diff, "First → Second") {
		t.Fatalf("the history is %+v", versions)
	}
	first, second := versions[1].Time, versions[0].Time
	for _, c := range []struct {
		line  string
		code  int
		words []string
	}{
		{"history shop --diff", 0, []string{"VERSION", "created", "updated", "~ metadata.title: First → Second"}},
		{"history shop --since 1h --limit 1", 0, []string{"updated"}},
		{"get component shop --as-of " + first, 0, []string{"First"}},
		{"get component shop --as-of " + second, 0, []string{"Second"}},
		{"get component --as-of " + first, 0, []string{"component:default/shop"}},
		{"get component shop --as-of 5d", 4, nil},
		{"get component shop --as-of yesterday", 2, nil},
		{"diff --from " + first + " --kind component", 0, []string{"updated", "component:default/shop", "~ metadata.title: First → Second"}},
		{"diff --from 1h --kind component", 0, []string{"created"}},
		{"diff --to 1h", 2, nil}, {"diff", 2, nil}, {"diff --from 1h -f x", 2, nil},
		{"graph shop", 0, []string{"component:default/shop\n", "  dependsOn resource:default/db", "  ownedBy group:default/crew"}},
		{"graph shop --types dependsOn --format dot", 0, []string{"digraph", `"component:default/shop" -> "resource:default/db" [label="dependsOn"];`}},
		{"graph shop --depth 2 --format mermaid", 0, []string{"flowchart LR", `["Group The #quot;Crew#quot;"]`, "-->|ownedBy|"}},
		{"graph shop --depth 2 --format dot", 0, []string{`label="Group The \"Crew\""`}},
		{"graph shop --format json", 0, []string{`"root": "component:default/shop"`}},
		{"graph shop --depth 0", 2, nil}, {"graph shop --format png", 2, nil}, {"graph nothing", 4, nil},
		{"impact resource db", 0, []string{"resource:default/db\n", "  dependencyOf component:default/shop"}},
		{"impact shop --needs", 0, []string{"  dependsOn resource:default/db"}},
		{"owners shop", 0, []string{"ownedBy", "group:default/crew", "childOf", "group:default/tribe"}},
		{"owned tribe", 0, []string{"parentOf group:default/crew", "ownerOf component:default/shop"}},
	} {
		code, out, problem := say(c.line)
		if code != c.code {
			t.Errorf("roadbed %s = %d: %s%s", c.line, code, out, problem)
		}
		for _, word := range c.words {
			if !strings.Contains(out, word) {
				t.Errorf("roadbed %s writes no %q: %s%s", c.line, word, out, problem)
			}
		}
	}
	nobody := person(t, h, "mallory")
	for _, path := range []string{"/entities?asOf=" + second, "/changes?from=2020-01-01T00:00:00Z"} {
		if code, body := do(t, server, http.MethodGet, "/api/v1"+path, nobody, ""); code != http.StatusOK || !empty(body) {
			t.Errorf("%s tells a person without rights %d %.300s", path, code, body)
		}
	}
	for _, path := range []string{"/entities/component/default/shop?asOf=" + second, "/graph?root=shop", "/entities/component/default/shop/owners"} {
		if code, body := do(t, server, http.MethodGet, "/api/v1"+path, nobody, ""); code != http.StatusNotFound {
			t.Errorf("%s tells a person without rights %d %.300s", path, code, body)
		}
	}
}
