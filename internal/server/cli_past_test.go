package server

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
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
	apply(group + db + strings.Replace(shop("Third"), "dependsOn: ['resource:db']", "dependsOn: []", 1))
	sayAll(t, []said{
		{"graph resource db --as-of " + second, 0, "  dependencyOf component:default/shop"},
		{"impact resource db --as-of " + second, 0, "resource:default/db\n  dependencyOf component:default/shop\n"},
		{"impact resource db", 0, "resource:default/db\n"},
		{"owned tribe --as-of " + second, 0, "ownerOf component:default/shop"},
		{"get resource db -o json --as-of " + second, 0, `"type": "dependencyOf"`},
		{"delete shop", 0, "deleted  component:default/shop"},
		{"graph shop --as-of " + second + " --format json", 0, `"title": "Second"`},
		{"history shop --diff --limit 1", 0, "  - kind: Component\n  - metadata:\n  -     name: shop\n  -     title: Third\n"},
		{"get component shop --as-of " + second, 0, "Second"},
	})
	nobody := person(t, h, "mallory")
	for _, path := range []string{"/entities?asOf=" + second, "/facets?facet=kind,owner&asOf=" + second, "/changes?from=2020-01-01T00:00:00Z"} {
		if code, body := do(t, server, http.MethodGet, "/api/v1"+path, nobody, ""); code != http.StatusOK || !empty(body) {
			t.Errorf("%s tells a person without rights %d %.300s", path, code, body)
		}
	}
	for _, path := range []string{"/entities/component/default/shop?asOf=" + second, "/graph?root=shop", "/graph?root=shop&asOf=" + second, "/entities/component/default/shop/owners"} {
		if code, body := do(t, server, http.MethodGet, "/api/v1"+path, nobody, ""); code != http.StatusNotFound {
			t.Errorf("%s tells a person without rights %d %.300s", path, code, body)
		}
	}
}

// TestACycleFromACommandLine is about two components that depend on each other, of which one is also a part of the other, and
// one that depends on itself.
func TestACycleFromACommandLine(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	component := func(name, more string) string {
		return "{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: " + name + "}, spec: {type: service, lifecycle: production, owner: crew, " + more + "}}\n---\n"
	}
	file := filepath.Join(t.TempDir(), "cycle.yaml")
	write(t, file, component("cart", "dependsOn: ['component:till']")+component("till", "dependsOn: ['component:cart', 'component:bank'], subcomponentOf: cart")+component("bank", "dependsOn: ['component:bank']"))
	if code, out, problem := say("apply -f " + file); code != 0 {
		t.Fatal(code, out, problem)
	}
	const bank, cart, till = "component:default/bank", "component:default/cart", "component:default/till"
	whole := cart + "\n  dependsOn " + till + "\n    dependsOn " + bank + "\n" +
		"also: " + bank + " dependsOn " + bank + "\nalso: " + till + " dependsOn " + cart + "\nalso: " + till + " partOf " + cart + "\n" +
		"cycle of dependsOn: " + bank + "\ncycle of dependsOn: " + cart + ", " + till + "\n"
	for line, want := range map[string]string{
		"graph cart --types dependsOn,partOf --depth 1": cart + "\n  dependsOn " + till + " …\n" +
			"also: " + till + " dependsOn " + cart + "\nalso: " + till + " partOf " + cart + "\ncycle of dependsOn: " + cart + ", " + till + "\n",
		"graph cart --types dependsOn,partOf --depth 2":   whole,
		"graph cart --types dependsOn,partOf --depth 100": whole,
		"graph cart --types partOf --depth 100":           cart + "\n  hasPart " + till + "\n",
		"impact cart": cart + "\n  dependencyOf " + till + "\n" +
			"also: " + cart + " dependsOn " + till + "\nalso: " + till + " dependsOn " + cart + "\nalso: " + till + " partOf " + cart + "\ncycle of dependsOn: " + cart + ", " + till + "\n",
	} {
		if code, out, problem := say(line); code != 0 || out != want {
			t.Errorf("roadbed %s = %d:\n%s%s\nwant\n%s", line, code, out, problem, want)
		}
	}
	code, out, problem := say("graph cart --types dependsOn --depth 100 --format json")
	var g client.EntityGraph
	if err := json.Unmarshal([]byte(out), &g); err != nil || code != 0 {
		t.Fatal(code, err, out, problem)
	}
	if want := []client.Cycle{{Type: "dependsOn", Refs: []string{bank}}, {Type: "dependsOn", Refs: []string{cart, till}}}; !reflect.DeepEqual(g.Cycles, want) || len(g.Nodes) != 3 || len(g.Edges) != 4 || g.Cut {
		t.Errorf("as JSON it is %+v", g)
	}
	sayAll(t, []said{
		{"graph cart --types dependsOn --format dot", 0, `"` + till + `" -> "` + cart + `" [label="dependsOn", color=red];`},
		{"graph cart --types dependsOn --format dot --depth 2", 0, `"` + till + `" -> "` + bank + `" [label="dependsOn"];`},
	})
}
