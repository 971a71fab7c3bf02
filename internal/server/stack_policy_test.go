package server

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// policy declares a policy as it is written for Spacelift.
func (g *ground) policy(name, point, rego, more string) {
	g.t.Helper()
	g.apply(fmt.Sprintf("apiVersion: roadbed.dev/v1\nkind: Policy\nmetadata: {name: %s}\nspec:\n  point: %s\n%s  rego: |\n    package spacelift\n    %s\n",
		name, point, more, strings.ReplaceAll(strings.TrimSpace(rego), "\n", "\n    ")))
}

// decisions waits until there are some at a point, the newest first.
func (g *ground) decisions(point string, want func([]client.Decision) bool) (all []client.Decision) {
	g.t.Helper()
	ctx, stop := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer stop()
	err := eventually(ctx, func() (ok bool, err error) {
		all, err = client.All[client.Decision](ctx, g.admin, "/decisions", map[string][]string{"point": {point}})
		return want(all), err
	})
	if err != nil {
		g.t.Fatalf("decisions at %s are %+v: %v", point, all, err)
	}
	return all
}

func atLeast(n int) func([]client.Decision) bool {
	return func(all []client.Decision) bool { return len(all) >= n }
}

// branch pushes files to another branch of a repository that was pushed to, and gives the commit.
func (g *ground) branch(who, repository, branch string, files map[string]string) string {
	g.t.Helper()
	dir := filepath.Join(g.dir, who, repository)
	g.do(who, dir, "switch", "--quiet", "--force-create", branch, "origin/main")
	for path, content := range files {
		write(g.t, filepath.Join(dir, filepath.FromSlash(path)), content)
	}
	g.do(who, dir, "add", "--all")
	g.do(who, dir, "commit", "--quiet", "--message", "an idea")
	g.do(who, dir, "push", "--quiet", "--force", "origin", branch)
	commit := g.do(who, dir, "rev-parse", "HEAD")
	g.do(who, dir, "switch", "--quiet", "main")
	return commit
}

// TestPushPoliciesSayWhatAPushDoes tells of pushes to a stack's branch, to others, and of proposals.
func TestPushPoliciesSayWhatAPushDoes(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.stack("net", lightInfra, "  labels: [urgent]\n")
		g.policy("pushes", "push", `
track { affected; input.push.branch == input.stack.branch }
propose { affected; input.push.branch != input.stack.branch }
ignore { not affected }
ignore { trim_space(input.push.message) == "an idea"; is_null(input.pull_request); input.push.branch == "quiet" }
message["nothing of infra changed"] { not affected }
prioritize { input.stack.labels[_] == "urgent" }
affected { startswith(input.push.affected_files[_], concat("", [input.stack.project_root, "/"])) }`, "  labels: ['autoattach:urgent']\n")

		beside := g.push("alice", "crew/net", map[string]string{"README.md": "beside"})
		d := g.decisions("push", atLeast(1))[0]
		if len(d.Outcome["ignore"]) != 1 || d.Subject != "stack:default/net" {
			t.Errorf("a push beside the folder is decided as %+v", d)
		}
		comesTrue(t, func() bool { return g.stackNow("net").Message == "nothing of infra changed" }, "the stack says what the policy did") // after the decision
		within := g.push("alice", "crew/net", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-two")})
		id := g.stackRun("net", within)
		if r := g.runsAt("net", within); len(r) != 1 || r[0].ID != id {
			t.Errorf("a push into the folder started %+v", r)
		}
		idea := g.branch("alice", "crew/net", "idea", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-three")})
		preview := g.stackRun("net", idea)
		if r := g.runsAt("net", idea); len(r) != 1 || r[0].Title != "Preview of net" {
			t.Errorf("a push to another branch started %+v", r)
		}
		quiet := g.branch("alice", "crew/net", "quiet", map[string]string{"infra/main.tf": strings.ReplaceAll(lightInfra, "region-one", "region-four")})
		g.decisions("push", atLeast(4))

		// A proposal of the same commit starts no second preview of it.
		if _, err := client.Post[client.ProposalDetail](t.Context(), g.alice, "/repositories/crew/net/proposals", map[string]any{"title": "An idea", "source": "idea", "target": "main"}); err != nil {
			t.Fatal(err)
		}
		last := g.decisions("push", atLeast(5))[0]
		detail, err := client.Get[client.DecisionDetail](t.Context(), g.admin, "/decisions/"+last.ID, nil)
		if err != nil || !strings.Contains(string(detail.Input), `"action":"opened"`) || len(last.Outcome["propose"]) != 1 {
			t.Errorf("the proposal is decided as %+v with %s, %v", last, detail.Input, err)
		}
		g.wantNoted("stack:default/net", "stack.push-decided", 5)
		for commit, want := range map[string]int{beside: 0, quiet: 0, idea: 1} {
			if runs := g.runsAt("net", commit); len(runs) != want {
				t.Errorf("%s started %d runs, want %d", commit, len(runs), want)
			}
		}
		if r, err := client.Get[client.RunDetail](t.Context(), g.admin, "/runs/"+preview, nil); err != nil || r.Space != "default" {
			t.Errorf("the preview is %+v, %v", r, err)
		}
	})
}

// TestTriggerPoliciesStartOthers goes round in a circle until the bound of it.
func TestTriggerPoliciesStartOthers(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		if err := g.admin.Do(t.Context(), "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		empty := "output \"name\" {\n  value = \"x\"\n}\n"
		first := g.stack("app", empty, "  autodeploy: true\n  labels: ['depends-on:net']\n")
		g.wantRun(g.rests(first), "finished", "")
		g.followed("stack.policies", "run.state-changed", first, "finished") // before there is a policy to ask
		g.policy("chain", "trigger", `
trigger[stack.id] {
	stack := input.stacks[_]
	input.run.state == "FINISHED"
	input.run.type == "TRACKED"
	stack.labels[_] == concat("", ["depends-on:", input.stack.id])
}
trigger["nowhere"] { true }`, "")
		g.policy("tell", "notification", `
inbox[{"title": "It is over", "body": input.run_updated.run.id, "severity": "INFO"}] { input.run_updated.run.state == "FINISHED" }`, "")
		id := g.stack("net", empty, "  autodeploy: true\n")
		g.wantRun(g.rests(id), "finished", "")
		d := g.decisions("trigger", func(all []client.Decision) bool { return len(all) == 2 }) // of net, and of app after it
		if strings.Join(d[1].Outcome["trigger"], " ") != "app nowhere" || strings.Join(d[0].Outcome["trigger"], " ") != "nowhere" {
			t.Errorf("the ends are decided as %v and %v", d[1].Outcome, d[0].Outcome)
		}
		runs, err := client.All[client.Run](t.Context(), g.admin, "/runs", map[string][]string{"subject": {"stack:default/app"}})
		if err != nil || len(runs) != 2 {
			t.Errorf("app ran %d times, %v; want its own and the one that net triggered", len(runs), err)
		}
		g.wantNoted("stack:default/net", "stack.notice", 1)
		g.wantNoted("stack:default/net", "stack.trigger-failed", 1)
		if said := g.noted("stack:default/net", "stack.trigger-failed"); !strings.Contains(said, "policy:default/chain") || !strings.Contains(said, "there is no such stack in space default") {
			t.Errorf("of what was not started the ledger says %s", said)
		}
		g.saysSoon("net", "names stack nowhere, which could not be started")
	})
}

// TestWhoMaySignInIsAskedOfPolicies keeps tokens out of it.
func TestWhoMaySignInIsAskedOfPolicies(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		enter := func() error {
			link, err := client.Post[client.SignInLink](t.Context(), g.alice, "/signin-links", map[string]string{"user": "user:default/alice"})
			if err != nil {
				return err
			}
			return client.New(g.url, "").Do(t.Context(), "POST", "/session", nil, map[string]string{"code": link.Code}, nil)
		}
		if err := enter(); err != nil {
			t.Fatalf("without a policy: %v", err)
		}
		g.policy("doors", "login", "allow { input.session.member }\ndeny { input.session.teams[_] == \"crew\" }", "")
		if err := enter(); !fault.Is(err, fault.Denied) {
			t.Errorf("of a team that is denied: %v", err)
		}
		g.policy("doors", "login", "allow { input.session.teams[_] == \"crew\" }", "")
		if err := enter(); err != nil {
			t.Errorf("of a team that is allowed: %v", err)
		}
		g.policy("doors", "login", "allow { true }\ndeny { input.session.login == \"alice\"; input.session.name == \"alice\" }", "")
		if err := enter(); !fault.Is(err, fault.Denied) {
			t.Errorf("of a person who is denied by name: %v", err)
		}
		if len(g.decisions("login", atLeast(3))) != 3 {
			t.Error("a login was decided without a record, or twice")
		}
		if _, err := client.Get[client.List[client.Stack]](t.Context(), g.alice, "/stacks", nil); err != nil {
			t.Errorf("a token is no session: %v", err)
		}
	})
}

// TestAnInitializationPolicyKeepsARunFromBeginning says so to whoever starts it, and on the stack of a push.
func TestAnInitializationPolicyKeepsARunFromBeginning(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.stack("net", lightInfra, "")
		g.policy("frozen", "initialization", "deny[\"the year is over\"] { input.run.type == \"TRACKED\" }", "  attach: {stacks: [net]}\n")
		_, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "tracked"})
		if !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "the year is over") {
			t.Errorf("a tracked run: %v", err)
		}
		if _, err := client.Post[client.RunDetail](t.Context(), g.alice, "/stacks/default/net/runs", map[string]string{"type": "proposed"}); err != nil {
			t.Errorf("a preview: %v", err)
		}
	})
}
