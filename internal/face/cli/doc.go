// Package cli is the client's side of the program: one file a noun (docs/adr/0012-one-file-a-noun.md). It sees only the
// public client and the vocabulary, so whatever it does, anyone can do with the API.
package cli
