package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// stateReaders lets Rita read and lock states, and Bob write them too; neither may free what others lock.
const stateReaders = `{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: state-reader}, spec: {description: Plans, permissions: ["stack:state-read"]}}
---
{apiVersion: roadbed.dev/v1, kind: Role, metadata: {name: state-writer}, spec: {description: Writes, permissions: ["stack:state"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: rita-plans}, spec: {role: state-reader, space: default, subjects: ["user:default/rita"]}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: bob-writes}, spec: {role: state-writer, space: default, subjects: ["user:default/bob"]}}
`

// asStep has a step of a run be among those who ask, with the scopes of one of its jobs.
func (g *ground) asStep(name, run, step string) {
	g.t.Helper()
	scopes := g.jobs(run)[step].Scopes
	if len(scopes) == 0 {
		g.t.Fatalf("step %s of run %s has no scopes", step, run)
	}
	var token string
	if err := g.house.DB.Write(g.t.Context(), func(tx *store.Tx) (err error) {
		token, err = g.house.Identity.Workload(g.t.Context(), tx, run, "step-"+name, "default", scopes, time.Hour)
		return err
	}); err != nil {
		g.t.Fatal(err)
	}
	g.as[name] = client.New(g.url, token)
}

// TestOfALockEverybodyFreesTheirOwn: its id, which whoever is refused is told, frees nobody else's.
func TestOfALockEverybodyFreesTheirOwn(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(stateReaders + "---\n" + stackDocument("net", ""))
		for _, c := range []struct {
			holder  string
			refused []string
		}{{"otto", []string{"rita", "bob"}}, {"rita", []string{"bob"}}, {"bob", []string{"rita"}}} {
			g.wantState(200, "", c.holder, "LOCK", "", lockOne)
			for _, who := range c.refused {
				g.wantState(423, `"ID": "one"`, who, "LOCK", "", lockTwo)
				g.wantState(423, `"ID": "one"`, who, "UNLOCK", "", lockTwo)
				g.wantState(403, "stack:unlock", who, "UNLOCK", "", lockOne)
				g.wantState(403, "stack:unlock", who, "UNLOCK", "", "")
			}
			if g.stackNow("net").Lock == "" {
				t.Errorf("the lock of %s is free", c.holder)
			}
			g.wantState(200, "", c.holder, "UNLOCK", "", lockOne)
		}
		g.wantState(200, "", "rita", "LOCK", "", lockOne)
		g.wantState(200, "", "otto", "UNLOCK", "", lockOne) // whoever may free all
		g.wantState(200, "", "rita", "LOCK", "", lockTwo)
		g.wantState(200, "", "rita", "UNLOCK", "", lockTwo)

		// Locks that hold up runs are taken by hand alone, by who may write the state.
		for _, who := range []string{"rita", "bob", "otto"} {
			g.wantState(403, "roadbed state lock", who, "LOCK", "", `{"ID": "hand:x"}`)
		}
		ws, err := g.house.Stacks.WorkspaceNamed(actor.AsSystem(t.Context()), "default", "net")
		if err != nil {
			t.Fatal(err)
		}
		(remote{g, "rita"}).wants(404, "POST", "workspaces/"+ws.ID+"/actions/lock", "{}")
		(remote{g, "bob"}).wants(200, "POST", "workspaces/"+ws.ID+"/actions/lock", "{}")
		_, told := g.state("rita", "LOCK", "", lockOne)
		if !strings.Contains(told, "hand:") {
			t.Fatalf("rita is told %s", told)
		}
		g.wantState(403, "stack:unlock", "rita", "UNLOCK", "", told)
		if g.stackNow("net").Lock == "" {
			t.Error("the workspace is unlocked")
		}
		(remote{g, "bob"}).wants(200, "POST", "workspaces/"+ws.ID+"/actions/unlock", "{}")
	})
}

// TestWhatOnlyPlansNeitherLocksNorFrees: the configuration that it plans is of whoever pushes.
func TestWhatOnlyPlansNeitherLocksNorFrees(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		first := g.stack("net", lightInfra, "")
		g.finish(first)
		g.applied("net", first)
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		for name, begin := range map[string]map[string]any{"preview": {"type": "proposed"}, "drift": {"type": "drift"}} {
			r := g.begin("alice", "net", begin)
			g.wantRun(until(t, g.admin, r.ID, ended), "finished", "")
			g.asStep(name, r.ID, "plan")
			if code, said := g.state(name, http.MethodGet, "", ""); code != 200 {
				t.Errorf("a %s reads %d %s", name, code, said)
			}
			for _, method := range []string{"LOCK", "UNLOCK"} {
				for _, lock := range []string{lockOne, lockTwo, `{"ID": "hand:` + r.ID + `"}`} {
					g.wantState(403, "-lock=false", name, method, "", lock)
				}
			}
		}
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)

		// A plan that may be applied locks, and frees what its own run has locked.
		ids := map[string]string{}
		for i, name := range []string{"one", "two"} {
			ids[name] = g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", fmt.Sprint("region-", i))}))
			g.wantRun(g.rests(ids[name]), "unconfirmed", "")
			g.asStep(name, ids[name], "plan")
			if _, err := g.act("alice", ids[name], "discard"); err != nil {
				t.Fatal(err)
			}
			until(t, g.admin, ids[name], ended)
		}
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		g.wantState(423, "other", "one", "LOCK", "", lockOne)
		g.wantState(403, "somebody else holds the lock", "one", "UNLOCK", "", lockTwo)
		g.wantState(403, "", "one", "LOCK", "", `{"ID": "hand:`+ids["one"]+`"}`)
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		g.wantState(200, "", "one", "LOCK", "", lockOne)
		g.wantState(403, "somebody else holds the lock", "two", "UNLOCK", "", lockOne)
		g.wantState(200, "", "one", "UNLOCK", "", lockOne)
	})
}
