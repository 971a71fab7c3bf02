package server

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// answered gives what became of a comment's commands, once all of them were carried out.
func (d desk) answered(number int, c client.ProposalComment) (out []string) {
	d.t.Helper()
	err := within(d.t, func() (bool, error) {
		out = nil
		for _, k := range d.said(number, c.ID).Commands {
			if k.State == "waiting" {
				return false, nil
			}
			out = append(out, k.Name+" "+k.State+": "+k.Answer)
		}
		return true, nil
	})
	if err != nil {
		d.t.Fatalf("%s: %v, %v", c.Body, out, err)
	}
	return out
}

// TestCommentsCommand carries out what comments command, as who says it and not twice.
func TestCommentsCommand(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		p := d.propose("alice", "feature", map[string]string{"b.txt": "b\n"})
		for _, c := range []struct {
			who, text string
			want      []string
		}{
			{"bob", "Fine by me.\n\n/approve\n/assign", []string{"approve done: approved " + p.Head[:8], "assign done: bob looks after it"}},
			{"alice", "/approve", []string{"approve refused: you opened it yourself; ask somebody else to look at it"}},
			{"rita", "/merge", []string{"merge refused"}},
			{"rita", "/help", nil},
			{"alice", "> /close\n\n```\n/close\n```\n    /close\n`/close`\n<!--\n/close\n-->\n /close", nil},
			{"alice", "/usr/bin is where\n/usr is not", nil},
			{"alice", "/nonsense", []string{"nonsense refused: there is no command /nonsense; /help says which there are"}},
			{"alice", "/title  Another name ", []string{"title done: done"}},
			{"alice", "/draft\n/ready", []string{"draft done: it is a draft", "ready done: it is ready"}},
			{"alice", "/assign @alice, user:default/rita\n/unassign @bob", []string{"assign done: bob, alice, rita look after it", "unassign done: alice, rita look after it"}},
			{"alice", "/assign @nobody", []string{"assign refused: there is no user @nobody"}},
			{"alice", "/retry", []string{"retry refused: no check that a run says has failed"}},
			{"alice", "/close\n/reopen", []string{"close done: closed", "reopen done: open again"}},
			{"alice", "/auto-merge octopus", []string{`auto-merge refused: "octopus" is no way to merge; choose merge, squash or rebase`}},
		} {
			comment := d.say(c.who, p.Number, map[string]any{"body": c.text})
			got := d.answered(p.Number, comment)
			if c.text == "/help" {
				if len(got) != 1 || !strings.Contains(got[0], "/merge [squash|rebase|merge]: merge it") {
					t.Errorf("help is %q", got)
				}
				continue
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if c.who == "rita" && len(got) == 1 { // in the words of the rights
				got[0], _, _ = strings.Cut(got[0], ":")
			}
			if strings.Contains(c.text, "/assign @alice") { // the order of ids is that of their making
				got, want = []string{got[1]}, []string{want[1]}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q\n got %q\nwant %q", c.who, c.text, got, want)
			}
		}
		now := d.get(p.Number)
		if now.Title != "Another name" || now.State != "open" || now.Draft || len(now.Assignees) != 2 || len(now.Reviews) != 1 {
			t.Errorf("it is %+v", now)
		}
		// A token that may only read does not write by words.
		narrow, err := client.Post[client.NewToken](ctx, d.as["bob"], "/tokens", map[string]any{"name": "narrow", "scopes": []string{"repository:read"}})
		if err != nil {
			t.Fatal(err)
		}
		d.as["narrow"] = client.New(d.url, narrow.Secret)
		if got := d.answered(p.Number, d.say("narrow", p.Number, map[string]any{"body": "/close"})); len(got) != 1 || !strings.HasPrefix(got[0], "close refused") {
			t.Errorf("with a narrow token: %q", got)
		}
		// Words in a talk about a line command, too; and merging twice is merging once.
		comment := d.say("bob", p.Number, map[string]any{"body": "/merge squash\n/merge", "path": "b.txt", "line": 1})
		got := d.answered(p.Number, comment)
		merged := d.get(p.Number)
		if len(got) != 2 || got[0] != "merge done: merged as "+merged.MergeCommit[:8] || got[1] != "merge done: it is merged as "+merged.MergeCommit[:8] || merged.MergedBy.Name != "bob" || merged.MergeWay != "squash" {
			t.Errorf("it was %q: %+v", got, merged)
		}
		// A comment that is changed commands nothing more.
		edited := d.say("alice", p.Number, map[string]any{"body": "words"})
		if err := d.alice.Do(ctx, "PATCH", d.at(p.Number, "comments", edited.ID), nil, map[string]string{"body": "/title no"}, nil); err != nil {
			t.Fatal(err)
		}
		if c := d.said(p.Number, edited.ID); len(c.Commands) != 0 {
			t.Errorf("changed, it commands %+v", c.Commands)
		}
		var told []string
		err = within(t, func() (bool, error) {
			told = nil
			all, err := client.All[client.Entry](ctx, d.admin, "/ledger", url.Values{"type": {"proposal.commanded"}})
			for _, e := range all {
				told = append(told, e.Actor.Name+string(e.Data))
			}
			return len(told) == 19, err
		})
		if err != nil || !slices.ContainsFunc(told, func(e string) bool {
			return strings.HasPrefix(e, "alice") && strings.Contains(e, `"name":"assign"`) && strings.Contains(e, `"arguments":"@nobody"`)
		}) {
			t.Errorf("the ledger tells %q, %v", told, err)
		}
	})
}

// TestABranchIsUpdatedAndAMergeReverted brings the target into the source in both ways, and takes merges of each way back.
func TestABranchIsUpdatedAndAMergeReverted(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		dir := d.dir + "/alice/crew/shop"
		update := func(number int, way string) (client.ProposalDetail, error) {
			return client.Post[client.ProposalDetail](ctx, d.alice, d.at(number, "update"), map[string]any{"way": way})
		}
		main := func(files map[string]string) {
			t.Helper()
			d.do("alice", dir, "switch", "--quiet", "main")
			d.do("alice", dir, "pull", "--quiet", "origin", "main")
			d.push("alice", "crew/shop", files)
		}
		one := d.propose("alice", "one", map[string]string{"one.txt": "1\n"})
		two := d.propose("alice", "two", map[string]string{"two.txt": "2\n"})
		clash := d.propose("alice", "clash", map[string]string{"a.txt": "uno\ntwo\nthree\n"})
		main(map[string]string{"a.txt": "ein\ntwo\nthree\n"})
		for _, n := range []int{one.Number, two.Number, clash.Number} {
			d.until(n, "it is behind", func(p client.ProposalDetail) bool { return p.Behind == 1 })
		}
		p, err := update(one.Number, "merge")
		if err != nil || p.Behind != 0 || p.Ahead != 2 {
			t.Errorf("updated by a merge: %+v, %v", p, err)
		}
		if again, err := update(one.Number, "merge"); err != nil || again.Head != p.Head {
			t.Errorf("updated again: %+v, %v", again, err)
		}
		if got := d.answered(two.Number, d.say("alice", two.Number, map[string]any{"body": "/rebase"})); len(got) != 1 || !strings.HasPrefix(got[0], "rebase done: two is at ") {
			t.Errorf("rebased: %q", got)
		}
		if p := d.get(two.Number); p.Behind != 0 || p.Ahead != 1 || p.Head == two.Head {
			t.Errorf("rebased it is %+v", p)
		}
		for _, way := range []string{"merge", "rebase"} {
			if _, err := update(clash.Number, way); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "a.txt") {
				t.Errorf("%s with conflicts: %v", way, err)
			}
		}

		// Each way of merging is taken back by one commit, whatever else came since.
		d.do("alice", dir, "fetch", "--quiet", "origin")
		d.do("alice", dir, "switch", "--quiet", "two")
		d.do("alice", dir, "reset", "--quiet", "--hard", "origin/two")
		write(t, dir+"/two-b.txt", "2b\n")
		d.do("alice", dir, "add", "--all")
		d.do("alice", dir, "commit", "--quiet", "--message", "more of two")
		d.do("alice", dir, "push", "--quiet", "--force", "origin", "two")
		head := d.do("alice", dir, "rev-parse", "HEAD")
		d.until(two.Number, "it has two commits", func(p client.ProposalDetail) bool { return p.Head == head && p.Ahead == 2 })
		for number, way := range map[int]string{one.Number: "merge", two.Number: "rebase"} {
			if p, err := d.merge("alice", number, map[string]any{"way": way}); err != nil || p.MergeWay != way {
				t.Fatalf("merge by %s: %+v, %v", way, p, err)
			}
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(clash.Number, "revert"), nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("reverted what is open: %v", err)
		}
		for number, gone := range map[int][]string{one.Number: {"one.txt"}, two.Number: {"two.txt", "two-b.txt"}} {
			back, err := client.Post[client.ProposalDetail](ctx, d.as["bob"], d.at(number, "revert"), nil)
			if err != nil || back.Ahead != 1 || !strings.HasPrefix(back.Title, `Revert "change `) || back.Author.Name != "bob" {
				t.Fatalf("revert %d: %+v, %v", number, back, err)
			}
			if _, err := client.Post[client.ProposalDetail](ctx, d.as["bob"], d.at(number, "revert"), nil); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "reverts it already") {
				t.Errorf("reverted twice: %v", err)
			}
			diff, err := client.Get[client.Diff](ctx, d.admin, d.at(back.Number, "diff"), nil)
			var files []string
			for _, f := range diff.Files {
				files = append(files, f.Status+" "+f.Path)
			}
			want := make([]string, len(gone))
			for i, f := range gone {
				want[i] = "deleted " + f
			}
			slices.Sort(want)
			slices.Sort(files)
			if err != nil || !slices.Equal(files, want) {
				t.Errorf("the revert of %d changes %v, %v", number, files, err)
			}
			if _, err := d.merge("alice", back.Number, map[string]any{"way": "squash"}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(one.Number, "revert"), nil); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "nothing of it is left") {
			t.Errorf("reverted what is gone: %v", err)
		}
		// What came later is in the way.
		late := d.propose("alice", "late", map[string]string{"late.txt": "1\n2\n3\n"})
		if _, err := d.merge("alice", late.Number, map[string]any{"way": "squash"}); err != nil {
			t.Fatal(err)
		}
		main(map[string]string{"late.txt": "1\nzwei\n3\n"})
		if _, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(late.Number, "revert"), nil); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "late.txt") {
			t.Errorf("reverted over what came later: %v", err)
		}
		// What somebody pushed to the target by hand is taken back alone.
		hand := d.propose("alice", "hand", map[string]string{"hand.txt": "h\n"})
		d.do("alice", dir, "switch", "--quiet", "main")
		d.do("alice", dir, "pull", "--quiet", "origin", "main")
		d.do("alice", dir, "merge", "--quiet", "--no-ff", "--message", "by hand", "hand")
		d.push("alice", "crew/shop", map[string]string{"else.txt": "e\n"})
		d.until(hand.Number, "it is merged", func(p client.ProposalDetail) bool { return p.State == "merged" && p.MergeWay == "push" })
		back, err := client.Post[client.ProposalDetail](ctx, d.alice, d.at(hand.Number, "revert"), nil)
		diff, bad := client.Get[client.Diff](ctx, d.admin, d.at(back.Number, "diff"), nil)
		if err != nil || bad != nil || len(diff.Files) != 1 || diff.Files[0].Path != "hand.txt" {
			t.Errorf("the revert changes %+v, %v %v", diff, err, bad)
		}
	})
}

// TestARetryRunsAgainWhatFailed has a pipeline of a proposal's head fail, and a comment run it again.
func TestARetryRunsAgainWhatFailed(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		d.apply(onPush(`, branches: [feature]`))
		p := d.propose("alice", "feature", map[string]string{"ci/pipeline.yaml": strings.Replace(echo("no"), "$ROADBED_COMMIT", "; exit 3", 1)})
		failed := func() client.ProposalCheck {
			t.Helper()
			i := func(p client.ProposalDetail) int {
				return slices.IndexFunc(p.Checks, func(c client.ProposalCheck) bool { return c.State == "failed" && c.Run != "" })
			}
			p := d.until(p.Number, "its check failed", func(p client.ProposalDetail) bool { return i(p) >= 0 })
			return p.Checks[i(p)]
		}
		check := failed()
		attempts := func() int {
			t.Helper()
			return until(t, d.admin, check.Run, ended).Steps[0].Attempt
		}
		first := attempts()
		for _, c := range []struct{ who, text, want string }{
			{"rita", "/retry", "retry refused"},
			{"alice", "/retry another", "retry refused: no check that a run says has failed by the name another"},
			{"bob", "/retry", "retry done: runs again: " + check.Name},
			{"alice", "/rerun " + check.Name, "rerun done: runs again: " + check.Name},
		} {
			before := attempts()
			got := d.answered(p.Number, d.say(c.who, p.Number, map[string]any{"body": c.text}))
			if c.who == "rita" && len(got) == 1 {
				got[0], _, _ = strings.Cut(got[0], ":")
			}
			if !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s says %s: %q", c.who, c.text, got)
			}
			want := before
			if strings.Contains(c.want, "done") {
				want++
			}
			if again := attempts(); again != want {
				t.Errorf("%s said %s: attempt %d of the step, want %d", c.who, c.text, again, want)
			}
			if again := failed(); again.Run != check.Run {
				t.Errorf("the check is said by %s, not by %s", again.Run, check.Run)
			}
		}
		if first != 1 {
			t.Errorf("the first attempt is %d", first)
		}
		var by []string
		if err := within(t, func() (bool, error) {
			by = nil
			all, err := client.All[client.Entry](t.Context(), d.admin, "/ledger", url.Values{"type": {"run.retried"}, "run": {check.Run}})
			for _, e := range all {
				by = append(by, e.Actor.Name)
			}
			return slices.Equal(by, []string{"alice", "bob"}), err
		}); err != nil {
			t.Errorf("the ledger tells of retries by %v, %v", by, err)
		}
	})
}
