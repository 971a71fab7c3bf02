package server

import (
	"fmt"
	"testing"
)

// TestASetOfVariablesHasTheStacksThatNameIt now, and those that it names: whatever they named before.
func TestASetOfVariablesHasTheStacksThatNameIt(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		set := func(name, attach string) string {
			return fmt.Sprintf("---\n{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: %s}, spec: {owner: group:default/crew%s}}\n", name, attach)
		}
		stack := func(name, contexts string) string {
			return fmt.Sprintf("---\n{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: %s}, spec: {owner: group:default/crew, source: {upload: true}, contexts: [%s]}}\n", name, contexts)
		}
		m := remote{g, "admin"}
		wants := func(when string, want ...string) {
			t.Helper()
			for i, x := range m.lists("organizations/default/varsets", nil, len(want)) {
				if got := x.text("workspace-count"); got != want[i] {
					t.Errorf("%s: %s has %s workspaces, want %s", when, x.text("name"), got, want[i])
				}
			}
		}
		g.apply(set("a", "") + set("a_b", "") + set("b", ", attach: [three]") + stack("one", "a") + stack("two", "a, b") + stack("three", "") + stack("four", ""))
		wants("at first", "2", "0", "2")
		g.apply(stack("one", "b, a_b") + stack("two", ""))
		wants("when documents name others", "0", "1", "2")
		g.apply(stack("three", "b"))
		wants("where each names the other", "0", "1", "2")
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stack/default/one", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		wants("when a stack goes", "0", "0", "1")
		g.apply(stack("one", "a"))
		wants("when it comes again", "1", "0", "1")
		g.apply(set("a", "") + set("a_b", "") + set("b", ""))
		wants("when a set names none", "1", "0", "1")
	})
}
