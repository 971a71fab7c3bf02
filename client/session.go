package client

import (
	"time"
)

// Me is who the caller is. GET /whoami; whoever is signed in.
type Me struct {
	ID     string   `json:"id"`
	Ref    string   `json:"ref"`
	Name   string   `json:"name"`
	Kind   string   `json:"kind"`
	Groups []string `json:"groups"`
	Scopes []string `json:"scopes,omitempty" doc:"What the token or session is narrowed to; absent when it is not."`
	Spaces []string `json:"spaces" doc:"Spaces that the caller may see."`
	CSRF   string   `json:"csrf,omitempty" doc:"For a session: what unsafe methods carry as X-CSRF-Token."`
	Admin  bool     `json:"admin" doc:"May administer the whole installation."`
	Lent   []Lent   `json:"lent,omitempty" doc:"For a session: what login policies gave it, beside what the person has."`
}

// Lent is a role in a space, or a group, that a login policy gave a session for as long as that lasts.
type Lent struct {
	Role   string `json:"role,omitempty"`
	Space  string `json:"space,omitempty"`
	Group  string `json:"group,omitempty" example:"group:default/crew"`
	Policy string `json:"policy" example:"policy:default/doors"`
}

// SignInLink is an address that signs a user in once, within ten minutes. POST /signin-links takes {user} (none for
// oneself; space:admin in the root space for others).
type SignInLink struct {
	URL     string    `json:"url"`
	Code    string    `json:"code"`
	Expires time.Time `json:"expires"`
}

// Token is a token as a list shows it. GET /tokens and DELETE /tokens/{id} (one's own; space:admin for others').
type Token struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Owner   string     `json:"owner" example:"user:default/alice"`
	Scopes  []string   `json:"scopes,omitempty"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"used,omitempty"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

// NewToken is a token with its secret. POST /tokens takes {name, owner, scopes, …}; it reaches no further and lasts no
// longer than the token it is made with.
type NewToken struct {
	Token
	Secret string `json:"secret" doc:"Can't be seen again."`
}
