package client

import (
	"encoding/json"
	"time"
)

// Entity is one declared thing with what the platform knows of it. GET /entities (query: kind, owner, lifecycle, tag, text, mine, gap, sort, …) and
// GET /entities/{kind}/{namespace}/{name} (entity:read); DELETE /entities/{kind}/{namespace}/{name} (entity:delete, and
// space:admin for a restricted kind), refused while a source still declares it. Its Etag is for Client.When.
type Entity struct {
	Ref         string          `json:"ref" example:"component:default/shop"`
	APIVersion  string          `json:"apiVersion"`
	Kind        string          `json:"kind"`
	Namespace   string          `json:"namespace"`
	Name        string          `json:"name"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	Type        string          `json:"type,omitempty" doc:"Its spec.type."`
	Lifecycle   string          `json:"lifecycle,omitempty"`
	Owner       string          `json:"owner,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	Space       string          `json:"space"`
	Source      string          `json:"source" doc:"What brought it."`
	Location    string          `json:"location,omitempty" doc:"Id of the location that brought it."`
	Origin      string          `json:"origin,omitempty" doc:"Id of the location that somebody registered and that led there; none when it is gone."`
	Repository  string          `json:"repository,omitempty" doc:"NAMESPACE/NAME that has its code: what github.com/project-slug, gitlab.com/project-slug or backstage.io/source-location names, of what you may read, or else whose file declares it. One entity tells it, as it is now, and lists do not."`
	Commit      string          `json:"commit,omitempty"`
	Etag        string          `json:"etag"`
	Version     int             `json:"version"`
	Relations   []Relation      `json:"relations"`
	Cut         bool            `json:"cut,omitempty" doc:"There are more relations that others declare than are shown: of each type 20,000 at most, and 2,000 in a list of more than ten; as of a time, than were found."`
	Status      json.RawMessage `json:"status,omitempty"`
	Error       string          `json:"error,omitempty" doc:"Why its source's newest version could not be taken in; what is shown is the last good one."`
	Orphan      bool            `json:"orphan,omitempty" doc:"No file declares it any more, and its location keeps such."`
	Document    json.RawMessage `json:"document" doc:"As it was declared."`
	Created     time.Time       `json:"created"`
	Updated     time.Time       `json:"updated"`
	CreatedBy   Actor           `json:"createdBy"`
	UpdatedBy   Actor           `json:"updatedBy"`
}

// Relation is one edge of the graph.
type Relation struct {
	Type    string `json:"type" example:"ownedBy"`
	Target  string `json:"target" example:"group:default/payments"`
	Missing bool   `json:"missing,omitempty" doc:"The target is not in the catalog, or you may not see it. One entity tells it, as it is now, and lists do not."`
}

// Facet is one value of a field, and how many entities have it, the most frequent first. GET /facets (entity:read; query:
// facet, asOf, and the filters of a list of entities).
type Facet struct {
	Field string `json:"field" example:"kind"`
	Value string `json:"value" example:"component"`
	Count int    `json:"count"`
}

// EntityVersion is one version of an entity, the newest first. GET /entities/{kind}/{namespace}/{name}/history
// (entity:read; query: since, until, actor). GET of the entity itself with asOf gives it as it was.
type EntityVersion struct {
	Version    int       `json:"version"`
	Action     string    `json:"action" enum:"created,updated,deleted"`
	Actor      Actor     `json:"actor"`
	Repository string    `json:"repository,omitempty" doc:"That the commit is in."`
	Commit     string    `json:"commit,omitempty"`
	Author     string    `json:"author,omitempty" doc:"Of the commit, as it says, where the reader may read the repository. In a list of changes it is left out."`
	Entry      string    `json:"entry" doc:"Id in the ledger; many entities that were changed at once share one."`
	Diff       string    `json:"diff,omitempty" doc:"A line a field: + added, - removed, ~ changed."`
	Time       time.Time `json:"time"`
}

// EntityChange is what became of an entity from one time to another. GET /changes (entity:read; query: from, to, and the
// filters of a list of entities).
type EntityChange struct {
	Ref      string        `json:"ref"`
	Kind     string        `json:"kind"`
	Space    string        `json:"space"`
	Action   string        `json:"action" enum:"created,updated,deleted"`
	Versions int           `json:"versions" doc:"How many there are between the times."`
	Last     EntityVersion `json:"last" doc:"The last of them, without a diff."`
	Diff     string        `json:"diff,omitempty" doc:"From the first time to the second: + added, - removed, ~ changed."`
}

// Applied is what an apply did, or would do, to one entity. POST /apply takes {documents: YAML, …} and does all of it or
// nothing (entity:write, space:admin for restricted kinds, entity:delete to prune).
type Applied struct {
	Ref    string `json:"ref"`
	Action string `json:"action" enum:"created,updated,unchanged,deleted,conflict"`
	Diff   string `json:"diff,omitempty"`
}

// Suggestion is a document for a repository that declares nothing yet. GET /locations/suggestion (repository:read; query: target).
// Nothing is written.
type Suggestion struct {
	Repository string   `json:"repository" example:"payments/shop"`
	Ref        string   `json:"ref,omitempty" doc:"Branch; the default one when absent."`
	Path       string   `json:"path" doc:"Where the file would be."`
	Document   string   `json:"document" doc:"YAML of a Component, in which its owner fills in the rest."`
	Existing   []string `json:"existing" doc:"Paths of files of that name that the repository has, and that declare something."`
}

// Location is a file of a repository that documents come from. GET /locations (entity:read; query: space, repository, text,
// failed) and GET /locations/{id} (entity:read); POST /locations {target, or repository, path and ref; space, dryRun}
// (location:write, and repository:read for the repository) and DELETE /locations/{id} (location:write, and
// entity:delete for what came from it). PUT /locations/{id}/trust lets it bring restricted kinds, and
// PUT /locations/{id}/rules says which kinds it may bring at all (space:admin).
type Location struct {
	ID         string        `json:"id" doc:"Empty in a dry run of one that is not registered."`
	Space      string        `json:"space"`
	Repository string        `json:"repository"`
	Path       string        `json:"path"`
	Ref        string        `json:"ref,omitempty"`
	Commit     string        `json:"commit,omitempty"`
	Error      string        `json:"error,omitempty"`
	Trusted    []string      `json:"trusted" doc:"Restricted kinds that are taken from it."`
	Rules      LocationRules `json:"rules" doc:"Its own; what they leave open is as the space has it."`
	InForce    LocationRules `json:"inForce" doc:"What holds for it; lists leave it out."`
	Problems   []FileProblem `json:"problems" doc:"What could not be taken, at most 50; lists leave them out. In a dry run also the names that others have."`
	Entities   []string      `json:"entities" doc:"What it brought, or in a dry run what it would; the first 500, none in lists."`
	Total      int           `json:"total" doc:"Of what it brought; lists leave it out."`
	Existed    bool          `json:"existed,omitempty" doc:"Somebody had registered it before this call."`
	Can        []string      `json:"can" doc:"What the caller may do with it: refresh, trust, rule. Lists leave it out."`
	Etag       string        `json:"etag,omitempty" doc:"For If-Match; lists leave it out."`
}

// LocationRules say what locations may bring, and what becomes of what no file declares any more. PUT /locations/{id}/rules
// (space:admin); GET (entity:read) and PUT (space:admin) /spaces/{space}/location-rules for all locations of a space and those
// below that say nothing themselves.
type LocationRules struct {
	Kinds   []string `json:"kinds" maxItems:"100" doc:"Kinds that may come, beside those that it is trusted for; none: all."`
	Orphans string   `json:"orphans,omitempty" enum:"delete,keep" doc:"What becomes of what no file declares any more; it is deleted unless somebody says keep. What is of a restricted kind always is."`
}

// FileProblem is one thing that is wrong in a file.
type FileProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty" doc:"From 1; absent when unknown."`
	Column  int    `json:"column,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty" doc:"What to do."`
}

// KindInfo is one kind of documents. A restricted one is taken only from an administrator or from what one trusts. GET
// /kinds; whoever is signed in.
type KindInfo struct {
	Name        string   `json:"name"`
	Plural      string   `json:"plural"`
	APIVersions []string `json:"apiVersions"`
	Description string   `json:"description"`
	Icon        string   `json:"icon,omitempty"`
	Restricted  bool     `json:"restricted"`
	Declared    bool     `json:"declared" doc:"By a document of the kind Kind, not by the platform."`
}
