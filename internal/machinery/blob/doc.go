// Package blob keeps what is too large for the database: content that is addressed by its hash (plans, artifacts,
// recorded inputs) and streams that grow (logs).
//
// Content is immutable and durable once Put returns. A stream is written by one server at a time, by offset, so
// that a worker that repeats itself after a crash changes nothing; what was appended survives the end of the
// process, and from Seal on the end of the machine.
package blob
