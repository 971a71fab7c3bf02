package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/roadbed-dev/roadbed/client"
)

// TestWhatAPushBeginsIsBounded lets a push, and a proposal, begin two runs each.
func TestWhatAPushBeginsIsBounded(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		o := options(t)
		o.Database, o.PushRuns = database, 2
		h, server := openWith(t, o)
		needs(t, h.engine.path())
		g := newGround(t, h, server)
		files := func(text string) map[string]string {
			all := map[string]string{}
			for _, name := range []string{"a", "b", "c", "d"} {
				all[name+"/main.tf"] = "output \"says\" {\n  value = \"" + text + "\"\n}\n"
			}
			return all
		}
		g.push("alice", "crew/mono", files("one"))
		var documents []string
		for _, name := range []string{"a", "b", "c", "d"} {
			documents = append(documents, strings.ReplaceAll(stackDocument(name, ""), "repository: crew/"+name+", branch: main, path: infra", "repository: crew/mono, branch: main, path: "+name))
		}
		g.apply(strings.Join(documents, "---\n"))
		for _, name := range []string{"a", "b", "c", "d"} { // it is no push that begins these
			g.rests(g.nth(name, "tracked", 1))
		}
		withheld := func(commit, what string) {
			t.Helper()
			begun, said := 0, 0
			err := within(t, func() (bool, error) {
				begun, said = 0, 0
				for _, name := range []string{"a", "b", "c", "d"} {
					if len(g.runsAt(name, commit)) > 0 {
						begun++
					} else if strings.Contains(g.stackNow(name).Message, "no run of default/"+name+" was begun: this push has begun 2") {
						said++
					}
				}
				return begun+said == 4, nil
			})
			if err != nil || begun != 2 || said != 2 {
				t.Errorf("%s: %d stacks have a run, %d say why not; want 2 and 2", what, begun, said)
			}
		}
		withheld(g.push("alice", "crew/mono", files("two")), "a push")
		withheld(g.push("alice", "crew/mono", files("three")), "the next one")

		d := desk{g, "crew/mono"}
		p := d.propose("alice", "idea", files("four"))
		var all []client.ProposalStack
		err := within(t, func() (bool, error) {
			all = d.stacks("alice", p.Number)
			return len(all) == 4, nil
		})
		without := slices.DeleteFunc(slices.Clone(all), func(s client.ProposalStack) bool { return s.Run != "" })
		if err != nil || len(without) != 2 || !strings.Contains(without[0].Reason, "this head of the proposal has begun 2") {
			t.Fatalf("the proposal does %+v", all)
		}
		name := strings.TrimPrefix(without[0].Stack, "stack:")
		d.told(p.Number, "say /roadbed plan -stack "+name)
		if said := d.commands("alice", p.Number, "/roadbed plan -stack "+name); !strings.Contains(said, "run ") {
			t.Errorf("what somebody asks for is %s", said)
		}
	})
}
