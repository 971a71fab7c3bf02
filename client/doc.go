// Package client is the Go client of Roadbed's native API, and its wire types.
//
// A Client is safe for concurrent use. Its functions are generic and take the path of the API, below /api/v1; each type
// says which paths give it and which right that needs, and /docs of every server describes them all:
//
//	runs, err := client.All[client.Run](ctx, api, "/runs", url.Values{"kind": {"stack"}})
//
// Rights are held in spaces. Lists leave out what the caller may not read; one such thing is NotFound. Errors have a Kind
// (KindOf). Every call ends with its context, whose error is then given; there is no other limit of time, so give one.
//
// Times are in UTC. Digests are those of OCI (sha256:…), commits full hashes of git. What is named ref is an entity
// (component:default/shop), ids have the prefix of their kind (run_…). Ignore fields that you don't know: they are added to.
package client
