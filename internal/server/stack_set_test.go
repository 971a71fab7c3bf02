package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const monoDocument = `apiVersion: roadbed.dev/v1
kind: StackSet
metadata: {name: mono}
spec:
  owner: group:default/crew
  source: {repository: crew/mono, branch: main}
  folders: ["stacks/*/"]
  ignore: ["stacks/_*"]
%s  template:
    labels: ["team:{{path.basename}}"]
    watch: ["modules/**"]
`

// set waits until a stack set has looked at a commit, and gives it.
func (g *ground) set(name, commit string, as func(client.StackSet) bool) (t client.StackSet) {
	g.t.Helper()
	err := eventually(g.t.Context(), func() (bool, error) {
		var err error
		t, err = client.Get[client.StackSet](g.t.Context(), g.admin, "/stack-sets/default/"+name, nil)
		return t.Seen == commit && t.Looked != nil && as(t), err
	})
	if err != nil {
		g.t.Fatalf("the set is %+v: %v", t, err)
	}
	return t
}

func (g *ground) setStacks(name string) (names []string) {
	g.t.Helper()
	all, err := client.All[client.Stack](g.t.Context(), g.admin, "/stacks", map[string][]string{"set": {name}})
	if err != nil {
		g.t.Fatal(err)
	}
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// remove pushes that folders are gone.
func (g *ground) remove(who, repository string, folders ...string) string {
	g.t.Helper()
	dir := filepath.Join(g.dir, who, repository)
	for _, folder := range folders {
		if err := os.RemoveAll(filepath.Join(dir, folder)); err != nil {
			g.t.Fatal(err)
		}
	}
	return g.push(who, repository, map[string]string{"gone.txt": strings.Join(folders, " ")})
}

// TestASetKeepsAStackForEachFolder and plans only those that a push touches.
func TestASetKeepsAStackForEachFolder(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		files := map[string]string{"stacks/_draft/main.tf": "", "stacks/readme/README.md": "no stack", "modules/net/main.tf": "", "deep/a/main.tf": ""}
		const many = 14 // more than are looked at one by one
		for i := range many {
			files[fmt.Sprintf("stacks/s%02d/main.tf", i)] = "# of a folder\n"
		}
		first := g.push("alice", "crew/mono", files)
		g.apply(fmt.Sprintf(monoDocument, ""))
		set := g.set("mono", first, func(t client.StackSet) bool { return t.Stacks == many })
		if set.Wrong != 0 || set.Kept != 0 || set.Message != "" || len(set.Problems) != 0 {
			t.Errorf("it came to %+v", set)
		}
		names := g.setStacks("mono")
		if len(names) != many || names[3] != "stacks-s03" {
			t.Fatalf("the stacks are %q", names)
		}
		s := g.stackNow("stacks-s03")
		if s.Path != "stacks/s03" || s.Repository != "crew/mono" || s.Owner != "group:default/crew" || s.Space != "default" {
			t.Errorf("a stack is %+v", s)
		}
		for who, kind := range map[string]fault.Kind{"rita": 0, "mallory": fault.NotFound} {
			if _, err := client.Get[client.StackSet](t.Context(), g.as[who], "/stack-sets/default/mono", nil); kind != 0 && !fault.Is(err, kind) || kind == 0 && err != nil {
				t.Errorf("%s reads the set: %v", who, err)
			}
		}
		if err := g.try("rita", fmt.Sprintf(monoDocument, "  planFirst: true\n")); !fault.Is(err, fault.Denied) {
			t.Errorf("rita changes the set: %v", err)
		}
		runs := func(commit string) (of []string) {
			t.Helper()
			all, err := client.All[client.Run](t.Context(), g.admin, "/runs", map[string][]string{"commit": {commit}})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				of = append(of, strings.TrimPrefix(r.Subject, "stack:default/stacks-"))
			}
			return of
		}
		if of := runs(first); len(of) != 0 {
			t.Errorf("the first look planned %q", of)
		}

		// One folder changes, and one comes: these two are planned.
		second := g.push("alice", "crew/mono", map[string]string{"stacks/s05/main.tf": "# changed\n", "stacks/new/main.tf": "# new\n", "stacks/readme/README.md": "still none"})
		g.set("mono", second, func(t client.StackSet) bool { return t.Stacks == many+1 })
		g.stackRun("stacks-s05", second)
		g.stackRun("stacks-new", second)
		g.seenAll("mono", second)
		if of := runs(second); len(of) != 2 {
			t.Errorf("a push into two folders planned %q", of)
		}

		// A module that all of them watch changes: all are planned.
		third := g.push("alice", "crew/mono", map[string]string{"modules/net/main.tf": "# changed\n"})
		g.seenAll("mono", third)
		if err := eventually(t.Context(), func() (bool, error) { return len(runs(third)) == many+1, nil }); err != nil {
			t.Errorf("a push into a module planned %q", runs(third))
		}

		// What is gone stays, until the set says otherwise; names that are there twice are told.
		fourth := g.remove("alice", "crew/mono", "stacks/s00", "stacks/s01")
		set = g.set("mono", fourth, func(t client.StackSet) bool { return t.Kept == 2 })
		if set.Stacks != many+1 || len(g.setStacks("mono")) != many+1 {
			t.Errorf("after two are gone it is %+v", set)
		}
		e, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/stack/default/stacks-s00", nil)
		if err != nil || !strings.Contains(e.Error, "folder stacks/s00 is gone; it stays, as the set says") {
			t.Errorf("one that stays says %q, %v", e.Error, err)
		}
		g.seenAll("mono", fourth)
		if of := runs(fourth); len(of) != 0 {
			t.Errorf("folders that are gone planned %q", of)
		}
		fifth := g.push("alice", "crew/mono", map[string]string{"stacks/S 02/main.tf": "", "stacks/s.02/main.tf": "", "stacks/s 02/main.tf": ""})
		set = g.set("mono", fifth, func(t client.StackSet) bool { return t.Wrong == 1 })
		if !strings.Contains(set.Problems[0], "folders stacks/S 02, stacks/s 02 would all be stack stacks-s-02; say spec.name") {
			t.Errorf("the problems are %q", set.Problems)
		}
	})
}

// seenAll waits until the stacks of a set have taken note of a commit.
func (g *ground) seenAll(set, commit string) {
	g.t.Helper()
	late := 0
	err := eventually(g.t.Context(), func() (bool, error) {
		err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(g.t.Context(), "SELECT COUNT(*) FROM stacks WHERE seen <> $1 AND ref IN (SELECT stack FROM stack_set_members WHERE stack_set = $2)", commit, "stackset:default/"+set).Scan(&late)
		})
		return late == 0, err
	})
	if err != nil {
		g.t.Fatalf("%d stacks have not seen %s: %v", late, commit, err)
	}
}

// TestASetTakesAwayOnlyWhatHoldsNothing when its folder is gone, and never all at once.
func TestASetTakesAwayOnlyWhatHoldsNothing(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		files := map[string]string{}
		for i := range 12 {
			files[fmt.Sprintf("stacks/s%02d/main.tf", i)] = "resource \"terraform_data\" \"x\" {}\n"
		}
		first := g.push("alice", "crew/mono", files)
		g.apply(fmt.Sprintf(monoDocument, "  removed: delete\n"))
		g.set("mono", first, func(t client.StackSet) bool { return t.Stacks == 12 })
		r, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/stacks-s00/runs", map[string]string{"type": "tracked"})
		if err != nil {
			t.Fatal(err)
		}
		g.rests(r.ID)
		for _, who := range []string{"admin", "alice"} { // who declared the set, and who pushed
			if _, err := g.act(who, r.ID, "confirm"); !fault.Is(err, fault.Denied) {
				t.Errorf("%s confirms: %v", who, err)
			}
		}
		if _, err := g.act("bob", r.ID, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, r.ID, ended), "finished", "applied")

		second := g.remove("alice", "crew/mono", "stacks/s00", "stacks/s01")
		set := g.set("mono", second, func(t client.StackSet) bool { return t.Stacks == 11 && t.Kept == 1 })
		if set.Held != 0 {
			t.Errorf("it came to %+v", set)
		}
		e, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/stack/default/stacks-s00", nil)
		if err != nil || !strings.Contains(e.Error, "its state holds 1 resource: destroy them with `roadbed stack destroy stacks-s00`") {
			t.Errorf("one that holds something says %q, %v", e.Error, err)
		}
		if _, err := client.Get[client.Stack](t.Context(), g.admin, "/entities/stack/default/stacks-s01", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("one that holds nothing is there: %v", err)
		}
		if s := g.stackNow("stacks-s00"); s.State == nil || s.State.Resources != 1 {
			t.Errorf("its state is %+v", s.State)
		}

		third := g.remove("alice", "crew/mono", "stacks/s02", "stacks/s03", "stacks/s04", "stacks/s05", "stacks/s06", "stacks/s07")
		set = g.set("mono", third, func(t client.StackSet) bool { return t.Held == 6 })
		if set.Stacks != 11 || !strings.Contains(set.Message, "6 stacks would go at once") {
			t.Errorf("when many are gone it came to %+v", set)
		}

		// With the set goes what holds nothing.
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stackset/default/mono", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get[client.StackSet](t.Context(), g.admin, "/stack-sets/default/mono", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("a deleted set is there: %v", err)
		}
		err = eventually(t.Context(), func() (bool, error) {
			list, err := client.Get[client.List[client.Stack]](t.Context(), g.admin, "/stacks", nil)
			return len(list.Items) == 1, err
		})
		if err != nil {
			t.Error(err)
		}
		if s := g.stackNow("stacks-s00"); s.State == nil || s.State.Resources != 1 {
			t.Errorf("after the set its state is %+v", s.State)
		}
	})
}
