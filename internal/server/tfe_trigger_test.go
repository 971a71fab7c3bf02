package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/product/stack"
)

// applies uploads a configuration and has it applied, with Bob's agreement. It gives the run by the house's id.
func (m remote) applies(workspace, configuration string) string {
	m.t.Helper()
	r := m.begins(201, workspace, m.sends(workspace, false, map[string]string{"main.tf": configuration}), "")
	m.status(r.ID, "planned", "errored")
	remote{m.ground, "bob"}.wants(202, "POST", "runs/"+r.ID+"/actions/apply", "")
	m.status(r.ID, "applied", "errored")
	return "run_" + strings.TrimPrefix(r.ID, "run-")
}

// triggers makes a trigger, by which a workspace is run after another.
func (m remote) triggers(status int, workspace, source string) remoteResource {
	m.t.Helper()
	return m.wants(status, "POST", "workspaces/"+workspace+"/run-triggers", fmt.Sprintf(`{"data":{"type":"run-triggers","relationships":{"sourceable":{"data":{"type":"workspaces","id":%q}}}}}`, source))
}

func plainInfra(value string) string {
	return fmt.Sprintf("resource \"terraform_data\" \"a\" { input = %q }\noutput \"a\" { value = terraform_data.a.output }\n", value)
}

// names gives the other ends of a list of triggers.
func (m remote) names(workspace, way, end string) (names string) {
	m.t.Helper()
	list := m.part("workspaces/" + workspace + "/run-triggers?filter[run-trigger][type]=" + way)
	if list.Meta.Pagination.Total != len(list.Data) {
		m.t.Errorf("of %d triggers %d are listed", list.Meta.Pagination.Total, len(list.Data))
	}
	for _, t := range list.Data {
		names += t.text(end) + " "
	}
	return strings.TrimSpace(names)
}

// TestARunTriggerHasAWorkspaceRunAfterAnother, as its document says from then on, until the trigger is deleted.
func TestARunTriggerHasAWorkspaceRunAfterAnother(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		net, app, web := m.workspace("default", "net"), m.workspace("default", "app"), m.workspace("default", "web")
		m.applies(app.ID, plainInfra("app"))
		m.applies(web.ID, plainInfra("web"))

		made := m.triggers(201, app.ID, net.ID)
		if made.text("workspace-name") != "app" || made.text("sourceable-name") != "net" || made.text("created-at") == "" {
			t.Errorf("the trigger is %+v", made)
		}
		m.triggers(201, web.ID, net.ID)
		if s := g.stackNow("app"); len(s.DependsOn) != 1 || s.DependsOn[0].Stack != "stack:default/net" || !s.DependsOn[0].Always {
			t.Errorf("the stack depends on %+v", s.DependsOn)
		}
		if in, out := m.names(app.ID, "inbound", "sourceable-name"), m.names(net.ID, "outbound", "workspace-name"); in != "net" || out != "app web" {
			t.Errorf("app is run after %q, and after net is %q", in, out)
		}
		if none := m.names(net.ID, "inbound", "sourceable-name") + m.names(app.ID, "outbound", "workspace-name"); none != "" {
			t.Errorf("the other way round there is %q", none)
		}
		if _, said := m.send("GET", "run-triggers/"+made.ID+"?include=sourceable", nil); !strings.Contains(string(said), `"included":[{`) || !strings.Contains(string(said), `"name":"net"`) {
			t.Errorf("the trigger with its source is %s", said)
		}

		m.agents(200, app.ID, `"auto-apply":true,"auto-apply-run-trigger":false`)
		m.agents(200, web.ID, `"auto-apply-run-trigger":true`)
		first := m.applies(net.ID, plainInfra("one"))
		after := g.nth("app", stack.Tracked, 2)
		g.wantRun(until(t, g.admin, after, ended), "finished", "")
		var in struct {
			TriggeredBy string
			Autodeploy  bool
		}
		if r := g.runNow(after); json.Unmarshal(r.Input, &in) != nil || in.TriggeredBy != "stack:default/net" || in.Autodeploy || r.Actor.ID != g.runNow(first).Actor.ID {
			t.Errorf("what follows is %+v", r)
		}
		if log := g.log(after, "plan"); !strings.Contains(log, "No changes") {
			t.Errorf("what was applied before is planned again as\n%s", log)
		}
		if r := g.runNow(g.nth("web", stack.Tracked, 2)); json.Unmarshal(r.Input, &in) != nil || !in.Autodeploy {
			t.Errorf("what is applied when it follows is %+v", r)
		}
		for source, want := range map[string]string{"tfe-run-trigger": after, "tfe-api": first} {
			id := "run-" + strings.TrimPrefix(want, "run_")
			if r := m.wants(200, "GET", "runs/"+id, ""); r.text("source") != source {
				t.Errorf("the source of run %s is %s, want %s", want, r.text("source"), source)
			}
			found := 0
			for _, r := range m.part("organizations/default/runs?filter[source]=" + source).Data {
				if r.text("source") != source {
					t.Errorf("among those of the source %s is one of %s", source, r.text("source"))
				}
				if r.ID == id {
					found++
				}
			}
			if found != 1 {
				t.Errorf("run %s is %d times among those of the source %s", want, found, source)
			}
		}

		m.wants(204, "DELETE", "run-triggers/"+made.ID, "")
		m.wants(404, "GET", "run-triggers/"+made.ID, "")
		m.wants(404, "DELETE", "run-triggers/"+made.ID, "")
		if s := g.stackNow("app"); len(s.DependsOn) != 0 {
			t.Errorf("without the trigger the stack depends on %+v", s.DependsOn)
		}
		second := m.applies(net.ID, plainInfra("two"))
		g.nth("web", stack.Tracked, 3)
		g.followed("stack.ends", "run.state-changed", second, `"finished"`)
		g.idle("stack.after")
		if all := g.runsOf("app", stack.Tracked); len(all) != 2 {
			t.Errorf("without a trigger app has %d runs", len(all))
		}
	})
}

// TestRunTriggersThatCantBe are refused, and say why: round in circles, of what a repository declares, of what may not be seen, and
// those that would take away what runs are given.
func TestRunTriggersThatCantBe(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		net, app := m.workspace("default", "net"), m.workspace("default", "app")
		made := m.triggers(201, app.ID, net.ID)
		refused := func(who string, status int, workspace, source, says string) {
			t.Helper()
			code, said := remote{g, who}.send("POST", "workspaces/"+workspace+"/run-triggers", fmt.Appendf(nil, `{"data":{"relationships":{"sourceable":{"data":{"type":"workspaces","id":%q}}}}}`, source))
			if code != status || !strings.Contains(string(said), says) {
				t.Errorf("%s has %s run after %s: %d %s, want %d with %q", who, workspace, source, code, said, status, says)
			}
		}
		refused("alice", 422, net.ID, net.ID, "is the workspace itself")
		refused("alice", 422, net.ID, app.ID, "would depend on each other")
		refused("alice", 422, app.ID, net.ID, "has already been taken")
		refused("alice", 404, app.ID, "ws-nothing", "")
		refused("rita", 403, net.ID, app.ID, "entity:write")
		refused("mallory", 404, net.ID, app.ID, "")
		m.wants(422, "POST", "workspaces/"+net.ID+"/run-triggers", `{"data":{"type":"run-triggers"}}`)
		m.wants(422, "GET", "workspaces/"+net.ID+"/run-triggers?filter[run-trigger][type]=sideways", "")
		m.wants(422, "GET", "workspaces/"+net.ID+"/run-triggers", "")
		for _, id := range []string{made.ID, "rt-x", "rt-x~y", "nonexisting"} {
			remote{g, "mallory"}.wants(404, "GET", "run-triggers/"+id, "")
			remote{g, "mallory"}.wants(404, "DELETE", "run-triggers/"+id, "")
		}
		remote{g, "rita"}.wants(200, "GET", "run-triggers/"+made.ID, "")
		remote{g, "rita"}.wants(403, "DELETE", "run-triggers/"+made.ID, "")
		remote{g, ""}.wants(401, "GET", "run-triggers/"+made.ID, "")

		// A stack of another space is not run after one whose outputs that may not use, and says nothing to who sees only one of them.
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		lab := remote{g, "lars"}.workspace("lab", "bench")
		refused("lars", 404, lab.ID, net.ID, "")
		refused("admin", 403, lab.ID, net.ID, "shareWith")
		remote{g, "admin"}.triggers(201, net.ID, lab.ID) // a space above may use what those below give
		if seen := (remote{g, "lars"}).names(lab.ID, "outbound", "workspace-name"); seen != "" {
			t.Errorf("who may not see what depends on a workspace is told of %q", seen)
		}
		if seen := (remote{g, "admin"}).names(lab.ID, "outbound", "workspace-name"); seen != "net" {
			t.Errorf("after bench is run %q", seen)
		}

		// What a repository declares is changed there.
		g.push("alice", "default/kept", map[string]string{"catalog-info.yaml": "apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: kept}\nspec:\n  owner: group:default/crew\n  source: {upload: true}\n  dependsOn: [{stack: net}]\n"})
		if _, err := client.Post[client.Location](t.Context(), g.as["alice"], "/locations", map[string]string{"repository": "default/kept"}); err != nil {
			t.Fatal(err)
		}
		kept := m.wants(200, "GET", "organizations/default/workspaces/kept", "")
		refused("alice", 409, kept.ID, app.ID, "declared in a repository")
		if in := m.names(kept.ID, "inbound", "sourceable-name"); in != "net" {
			t.Errorf("the stack of the repository is run after %q", in)
		}
		m.wants(409, "DELETE", "run-triggers/rt-"+strings.TrimPrefix(kept.ID, "ws-")+"~"+strings.TrimPrefix(net.ID, "ws-"), "")

		// A dependency that gives outputs is more than a trigger.
		g.apply("apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: fed}\nspec:\n  owner: group:default/crew\n  source: {upload: true}\n  dependsOn: [{stack: app, outputs: [{output: a, as: TF_VAR_a}]}]\n")
		fed := m.wants(200, "GET", "organizations/default/workspaces/fed", "")
		code, said := m.send("DELETE", "run-triggers/rt-"+strings.TrimPrefix(fed.ID, "ws-")+"~"+strings.TrimPrefix(app.ID, "ws-"), nil)
		if code != 409 || !strings.Contains(string(said), "is given 1 outputs of stack:default/app") {
			t.Errorf("a dependency that gives outputs is deleted: %d %s", code, said)
		}
		if s := g.stackNow("fed"); len(s.DependsOn) != 1 || len(s.DependsOn[0].Outputs) != 1 {
			t.Errorf("the stack depends on %+v", s.DependsOn)
		}
	})
}

// TestTheTriggersAfterAWorkspaceGoWithIt, unless something stands by one of them that is more: then nothing goes.
func TestTheTriggersAfterAWorkspaceGoWithIt(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		m := remote{g, "alice"}
		net, app, web := m.workspace("default", "net"), m.workspace("default", "app"), m.workspace("default", "web")
		m.triggers(201, app.ID, net.ID)
		m.triggers(201, web.ID, net.ID)
		m.triggers(201, web.ID, app.ID)
		refused := func(who string, status int, method, path, says string) {
			t.Helper()
			if code, said := (remote{g, who}).send(method, path, nil); code != status || !strings.Contains(string(said), says) {
				t.Errorf("%s %s by %s gives %d %s, want %d with %q", method, path, who, code, said, status, says)
			}
		}
		const fed = "apiVersion: roadbed.dev/v1\nkind: Stack\nmetadata: {name: fed}\nspec:\n  owner: group:default/crew\n  source: {upload: true}\n"
		g.apply(fed + "  dependsOn: [{stack: net, outputs: [{output: a, as: TF_VAR_a}]}]\n")
		refused("alice", 409, "DELETE", "workspaces/"+net.ID, "is followed by default/fed")
		refused("alice", 422, "POST", "workspaces/"+net.ID+"/actions/safe-delete", "is followed by default/fed")
		if out := m.names(net.ID, "outbound", "workspace-name"); out != "app fed web" && out != "app web fed" {
			t.Errorf("after net is run %q", out)
		}
		g.apply(fed)
		refused("rita", 403, "DELETE", "workspaces/"+net.ID, "entity:delete")
		m.wants(204, "DELETE", "workspaces/"+net.ID, "")
		if s := g.stackNow("app"); len(s.DependsOn) != 0 {
			t.Errorf("app depends on %+v", s.DependsOn)
		}
		if in := m.names(web.ID, "inbound", "sourceable-name"); in != "app" || len(g.stackNow("web").DependsOn) != 1 {
			t.Errorf("web is run after %q, and depends on %+v", in, g.stackNow("web").DependsOn)
		}

		// Who may not see what follows is told how many there are.
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}\n---\n" +
			"{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: lars}, spec: {memberOf: []}}\n---\n" +
			"{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: lars-develops}, spec: {role: developer, space: lab, subjects: [\"user:default/lars\"]}}")
		g.as["lars"] = client.New(g.url, g.token("user:default/lars"))
		bench := (remote{g, "lars"}).workspace("lab", "bench")
		(remote{g, "admin"}).triggers(201, app.ID, bench.ID)
		refused("lars", 409, "DELETE", "workspaces/"+bench.ID, "1 that are not shown to you")
		(remote{g, "admin"}).wants(204, "DELETE", "workspaces/"+bench.ID, "")
		if s := g.stackNow("app"); len(s.DependsOn) != 0 {
			t.Errorf("app depends on %+v", s.DependsOn)
		}
	})
}
