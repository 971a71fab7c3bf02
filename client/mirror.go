package client

import "time"

// Import is where a repository comes from, and how far that is. POST /repositories makes one with it (repository:create).
type Import struct {
	URL      string     `json:"url"`
	Username string     `json:"username,omitempty"`
	Secret   string     `json:"secret,omitempty" doc:"SPACE/NAME or SPACE/NAME#KEY of the secret that is its password."`
	Every    string     `json:"every,omitempty" doc:"How long between looks for what moved there, such as 15m0s; absent for an import that is done once."`
	State    string     `json:"state" enum:"waiting,running,ready,failed,canceled"`
	Phase    string     `json:"phase,omitempty" doc:"What git does now, such as Receiving objects."`
	Done     int64      `json:"done,omitempty" doc:"Of the phase's total."`
	Total    int64      `json:"total,omitempty"`
	Bytes    int64      `json:"bytes,omitempty" doc:"Received so far, or at the end."`
	Refs     int64      `json:"refs,omitempty" doc:"Branches and tags that were there."`
	Attempts int        `json:"attempts,omitempty" doc:"That failed one after the other."`
	Due      *time.Time `json:"due,omitempty" doc:"When it is tried next."`
	Error    string     `json:"error,omitempty" doc:"Of the last attempt."`
	Fetched  *time.Time `json:"fetched,omitempty" doc:"When it succeeded last."`
}

// Mirror is where the branches and tags of a repository are pushed on to. GET and POST
// /repositories/{namespace}/{name}/mirrors, DELETE …/mirrors/{id} (repository:admin). Its Etag is for Client.When.
type Mirror struct {
	ID          string     `json:"id"`
	URL         string     `json:"url" doc:"Or OWNER/NAME at the forge of the integration."`
	Username    string     `json:"username,omitempty"`
	Secret      string     `json:"secret,omitempty" doc:"SPACE/NAME or SPACE/NAME#KEY of the secret that is its password."`
	Integration string     `json:"integration,omitempty"`
	Patterns    []string   `json:"patterns" doc:"Of references; empty for all branches and tags."`
	Every       string     `json:"every" doc:"How long between looks without a push, such as 1h0m0s."`
	Force       bool       `json:"force" doc:"What is there and not from here is overwritten and deleted."`
	State       string     `json:"state" enum:"waiting,running,ready,failed" doc:"Waiting until it was pushed to for the first time."`
	Attempts    int        `json:"attempts,omitempty" doc:"That failed one after the other."`
	Due         *time.Time `json:"due,omitempty" doc:"When it is pushed to next, if nothing is pushed here before."`
	Error       string     `json:"error,omitempty" doc:"Of the last attempt."`
	Failing     *time.Time `json:"failing,omitempty" doc:"Since when it fails."`
	Pushed      *time.Time `json:"pushed,omitempty" doc:"When all was there last."`
	Created     time.Time  `json:"created"`
	By          Actor      `json:"by"`
	Etag        string     `json:"etag" doc:"Changes with what it is, and not with its pushes."`
}
