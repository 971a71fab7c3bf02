// Package remote is a worker's Hub over HTTP: what an agent elsewhere works by, and the words that it and the server have
// in common (wire.go). All is asked by the agent, of the server's public address; the server never dials.
//
//   - What an agent is given is asked for by an id of its own, so that an answer that was lost is asked for again, and what
//     it does not want any more is given back.
//   - An error counts as the server's own only when its answer says so (HeaderFault). Anything else, such as what a proxy
//     on the way answers while the server starts anew, is Unavailable and tried again.
//   - Times are told as what is left, since clocks differ.
//   - Steps reach the platform's API through a Door of the agent, by their own tokens; the agent's token opens the way and
//     gives no right there.
package remote
