package client

import "time"

// Configuration is a folder that somebody uploaded to a stack, to be planned or applied.
// POST /stacks/{namespace}/{name}/configurations takes it as tar.gz (stack:plan), GET lists what was uploaded (stack:read); a run
// of it begins with its id as "configuration".
type Configuration struct {
	ID      string    `json:"id"`
	Stack   string    `json:"stack"`
	Status  string    `json:"status" doc:"pending, uploaded, errored or archived"`
	Error   string    `json:"error,omitempty" doc:"Why the upload was refused."`
	Preview bool      `json:"preview" doc:"Only to be planned."`
	Digest  string    `json:"digest,omitempty" doc:"Of the archive as it was sent."`
	Size    int64     `json:"size" doc:"Bytes, as it was sent."`
	Entries int       `json:"entries" doc:"Files, folders and links in it."`
	By      Actor     `json:"by"`
	Created time.Time `json:"created"`
}
