package server

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestWhatAPushAsksFor goes from the options of git push to proposals and to pipelines that are not started.
func TestWhatAPushAsksFor(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		d.apply(onPush(`, branches: ["*"]`))
		dir := d.dir + "/alice/" + d.repo
		commit := func(branch, file string) string {
			d.do("alice", dir, "switch", "--quiet", "-C", branch, "main")
			write(t, dir+"/"+file, branch)
			write(t, dir+"/ci/pipeline.yaml", echo(branch))
			d.do("alice", dir, "add", "--all")
			d.do("alice", dir, "commit", "--quiet", "--message", "make "+branch)
			return d.do("alice", dir, "rev-parse", "HEAD")
		}

		skipped := commit("quiet", "quiet.txt")
		said := d.do("alice", dir, "push", "-o", "ci.skip", "origin", "quiet")
		if !strings.Contains(said, "/repositories/crew/shop/propose?source=quiet") {
			t.Errorf("alice was told\n%s", said)
		}
		if e := d.event(skipped); e.Outcome != "skipped" || !strings.Contains(e.Message, "ci.skip") || e.Run != "" {
			t.Errorf("a push with ci.skip did %+v", e)
		}

		head := commit("feature", "feature.txt")
		d.do("alice", dir, "push", "-o", "proposal.create", "-o", "proposal.title=A feature", "-o", "proposal.draft", "origin", "feature")
		d.opened(1)
		if p := d.get(1); p.Title != "A feature" || !p.Draft || p.Head != head || p.Author.Name != "alice" || p.Source != "feature" || p.Target != "main" {
			t.Errorf("the proposal is %+v", p)
		}

		// It is merged by itself, since nothing is in the way; the same push again opens no second one.
		commit("green", "green.txt")
		d.do("alice", dir, "push", "-o", "proposal.merge-when-green", "-o", "ci.skip", "origin", "green")
		d.opened(2)
		d.until(2, "it is merged when green", func(p client.ProposalDetail) bool { return p.State == "merged" })
		if p := d.get(2); p.Title != "make green" || p.Draft {
			t.Errorf("the proposal is %+v", p)
		}

		// What can't be opened opens nothing, and holds up nothing.
		commit("lost", "lost.txt")
		d.do("alice", dir, "push", "-o", "proposal.target=nowhere", "origin", "lost")
		commit("third", "third.txt")
		d.do("alice", dir, "push", "-o", "proposal.create", "origin", "third")
		d.opened(3)
		if p := d.get(3); p.Source != "third" {
			t.Errorf("the third proposal is %+v", p)
		}
		if _, err := client.Get[client.ProposalDetail](ctx, d.admin, d.at(4), nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("a fourth one: %v", err)
		}
	})
}

// opened waits for a proposal of a number.
func (d desk) opened(number int) {
	d.t.Helper()
	ctx, stop := context.WithTimeout(d.t.Context(), time.Minute)
	defer stop()
	err := eventually(ctx, func() (bool, error) {
		_, err := client.Get[client.ProposalDetail](ctx, d.admin, d.at(number), nil)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		d.t.Fatalf("proposal %d was not opened: %v", number, err)
	}
}

// TestATokenOfOneRepository clones and pushes with a token that is narrowed to one repository, there and nowhere else.
func TestATokenOfOneRepository(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		d.push("alice", "crew/other", map[string]string{"x": "1"})
		narrowed := func(scopes ...string) *client.Client {
			made, err := client.Post[client.NewToken](ctx, d.alice, "/tokens", map[string]any{"name": "ci", "scopes": scopes})
			if err != nil {
				t.Fatal(err)
			}
			return client.New(d.url, made.Secret)
		}
		both := narrowed("repository:read=crew/shop", "repository:write=crew/shop")
		dir := t.TempDir()
		must := func(who *client.Client, dir string, args ...string) {
			t.Helper()
			if _, err := d.git(ctx, who, dir, args...); err != nil {
				t.Error(err)
			}
		}
		refused := func(word string, who *client.Client, dir string, args ...string) {
			t.Helper()
			if _, err := d.git(ctx, who, dir, args...); err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("git %v: %v, want a refusal with %q", args, err, word)
			}
		}
		must(both, "", "clone", "--quiet", d.url+"/git/crew/shop.git", dir+"/shop")
		must(both, dir+"/shop", "commit", "--quiet", "--allow-empty", "--message", "more")
		must(both, dir+"/shop", "push", "--quiet", "origin", "HEAD:refs/heads/narrow")
		refused("not found", both, "", "clone", d.url+"/git/crew/other.git", dir+"/other")
		refused("not found", both, dir+"/shop", "push", d.url+"/git/crew/other.git", "HEAD:refs/heads/narrow")
		read := narrowed("repository:read=crew/shop")
		must(read, "", "clone", "--quiet", d.url+"/git/crew/shop.git", dir+"/read")
		refused("repository:write", read, dir+"/shop", "push", "origin", "HEAD:refs/heads/again")
		list, err := client.Get[client.List[client.Repository]](ctx, both, "/repositories", nil)
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "shop" {
			t.Errorf("it lists %+v, %v", list.Items, err)
		}
		for _, path := range []string{"/repositories/crew/other", "/repositories/crew/other/branches"} {
			if _, err := client.Get[map[string]any](ctx, both, path, nil); !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if err := both.Do(ctx, "DELETE", "/repositories/crew/shop", nil, nil, nil); !fault.Is(err, fault.Denied) {
			t.Errorf("it deletes: %v", err)
		}
		if _, err := client.Post[client.NewToken](ctx, both, "/tokens", map[string]any{"name": "more", "scopes": []string{"repository:write=crew/other"}}); !fault.Is(err, fault.Denied) {
			t.Errorf("it makes a wider token: %v", err)
		}
	})
}
