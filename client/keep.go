package client

import "time"

// Star is an entity that the caller has starred. GET /stars; PUT (entity:read) and DELETE /stars/{kind}/{namespace}/{name}.
type Star struct {
	Ref string `json:"ref" example:"component:default/shop"`
}

// View is a list of entities that is kept under a name. GET and POST /views, PUT and DELETE /views/{id} (none for one's own;
// entity:read in the space that it is shared with to read it, entity:write to change it). Its Etag is for Client.When.
type View struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Query   string    `json:"query" doc:"Parameters of a list, such as kind=component&owner=team."`
	Space   string    `json:"space,omitempty" doc:"That it is shared with; absent for its author alone."`
	Author  Actor     `json:"author"`
	Etag    string    `json:"etag"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
}

// EntityEdit is what to change of what is declared. What is absent stays; an empty text or list takes the field away.
type EntityEdit struct {
	Title       *string      `json:"title,omitempty" maxLength:"500"`
	Description *string      `json:"description,omitempty" maxLength:"20000"`
	Owner       *string      `json:"owner,omitempty" maxLength:"200"`
	Lifecycle   *string      `json:"lifecycle,omitempty" maxLength:"100"`
	System      *string      `json:"system,omitempty" maxLength:"200"`
	Tags        *[]string    `json:"tags,omitempty" maxItems:"100" doc:"In place of those it has."`
	AddTags     []string     `json:"addTags,omitempty" maxItems:"100"`
	RemoveTags  []string     `json:"removeTags,omitempty" maxItems:"100"`
	Links       *[]EntityURL `json:"links,omitempty" maxItems:"100"`
	// Relations are what fields of spec name, by the field, such as dependsOn: a list of references, of one where there may be
	// only one.
	Relations map[string][]string `json:"relations,omitempty" doc:"References that fields of spec hold, by the field: subcomponentOf, providesApis, consumesApis, dependsOn, dependencyOf, domain, subdomainOf, parent, children, members, memberOf, skills, plugins, as the kind has them."`
}

// EntityURL is one of an entity's links.
type EntityURL struct {
	URL   string `json:"url" maxLength:"2000"`
	Title string `json:"title,omitempty" maxLength:"500"`
	Icon  string `json:"icon,omitempty" maxLength:"100"`
	Type  string `json:"type,omitempty" maxLength:"100"`
}

// Edited is what an edit of entities did, or would do. POST /edits takes {refs, set, document, message, propose, dryRun}
// (repository:write for what files of repositories declare, entity:write for what was applied).
type Edited struct {
	Deeds   []Deed    `json:"deeds"`
	Refused []Refused `json:"refused" doc:"What can't be changed so; the rest is."`
}

// Deed is what was done in one place.
type Deed struct {
	Way        string       `json:"way" enum:"apply,commit,proposal"`
	Repository string       `json:"repository,omitempty"`
	Branch     string       `json:"branch,omitempty" doc:"That is committed to."`
	Commit     string       `json:"commit,omitempty"`
	Proposal   int          `json:"proposal,omitempty" doc:"Its number."`
	Space      string       `json:"space,omitempty" doc:"Of an apply."`
	Source     string       `json:"source,omitempty"`
	Changes    []Redeclared `json:"changes"`
}

// Redeclared is what becomes of one entity.
type Redeclared struct {
	Ref  string `json:"ref"`
	Path string `json:"path,omitempty" doc:"Of its file."`
	Diff string `json:"diff" doc:"A line a field: + added, - removed, ~ changed."`
}

// Refused is an entity that can't be changed so.
type Refused struct {
	Ref   string `json:"ref"`
	Where string `json:"where,omitempty" doc:"The page at its forge, where its file can be edited."`
	Why   string `json:"why"`
}
