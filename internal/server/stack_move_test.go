package server

import (
	"strings"
	"syscall"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const labPeople = `{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lena}, spec: {memberOf: []}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lena-develops}, spec: {role: developer, space: lab, subjects: ["user:default/lena"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lena-operates}, spec: {role: operator, space: lab, subjects: ["user:default/lena"]}}
`

// lab makes a space of that name, in which Lena develops and works with states.
func (g *ground) lab() {
	g.t.Helper()
	g.apply(labPeople)
	token, err := client.Post[client.NewToken](g.t.Context(), g.admin, "/tokens", map[string]any{"name": "test", "owner": "user:default/lena"})
	if err != nil {
		g.t.Fatal(err)
	}
	g.as["lena"] = client.New(g.url, token.Secret)
}

// inLab declares a stack in the space lab.
func (g *ground) inLab(who, name string) error {
	_, err := client.Post[client.List[client.Applied]](g.t.Context(), g.as[who], "/apply", map[string]any{"documents": stackDocument(name, ""), "source": "lab", "space": "lab"})
	return err
}

func (g *ground) refusedInLab(who string, kind fault.Kind, words string) {
	g.t.Helper()
	if err := g.inLab(who, "net"); !fault.Is(err, kind) || !strings.Contains(err.Error(), words) {
		g.t.Errorf("%s declares it in the other space: %v; want %v with %q", who, err, kind, words)
	}
}

func (g *ground) deleteStack(name string) {
	g.t.Helper()
	if err := g.admin.Do(g.t.Context(), "DELETE", "/entities/stack/default/"+name, nil, nil, nil); err != nil {
		g.t.Fatal(err)
	}
}

// TestAStackChangesItsSpaceByItsStateAlone has a stack with a state, a lock and a run that waits, which is wanted in another
// space. Nobody gets any of it by the name; whoever has the rights in both spaces brings the state over.
func TestAStackChangesItsSpaceByItsStateAlone(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.lab()
		waits := g.stack("net", lightInfra, "")
		g.wantRun(g.rests(waits), "unconfirmed", "1 to create")
		state := stateFile(1, "l", "of default")
		g.wantState(200, "", "otto", "POST", "", state)
		g.wantState(200, "", "otto", "LOCK", "", lockOne)

		// While it is declared its name is taken.
		g.refusedInLab("lena", fault.Conflict, "the name is taken")
		g.refusedInLab("admin", fault.Conflict, "it belongs to the source test in space default")
		g.deleteStack("net")
		g.wantRun(until(t, g.admin, waits, ended), "canceled", "")

		// When it is deleted, what remains is its space's, and nobody else is told of it.
		g.refusedInLab("lena", fault.Invalid, "the name is taken")
		g.refusedInLab("admin", fault.Invalid, "its state holds 2 resources (choose another name and bring the state over")
		g.wantState(403, "", "lena", "GET", "", "")
		if err := g.inLab("lena", "net2"); err != nil {
			t.Fatal(err)
		}
		g.wantState(403, "", "rita", "POST", "2", state)
		g.wantState(200, state, "otto", "GET", "", "")
		g.wantState(200, "", "otto", "POST", "2", state)
		g.wantState(200, state, "lena", "GET", "2", "")
		g.wantState(200, "", "otto", "POST", "?ID=one", `{"version": 4, "serial": 2, "lineage": "l", "outputs": {}, "resources": []}`)
		g.refusedInLab("admin", fault.Invalid, "somebody holds the lock of its state")
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne)

		// The name is anybody's when nothing is left; the ledger of its space says what went.
		g.wantNoted("stack:default/net", "stack.forgotten", 0)
		if err := g.inLab("lena", "net"); err != nil {
			t.Fatal(err)
		}
		g.wantNoted("stack:default/net", "stack.forgotten", 1)
		g.wantState(404, "", "lena", "GET", "", "")
		s, err := client.Get[client.Stack](t.Context(), g.as["lena"], "/stacks/default/net", nil)
		if err != nil || s.Space != "lab" || s.State != nil || s.Lock != "" || s.LastRun != nil {
			t.Errorf("in the other space it is %+v (%v)", s, err)
		}
		if all, err := client.All[client.Entry](t.Context(), g.as["lena"], "/ledger", map[string][]string{"ref": {"stack:default/net"}, "type": {"stack.forgotten"}}); err != nil || len(all) != 0 {
			t.Errorf("who is of the other space reads in the ledger %+v (%v)", all, err)
		}
		g.wantNoRetry(waits)
	})
}

// TestAnApplyThatGoesOnKeepsTheNameOfItsStack deletes a stack whose first apply is under way: what it builds is in no state
// yet.
func TestAnApplyThatGoesOnKeepsTheNameOfItsStack(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.lab()
		id := g.stack("net", sleeping, "")
		_, sleeps := g.applies(id)
		g.deleteStack("net")
		g.refusedInLab("admin", fault.Invalid, "a run of it is still under way")
		if err := syscall.Kill(sleeps, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "failed", "applying")
		g.refusedInLab("admin", fault.Invalid, "its state holds 1 resources")
	})
}
