// Package catalog holds all declared state: documents of every kind with their versions, relations and status, and
// the locations in repositories that they are read from.
//
// Trust comes from the source, never from the text. A source is either who applies ("apply" in a space) or a
// location; a document's space is that of its source. A reference belongs to the first source that brought it, and
// another one gets a conflict. Restricted kinds (users, groups, spaces, roles, policies, …) are taken from an apply
// by whoever has space:admin there, and from a location only once an administrator has trusted it for that kind.
//
// Every change of a document is one transaction: the entity with its relations, its version, its ledger entry
// (entity.created, entity.changed, entity.deleted) and the projection that its kind's owner keeps in Changed.
// The ledger calls a user by an opaque id, and a User document that is deleted takes its older texts along.
// A status is written beside it, without versions; only a changed condition makes an entry.
//
// A location is level-triggered: a push enqueues "catalog.refresh", which reads the files at the head and applies
// what they declare. A document that is wrong keeps the last good entity and sets its Error; one that is gone from
// the files is deleted; a location that can't be read keeps everything, notes why, and is read again when its
// repository is pushed. A generation on its row keeps an older read from overwriting a newer one. One that Location
// entities name goes when the last of them does, unless somebody registered it.
//
// A location can be looked at before it is registered (PreviewLocation), and be moved to another target (MoveLocation),
// which takes its trust. Ancestors tells by which Location entities the catalog came to an entity.
//
// A reading is a stream: files come from git in parts, are parsed on all processors, and are taken in chunks, each a
// transaction as long as others can wait for, so that a million entities take no more memory than a few thousand.
// location_files has what each file was when it was read: one of the same content is passed over, and what a file declares
// no more is looked for among what came from that file. More than fifty changes share an entry for each chunk
// (entities.changed, with counts); their versions name it, and ChangesOf gives them. Kinds of which others keep a
// projection, Locations and users come last, a few at a time, in the order in which they need one another.
//
// A document of the kind Kind declares another kind. Its row is the truth, and its version, the entry of its last change, goes
// with the kind that the registry makes of it: what was checked by an older one is not taken in, since each entity of a
// declared kind is written while the row is held. Other servers read the rows again when they are woken, and when they meet
// a kind that they don't know.
//
// Queries, facets, relations of others and the graph are answered from an index in memory (package index). Each server has
// its own, and all agree: it is told of this server's changes when they are committed, so that who writes reads what was
// written, and of those of others by the ledger, whose entries lead to the versions that they made. Of a reference the
// highest version counts, from wherever it comes. A start reads all entities, or the index that the last stop has kept. What has no version, such as a status, is not
// in it. Documents come from the database; those that were read before are kept, as long as their facts are the same. Lists of
// documents as they are stored (Raws) come from a shelf in memory, where a calm server puts all of them, compressed.
//
// Versions tell the past: GetAt, List with At, and Changes between two times, each by an index and in bounded parts. Facets and
// Graph with At, and who pointed at an entity, have the versions of then gone through, one after the other, within bounds of
// which they tell. Walks along the index tell the graph: Graph by view, and Owners.
//
// A source that outside systems push to (Push) is named once and is of one space. A push is a whole set or a delta; each
// takes the source's generation, so that an older one that is under way ends. Bring is what sources that are no locations
// stand on: what is wrong keeps its last good entity, what is as it was is not written, and of a whole set what is not in it
// goes, save where that is more than may go at once.
//
// Stars and views are kept for each who has signed in, by the opaque id, and go with the person; a view may be shared with a
// space, whose writers change it.
//
// Rights: source:push, entity:read, entity:write, entity:delete, location:write, and space:admin for restricted kinds and trust.
// Whoever may not read an entity learns nothing of it, save that its name is taken when they bring the same: it is
// fault.NotFound, and lists filter before they count.
package catalog
