package client

import "time"

// Machine is an account for scripts and outside systems. It may do what RoleBindings say of its reference.
// GET /machines (space:read); POST /machines and DELETE /machines/{space}/{name} (space:admin in its space).
type Machine struct {
	ID          string    `json:"id"`
	Ref         string    `json:"ref" example:"machine:payments/deployer"`
	Name        string    `json:"name"`
	Space       string    `json:"space"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
}
