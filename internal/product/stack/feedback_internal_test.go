package stack

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestACommandByCommentIsRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]asked{
		"":                                 {verb: "help"},
		"plan":                             {verb: "plan"},
		"Plan net":                         {verb: "plan", stacks: []string{"stack:default/net"}},
		"plan -stack net --stack=a/b":      {verb: "plan", stacks: []string{"stack:default/net", "stack:a/b"}},
		"plan -p stack:default/net":        {verb: "plan", stacks: []string{"stack:default/net"}},
		"plan -d infra/ -d .":              {verb: "plan", folders: []string{"infra", ""}},
		"propose":                          {verb: "plan"},
		"deploy -s net":                    {verb: "apply", stacks: []string{"stack:default/net"}},
		"unlock":                           {verb: "unlock"},
		"discard":                          {verb: "discard"},
		"cancel stack:default/net":         {verb: "cancel", stacks: []string{"stack:default/net"}},
		"apply component:default/net":      {},
		"destroy":                          {},
		"plan -stack":                      {},
		"plan -- -lock=false":              {},
		"plan -w staging":                  {},
		"plan -lock=false":                 {},
		"plan " + strings.Repeat("a ", 51): {},
	} {
		got, err := parseAsked(text)
		if want.verb == "" {
			if err == nil {
				t.Errorf("%q is read as %+v", text, got)
			}
			continue
		}
		if err != nil || got.verb != want.verb || !slices.Equal(got.stacks, want.stacks) || !slices.Equal(got.folders, want.folders) {
			t.Errorf("%q is read as %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestWhatAPlanChangesIsToldWithoutValues(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/plan.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ReadPlan(data)
	if err != nil {
		t.Fatal(err)
	}
	text := changesText(p)
	if n := strings.Count(text, "\n") - 1; n != 9 { // each change, not what stays as it is
		t.Errorf("%d lines are told:\n%s", n, text)
	}
	for range 2 * mostListed {
		p.Changes = append(p.Changes, Change{Action: "create", Address: strings.Repeat("x", 1000), After: map[string]any{"password": "hunter2"}})
	}
	text = changesText(p)
	if strings.Contains(text, "hunter2") || len(text) > mostListed*250 || !strings.Contains(text, "more, on the page of the run") {
		t.Errorf("many changes are told as\n%s", text)
	}
}

func TestWordsOfOthersStayWhereTheyArePut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hostile := rapid.SampledFrom([]string{"`", "```", "|", "\n", "\r", "@all", "/approve", "<details>", "-->", "[x](http://x)", "a", " ", "\u2028", "*"})
		address := strings.Join(rapid.SliceOfN(hostile, 1, 12).Draw(t, "address"), "")
		text := changesText(Plan{Changes: []Change{{Action: "create", Address: address}}})
		lines := strings.Split(text, "\n")
		if len(lines) != 3 || lines[0] != "```diff" || lines[2] != "```" || !strings.HasPrefix(lines[1], "+ create ") {
			t.Fatalf("%q is told as %q", address, text)
		}
		in := cell(address)
		if strings.ContainsAny(in, "|\n\r") || strings.Contains(strings.Trim(in, "`"), "`") {
			t.Fatalf("%q stands as %q", address, in)
		}
		if strings.Contains(in, "@") && !strings.HasPrefix(in, "`") {
			t.Fatalf("%q calls somebody: %q", address, in)
		}
	})
}

func TestAStackIsTouchedByItsFolder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder string
		paths  []string
		want   bool
	}{
		{"infra", []string{"README.md", "infra/main.tf"}, true},
		{"infra", []string{"infrastructure/main.tf", "infra"}, false},
		{"", []string{"README.md"}, true},
		{"infra", []string{"modules/net/main.tf"}, true},
	} {
		stack := Stack{Path: c.folder, Spec: Spec{Watch: []string{"modules/**"}}}
		if got := between(c.paths).touches(stack); got != c.want {
			t.Errorf("%q by %v: %t", c.folder, c.paths, got)
		}
	}
}
