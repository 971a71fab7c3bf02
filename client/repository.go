package client

import (
	"time"
)

// Repository is one hosted repository. GET /repositories and GET /repositories/{namespace}/{name} (repository:read); POST
// /repositories (repository:create); PATCH /repositories/{namespace}/{name} (repository:admin) and DELETE (the same, or
// repository:create for who made it). Its Etag is for Client.When. git clones CloneURL with a token as the password.
type Repository struct {
	ID            string     `json:"id"`
	Namespace     string     `json:"namespace"`
	Name          string     `json:"name"`
	Space         string     `json:"space"`
	Description   string     `json:"description,omitempty"`
	DefaultBranch string     `json:"defaultBranch"`
	Protected     bool       `json:"protected" doc:"The default branch can't be rewritten or deleted by a push."`
	Archived      bool       `json:"archived" doc:"Nothing in it changes any more."`
	SecretCheck   bool       `json:"secretCheck" doc:"A push that brings what looks like a secret is refused."`
	PushLimit     int64      `json:"pushLimit,omitempty" doc:"Bytes of one push; absent for the server's limit, as are the others."`
	FileLimit     int64      `json:"fileLimit,omitempty" doc:"Bytes of one file in a push."`
	LFSFileLimit  int64      `json:"lfsFileLimit,omitempty" doc:"Bytes of one file of Git LFS."`
	LFSLimit      int64      `json:"lfsLimit,omitempty" doc:"Bytes of all files of Git LFS."`
	Head          string     `json:"head,omitempty" doc:"Commit of the default branch; absent while there is none."`
	CloneURL      string     `json:"cloneUrl"`
	Etag          string     `json:"etag" doc:"Changes with its settings, name and space, and not with pushes."`
	Created       time.Time  `json:"created"`
	Pushed        *time.Time `json:"pushed,omitempty"`
	Can           []string   `json:"can,omitempty" doc:"What the caller may do with it now: write, admin. Only of one that is asked for by its name."`
	Deleted       *time.Time `json:"deleted,omitempty" doc:"Since when it is deleted; absent for one that is there."`
	Purge         *time.Time `json:"purge,omitempty" doc:"When a deleted one is removed for good."`
	Outside       *Outside   `json:"outside,omitempty" doc:"Where it lives; absent for one that is hosted here."`
	Import        *Import    `json:"import,omitempty" doc:"Where it comes from, when it was not made empty."`
}

// Outside is where a repository lives that is at a forge, and how it does.
type Outside struct {
	Integration  string     `json:"integration" doc:"NAMESPACE/NAME."`
	Remote       string     `json:"remote" doc:"OWNER/NAME at the forge."`
	URL          string     `json:"url,omitempty" doc:"Of its page at the forge."`
	Private      bool       `json:"private"`
	Content      string     `json:"content" enum:"clone,api" doc:"How it is read: clone, from a clone here; api, by the forge's API as long as nobody needed its history."`
	Cloned       bool       `json:"cloned" doc:"A clone of it is here now."`
	Fetched      *time.Time `json:"fetched,omitempty" doc:"When something had moved there last, and was fetched; absent until it was looked at for the first time."`
	Looked       *time.Time `json:"looked,omitempty" doc:"When the forge was asked last with success; absent when not since the server started."`
	Next         *time.Time `json:"next,omitempty" doc:"When it is asked next."`
	Fetching     bool       `json:"fetching" doc:"It is being asked, or fetched, at this moment."`
	Phase        string     `json:"phase,omitempty" doc:"Of the fetch, in git's words."`
	Done         int64      `json:"done,omitempty" doc:"Of the phase."`
	Total        int64      `json:"total,omitempty" doc:"Of the phase; absent while it is not known."`
	Behind       int        `json:"behind,omitempty" doc:"Branches and tags that have moved there and could not be fetched."`
	Trouble      string     `json:"trouble,omitempty" doc:"Why it can't be fetched."`
	TroubleKind  string     `json:"troubleKind,omitempty" doc:"unauthenticated, denied, not found, conflict, exhausted, unavailable, …"`
	TroubleSince *time.Time `json:"troubleSince,omitempty"`
}

// Offer is a repository that an integration can connect. GET /integrations/{namespace}/{name}/repositories (integration:use).
type Offer struct {
	Remote      string    `json:"remote" doc:"OWNER/NAME at the forge."`
	Description string    `json:"description,omitempty"`
	URL         string    `json:"url,omitempty"`
	Private     bool      `json:"private"`
	Archived    bool      `json:"archived"`
	Changed     time.Time `json:"changed"`
	Connected   bool      `json:"connected"`
	Repository  string    `json:"repository,omitempty" doc:"NAMESPACE/NAME that it is here, when the caller may read that."`
}

// Commit is one commit of a repository, the newest first. GET /repositories/{namespace}/{name}/commits (repository:read).
type Commit struct {
	Hash    string    `json:"hash"`
	Parents []string  `json:"parents"`
	Author  string    `json:"author"`
	Subject string    `json:"subject"`
	Message string    `json:"message"`
	Time    time.Time `json:"time"`
	Path    string    `json:"path,omitempty" doc:"Of the file in that commit, when its earlier names were followed."`
}

// CommitDetail is one commit with who made it. GET …/commit (repository:read).
type CommitDetail struct {
	Commit
	Email     string    `json:"email,omitempty" doc:"The author's, as the commit says."`
	Committer string    `json:"committer"`
	Committed time.Time `json:"committed"`
}

// Branch is one branch of a repository. What follows Commit is there when it was asked for by details.
type Branch struct {
	Name        string    `json:"name" example:"feature/login"`
	Commit      string    `json:"commit" doc:"For If-Match of its deletion."`
	Updated     time.Time `json:"updated" doc:"When it was moved there."`
	By          Actor     `json:"by" doc:"Who moved it there."`
	Last        *Commit   `json:"last,omitempty" doc:"Its newest commit."`
	Ahead       *int      `json:"ahead,omitempty" doc:"Commits that the default branch has not; absent when that took too long."`
	Behind      *int      `json:"behind,omitempty" doc:"Commits that only the default branch has."`
	Protected   bool      `json:"protected,omitempty" doc:"It can't be rewritten or deleted by a push."`
	ByProposals bool      `json:"byProposals,omitempty" doc:"Rules let only proposals move it."`
	Proposal    int       `json:"proposal,omitempty" doc:"Number of the open proposal of it."`
}

// Tag is one tag of a repository. What follows By is there when it was asked for by details.
type Tag struct {
	Name    string     `json:"name" example:"v1.2.0"`
	Commit  string     `json:"commit" doc:"That it leads to; without details, the tag itself of one that has a message."`
	Updated time.Time  `json:"updated" doc:"When it was moved there."`
	By      Actor      `json:"by" doc:"Who moved it there."`
	Message string     `json:"message,omitempty"`
	Tagger  string     `json:"tagger,omitempty"`
	Tagged  *time.Time `json:"tagged,omitempty"`
	Last    *Commit    `json:"last,omitempty" doc:"The commit that it leads to."`
	Etag    string     `json:"etag,omitempty" doc:"Changes when it is moved; lists give it."`
}

// NewRef is a branch or a tag that is to be made. POST …/branches and …/tags (repository:write).
type NewRef struct {
	Name    string `json:"name" maxLength:"200"`
	At      string `json:"at,omitempty" maxLength:"250" doc:"Branch, tag or commit; empty for the head of the default branch."`
	Message string `json:"message,omitempty" maxLength:"65536" doc:"Of a tag."`
}

// Comparison is how one commit differs from another.
type Comparison struct {
	Diff
	Ahead     int      `json:"ahead" doc:"Commits that only head has."`
	Behind    int      `json:"behind" doc:"Commits that only base has."`
	Base      string   `json:"base" doc:"Commit that base is."`
	Conflicts []string `json:"conflicts,omitempty" doc:"Files that both changed so that they can't be brought together."`
}
