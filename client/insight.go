package client

import "time"

// Scorecard is what is wanted of entities, with what it says of those that the reader may see. GET
// /scorecards/{namespace}/{name}.
type Scorecard struct {
	Ref         string           `json:"ref"`
	Namespace   string           `json:"namespace"`
	Name        string           `json:"name"`
	Space       string           `json:"space"`
	Owner       string           `json:"owner,omitempty"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Levels      []ScorecardLevel `json:"levels" doc:"The lowest first."`
	Rules       []ScorecardRule  `json:"rules"`
	Entities    int              `json:"entities" doc:"That it judges and the reader may see."`
	None        int              `json:"none" doc:"Of these, those without a level."`
	Judging     bool             `json:"judging" doc:"Not everything is judged by what it says now."`
	Judged      *time.Time       `json:"judged,omitempty" doc:"When everything was judged last."`
	Error       string           `json:"error,omitempty" doc:"Why it can't judge; what it said before stays."`
	Cut         bool             `json:"cut,omitempty" doc:"There are more groups below the team than are counted."`
}

// ScorecardLevel is a level and how many are at it.
type ScorecardLevel struct {
	Name     string `json:"name"`
	Title    string `json:"title,omitempty"`
	Color    string `json:"color,omitempty"`
	Entities int    `json:"entities" doc:"At this level, and at none above."`
}

// ScorecardRule is a rule and how many fail it.
type ScorecardRule struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Level       string `json:"level"`
	Expression  string `json:"expression" doc:"CEL."`
	Remedy      string `json:"remedy,omitempty" doc:"What to do when it fails; Markdown."`
	Failing     int    `json:"failing"`
}

// ScorecardDay is what was counted at the end of a day. GET /scorecards/{namespace}/{name}/trend.
type ScorecardDay struct {
	Day      string         `json:"day" format:"date" doc:"UTC."`
	Entities int            `json:"entities"`
	Levels   map[string]int `json:"levels" doc:"By name; none is what has no level."`
	Failing  map[string]int `json:"failing" doc:"By rule."`
}

// ScorecardResult is what a scorecard says of an entity. GET /scorecards/{namespace}/{name}/entities.
type ScorecardResult struct {
	Entity string            `json:"entity"`
	Space  string            `json:"space"`
	Owner  string            `json:"owner,omitempty"`
	Level  string            `json:"level,omitempty" doc:"Absent where it has none."`
	Failed []string          `json:"failed" doc:"Ids of rules."`
	Errors map[string]string `json:"errors,omitempty" doc:"By rule: why it could not be evaluated, and so is not passed."`
	Since  *time.Time        `json:"since,omitempty" doc:"It is at this level."`
}

// ScorecardTeam is what a scorecard says of what an owner has. GET /scorecards/{namespace}/{name}/teams.
type ScorecardTeam struct {
	Owner    string         `json:"owner,omitempty" doc:"Absent for what has none."`
	Own      int            `json:"own" doc:"Entities that it owns itself."`
	Entities int            `json:"entities" doc:"With those of the groups below."`
	Levels   map[string]int `json:"levels" doc:"Of these, by name; none is what has no level."`
	Failing  map[string]int `json:"failing" doc:"Of these, by rule."`
	Cut      bool           `json:"cut,omitempty" doc:"Not all groups above it could be looked at, so that they count too little."`
}

// Standing is what a scorecard says of one entity, and what to do about it. GET
// /entities/{kind}/{namespace}/{name}/scorecards.
type Standing struct {
	Scorecard   string          `json:"scorecard"`
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Levels      []StandingLevel `json:"levels" doc:"The lowest first."`
	Level       string          `json:"level,omitempty" doc:"Absent where it has none."`
	Since       *time.Time      `json:"since,omitempty"`
	Next        string          `json:"next,omitempty" doc:"The level above; absent at the highest."`
	Missing     []string        `json:"missing" doc:"Rules to pass for the next level."`
	Rules       []StandingRule  `json:"rules"`
	Passed      int             `json:"passed"`
}

// StandingLevel is a level of a scorecard.
type StandingLevel struct {
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Color   string `json:"color,omitempty"`
	Reached bool   `json:"reached"`
}

// StandingRule is a rule, and whether the entity passes it.
type StandingRule struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Level       string `json:"level"`
	Passed      bool   `json:"passed"`
	Error       string `json:"error,omitempty" doc:"Why it could not be evaluated."`
	Remedy      string `json:"remedy,omitempty" doc:"What to do when it fails; Markdown."`
}

// ScorecardChange is a moment at which a scorecard began to say something else of an entity. GET
// /entities/{kind}/{namespace}/{name}/scorecards/history.
type ScorecardChange struct {
	Scorecard string    `json:"scorecard"`
	Time      time.Time `json:"time"`
	Level     string    `json:"level,omitempty" doc:"Absent where it had none."`
	Failed    []string  `json:"failed"`
	Gone      bool      `json:"gone,omitempty" doc:"It was not judged any more."`
}

// ScorecardPreview is what a scorecard that is not applied would say. POST /scorecards/preview.
type ScorecardPreview struct {
	Levels   []ScorecardLevel  `json:"levels"`
	Rules    []ScorecardRule   `json:"rules"`
	Entities int               `json:"entities" doc:"That were judged."`
	None     int               `json:"none" doc:"Of these, those without a level."`
	Looked   int               `json:"looked" doc:"Entities among which these were chosen."`
	Whole    bool              `json:"whole" doc:"There are no others that the reader may see."`
	Chosen   bool              `json:"chosen" doc:"Of the entity that was named: the scorecard is for it."`
	Results  []ScorecardResult `json:"results"`
}

// Radar is a technology radar. GET /radars/{namespace}/{name}.
type Radar struct {
	Ref         string       `json:"ref"`
	Namespace   string       `json:"namespace"`
	Name        string       `json:"name"`
	Space       string       `json:"space"`
	Owner       string       `json:"owner,omitempty"`
	Title       string       `json:"title,omitempty"`
	Description string       `json:"description,omitempty"`
	Quadrants   []Quadrant   `json:"quadrants" doc:"Clockwise from the upper right."`
	Rings       []Ring       `json:"rings" doc:"The innermost first."`
	Entries     []RadarEntry `json:"entries"`
}

// Quadrant is a sort of technologies.
type Quadrant struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
}

// Ring is a stance towards technologies.
type Ring struct {
	ID          string `json:"id"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Color       string `json:"color,omitempty"`
}

// RadarEntry is a technology.
type RadarEntry struct {
	ID          string        `json:"id"`
	Title       string        `json:"title,omitempty"`
	Quadrant    string        `json:"quadrant"`
	Ring        string        `json:"ring"`
	Description string        `json:"description,omitempty" doc:"Markdown."`
	Moved       string        `json:"moved,omitempty" enum:"in,out,new" doc:"Since last time; absent where it has not."`
	Tag         string        `json:"tag,omitempty" doc:"Of entities that use it."`
	Users       int           `json:"users" doc:"Entities with the tag that the reader may see."`
	Links       []RadarLink   `json:"links"`
	Timeline    []RadarMoment `json:"timeline"`
}

// RadarLink leads elsewhere.
type RadarLink struct {
	Title string `json:"title,omitempty"`
	URL   string `json:"url"`
}

// RadarMoment is when a technology came to a ring.
type RadarMoment struct {
	Date        string `json:"date" format:"date"`
	Ring        string `json:"ring"`
	Description string `json:"description,omitempty"`
}

// Metric is a number that an outside system has measured of an entity. PUT and DELETE
// /entities/{kind}/{namespace}/{name}/metrics/{metric}, and GET …/metrics.
type Metric struct {
	Name  string    `json:"name"`
	Value float64   `json:"value"`
	Unit  string    `json:"unit,omitempty"`
	URL   string    `json:"url,omitempty" doc:"Where to look."`
	At    time.Time `json:"at" doc:"When it was measured."`
}

// Finding is something that an outside system has found to be wrong with an entity. GET
// /entities/{kind}/{namespace}/{name}/findings.
type Finding struct {
	Source   string    `json:"source"`
	ID       string    `json:"id" doc:"Within the source."`
	Severity string    `json:"severity" enum:"critical,high,medium,low,info"`
	Title    string    `json:"title"`
	URL      string    `json:"url,omitempty" doc:"Where to look."`
	At       time.Time `json:"at" doc:"When it was found."`
}

// NewFinding is a finding as it is pushed. PUT /entities/{kind}/{namespace}/{name}/findings/{source}.
type NewFinding struct {
	ID       string     `json:"id" minLength:"1" maxLength:"200" doc:"What tells it from the others of the source."`
	Severity string     `json:"severity" enum:"critical,high,medium,low,info"`
	Title    string     `json:"title" minLength:"1" maxLength:"500"`
	URL      string     `json:"url,omitempty" maxLength:"2000" doc:"Where to look: https://…"`
	At       *time.Time `json:"at,omitempty" doc:"When it was found; without it, when it was pushed first."`
}

// FindingCounts are how many findings a source has of an entity after a push, by severity.
type FindingCounts struct {
	Source string         `json:"source"`
	Counts map[string]int `json:"counts" doc:"By severity."`
}
