package server

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestListsSayThatTheyGoOnOrThatTheyAreEmpty to people, while programs read a list and nothing else.
func TestListsSayThatTheyGoOnOrThatTheyAreEmpty(t *testing.T) {
	h, server := open(t)
	atTerminal(t, server.URL, h.Options.AdminToken)
	items := func(line string) (n int, problem string) {
		t.Helper()
		code, out, problem := say(line + " -o json")
		var all []json.RawMessage
		if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || all == nil {
			t.Fatalf("roadbed %s = %d with %s (%v)%s", line, code, out, err, problem)
		}
		return len(all), problem
	}
	for _, line := range []string{"run list", "secret list", "policy decisions", "machine list", "history nothing", "what-changed nothing", "get component", "stack list", "app list"} {
		_, out, problem := say(line)
		if out != "" || !strings.HasPrefix(problem, "no ") || strings.Count(problem, "\n") != 1 {
			t.Errorf("roadbed %s writes %q, and says %q", line, out, problem)
		}
		if n, also := items(line); n != 0 || also != problem {
			t.Errorf("roadbed %s gives programs %d items, and says %q", line, n, also)
		}
	}
	if _, out, problem := say("run list --open"); out != "" || !strings.Contains(problem, "fewer flags show more") {
		t.Errorf("a narrowed list that is empty writes %q, and says %q", out, problem)
	}

	sayAll(t, []said{
		{"get component,api --gap no-owner", 0, "no entities of the kind component,api"},
		{"get components,API", 0, "no entities"},
		{"get component,apis,templte", 4, `no kind "templte"; did you mean template?`},
		{"get all --tag nothing", 0, "no entities that match"},
		{"get all shop", 4, `no kind "all"`},
	})

	newGround(t, h, server)
	all, problem := items("ledger --limit 0")
	if all < 3 || problem != "" {
		t.Fatalf("the ledger has %d entries, and says %q", all, problem)
	}
	if n, problem := items("ledger --limit 2"); n != 2 || !strings.Contains(problem, "more than these 2") {
		t.Errorf("of %d entries %d are shown, and it says %q", all, n, problem)
	}
	if _, out, problem := say("ledger --limit 2"); strings.Count(out, "\n") != 3 || !strings.Contains(problem, "more than these 2") {
		t.Errorf("two of the entries are shown as %q, and it says %q", out, problem)
	}
	users, _ := items("get user")
	groups, _ := items("get group")
	both, _ := items("get user,group")
	if every, _ := items("get all"); users == 0 || groups == 0 || both != users+groups || every <= both {
		t.Errorf("of %d users and %d groups %d are listed, and %d of every kind", users, groups, both, every)
	}
	if n, problem := items("get user --limit 1"); n != 1 || !strings.Contains(problem, "more") {
		t.Errorf("of the users %d are shown, and it says %q", n, problem)
	}
}
