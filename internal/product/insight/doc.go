// Package insight tells how well things meet what the company wants of them: scorecards, and the technology radar.
//
// A Scorecard (kind.go) chooses entities of its space and the spaces below, and holds them to rules. A rule is an expression in
// CEL (expression.go) over the entity, its relations, its runs, its docs, and what outside systems tell of it, and belongs to a
// level. An entity is at the highest level of which, and below which, it passes all rules (scorecard.go). An expression that errs
// is a rule that is not passed, and says why.
//
// Outside systems tell metrics of an entity, each by its name, and findings, as the whole set of a source (fact.go). A change of
// them has the entity judged, where a scorecard may ask for it. The ledger tells of a set that is another than before, and of a
// metric that comes or goes: one that is written each minute makes no entry of each value, since the ledger is for what people
// decide and look back at, and the last value is kept in its row. What was told of an entity goes with it: when the room follows
// that it went, and by a sweep each half hour what was told at the same moment.
//
// What is judged is kept (store.go): the result of each entity, its changes, and how many are at which level and fail which
// rule, by space and owner, now and at the end of each day on which that changed.
//
// States of a scorecard, in insight_scorecards.phase: everything is judged (0); entities are being judged, up to last_ref
// (1); results are being looked through for entities that are gone (2). A changed document begins at 1, and so does each day,
// since rules may ask for the time.
//
// One job, insight.judge, does everything (reconcile.go): it follows the catalog's entries in the ledger, with what changed what
// that points at, and for rules that ask where relations lead what points at that; it judges what runs and docs changed, and goes
// on with scorecards that are not all judged, a part at a time and in turn. Never do two of it run at once, so that no older
// answer replaces a newer one. It can be stopped at any line and done again.
//
// A TechRadar (radar.go) is a document that is shown as it is, with how many use each entry.
//
// Rights: entity:read for an entity is what its results need, whoever may see the scorecard's document. A scorecard is seen by
// who has entity:read in its space or in one below. Counts, trends and teams are of the entities that the reader may see.
// metric:write and finding:write, in the entity's space, are what telling takes; a token may be narrowed to one metric or source.
// They are apart from source:push, by which a token of the same name would bring entities.
// Rules are evaluated as the platform; of what relations lead to they tell more than that it exists only within the scorecard's
// space.
//
// What can't be read of an entity, such as its docs, leaves the rules that ask for it as they were, says so in the result, and is
// tried again. A scorecard whose rules can't be asked any more, as by another release, says so and leaves its results. Neither holds
// up the others.
//
// Invariants:
//   - A result is only written when it differs. The counts are the sums of the results, and written in their transaction.
//   - No expression runs longer than its bounds of cost and time.
//   - An entity that is outside of a scorecard's space, deleted, or no longer chosen has no result.
package insight
