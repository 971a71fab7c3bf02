package client

import "time"

// Directory is where people and groups come from: an identity provider that writes them by SCIM, or an LDAP server that is
// read. GET /directories and GET /directories/{namespace}/{name} (directory:read). POST
// /directories/{namespace}/{name}/look reads it now (directory:write): what that finds is in its answer.
type Directory struct {
	Ref             string             `json:"ref" example:"directory:default/okta"`
	Namespace       string             `json:"namespace"`
	Name            string             `json:"name"`
	Space           string             `json:"space"`
	Protocol        string             `json:"protocol" enum:"scim,ldap"`
	Address         string             `json:"address,omitempty" doc:"Where an identity provider writes to by SCIM."`
	Server          string             `json:"server,omitempty" doc:"The LDAP server that is read."`
	Interval        int64              `json:"interval,omitempty" doc:"Seconds after which the server is read again."`
	PeopleNamespace string             `json:"peopleNamespace" doc:"Catalog namespace of its people and groups."`
	PeopleSpace     string             `json:"peopleSpace" doc:"Space of its people and groups."`
	State           string             `json:"state" enum:"waiting,healthy,failing"`
	Reason          string             `json:"reason,omitempty" doc:"Why it fails, and what to do."`
	People          int                `json:"people"`
	Inactive        int                `json:"inactive" doc:"People whom the identity provider has ended; they have no entity."`
	Groups          int                `json:"groups"`
	Wrong           int                `json:"wrong" doc:"People and groups that the catalog does not have as the directory says."`
	Problems        []DirectoryProblem `json:"problems" doc:"Of these, at most 50; lists leave them out."`
	Last            Brought            `json:"last" doc:"What the last look changed."`
	Looked          *time.Time         `json:"looked,omitempty" doc:"When it was read, or written to, last."`
	Since           *time.Time         `json:"since,omitempty" doc:"Since when it is in its state."`
	Can             []string           `json:"can" doc:"What the caller may do with it: look."`
}

// DirectoryProblem is a person or group that the catalog has not taken.
type DirectoryProblem struct {
	What    string `json:"what" doc:"As the directory calls it: a user name, a DN."`
	Message string `json:"message"`
}
