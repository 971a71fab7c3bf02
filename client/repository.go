package client

import (
	"time"
)

// Repository is one hosted repository. GET /repositories and GET /repositories/{namespace}/{name} (repository:read); POST
// /repositories (repository:create); DELETE /repositories/{namespace}/{name} (repository:admin, or repository:create for
// who made it). git clones CloneURL with a token as the password.
type Repository struct {
	ID            string     `json:"id"`
	Namespace     string     `json:"namespace"`
	Name          string     `json:"name"`
	Space         string     `json:"space"`
	Description   string     `json:"description,omitempty"`
	DefaultBranch string     `json:"defaultBranch"`
	Protected     bool       `json:"protected" doc:"The default branch can't be rewritten or deleted by a push."`
	Archived      bool       `json:"archived" doc:"Nothing in it changes any more."`
	Head          string     `json:"head,omitempty" doc:"Commit of the default branch; absent while there is none."`
	CloneURL      string     `json:"cloneUrl"`
	Created       time.Time  `json:"created"`
	Pushed        *time.Time `json:"pushed,omitempty"`
	Deleted       *time.Time `json:"deleted,omitempty" doc:"Since when it is deleted; absent for one that is there."`
	Purge         *time.Time `json:"purge,omitempty" doc:"When a deleted one is removed for good."`
}

// TreeEntry is one file or folder of a repository. GET /repositories/{namespace}/{name}/tree (repository:read).
type TreeEntry struct {
	Path string `json:"path"`
	Type string `json:"type" enum:"blob,tree,commit"`
	Mode string `json:"mode"`
	Size int64  `json:"size,omitempty" doc:"Bytes."`
}

// File is one file of a repository. GET /repositories/{namespace}/{name}/file (repository:read).
type File struct {
	Path   string `json:"path"`
	Text   string `json:"text,omitempty" doc:"Absent when it is not text."`
	Binary bool   `json:"binary"`
	Size   int    `json:"size" doc:"Bytes."`
}

// Commit is one commit of a repository, the newest first. GET /repositories/{namespace}/{name}/commits (repository:read).
type Commit struct {
	Hash    string    `json:"hash"`
	Parents []string  `json:"parents"`
	Author  string    `json:"author"`
	Subject string    `json:"subject"`
	Message string    `json:"message"`
	Time    time.Time `json:"time"`
}

// Branch is one branch or tag of a repository.
type Branch struct {
	Name    string    `json:"name" example:"feature/login"`
	Commit  string    `json:"commit" doc:"Of an annotated tag the tag itself."`
	Updated time.Time `json:"updated" doc:"When it was moved there."`
	By      Actor     `json:"by" doc:"Who moved it there."`
}

// Comparison is how one commit differs from another.
type Comparison struct {
	Diff
	Ahead     int      `json:"ahead" doc:"Commits that only head has."`
	Behind    int      `json:"behind" doc:"Commits that only base has."`
	Conflicts []string `json:"conflicts,omitempty" doc:"Files that both changed so that they can't be brought together."`
}
