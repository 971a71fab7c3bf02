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
	Stopped  bool           `json:"stopped" doc:"Time ran out before all were examined."`
	Changed  []ReplayChange `json:"changed"`
}

// ReplayChange is one decision that would have come out differently.
type ReplayChange struct {
	Decision Decision            `json:"decision"`
	Before   map[string][]string `json:"before"`
	After    map[string][]string `json:"after"`
}
