// Package search finds entities, docs, APIs and runs by words, tolerant of typos, the best first, with what matches marked.
//
// It keeps nothing in the database. Each server has an index in memory (package index), which it makes from the catalog, the
// sections of docs and the newest runs when it starts, in the background, and then follows the ledger with (reconcile.go).
// Until it is made, answers say that they are not whole. The index has no texts: what a hit is called and what matches in
// it is read for the hits of a page alone, from the rooms that they are of.
//
// States: none. Rights: entity:read for entities and APIs, run:read for runs, and for docs repository:read for their
// repository and entity:read for an entity whose docs they are.
//
// Invariants:
//   - What the reader may not see is neither found nor counted. Rights are those of the moment; the space of a thing is what
//     the index last learned of it, and each hit is asked for again where it comes from before it is given.
//   - A site that is the docs of several entities is shown as those of one that the reader may see, a component before others.
//   - Repositories are known by id, so that docs go by the name that a repository has now.
//   - Every query and answer is bounded.
package search
