// Package mirror gives providers to engines: those that were added to it, and those that it may fetch from public
// registries. The packages and what they must be are machinery/provider's; this room says who may read and change them.
//
// Invariants:
//   - Whoever may read any space may read the mirror, and so may steps that plan and apply: it holds what registries give
//     to everybody, and what somebody who may administrate the whole installation has added.
//   - What is added and removed by people is in the ledger.
package mirror
