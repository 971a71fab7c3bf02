package client

import "time"

// OIDCKey is a key by which the tokens are signed that clouds are shown. GET /oidc/keys; space:admin in the root space.
type OIDCKey struct {
	ID       string     `json:"id" doc:"The kid of the tokens that it signs."`
	Created  time.Time  `json:"created"`
	Replaced *time.Time `json:"replaced,omitempty" doc:"Since when it signs nothing more."`
	Ends     *time.Time `json:"ends,omitempty" doc:"When the last token that it has signed ends, and verifiers are no more shown it."`
}
