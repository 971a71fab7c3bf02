package client

// Definition is what an API is, whatever its format calls it. GET /entities/{kind}/{namespace}/{name}/definition (entity:read).
type Definition struct {
	At            string         `json:"at" doc:"Version of the entity, or the branch, tag or commit that was asked for."`
	Commit        string         `json:"commit,omitempty"`
	Format        string         `json:"format" enum:"openapi,asyncapi,graphql,protobuf,text"`
	FormatVersion string         `json:"formatVersion,omitempty"`
	Title         string         `json:"title,omitempty"`
	Release       string         `json:"release,omitempty" doc:"The version that the API gives itself."`
	Description   string         `json:"description,omitempty"`
	Servers       []string       `json:"servers,omitempty"`
	Operations    []APIOperation `json:"operations"`
	Types         []APIType      `json:"types"`
	Problems      []string       `json:"problems,omitempty" doc:"What of it could not be read."`
	Text          string         `json:"text"`
	Error         string         `json:"error,omitempty" doc:"Why it is only a text."`
}

// APIOperation is a request, a message on a channel, a query or a call.
type APIOperation struct {
	ID          string     `json:"id" doc:"The same in all versions."`
	Group       string     `json:"group,omitempty"`
	Verb        string     `json:"verb"`
	Name        string     `json:"name"`
	Summary     string     `json:"summary,omitempty"`
	Description string     `json:"description,omitempty"`
	Deprecated  bool       `json:"deprecated,omitempty"`
	Security    []string   `json:"security,omitempty" doc:"Ways to authenticate, one of which is needed; empty when everybody may."`
	Inputs      []APIField `json:"inputs"`
	Outputs     []APIField `json:"outputs"`
}

// APIField is a parameter, a body, an answer or a property.
type APIField struct {
	Name        string     `json:"name"`
	In          string     `json:"in,omitempty" doc:"path, query, header, body, answer, argument, message, …"`
	Type        string     `json:"type"`
	Refs        []string   `json:"refs,omitempty" doc:"The types that its type names."`
	Required    bool       `json:"required,omitempty"`
	Deprecated  bool       `json:"deprecated,omitempty"`
	Number      int        `json:"number,omitempty" doc:"Of protobuf."`
	JSON        string     `json:"json,omitempty" doc:"Its name in JSON, where protobuf is told another one."`
	Limits      string     `json:"limits,omitempty"`
	Default     string     `json:"default,omitempty"`
	Example     string     `json:"example,omitempty"`
	Description string     `json:"description,omitempty"`
	Values      []string   `json:"values,omitempty" doc:"The only ones that it may have."`
	Fields      []APIField `json:"fields,omitempty"`
}

// APIType is a type with a name.
type APIType struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"`
	Type        string     `json:"type,omitempty"`
	Refs        []string   `json:"refs,omitempty"`
	Description string     `json:"description,omitempty"`
	Deprecated  bool       `json:"deprecated,omitempty"`
	Values      []string   `json:"values,omitempty"`
	Numbers     []int      `json:"numbers,omitempty" doc:"Of the values, in their order; of protobuf."`
	Implements  []string   `json:"implements,omitempty" doc:"Interfaces of GraphQL."`
	Fields      []APIField `json:"fields,omitempty"`
}

// DefinitionChanges are what changed in the definition of an API. GET /entities/{kind}/{namespace}/{name}/definition/changes
// (entity:read).
type DefinitionChanges struct {
	From     DefinitionAt       `json:"from"`
	To       DefinitionAt       `json:"to"`
	Breaking int                `json:"breaking" doc:"How many of the changes break who uses the API."`
	Changes  []DefinitionChange `json:"changes" doc:"What breaks comes first."`
	More     bool               `json:"more,omitempty" doc:"There are more than are told."`
	Older    bool               `json:"older,omitempty" doc:"Without from: the last 50 versions have the same definition, and older ones were not looked at."`
}

// DefinitionAt names a definition that was compared.
type DefinitionAt struct {
	At      string `json:"at"`
	Commit  string `json:"commit,omitempty"`
	Release string `json:"release,omitempty"`
}

// DefinitionChange is one change.
type DefinitionChange struct {
	Where    string `json:"where"`
	Message  string `json:"message"`
	Breaking bool   `json:"breaking"`
}
