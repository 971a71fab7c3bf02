package client

import "time"

// Source is an outside system that pushes documents. GET /sources and GET /sources/{name} (entity:read);
// PUT /sources/{name}/entities takes all that it has, PATCH what has changed (source:push, for restricted kinds also the
// right that they take), each with If-Match; DELETE /sources/{name} deletes what it has pushed (source:push and
// entity:delete). A token with the scope source:push=NAME pushes to that one alone.
type Source struct {
	Name      string        `json:"name" example:"cmdb"`
	Space     string        `json:"space"`
	Etag      string        `json:"etag" doc:"Changes with each push that is taken."`
	Entities  int           `json:"entities" doc:"That it has brought."`
	Created   time.Time     `json:"created"`
	CreatedBy Actor         `json:"createdBy"`
	Pushed    time.Time     `json:"pushed" doc:"When the last push that was not as the one before began."`
	PushedBy  Actor         `json:"pushedBy"`
	Ended     time.Time     `json:"ended,omitzero" doc:"Of the last push; absent while it is under way, or when it was cut off."`
	Last      Brought       `json:"last"`
	Problems  []FileProblem `json:"problems" doc:"What of the last push could not be taken, at most 50; lists leave them out."`
}

// Brought counts what became of documents.
type Brought struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Unchanged int `json:"unchanged"`
	Deleted   int `json:"deleted"`
	Wrong     int `json:"wrong" doc:"That were not taken; their last good state stays."`
}
