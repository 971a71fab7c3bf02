package client

import (
	"encoding/json"
	"time"
)

// Run is one action of the platform. GET /runs (query: kind, subject, state, commit, …), the newest first (run:read). What
// its State may be depends on its Kind; Terminal and Waiting are for programs.
type Run struct {
	ID       string          `json:"id" example:"run_01k2v6x8zq3m5n7p9r1s3t5v7x"`
	Kind     string          `json:"kind" example:"stack"`
	Space    string          `json:"space"`
	Subject  string          `json:"subject,omitempty" doc:"Entity it acts on." example:"stack:default/shop-infra"`
	Refs     []string        `json:"refs,omitempty" doc:"Other entities it touches."`
	Title    string          `json:"title"`
	State    string          `json:"state" example:"unconfirmed"`
	Reason   string          `json:"reason,omitempty" doc:"Why it is in that state, for people."`
	Terminal bool            `json:"terminal"`
	Waiting  bool            `json:"waiting" doc:"For a person's review."`
	Actor    Actor           `json:"actor"`
	Cause    string          `json:"cause,omitempty" doc:"Ledger entry that started it."`
	Source   *RunSource      `json:"source,omitempty"`
	Input    json.RawMessage `json:"input,omitempty"`
	Output   json.RawMessage `json:"output,omitempty"`
	Warnings []string        `json:"warnings,omitempty"`
	Created  time.Time       `json:"created"`
	Started  *time.Time      `json:"started,omitempty"`
	Ended    *time.Time      `json:"ended,omitempty"`
	Updated  time.Time       `json:"updated"`
	Version  int64           `json:"version"`
	Can      []string        `json:"can" doc:"What the caller may do with it now, as far as can be told without its steps in a list: confirm, discard, approve, reject, cancel, retry, undo, promote, replan, prioritize, unprioritize, mark (an external dependency)."`

	Prioritized bool `json:"prioritized,omitempty" doc:"It goes before others in its queues."`
}

// RunSource is the commit that a run works on; Ref is the branch or tag that brought it.
type RunSource struct {
	Repository string `json:"repository"`
	Commit     string `json:"commit,omitempty"`
	Ref        string `json:"ref,omitempty"`
}

// Step is one piece of a run's work. Attempt counts from 1; Outputs are small texts, Artifacts are kept by their digest.
type Step struct {
	ID        string              `json:"id"`
	Key       string              `json:"key" doc:"Unique within the run."`
	Title     string              `json:"title"`
	State     string              `json:"state" enum:"waiting,ready,leased,succeeded,failed,skipped,canceled"`
	Reason    string              `json:"reason,omitempty"`
	Attempt   int                 `json:"attempt"`
	Group     string              `json:"group,omitempty"`
	Position  int                 `json:"position"`
	Worker    string              `json:"worker,omitempty"`
	Data      json.RawMessage     `json:"data,omitempty"`
	Outputs   map[string]string   `json:"outputs,omitempty"`
	Artifacts map[string]Artifact `json:"artifacts,omitempty"`
	Started   *time.Time          `json:"started,omitempty"`
	Ended     *time.Time          `json:"ended,omitempty"`
}

// Artifact is a file or a folder that a step left.
type Artifact struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size" doc:"Bytes."`
	Kind   string `json:"kind"`
}

// Review is what a person said of a run: POST /runs/{id}/confirm, POST /runs/{id}/discard, POST /runs/{id}/approve and POST
// /runs/{id}/reject (run:confirm, and what the approval policies say) take {note} and give a RunDetail.
type Review struct {
	ID      string    `json:"id"`
	Actor   Actor     `json:"actor"`
	Verdict string    `json:"verdict"`
	Note    string    `json:"note,omitempty"`
	State   string    `json:"state"`
	Time    time.Time `json:"time"`
}

// RunDetail is a run with all that its page shows. GET /runs/{id}, and live Client.FollowRun (run:read). POST
// /runs/{id}/cancel (run:cancel), POST /runs/{id}/retry (run:retry) and POST /runs/{id}/undo, of a golden path, give it too. POST
// /runs/{id}/promote begins a tracked run at the commit of a preview (stack:apply), and gives that one.
type RunDetail struct {
	Run
	Wait      *RunWait             `json:"wait,omitempty" doc:"Of a stack's run: what it waits for, unless that is a person."`
	External  []ExternalDependency `json:"external,omitempty" doc:"Of a stack's run that a push policy began: what has to be done outside before it begins."`
	Steps     []Step               `json:"steps"`
	Reviews   []Review             `json:"reviews"`
	Decisions []Decision           `json:"decisions"`
}
