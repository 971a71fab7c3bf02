// Package ledger is the append-only log of changes: event bus, audit trail and live feed in one.
//
// An entry is appended in the transaction of the change that it tells of. Sealing gives it the next position
// and a hash over its content and the hash before it. On SQLite that happens in the same transaction, since
// there is one writer. On PostgreSQL the order of a sequence is not the order of commits, so Append leaves a
// pending row, and one sealer at a time moves pending rows, in batches, behind the head.
//
// Invariants:
//   - Positions of sealed entries are 1, 2, 3, … without a gap; an entry's bytes never change again.
//   - List, Wait and subscribers see only what is sealed.
//   - A subscriber's handler and the advance of its cursor are one transaction, so that each entry takes
//     effect exactly once, in order, across crashes and several servers.
//   - A handler that fails is tried again with growing pauses; other subscribers don't wait for it.
package ledger
