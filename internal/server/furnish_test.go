package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
)

// furnish makes one thing of each kind that routes are about, called none, and a deleted repository, called gone. It gives the ids
// of those that have one.
func furnish(t *testing.T, h *House, server *httptest.Server) map[string]string {
	t.Helper()
	const documents = `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: none}, spec: {type: service, lifecycle: production, owner: crew, definition: "{openapi: 3.0.0, info: {title: a, version: 1.0.0}, paths: {}}"}}
---
{apiVersion: scaffolder.backstage.io/v1beta3, kind: Template, metadata: {name: none}, spec: {type: service, steps: [{id: a, action: "debug:log", input: {message: hello}}]}}
---
{apiVersion: roadbed.dev/v1, kind: Stack, metadata: {name: none}, spec: {owner: crew, source: {repository: default/none, branch: main, path: infra}}}
---
{apiVersion: roadbed.dev/v1, kind: StackSet, metadata: {name: none}, spec: {owner: crew, source: {repository: default/none, branch: main}, folders: ["stacks/*/"], template: {}}}
---
{apiVersion: roadbed.dev/v1, kind: WorkerPool, metadata: {name: none}, spec: {}}
---
{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: none}, spec: {variables: [{name: A, value: a}]}}
---
{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {name: none}, spec: {project: default, source: {repoURL: /git/default/none, path: deploy, targetRevision: main}, destination: {name: local}}}
---
{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: none}, spec: {forge: gitea, url: http://127.0.0.1:1, token: {secretRef: default/none}, webhook: {secretRef: default/none}}}
---
{apiVersion: roadbed.dev/v1, kind: Discovery, metadata: {name: none}, spec: {integration: none, organization: acme, repositories: {}}}
---
{apiVersion: roadbed.dev/v1, kind: Scorecard, metadata: {name: none}, spec: {levels: [{name: bronze}], rules: [{id: owned, level: bronze, expression: "true"}]}}
---
{apiVersion: roadbed.dev/v1, kind: TechRadar, metadata: {name: none}, spec: {quadrants: [{id: a}, {id: b}, {id: c}, {id: d}], rings: [{id: adopt}], entries: []}}
---
{apiVersion: roadbed.dev/v1, kind: Module, metadata: {name: none}, spec: {owner: crew, provider: none, source: {repository: default/none}}}
---
{apiVersion: roadbed.dev/v1, kind: Directory, metadata: {name: none}, spec: {scim: {}}}
---
{apiVersion: roadbed.dev/v1, kind: Policy, metadata: {name: none}, spec: {point: plan, rego: "package spacelift\n\nwarn[\"never\"] { false }"}}
---
{apiVersion: roadbed.dev/v1, kind: Webhook, metadata: {name: none}, spec: {url: "https://127.0.0.1:1"}}
---
{apiVersion: roadbed.dev/v1, kind: Trigger, metadata: {name: none}, spec: {owner: crew, on: {push: {repository: default/none}}, run: {workflow: {file: pipeline.yaml}}}}
`
	post := func(path, body string) (id string) {
		t.Helper()
		code, answer := do(t, server, http.MethodPost, "/api/v1"+path, h.Options.AdminToken, body)
		var made struct{ ID string }
		if code >= 300 || json.Unmarshal([]byte(answer), &made) != nil && path != "/apply" && path != "/workflows/runs" {
			t.Fatalf("POST %s = %d %s", path, code, answer)
		}
		if made.ID == "" {
			_, rest, _ := strings.Cut(answer, `"id":"`)
			made.ID, _, _ = strings.Cut(rest, `"`)
		}
		return made.ID
	}
	text := func(s string) string {
		quoted, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(quoted)
	}
	post("/repositories", `{"namespace":"default","name":"none"}`)
	commit := func(branch, parent string) string {
		hash, err := h.Repositories.CommitFiles(actor.AsSystem(t.Context()), "default/none", git.CommitRequest{
			Branch: branch, Parent: parent, Message: branch, Changes: []git.FileChange{{Path: branch, Content: []byte(branch)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return hash
	}
	trunk, feature := commit("trunk", ""), commit("feature", "") // not main: the stack would plan
	if feature == trunk {
		t.Fatal("two branches with different files are the same")
	}
	post("/apply", `{"source":"test","documents":`+text(documents+"---\n"+providerDocument("none", newReleaseKey(t).public))+`}`)
	put := func(path, body string) {
		t.Helper()
		if code, answer := do(t, server, http.MethodPut, "/api/v1"+path, h.Options.AdminToken, body); code >= 300 {
			t.Fatalf("PUT %s = %d %s", path, code, answer)
		}
	}
	put("/secrets/default/none", `{"value":"hidden"}`)
	put("/repositories/default/none/checks/"+trunk, `{"name":"none","state":"passed"}`)
	if status, answer := deliver(t, server.URL, "default/none", "hidden", "push", "1", `{"ref":"refs/heads/main","repository":{"id":1,"full_name":"acme/shop"}}`); status != http.StatusAccepted {
		t.Fatalf("a delivery = %d %s", status, answer)
	}
	state := `{"version": 4, "serial": 1, "lineage": "none", "resources": [{"mode": "managed", "type": "terraform_data", "name": "one", "provider": "provider[\"terraform.io/builtin/terraform\"]",
 "instances": [{"attributes": {"id": "one"}}]}]}`
	if code, answer := do(t, server, http.MethodPost, "/api/state/default/none?push=true", h.Options.AdminToken, state); code != http.StatusOK {
		t.Fatalf("push a state = %d %s", code, answer)
	}
	ids := map[string]string{
		"runs": post("/workflows/runs", `{"document":`+text(waiting)+`}`), "tokens": post("/tokens", `{"name":"other"}`),
		"commits": trunk, "proposals": post("/repositories/default/none/proposals", `{"source":"feature","target":"trunk"}`),
		"comments":  post("/repositories/default/none/proposals/1/comments", `{"body":"why?","path":"feature","line":1}`),
		"views":     post("/views", `{"name":"none","query":"kind=component","space":"default"}`),
		"locations": post("/locations", `{"repository":"default/none","path":"catalog-info.yaml"}`),
		"stacks":    "latest", // version of the state of one
	}
	post("/repositories", `{"namespace":"default","name":"gone"}`)
	if code, answer := do(t, server, http.MethodDelete, "/api/v1/repositories/default/gone", h.Options.AdminToken, ""); code >= 300 {
		t.Fatalf("DELETE default/gone = %d %s", code, answer)
	}
	post("/machines", `{"name":"none"}`)
	post("/repositories/default/none/tags", `{"name":"none","at":"trunk"}`)
	put("/sources/none/entities", `{"documents":""}`)
	for kind, id := range ids {
		if id == "" {
			t.Fatalf("there is no id of one of the %s", kind)
		}
	}
	return ids
}
