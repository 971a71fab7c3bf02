package server

import (
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/machinery/git"
	"github.com/roadbed-dev/roadbed/internal/machinery/queue"
	"github.com/roadbed-dev/roadbed/internal/machinery/store"
	"github.com/roadbed-dev/roadbed/internal/words/actor"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// TestProposalsOfOddBranches has two histories without a common commit, very many commits, contents of all kinds, and
// names that are no text.
func TestProposalsOfOddBranches(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		dir := d.dir + "/alice/crew/shop"
		propose := func(branch string) client.ProposalDetail {
			t.Helper()
			d.do("alice", dir, "push", "--quiet", "origin", branch)
			p, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), map[string]any{"source": branch})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		diff := func(number int) client.Diff {
			t.Helper()
			out, err := client.Get[client.Diff](ctx, d.alice, d.at(number, "diff"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		d.do("alice", dir, "switch", "--quiet", "--create", "same")
		d.do("alice", dir, "push", "--quiet", "origin", "same")
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), map[string]any{"source": "same"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("two equal branches: %v", err)
		}

		d.do("alice", dir, "switch", "--quiet", "--orphan", "alien")
		write(t, dir+"/alien.txt", "from elsewhere\n")
		d.do("alice", dir, "add", "--all")
		d.do("alice", dir, "commit", "--quiet", "--message", "alien")
		alien := propose("alien")
		if got := kinds(alien); len(got) != 1 || got[0] != "conflicts" || !strings.Contains(alien.Blockers[0].Message, "no commit in common") {
			t.Errorf("aliens are blocked by %+v", alien.Blockers)
		}
		if got := diff(alien.Number); len(got.Files) != 1 || got.Files[0].Status != "added" {
			t.Errorf("aliens change %+v", got.Files)
		}
		if _, err := client.Post[client.ProposalComment](ctx, d.alice, d.at(alien.Number, "comments"), map[string]any{"body": "x", "path": "a.txt", "line": 1, "old": true}); !fault.Is(err, fault.Invalid) {
			t.Errorf("an old line of aliens: %v", err)
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(alien.Number, "update"), map[string]any{"way": "merge"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("aliens are updated: %v", err)
		}
		list, err := client.All[client.Commit](ctx, d.alice, d.at(alien.Number, "commits"), nil)
		if err != nil || len(list) != 1 {
			t.Errorf("aliens bring %+v, %v", list, err)
		}

		// Very many commits come in parts, and are too many to be repeated.
		d.do("alice", dir, "switch", "--quiet", "main")
		var script strings.Builder
		for i := range 600 {
			fmt.Fprintf(&script, "commit refs/heads/many\ncommitter Alice <a@b> %d +0000\ndata 1\nc\n", 1_700_000_000+i)
			if i == 0 {
				fmt.Fprintf(&script, "from refs/heads/main\n")
			}
			fmt.Fprintf(&script, "M 100644 inline many.txt\ndata %d\n%d\n", len(fmt.Sprint(i)), i)
		}
		load := exec.CommandContext(ctx, "git", "fast-import", "--quiet")
		load.Dir, load.Stdin = dir, strings.NewReader(script.String())
		if out, err := load.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		many := propose("many")
		part, err := client.Get[client.List[client.Commit]](ctx, d.alice, d.at(many.Number, "commits"), url.Values{"limit": {"100"}})
		if err != nil || many.Ahead != 600 || len(part.Items) != 100 || part.Next == "" {
			t.Errorf("%d commits, of which %d come first: %v", many.Ahead, len(part.Items), err)
		}

		// Contents of all kinds.
		d.do("alice", dir, "switch", "--quiet", "--create", "kinds", "main")
		write(t, dir+"/latin.txt", "gr\xfc\xdfe\n")
		write(t, dir+"/a\xff.txt", "x\n")
		write(t, dir+"/bin", "a\x00b")
		d.do("alice", dir, "add", "--all")
		d.do("alice", dir, "update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
		d.do("alice", dir, "update-index", "--chmod=+x", "a.txt")
		d.do("alice", dir, "commit", "--quiet", "--message", "kinds")
		odd := propose("kinds")
		if got := diff(odd.Number); len(got.Files) != 5 {
			t.Errorf("kinds are %+v", got.Files)
		}
		for _, c := range []struct{ path, quote string }{{"latin.txt", "gr\uFFFDe\n"}, {"module", ""}, {"a.txt", "one\n"}} {
			said := d.say("alice", odd.Number, map[string]any{"body": "```suggestion\nx\n```", "path": c.path, "line": 1})
			if said.Quote != c.quote {
				t.Errorf("%s is quoted as %q", c.path, said.Quote)
			}
			_, err := d.suggested("alice", odd.Number, map[string]any{"comments": []string{said.ID}})
			if c.path == "module" && !fault.Is(err, fault.Invalid) || c.path != "module" && err != nil {
				t.Errorf("a suggestion for %s: %v", c.path, err)
			}
		}
		d.do("alice", dir, "fetch", "--quiet", "origin")
		if mode := d.do("alice", dir, "ls-tree", "origin/kinds", "a.txt"); !strings.HasPrefix(mode, "100755") {
			t.Errorf("a suggestion made %s", mode)
		}
	})
}

// TestProposalsOfARepositoryThatChanges has a repository renamed, archived, and its target deleted, with an open proposal.
func TestProposalsOfARepositoryThatChanges(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		dir := d.dir + "/alice/crew/shop"
		p := d.propose("alice", "feature", map[string]string{"b.txt": "b\n"})
		d.do("alice", dir, "push", "--quiet", "origin", "main:release")
		into, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(), map[string]any{"source": "feature", "target": "release"})
		if err != nil {
			t.Fatal(err)
		}
		change := func(what map[string]any) {
			t.Helper()
			if err := d.admin.Do(ctx, "PATCH", "/repositories/"+d.repo, nil, what, nil); err != nil {
				t.Fatal(err)
			}
		}
		change(map[string]any{"name": "crew/store"})
		d.repo = "crew/store"
		if now := d.get(p.Number); now.Full != "crew/store#1" || now.State != "open" {
			t.Errorf("renamed it is %+v", now)
		}
		d.do("alice", dir, "remote", "set-url", "origin", d.url+"/git/crew/store.git")
		write(t, dir+"/b.txt", "bee\n")
		d.do("alice", dir, "commit", "--quiet", "--all", "--message", "more")
		d.do("alice", dir, "push", "--quiet", "origin", "feature")
		head := d.do("alice", dir, "rev-parse", "HEAD")
		d.until(p.Number, "the push shows", func(now client.ProposalDetail) bool { return now.Head == head })
		d.do("alice", dir, "push", "--quiet", "origin", "--delete", "release")
		d.until(into.Number, "its target is gone", func(now client.ProposalDetail) bool { return now.State == "closed" })

		change(map[string]any{"archived": true})
		for what, try := range map[string]func() error{
			"comment": func() error {
				_, err := client.Post[client.ProposalComment](ctx, d.alice, d.at(p.Number, "comments"), map[string]any{"body": "x"})
				return err
			},
			"review": func() error { return d.review("bob", p.Number, "approved", nil) },
			"close": func() error {
				_, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(p.Number, "close"), nil)
				return err
			},
			"merge": func() error { _, err := d.merge("alice", p.Number, map[string]any{}); return err },
		} {
			if err := try(); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s what is archived: %v", what, err)
			}
		}
		if now := d.get(p.Number); now.State != "open" {
			t.Errorf("archived it is %s", now.State)
		}
		change(map[string]any{"archived": false})
		if now, err := d.merge("alice", p.Number, map[string]any{"way": "rebase"}); err != nil || now.State != "merged" {
			t.Errorf("out of the archive: %+v, %v", now, err)
		}
	})
}

// TestWhatACrashLeavesIsFound has the server end between a merge and its record, and between what a command did and its
// record: nothing is done twice, and all of it is told as what it was.
func TestWhatACrashLeavesIsFound(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		dir := d.dir + "/alice/crew/shop"
		p := d.propose("alice", "feature", map[string]string{"b.txt": "b\n"})
		d.do("alice", dir, "switch", "--quiet", "main")
		d.push("alice", "crew/shop", map[string]string{"c.txt": "c\n"}) // the rebase makes another commit
		p = d.until(p.Number, "main went on", func(p client.ProposalDetail) bool { return p.Behind == 1 })
		bob, err := d.house.Identity.Authenticate(ctx, d.bob.Token)
		if err != nil {
			t.Fatal(err)
		}
		commit, err := d.house.Repositories.Platform().Merge(actor.AsSystem(ctx), "crew/shop", git.MergeRequest{
			Way: git.MergeRebase, Branch: "main", Target: p.Base, Source: p.Head, Author: git.Signature{Name: "bob", When: time.Now()},
			Ready: func(commit string) error { // as the room announces it
				return d.house.DB.Write(ctx, func(tx *store.Tx) error {
					_, err := tx.Exec(ctx, "UPDATE proposals SET merge_commit = $2, merge_way = 'rebase', merged_by = $3 WHERE id = $1", p.ID, commit, bob.ID)
					return err
				})
			},
		})
		if err != nil || commit == p.Head {
			t.Fatal(commit, err)
		}
		now := d.until(p.Number, "it is merged", func(p client.ProposalDetail) bool { return p.State == "merged" })
		if now.MergeCommit != commit || now.MergeWay != "rebase" || now.MergedBy == nil || now.MergedBy.Name != "bob" {
			t.Errorf("it was merged as %+v", now)
		}

		second := d.propose("alice", "second", map[string]string{"d.txt": "d\n"})
		comment := d.say("bob", second.Number, map[string]any{"body": "/merge squash"})
		d.answered(second.Number, comment)
		merged := d.get(second.Number)
		err = d.house.DB.Write(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE proposal_commands SET state = 'waiting', answer = '' WHERE comment = $1", comment.ID); err != nil {
				return err
			}
			return d.house.Queue.Insert(ctx, tx, "proposal.obey", map[string]string{"comment": comment.ID}, queue.InsertOptions{})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.answered(second.Number, comment); len(got) != 1 || got[0] != "merge done: it is merged as "+merged.MergeCommit[:8] {
			t.Errorf("carried out again it says %q", got)
		}
		if again := d.get(second.Number); again.MergeCommit != merged.MergeCommit || again.Version != merged.Version {
			t.Errorf("it was merged twice: %+v", again)
		}
	})
}
