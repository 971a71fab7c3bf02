// Package client is the Go client of Roadbed's native API, and its wire types.
//
// A Client is safe for concurrent use. Errors that the server answered are faults of the vocabulary
// (internal/words/fault has their kinds; Status and Problem tell the rest to programs outside of Roadbed).
package client
