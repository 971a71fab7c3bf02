package client

// Space is a part of the company that rights attach to; a right in one holds in all below. GET /spaces (space:read).
type Space struct {
	Name        string `json:"name"`
	Parent      string `json:"parent,omitempty"`
	Description string `json:"description,omitempty"`
	Inherit     bool   `json:"inherit" doc:"Whether contexts, worker pools and the like of the spaces above may be used in it."`
}

// SpaceRights is who may do what in a space. GET /spaces/{space}/rights (space:read).
type SpaceRights struct {
	Roles    []Role    `json:"roles"`
	Bindings []Binding `json:"bindings"`
}

// Role is a named set of actions, such as run:confirm.
type Role struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Permissions []string `json:"permissions"`
	Builtin     bool     `json:"builtin"`
}

// Binding gives a role to subjects, which are refs of users, groups and machines, in a space and all below.
type Binding struct {
	Ref      string   `json:"ref"`
	Role     string   `json:"role"`
	Space    string   `json:"space"`
	Subjects []string `json:"subjects"`
}
