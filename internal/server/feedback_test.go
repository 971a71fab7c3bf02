package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// voices gives what the platform says in the talk of a proposal.
func (d desk) voices(number int) (all []client.ProposalComment) {
	d.t.Helper()
	said, err := client.All[client.ProposalComment](d.t.Context(), d.admin, d.at(number, "comments"), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, c := range said {
		if strings.Contains(c.Body, "to the infrastructure") {
			all = append(all, c)
		}
	}
	return all
}

// told waits until the platform's one comment has some words.
func (d desk) told(number int, words ...string) client.ProposalComment {
	d.t.Helper()
	var all []client.ProposalComment
	err := within(d.t, func() (bool, error) {
		all = d.voices(number)
		return len(all) == 1 && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all[0].Body, w) }), nil
	})
	if err != nil {
		d.t.Fatalf("%d comments, wanted one with %q: %+v", len(all), words, all)
	}
	return all[0]
}

// stacks gives what a proposal does to stacks, as somebody sees it.
func (d desk) stacks(who string, number int) []client.ProposalStack {
	d.t.Helper()
	all, err := client.All[client.ProposalStack](d.t.Context(), d.as[who], d.at(number, "stacks"), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// commands says something and waits for what becomes of it.
func (d desk) commands(who string, number int, text string) string {
	d.t.Helper()
	c := d.say(who, number, map[string]any{"body": text})
	var out []string
	err := within(d.t, func() (bool, error) {
		out = nil
		for _, k := range d.said(number, c.ID).Commands {
			if k.State == "waiting" || k.State == "passed" {
				return false, nil
			}
			out = append(out, k.State+": "+k.Answer)
		}
		return true, nil
	})
	if err != nil {
		d.t.Fatalf("%s: %v, %v", text, out, err)
	}
	return strings.Join(out, "\n")
}

func added(name string) map[string]string {
	return map[string]string{"infra/main.tf": lightInfra + fmt.Sprintf("resource \"terraform_data\" %q {\n  input = \"x\"\n}\n", name)}
}

// built is a stack whose first run was applied, of a repository with proposals.
func (g *ground) built(name string) desk {
	g.t.Helper()
	id := g.stack(name, lightInfra, "")
	g.wantRun(g.rests(id), "unconfirmed", "1 to create")
	if _, err := g.act("bob", id, "confirm"); err != nil {
		g.t.Fatal(err)
	}
	g.wantRun(until(g.t, g.admin, id, ended), "finished", "applied")
	return desk{g, "crew/" + name}
}

// TestAProposalIsPlannedAndTold goes from a proposal over its plan, the one comment of it and commands to what its merge
// applies.
func TestAProposalIsPlannedAndTold(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		d := g.built("net")
		g.policy("sizes", "plan", `
warn[sprintf("adds <%d> of @everyone's", [n])] { n := count([r | r := input.terraform.resource_changes[_]; r.change.actions[_] == "create"]); n > 0 }`, "")
		p := d.propose("alice", "idea", added("second"))
		first := d.told(p.Number, "`default/net`", "[pending_review](", "1 to create", "+ create  terraform_data.second", "policy `default/sizes` **warns**: `adds <1> of @everyone's`")
		if first.Author.ID != "system" || strings.Contains(first.Body, "<details>") || !strings.Contains(first.Body, p.Head[:8]) {
			t.Errorf("the comment is %+v", first)
		}
		all := d.stacks("rita", p.Number)
		if len(all) != 1 || all[0].Stack != "stack:default/net" || all[0].Commit != p.Head || all[0].State != "pending_review" || all[0].Summary == nil || all[0].Summary.Create != 1 || all[0].Applied {
			t.Fatalf("it does %+v", all)
		}
		for _, who := range []string{"bob", "admin"} { // a policy warns of it; whose the commits of a side branch are is not known
			if r, err := g.act(who, all[0].Run, "approve"); err != nil {
				t.Fatal(err)
			} else if r.Terminal {
				break
			}
		}
		run := until(t, g.admin, all[0].Run, ended)
		g.wantRun(run, "finished", "")
		g.policy("sizes", "plan", `
warn["never"] { false }`, "")
		if !strings.Contains(string(run.Input), `"proposal":"crew/net#`) || run.Title != "Preview of net" || run.Actor.Name != "alice" {
			t.Errorf("its run is %+v with %s", run.Run, run.Input)
		}
		d.until(p.Number, "the check of the run", func(p client.ProposalDetail) bool {
			return slices.ContainsFunc(p.Checks, func(c client.ProposalCheck) bool {
				return c.Name == "Preview of net" && c.State == "passed" && c.Description == "approved" && c.Run == run.ID
			})
		})
		d.pushedAgain(p.Number, first.ID)
		d.besideIt()
		d.commandedBy(p.Number)
		d.itsMerge(p.Number)
	})
}

// pushedAgain has newer heads take the place of older ones, in the same comment.
func (d desk) pushedAgain(number int, comment string) {
	d.t.Helper()
	d.branch("alice", "idea", added("third"))
	head := d.branch("alice", "idea", added("fourth"))
	now := d.told(number, head[:8], "terraform_data.fourth")
	if now.ID != comment || strings.Contains(now.Body, "terraform_data.second") {
		d.t.Errorf("it is told anew: %+v", now)
	}
	var runs []client.Run
	err := within(d.t, func() (bool, error) {
		var err error
		runs, err = client.All[client.Run](d.t.Context(), d.admin, "/runs", map[string][]string{"subject": {"stack:default/net"}})
		return !slices.ContainsFunc(runs, func(r client.Run) bool { return !r.Terminal || r.Source.Commit == head && r.State != "finished" }), err
	})
	if err != nil {
		d.t.Errorf("its runs are %+v, %v", runs, err)
	}
}

// besideIt changes nothing of the stack's.
func (d desk) besideIt() {
	d.t.Helper()
	p := d.propose("bob", "words", map[string]string{"README.md": "words"})
	if got := d.commands("alice", p.Number, "/roadbed plan"); !strings.HasPrefix(got, "refused: no such stack follows main of crew/net") {
		d.t.Errorf("a plan of nothing: %s", got)
	}
	if all := d.stacks("admin", p.Number); len(all) != 0 || len(d.voices(p.Number)) != 0 {
		d.t.Errorf("it does %+v, %+v", all, d.voices(p.Number))
	}
	if got := d.commands("alice", p.Number, "/roadbed plan -stack net"); !strings.HasPrefix(got, "done: default/net: run run_") {
		d.t.Errorf("a plan of it by name: %s", got)
	}
	d.told(p.Number, "nothing to change")
}

// commandedBy has comments command as who says it.
func (d desk) commandedBy(number int) {
	d.t.Helper()
	before := d.stacks("admin", number)[0].Run
	if got := d.commands("rita", number, "/roadbed plan"); !strings.HasPrefix(got, "refused: default/net: ") {
		d.t.Errorf("rita plans: %s", got)
	}
	if now := d.stacks("admin", number)[0].Run; now != before {
		d.t.Errorf("rita's is run %s", now)
	}
	got := d.commands("bob", number, "Once more:\n\natlantis plan -p net")
	if now := d.stacks("admin", number)[0]; got != "done: default/net: run "+now.Run || now.Run == before {
		d.t.Errorf("bob plans: %s, it is %+v", got, now)
	}
	for text, want := range map[string]string{
		"/roadbed apply":               "refused: it is open: what changes infrastructure is on main, so merge it first; then /roadbed apply is for the run of its merge",
		"/roadbed help":                "done: plan|apply|discard|cancel|help [-stack NAME]: plan: ",
		"/roadbed destroy":             `refused: "destroy" is unknown; say plan|apply`,
		"/spacelift propose -- -lock":  `refused: "--" is unknown; only -stack NAME can be said`,
		"/roadbed plan -stack nowhere": "refused: no such stack follows",
	} {
		if got := d.commands("bob", number, text); !strings.HasPrefix(got, want) {
			d.t.Errorf("%s: %s", text, got)
		}
	}
	until(d.t, d.admin, d.stacks("admin", number)[0].Run, ended)
	if got := d.commands("bob", number, "/roadbed cancel"); got != "refused: no plan of it is under way" {
		d.t.Errorf("cancel: %s", got)
	}
}

// itsMerge applies what it brings, by a comment of who may.
func (d desk) itsMerge(number int) {
	d.t.Helper()
	if _, err := d.merge("alice", number, map[string]any{"way": "squash"}); err != nil {
		d.t.Fatal(err)
	}
	d.told(number, "waits for somebody to confirm it", "What this did")
	if got := d.commands("alice", number, "/roadbed apply"); !strings.HasPrefix(got, "refused: default/net: ") {
		d.t.Errorf("alice applies her own: %s", got)
	}
	if got := d.commands("bob", number, "/roadbed apply"); !strings.HasPrefix(got, "done: default/net: confirmed run run_") {
		d.t.Errorf("bob applies: %s", got)
	}
	d.told(number, "[applied](")
	if all := d.stacks("admin", number); len(all) != 1 || !all[0].Applied || all[0].State != "finished" || all[0].Commit != d.get(number).MergeCommit {
		d.t.Errorf("it did %+v", all)
	}
	if got := d.commands("bob", number, "/roadbed plan"); got != "refused: it is merged; there is nothing to plan of it any more" {
		d.t.Errorf("a plan of what is merged: %s", got)
	}
	if _, err := client.Get[client.List[client.ProposalStack]](d.t.Context(), d.as["mallory"], d.at(number, "stacks"), nil); !fault.Is(err, fault.NotFound) {
		d.t.Errorf("mallory sees what it does: %v", err)
	}
}

// TestPoliciesSayWhatAProposalIsTold has push policies leave a proposal out, with a word and without, and notification
// policies say something of it, in the same comment.
func TestPoliciesSayWhatAProposalIsTold(t *testing.T) {
	eachGround(t, true, func(t *testing.T, g *ground) {
		g.push("alice", "crew/net", map[string]string{"infra/main.tf": lightInfra})
		g.apply(stackDocument("net", "  labels: [urgent]\n"))
		d := desk{g, "crew/net"}
		g.policy("pushes", "push", `
propose { input.pull_request.draft == false; not left_out; not bad }
bad { startswith(input.pull_request.title, "bad") }
left_out { startswith(input.pull_request.title, "wip") }
ignore { left_out }
notify { left_out }
message["it is not ready"] { left_out }
fail { bad }
message["such titles are bad"] { bad }`, "  labels: ['autoattach:urgent']\n")
		g.policy("tell", "notification", `
pull_request[{"body": sprintf("Run of %s: see the handbook.\n/close", [input.run_updated.stack.id])}] { input.run_updated.run.state == "FINISHED" }`, "")
		open := func(branch, title string) client.ProposalDetail {
			t.Helper()
			d.branch("alice", branch, added(branch))
			p, err := client.Post[client.ProposalDetail](t.Context(), g.alice, d.at(), map[string]any{"source": branch, "title": title})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		check := func(p client.ProposalDetail, state, description string) {
			t.Helper()
			d.until(p.Number, "a check "+state+": "+description, func(p client.ProposalDetail) bool {
				return slices.ContainsFunc(p.Checks, func(c client.ProposalCheck) bool {
					return c.Name == "Preview of net" && c.State == state && c.Description == description
				})
			})
		}
		quiet := open("one", "wip: one")
		check(quiet, "passed", "it is not ready")
		if runs := g.runsAt("net", quiet.Head); len(runs) != 0 || len(d.voices(quiet.Number)) != 0 {
			t.Errorf("left out, it has %+v", runs)
		}
		loud := open("two", "two")
		told := d.told(loud.Number, "2 to create", "Run of net: see the handbook.")
		if len(told.Commands) != 0 || d.get(loud.Number).State != "open" {
			t.Errorf("a policy commands: %+v", told)
		}
		check(open("three", "bad: three"), "failed", "such titles are bad")
		// Closed, what is under way of it ends, and it stays told.
		if err := g.alice.Do(t.Context(), "POST", d.at(loud.Number, "close"), nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		err := within(t, func() (bool, error) {
			runs, err := client.All[client.Run](t.Context(), g.admin, "/runs", map[string][]string{"subject": {"stack:default/net"}, "open": {"true"}})
			return !slices.ContainsFunc(runs, func(r client.Run) bool { return r.Source.Commit == loud.Head }), err
		})
		if err != nil || len(d.voices(loud.Number)) != 1 {
			t.Errorf("closed, runs are under way: %v", err)
		}
	})
}
