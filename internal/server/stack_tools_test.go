package server

import (
	"encoding/json"
	"fmt"
	"os/exec"
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

		files["site.yml"] = "- hosts: all\n  tasks: [{name: no, ansible.builtin.fail: {msg: it can't be}}]\n"
		commit = g.pushTool("box", files)
		g.wantRun(g.rests(g.stackRun("box", commit)), "failed", "planning: ")
		if log := g.log(g.stackRun("box", commit), "plan"); !strings.Contains(log, "it can't be") {
			t.Errorf("the log of a playbook that fails is\n%s", log)
		}

		g.apply(toolDocument("box", "  vendor: {ansible: {playbook: site.yml, inventory: hosts}}\n  variables: {at: /tmp, says: hello}\n"))
		if _, err := g.begins("box", "destroy"); !fault.Is(err, fault.Conflict) || !strings.Contains(fault.Message(err), "can't be taken back") {
			t.Errorf("a stack without a playbook that destroys is destroyed: %v", err)
		}
	})
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
			id := g.tool("with-"+tool, vendor, map[string]string{"main.tf": "# nothing\n", "terragrunt.hcl": "", "Pulumi.yaml": "name: x\nruntime: yaml\n"})
			g.wantRun(g.rests(id), "failed", "the pool default has no tool "+tool+"; install it on the pool's machine")
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
			"  vendor: {kubernetes: {kubectlVersion: latest}}\n":               "is not a version",
			"  vendor: {pulumi: {}}\n":                                         "is missing",
			"  vendor: {pulumi: {stackName: prod, loginUrl: 'file:///etc'}}\n": "is not the address of a backend",
			"  vendor: {helm: {}}\n":                                           "helm",
			"  vendor: {terragrunt: {terragruntVersion: '0.9 or so'}}\n":       "is not a version",
		} {
			err := g.try("admin", toolDocument("wrong", more))
			if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(fault.Details(err)), want) {
				t.Errorf("%s gives %v %v, want %s", more, err, fault.Details(err), want)
			}
		}
	})
}
