package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
)

// applyInLab declares documents in the space lab.
func (g *ground) applyInLab(documents string) {
	g.t.Helper()
	if _, err := client.Post[client.List[client.Applied]](g.t.Context(), g.admin, "/apply", map[string]any{"documents": documents, "source": "lab", "space": "lab"}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) repositoryInLab(name string) {
	g.t.Helper()
	if _, err := client.Post[client.Repository](g.t.Context(), g.admin, "/repositories", map[string]string{"namespace": "crew", "name": name, "space": "lab"}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *ground) members(set string) (n int) {
	g.t.Helper()
	err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(g.t.Context(), "SELECT COUNT(*) FROM stack_set_members WHERE stack_set = $1", "stackset:default/"+set).Scan(&n)
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return n
}

// lookedAtLast waits until the push of a commit is noticed, and no set is to look any more.
func (g *ground) lookedAtLast(commit string) {
	g.t.Helper()
	g.followed("stack.pushes", "repository.pushed", "", commit)
	looks := 0
	ctx, stop := context.WithTimeout(g.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		err := g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(g.t.Context(), "SELECT COUNT(*) FROM jobs WHERE kind = 'stack.set' AND state < 2").Scan(&looks)
		})
		return looks == 0, err
	})
	if err != nil {
		g.t.Fatalf("after the push of %s sets have %d looks to make: %v", commit, looks, err)
	}
}

// TestASetTellsNothingOfAStackThatIsAnotherSpacesNow has one of its stacks deleted, and declared anew where its readers may
// read nothing.
func TestASetTellsNothingOfAStackThatIsAnotherSpacesNow(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.lab()
		g.repositoryInLab("mono")
		commit := g.push("alice", "crew/mono", map[string]string{"stacks/net/main.tf": "", "stacks/web/main.tf": ""})
		g.applyInLab(fmt.Sprintf(monoDocument, "  name: \"{{path.basename}}\"\n"))
		g.set("mono", commit, func(t client.StackSet) bool { return t.Stacks == 2 })
		of := func() (repositories map[string]string) {
			t.Helper()
			all, err := client.All[client.StackSetFolder](t.Context(), g.as["lena"], "/stack-sets/default/mono/folders", nil)
			if err != nil {
				t.Fatal(err)
			}
			repositories = map[string]string{}
			for _, f := range all {
				if f.Stack != nil {
					repositories[f.Folder] = f.Stack.Space + " " + f.Stack.Repository
				}
			}
			return repositories
		}
		if got := of(); len(got) != 2 || got["stacks/net"] != "lab crew/mono" {
			t.Errorf("its stacks are %q", got)
		}
		g.lookedAtLast(commit) // one that is late would make the stack again
		g.deleteStack("net")
		g.apply(stackDocument("net", ""))
		if got := of(); len(got) != 1 || got["stacks/web"] != "lab crew/mono" {
			t.Errorf("after one is another space's they are %q", got)
		}
		if names := g.setStacks("mono"); !slices.Equal(names, []string{"web"}) {
			t.Errorf("the list of its stacks has %q", names)
		}
		if s := g.stackNow("net"); s.Space != "default" || s.Repository != "crew/net" || s.Set != nil {
			t.Errorf("the stack of the other space is %+v, of %+v", s, s.Set)
		}
		if s := g.stackNow("web"); s.Set == nil || s.Set.Set != "stackset:default/mono" {
			t.Errorf("the one that stays is of %+v", s.Set)
		}
		tried, err := client.Post[client.StackSetTried](t.Context(), g.admin, "/stack-sets/default/mono/try", client.StackSetTry{Folders: []string{"stacks/*"}, Removed: "delete"})
		if err != nil || tried.Stacks != 1 || tried.Wrong != 1 || tried.Gone != 0 {
			t.Errorf("tried it is %+v, %v", tried, err)
		}

		// The next look drops it, and leaves the stack alone.
		if _, err := client.Post[client.StackSet](t.Context(), g.admin, "/stack-sets/default/mono/look", nil); err != nil {
			t.Fatal(err)
		}
		g.set("mono", commit, func(t client.StackSet) bool { return t.Stacks == 1 && t.Wrong == 1 && t.Stale == 0 })
		if n := g.members("mono"); n != 1 {
			t.Errorf("it has %d members", n)
		}
		if got := of(); len(got) != 1 {
			t.Errorf("after a look they are %q", got)
		}
		if s := g.stackNow("net"); s.Space != "default" || s.Repository != "crew/net" {
			t.Errorf("after a look the stack of the other space is %+v", s)
		}
	})
}

// TestASetThatIsDeclaredAnewKnowsNothingOfTheOneBefore, which was another space's; its first look plans nothing, as that of any.
func TestASetThatIsDeclaredAnewKnowsNothingOfTheOneBefore(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.lab()
		commit := g.push("alice", "crew/mono", map[string]string{"stacks/net/main.tf": "", "stacks/_draft/main.tf": "", "stacks/S 2/main.tf": "", "stacks/s 2/main.tf": ""})
		g.apply(fmt.Sprintf(monoDocument, "  removed: delete\n"))
		if set := g.set("mono", commit, func(t client.StackSet) bool { return t.Stacks == 1 }); set.Wrong != 2 || set.Ignored != 1 || len(set.Problems) == 0 {
			t.Fatalf("it came to %+v", set)
		}
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/stackset/default/mono", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		if err := eventually(t.Context(), func() (bool, error) { return g.members("mono") == 0, nil }); err != nil {
			t.Fatalf("its stack stays: %v", err)
		}

		// Where nothing can be looked at, nothing of the other is told.
		g.applyInLab(strings.ReplaceAll(fmt.Sprintf(monoDocument, ""), "crew/mono", "crew/deep"))
		set := g.set("mono", "", func(t client.StackSet) bool { return t.Message != "" })
		if set.Space != "lab" || set.Stacks+set.Wrong+set.Ignored+set.Bare+set.Kept != 0 || len(set.Problems) != 0 {
			t.Errorf("declared anew it is %+v", set)
		}
		if all := g.folders("mono", ""); len(all) != 0 {
			t.Errorf("its folders are %q", all)
		}

		g.repositoryInLab("deep")
		commit = g.push("alice", "crew/deep", map[string]string{"stacks/web/main.tf": ""})
		g.set("mono", commit, func(t client.StackSet) bool { return t.Stacks == 1 && t.Message == "" })
		g.seenAll("mono", commit)
		runs, err := client.All[client.Run](t.Context(), g.admin, "/runs", map[string][]string{"commit": {commit}})
		if err != nil || len(runs) != 0 {
			t.Errorf("its first look planned %+v, %v", runs, err)
		}
	})
}
