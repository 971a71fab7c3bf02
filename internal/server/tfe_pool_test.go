package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// pool makes an agent pool of an organization.
func (m remote) pool(status int, organization, name string) remoteResource {
	m.t.Helper()
	return m.wants(status, "POST", "organizations/"+organization+"/agent-pools", fmt.Sprintf(`{"data":{"type":"agent-pools","attributes":{"name":%q}}}`, name))
}

// agents changes where a workspace is run.
func (m remote) agents(status int, workspace, attributes string) remoteResource {
	m.t.Helper()
	return m.wants(status, "PATCH", "workspaces/"+workspace, `{"data":{"type":"workspaces","attributes":{`+attributes+`}}}`)
}

// TestAnAgentPoolOfTheRemoteProtocolRunsAWorkspace makes all that it takes by the protocol: a pool, a token by which a real agent
// comes, and a workspace that is run by it.
func TestAnAgentPoolOfTheRemoteProtocolRunsAWorkspace(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		admin, m := remote{g, "admin"}, remote{g, "alice"}
		p := admin.pool(201, "default", "Machines in Rack 1")
		if p.ID != "apool-default~machines-in-rack-1" || p.text("name") != "Machines in Rack 1" || p.text("agent-count") != "0" || p.text("organization-scoped") != "true" {
			t.Errorf("the pool is %+v", p)
		}
		if e, err := client.Get[client.Pool](t.Context(), g.admin, "/pools/default/machines-in-rack-1", nil); err != nil || e.Space != "default" {
			t.Errorf("the pool in the house is %+v, %v", e, err)
		}
		token := admin.wants(201, "POST", "agent-pools/"+p.ID+"/authentication-tokens", `{"data":{"type":"authentication-tokens","attributes":{"description":"rack 1"}}}`)
		secret := token.text("token")
		if !strings.HasPrefix(secret, "rba_") {
			t.Fatalf("the token is %+v", token)
		}
		ws := m.workspace("default", "net")
		if now := m.wants(200, "GET", "workspaces/"+ws.ID, ""); now.text("execution-mode") != "remote" || string(now.Relations["agent-pool"].Data) != "null" {
			t.Errorf("a workspace without a pool is %s by %s", now.text("execution-mode"), now.Relations["agent-pool"].Data)
		}
		m.agents(422, ws.ID, `"execution-mode":"agent"`)
		m.agents(422, ws.ID, `"execution-mode":"local"`)
		m.agents(422, ws.ID, `"execution-mode":"remote","agent-pool-id":"`+p.ID+`"`)
		m.agents(404, ws.ID, `"execution-mode":"agent","agent-pool-id":"apool-default~other"`)
		if now := m.agents(200, ws.ID, `"execution-mode":"agent","agent-pool-id":"`+p.ID+`"`); now.text("execution-mode") != "agent" || !strings.Contains(string(now.Relations["agent-pool"].Data), p.ID) {
			t.Errorf("the workspace of a pool is %s by %s", now.text("execution-mode"), now.Relations["agent-pool"].Data)
		}
		if s := g.stackNow("net"); s.WorkerPool != "default/machines-in-rack-1" {
			t.Errorf("the stack names the pool %q", s.WorkerPool)
		}
		if _, said := m.send("GET", "agent-pools/"+p.ID+"?include=workspaces", nil); !strings.Contains(string(said), `"included":[{`) || !strings.Contains(string(said), `"name":"net"`) {
			t.Errorf("the pool with its workspaces is %s", said)
		}
		admin.wants(409, "DELETE", "agent-pools/"+p.ID, "")

		agent := g.helper("one", g.url, secret, "--engine", g.house.engine.path())
		id := m.applies(ws.ID, plainInfra("by an agent"))
		for _, s := range g.runNow(id).Steps {
			if command := s.Key == "plan" || s.Key == "apply"; command && s.Worker != "default/machines-in-rack-1/one" {
				t.Errorf("step %s was run by %s", s.Key, s.Worker)
			}
		}
		all := m.part("agent-pools/" + p.ID + "/agents").Data
		if len(all) != 1 || all[0].text("name") != "one" || all[0].text("status") != "idle" {
			t.Fatalf("the agents are %+v", all)
		}
		if one := m.wants(200, "GET", "agents/"+all[0].ID, ""); one.text("name") != "one" {
			t.Errorf("the agent is %+v", one)
		}
		if late := m.part("agent-pools/" + p.ID + "/agents?filter[last-ping-since]=2100-01-01T00:00:00Z").Data; len(late) != 0 {
			t.Errorf("the agents that are heard of in a hundred years are %+v", late)
		}
		if now := m.wants(200, "GET", "agent-pools/"+p.ID, ""); now.text("agent-count") != "1" {
			t.Errorf("the pool with an agent is %+v", now)
		}
		for _, query := range []string{"filter[agent_pool_names]=Machines in Rack 1", "filter[agent_pool_names]=default/machines-in-rack-1"} {
			if runs := m.part("organizations/default/runs?" + strings.ReplaceAll(query, " ", "%20")).Data; len(runs) != 1 {
				t.Errorf("%s finds %d runs", query, len(runs))
			}
		}
		if runs := m.part("organizations/default/runs?filter[agent_pool_names]=Rack").Data; len(runs) != 0 {
			t.Errorf("a part of a name finds %d runs", len(runs))
		}

		// The agent is asked to end, and its token is no good any more.
		if code := agent.stop(); code != 0 {
			t.Errorf("the agent ends with %d", code)
		}
		if one := m.wants(200, "GET", "agents/"+all[0].ID, ""); one.text("status") != "exited" {
			t.Errorf("the agent that has ended is %s", one.text("status"))
		}
		admin.wants(204, "DELETE", "authentication-tokens/"+token.ID, "")
		admin.wants(404, "GET", "authentication-tokens/"+token.ID, "")
		admin.wants(404, "DELETE", "authentication-tokens/"+token.ID, "")
		kept, err := client.All[client.PoolToken](t.Context(), g.admin, "/pools/default/machines-in-rack-1/tokens", nil)
		if err != nil || len(kept) != 1 || kept[0].Revoked == nil || kept[0].Name != "rack 1" || kept[0].Used == nil {
			t.Errorf("the token in the house is %+v, %v", kept, err)
		}

		// Another name leaves all else as it is.
		if now := admin.wants(200, "PATCH", "agent-pools/"+p.ID, `{"data":{"attributes":{"name":"Rack 1"}}}`); now.ID != p.ID || now.text("name") != "Rack 1" || now.text("created-at") != p.text("created-at") {
			t.Errorf("by another name the pool is %+v", now)
		}
		if s := m.agents(200, ws.ID, `"execution-mode":"remote"`); s.text("execution-mode") != "remote" || g.stackNow("net").WorkerPool != "" {
			t.Errorf("the workspace is %s by %q", s.text("execution-mode"), g.stackNow("net").WorkerPool)
		}
		admin.wants(204, "DELETE", "agent-pools/"+p.ID, "")
		m.wants(404, "GET", "agent-pools/"+p.ID, "")
		m.wants(404, "GET", "agents/"+all[0].ID, "")
	})
}

// TestAgentPoolsOfTheRemoteProtocolAreTheirSpaces: who may not administer pools makes none and gets no token, and who may not see
// them is told of none.
func TestAgentPoolsOfTheRemoteProtocolAreTheirSpaces(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		admin, alice, lars := remote{g, "admin"}, remote{g, "alice"}, remote{g, "lars"}
		alice.pool(403, "default", "own")
		lars.pool(404, "default", "own")
		eu, us := admin.pool(201, "default", "eu"), admin.pool(201, "default", "us")
		lab := admin.pool(201, "lab", "eu") // two spaces may use one name
		admin.pool(422, "default", "eu")
		admin.pool(422, "default", "  ")
		admin.pool(422, "default", strings.Repeat("x", 91))
		for _, more := range []string{`"attributes":{"name":"few","organization-scoped":false}`, `"attributes":{"name":"few"},"relationships":{"allowed-workspaces":{"data":[{"type":"workspaces","id":"ws-x"}]}}`, `"attributes":{}`} {
			admin.wants(422, "POST", "organizations/default/agent-pools", `{"data":{`+more+`}}`)
			if more != `"attributes":{}` {
				admin.wants(422, "PATCH", "agent-pools/"+us.ID, `{"data":{`+more+`}}`)
			}
		}
		admin.wants(422, "PATCH", "agent-pools/"+us.ID, `{"data":{"attributes":{"name":"eu"}}}`)
		order := func(query string, want ...remoteResource) {
			t.Helper()
			var got, wanted []string
			for _, p := range alice.part("organizations/default/agent-pools" + query).Data {
				got = append(got, p.ID)
			}
			for _, p := range want {
				wanted = append(wanted, p.ID)
			}
			if fmt.Sprint(got) != fmt.Sprint(wanted) {
				t.Errorf("the pools by %q are %v, want %v", query, got, wanted)
			}
		}
		order("", eu, us)
		order("?sort=-name", us, eu)
		order("?sort=-created-at", us, eu)
		order("?q=U", eu, us)
		order("?q=us", us)
		order("?page[number]=2&page[size]=1", us)
		alice.wants(422, "GET", "organizations/default/agent-pools?sort=size", "")
		alice.wants(422, "GET", "organizations/default/agent-pools?filter[allowed_workspaces][name]=net", "")
		if seen := lars.part("organizations/lab/agent-pools").Data; len(seen) != 1 || seen[0].ID != lab.ID {
			t.Errorf("the pools of the lab are %+v", seen)
		}

		token := admin.wants(201, "POST", "agent-pools/"+eu.ID+"/authentication-tokens", `{"data":{"attributes":{"description":"one"}}}`)
		admin.wants(422, "POST", "agent-pools/"+eu.ID+"/authentication-tokens", `{"data":{"attributes":{}}}`)
		if list := admin.part("agent-pools/" + eu.ID + "/authentication-tokens").Data; len(list) != 1 || list[0].ID != token.ID || list[0].text("token") != "" || list[0].text("description") != "one" {
			t.Errorf("the tokens are %+v", list)
		}
		if read := admin.wants(200, "GET", "authentication-tokens/"+token.ID, ""); read.text("token") != "" {
			t.Errorf("the token is shown again: %+v", read)
		}
		alice.wants(403, "POST", "agent-pools/"+eu.ID+"/authentication-tokens", `{"data":{"attributes":{"description":"two"}}}`)
		alice.wants(403, "GET", "agent-pools/"+eu.ID+"/authentication-tokens", "")
		alice.wants(404, "GET", "authentication-tokens/"+token.ID, "")
		alice.wants(404, "DELETE", "authentication-tokens/"+token.ID, "")
		alice.wants(403, "PATCH", "agent-pools/"+eu.ID, `{"data":{"attributes":{"name":"mine"}}}`)
		alice.wants(403, "DELETE", "agent-pools/"+eu.ID, "")
		alice.wants(200, "GET", "agent-pools/"+eu.ID, "")
		alice.wants(404, "GET", "agents/agent-default~eu~one", "")
		for _, path := range []string{"organizations/default/agent-pools", "agent-pools/" + eu.ID, "agent-pools/" + eu.ID + "/agents", "agent-pools/" + eu.ID + "/authentication-tokens", "authentication-tokens/" + token.ID, "agents/agent-default~eu~one", "agent-pools/x", "agents/x"} {
			lars.wants(404, "GET", path, "")
			(remote{g, ""}).wants(401, "GET", path, "")
		}
		// A pool is for its space alone: what belongs to another one doesn't name it.
		bench := lars.workspace("lab", "bench")
		lars.agents(404, bench.ID, `"execution-mode":"agent","agent-pool-id":"`+eu.ID+`"`)
		remote{g, "admin"}.agents(422, bench.ID, `"execution-mode":"agent","agent-pool-id":"`+eu.ID+`"`)
		lars.agents(200, bench.ID, `"execution-mode":"agent","agent-pool-id":"`+lab.ID+`"`)
		made := lars.wants(201, "POST", "organizations/lab/workspaces", `{"data":{"attributes":{"name":"second","execution-mode":"agent","agent-pool-id":"`+lab.ID+`"}}}`)
		if made.text("execution-mode") != "agent" {
			t.Errorf("the workspace is %+v", made)
		}
	})
}

// TestAWorkspaceGivesItsPoolUp by what clients send that say nothing of where it is run any more, and keeps one that its caller can't see.
func TestAWorkspaceGivesItsPoolUp(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		admin, m := remote{g, "admin"}, remote{g, "alice"}
		eu := admin.pool(201, "default", "eu")
		ws := m.workspace("default", "net")
		own := func(x remoteResource, want string) {
			t.Helper()
			if got := x.text("setting-overwrites"); got != `{"agent-pool":`+want+`,"execution-mode":`+want+`}` {
				t.Errorf("what the workspace says itself is %s", got)
			}
		}
		own(m.agents(200, ws.ID, `"execution-mode":"agent","agent-pool-id":"`+eu.ID+`","setting-overwrites":{"execution-mode":true,"agent-pool":true}`), "true")
		m.agents(200, ws.ID, `"description":"of machines"`)
		if s := g.stackNow("net"); s.WorkerPool != "default/eu" {
			t.Errorf("the stack names the pool %q", s.WorkerPool)
		}
		now := m.agents(200, ws.ID, `"setting-overwrites":{"execution-mode":false,"agent-pool":false}`)
		if own(now, "false"); now.text("execution-mode") != "remote" || g.stackNow("net").WorkerPool != "" {
			t.Errorf("the workspace is %s by %q", now.text("execution-mode"), g.stackNow("net").WorkerPool)
		}
		admin.wants(204, "DELETE", "agent-pools/"+eu.ID, "")

		g.apply("{apiVersion: roadbed.dev/v1, kind: WorkerPool, metadata: {name: big}, spec: {shared: true}}\n---\n{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		lars := remote{g, "lars"}
		bench := lars.workspace("lab", "bench")
		const big = `"execution-mode":"agent","agent-pool-id":"apool-default~big"`
		lars.agents(404, bench.ID, big)
		admin.agents(200, bench.ID, big)
		if now := lars.agents(200, bench.ID, big+`,"description":"of the lab"`); now.text("execution-mode") != "agent" || now.text("description") != "of the lab" {
			t.Errorf("the workspace is %+v", now)
		}

		g.push("alice", "default/kept", map[string]string{"catalog-info.yaml": "apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: kept}\nspec:\n  owner: group:default/crew\n  source: {upload: true}\n  workerPool: big\n"})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/kept"}); err != nil {
			t.Fatal(err)
		}
		kept := m.wants(200, "GET", "organizations/default/workspaces/kept", "")
		m.agents(200, kept.ID, big)
		m.agents(409, kept.ID, `"setting-overwrites":{"execution-mode":false,"agent-pool":false}`)
	})
}

// TestAPoolThatRunsNeedStays until these have ended, whoever deletes it: what waits for it would wait for ever.
func TestAPoolThatRunsNeedStays(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		admin, m := remote{g, "admin"}, remote{g, "alice"}
		eu := admin.pool(201, "default", "eu")
		ws := m.workspace("default", "net")
		m.agents(200, ws.ID, `"execution-mode":"agent","agent-pool-id":"`+eu.ID+`"`)
		configuration := m.sends(ws.ID, false, map[string]string{"main.tf": plainInfra("by an agent")})
		first := m.begins(201, ws.ID, configuration, "")
		second := m.begins(201, ws.ID, configuration, "")
		m.agents(200, ws.ID, `"execution-mode":"remote"`)
		stays := func(says string) {
			t.Helper()
			if code, said := admin.send("DELETE", "agent-pools/"+eu.ID, nil); code != 409 || !strings.Contains(string(said), says) {
				t.Errorf("the pool is deleted: %d %s, want %q", code, said, says)
			}
			if err := g.admin.Do(t.Context(), "DELETE", "/entities/workerpool/default/eu", nil, nil, nil); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("its document is deleted: %v, want %q", err, says)
			}
		}
		stays("has 2 runs under way or waiting")
		for i, r := range []remoteResource{second, first} {
			m.wants(202, "POST", "runs/"+r.ID+"/actions/cancel", "")
			m.status(r.ID, "canceled")
			if i == 0 {
				stays("has 1 run under way or waiting")
			}
		}
		admin.wants(204, "DELETE", "agent-pools/"+eu.ID, "")
	})
}

// TestRunsThatFollowAreAppliedAsIsSaid: the protocol has a switch of its own for these.
func TestRunsThatFollowAreAppliedAsIsSaid(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		ws := m.workspace("default", "net")
		is := func(x remoteResource, want, following string) {
			t.Helper()
			if x.text("auto-apply") != want || x.text("auto-apply-run-trigger") != following {
				t.Errorf("runs are applied: %s, those that follow: %s", x.text("auto-apply"), x.text("auto-apply-run-trigger"))
			}
		}
		is(ws, "false", "false")
		is(m.agents(200, ws.ID, `"auto-apply":true`), "true", "true")
		is(m.agents(200, ws.ID, `"auto-apply-run-trigger":false`), "true", "false")
		is(m.agents(200, ws.ID, `"auto-apply":false`), "false", "false")
		is(m.agents(200, ws.ID, `"auto-apply":true`), "true", "false")
		is(m.agents(200, ws.ID, `"auto-apply":false,"auto-apply-run-trigger":true`), "false", "true")
		is(m.wants(201, "POST", "organizations/default/workspaces", `{"data":{"attributes":{"name":"app","auto-apply":true,"auto-apply-run-trigger":false}}}`), "true", "false")
	})
}

// TestWhatIsMadeAtOnceIsNotTheSame: of names that give one id each gets one of its own, and one name is given once.
func TestWhatIsMadeAtOnceIsNotTheSame(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		admin := remote{g, "admin"}
		alike := []string{"Rack 1", "rack-1", "Rack-1", "RACK 1", "rack.1", "rack_1"}
		for _, of := range []string{"agent-pools", "varsets"} {
			if made := admin.atOnce(len(alike), func(i int) (string, string, string) {
				return "POST", "organizations/default/" + of, fmt.Sprintf(`{"data":{"attributes":{"name":%q}}}`, alike[i])
			}); made[201] != len(alike) {
				t.Errorf("%s that are made at once give %v", of, made)
			}
			names := map[string]bool{}
			for _, x := range admin.part("organizations/default/" + of).Data {
				names[x.text("name")] = true
			}
			if len(names) != len(alike) {
				t.Errorf("of %s there are %v", of, names)
			}
			if made := admin.atOnce(6, func(int) (string, string, string) {
				return "POST", "organizations/default/" + of, `{"data":{"attributes":{"name":"One"}}}`
			}); made[201] != 1 || made[422] != 5 {
				t.Errorf("%s of one name that are made at once give %v", of, made)
			}
		}
		if made := admin.atOnce(6, func(int) (string, string, string) {
			return "POST", "organizations/default/workspaces", `{"data":{"attributes":{"name":"net"}}}`
		}); made[201] != 1 || made[422] != 5 {
			t.Errorf("workspaces of one name that are made at once give %v", made)
		}
		admin.pool(201, "default", strings.Repeat("ä", 90))
		admin.pool(422, "default", strings.Repeat("ä", 91))
	})
}
