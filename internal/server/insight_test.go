package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
)

const judgedThings = `
{apiVersion: roadbed.dev/v1, kind: Space, metadata: {name: lab}, spec: {parent: default}}
---
{apiVersion: roadbed.dev/v1, kind: RoleBinding, metadata: {name: mallory-reads-lab}, spec: {role: reader, space: lab, subjects: ["user:default/mallory"]}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: division}, spec: {type: division, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: Group, metadata: {name: tribe}, spec: {type: team, parent: division, children: []}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: good, description: A whole sentence about it, tags: [erlang]}, spec: {type: service, lifecycle: production, owner: tribe, system: store}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: plain, tags: [erlang]}, spec: {type: service, lifecycle: production, owner: division}}
---
{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: other}, spec: {type: library, lifecycle: production, owner: division}}
`

const judgingCard = `
apiVersion: roadbed.dev/v1
kind: Scorecard
metadata: {name: ready, title: Ready}
spec:
  owner: division
  filter: {kinds: [Component], types: [service]}
  levels: [{name: bronze}, {name: silver}, {name: gold}]
  rules:
    - {id: has-owner, level: bronze, expression: owner != ""}
    - {id: says, level: silver, expression: has(entity.metadata.description), remedy: Describe it.}
    - {id: system, level: gold, expression: 'relations.exists(r, r.type == "partOf")'}
`

// standing waits until a scorecard says of an entity what is wanted, since it follows what is written.
func (g *ground) standing(who, entity, want string) (x client.Standing) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 30*time.Second)
	defer cancel()
	last := ""
	err := eventually(ctx, func() (bool, error) {
		all, err := client.Get[client.List[client.Standing]](ctx, g.as[who], "/entities/"+entity+"/scorecards", nil)
		if err != nil || len(all.Items) == 0 {
			last = fmt.Sprint(len(all.Items), " scorecards")
			return want == "" && err == nil, err
		}
		x = all.Items[0]
		last = x.Level + ">" + x.Next + ":" + strings.Join(x.Missing, ",")
		return last == want, nil
	})
	if err != nil {
		g.t.Errorf("%s is %s, not %s: %v", entity, last, want, err)
	}
	return x
}

// TestScorecardsAreJudged is the story of a scorecard: entities are judged, follow what changes, are counted by team, and each
// reader sees what it may.
func TestScorecardsAreJudged(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		ctx := t.Context()
		g.apply(judgedThings)
		p, err := client.Post[client.ScorecardPreview](ctx, g.as["rita"], "/scorecards/preview", map[string]string{"document": judgingCard})
		if err != nil || p.Entities != 2 || len(p.Results) != 2 || !p.Whole {
			t.Errorf("a preview: %+v, %v", p, err)
		}
		if _, err := client.Post[client.ScorecardPreview](ctx, g.as["rita"], "/scorecards/preview", map[string]string{"document": strings.Replace(judgingCard, "owner != ", "owner !", 1)}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "has-owner") {
			t.Errorf("a preview of nonsense: %v", err)
		}
		g.apply(judgingCard)
		g.standing("rita", "component/default/good", "gold>:")
		x := g.standing("rita", "component/default/plain", "bronze>silver:says")
		if x.Passed != 1 || len(x.Rules) != 3 || x.Rules[1].Remedy != "Describe it." || x.Rules[1].Passed {
			t.Errorf("what to do: %+v", x)
		}
		if all, err := client.Get[client.List[client.Standing]](ctx, g.as["rita"], "/entities/component/default/other/scorecards", nil); err != nil || len(all.Items) != 0 {
			t.Errorf("what is not chosen: %+v, %v", all.Items, err)
		}

		// It follows the entity, and what a change of it means is kept.
		g.apply(`{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: plain, description: Now described, tags: [erlang]}, spec: {type: service, lifecycle: production, owner: division}}`)
		g.standing("rita", "component/default/plain", "silver>gold:system")
		history, err := client.Get[client.List[client.ScorecardChange]](ctx, g.as["rita"], "/entities/component/default/plain/scorecards/history", nil)
		if err != nil || len(history.Items) != 2 || history.Items[0].Level != "silver" || history.Items[1].Level != "bronze" {
			t.Errorf("history: %+v, %v", history.Items, err)
		}

		// Teams count what the groups below them have.
		teams, err := client.Get[client.List[client.ScorecardTeam]](ctx, g.as["rita"], "/scorecards/default/ready/teams", nil)
		var got []string
		for _, team := range teams.Items {
			got = append(got, fmt.Sprintf("%s %d/%d gold %d silver %d", team.Owner, team.Own, team.Entities, team.Levels["gold"], team.Levels["silver"]))
		}
		if want := "group:default/division 1/2 gold 1 silver 1, group:default/tribe 1/1 gold 1 silver 0"; err != nil || strings.Join(got, ", ") != want {
			t.Errorf("teams: %s, %v", strings.Join(got, ", "), err)
		}
		card, err := client.Get[client.Scorecard](ctx, g.as["rita"], "/scorecards/default/ready", url.Values{"team": {"tribe"}})
		if err != nil || card.Entities != 1 || card.Levels[2].Entities != 1 {
			t.Errorf("of one team: %+v, %v", card, err)
		}
		days, err := client.Get[client.List[client.ScorecardDay]](ctx, g.as["rita"], "/scorecards/default/ready/trend", nil)
		if err != nil || len(days.Items) != 1 || days.Items[0].Entities != 2 || days.Items[0].Levels["silver"] != 1 || days.Items[0].Failing["system"] != 1 {
			t.Errorf("trend: %+v, %v", days.Items, err)
		}
		failing, err := client.Get[client.List[client.ScorecardResult]](ctx, g.as["rita"], "/scorecards/default/ready/entities", url.Values{"failing": {"system"}})
		if err != nil || len(failing.Items) != 1 || failing.Items[0].Entity != "component:default/plain" {
			t.Errorf("failing: %+v, %v", failing.Items, err)
		}

		// Who reads in one space alone counts what is there.
		if err := g.as["admin"].Do(ctx, http.MethodPost, "/apply", nil, map[string]string{"space": "lab", "source": "lab", "documents": `{apiVersion: backstage.io/v1alpha1, kind: Component, metadata: {name: hidden-lab}, spec: {type: service, lifecycle: production, owner: tribe}}`}, nil); err != nil {
			t.Fatal(err)
		}
		g.standing("mallory", "component/default/hidden-lab", "bronze>silver:says")
		if card, err = client.Get[client.Scorecard](ctx, g.as["mallory"], "/scorecards/default/ready", nil); err != nil || card.Entities != 1 {
			t.Errorf("mallory counts %+v, %v", card, err)
		}
		if _, err := client.Get[client.List[client.Standing]](ctx, g.as["mallory"], "/entities/component/default/good/scorecards", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory asks about what is hidden: %v", err)
		}
		if page, err := client.Get[client.List[client.ScorecardResult]](ctx, g.as["mallory"], "/scorecards/default/ready/entities", nil); err != nil || len(page.Items) != 1 {
			t.Errorf("mallory lists %+v, %v", page.Items, err)
		}

		// A changed scorecard judges everything anew; one that is gone says nothing.
		g.apply(strings.Replace(judgingCard, "has(entity.metadata.description)", `entity.metadata.name == "plain"`, 1))
		g.standing("rita", "component/default/good", "bronze>silver:says")
		g.standing("rita", "component/default/plain", "silver>gold:system")
		if err := g.as["admin"].Do(ctx, http.MethodDelete, "/entities/scorecard/default/ready", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		g.standing("rita", "component/default/good", "")
		if _, err := client.Get[client.Scorecard](ctx, g.as["rita"], "/scorecards/default/ready", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("one that is gone: %v", err)
		}
	})
}

// TestARadarShowsWhoUsesWhat counts as far as the reader may see.
func TestARadarShowsWhoUsesWhat(t *testing.T) {
	eachGround(t, false, func(t *testing.T, g *ground) {
		g.apply(judgedThings)
		g.apply(`
apiVersion: roadbed.dev/v1
kind: TechRadar
metadata: {name: company, title: Ours}
spec:
  quadrants: [{id: a}, {id: b}, {id: c}, {id: d, title: Languages}]
  rings: [{id: adopt, title: Adopt}, {id: hold}]
  entries: [{id: go, quadrant: d, ring: adopt, tag: erlang}, {id: shell, quadrant: d, ring: hold, moved: out}]
`)
		ctx := t.Context()
		all, err := client.Get[client.List[client.Radar]](ctx, g.as["rita"], "/radars", nil)
		if err != nil || len(all.Items) != 1 || all.Items[0].Title != "Ours" {
			t.Fatalf("%+v, %v", all.Items, err)
		}
		r, err := client.Get[client.Radar](ctx, g.as["rita"], "/radars/default/company", nil)
		if err != nil || len(r.Entries) != 2 || r.Entries[0].Users != 2 || r.Entries[1].Users != 0 || r.Entries[1].Moved != "out" {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := client.Get[client.Radar](ctx, g.as["mallory"], "/radars/default/company", nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("mallory sees it: %v", err)
		}
	})
}
