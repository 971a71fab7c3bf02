package client

import (
	"encoding/json"
	"time"
)

// Decision is what the policies of a space said at a point. GET /decisions (policy:read).
type Decision struct {
	ID       string              `json:"id"`
	Point    string              `json:"point" example:"plan"`
	Space    string              `json:"space"`
	Run      string              `json:"run,omitempty"`
	Subject  string              `json:"subject,omitempty"`
	Who      *Actor              `json:"who,omitempty" doc:"Who the subject is, when it is somebody."`
	Outcome  map[string][]string `json:"outcome" doc:"Rule to messages: deny, warn, approve, reject, …"`
	Policies []string            `json:"policies" doc:"Those that were asked."`
	Time     time.Time           `json:"time"`
}

// DecisionDetail is a decision with what it was made from. GET /decisions/{id} (policy:read).
type DecisionDetail struct {
	Decision
	Input json.RawMessage `json:"input,omitempty" doc:"Absent when it was too large to be kept."`
}

// PolicyTest is what one test of a policy came to. POST /policies/check (policy:simulate).
type PolicyTest struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Error  string `json:"error,omitempty"`
}

// Replay says what a policy would have changed: how many recorded decisions were examined, and which would have come out
// otherwise. POST /policies/replay (policy:simulate).
type Replay struct {
	Examined int            `json:"examined"`
	Failed   int            `json:"failed"`
	Skipped  int            `json:"skipped" doc:"Whose input is no longer kept."`
	Looked   int            `json:"looked" doc:"Decisions at the point that this part looked at."`
	Total    int            `json:"total,omitempty" doc:"How many there are in all, told by the first part."`
	Next     string         `json:"next,omitempty" doc:"Cursor of the next part; absent when all were looked at."`
	Stopped  bool           `json:"stopped" doc:"Time ran out, or much has changed, before the limit; next goes on."`
	Changed  []ReplayChange `json:"changed"`
}

// ReplayChange is one decision that would have come out differently.
type ReplayChange struct {
	Decision Decision            `json:"decision"`
	Before   map[string][]string `json:"before"`
	After    map[string][]string `json:"after"`
}

// Policy is a policy as it is in effect. GET /policies (policy:read).
type Policy struct {
	Ref         string   `json:"ref" example:"policy:default/four-eyes"`
	Space       string   `json:"space"`
	Point       string   `json:"point" example:"plan"`
	Description string   `json:"description"`
	Version     string   `json:"version" doc:"Digest of its text."`
	Disabled    bool     `json:"disabled,omitempty"`
	Labels      []string `json:"labels,omitempty" doc:"It is asked about what has one of them; with subjects, absent for all in its space and below."`
	Subjects    []string `json:"subjects,omitempty"`
}

// PolicyDetail is a policy with its source. GET /policies/{namespace}/{name} (policy:read).
type PolicyDetail struct {
	Policy
	Rego   string `json:"rego"`
	MayTry bool   `json:"mayTry" doc:"The caller may try and replay policies."`
}

// PolicyPoint is a place of the platform at which policies are asked. GET /policy-points.
type PolicyPoint struct {
	Name  string   `json:"name"`
	About string   `json:"about"`
	Rules []string `json:"rules"`
}

// PolicyTry is what a policy says of one input. POST /policies/try (policy:simulate).
type PolicyTry struct {
	Says    map[string][]string        `json:"says" doc:"What it says itself, by rule."`
	Gives   map[string]json.RawMessage `json:"gives,omitempty" doc:"What rules give that is more than words."`
	Error   string                     `json:"error,omitempty" doc:"Why it can't decide."`
	Notes   []string                   `json:"notes,omitempty" doc:"Functions that failed."`
	Outcome map[string][]string        `json:"outcome" doc:"With what the other policies said in the decision."`
	Before  map[string][]string        `json:"before,omitempty" doc:"What the decision was."`
}
