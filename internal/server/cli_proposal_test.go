package server

import (
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestProposalsFromATerminal takes a change from a branch to main by the command line alone.
func TestProposalsFromATerminal(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.push("alice", "crew/shop", map[string]string{"a.txt": "one\n"})
	d := desk{g, "crew/shop"}
	d.branch("alice", "feature", map[string]string{"a.txt": "1\n"})
	for i, c := range []struct {
		who, line string
		code      int
		wants     []string
	}{
		{"alice", "proposal list", 0, []string{"no proposals that"}},
		{"alice", "proposal open crew/shop feature --body because", 0, []string{"crew/shop#1", "change a.txt", "feature → main", "nothing; roadbed proposal merge crew/shop#1"}},
		{"alice", "proposal open crew/shop feature", 5, []string{"an open proposal of feature into main already"}},
		{"bob", "proposal list crew/shop", 0, []string{"crew/shop#1", "open", "alice"}},
		{"bob", "proposal show crew/shop", 2, []string{"write NAMESPACE/NAME#NUMBER"}},
		{"bob", "proposal show crew/shop#2", 4, []string{"has no proposal 2"}},
		{"bob", "proposal diff crew/shop#1", 0, []string{"diff --git a/a.txt b/a.txt", "-one\n+1\n"}},
		{"bob", "proposal comment crew/shop#1", 2, []string{"say what with --body"}},
		{"bob", "proposal comment crew/shop#1 --body why?", 0, []string{"com_"}},
		{"bob", "proposal refuse crew/shop#1 --body no", 0, []string{"changes are asked for"}},
		{"alice", "proposal merge crew/shop#1", 5, []string{"changes are asked for by 1 of the reviewers"}},
		{"alice", "proposal approve crew/shop#1", 3, []string{"you opened it yourself"}},
		{"bob", "proposal approve crew/shop#1", 0, []string{"approved by bob"}},
		{"alice", "proposal show crew/shop#1", 0, []string{"bob, ", "why?"}},
		{"alice", "proposal close crew/shop#1", 0, []string{"closed"}},
		{"alice", "proposal merge crew/shop#1", 5, []string{"it is closed"}},
		{"alice", "proposal reopen crew/shop#1", 0, []string{"open"}},
		{"alice", "proposal merge crew/shop#1 --way squash --head " + strings.Repeat("1", 40), 5, []string{"was pushed to since you looked at it"}},
		{"alice", "proposal merge crew/shop#1 --way squash", 0, []string{"merged as"}},
		{"alice", "proposal list --state merged --mine", 0, []string{"crew/shop#1", "merged"}},
	} {
		atTerminal(t, server.URL, g.as[c.who].Token)
		code, out, problem := say(c.line)
		for _, want := range c.wants {
			if !strings.Contains(out+problem, want) {
				t.Errorf("%d: %s: roadbed %s lacks %q:\n%s%s", i, c.who, c.line, want, out, problem)
			}
		}
		if code != c.code {
			t.Errorf("%d: %s: roadbed %s = %d, want %d:\n%s%s", i, c.who, c.line, code, c.code, out, problem)
		}
	}
}

// TestProposalsFromATerminalInDetail suggests, edits, brings up to date, commands and takes back by the command line alone.
func TestProposalsFromATerminalInDetail(t *testing.T) {
	h, server := open(t)
	g := newGround(t, h, server)
	g.push("alice", "crew/shop", map[string]string{"a.txt": "one\n"})
	d := desk{g, "crew/shop"}
	p := d.propose("alice", "feature", map[string]string{"b.txt": "b\nc\n"})
	dir := g.dir + "/alice/crew/shop"
	g.do("alice", dir, "switch", "--quiet", "main")
	g.push("alice", "crew/shop", map[string]string{"c.txt": "c\n"})
	d.until(p.Number, "main went on", func(p client.ProposalDetail) bool { return p.Behind == 1 })
	d.say("bob", 1, map[string]any{"body": "```suggestion\nB\n```", "path": "b.txt", "line": 1})
	for i, c := range []struct {
		who, line string
		code      int
		wants     []string
	}{
		{"bob", "proposal comment crew/shop#1 --body hm --path b.txt --lines 1-2", 0, []string{"com_"}},
		{"bob", "proposal comment crew/shop#1 --body hm --path b.txt --lines 2-1", 2, []string{"are no lines"}},
		{"bob", "proposal comment crew/shop#1 --body hm --path b.txt", 2, []string{"lines"}},
		{"alice", "proposal show crew/shop#1", 0, []string{"on b.txt:1, suggests (com_", "on b.txt:1-2"}},
		{"alice", "proposal apply crew/shop#1", 2, []string{"or say --all"}},
		{"alice", "proposal apply crew/shop#1 --all", 0, []string{"2 commits"}},
		{"alice", "proposal apply crew/shop#1 --all", 1, []string{"nothing is suggested"}},
		{"alice", "proposal update crew/shop#1 --way rebase", 0, []string{"2 commits"}},
		{"alice", "proposal edit crew/shop#1", 2, []string{"say what to change"}},
		{"alice", "proposal edit crew/shop#1 --title Other --draft --assign bob,rita", 0, []string{"Other", "draft", "looked after"}},
		{"bob", "proposal list --waiting", 0, []string{"no proposals"}}, // a draft waits for nobody
		{"alice", "proposal edit crew/shop#1 --ready", 0, []string{"open"}},
		{"bob", "proposal list --waiting", 0, []string{"crew/shop#1"}},
		{"bob", "proposal list --assigned --text oTHER", 0, []string{"crew/shop#1"}},
		{"bob", "proposal diff crew/shop#1 --file b.txt --ignore-space", 0, []string{"+B\n+c\n"}},
		{"alice", "proposal edit crew/shop#1 --unassign", 0, []string{"Other"}},
		{"alice", "proposal revert crew/shop#1", 5, []string{"only what was merged"}},
		{"alice", "proposal merge crew/shop#1 --way rebase", 0, []string{"merged as"}},
		{"bob", "proposal revert crew/shop#1", 0, []string{"crew/shop#2", `Revert "Other"`, "revert-1 → main"}},
	} {
		atTerminal(t, server.URL, g.as[c.who].Token)
		code, out, problem := say(c.line)
		for _, want := range c.wants {
			if !strings.Contains(out+problem, want) {
				t.Errorf("%d: %s: roadbed %s lacks %q:\n%s%s", i, c.who, c.line, want, out, problem)
			}
		}
		if code != c.code {
			t.Errorf("%d: %s: roadbed %s = %d, want %d:\n%s%s", i, c.who, c.line, code, c.code, out, problem)
		}
	}
}
