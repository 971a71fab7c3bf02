// Package api is the native API: /api/v1, described by OpenAPI 3.1 that is made from this code.
//
// One file a noun holds its routes and its wire types; nothing here decides anything. Every operation but those
// marked public refuses whoever is not signed in, before anything else; the services do the rest of the rights.
package api
