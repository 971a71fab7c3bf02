// Package group is what executors have in common: the life of a command and of all that it starts, from its folder to
// its result, its input and output, its forwards, the disk that it uses, and the ids of which each runs once.
//
// How a command is started, ended and found again by a later life of the server is a Body's. Two bodies start it by the
// same small first process (package sandbox); Control is the server's end of the socket to that.
package group
