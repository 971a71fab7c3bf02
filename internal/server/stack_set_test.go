package server

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
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
		g.followed("stack.pushes", "repository.pushed", "", first) // or it would have the set look once more
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
		if set.Made != many || set.Ignored != 1 || set.Bare != 1 {
			t.Errorf("its first look came to %+v", set)
		}
		g.wantFolders("mono", "wrong,ignored,bare,kept", "stacks/_draft ignored: the pattern stacks/_* of spec.ignore leaves it out",
			"stacks/readme bare: it has no file of its own that fits *.tf, *.tofu, *.tf.json, *.tofu.json")
		if s.Set == nil || s.Set.Set != "stackset:default/mono" || s.Set.Standing != "made" {
			t.Errorf("a stack is of %+v", s.Set)
		}
		for who, kind := range map[string]fault.Kind{"rita": 0, "mallory": fault.NotFound} {
			if _, err := client.Get[client.StackSet](t.Context(), g.as[who], "/stack-sets/default/mono", nil); kind != 0 && !fault.Is(err, kind) || kind == 0 && err != nil {
				t.Errorf("%s reads the set: %v", who, err)
			}
			if _, err := client.All[client.StackSetFolder](t.Context(), g.as[who], "/stack-sets/default/mono/folders", nil); kind != 0 && !fault.Is(err, kind) || kind == 0 && err != nil {
				t.Errorf("%s reads its folders: %v", who, err)
			}
			if _, err := client.Post[client.StackSet](t.Context(), g.as[who], "/stack-sets/default/mono/look", nil); !fault.Is(err, cmp.Or(kind, fault.Denied)) {
				t.Errorf("%s has it look: %v", who, err)
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
		g.wantFolders("mono", "kept", "stacks/s00 kept stacks-s00: folder stacks/s00 is gone; it stays, as the set says: destroy it, and delete it",
			"stacks/s01 kept stacks-s01: folder stacks/s01 is gone; it stays, as the set says: destroy it, and delete it")
		if s := g.stackNow("stacks-s00"); s.Set == nil || s.Set.Standing != "kept" || !strings.Contains(s.Set.Why, "is gone") {
			t.Errorf("one that stays is of %+v", s.Set)
		}
		g.seenAll("mono", fourth)
		if of := runs(fourth); len(of) != 0 {
			t.Errorf("folders that are gone planned %q", of)
		}
		fifth := g.push("alice", "crew/mono", map[string]string{"stacks/S 02/main.tf": "", "stacks/s.02/main.tf": "", "stacks/s 02/main.tf": ""})
		set = g.set("mono", fifth, func(t client.StackSet) bool { return t.Wrong == 2 })
		if !strings.Contains(set.Problems[0], "folders stacks/S 02, stacks/s 02 would all be stack stacks-s-02; say spec.name") {
			t.Errorf("the problems are %q", set.Problems)
		}
		why := "wrong: folders stacks/S 02, stacks/s 02 would all be stack stacks-s-02; say spec.name so that their names differ, or have one of them ignored"
		g.wantFolders("mono", "wrong", "stacks/S 02 "+why, "stacks/s 02 "+why)
		all := g.folders("mono", "")
		if len(all) != many+1+1+2+2 { // with one more stack, s.02, the two without one, the ignored one and the bare one
			t.Errorf("the folders are %q", all)
		}

		tried, err := client.Post[client.StackSetTried](t.Context(), g.admin, "/stack-sets/default/mono/try", client.StackSetTry{Folders: []string{"stacks/*", "deep/*"}, Ignore: []string{"stacks/_*", "stacks/s1*"}})
		if err != nil || tried.Made != 1 || tried.Gone != 0 || tried.Kept != 6 || tried.Wrong != 2 || tried.Stacks != many+1+1+1 {
			t.Errorf("tried with other patterns it is %+v, %v", tried, err)
		}
		if _, err := client.Post[client.StackSetTried](t.Context(), g.as["rita"], "/stack-sets/default/mono/try", client.StackSetTry{Folders: []string{"*"}}); !fault.Is(err, fault.Denied) {
			t.Errorf("rita tries patterns: %v", err)
		}
		if _, err := client.Post[client.StackSetTried](t.Context(), g.admin, "/stack-sets/default/mono/try", client.StackSetTry{Folders: []string{"../*"}}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a pattern that leaves the repository: %v", err)
		}

		// A look that comes to nothing new is told to who asks for it, and to nobody else.
		entries := func() int {
			t.Helper()
			told, err := client.All[client.Entry](t.Context(), g.admin, "/ledger", map[string][]string{"ref": {"stackset:default/mono"}, "type": {"stackset.looked"}})
			if err != nil {
				t.Fatal(err)
			}
			return len(told)
		}
		before := entries()
		again, err := client.Post[client.StackSet](t.Context(), g.admin, "/stack-sets/default/mono/look", nil)
		if err != nil || !again.Looked.After(*set.Looked) || again.Made != 0 {
			t.Errorf("looked at again it is %+v, %v", again, err)
		}
		if after := entries(); before != 4 || after != before {
			t.Errorf("the ledger has %d looks, and then %d", before, after)
		}
	})
}

// folders gives the folders of a set as lines, a few at a time.
func (g *ground) folders(set, standing string) (lines []string) {
	g.t.Helper()
	query := url.Values{"limit": {"3"}}
	if standing != "" {
		query.Set("standing", standing)
	}
	var all []client.StackSetFolder
	for first := true; first || query.Get("cursor") != ""; first = false {
		part, err := client.Get[client.List[client.StackSetFolder]](g.t.Context(), g.admin, "/stack-sets/default/"+set+"/folders", query)
		if err != nil {
			g.t.Fatal(err)
		}
		all = append(all, part.Items...)
		query.Set("cursor", part.Next)
	}
	for _, f := range all {
		line := f.Folder + " " + f.Standing
		if f.Stack != nil {
			line += " " + f.Stack.Name
		}
		if f.Why != "" {
			line += ": " + f.Why
		}
		lines = append(lines, line)
	}
	return lines
}

func (g *ground) wantFolders(set, standing string, want ...string) {
	g.t.Helper()
	if got := g.folders(set, standing); !slices.Equal(got, want) {
		g.t.Errorf("folders that are %s:\n%s\nwant\n%s", standing, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
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
		if held := g.folders("mono", "held"); len(held) != 6 || !strings.HasPrefix(held[0], "stacks/s02 held stacks-s02: its folder is gone, and more than a quarter") {
			t.Errorf("held are %q", held)
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

// TestASetTakesAwayNothingThatARunHolds, until somebody says so.
func TestASetTakesAwayNothingThatARunHolds(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		text := "resource \"terraform_data\" \"x\" {}\n"
		first := g.push("alice", "crew/mono", map[string]string{"stacks/one/main.tf": text, "stacks/two/main.tf": text})
		g.apply(fmt.Sprintf(monoDocument, "  removed: delete\n"))
		g.set("mono", first, func(t client.StackSet) bool { return t.Stacks == 2 })
		by := ref.NewID(ref.Run, time.Now())
		g.keeps("stacks-two", by)
		second := g.remove("alice", "crew/mono", "stacks/two")
		g.set("mono", second, func(t client.StackSet) bool { return t.Stacks == 2 && t.Kept == 1 })
		e, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/stack/default/stacks-two", nil)
		if err != nil || !strings.Contains(e.Error, "it stays, since the lock of its state is kept: run "+by+" was killed") {
			t.Errorf("it says %q, %v", e.Error, err)
		}
		if err := g.as["otto"].Do(t.Context(), "POST", "/stacks/default/stacks-two/unlock", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.set("mono", second, func(t client.StackSet) bool { return t.Stacks == 1 && t.Kept == 0 })
		if _, err := client.Get[client.Entity](t.Context(), g.admin, "/entities/stack/default/stacks-two", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("it is there: %v", err)
		}
	})
}
