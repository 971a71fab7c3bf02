package server

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestWhoHasAPartInARunCantConfirmItAlone: not by pushing below somebody else, and not with votes on an earlier plan.
func TestWhoHasAPartInARunCantConfirmItAlone(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		region := func(name string) map[string]string {
			return map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", name)}
		}
		confirm := func(who, id string) {
			t.Helper()
			if _, err := g.act(who, id, "confirm"); err != nil {
				t.Fatal(err)
			}
			g.wantRun(until(t, g.admin, id, ended), "finished", "applied")
			g.applied("net", id)
		}
		cant := func(who, id string) {
			t.Helper()
			if _, err := g.act(who, id, "confirm"); !fault.Is(err, fault.Denied) || !strings.Contains(fault.Message(err), "author of a run can't confirm it") {
				t.Errorf("%s confirms: %v", who, err)
			}
		}
		id := g.stack("net", lightInfra, "")
		g.rests(id)
		confirm("bob", id)

		discarded := g.stackRun("net", g.push("alice", "crew/net", region("region-two")))
		g.rests(discarded)
		if _, err := g.act("alice", discarded, "discard"); err != nil {
			t.Fatal(err)
		}
		g.do("bob", "", "clone", "--quiet", g.url+"/git/crew/net.git", filepath.Join(g.dir, "bob", "crew/net"))
		above := g.stackRun("net", g.push("bob", "crew/net", map[string]string{"infra/more.tf": "# of Bob's\n"}))
		g.wantRun(g.rests(above), "unconfirmed", "1 to change")
		cant("alice", above) // the change is hers, though the push on top of it is Bob's
		cant("bob", above)
		confirm("admin", above)

		g.do("alice", filepath.Join(g.dir, "alice", "crew/net"), "pull", "--quiet", "--rebase", "origin", "main")
		again := g.stackRun("net", g.push("alice", "crew/net", region("region-three")))
		g.rests(again)
		if _, err := g.act("bob", again, "approve"); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"cancel", "retry"} {
			if _, err := g.act("alice", again, verb); err != nil {
				t.Fatal(err)
			}
		}
		g.wantRun(g.rests(again), "unconfirmed", "1 to change")
		cant("alice", again) // Bob has approved of another plan
		confirm("bob", again)

		g.colleagues()
		edit := func(who, value string) string {
			t.Helper()
			if err := g.try(who, strings.Replace(stackDocument("net", ""), "variables: {name: net}", "variables: {name: "+value+"}", 1)); err != nil {
				t.Fatal(err)
			}
			return g.runWith("net", value)
		}
		discard := func(id string) {
			t.Helper()
			g.rests(id)
			if _, err := g.act("admin", id, "discard"); err != nil {
				t.Fatal(err)
			}
		}
		pushed := func(name string) string {
			t.Helper()
			dir := filepath.Join(g.dir, "bob", "crew/net")
			g.do("bob", dir, "pull", "--quiet", "--rebase", "origin", "main")
			id := g.stackRun("net", g.push("bob", "crew/net", region(name)))
			g.wantRun(g.rests(id), "unconfirmed", "1 to change")
			return id
		}

		// Whoever edits the document above somebody else takes none of the part that they have.
		discard(edit("alice", "one"))
		discard(edit("robot", "two"))
		blanked := pushed("region-four")
		for _, who := range []string{"alice", "robot", "bob"} {
			cant(who, blanked)
		}
		confirm("carol", blanked)
		discard(edit("alice", "three"))
		discard(edit("carol", "four"))
		covered := pushed("region-five")
		for _, who := range []string{"alice", "carol", "bob"} {
			cant(who, covered)
		}
		confirm("admin", covered)

		// What is edited after a run was made is not applied by it.
		first := edit("alice", "five")
		g.rests(first)
		second := edit("carol", "six")
		cant("alice", first)
		confirm("carol", first)
		discard(second)
		later := pushed("region-six")
		cant("carol", later)
		cant("bob", later)
		confirm("alice", later)
	})
}

// TestWhoHasAStackReadFromAFileIsNoAuthorOfIt: its pushers are, where they are known.
func TestWhoHasAStackReadFromAFileIsNoAuthorOfIt(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.colleagues()
		locate := func(repository string) {
			t.Helper()
			if _, err := client.Post[client.Location](t.Context(), g.as["carol"], "/locations", map[string]string{"repository": repository, "path": "stack.yaml"}); err != nil {
				t.Fatal(err)
			}
		}
		commit := g.push("alice", "crew/near", map[string]string{"infra/main.tf": lightInfra, "stack.yaml": stackDocument("near", "")})
		locate("crew/near")
		near := g.stackRun("near", commit)
		g.wantRun(g.rests(near), "unconfirmed", "1 to create")
		if _, err := g.act("alice", near, "confirm"); !fault.Is(err, fault.Denied) {
			t.Errorf("Alice confirms what she has pushed: %v", err)
		}
		if _, err := g.act("carol", near, "confirm"); err != nil {
			t.Errorf("Carol, who had it read, confirms: %v", err)
		}

		commit = g.push("bob", "crew/far", map[string]string{"infra/main.tf": lightInfra})
		g.push("alice", "crew/stacks", map[string]string{"stack.yaml": stackDocument("far", "")})
		locate("crew/stacks")
		far := g.stackRun("far", commit)
		g.wantRun(g.rests(far), "unconfirmed", "1 to create")
		if _, err := g.act("alice", far, "confirm"); !fault.Is(err, fault.Denied) || !strings.Contains(fault.Message(err), "need more approvals") {
			t.Errorf("Alice confirms what she has declared elsewhere: %v", err)
		}
		if _, err := g.act("carol", far, "approve"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.act("alice", far, "confirm"); err != nil {
			t.Errorf("two people confirm, of whom one is no author: %v", err)
		}
	})
}

// colleagues lets Carol and a robot develop too.
func (g *ground) colleagues() {
	g.t.Helper()
	if _, err := client.Post[client.Machine](g.t.Context(), g.admin, "/machines", map[string]string{"name": "robot"}); err != nil {
		g.t.Fatal(err)
	}
	g.apply(`{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: carol}, spec: {memberOf: [crew]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: robot-develops}, spec: {role: developer, space: default, subjects: ["machine:default/robot"]}}
`)
	g.as["carol"], g.as["robot"] = client.New(g.url, g.token("user:default/carol")), client.New(g.url, g.token("machine:default/robot"))
}

// runWith waits for the run of a stack whose variable name has that value.
func (g *ground) runWith(name, value string) (id string) {
	g.t.Helper()
	err := eventually(g.t.Context(), func() (bool, error) {
		list, err := client.Get[client.List[client.Run]](g.t.Context(), g.admin, "/runs", map[string][]string{"subject": {"stack:default/" + name}})
		for _, r := range list.Items {
			if strings.Contains(string(r.Input), `"name":"`+value+`"`) {
				id = r.ID
			}
		}
		return id != "", err
	})
	if err != nil {
		g.t.Fatalf("a run of %s with %s: %v", name, value, err)
	}
	return id
}

// applied waits until the stack knows that what a run was made of is applied.
func (g *ground) applied(name, id string) {
	g.t.Helper()
	r := until(g.t, g.admin, id, ended)
	var in stack.Input
	if err := json.Unmarshal(r.Input, &in); err != nil || in.Edit == 0 {
		g.t.Fatalf("the edit of run %s is %d: %v", id, in.Edit, err)
	}
	made := ""
	if r.Source != nil { // else of an upload
		made = r.Source.Commit
	}
	err := eventually(g.t.Context(), func() (known bool, err error) {
		err = g.house.DB.Read(g.t.Context(), func(tx *store.Tx) error {
			var commit string
			var edit int64
			err := tx.QueryRow(g.t.Context(), "SELECT applied, applied_edit FROM stacks WHERE ref = $1", "stack:default/"+name).Scan(&commit, &edit)
			known = commit == made && edit == in.Edit
			return err
		})
		return known, err
	})
	if err != nil {
		g.t.Fatalf("what run %s is made of is not applied: %v", id, err)
	}
}
