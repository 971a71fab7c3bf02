package insight

import (
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/internal/core/document"
)

const stands = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: ready, title: Ready}
spec:
  owner: company
  filter: {kinds: [component]}
  levels: [{name: bronze}, {name: silver}, {name: gold}]
  rules:
    - {id: answered-for, level: bronze, expression: 'relations.exists(r, r.type == "ownedBy" && r.to.exists && r.to.kind == "group")'}
    - {id: on-what-is-there, level: silver, expression: 'relations.filter(r, r.type == "dependsOn").all(r, r.to.exists)'}
    - {id: on-production, level: gold, expression: 'relations.filter(r, r.type == "dependsOn").all(r, r.to.lifecycle == "production" && r.to.type == "service" && r.to.owner != "")'}
`

// TestRulesKnowWhereRelationsLead, and follow it: what a thing depends on comes, is in production or not, and goes.
func TestRulesKnowWhereRelationsLead(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		experimental := func(name string) string {
			return strings.Replace(component(name, "crew"), "production", "experimental", 1)
		}
		b.apply("default", "cards", stands)
		b.apply("default", "plain", strings.Replace(ready, "name: ready", "name: plain", 1))
		b.apply("default", "all", component("a", "crew", c))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "bronze [on-what-is-there on-production]"})

		b.apply("default", "other", experimental("c"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "silver [on-production]", c: "gold []"})
		if n := b.entries("scorecard.level-changed", a); n != 1 {
			t.Errorf("the ledger tells %d times that a has another level", n)
		}
		b.apply("default", "other", component("c", "crew"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "gold []", c: "gold []"})

		// A card that does not name where relations lead judges what has changed, and nothing that points at it.
		b.docs.read = nil
		b.apply("default", "other", experimental("c"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "silver [on-production]", c: "gold []"})
		if got := strings.Join(b.docs.read, " "); got != c {
			t.Errorf("by the other card are judged %q", got)
		}

		// More that point at one than are judged one by one have all judged again.
		b.mostPointing = 1
		b.apply("default", "all", component("a", "crew", c)+component("d", "crew", c))
		b.judged()
		b.apply("default", "other", "")
		b.judged()
		gone := "bronze [on-what-is-there on-production]"
		b.want(system(), ResultQuery{}, map[string]string{a: gone, d: gone})

		// The owner goes.
		b.apply("default", "all", component("a", "nobody"))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: " [answered-for]"})
	})
}

// TestAScorecardTellsOfItsOwnSpaceAlone: who writes one in a space does not learn of others what may not be read there.
func TestAScorecardTellsOfItsOwnSpaceAlone(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.apply("shop", "cards", stands)
		b.apply("lab", "lab", component("c", "crew"))
		b.apply("shop", "shop", component("a", "crew", c))
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "silver [on-production]"})
		b.apply("shop", "cards", "")
		b.apply("default", "cards", stands)
		b.judged()
		b.want(system(), ResultQuery{}, map[string]string{a: "gold []", c: "gold []"})

		// A preview knows what its reader may read.
		documents, err := document.Parse("test.yaml", []byte(stands), document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		one := named(a)
		for who, want := range map[string]string{"rita": "gold", "lea": ""} {
			space := map[string]string{"rita": "default", "lea": "shop"}[who]
			if p, err := b.Preview(as(who), space, documents[0], &one); err != nil || len(p.Results) != 1 || p.Results[0].Level != want {
				t.Errorf("%s is told %+v, %v", who, p, err)
			}
		}
	})
}

// TestRulesThatNameTargetsAreKnown from those that do not, which are not judged again for what they don't ask.
func TestRulesThatNameTargetsAreKnown(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		`relations.exists(r, r.type == "partOf")`: false, `relations.all(r, r.to.exists)`: true, `relations.all(r, r["to"]["exists"])`: true,
		`relations.all(r, has(r.to))`: true, `relations.exists(r, r.?to.?exists.orValue(false))`: true, `owner != "too"`: false,
	} {
		if got, wrong := compileOne(newEnvironment(), expression); len(wrong) > 0 || got.targets != want {
			t.Errorf("%s: %t, %v", expression, got.targets, wrong)
		}
	}
}

// TestTheTrendOfATeam counts what a group has, with the groups below it, day by day, and only that.
func TestTheTrendOfATeam(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		const day = 24 * time.Hour
		b.apply("default", "cards", ready)
		b.apply("default", "all", component("a", "crew", c)+component("c", "company")+component("d", "others"))
		b.judged()
		b.later(day)
		b.apply("default", "all", component("a", "crew", c, d)+component("c", "company")+component("d", "others"))
		b.judged()
		b.later(2 * day)
		b.apply("default", "all", component("a", "crew", c)+component("c", "crew", a)+component("d", "others"))
		b.judged()
		told := func(team string) string {
			t.Helper()
			days, err := b.Trend(as("rita"), named("scorecard:default/ready"), team, 7)
			if err != nil || days.Cut {
				t.Fatal(days, err)
			}
			var all []string
			for _, x := range days.Items {
				all = append(all, x.Day[len("2026-"):]+" "+strings.Repeat("s", x.Counts.Levels["silver"])+strings.Repeat("b", x.Counts.Levels["bronze"])+strings.Repeat("!", x.Counts.Failed["used"]))
			}
			return strings.Join(all, ", ")
		}
		for team, want := range map[string]string{
			"":                    "05-01 sbb!!, 05-02 ssb!, 05-03 ssb!, 05-04 ssb!",
			"company":             "05-01 sb!, 05-02 sb!, 05-03 sb!, 05-04 ss",
			"group:default/crew":  "05-01 b!, 05-02 b!, 05-03 b!, 05-04 ss",
			"others":              "05-01 b!, 05-02 s, 05-03 s, 05-04 b!",
			"group:default/noone": "",
		} {
			if got := told(team); got != want {
				t.Errorf("the trend of %q is %q, want %q", team, got, want)
			}
		}
	})
}

// TestATeamWithMoreGroupsThanAreCountedSaysSo wherever it is counted.
func TestATeamWithMoreGroupsThanAreCountedSaysSo(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		card := named("scorecard:default/ready")
		b.apply("default", "cards", ready)
		b.apply("default", "all", component("a", "crew")+component("c", "company"))
		b.judged()
		for most, want := range map[int]int{1: 1, 2: 2} {
			b.mostGroups = most
			cut := most == 1
			list, err := b.List(as("rita"), "company", everything)
			if err != nil || list.Items[0].Cut != cut || list.Items[0].Counts.Entities != want {
				t.Errorf("of %d groups the list says %+v, %v", most, list, err)
			}
			if o, err := b.Get(as("rita"), card, "company"); err != nil || o.Cut != cut || o.Counts.Entities != want {
				t.Errorf("of %d groups the scorecard says %+v, %v", most, o, err)
			}
			if days, err := b.Trend(as("rita"), card, "company", 1); err != nil || days.Cut != cut || days.Items[0].Counts.Entities != want {
				t.Errorf("of %d groups the days say %+v, %v", most, days, err)
			}
			if r, err := b.Results(as("rita"), card, ResultQuery{Team: "company"}, everything); err != nil || r.Cut != cut || len(r.Items) != want {
				t.Errorf("of %d groups the results say %+v, %v", most, r, err)
			}
			teams, err := b.Teams(as("rita"), card, everything)
			if err != nil || len(teams.Items) != 2 || teams.Items[0].All.Entities != want || teams.Items[1].Cut != cut {
				t.Errorf("of %d groups the teams say %+v, %v", most, teams, err)
			}
		}
		if o, err := b.Get(as("rita"), card, ""); err != nil || o.Cut {
			t.Errorf("without a team it says %+v, %v", o, err)
		}
	})
}
