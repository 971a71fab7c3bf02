package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/roadbed-dev/roadbed/client"
	"github.com/roadbed-dev/roadbed/internal/core/access"
	"github.com/roadbed-dev/roadbed/internal/core/document"
	"github.com/roadbed-dev/roadbed/internal/product/insight"
	"github.com/roadbed-dev/roadbed/internal/words/fault"
	"github.com/roadbed-dev/roadbed/internal/words/ref"
)

func (a *API) scorecardRoutes() {
	const one, noun, of = "/scorecards/{namespace}/{name}", "scorecards", "/entities/{kind}/{namespace}/{name}/scorecards"
	register(a, operation("listScorecards", http.MethodGet, "/scorecards", noun, "Scorecards, by reference"), a.listScorecards)
	register(a, operation("getScorecard", http.MethodGet, one, noun, "A scorecard: its rules, and how many are at which level"), a.getScorecard)
	register(a, operation("getScorecardTrend", http.MethodGet, one+"/trend", noun, "How many were at which level, day by day"), a.getScorecardTrend)
	register(a, operation("listScorecardEntities", http.MethodGet, one+"/entities", noun, "What a scorecard says of entities, by reference"), a.listScorecardEntities)
	register(a, operation("listScorecardTeams", http.MethodGet, one+"/teams", noun, "What a scorecard says by owner, with nested groups"), a.listScorecardTeams)
	register(a, operation("previewScorecard", http.MethodPost, "/scorecards/preview", noun, "What a scorecard would say that is not applied"), a.previewScorecard)
	register(a, operation("listStandings", http.MethodGet, of, noun, "What all scorecards say of an entity, and what to do for the next level"), a.listStandings)
	register(a, operation("listStandingHistory", http.MethodGet, of+"/history", noun, "How an entity was judged, newest first"), a.listStandingHistory)
	register(a, operation("listRadars", http.MethodGet, "/radars", noun, "Technology radars, by reference"), a.listRadars)
	register(a, operation("getRadar", http.MethodGet, "/radars/{namespace}/{name}", noun, "A technology radar, and how many use its entries"), a.getRadar)
}

// TeamFilter narrows what is counted. It is exported because huma passes over embedded structs that are not.
type TeamFilter struct {
	Team string `query:"team" maxLength:"500" doc:"Count only what this group has, with the groups below it, or this user; a bare name is a group."`
}

type listScorecardsInput struct {
	Paging
	TeamFilter
}

func (a *API) listScorecards(ctx context.Context, in *listScorecardsInput) (*body[List[client.Scorecard]], error) {
	part, err := a.Insight.List(ctx, in.Team, in.part())
	return listPart(part, wireScorecard), err
}

// ScorecardInput names a scorecard, and whose things are counted.
type ScorecardInput struct {
	Named
	TeamFilter
}

func (a *API) getScorecard(ctx context.Context, in *ScorecardInput) (*body[client.Scorecard], error) {
	o, err := a.Insight.Get(ctx, in.ref("scorecard"), in.Team)
	if err != nil {
		return nil, err
	}
	return answer(wireScorecard(o)), nil
}

func wireScorecard(o insight.Overview) client.Scorecard {
	return client.Scorecard{
		Ref: o.Ref.String(), Namespace: o.Ref.Namespace, Name: o.Ref.Name, Space: o.Space, Owner: o.Owner, Title: o.Title, Description: o.Description,
		Levels: wireLevels(o.Spec, o.Counts), Rules: wireJudged(o.Spec, o.Counts), Entities: o.Counts.Entities, None: o.Counts.Levels[""],
		Judging: o.Judging, Judged: moment(o.Judged), Error: o.Error, Cut: o.Cut,
	}
}

func wireLevels(spec insight.Spec, counts insight.Counts) []client.ScorecardLevel {
	levels := make([]client.ScorecardLevel, len(spec.Levels))
	for i, l := range spec.Levels {
		levels[i] = client.ScorecardLevel{Name: l.Name, Title: l.Title, Color: l.Color, Entities: counts.Levels[l.Name]}
	}
	return levels
}

func wireJudged(spec insight.Spec, counts insight.Counts) []client.ScorecardRule {
	rules := make([]client.ScorecardRule, len(spec.Rules))
	for i, r := range spec.Rules {
		rules[i] = client.ScorecardRule{
			ID: r.ID, Title: r.Title, Description: r.Description, Level: r.Level, Expression: r.Expression, Remedy: r.Remedy, Failing: counts.Failed[r.ID],
		}
	}
	return rules
}

// namedLevels gives counts by level, of which none has a name here.
func namedLevels(levels map[string]int) map[string]int {
	named := map[string]int{}
	for name, n := range levels {
		named[cmp.Or(name, "none")] = n
	}
	return named
}

func orEmpty(counts map[string]int) map[string]int {
	if counts == nil {
		return map[string]int{}
	}
	return maps.Clone(counts)
}

func ids(list []string) []string {
	return append([]string{}, list...)
}

type trendInput struct {
	ScorecardInput
	Days int `query:"days" minimum:"1" maximum:"400" default:"90" doc:"How many, to today."`
}

// ScorecardDays are what was counted day by day.
type ScorecardDays struct {
	Items []client.ScorecardDay `json:"items"`
	Cut   bool                  `json:"cut,omitempty" doc:"There are more groups below the team than are counted."`
}

func (a *API) getScorecardTrend(ctx context.Context, in *trendInput) (*body[ScorecardDays], error) {
	days, err := a.Insight.Trend(ctx, in.ref("scorecard"), in.Team, in.Days)
	if err != nil {
		return nil, err
	}
	out := make([]client.ScorecardDay, len(days.Items))
	for i, d := range days.Items {
		out[i] = client.ScorecardDay{Day: d.Day, Entities: d.Counts.Entities, Levels: namedLevels(d.Counts.Levels), Failing: orEmpty(d.Counts.Failed)}
	}
	return answer(ScorecardDays{out, days.Cut}), nil
}

type scorecardEntitiesInput struct {
	ScorecardInput
	Paging
	Level   string `query:"level" maxLength:"63" doc:"Only what is at this level; none is what has no level."`
	Failing string `query:"failing" maxLength:"63" doc:"Only what fails the rule of this id."`
}

// ScorecardResults are a page of what a scorecard says.
type ScorecardResults struct {
	Items []client.ScorecardResult `json:"items"`
	Next  string                   `json:"next,omitempty"`
	Cut   bool                     `json:"cut,omitempty" doc:"There are more groups below the team than are looked at."`
}

func (a *API) listScorecardEntities(ctx context.Context, in *scorecardEntitiesInput) (*body[ScorecardResults], error) {
	part, err := a.Insight.Results(ctx, in.ref("scorecard"), insight.ResultQuery{Level: in.Level, Team: in.Team, Failing: in.Failing}, in.part())
	if err != nil {
		return nil, err
	}
	return answer(ScorecardResults{listPart(part.Of, wireResult).Body.Items, part.Next, part.Cut}), nil
}

func wireResult(r insight.Result) client.ScorecardResult {
	return client.ScorecardResult{Entity: r.Entity, Space: r.Space, Owner: r.Owner, Level: r.Level, Failed: ids(r.Failed), Errors: r.Errors, Since: moment(r.Since)}
}

type scorecardTeamsInput struct {
	Named
	Paging
}

func (a *API) listScorecardTeams(ctx context.Context, in *scorecardTeamsInput) (*body[List[client.ScorecardTeam]], error) {
	part, err := a.Insight.Teams(ctx, in.ref("scorecard"), in.part())
	return listPart(part, func(t insight.Team) client.ScorecardTeam {
		return client.ScorecardTeam{Owner: t.Owner, Own: t.Own.Entities, Entities: t.All.Entities, Levels: namedLevels(t.All.Levels), Failing: orEmpty(t.All.Failed), Cut: t.Cut}
	}), err
}

type previewScorecardInput struct {
	Body struct {
		Document string `json:"document" maxLength:"524288" doc:"A Scorecard, in YAML or JSON."`
		Space    string `json:"space,omitempty" maxLength:"63" doc:"Where it would be; the root space when left out."`
		Entity   string `json:"entity,omitempty" maxLength:"500" doc:"Reference of the one entity to judge; without it a sample is judged. A bare name is a component."`
	}
}

func (a *API) previewScorecard(ctx context.Context, in *previewScorecardInput) (*body[client.ScorecardPreview], error) {
	space := cmp.Or(in.Body.Space, access.Root)
	if err := a.Access.Authorize(ctx, "entity:read", space); err != nil {
		return nil, err // before anything is read
	}
	docs, err := document.Parse("document", []byte(in.Body.Document), document.Limits{})
	if err != nil {
		return nil, err
	}
	if len(docs) != 1 {
		return nil, fault.Errorf(fault.Invalid, "there are %d documents; send one Scorecard", len(docs))
	}
	var name *ref.Entity
	if in.Body.Entity != "" {
		r, err := ref.Parse(in.Body.Entity, "component", ref.DefaultNamespace)
		if err != nil {
			return nil, err
		}
		name = &r
	}
	p, err := a.Insight.Preview(ctx, space, docs[0], name)
	if err != nil {
		return nil, err
	}
	out := client.ScorecardPreview{
		Levels: wireLevels(p.Spec, p.Counts), Rules: wireJudged(p.Spec, p.Counts), Entities: p.Counts.Entities, None: p.Counts.Levels[""],
		Looked: p.Looked, Whole: p.Whole, Chosen: p.Chosen, Results: make([]client.ScorecardResult, len(p.Results)),
	}
	for i, r := range p.Results {
		out.Results[i] = wireResult(r)
	}
	return answer(out), nil
}

type listStandingsInput struct {
	EntityInput
	Paging
}

func (a *API) listStandings(ctx context.Context, in *listStandingsInput) (*body[List[client.Standing]], error) {
	part, err := a.Insight.Standings(ctx, in.ref(), in.part())
	return listPart(part, wireStanding), err
}

func wireStanding(s insight.Standing) client.Standing {
	c, r := s.Scorecard, s.Result
	out := client.Standing{
		Scorecard: c.Ref.String(), Namespace: c.Ref.Namespace, Name: c.Ref.Name, Title: c.Title, Description: c.Description,
		Level: r.Level, Since: moment(r.Since), Next: s.Next, Missing: []string{}, Levels: make([]client.StandingLevel, len(c.Spec.Levels)), Rules: make([]client.StandingRule, len(c.Spec.Rules)),
	}
	reached := r.Level != ""
	for i, l := range c.Spec.Levels {
		out.Levels[i] = client.StandingLevel{Name: l.Name, Title: l.Title, Color: l.Color, Reached: reached}
		reached = reached && l.Name != r.Level
	}
	for _, rule := range s.Missing {
		out.Missing = append(out.Missing, rule.ID)
	}
	for i, rule := range c.Spec.Rules {
		passed := !slices.Contains(r.Failed, rule.ID)
		out.Rules[i] = client.StandingRule{
			ID: rule.ID, Title: rule.Title, Description: rule.Description, Level: rule.Level, Passed: passed, Error: r.Errors[rule.ID], Remedy: rule.Remedy,
		}
		if passed {
			out.Passed++
		}
	}
	return out
}

type standingHistoryInput struct {
	EntityInput
	Paging
	Scorecard string `query:"scorecard" maxLength:"500" doc:"Only by this one; a reference."`
}

func (a *API) listStandingHistory(ctx context.Context, in *standingHistoryInput) (*body[List[client.ScorecardChange]], error) {
	part, err := a.Insight.History(ctx, in.ref(), in.Scorecard, in.part())
	return listPart(part, func(c insight.Changed) client.ScorecardChange {
		return client.ScorecardChange{Scorecard: c.Scorecard, Time: c.Time, Level: c.Level, Failed: ids(c.Failed), Gone: c.Gone}
	}), err
}

type listRadarsInput struct{ Paging }

func (a *API) listRadars(ctx context.Context, in *listRadarsInput) (*body[List[client.Radar]], error) {
	part, err := a.Insight.Radars(ctx, in.part())
	return listPart(part, wireRadar), err
}

type radarInput struct{ Named }

func (a *API) getRadar(ctx context.Context, in *radarInput) (*body[client.Radar], error) {
	r, err := a.Insight.Radar(ctx, in.ref("techradar"))
	if err != nil {
		return nil, err
	}
	return answer(wireRadar(r)), nil
}

func wireRadar(r insight.Radar) client.Radar {
	out := client.Radar{
		Ref: r.Ref.String(), Namespace: r.Ref.Namespace, Name: r.Ref.Name, Space: r.Space, Owner: r.Owner, Title: r.Title, Description: r.Description,
		Quadrants: make([]client.Quadrant, len(r.Spec.Quadrants)), Rings: make([]client.Ring, len(r.Spec.Rings)), Entries: make([]client.RadarEntry, len(r.Spec.Entries)),
	}
	for i, q := range r.Spec.Quadrants {
		out.Quadrants[i] = client.Quadrant(q)
	}
	for i, ring := range r.Spec.Rings {
		out.Rings[i] = client.Ring(ring)
	}
	for i, b := range r.Spec.Entries {
		e := client.RadarEntry{
			ID: b.ID, Title: b.Title, Quadrant: b.Quadrant, Ring: b.Ring, Description: b.Description, Moved: b.Moved, Tag: b.Tag, Users: r.Users[b.ID],
			Links: make([]client.RadarLink, len(b.Links)), Timeline: make([]client.RadarMoment, len(b.Timeline)),
		}
		for j, l := range b.Links {
			e.Links[j] = client.RadarLink(l)
		}
		for j, m := range b.Timeline {
			e.Timeline[j] = client.RadarMoment{Date: m.Date, Ring: m.Ring, Description: m.Description}
		}
		out.Entries[i] = e
	}
	return out
}
