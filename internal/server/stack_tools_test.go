package server

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/lacktest"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// tool declares a stack of a vendor whose folder infra is pushed by Alice, and gives its first run.
func (g *ground) tool(name, vendor string, files map[string]string) string {
	g.t.Helper()
	commit := g.pushTool(name, files)
	g.apply(toolDocument(name, vendor))
	return g.stackRun(name, commit)
}

func toolDocument(name, more string) string {
	return strings.ReplaceAll(`apiVersion: roadbed.dev/v1
kind: Stack
metadata: {name: NAME}
spec:
  owner: group:default/crew
  source: {repository: crew/NAME, branch: main, path: infra}
`, "NAME", name) + more
}

func (g *ground) pushTool(name string, files map[string]string) string {
	g.t.Helper()
	within := map[string]string{}
	for path, content := range files {
		within["infra/"+path] = content
	}
	return g.push("alice", "crew/"+name, within)
}

// confirms has Bob confirm a run, and gives its end.
func (g *ground) confirms(id string) client.RunDetail {
	g.t.Helper()
	if _, err := g.act("bob", id, "confirm"); err != nil {
		g.t.Fatal(err)
	}
	return until(g.t, g.admin, id, ended)
}

func (g *ground) plan(id string) client.Plan {
	g.t.Helper()
	p, err := client.Get[client.Plan](g.t.Context(), g.admin, "/runs/"+id+"/plan", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return p
}

// begins starts a run as Alice.
func (g *ground) begins(name, kind string) (client.RunDetail, error) {
	return client.Post[client.RunDetail](g.t.Context(), g.alice, "/stacks/default/"+name+"/runs", map[string]string{"type": kind})
}

// drifts looks for drift, as soon as it is known what is applied, and gives the end of that.
func (g *ground) drifts(name string) (r client.RunDetail) {
	g.t.Helper()
	err := eventually(g.t.Context(), func() (done bool, err error) {
		r, err = g.begins(name, "drift")
		if fault.Is(err, fault.Conflict) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return g.rests(r.ID)
}

// asJSON gives a value as text in which a test looks for what must, or must not, be there.
func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const playbook = `- name: site
  hosts: all
  gather_facts: false
  tasks:
    - name: write the file
      ansible.builtin.copy: {dest: "{{ at }}/made", content: "{{ says }}\n"}
    - name: a secret
      ansible.builtin.copy: {dest: "{{ at }}/secret", content: "a-word-nobody-sees\n"}
      no_log: true
    - name: say it
      ansible.builtin.command: touch {{ at }}/said
    - name: leave the outputs
      ansible.builtin.copy:
        dest: "{{ playbook_dir }}/outputs.json"
        content: '{"where": "{{ at }}", "word": {"value": "hidden", "sensitive": true}}'
      when: not ansible_check_mode
`

const undo = `- hosts: all
  gather_facts: false
  tasks:
    - name: take the files away
      ansible.builtin.file: {path: "{{ at }}/{{ item }}", state: absent}
      loop: [made, secret, said]
`

// TestAPlaybookIsCheckedReviewedAndRun tells the life of a stack of Ansible's, whose host is where the step runs: what it
// makes is in a folder that lasts only where steps are not isolated, so that its tasks change something each time.
func TestAPlaybookIsCheckedReviewedAndRun(t *testing.T) {
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		lacktest.Skip(t, "there is no ansible-playbook; install ansible-core")
	}
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.policy("no-secrets", "plan", `deny[m] {
  input.spacelift.stack.name == "box"
  r := input.terraform.resource_changes[_]
  contains(r.name, "forbidden")
  m := sprintf("%s on %d hosts", [r.name, count(input.ansible.ok)])
}`, "")
		files := map[string]string{
			"site.yml": playbook, "undo.yml": undo, "hosts": "here ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n",
		}
		id := g.tool("box", `  vendor: {ansible: {playbook: site.yml, inventory: hosts, destroy: undo.yml, outputs: outputs.json}}
  variables: {at: /tmp, says: hello}
`, files)
		r := g.rests(id)
		g.wantRun(r, "unconfirmed", "3 to change; waits for somebody to confirm it")
		p := g.plan(id)
		if p.Vendor != "ansible" || len(p.Changes) != 3 || p.Changes[0].Address != "here: write the file" || p.Changes[0].Type != "ansible.builtin.copy" {
			t.Fatalf("the plan is %+v", p)
		}
		if after := asJSON(t, p.Changes[0].After); !strings.Contains(after, `"/tmp/made":"hello`) {
			t.Errorf("the file's content is %s", after)
		}
		if all := asJSON(t, p); strings.Contains(all, "a-word-nobody-sees") {
			t.Errorf("the plan has what is not to be logged: %s", all)
		}
		if c := p.Changes[2]; c.Action != "update" || c.Reason != "not_checked" {
			t.Errorf("a command, which can't be checked, is planned as %+v", c)
		}
		titles := ""
		for _, s := range r.Steps {
			titles += s.Title + "; "
		}
		if !strings.Contains(titles, "Check the playbook") {
			t.Errorf("the steps are %s", titles)
		}
		r = g.confirms(id)
		g.wantRun(r, "finished", "applied: 3 to change")
		if log := g.log(id, "apply"); !strings.Contains(log, "changed=4") {
			t.Errorf("the apply says\n%s", log)
		}
		s := g.stackNow("box")
		if s.Vendor != "ansible" || s.State == nil || string(s.State.Outputs["where"].Value) != `"/tmp"` || !s.State.Outputs["word"].Sensitive || s.State.Outputs["word"].Value != nil {
			t.Errorf("the stack is %+v with %+v", s, s.State)
		}

		// Drift is looked for by a check too; a preview has the policies asked.
		g.wantRun(g.drifts("box"), "finished", "drifted: 3 to change")
		files["site.yml"] = strings.ReplaceAll(playbook, "say it", "forbidden")
		commit := g.pushTool("box", files)
		g.wantRun(g.rests(g.stackRun("box", commit)), "failed", "a plan policy denies: forbidden on 1 hosts")

		destroy, err := g.begins("box", "destroy")
		if err != nil {
			t.Fatal(err)
		}
		g.wantRun(g.rests(destroy.ID), "finished", "nothing to change") // its own /tmp has none of the files

		files["site.yml"] = "- hosts: all\n  tasks: [{name: never, ansible.builtin.fail: {msg: it can't be}}]\n"
		commit = g.pushTool("box", files)
		g.wantRun(g.rests(g.stackRun("box", commit)), "failed", `planning: the task "never" fails on here: it can't be`)
		if log := g.log(g.stackRun("box", commit), "plan"); !strings.Contains(log, "it can't be") {
			t.Errorf("the log of a playbook that fails is\n%s", log)
		}

		files["site.yml"] = "- hosts: all\n  tasks: [{name: never, not_a_module: {}}]\n"
		g.wantRun(g.rests(g.stackRun("box", g.pushTool("box", files))), "failed", "planning: couldn't resolve module/action 'not_a_module'")

		g.apply(toolDocument("box", "  vendor: {ansible: {playbook: site.yml, inventory: hosts}}\n  variables: {at: /tmp, says: hello}\n"))
		if _, err := g.begins("box", "destroy"); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "can't be taken back") {
			t.Errorf("a stack without a playbook that destroys is destroyed: %v", err)
		}
	})
}

// shelving puts an item on a shelf by a role of a collection that the repository brings along, as Ansible installs it.
const shelving = `- hosts: all
  gather_facts: false
  roles: [crew.shelf.item]
  post_tasks:
    - name: leave the outputs
      ansible.builtin.copy: {dest: "{{ playbook_dir }}/outputs.json", content: '{"at": "{{ at }}"}'}
      when: not ansible_check_mode
`

const unshelving = `- hosts: all
  gather_facts: false
  tasks:
    - name: take the item away
      ansible.builtin.uri: {url: "{{ at }}/item", method: DELETE}
`

// TestAPlaybookTakesDownWhatItHasMade runs a playbook against a server, and the one that takes everything down.
func TestAPlaybookTakesDownWhatItHasMade(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		lacktest.Skip(t, "there is no ansible-playbook; install ansible-core")
	}
	o := options(t)
	o.Network = true
	h, server := openWith(t, o)
	g, there := newGround(t, h, server), newShelf(t)
	files := map[string]string{
		"site.yml": shelving, "undo.yml": unshelving, "hosts": "here ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n",
		"requirements.yml":                   "collections: [{name: ./shelf, type: dir}]\n",
		"shelf/galaxy.yml":                   "{namespace: crew, name: shelf, version: 1.0.0, readme: README.md, authors: [crew]}\n",
		"shelf/README.md":                    "# Shelf\n",
		"shelf/roles/item/tasks/main.yml":    "- name: put the item there\n  ansible.builtin.uri: {url: '{{ at }}/item', method: PUT, body: '{{ says }}'}\n",
		"shelf/roles/item/defaults/main.yml": "says: hello\n",
	}
	id := g.tool("shop", "  vendor: {ansible: {playbook: site.yml, inventory: hosts, destroy: undo.yml, outputs: outputs.json}}\n  network: true\n  variables: {at: '"+there.url+"'}\n", files)
	g.wantRun(g.rests(id), "unconfirmed", "1 to change")
	if p := g.plan(id); p.Changes[0].Reason != "not_checked" || !strings.Contains(p.Changes[0].Address, "put the item there") {
		t.Errorf("the plan is %s", asJSON(t, p))
	}
	if got := there.all(); len(got) > 0 {
		t.Fatalf("before anybody has confirmed it there are %q", got)
	}
	g.wantRun(g.confirms(id), "finished", "applied: 1 to change")
	if got := there.all(); len(got) != 1 || got[0] != "hello" {
		t.Errorf("there are %q", got)
	}
	if got := g.output("shop", "at"); got != `"`+there.url+`"` {
		t.Errorf("the output is %s", got)
	}
	destroy, err := g.begins("shop", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	g.wantRun(g.rests(destroy.ID), "unconfirmed", "1 to change")
	g.wantRun(g.confirms(destroy.ID), "finished", "applied: 1 to change")
	if got := there.all(); len(got) > 0 {
		t.Errorf("there are still %q", got)
	}
	if s := g.stackNow("shop"); len(s.State.Outputs) > 0 {
		t.Errorf("after the destruction the state is %s", asJSON(t, s.State))
	}
	files["requirements.yml"] = "collections: [{name: ./nothing, type: dir}]\n"
	g.wantRun(g.rests(g.stackRun("shop", g.pushTool("shop", files))), "failed", "planning: requirements.yml can't be installed: ")
	task, err := client.Post[client.RunDetail](t.Context(), g.admin, "/stacks/default/shop/runs", map[string]any{"type": "task", "command": "ansible --version"})
	if err != nil {
		t.Fatal(err)
	}
	g.wantRun(until(t, g.admin, task.ID, ended), "failed", "requirements.yml can't be installed: ")
}

// TestTerragruntRunsTheEngine has what stands in for Terragrunt, which can't be had here: it passes the engine's phases on, as
// Terragrunt's documentation says that it does, after it has written a file of the configuration.
func TestTerragruntRunsTheEngine(t *testing.T) {
	t.Parallel()
	engine := realEngine(t)
	program := filepath.Join(t.TempDir(), "terragrunt")
	if err := os.WriteFile(program, []byte(`#!/bin/sh
set -eu
if [ "$1" = --version ]; then
  echo "terragrunt version v0.99.4"
  exit
fi
echo "by terragrunt: $1" >&2
cp terragrunt.hcl generated.tf
exec "$TG_TF_PATH" "$@"
`), 0o755); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Engine, o.terragrunt = engine, program
	h, server := openWith(t, o)
	g := newGround(t, h, server)
	unit := map[string]string{"terragrunt.hcl": "variable \"says\" {\n  type = string\n}\nresource \"terraform_data\" \"one\" {\n  input = var.says\n}\noutput \"says\" {\n  value = terraform_data.one.output\n}\n"}
	vendor := "  vendor: {terragrunt: {terragruntVersion: '0.99'}}\n  variables: {says: hello}\n"
	id := g.tool("unit", vendor, unit)
	g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	g.wantRun(g.confirms(id), "finished", "applied: 1 to create")
	for _, step := range []string{"plan", "apply"} {
		if log := g.log(id, step); !strings.Contains(log, "by terragrunt: "+step) || !strings.Contains(log, "by terragrunt: init") {
			t.Errorf("the log of %s is\n%s", step, log)
		}
	}
	if log := g.log(id, "show"); strings.Contains(log, "by terragrunt") {
		t.Errorf("the plan is read by what the repository names:\n%s", log)
	}
	if got := g.output("unit", "says"); got != `"hello"` {
		t.Errorf("the output is %s", got)
	}
	if s := g.stackNow("unit"); s.Vendor != "terragrunt" || s.State.Resources != 1 {
		t.Errorf("the stack is %s", asJSON(t, s))
	}
	g.wantRun(g.drifts("unit"), "finished", "no drift")
	destroy, err := g.begins("unit", "destroy")
	if err != nil {
		t.Fatal(err)
	}
	g.wantRun(g.rests(destroy.ID), "unconfirmed", "1 to destroy")
	g.wantRun(g.confirms(destroy.ID), "finished", "applied: 1 to destroy")
	if s := g.stackNow("unit"); s.State.Resources != 0 {
		t.Errorf("after the destruction the state is %s", asJSON(t, s.State))
	}
	g.apply(toolDocument("unit", strings.Replace(vendor, "0.99", "1.0", 1)))
	g.wantRun(g.rests(g.nth("unit", "tracked", 2)), "failed", "the stack asks for a program that can't be had: there is no Terragrunt 1.0 here: this server has 0.99.4")
}

// TestWhatThePoolLacksIsNamed has stacks of programs that are not here, and of a network that is not granted.
func TestWhatThePoolLacksIsNamed(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		for tool, vendor := range map[string]string{
			"terragrunt": "  vendor: {terragrunt: {}}\n",
			"pulumi":     "  vendor: {pulumi: {stackName: prod}}\n",
		} {
			if _, err := exec.LookPath(tool); err == nil {
				continue
			}
			title := strings.ToUpper(tool[:1]) + tool[1:]
			id := g.tool("with-"+tool, vendor, map[string]string{"main.tf": "# nothing\n", "terragrunt.hcl": "", "Pulumi.yaml": "name: x\nruntime: yaml\n"})
			g.wantRun(g.rests(id), "failed", "the stack asks for a program that can't be had: there is no "+title+" here")
			if r, _ := client.Get[client.RunDetail](g.t.Context(), g.admin, "/runs/"+id, nil); !strings.Contains(r.Reason, "install "+title+" on the machine's PATH") {
				t.Errorf("it says %s", r.Reason)
			}
		}
		for name, more := range map[string]string{"cluster": "  vendor: {kubernetes: {}}\n", "cloud": "  network: true\n"} {
			id := g.tool(name, more, map[string]string{"main.tf": "# nothing\n"})
			g.wantRun(g.rests(id), "failed", "the pool default grants its steps no network")
		}
	})
}

// TestStacksOfToolsAreHeldToTheirForm declares what can't be.
func TestStacksOfToolsAreHeldToTheirForm(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		for more, want := range map[string]string{
			"  vendor: {ansible: {playbook: a.yml}, kubernetes: {}}\n":         "ansible and kubernetes can't plan and apply one stack",
			"  engine: {name: tofu}\n  vendor: {kubernetes: {}}\n":             "kubernetes has no engine",
			"  vendor: {kubernetes: {}}\n  variables: {a: b}\n":                "manifests have no variables",
			"  vendor: {ansible: {}}\n":                                        `"" is not a file within the stack's folder`,
			"  vendor: {ansible: {playbook: ../a.yml}}\n":                      "is not a file within the stack's folder",
			"  vendor: {ansible: {playbook: --help}}\n":                        "is not a file within the stack's folder",
			"  vendor: {kubernetes: {namespace: No_Such}}\n":                   "is not the name of a namespace",
			"  vendor: {kubernetes: {kubectlVersion: newest}}\n":               "is no constraint of versions",
			"  vendor: {pulumi: {}}\n":                                         "is missing",
			"  vendor: {pulumi: {stackName: prod, loginUrl: 'file:///etc'}}\n": "is not the address of a backend",
			"  vendor: {helm: {}}\n":                                           "helm",
			"  vendor: {terragrunt: {terragruntVersion: '0.9 or so'}}\n":       "is no constraint of versions",
			"  vendor: {pulumi: {stackName: prod, pulumiVersion: x}}\n":        "is no constraint of versions",
		} {
			err := g.try("admin", toolDocument("wrong", more))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), want) {
				t.Errorf("%s gives %v %v, want %s", more, err, fault.Details(err), want)
			}
		}
	})
}
