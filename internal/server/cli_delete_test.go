package server

import (
	"path/filepath"
	"strings"
	"testing"
)

const deletable = `# a team, and what it has
apiVersion: roadbed.dev/v1
kind: Space
metadata: {name: harbour}
spec: {parent: default}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: crew}, spec: {type: team, children: []}}
---
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: shop, namespace: crew}, spec: {type: service, lifecycle: production, owner: "group:default/crew"}}
`

// TestDocumentsAreDeletedAsTheyWereApplied the last one first, and none when one of them is not there.
func TestDocumentsAreDeletedAsTheyWereApplied(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	dir := t.TempDir()
	team, other := filepath.Join(dir, "team.yaml"), filepath.Join(dir, "other.json")
	write(t, team, deletable)
	write(t, other, `{"apiVersion": "backstage.io/v1alpha1", "kind": "User", "metadata": {"name": "carla"}, "spec": {"memberOf": []}}`)
	write(t, filepath.Join(dir, "empty.yaml"), "# nothing\n")
	write(t, filepath.Join(dir, "nameless.yaml"), "kind: Component\nmetadata: {}\n")
	write(t, filepath.Join(dir, "torn.yaml"), "kind: [\n")
	both := " -f " + team + " -f " + other
	sayAll(t, []said{
		{"apply" + both, 0, "component:crew/shop"},
		{"delete", 2, "-f FILE"},
		{"delete component shop -f " + team, 2, "not both"},
		{"delete -f " + filepath.Join(dir, "none.yaml"), 1, "none.yaml"},
		{"delete -f " + filepath.Join(dir, "empty.yaml"), 1, "there is no document"},
		{"delete -f " + filepath.Join(dir, "nameless.yaml"), 1, "document 1 has no kind and metadata.name"},
		{"delete -f " + filepath.Join(dir, "torn.yaml"), 1, "read documents"},
		{"delete --dry-run" + both, 0, "deleted  user:default/carla\ndeleted  component:crew/shop\ndeleted  group:default/crew\ndeleted  space:default/harbour\n"},
		{"get user carla", 0, "carla"},
		{"delete user carla", 0, "deleted  user:default/carla"},
		{"delete user carla", 4, "carla"},
		{"delete user carla --ignore-missing", 0, "missing  user:default/carla"},
		{"delete" + both, 4, "user:default/carla"},
		{"get component crew/shop", 0, ""},
		{"get component component:crew/shop", 2, ""},
	})
	if _, out, _ := say("get component -o json"); !strings.Contains(out, "component:crew/shop") {
		t.Errorf("something was deleted although a document was missing: %s", out)
	}
	sayAll(t, []said{
		{"delete --ignore-missing" + both, 0, "missing  user:default/carla\ndeleted  component:crew/shop\ndeleted  group:default/crew\ndeleted  space:default/harbour\n"},
		{"delete --ignore-missing" + both, 0, "missing  component:crew/shop"},
		{"get component", 0, "no entities"},
		{"apply" + both, 0, "component:crew/shop"},
		{"delete component:crew/shop carla", 2, `"carla" names no kind; write several as references`},
		{"delete component crew/shop carla", 2, "names no kind"},
		{"delete component:crew/shop user:nobody", 4, "user:default/nobody"},
		{"delete component:crew/shop user:carla component:crew/shop --dry-run", 0, "deleted  component:crew/shop\ndeleted  user:default/carla\n"},
		{"delete component:crew/shop user:carla", 0, "deleted  component:crew/shop\ndeleted  user:default/carla\n"},
		{"delete user:carla", 4, "carla"},
	})
}
