package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/face/api"
	"github.com/roadbed-dev/roadbed/internal/face/api/state"
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

// asStep gives what asks for the state of net as a step of a run does, with the scopes of that step's job.
func (g *ground) asStep(run, step string) func(method, body string) (int, string) {
	g.t.Helper()
	scopes := g.jobs(run)[step].Scopes
	if len(scopes) == 0 {
		g.t.Fatalf("step %s of run %s has no scopes", step, run)
	}
	handler := state.New(g.house.Stacks, api.HTTPStatus, g.house.Log)
	who := actor.Principal{Kind: actor.Workload, ID: "step of " + run, Run: run, Space: "default", Scopes: scopes}
	return func(method, body string) (int, string) {
		r := httptest.NewRequestWithContext(actor.With(g.t.Context(), who), method, state.Prefix+"default/net", strings.NewReader(body))
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		return answer.Code, answer.Body.String()
	}
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
		(remote{g, "rita"}).wants(403, "POST", "workspaces/"+ws.ID+"/actions/lock", "{}")
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
		wants := func(step func(method, body string) (int, string), want int, words, method, body string) {
			t.Helper()
			if code, said := step(method, body); code != want || !strings.Contains(said, words) {
				t.Errorf("%s %s = %d %s; want %d with %q", method, body, code, said, want, words)
			}
		}
		for _, kind := range []string{"proposed", "drift"} {
			r := g.begin("alice", "net", map[string]any{"type": kind})
			g.wantRun(until(t, g.admin, r.ID, ended), "finished", "")
			step := g.asStep(r.ID, "plan")
			wants(step, 200, "lineage", http.MethodGet, "")
			for _, method := range []string{"LOCK", "UNLOCK"} {
				for _, lock := range []string{lockOne, lockTwo, `{"ID": "hand:` + r.ID + `"}`} {
					wants(step, 403, "-lock=false", method, lock)
				}
			}
		}
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)

		// A plan that may be applied locks, and frees what its own run has locked.
		held := g.stackRun("net", g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")}))
		g.wantRun(g.rests(held), "unconfirmed", "")
		one, two := g.asStep(first, "apply"), g.asStep(held, "plan")
		g.wantState(200, "", "otto", "LOCK", "", lockTwo)
		wants(two, 423, "other", "LOCK", lockOne)
		wants(two, 403, "somebody else holds the lock", "UNLOCK", lockTwo)
		wants(two, 403, "roadbed state lock", "LOCK", `{"ID": "hand:`+held+`"}`)
		g.wantState(200, "", "otto", "UNLOCK", "", lockTwo)
		wants(two, 200, "", "LOCK", lockOne)
		wants(one, 403, "somebody else holds the lock", "UNLOCK", lockOne)
		wants(two, 200, "", "UNLOCK", lockOne)
	})
}
