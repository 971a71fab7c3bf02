// Package server is the house: it builds every room and joins them, with one wire_ROOM.go for each join that is more
// than a constructor's call. The verbs that need the house in process are its command_VERB.go.
package server
