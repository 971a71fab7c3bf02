package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge"
	"github.com/roadbed-dev/roadbed/internal/machinery/forge/gitea/giteatest"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/page"
)

// TestAPullRequestIsPlannedAndTold has a real forge send its webhooks: a pull request is planned, one comment there tells of
// it whatever comes, commands of people whom a document names are carried out, and what a fork brings waits for a word.
func TestAPullRequestIsPlannedAndTold(t *testing.T) {
	t.Parallel()
	g := giteatest.Start(t)
	scopes := []string{"write:repository", "write:organization", "write:issue", "read:user"}
	tokens := map[string]string{}
	for _, name := range []string{"robot", "ann", "bea", "cyd"} {
		tokens[name] = g.Person(name, scopes...)
	}
	g.Organization(tokens["robot"], "acme", "developers", "ann", "bea", "cyd")
	eachHouse(t, func(t *testing.T, h *House, server *httptest.Server) {
		needs(t, h.engine.path())
		name := "infra-" + strings.ToLower(string(h.DB.Dialect()))
		g.Do(tokens["robot"], http.MethodPost, "/orgs/acme/repos", map[string]any{"name": name, "private": true, "default_branch": "main"})
		b := between{abroad: abroad{ground: newGround(t, h, server), forge: g, token: tokens["ann"], name: "acme/" + name}, tokens: tokens}
		b.desk = desk{b.ground, "crew/shop"}
		b.work = filepath.Join(b.dir, "work")
		b.git(t, "", "clone", "--quiet", b.address(), b.work)
		b.git(t, b.work, "switch", "--quiet", "--create", "main")
		main := b.pushThere(map[string]string{"infra/main.tf": lightInfra})
		b.connect(main)
		b.planned()
		b.forked()
		b.mergedThere()
		b.labeled()
	})
}

// connect makes the repository a stack's here, whose first run is applied, and has the forge send webhooks.
func (b between) connect(main string) {
	t, ctx := b.t, b.t.Context()
	b.apply(`{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: alice, annotations: {127.0.0.1/user-login: ann}}, spec: {memberOf: [crew]}}
---
{apiVersion: backstage.io/v1alpha1, kind: User, metadata: {name: bob, annotations: {127.0.0.1/user-login: bea}}, spec: {memberOf: [crew]}}`)
	b.secret(b.tokens["robot"])
	b.apply("{apiVersion: roadbed.dev/v1, kind: Integration, metadata: {name: forge}, spec: {forge: gitea, url: " + b.forge.URL + ", token: {secretRef: default/forge}, webhook: {secretRef: default/made}}}")
	if _, err := client.Post[client.Repository](ctx, b.admin, "/integrations/default/forge/repositories", map[string]string{"remote": b.name, "namespace": "crew", "name": "shop"}); err != nil {
		t.Fatal(err)
	}
	b.until("main is here", func(r client.Repository) bool { return r.Head == main })
	b.house.Hooks.Address = b.url
	if _, err := client.Post[client.RegisteredWebhook](ctx, b.admin, "/integrations/default/forge/webhook", map[string]string{"repository": b.name}); err != nil {
		t.Fatal(err)
	}
	// Who pushed before the repository was known here is nobody known, so that one person alone could confirm nothing.
	if err := b.admin.Do(ctx, "DELETE", "/entities/policy/default/four-eyes", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	b.apply(stackDocument("shop", ""))
	id := b.stackRun("shop", main)
	b.wantRun(b.rests(id), "unconfirmed", "1 to create")
	if _, err := b.act("bob", id, "confirm"); err != nil {
		t.Fatal(err)
	}
	b.wantRun(until(t, b.admin, id, ended), "finished", "applied")
}

func (b between) at() forge.Forge {
	b.t.Helper()
	f, err := b.house.Integrations.Forge(b.t.Context(), "default/forge")
	if err != nil {
		b.t.Fatal(err)
	}
	return f
}

// toldThere waits until the platform's one comment at the forge has some words, and gives it.
func (b between) toldThere(number int, words ...string) forge.Comment {
	b.t.Helper()
	f := b.at()
	ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
	defer stop()
	var said []forge.Comment
	err := eventually(ctx, func() (bool, error) {
		all, err := f.ListComments(ctx, b.name, number, page.Request{Limit: 100})
		said = slices.DeleteFunc(all.Items, func(c forge.Comment) bool { return c.Author.Login != "robot" })
		return len(said) == 1 && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(said[0].Body, w) }), err
	})
	if err != nil {
		b.t.Fatalf("wanted one comment with %q: %v; there are %d: %+v", words, err, len(said), said)
	}
	return said[0]
}

// checkThere waits for what the forge shows of a commit.
func (b between) checkThere(commit, state, description string) {
	b.t.Helper()
	f := b.at()
	ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
	defer stop()
	var all []forge.Check
	err := eventually(ctx, func() (found bool, err error) {
		all, err = f.ListChecks(ctx, b.name, commit)
		return slices.ContainsFunc(all, func(c forge.Check) bool {
			return c.Name == "roadbed/Preview of shop" && c.State == state && strings.HasPrefix(c.Description, description) && c.URL != ""
		}), err
	})
	if err != nil {
		b.t.Fatalf("wanted a check %s: %s, %v; there are %+v", state, description, err, all)
	}
}

func (b between) sayThere(who string, number int, body string) {
	b.t.Helper()
	b.there(who, http.MethodPost, fmt.Sprintf("/issues/%d/comments", number), map[string]any{"body": body})
}

// answeredThere waits until all that was asked of a proposal there is answered.
func (b between) answeredThere(number, want int) {
	b.t.Helper()
	err := within(b.t, func() (bool, error) {
		said, err := client.All[client.ProposalComment](b.t.Context(), b.admin, b.desk.at(number, "comments"), nil)
		given, waits := 0, false
		for _, c := range said {
			for _, k := range c.Commands {
				given, waits = given+1, waits || k.State == "passed" || k.State == "waiting"
			}
		}
		return given >= want && !waits, err
	})
	if err != nil {
		b.t.Fatalf("what was asked is not answered: %v", err)
	}
}

// planned follows a pull request of the repository's own.
func (b between) planned() {
	t := b.t
	head := b.change("idea", added("second"))
	b.there("ann", http.MethodPost, "/pulls", map[string]any{"title": "An idea", "head": "idea", "base": "main"})
	first := b.toldThere(1, "`default/shop`", "[planned](", "<details><summary>default/shop: 1 to create</summary>", "terraform_data.second")
	b.checkThere(head, forge.CheckPassed, "1 to create")

	head = b.change("idea", added("third"))
	now := b.toldThere(1, head[:8], "terraform_data.third")
	if now.ID != first.ID || strings.Contains(now.Body, "terraform_data.second") {
		t.Errorf("a push is told as %+v", now)
	}
	b.checkThere(head, forge.CheckPassed, "1 to create")

	// An answer of the forge that was lost leads to no second comment.
	err := b.house.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(t.Context(), "DELETE FROM proposal_voices")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	before := b.desk.stacks("admin", 1)[0].Run
	b.sayThere("bea", 1, "Again, please.\n\n/roadbed plan")
	now = b.toldThere(1, "**What was asked**", "`roadbed plan`: `default/shop: run run_")
	again := b.desk.stacks("admin", 1)[0].Run
	if again == before || now.ID != first.ID {
		t.Errorf("after the word it is run %s, told in %+v", again, now)
	}
	for range 2 {
		b.sayThere("cyd", 1, "atlantis plan")
	}
	now = b.toldThere(1, "`cyd` commands nothing")
	if strings.Count(now.Body, "cyd") != 1 || b.desk.stacks("admin", 1)[0].Run != again {
		t.Errorf("a stranger is told %s", now.Body)
	}
	b.sayThere("bea", 1, "/roadbed apply")
	b.toldThere(1, "`roadbed apply`: not done: ", "so merge it first")
}

// forked follows one of a fork.
func (b between) forked() {
	t := b.t
	b.there("cyd", http.MethodPost, "/forks", map[string]any{})
	_, short, _ := strings.Cut(b.name, "/")
	fork := filepath.Join(b.dir, "fork")
	b.git(t, "", "clone", "--quiet", strings.Replace(b.forge.URL, "://", "://cyd:"+b.tokens["cyd"]+"@", 1)+"/cyd/"+short+".git", fork)
	for path, content := range added("theirs") {
		write(t, filepath.Join(fork, path), content)
	}
	b.git(t, fork, "add", "--all")
	b.git(t, fork, "commit", "--quiet", "--message", "theirs")
	b.git(t, fork, "push", "--quiet", "origin", "HEAD:patch")
	head := b.git(t, fork, "rev-parse", "HEAD")
	b.there("cyd", http.MethodPost, "/pulls", map[string]any{"title": "From a fork", "head": "cyd:patch", "base": "main"})
	b.toldThere(2, "not planned", "it comes from a fork")
	b.checkThere(head, forge.CheckFailed, "not planned, since it comes from a fork")
	if runs := b.runsAt("shop", head); len(runs) != 0 {
		t.Errorf("what a fork brings is planned: %+v", runs)
	}
	// A word of the second in which the head became known may be older than that.
	for said := 1; b.desk.stacks("admin", 2)[0].Run == ""; said++ {
		b.sayThere("bea", 2, "/roadbed plan -stack shop")
		b.answeredThere(2, said)
	}
	b.toldThere(2, "terraform_data.theirs", "`roadbed plan -stack shop`: `default/shop: run run_")
	b.checkThere(head, forge.CheckPassed, "1 to create")
}

// mergedThere has the forge merge the first, whose run is confirmed by a comment.
func (b between) mergedThere() {
	t := b.t
	b.there("ann", http.MethodPost, "/pulls/1/merge", map[string]any{"Do": "merge"})
	b.toldThere(1, "waits for somebody to confirm it")
	b.sayThere("bea", 1, "/roadbed apply")
	b.toldThere(1, "[applied](", "`roadbed apply`: `default/shop: confirmed run run_")
	if s := b.stackNow("shop"); s.State == nil || s.State.Resources != 2 {
		t.Errorf("the stack is %+v", s)
	}
}

// labeled has a push policy decide by the labels of a pull request, as soon as it has them.
func (b between) labeled() {
	t := b.t
	b.policy("labels", "push", `
propose { input.pull_request.labels[_] == "deploy" }
message[sprintf("%s of %d", [input.pull_request.action, count(input.pull_request.labels)])] { not is_null(input.pull_request) }`, "")
	head := b.change("later", added("fourth"))
	pull := b.there("ann", http.MethodPost, "/pulls", map[string]any{"title": "Later", "head": "later", "base": "main"})
	comesTrue(t, func() bool { return b.stackNow("shop").Message == "opened of 0" }, "the policy is asked when it is opened")
	if runs := b.runsAt("shop", head); len(runs) != 0 {
		t.Errorf("without its label it is planned: %+v", runs)
	}
	label := b.there("ann", http.MethodPost, "/labels", map[string]any{"name": "deploy", "color": "#00ff00"})
	b.there("ann", http.MethodPost, fmt.Sprintf("/issues/%v/labels", pull["number"]), map[string]any{"labels": []any{label["id"]}})
	comesTrue(t, func() bool { return b.stackNow("shop").Message == "labeled of 1" }, "the policy is asked when it has a label")
	b.checkThere(head, forge.CheckPassed, "1 to create")
}
