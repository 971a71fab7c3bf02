package client

import "time"

// Integration is an outside forge that is declared, and how it does. GET /integrations and GET
// /integrations/{namespace}/{name} (integration:read). POST /integrations/{namespace}/{name}/test tries it now
// (integration:admin): what that finds is in its answer, also when the forge does not answer.
type Integration struct {
	Ref       string     `json:"ref" example:"integration:default/github"`
	Namespace string     `json:"namespace"`
	Name      string     `json:"name"`
	Space     string     `json:"space"`
	Forge     string     `json:"forge" enum:"github,gitlab,gitea"`
	URL       string     `json:"url" doc:"Where people open the forge."`
	API       string     `json:"api,omitempty" doc:"Where its API is, if that is declared."`
	App       string     `json:"app,omitempty" doc:"ID of the GitHub App as which it signs in; absent when it does by a token."`
	Owners    []string   `json:"owners" doc:"Organizations that it is for; none for all that its credentials see."`
	Poll      int64      `json:"poll" doc:"Seconds after which the forge is asked again where no webhook tells."`
	Hook      string     `json:"hook" doc:"Address for the forge's webhooks."`
	Hooked    bool       `json:"hooked" doc:"Webhooks are taken: a secret for them is declared."`
	State     string     `json:"state" enum:"unknown,healthy,lacking,refused,limited,away,broken"`
	Reason    string     `json:"reason,omitempty" doc:"Why it is not healthy, and what to do."`
	Login     string     `json:"login,omitempty" doc:"Whom the forge takes it for."`
	Version   string     `json:"version,omitempty" doc:"Of the forge, if it tells."`
	Scopes    []string   `json:"scopes,omitempty" doc:"Of the credentials, if the forge tells."`
	Missing   []string   `json:"missing" doc:"Scopes that the platform needs and the credentials lack."`
	Expires   *time.Time `json:"expires,omitempty" doc:"When the credentials end, if they do and the forge tells."`
	Rate      *Rate      `json:"rate,omitempty" doc:"The forge's limit of requests, if it tells."`
	Clone     string     `json:"clone,omitempty" doc:"Repository for which credentials for git were got; absent when it sees none."`
	Looked    *time.Time `json:"looked,omitempty" doc:"When it was tried last."`
	Since     *time.Time `json:"since,omitempty" doc:"Since when it is in its state."`
	Can       []string   `json:"can" doc:"What the caller may do with it: test, delete."`
}

// Rate is how many requests a forge still takes.
type Rate struct {
	Limit int        `json:"limit"`
	Left  int        `json:"left"`
	Reset *time.Time `json:"reset,omitempty"`
}
