// Package backstage speaks the REST API of Backstage's catalog at /api/catalog, so that Backstage's own client, its plugins
// and its scripts work against this server unchanged.
//
// Whoever asks presents a token of this server as Authorization: Bearer; nobody is answered without one. Rights are those of
// the native API: what the caller may not see is not there, in lists, counts and facets as well.
//
// Filters, predicates, cursors, field selections and errors are read and written as Backstage does, and each of them is
// bounded. Entities are written from the bytes in which the catalog keeps them: nothing is decoded to be encoded again.
package backstage
