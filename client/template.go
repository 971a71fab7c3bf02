package client

import "encoding/json"

// TemplateSchema is the form of a golden path. GET /templates/{namespace}/{name}/schema (entity:read, or template:use below
// the template's space). POST /templates/{namespace}/{name}/runs takes {values} and gives a RunDetail (template:use).
type TemplateSchema struct {
	Ref         string          `json:"ref"`
	Title       string          `json:"title"`
	Description string          `json:"description,omitempty"`
	Steps       []TemplatePage  `json:"steps"`
	Secrets     json.RawMessage `json:"secrets,omitempty" doc:"JSON Schema of the secrets that the steps read as secrets.NAME; absent when the template names none. A field of the form with ui:field Secret fills the one of its name."`
}

// TemplatePage is one page of a form.
type TemplatePage struct {
	Title       string          `json:"title"`
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema" doc:"JSON Schema with ui: hints."`
}

// PreviewFile is a file that a golden path would make. POST /templates/{namespace}/{name}/preview (template:use).
type PreviewFile struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// SecretInfo is what people see of a secret: never its value. GET /secrets/{space} (secret:read); PUT
// /secrets/{space}/{name} and DELETE /secrets/{space}/{name} (secret:write). Its Checksum is for Client.When.
type SecretInfo struct {
	Space    string `json:"space"`
	Name     string `json:"name"`
	Checksum string `json:"checksum"`
	Updated  string `json:"updated"`
	Shared   bool   `json:"shared,omitempty"`   // work in the spaces below is given it too
	Platform bool   `json:"platform,omitempty"` // no run is given it
}

// Home is what waits for the caller, and what happened lately. GET /home; whoever is signed in.
type Home struct {
	Waiting   []Run          `json:"waiting" doc:"Runs that wait for a review which the caller may give, as far as rights go."`
	Proposals []ProposalLine `json:"proposals" doc:"Proposals that wait for the caller's review."`
	Failed    []Run          `json:"failed" doc:"Runs of the caller that failed lately."`
	Recent    []Run          `json:"recent"`
	Entries   []Entry        `json:"entries" doc:"What changed lately."`
}
