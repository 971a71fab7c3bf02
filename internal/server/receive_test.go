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
