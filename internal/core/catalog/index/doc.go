// Package index answers queries over all entities from memory: filters, order, pages, full text, facets and walks along
// relations, as Backstage's clients ask them.
//
// What is looked for stands under keys: the lower-cased dotted paths of a document, such as spec.type. A list has all its
// items under its path; a text in it is a key of its own, too, with the value true (metadata.tags.java). relations.TYPE has
// the references of both directions, those of others as far as their entities may be seen. Texts are compared without
// case, up to 200 characters; longer ones, and null, only exist.
//
// The index knows no SQL. It is told of entities by Put and Delete, in any order and more than once: of each reference the
// highest version counts.
package index
