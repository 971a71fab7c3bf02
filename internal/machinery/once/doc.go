// Package once keeps the answers to requests that carry a key of their sender's, so that a request that is sent
// again, because its answer was lost, is answered again and not done again.
//
// What a request changes is marked in the transaction of the change. So it is known of a request that a crash cut off
// whether anything came of it: if nothing did, it is done when it is sent again; else its sender is told to look.
//
// Where several servers answer, on PostgreSQL, a request is noted before it is done, so that no other does it too. SQLite
// has one server, which knows by itself what it is doing, and notes a request with the first change of it.
package once
