// Package store is the one handle on the database: SQLite for one machine, PostgreSQL for several.
//
// SQL is written once, in the dialect that both share: placeholders are $1…, timestamps are BIGINT
// microseconds (Micros, FromMicros), JSON is TEXT, flags are INTEGER 0 or 1. Migrations say BLOB for bytes,
// INTEGER PRIMARY KEY for a 64-bit number that the database gives, and may say WITHOUT ROWID; Migrate puts
// these into PostgreSQL's words.
// Arguments and results are converted alike on both: bool, time.Time, time.Duration, json.RawMessage and
// named types may be given and scanned.
//
// What is asked again and again need not be read again: Held keeps it until the next commit of anybody, which Moment tells.
// PostgreSQL is on the other side of a network, so that it is asked once for what several want to know at the same time
// (Gathered), outside of a transaction where one query is all (ReadOne), and a request that has asked for the moment need not
// ask again at once (Lend).
//
// Invariants:
//   - A transaction function has no outside effect: it may be run again, or its work be undone.
//   - On SQLite all writes pass one connection and are committed in groups; each function has its own savepoint.
//   - Read never waits for a writer. Inside Write or Read it joins the transaction of its goroutine.
//   - Write inside Write is refused with an error: the inner one could only wait for the outer one.
//   - The rows of a query are closed before the next statement of the same transaction.
package store
