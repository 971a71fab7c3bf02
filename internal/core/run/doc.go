// Package run is the second of the four ideas: every action is a run.
//
// A run has a kind, a subject (an entity), a state out of its kind's table, steps, log streams, reviews, a cause
// (the ledger entry that started it) and an actor. A product registers a Kind: the table of states and one pure
// function, Advance, that looks at the run, its steps and its reviews and says what comes next. Whatever happens
// to a run (a step reports, a lease runs out, somebody reviews, a timer is due, a lock is handed over) goes through
// Service.Change: it takes the run's row, calls Advance until nothing moves, and writes run, steps and ledger
// entries in that one transaction. So a crash at any line leaves a run that the next change carries on.
//
// Steps are work as data (worker.Job). Workers take them by leases through a worker.Hub; a lease that is not
// renewed runs out, and the step is given to another worker while it has attempts left. An agent (AgentHub) is held to
// the steps of its pool and to the leases that it holds itself.
//
// Invariants:
//   - A terminal run has no open step, holds no lock and waits for no timer.
//   - A lock name is held by at most one run, or by somebody for whom a product holds it.
//   - A step is leased to at most one worker; a report is taken once, and only from the lease that holds the step.
//   - Log lines never pass through the database: they go to the blob store, one sealed stream per attempt.
package run
