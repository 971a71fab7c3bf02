package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const givenInfra = `variable "region" {}
variable "tags" {
  type = map(string)
}
variable "made" {}
variable "spacelift_stack_id" {}
variable "spacelift_run_type" {}
variable "spacelift_run_state" {}
variable "spacelift_stack_labels_list" {
  type = list(string)
}
resource "terraform_data" "net" {
  input = {
    region  = var.region
    tags    = var.tags
    made    = var.made
    stack   = var.spacelift_stack_id
    type    = var.spacelift_run_type
    labels  = var.spacelift_stack_labels_list
    mounted = file("${path.module}/mounted.txt")
  }
}
output "all" {
  value = jsonencode(terraform_data.net.input)
}
`

const givenContexts = `apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: base}
spec:
  labels: ["autoattach:*"]
  variables:
    - {name: TF_VAR_region, value: of-base}
    - {name: LEVEL, value: of-base}
    - {name: TOKEN, secretRef: default/token}
  files:
    - {path: source/infra/mounted.txt, content: "mounted by base"}
    - {path: key, secretRef: default/token}
  hooks:
    beforeInit: ["echo base-before-init; export TF_VAR_made=in-a-hook", "echo \"token $TOKEN and $(cat /work/key)\""]
    afterPlan: [echo base-after-plan]
    afterRun: ['echo "base-after-run $ROADBED_FINAL_STATE"']
---
apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: eu}
spec:
  priority: 5
  labels: ["autoattach:eu"]
  variables:
    - {name: LEVEL, value: of-eu}
    - {name: TF_VAR_tags, value: '{"by": "eu"}'}
  hooks:
    beforePlan: ['made=pass; made="$made-word-7"; echo "::add-mask $made"; echo "eu-before-plan $LEVEL $made"; export MADE=$made']
    beforeApply: ['echo "eu-before-apply $LEVEL"']
---
apiVersion: roadbed.dev/v1
kind: Context
metadata: {name: us}
spec: {labels: ["autoattach:us"], variables: [{name: LEVEL, value: of-us}]}
`

// wantInOrder fails the test unless a log has lines with these texts, in this order.
func wantInOrder(t *testing.T, log string, texts ...string) {
	t.Helper()
	rest := log
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Fatalf("%q is missing in its place in\n%s", text, log)
		}
		rest = after
	}
}

// TestAStackIsGivenWhatItsContextsSay has the real engine plan and apply with variables, files and hooks of contexts, of the
// stack and of its repository.
func TestAStackIsGivenWhatItsContextsSay(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), http.MethodPut, "/secrets/default/token", nil, map[string]any{"value": "a-very-secret-token"}, nil); err != nil {
			t.Fatal(err)
		}
		g.apply(givenContexts)
		commit := g.push("alice", "crew/net", map[string]string{
			"infra/main.tf":         givenInfra,
			".spacelift/config.yml": "version: \"2\"\nstacks:\n  net:\n    environment: {TF_VAR_region: of-the-file}\n    after_plan: [echo file-after-plan]\n",
		})
		g.apply(`apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: net}
spec:
  owner: group:default/crew
  source: {repository: crew/net, branch: main, path: infra}
  labels: [eu, prod]
  variables: {region: own}
  hooks:
    beforePlan: ['echo "own-before-plan $MADE"']
    beforeApply: ['echo "own-before-apply of $TF_VAR_spacelift_stack_id $TF_VAR_spacelift_run_state"']
    afterApply: [echo own-after-apply]
`)
		id := g.stackRun("net", commit)
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "1 to create")
		log := g.log(id, "plan")
		wantInOrder(t, log, "the hook before init of context:default/base (1)", "base-before-init", "token *** and ***", "Initializing",
			"::add-mask ***", "eu-before-plan of-eu ***", "own-before-plan ***", "Terraform will perform", "file-after-plan", "base-after-plan")
		if strings.Contains(log, "word-7") || strings.Contains(log, "secret-token") {
			t.Errorf("the log shows what is hidden:\n%s", log)
		}
		if n := strings.Count(log, "the hook before init of context:default/base (1)"); n != 1 {
			t.Errorf("a hook ran %d times:\n%s", n, log)
		}

		// What the run was given stays, whatever becomes of its contexts; who changes them is an author of the next.
		g.apply(strings.ReplaceAll(givenContexts, "of-eu", "of-another"))
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "finished", "applied: 1 to create")
		wantInOrder(t, g.log(id, "apply"), "base-before-init", "eu-before-apply of-eu", "own-before-apply of net APPLYING", "Apply complete", "own-after-apply")
		wantInOrder(t, g.log(id, "after"), "base-after-run finished")
		var text string
		var got map[string]any
		if err := json.Unmarshal([]byte(g.output("net", "all")), &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		want := `{"labels":["eu","prod"],"made":"in-a-hook","mounted":"mounted by base","region":"of-the-file","stack":"net","tags":{"by":"eu"},"type":"TRACKED"}`
		if have, _ := json.Marshal(got); string(have) != want {
			t.Errorf("the engine was given %s, want %s", have, want)
		}

		e, err := client.Get[client.StackEnvironment](t.Context(), g.alice, "/stacks/default/net/environment", nil)
		if err != nil {
			t.Fatal(err)
		}
		from := map[string]string{}
		for _, v := range e.Variables {
			from[v.Name] = v.From + " " + v.Value + strings.Join(v.Over, ",")
			if v.Name == "TOKEN" && (v.SecretRef != "default/token" || v.Value != "") {
				t.Errorf("a secret is shown as %+v", v)
			}
		}
		if from["TF_VAR_region"] != ".spacelift/config.yml of-the-filethe stack,context:default/base" || from["LEVEL"] != "context:default/eu of-anothercontext:default/base" || e.Wrong != "" {
			t.Errorf("the environment is %v: %s", from, e.Wrong)
		}
		if len(e.Contexts) != 2 || e.Contexts[0].Why != "autoattach:*" || e.Contexts[1].Why != "autoattach:eu" {
			t.Errorf("its contexts are %+v", e.Contexts)
		}
		stacks, err := client.All[client.ContextStack](t.Context(), g.alice, "/contexts/default/eu/stacks", nil)
		if err != nil || len(stacks) != 1 || stacks[0].Ref != "stack:default/net" {
			t.Errorf("the context has %+v, %v", stacks, err)
		}
		for who, kind := range map[string]fault.Kind{"mallory": fault.NotFound} {
			for _, path := range []string{"/contexts/default/eu", "/contexts/default/eu/stacks", "/stacks/default/net/environment"} {
				if _, err := client.Get[any](t.Context(), g.as[who], path, nil); !fault.Is(err, kind) {
					t.Errorf("%s reads %s: %v", who, path, err)
				}
			}
		}

		// Who edited a context since is an author of the next run, beside who begins it.
		next, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"})
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(next.ID), "finished", "1 to change") // the type of its run
		var in struct {
			Authors []string                            `json:"authors"`
			Given   struct{ Contexts map[string]int64 } `json:"given"`
		}
		if err := json.Unmarshal(next.Input, &in); err != nil || !slices.ContainsFunc(in.Authors, func(who string) bool { return who != "unknown" }) || in.Given.Contexts["context:default/eu"] != 2 {
			t.Errorf("the next run has the authors %v and the contexts %v: %v", in.Authors, in.Given, err)
		}
	})
}

// TestAHookThatFailsFailsTheRun: with the word of which, and with the hooks that come after any run.
func TestAHookThatFailsFailsTheRun(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "  hooks: {beforePlan: [exit 3], afterRun: [\"echo it $TF_VAR_spacelift_final_run_state\"]}\n")
		g.wantRun(g.rests(id), "failed", "planning: the hook before plan of the stack failed with exit status 3")
		wantInOrder(t, g.log(id, "after"), "it FAILED")
		if s := g.stackNow("net"); s.Lock != "" {
			t.Errorf("the state is locked: %s", s.Lock)
		}

		// An apply whose hook puts another plan in the place of the reviewed one applies nothing.
		id = g.stack("web", lightInfra, "  hooks: {beforeApply: ['cp /work/source/infra/main.tf /work/plan.bin']}\n")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if _, err := g.act("bob", id, "confirm"); err != nil {
			t.Fatal(err)
		}
		g.wantRun(until(t, g.admin, id, ended), "failed", "a hook has changed the plan that was reviewed")
		if s := g.stackNow("web"); s.State != nil {
			t.Errorf("it applied something: %+v", s.State)
		}
	})
}

// TestWhatARepositorySaysWrongIsToldOnTheRun: the file is that of the run's commit.
func TestWhatARepositorySaysWrongIsToldOnTheRun(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		id := g.stack("net", lightInfra, "")
		g.wantRun(g.rests(id), "unconfirmed", "1 to create")
		if _, err := g.act("bob", id, "discard"); err != nil {
			t.Fatal(err)
		}
		bad := g.push("alice", "crew/net", map[string]string{".roadbed/config.yml": "stacks:\n  net: {befor_plan: [ls]}\n", "infra/more.tf": ""})
		g.wantRun(g.rests(g.stackRun("net", bad)), "failed", ".roadbed/config.yml can't be read: stacks.net.befor_plan")
		for _, c := range []struct{ spec, why string }{
			{"  contexts: [nowhere]\n", "context:default/nowhere, which the stack names, is not in space default"},
		} {
			good := g.push("alice", "crew/net", map[string]string{".roadbed/config.yml": "stack_defaults: {project_root: infra}\n", "infra/more.tf": "# " + c.why})
			g.rests(g.stackRun("net", good))
			g.apply(stackDocument("net", c.spec))
			r, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"})
			if err != nil {
				t.Fatal(err)
			}
			g.wantRun(g.rests(r.ID), "failed", c.why)
		}
	})
}

// TestContextsReachDownTheTreeAlone: a context is its space's and those below.
func TestContextsReachDownTheTreeAlone(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply("{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: below}, spec: {parent: default}}")
		context := func(name, spec string) string {
			return "{apiVersion: roadbed.dev/v1, kind: Context, metadata: {name: " + name + "}, spec: " + spec + "}"
		}
		g.apply(context("above", `{labels: ["autoattach:*"], variables: [{name: A, value: a}]}`))
		if _, err := client.Post[client.List[client.Applied]](t.Context(), g.admin, "/apply", map[string]any{
			"documents": context("lower", `{labels: ["autoattach:*"], attach: [net], variables: [{name: A, value: b}]}`), "source": "lower", "space": "below",
		}); err != nil {
			t.Fatal(err)
		}
		g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		g.apply(stackDocument("net", ""))
		e, err := client.Get[client.StackEnvironment](t.Context(), g.alice, "/stacks/default/net/environment", nil)
		if err != nil || len(e.Contexts) != 1 || e.Contexts[0].Ref != "context:default/above" {
			t.Errorf("a stack above has %+v, %v", e.Contexts, err)
		}
		stacks, err := client.All[client.ContextStack](t.Context(), g.admin, "/contexts/default/lower/stacks", nil)
		if err != nil || len(stacks) != 0 {
			t.Errorf("a context below has %+v, %v", stacks, err)
		}
		all, err := client.All[client.Context](t.Context(), g.as["rita"], "/contexts", nil)
		if err != nil || len(all) != 2 {
			t.Errorf("Rita sees %+v, %v", all, err)
		}
		if none, err := client.All[client.Context](t.Context(), g.as["mallory"], "/contexts", nil); err != nil || len(none) != 0 {
			t.Errorf("Mallory sees %+v, %v", none, err)
		}
	})
}
