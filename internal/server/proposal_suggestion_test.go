package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

// say says something of a proposal as somebody.
func (d desk) say(who string, number int, what map[string]any) client.ProposalComment {
	d.t.Helper()
	c, err := client.Post[client.ProposalComment](d.t.Context(), d.as[who], d.at(number, "comments"), what)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// said gives a comment as it is now.
func (d desk) said(number int, id string) client.ProposalComment {
	d.t.Helper()
	all, err := client.All[client.ProposalComment](d.t.Context(), d.admin, d.at(number, "comments"), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c client.ProposalComment) bool { return c.ID == id })
	if i < 0 {
		d.t.Fatalf("there is no comment %s", id)
	}
	return all[i]
}

func (d desk) suggested(who string, number int, in map[string]any) (client.ProposalDetail, error) {
	return client.Post[client.ProposalDetail](d.t.Context(), d.as[who], d.at(number, "suggestions"), in)
}

// TestSuggestionsAreApplied has a reviewer suggest other lines, alone and several at once, and the author commit them.
func TestSuggestionsAreApplied(t *testing.T) {
	eachDesk(t, func(t *testing.T, d desk) {
		ctx := t.Context()
		lines := func(ls ...string) string { return strings.Join(ls, "\n") + "\n" }
		p := d.propose("alice", "feature", map[string]string{"a.txt": lines("one", "2", "three", "four", "five", "six"), "crlf.txt": "a\r\nb\r\nc"})
		suggest := func(path string, start, line int, text string) client.ProposalComment {
			t.Helper()
			return d.say("bob", p.Number, map[string]any{"body": "Rather:\n```suggestion\n" + text + "```\n", "path": path, "start": start, "line": line})
		}
		// What can't be said.
		for what, in := range map[string]map[string]any{
			"no such file": {"body": "x", "path": "none.txt", "line": 1}, "no such line": {"body": "x", "path": "a.txt", "line": 7},
			"a range backwards": {"body": "x", "path": "a.txt", "line": 2, "start": 3}, "too long a range": {"body": "x", "path": "a.txt", "line": 900, "start": 2},
			"no such old line": {"body": "x", "path": "a.txt", "line": 4, "old": true}, "a folder": {"body": "x", "path": ".", "line": 1},
		} {
			if _, err := client.Post[client.ProposalComment](ctx, d.as["bob"], d.at(p.Number, "comments"), in); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.TooLarge) {
				t.Errorf("%s: %v", what, err)
			}
		}
		two := suggest("a.txt", 2, 3, "zwei\ndrei\n")
		if two.Suggestion == nil || *two.Suggestion != "zwei\ndrei\n" || two.Quote != "2\nthree\n" || two.Start != 2 || two.NowLine != 3 {
			t.Fatalf("it is %+v", two)
		}
		five := suggest("a.txt", 0, 5, "fünf\nfünfeinhalb\n")
		three := suggest("a.txt", 3, 4, "x\n")
		last := suggest("crlf.txt", 2, 3, "B\nC\n")
		gone := suggest("a.txt", 6, 6, "")
		old := d.say("bob", p.Number, map[string]any{"body": "was better", "path": "a.txt", "line": 2, "old": true})
		plain := d.say("bob", p.Number, map[string]any{"body": "hm", "path": "a.txt", "line": 4})

		// What can't be applied.
		for what, c := range map[string]struct {
			who  string
			in   map[string]any
			kind fault.Kind
		}{
			"by who may only read": {"rita", map[string]any{"comments": []string{two.ID}}, fault.Denied},
			"no suggestion":        {"alice", map[string]any{"comments": []string{plain.ID}}, fault.Invalid},
			"no comment":           {"alice", map[string]any{"comments": []string{"com_none"}}, fault.NotFound},
			"of the same lines":    {"alice", map[string]any{"comments": []string{two.ID, three.ID}}, fault.Conflict},
			"of another head":      {"alice", map[string]any{"comments": []string{two.ID}, "head": p.Base}, fault.Stale},
		} {
			if _, err := d.suggested(c.who, p.Number, c.in); !fault.Is(err, c.kind) {
				t.Errorf("apply what is %s: %v", what, err)
			}
		}
		got, err := d.suggested("alice", p.Number, map[string]any{"comments": []string{five.ID, two.ID, last.ID}, "head": p.Head})
		if err != nil || got.Head == p.Head || got.Ahead != 2 {
			t.Fatalf("applied: %+v, %v", got, err)
		}
		dir := d.dir + "/alice/crew/shop"
		d.do("alice", dir, "fetch", "--quiet", "origin")
		at := "origin/feature"
		if text := d.do("alice", dir, "show", at+":a.txt"); text != strings.TrimSpace(lines("one", "zwei", "drei", "four", "fünf", "fünfeinhalb", "six")) {
			t.Errorf("a.txt is %q", text)
		}
		if text := d.do("alice", dir, "show", at+":crlf.txt"); text != "a\r\nB\r\nC" {
			t.Errorf("crlf.txt is %q", text)
		}
		message := d.do("alice", dir, "log", "-1", "--format=%an%n%B", at)
		if !strings.HasPrefix(message, "alice\nApply 3 suggestions to a.txt and 1 more\n\nCo-authored-by: bob <pri_") || !strings.Contains(message, "Suggestion: "+two.ID) {
			t.Errorf("the commit says %s", message)
		}
		for _, c := range []client.ProposalComment{two, five, last} {
			if now := d.said(p.Number, c.ID); now.Applied != got.Head || now.Resolved == nil || now.Resolved.Name != "alice" {
				t.Errorf("%s is %+v", c.ID, now)
			}
		}
		if _, err := d.suggested("alice", p.Number, map[string]any{"comments": []string{two.ID}}); !fault.Is(err, fault.Conflict) {
			t.Errorf("applied twice: %v", err)
		}
		// Lines that moved are still what they were; those that changed are not.
		if now := d.said(p.Number, gone.ID); now.NowLine != 7 || now.Line != 6 {
			t.Errorf("the last line is at %d", now.NowLine)
		}
		if now := d.said(p.Number, old.ID); now.NowLine != 2 {
			t.Errorf("the old line is at %d", now.NowLine)
		}
		if now := d.said(p.Number, three.ID); now.NowLine != 0 || now.Quote != "three\nfour\n" {
			t.Errorf("the lines that changed are at %d", now.NowLine)
		}
		if _, err := d.suggested("alice", p.Number, map[string]any{"comments": []string{three.ID}}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "a.txt was changed at lines 3 to 4") {
			t.Errorf("applied to other lines: %v", err)
		}
		if _, err = d.suggested("bob", p.Number, map[string]any{"comments": []string{gone.ID}, "message": "Leave it out"}); err != nil {
			t.Fatal(err)
		}
		d.do("alice", dir, "fetch", "--quiet", "origin")
		if text := d.do("alice", dir, "show", at+":a.txt"); strings.Contains(text, "six") {
			t.Errorf("a.txt is %q", text)
		}
		// A push by hand that says what it applies settles it too.
		more := suggest("a.txt", 1, 1, "eins\n")
		d.do("alice", dir, "switch", "--quiet", "feature")
		d.do("alice", dir, "reset", "--quiet", "--hard", at)
		write(t, dir+"/a.txt", lines("eins", "zwei"))
		d.do("alice", dir, "commit", "--quiet", "--all", "--message", "by hand\n\nSuggestion: "+more.ID)
		d.do("alice", dir, "push", "--quiet", "origin", "feature")
		head := d.do("alice", dir, "rev-parse", "HEAD")
		d.until(p.Number, "the push shows", func(p client.ProposalDetail) bool { return p.Head == head })
		if now := d.said(p.Number, more.ID); now.Applied != head || now.Resolved == nil {
			t.Errorf("it is %+v", now)
		}
		// A branch that is rewritten to what it was leads talks back.
		d.do("alice", dir, "push", "--quiet", "--force", "origin", p.Head+":feature")
		d.until(p.Number, "it is rewritten", func(now client.ProposalDetail) bool { return now.Head == p.Head })
		if now := d.said(p.Number, three.ID); now.NowStart != 3 || now.NowLine != 4 {
			t.Errorf("the lines are at %d to %d", now.NowStart, now.NowLine)
		}
		// A rule of the source holds for it as for a push.
		held := suggest("a.txt", 1, 1, "EINS\n")
		d.apply("{apiVersion: roadbed.dev/v1, kind: BranchRule, metadata: {name: held}, spec: {push: proposals, branches: [feature]}}")
		if _, err := d.suggested("alice", p.Number, map[string]any{"comments": []string{held.ID}}); !fault.Is(err, fault.Denied) {
			t.Errorf("applied past a rule: %v", err)
		}
	})
}
