// Package agent is where agents of worker pools ask for work and tell of it, at /api/agent/v1/ (machinery/worker/remote has
// the words of the protocol, and the other end).
//
// Whoever asks shows a token of a pool, which is looked at with each request and is good for nothing else. What is about a
// lease is for the agent that holds it; anything else is as if there were no such lease. Bodies are bounded and paced, and
// what waits waits for seconds.
//
// Below door/ is the API as steps have it: with the agent's token in a header of its own, and in Authorization the token
// of a step that is leased to that agent at this moment.
package agent
