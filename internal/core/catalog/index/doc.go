// Package index answers queries over all entities from memory: filters, order, pages, full text, facets and walks along
// relations, as Backstage's clients ask them.
//
// What is looked for stands under keys: the lower-cased dotted paths of a document, such as spec.type. A list has all its
// items under its path; a text in it is a key of its own, too, with the value true (metadata.tags.java). relations.TYPE has
// the references of both directions, those of others as far as their entities may be seen. Texts are compared without
// case, up to 200 characters; longer ones, and null, only exist.
//
// How it is kept:
//   - A value under a key is a term, held once, with its posting: who has it. One entity stands in the term itself, some in
//     a sorted list, many in a roaring bitmap; most terms have one.
//   - Relations are terms too, of who declares them. The way back is looked up, so it need not be kept, and what it shows
//     depends on who asks. So are the flags of lists (metadata.tags.java), which would be as many keys as there are values.
//   - Texts lie back to back in blocks of a few kilobytes, those of a key together, so that a look for a part of a text
//     reads memory in order. For each block there is a bit for every hash of three bytes that it may hold; the bits of one
//     hash for 512 blocks are side by side, so that most blocks are passed over in a few words. An index of trigrams for
//     each value would find rare texts as quickly, but frequent ones more slowly, and take several times the memory.
//   - An order is kept for references and for the keys that somebody ordered by: sorted lists in short pieces. A page walks
//     it and asks the bitmap, or sorts what was found where that is little.
//   - It can be saved and restored, which is quicker than to take all documents apart again.
//   - Nothing that grows is ever copied whole, and entities are put a few at a time, so that readers hardly wait.
//
// The index knows no SQL. It is told of entities by Put and Delete, in any order and more than once: of each reference the
// highest version counts, over deletions too.
package index
