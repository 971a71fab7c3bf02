// Package worker takes steps of runs from a Hub, runs them, and tells how they ended. It is the same loop in
// the server's own process and in an agent elsewhere; only the Hub differs.
//
// A step is data (Job): any worker can take it, and one that a worker lost, by whatever way it ended, is leased
// to another when its lease expires. So nothing that a worker does counts until Report holds.
package worker
