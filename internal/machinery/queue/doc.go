// Package queue does what has to be done later: jobs that are deferred, retried or periodic. Steps of runs are
// leases of core/run, and fan-out is cursors of the ledger; neither goes through here.
//
// A job is a row that is written in the transaction that needs it, so it exists exactly when that transaction
// committed. It is done at least once: the row is taken under a lease, a killed server's leases end, and the job
// is done again. So a handler must be idempotent, and level-triggered ones ("make location X true") pass a
// Unique key, so that a hundred reasons to do the same give one job.
//
//	waiting ──lease──► running ──► gone (done)
//	   ▲                  │
//	   └── backoff ───────┤
//	                      └──► dead (its attempts are used up; kept a week for doctor)
//
// Invariants: at most one waiting job a kind and Unique key; two jobs of one kind and key never run at the same
// time; a job is only removed by the lease that did it. docs/adr/0002-deferred-jobs.md says why this is not River.
package queue
